"""Error, warning and notice codes: class, own-words text, and what a code means for an order it answers.

One channel carries errors, warnings and information, and libraries disagree about which is which, so the opinion is
this table and nothing else; :class:`ibwire.trade.orders.OrderTable` takes overrides. Classes:

=====  ==================================================================================================
A      connectivity between the gateway and IB: orders live on, stop sending new ones, keep the socket
B      farm status: information. Never a reason to close the socket
C      fatal for this connection
D      order warning: the order stays live
E      order refused, unless it is already known to be live
F      modify refused: the original order stays live
G      outcome of a cancel: 202 confirms, the others prove nothing and want a look-up
H      one request failed: end or restart only that one
I      advice about a stream that goes on
J      a limit was reached: back off
K      account subscription
L      made by the client library itself; never on the wire
=====  ==================================================================================================

A code may sit in several; the first letter is the one to act on. Unlisted codes have class "".
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final, NamedTuple

__all__ = [
    "CLASS_RANGES",
    "CLIENT_LOCAL",
    "CLIENT_LOCAL_NAMES",
    "CODES",
    "CONNECTION_LOST",
    "CONNECTION_RESTORED",
    "DATA_KEPT",
    "FARM_BROKEN",
    "FARM_OK",
    "ORDER_ONLY",
    "OWN_NOTICE",
    "CodeInfo",
    "OrderEffect",
    "is_notice",
    "lookup",
    "order_effect",
]


class CodeInfo(NamedTuple):
    """One code: its number, its classes (first letter decides) and its meaning in our words."""

    code: int
    classes: str
    text: str

    @property
    def cls(self) -> str:
        """The class to act on, "" when the code is not in the table."""
        return self.classes[:1]


class OrderEffect(IntEnum):
    """What a code means when it answers an order id. The order machine has one event for each."""

    NOTE = 0  # unlisted, or about something else: annotate, and look the order up
    WARNING = 1  # the order is unaffected
    REFUSED = 2  # a new order is refused; on a live order it is the modify that was refused
    MODIFY_REFUSED = 3  # only ever about a modify; the original order is unaffected
    CANCELLED = 4  # cancel confirmed
    CANCEL_REFUSED = 5  # cannot be cancelled now; the order may be filled, cancelled or live
    NOT_FOUND = 6  # the gateway does not know the id: filled, owned by another client, or never received
    UNDECIDED = 7  # the message may or may not have been acted on


_TABLE: Final[tuple[tuple[int, str, str], ...]] = (
    (100, "CJ", "too many messages a second; the gateway may disconnect"),
    (101, "J", "market data line limit reached"),
    (102, "H", "this request id is already used for market data"),
    (103, "E", "the order id is not above every earlier id of this client"),
    (104, "F", "a filled order cannot be modified"),
    (105, "F", "the modify changes more of the order than may be changed"),
    (106, "E", "the order cannot be sent"),
    (107, "E", "the order is incomplete"),
    (109, "E", "the price is outside the allowed percentage of the market"),
    (110, "FE", "the price is not on a valid price step of the contract"),
    (111, "E", "time in force and order type contradict each other"),
    (113, "E", "time in force is not allowed for this order type"),
    (116, "E", "the exchange is unknown or closed down"),
    (124, "E", "no market rule is known for the contract"),
    (125, "E", "the price is too aggressive against the best quote"),
    (126, "E", "the price is too aggressive against the best quote"),
    (133, "E", "sending the new order failed"),
    (134, "F", "sending the modify failed"),
    (135, "G", "the gateway does not know this order id"),
    (136, "G", "the order cannot be cancelled"),
    (137, "G", "the order cannot be cancelled now"),
    (140, "E", "the size is not a number of the right kind"),
    (141, "E", "the price is not a number of the right kind"),
    (154, "E", "the security is halted"),
    (160, "E", "the size is zero"),
    (161, "G", "the order is not in a state that can be cancelled"),
    (162, "HJ", "the historical data service has a problem: pacing, no data or no permission; the text says which"),
    (163, "E", "the price breaks the percentage rule"),
    (164, "E", "no market data to check the price percentage rule against"),
    (165, "H", "message of the historical or scanner service; can mean that there is nothing to show"),
    (166, "H", "no historical data for an expired contract"),
    (200, "EH", "no contract fits the description, or several do"),
    (201, "E", "the order was rejected; the text has the reason"),
    (202, "G", "the order is cancelled; the text may have a reason"),
    (203, "E", "the security is not available to this account, or a currency is missing"),
    (300, "H", "no data stream has this id; usually a cancel that came too late"),
    (309, "HJ", "too many market depth streams"),
    (310, "H", "no market depth stream has this id"),
    (316, "H", "market depth was halted: subscribe again"),
    (317, "H", "market depth was reset: clear the book, new rows follow"),
    (320, "H", "the gateway could not read the request"),
    (321, "EH", "the gateway refused the request as invalid; also the answer in read-only mode"),
    (322, "EH", "the gateway failed while processing the request"),
    (323, "H", "the gateway failed with an internal error"),
    (326, "C", "the client id is in use: wait and retry the same id first"),
    (327, "E", "only client id 0 may bind manual orders automatically"),
    (329, "F", "the order cannot be changed to that type"),
    (354, "H", "no permission for live market data of this contract"),
    (355, "E", "the size breaks the market rule"),
    (356, "E", "this one-cancels-all type is not allowed with the smart combination"),
    (359, "E", "one-cancels-all is not allowed with this smart combination"),
    (360, "E", "no what-if for this combination"),
    (365, "H", "no scanner subscription has this id"),
    (366, "H", "no historical request has this id"),
    (382, "E", "the price is outside the precaution limit in ticks"),
    (383, "E", "the size is above the precaution limit"),
    (386, "H", "the scanner or historical request was refused"),
    (387, "E", "the order type is not supported for this contract or exchange"),
    (388, "E", "the size is below the minimum"),
    (391, "E", "the end time is not valid"),
    (392, "E", "the contract has expired"),
    (395, "E", "a temporary restriction at IB prevents this order"),
    (396, "E", "a temporary restriction at IB prevents this order"),
    (397, "E", "a temporary restriction at IB prevents this order"),
    (399, "D", "message about the order, usually that it waits for the open; it stays live"),
    (404, "D", "held while shares to short are located; it stays live"),
    (413, "E", "a what-if order must have transmit on"),
    (414, "H", "a snapshot cannot have generic tick types"),
    (420, "HJ", "the real-time query is not valid, or comes too fast"),
    (422, "F", "account or clearing fields cannot be changed"),
    (430, "H", "no data for this request"),
    (435, "KE", "an account must be named"),
    (436, "KE", "an account allocation must be named"),
    (439, "E", "the algorithm definition is not valid"),
    (440, "FE", "the algorithm definition is not valid, or cannot be changed"),
    (441, "E", "the algorithm definition is not valid"),
    (442, "E", "the algorithm definition is not valid"),
    (443, "E", "the algorithm definition is not valid"),
    (444, "F", "the order is not yet acknowledged and cannot be changed"),
    (460, "E", "no trading permission for this contract"),
    (463, "E", "the order needs an attribute that is missing"),
    (481, "D", "the size was reduced; expect a smaller quantity"),
    (1100, "A", "the gateway lost IB's servers; orders live on, answers can still come"),
    (1101, "A", "IB's servers are back, data subscriptions are lost: subscribe and reconcile"),
    (1102, "A", "IB's servers are back, data subscriptions are kept: reconcile, check each stream"),
    (1300, "A", "the gateway changed its socket port; the text has the new one"),
    (2100, "K", "account updates ended because a newer request replaced them"),
    (2101, "K", "account updates refused: another client holds a different account"),
    (2102, "F", "the order is still being processed: modify it later"),
    (2103, "B", "market data farm broken"),
    (2104, "B", "market data farm connected"),
    (2105, "B", "historical data farm broken"),
    (2106, "B", "historical data farm connected"),
    (2107, "B", "historical data farm dormant, connects on demand"),
    (2108, "B", "market data farm dormant, connects on demand"),
    (2109, "D", "the outside-regular-hours flag is ignored; the order stays live"),
    (2110, "A", "the link between the gateway and IB is broken and will heal by itself"),
    (2111, "D", "advice about the order; it stays live"),
    (2119, "B", "market data farm connecting"),
    (2130, "D", "advice about the order; it stays live"),
    (2137, "D", "the order closes more than the position or crosses zero; it stays live"),
    (2152, "I", "some exchanges give depth only with extra permissions"),
    (2157, "B", "security definition farm broken"),
    (2158, "B", "security definition farm connected"),
    (2168, "D", "an order attribute is doubtful: a refusal if no acceptance follows"),
    (2169, "D", "an order attribute is doubtful: a refusal if no acceptance follows"),
    (10006, "E", "the parent order was not found; the child came too soon"),
    (10038, "C", "operation on a socket that is already closed (Windows)"),
    (10052, "E", "the time condition or time in force is not valid"),
    (10058, "E", "the order cannot be placed as described"),
    (10089, "I", "extra data subscription needed for the API; delayed data may follow"),
    (10090, "IH", "part of the requested data is not subscribed; the rest goes on"),
    (10147, "G", "the order to cancel was not found"),
    (10148, "G", "the order cannot be cancelled; the text has its state"),
    (10167, "I", "not subscribed: delayed data is shown instead"),
    (10168, "H", "not subscribed and delayed data is not enabled"),
    (10182, "H", "live updates for the request failed: ask again"),
    (10186, "H", "not subscribed and delayed data is not enabled"),
    (10187, "H", "no permission for tick data of this contract"),
    (10189, "H", "the tick-by-tick request is not valid"),
    (10190, "HJ", "too many tick-by-tick streams"),
    (10197, "H", "no data while the same user is logged in elsewhere"),
    (10225, "H", "a bust happened: ask for the bars again"),
    (10230, "K", "an advisor configuration change is still open"),
    (10231, "K", "the advisor configuration names invalid accounts"),
    (10233, "D", "advice about the order; it stays live"),
    (10241, "F", "a cash quantity order cannot be modified through the API"),
    (10242, "F", "a fractional order cannot be modified through the API"),
    (10285, "E", "the API version is too old for fractional sizes"),
    (10286, "E", "the size has too many decimals"),
    (10299, "H", "whatToShow does not fit the contract; crypto wants aggregated trades"),
    (10311, "D", "notice about direct routing; the order stays live"),
    (10314, "HE", "a date, time or time zone is not in an accepted form"),
    (10315, "E", "a date, time or time zone is not in an accepted form"),
    (10324, "E", "the exchange implies its own one-cancels-all protection"),
    (10325, "E", "the exchange does not support one-cancels-all"),
    (10326, "F", "the one-cancels-all group cannot be revised"),
    (10327, "F", "the one-cancels-all type cannot be revised"),
    (10328, "E", "connection lost, the data of the order is unresolved"),
    (10329, "D", "notice about direct routing; the order stays live"),
    (10330, "E", "a date, time or time zone is not in an accepted form"),
    (10331, "D", "advice about the order; it stays live"),
    (10333, "D", "advice about the order; it stays live"),
    (10335, "D", "advice about the order; it stays live"),
    (10337, "E", "a misc option is not valid"),
    (10338, "E", "a misc option is not valid"),
    (10339, "H", "a continuous future must have an empty end date"),
    (10341, "F", "the parent id cannot be changed"),
    (10347, "D", "advice about the order; it stays live"),
    (10349, "D", "the time in force was taken from an order preset; information only"),
)

# Codes without a line of their own: first match wins, after the table.
CLASS_RANGES: Final[tuple[tuple[int, int, str, str], ...]] = (
    (109, 168, "E", "refused by a check of the order"),
    (325, 333, "E", "refused by a check of the order"),
    (334, 343, "E", "a time, date or good-till date is not valid"),
    (344, 346, "E", "only for advisor or institution accounts"),
    (347, 353, "E", "a short-sale slot rule is broken"),
    (355, 383, "E", "refused by a check of the order"),
    (387, 413, "E", "refused by a check of the order"),
    (417, 449, "E", "refused by a check of the order"),
    (10000, 10027, "E", "refused by a check of the order"),
    (10240, 10242, "E", "refused by a check of the order"),
    (10243, 10252, "E", "a fractional size is not allowed here"),
    (10253, 10254, "E", "refused by a check of the order"),
    (10268, 10270, "E", "refused by a check of the order"),
    (10276, 10284, "H", "the news or event request was refused"),
    (10289, 10293, "E", "a cash quantity rule is broken"),
    (10294, 10345, "E", "refused by a check of the order"),
)

_LOCAL: Final[tuple[tuple[int, str, str], ...]] = (
    (501, "ALREADY_CONNECTED", "this client is connected already"),
    (
        502,
        "CONNECT_FAIL",
        "no connection: check that TWS or IB Gateway runs, that its API settings allow socket clients on this port "
        "(TWS 7496 live, 7497 paper; IB Gateway 4001 live, 4002 paper) and that fewer than 32 clients are connected",
    ),
    (503, "UPDATE_TWS", "the gateway is too old for this: upgrade TWS or IB Gateway, or leave the field unset"),
    (504, "NOT_CONNECTED", "not connected: call connect first"),
    (505, "UNKNOWN_ID", "a message with an unknown id came"),
    (506, "UNSUPPORTED_VERSION", "the peer's version is not supported"),
    (507, "BAD_LENGTH", "a frame has an impossible length, or the connection broke inside one"),
    (508, "BAD_MESSAGE", "a message could not be decoded"),
    (509, "SOCKET_EXCEPTION", "reading from the socket failed"),
    (510, "FAIL_SEND_REQMKT", "sending the market data request failed"),
    (511, "FAIL_SEND_CANMKT", "sending the market data cancel failed"),
    (512, "FAIL_SEND_ORDER", "sending the order failed"),
    (513, "FAIL_SEND_ACCT", "sending the account updates request failed"),
    (514, "FAIL_SEND_EXEC", "sending the executions request failed"),
    (515, "FAIL_SEND_CORDER", "sending the order cancel failed"),
    (516, "FAIL_SEND_OORDER", "sending the open orders request failed"),
    (518, "FAIL_SEND_REQCONTRACT", "sending the contract details request failed"),
    (519, "FAIL_SEND_REQMKTDEPTH", "sending the market depth request failed"),
    (520, "FAIL_CREATE_SOCK", "no socket could be made"),
    (521, "FAIL_SEND_SERVER_LOG_LEVEL", "sending the server log level failed"),
    (522, "FAIL_SEND_FA_REQUEST", "sending the advisor data request failed"),
    (523, "FAIL_SEND_FA_REPLACE", "sending the advisor data replacement failed"),
    (524, "FAIL_SEND_REQSCANNER", "sending the scanner subscription failed"),
    (525, "FAIL_SEND_CANSCANNER", "sending the scanner cancel failed"),
    (526, "FAIL_SEND_REQSCANNERPARAMETERS", "sending the scanner parameters request failed"),
    (527, "FAIL_SEND_REQHISTDATA", "sending the historical data request failed"),
    (528, "FAIL_SEND_CANHISTDATA", "sending the historical data cancel failed"),
    (529, "FAIL_SEND_REQRTBARS", "sending the real-time bars request failed"),
    (530, "FAIL_SEND_CANRTBARS", "sending the real-time bars cancel failed"),
    (531, "FAIL_SEND_REQCURRTIME", "sending the current time request failed"),
    (532, "FAIL_SEND_REQFUNDDATA", "sending the fundamental data request failed"),
    (533, "FAIL_SEND_CANFUNDDATA", "sending the fundamental data cancel failed"),
    (534, "FAIL_SEND_REQCALCIMPLIEDVOLAT", "sending the implied volatility calculation failed"),
    (535, "FAIL_SEND_REQCALCOPTIONPRICE", "sending the option price calculation failed"),
    (536, "FAIL_SEND_CANCALCIMPLIEDVOLAT", "sending the implied volatility cancel failed"),
    (537, "FAIL_SEND_CANCALCOPTIONPRICE", "sending the option price cancel failed"),
    (538, "FAIL_SEND_REQGLOBALCANCEL", "sending the global cancel failed"),
    (539, "FAIL_SEND_REQMARKETDATATYPE", "sending the market data type failed"),
    (540, "FAIL_SEND_REQPOSITIONS", "sending the positions request failed"),
    (541, "FAIL_SEND_CANPOSITIONS", "sending the positions cancel failed"),
    (542, "FAIL_SEND_REQACCOUNTDATA", "sending the account summary request failed"),
    (543, "FAIL_SEND_CANACCOUNTDATA", "sending the account summary cancel failed"),
    (544, "FAIL_SEND_VERIFYREQUEST", "sending the verify request failed"),
    (545, "FAIL_SEND_VERIFYMESSAGE", "sending the verify message failed"),
    (546, "FAIL_SEND_QUERYDISPLAYGROUPS", "sending the display groups query failed"),
    (547, "FAIL_SEND_SUBSCRIBETOGROUPEVENTS", "sending the group events subscription failed"),
    (548, "FAIL_SEND_UPDATEDISPLAYGROUP", "sending the display group update failed"),
    (549, "FAIL_SEND_UNSUBSCRIBEFROMGROUPEVENTS", "sending the group events cancel failed"),
    (550, "FAIL_SEND_STARTAPI", "sending startApi failed"),
    (551, "FAIL_SEND_VERIFYANDAUTHREQUEST", "sending the verify-and-auth request failed"),
    (552, "FAIL_SEND_VERIFYANDAUTHMESSAGE", "sending the verify-and-auth message failed"),
    (553, "FAIL_SEND_REQPOSITIONSMULTI", "sending the multi-account positions request failed"),
    (554, "FAIL_SEND_CANPOSITIONSMULTI", "sending the multi-account positions cancel failed"),
    (555, "FAIL_SEND_REQACCOUNTUPDATESMULTI", "sending the multi-account updates request failed"),
    (556, "FAIL_SEND_CANACCOUNTUPDATESMULTI", "sending the multi-account updates cancel failed"),
    (557, "FAIL_SEND_REQSECDEFOPTPARAMS", "sending the option chain request failed"),
    (558, "FAIL_SEND_REQSOFTDOLLARTIERS", "sending the soft dollar tiers request failed"),
    (559, "FAIL_SEND_REQFAMILYCODES", "sending the family codes request failed"),
    (560, "FAIL_SEND_REQMATCHINGSYMBOLS", "sending the symbol search failed"),
    (561, "FAIL_SEND_REQMKTDEPTHEXCHANGES", "sending the depth exchanges request failed"),
    (562, "FAIL_SEND_REQSMARTCOMPONENTS", "sending the smart components request failed"),
    (563, "FAIL_SEND_REQNEWSPROVIDERS", "sending the news providers request failed"),
    (564, "FAIL_SEND_REQNEWSARTICLE", "sending the news article request failed"),
    (565, "FAIL_SEND_REQHISTORICALNEWS", "sending the historical news request failed"),
    (566, "FAIL_SEND_REQHEADTIMESTAMP", "sending the head timestamp request failed"),
    (567, "FAIL_SEND_REQHISTOGRAMDATA", "sending the histogram request failed"),
    (568, "FAIL_SEND_CANCELHISTOGRAMDATA", "sending the histogram cancel failed"),
    (569, "FAIL_SEND_CANCELHEADTIMESTAMP", "sending the head timestamp cancel failed"),
    (570, "FAIL_SEND_REQMARKETRULE", "sending the market rule request failed"),
    (571, "FAIL_SEND_REQPNL", "sending the profit-and-loss request failed"),
    (572, "FAIL_SEND_CANCELPNL", "sending the profit-and-loss cancel failed"),
    (573, "FAIL_SEND_REQPNLSINGLE", "sending the single profit-and-loss request failed"),
    (574, "FAIL_SEND_CANCELPNLSINGLE", "sending the single profit-and-loss cancel failed"),
    (575, "FAIL_SEND_REQHISTORICALTICKS", "sending the historical ticks request failed"),
    (576, "FAIL_SEND_REQTICKBYTICKDATA", "sending the tick-by-tick request failed"),
    (577, "FAIL_SEND_CANCELTICKBYTICKDATA", "sending the tick-by-tick cancel failed"),
    (578, "FAIL_SEND_REQCOMPLETEDORDERS", "sending the completed orders request failed"),
    (579, "INVALID_SYMBOL", "a text holds a character that cannot be sent"),
    (580, "FAIL_SEND_REQ_WSH_META_DATA", "sending the event calendar meta data request failed"),
    (581, "FAIL_SEND_CAN_WSH_META_DATA", "sending the event calendar meta data cancel failed"),
    (582, "FAIL_SEND_REQ_WSH_EVENT_DATA", "sending the event calendar request failed"),
    (583, "FAIL_SEND_CAN_WSH_EVENT_DATA", "sending the event calendar cancel failed"),
    (584, "FAIL_SEND_REQ_USER_INFO", "sending the user info request failed"),
    (585, "FA_PROFILE_NOT_SUPPORTED", "advisor profiles no longer exist: use advisor groups"),
    (587, "FAIL_SEND_REQCURRTIMEINMILLIS", "sending the current time in milliseconds request failed"),
    (588, "ERROR_ENCODING_PROTOBUF", "the message could not be encoded as protobuf"),
    (589, "FAIL_SEND_CANMKTDEPTH", "sending the market depth cancel failed"),
    (590, "FAIL_SEND_CANCEL_CONTRACT_DATA", "sending the contract details cancel failed"),
    (591, "FAIL_SEND_CANCEL_HISTORICAL_TICKS", "sending the historical ticks cancel failed"),
    (592, "FAIL_SEND_REQCONFIG", "sending the configuration request failed"),
    (593, "FAIL_SEND_UPDATECONFIG", "sending the configuration update failed"),
)
# Of the local codes these end the connection (SEMANTICS class C); they keep L as second class.
_LOCAL_FATAL: Final = frozenset({501, 502, 503, 504, 506, 507})

CLIENT_LOCAL: Final[dict[int, CodeInfo]] = {
    code: CodeInfo(code, "LC" if code in _LOCAL_FATAL else "L", text) for code, _, text in _LOCAL
}
CLIENT_LOCAL_NAMES: Final[dict[str, int]] = {name: code for code, name, _ in _LOCAL}
CODES: Final[dict[int, CodeInfo]] = {row[0]: CodeInfo(*row) for row in _TABLE} | CLIENT_LOCAL

CONNECTION_LOST: Final = frozenset({1100, 2110})
CONNECTION_RESTORED: Final = frozenset({1101, 1102})
DATA_KEPT: Final = frozenset({1102})
FARM_OK: Final = frozenset({2104, 2106, 2158})
FARM_BROKEN: Final = frozenset({2103, 2105, 2157})
OWN_NOTICE: Final = 0
"""Code of what ibwire itself has to say; no gateway uses it."""

_CANCEL_REFUSED: Final = frozenset({136, 137, 161, 10148})
_NOT_FOUND: Final = frozenset({135, 10147})
_UNDECIDED: Final = frozenset({100, 320, 323, 10328})
# An id that is not in the order table and gets one of these is an order all the same.
ORDER_ONLY: Final = _CANCEL_REFUSED | _NOT_FOUND | frozenset({104, 105, 201, 202, 399, 404, 481, 2102, 10349})


def lookup(code: int) -> CodeInfo:
    """Class and meaning of a code; never raises, an unlisted code has class ""."""
    info = CODES.get(code)
    if info is not None:
        return info
    for low, high, classes, text in CLASS_RANGES:
        if low <= code <= high:
            return CodeInfo(code, classes, text)
    return CodeInfo(code, "", "a code that is not in the table")


def order_effect(code: int) -> OrderEffect:
    """What `code` means when the id it comes with is an order id."""
    if code in _NOT_FOUND:
        return OrderEffect.NOT_FOUND
    if code in _CANCEL_REFUSED:
        return OrderEffect.CANCEL_REFUSED
    if code in _UNDECIDED:
        return OrderEffect.UNDECIDED
    if code == 202:
        return OrderEffect.CANCELLED
    classes = lookup(code).classes
    if "E" in classes:
        return OrderEffect.REFUSED
    if "F" in classes:
        return OrderEffect.MODIFY_REFUSED
    if "D" in classes or "I" in classes or "B" in classes or 2100 <= code < 2200:
        return OrderEffect.WARNING
    return OrderEffect.NOTE


def is_notice(code: int) -> bool:
    """True for codes that inform and end nothing: connectivity and farm news, order warnings, data advice."""
    return lookup(code).cls in ("A", "B", "D", "I")
