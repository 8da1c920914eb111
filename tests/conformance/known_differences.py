"""Where ibwire differs from an official release on purpose: each with its reason.

``test_known_differences.py`` has a test for every key here, that the official behaviour is still so. The other tests
use the entries in six ways: ``adapt`` changes a message before either side sees it, ``ask`` changes what the official
client alone is given, ``ignore`` names attributes that do not count, ``skip`` says that a case is not compared.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from decimal import Decimal
from typing import Any

from ibwire.spec import versions as V
from ibwire.spec.model import FOREVER, Row
from ibwire.wire.plan import Dialect

from .normal import JSON
from .oracle import VERSIONS, EncodeCase

BEFORE_10_37 = ("9.81.1", "10.19.4", "10.30.1")
BEFORE_10_46 = (*BEFORE_10_37, "10.37.2")


@dataclass(frozen=True, slots=True)
class Difference:
    """One deliberate divergence.

    Attributes
    ----------
    key, reason : its name, and why we differ.
    releases, rows, since, until, dialect : where it counts; no rows, no dialect: all of them.
    """

    key: str
    reason: str
    _: KW_ONLY
    direction: str
    releases: tuple[str, ...] = VERSIONS
    rows: tuple[str, ...] = ()
    since: int = 0
    until: int = FOREVER
    dialect: Dialect | None = None
    adapt: Callable[[Any], None] | None = None
    ask: Callable[[EncodeCase], None] | None = None
    mend_bytes: Callable[[bytes], bytes] | None = None
    mend_calls: Callable[[list[list[JSON]]], list[list[JSON]]] | None = None
    ignore: tuple[str, ...] = ()
    unsent: tuple[str, ...] = ()

    def counts(self, version: str, row: Row, server_version: int, dialect: Dialect) -> bool:
        """Whether it concerns that release, message, server version and dialect."""
        return (
            version in self.releases
            and self.direction == row.direction.value
            and (not self.rows or row.name in self.rows)
            and self.since <= server_version < self.until
            and self.dialect in (None, dialect)
        )


# ---------------------------------------------------------------------------------------------- outgoing


def _cash_qty_zero(case: EncodeCase) -> None:
    case.args[2]["v"]["cashQty"] = 0


def _whole_quantity(message: Any) -> None:
    message.order.totalQuantity = Decimal(int(message.order.totalQuantity or 0))


def _strike_set(message: Any) -> None:
    contract = getattr(message, "contract", None)
    if contract is not None and contract.strike is None:
        contract.strike = 0.0


def _no_news_options(message: Any) -> None:
    message.historicalNewsOptions = []


def _spaced_peg_types(message: Any) -> None:
    message.order.orderType = message.order.orderType.replace("PEGB", "PEG B").replace("PEGM", "PEG M")


def _without_option_count(official: bytes) -> bytes:
    assert official.endswith(b"\0" + b"0\0\0")
    return official[:-3] + b"\0"


def _no_primary_exchange(message: Any) -> None:
    message.contract.primaryExchange = ""


def _no_trade_only_flags(case: EncodeCase) -> None:
    case.args[2]["v"].update(eTradeOnly=False, firmQuoteOnly=False)


def _whole_percent(case: EncodeCase) -> None:
    for condition in case.args[2]["v"]["conditions"] or ():
        if condition["o"] == "MarginCondition":
            condition["v"]["percent"] = int(float(condition["v"]["percent"]["f"]))


OUTGOING: tuple[Difference, ...] = (
    Difference(
        "placeOrder.cashQty",
        "Below the gate of cashQty the official client takes its own unset value for a set one: it refuses all.",
        direction="outgoing",
        rows=("placeOrder",),
        until=V.CASH_QTY,
        ask=_cash_qty_zero,
    ),
    Difference(
        "placeOrder.totalQuantity",
        "Below FRACTIONAL_POSITIONS the official client cuts a fraction off the quantity without a word, and writes an "
        "unset one as a number of 39 digits; we refuse a fraction, for it would be another order.",
        direction="outgoing",
        rows=("placeOrder",),
        until=V.FRACTIONAL_POSITIONS,
        adapt=_whole_quantity,
    ),
    Difference(
        "contract.strike",
        "Releases before 10.37 know no unset strike (theirs is 0.0) and would write the sentinel as a number.",
        direction="outgoing",
        releases=BEFORE_10_37,
        adapt=_strike_set,
    ),
    Difference(
        "calculate.options",
        "Releases before 10.46 write the number of options, always 0, before the empty field of the options of option "
        "calculations; we write what the newest writes.",
        direction="outgoing",
        releases=BEFORE_10_46,
        rows=("calculateImpliedVolatility", "calculateOptionPrice"),
        dialect=Dialect.TEXT,
        mend_bytes=_without_option_count,
    ),
    Difference(
        "reqHistoricalNews.options",
        "Releases before 10.46 lose the options of reqHistoricalNews in text (they walk the wrong variable).",
        direction="outgoing",
        releases=BEFORE_10_46,
        rows=("reqHistoricalNews",),
        dialect=Dialect.TEXT,
        adapt=_no_news_options,
    ),
    Difference(
        "order.eTradeOnly",
        "9.81.1 sends two flags that were dropped later as true by default; we send what the newer releases send.",
        direction="outgoing",
        releases=("9.81.1",),
        rows=("placeOrder",),
        ask=_no_trade_only_flags,
    ),
    Difference(
        "marginCondition.percent",
        "In protobuf the official client fails on the percentage of a margin condition that is a float, even a whole "
        "one; we send a whole one.",
        direction="outgoing",
        releases=("10.37.2", "10.46.1"),
        rows=("placeOrder",),
        dialect=Dialect.PROTO,
        ask=_whole_percent,
    ),
    Difference(
        "10.37.2.protobuf.primaryExchange",
        "The first protobuf release writes the primary exchange under a name that its descriptor lacks, and raises.",
        direction="outgoing",
        releases=("10.37.2",),
        rows=("placeOrder",),
        dialect=Dialect.PROTO,
        adapt=_no_primary_exchange,
    ),
    Difference(
        "10.37.2.protobuf.sent",
        "The first protobuf release forgets the order's client id, and knows no attached orders.",
        direction="outgoing",
        releases=("10.37.2",),
        rows=("placeOrder",),
        dialect=Dialect.PROTO,
        unsent=("order.clientId", "?unknown"),
    ),
    Difference(
        "order.pegTypes",
        "Releases before 10.30 know the pegged order types only with a space in their names.",
        direction="outgoing",
        releases=("9.81.1", "10.19.4"),
        rows=("placeOrder",),
        adapt=_spaced_peg_types,
    ),
)

# ---------------------------------------------------------------------------------------------- incoming


def _no_other_funds(message: Any) -> None:
    details = message.contractDetails
    if details.fundAssetType == "000":
        details.fundAssetType = "001"


def _whole_coupon(message: Any) -> None:
    message.contractDetails.coupon = int(message.contractDetails.coupon)


def _set_display_size(message: Any) -> None:
    if message.order.displaySize is None:
        message.order.displaySize = 0


def _no_stray_parameters(message: Any) -> None:
    order = message.order
    if not order.algoStrategy:
        order.algoParams = []
    if not order.hedgeType:
        order.hedgeParam, order.hedgeMaxSize = "", None


def _sizes_from_text(calls: list[list[JSON]]) -> list[list[JSON]]:
    """Protobuf sizes that the release hands on as text, as the numbers that they are."""
    for name, args in calls:
        if name == "orderStatus":
            args[2:4] = [{"d": a} if isinstance(a, str) else a for a in args[2:4]]
    return calls


_FLAGS = ("usePriceMgmtAlgo", "routeMarketableToBbo", "seekPriceImprovement")


def _kinds_of_text(calls: list[list[JSON]]) -> list[list[JSON]]:
    """Order fields that protobuf carries as whole numbers, in the kinds that they have in text."""
    for _, args in calls:
        for arg in args:
            if isinstance(arg, dict) and arg.get("o") == "Order":
                values = arg["v"]
                values.update({n: bool(values[n]) for n in _FLAGS if type(values.get(n)) is int})
                for condition in values["conditions"]:
                    if type(condition["v"].get("percent")) is int:
                        condition["v"]["percent"] = {"f": repr(float(condition["v"]["percent"]))}
    return calls


def _same_order_id(message: Any) -> None:
    if not message.order.orderId:
        message.order.orderId = message.orderId


_FIRST_PROTOBUF_LOSES = (
    *(f"Contract.{n}" for n in ("lastTradeDate", "primaryExchange", "issuerId", "description", "deltaNeutralContract")),
    *("ComboLeg.shortSaleSlot", "ComboLeg.shortSalesSlot"),
    *(
        f"Order.{n}"
        for n in (
            "orderId",
            "totalQuantity",
            "deltaNeutralSettlingFirm",
            "ddeltaNeutralSettlingFirm",
            "autoCancelDate",
            "filledQuantity",
            "refFuturesConId",
            "shareholder",
            "routeMarketableToBbo",
            "parentPermId",
            "activeStartTime",
            "activeStopTime",
        )
    ),
    *(
        f"OrderState.{what}{when}"
        for what in ("initMargin", "maintMargin", "equityWithLoan")
        for when in ("Before", "Change", "After")
    ),
    *(f"OrderState.{n}" for n in ("completedTime", "completedStatus", "suggestedSize")),
    *(f"OrderAllocation.{n}" for n in ("position", "positionDesired", "positionAfter")),
    *("OrderAllocation.desiredAllocQty", "OrderAllocation.allowedAllocQty"),
    *("Execution.shares", "Execution.cumQty"),
)

INCOMING: tuple[Difference, ...] = (
    Difference(
        "contractDetails.fundAssetType",
        "The official enumeration has a comma too many at Others, so that its code 000 reads as no type at all.",
        direction="incoming",
        releases=("10.30.1", "10.37.2", "10.46.1"),
        rows=("contractData", "bondContractData"),
        since=V.FUND_DATA_FIELDS,
        adapt=_no_other_funds,
    ),
    Difference(
        "contractDetails.coupon",
        "9.81.1 reads the coupon of a bond as an integer and fails on the gateway's decimals.",
        direction="incoming",
        releases=("9.81.1",),
        rows=("bondContractData",),
        adapt=_whole_coupon,
    ),
    Difference(
        "order.displaySize",
        "9.81.1 reads an empty display size as 0; it is unset.",
        direction="incoming",
        releases=("9.81.1",),
        rows=("openOrder", "completedOrder"),
        adapt=_set_display_size,
    ),
    Difference(
        "order.pegTypes.received",
        "Releases before 10.30 know the pegged order types only with a space in their names, and lose their place in "
        "the message when it comes without.",
        direction="incoming",
        releases=("9.81.1", "10.19.4"),
        rows=("openOrder", "completedOrder"),
        adapt=_spaced_peg_types,
    ),
    Difference(
        "order.strayParameters",
        "In protobuf the official client drops algorithm parameters without an algorithm and hedge parameters without "
        "a hedge type; we hand on what was sent.",
        direction="incoming",
        releases=("10.37.2", "10.46.1"),
        rows=("openOrder", "completedOrder"),
        since=V.PROTOBUF,
        adapt=_no_stray_parameters,
    ),
    Difference(
        "order.kinds",
        "In protobuf three flags of an order and the percentage of a margin condition are whole numbers, and the "
        "official client hands them on as such; in text they are a truth value and a float. Ours are so in both.",
        direction="incoming",
        releases=("10.37.2", "10.46.1"),
        rows=("openOrder", "completedOrder"),
        dialect=Dialect.PROTO,
        mend_calls=_kinds_of_text,
    ),
    Difference(
        "openOrder.orderId",
        "An order that says that its own id is 0 inside a message for another id: the official client believes the "
        "order, we believe the message.",
        direction="incoming",
        releases=("10.46.1",),
        rows=("openOrder",),
        dialect=Dialect.PROTO,
        adapt=_same_order_id,
    ),
    Difference(
        "10.37.2.protobuf",
        "The first protobuf decoder loses fields of contracts, orders and legs, writes two under wrong names, hands "
        "on sizes as text and margins as floats.",
        direction="incoming",
        releases=("10.37.2",),
        rows=("orderStatus", "openOrder", "execDetails"),
        dialect=Dialect.PROTO,
        mend_calls=_sizes_from_text,
        ignore=_FIRST_PROTOBUF_LOSES,
    ),
)

DIFFERENCES: tuple[Difference, ...] = (*OUTGOING, *INCOMING)


BESIDE: tuple[Difference, ...] = (
    Difference(
        "fa.profiles",
        "From FA_PROFILE_DESUPPORT on the official client refuses requests for profiles with 585; we let the gateway "
        "answer.",
        direction="outgoing",
        releases=("10.30.1", "10.37.2", "10.46.1"),
        rows=("requestFA", "replaceFA"),
        since=V.FA_PROFILE_DESUPPORT,
    ),
    Difference(
        "text.symbols",
        "In text the official client refuses what is not printable ASCII with 579, older releases also tabs and line "
        "ends; we send UTF-8, as gateways read it.",
        direction="outgoing",
        dialect=Dialect.TEXT,
    ),
    Difference(
        "text.latin1",
        "Text that is not UTF-8 becomes backslash escapes in the official client; we read it as Latin-1, which Windows "
        "gateways send.",
        direction="incoming",
        dialect=Dialect.TEXT,
    ),
    Difference(
        "text.escaped",
        "In fields with escapes the official client reads what is not escaped as Latin-1, so that UTF-8 is garbled.",
        direction="incoming",
        rows=("error", "contractData", "tickString"),
        since=V.ENCODE_MSG_ASCII7,
        dialect=Dialect.TEXT,
    ),
    Difference(
        "numbers.spelling",
        "The official client takes Python's own spellings of numbers: spaces around them, underscores in them. No "
        "gateway sends those; to us the message is broken.",
        direction="incoming",
        dialect=Dialect.TEXT,
    ),
    Difference(
        "bars.unknown",
        "Real gateways send bars with ? for every price: the official client fails on them, we read unset prices.",
        direction="incoming",
        rows=("historicalData", "historicalDataUpdate"),
        dialect=Dialect.TEXT,
    ),
    Difference(
        "protobuf.absent",
        "Where protobuf lacks the submessage that a message is about, the official client drops the message without a "
        "word; we deliver it with what it has, so that nothing is lost.",
        direction="incoming",
        releases=("10.46.1",),
        rows=(
            "openOrder",
            "updatePortfolio",
            "contractData",
            "bondContractData",
            "execDetails",
            "position",
            "positionMulti",
            "completedOrder",
            "updateMktDepth",
            "updateMktDepthL2",
            "historicalDataUpdate",
        ),
        dialect=Dialect.PROTO,
    ),
)
"""Differences that random valid messages do not meet."""


def differences(version: str, row: Row, server_version: int, dialect: Dialect) -> list[Difference]:
    """Those that concern a case."""
    return [d for d in DIFFERENCES if d.counts(version, row, server_version, dialect)]


# ---------------------------------------------------------------------------------------------- refusals


@dataclass(frozen=True, slots=True)
class Refusal:
    """Values below their gates that the official client does not refuse with 503 as we do: it leaves them out, or,
    with a ``code``, refuses them by that one."""

    reason: str
    row: str
    fields: tuple[str, ...]
    dialect: Dialect = Dialect.TEXT
    code: int = 0


def _order(names: str) -> tuple[str, ...]:
    return tuple(f"order.{name}" for name in names.split())


_NO_OPTIONS = "The official client refuses options in text at every version, each request with a code of its own."

REFUSALS: tuple[Refusal, ...] = (
    Refusal(
        "The official client leaves out what the version cannot carry, and so places another order than was asked for.",
        "placeOrder",
        _order(
            "adjustableTrailingUnit adjustedOrderType adjustedStopLimitPrice adjustedStopPrice adjustedTrailingAmount "
            "conditions conditionsCancelOrder conditionsIgnoreRth discretionaryUpToLimitPrice "
            "isPeggedChangeAmountDecrease lmtPriceOffset peggedChangeAmount referenceChangeAmount referenceContractId "
            "referenceExchangeId triggerPrice"
        ),
    ),
    Refusal(
        "The official client refuses these in protobuf, and leaves them out of the text that a version below 203 gets.",
        "placeOrder",
        _order(
            "allowPreOpen deactivate hedgeMaxSize ignoreOpenAuction postOnly ptOrderId ptOrderType "
            "routeMarketableToBbo seekPriceImprovement slOrderId slOrderType whatIfType"
        ),
    ),
    Refusal(_NO_OPTIONS, "reqMktData", ("mktDataOptions",), code=510),
    Refusal(_NO_OPTIONS, "reqMktDepth", ("mktDepthOptions",), code=519),
    Refusal(_NO_OPTIONS, "calculateImpliedVolatility", ("implVolOptions",), code=534),
    Refusal(_NO_OPTIONS, "calculateOptionPrice", ("optPrcOptions",), code=535),
)
