"""The order state machine as data: states, triggers, rules, one table, and plain sentences for people.

Two things are kept apart. The *wire status* is the text the gateway sends; it is kept as it came. The *state* is our
own conclusion from everything that happened, and :data:`RISK` is what it means for exposure. A step has two look-ups,
both of small integers: the event and the order's :class:`Flag` word give a trigger (:data:`RULES`, the first rule that
fits), the state and the trigger give the next state (:data:`TRANSITIONS`). Both trackers, the plain one
(``ibwire.trade.orders``) and the compiled one, do just that; a change of opinion is a change of a line here. What is
done step by step: docs/orders/machine.md. Facts: reference SEMANTICS, sections 3 and 5.

Principles behind the cells: nothing that could be live is ever called ended because of silence or of an error that
may mean something else; only an execution, a final status, 202, or a refusal of an order never seen live ends one;
what contradicts what was told before goes to ``uncertain``, and only a look-up or a final answer leads out of there:
messages may have overtaken each other, and the later one on the wire is not always the later one in truth.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag
from typing import Final, NamedTuple

__all__ = [
    "DEADLINE_MS",
    "ENDED",
    "ERROR_EVENT",
    "FINAL_STATUSES",
    "RESUME",
    "RISK",
    "RULES",
    "STATE_MEANING",
    "STATUS_SPEAKS",
    "STATUS_TRIGGER",
    "TRANSITIONS",
    "WIRE_LEGALITY",
    "WIRE_MEANING",
    "WIRE_STATUSES",
    "Cell",
    "Event",
    "Flag",
    "Legality",
    "Risk",
    "Rule",
    "State",
    "Trigger",
    "find_rule",
    "resolve",
    "wire_legality",
]


class State(IntEnum):
    """Our own view of an order. ``State.label`` is the text for people and files."""

    CREATED = 0
    UNTRANSMITTED = 1
    SENT = 2
    ACKNOWLEDGED = 3
    WORKING = 4
    PARTIALLY_FILLED = 5
    CANCEL_REQUESTED = 6
    MODIFY_REQUESTED = 7
    FILLED = 8
    CANCELLED = 9
    REJECTED = 10
    EXPIRED = 11
    INACTIVE = 12
    UNCERTAIN = 13
    JOURNALED = 14

    @property
    def label(self) -> str:
        """Lower-case name, such as ``partially_filled``."""
        return self.name.lower()


class Risk(IntEnum):
    """What a state means for exposure."""

    NOT_SENT = 0
    MAYBE_LIVE = 1
    LIVE = 2
    ENDED = 3
    UNKNOWN = 4

    @property
    def label(self) -> str:
        """``not sent``, ``maybe live``, ``live``, ``ended`` or ``unknown``."""
        return self.name.lower().replace("_", " ")


class Legality(IntEnum):
    """How a step between two wire statuses is judged."""

    NORMAL = 0
    SKIPS = 1  # leaves out steps; legal
    BACKWARD = 2  # goes back; legal only for a reason
    ANOMALY = 3  # recorded; the truth stays with the executions


class Trigger(IntEnum):
    """What an event means for an order, once its flags are taken into account: the rows of the table."""

    API_PENDING = 0
    PENDING_SUBMIT = 1
    PRE_SUBMITTED = 2
    SUBMITTED = 3
    PENDING_CANCEL = 4
    API_CANCELLED = 5
    STATUS_CANCELLED = 6
    STATUS_FILLED = 7
    STATUS_INACTIVE = 8
    OTHER_STATUS = 9  # a status text that is not known
    CANCELLED_DOUBTFUL = 10  # Cancelled, without 202, while a modify is pending or was refused: it may mean just that
    CANCELLED_REFUSED = 11  # Cancelled after a refusal: the broker ended it
    EXECUTION = 12  # quantity is left, or the total is not known
    EXECUTION_FULL = 13
    EXECUTION_REDUCED = 14  # a correction took quantity away
    WARNING = 15
    REFUSED = 16  # never seen live
    REFUSED_LIVE = 17  # seen live, and no modify is pending that it could answer
    MODIFY_REFUSED = 18
    CANCEL_CONFIRMED = 19
    EXPIRED = 20
    CANCEL_REFUSED = 21
    NOT_FOUND = 22
    UNDECIDED = 23
    PLACE = 24  # bytes of a placement, or of a modify, are on their way
    PLACE_UNTRANSMITTED = 25
    MODIFY_ACCEPTED = 26
    CANCEL_REQUEST = 27
    SEND_FAILED = 28  # provably no byte left
    LINK_LOST = 29
    DEADLINE = 30
    UNDECODABLE = 31
    STALE_STATUS = 32  # a working status after both 202 and Cancelled: it was overtaken on its way
    CONTRADICTED = 33  # a status against what was told before: only a look-up settles it
    REVIVED = 34  # a working status after the cancel was refused
    ABSENT = 35  # not in a list of open orders that should have had it
    TERMS_DOUBTFUL = 36  # terms are reported that a modify had replaced
    JOURNALED = 37  # a placement is written down; its bytes have not left


class Event(IntEnum):
    """What happens, before anything is known about the order. The first ten are the wire statuses, by index."""

    API_PENDING = 0
    PENDING_SUBMIT = 1
    PRE_SUBMITTED = 2
    SUBMITTED = 3
    PENDING_CANCEL = 4
    API_CANCELLED = 5
    STATUS_CANCELLED = 6
    STATUS_FILLED = 7
    STATUS_INACTIVE = 8
    OTHER_STATUS = 9
    EXECUTION = 10
    EXECUTION_FULL = 11
    EXECUTION_REDUCED = 12
    ERROR_NOTE = 13  # 13 + OrderEffect
    ERROR_WARNING = 14
    ERROR_REFUSED = 15
    ERROR_MODIFY_REFUSED = 16
    ERROR_CANCELLED = 17
    ERROR_CANCEL_REFUSED = 18
    ERROR_NOT_FOUND = 19
    ERROR_UNDECIDED = 20
    TERMS_ACCEPTED = 21  # an openOrder reports the terms of a modify that was not answered
    TERMS_STALE = 22  # an openOrder reports terms that an accepted modify had replaced
    PLACE = 23
    PLACE_UNTRANSMITTED = 24
    CANCEL_REQUEST = 25
    SEND_FAILED = 26  # provably no byte left
    SEND_BROKEN = 27  # some bytes left
    LINK_LOST = 28  # the session is over
    RESTORED = 29  # 1101 or 1102: the session lives, but answers may be missing
    DEADLINE = 30
    UNDECODABLE = 31
    ABSENT = 32
    LOOKED_UP = 33  # open orders, executions and completed orders were all asked for and answered
    JOURNALED = 34  # a placement is written down; its bytes are about to leave


ERROR_EVENT: Final = int(Event.ERROR_NOTE)


class Flag(IntFlag):
    """What an order remembers, one bit each. Those from bit 16 come with an event and are not kept."""

    SEEN_LIVE = 1 << 0  # a working status, Filled or an execution: the broker had accepted it
    ANSWERED = 1 << 1  # the gateway said something about it
    CANCEL_ASKED = 1 << 2
    KEPT_ALIVE = 1 << 3  # a cancel was refused
    MODIFY_OPEN = 1 << 4  # a modify is not answered
    MODIFY_REFUSED = 1 << 5  # one was, or may have been: a Cancelled may mean just that, however late it comes
    REFUSED = 1 << 6
    TOLD_FILLED = 1 << 7
    TOLD_CANCELLED = 1 << 8
    TOLD_202 = 1 << 9
    DOUBT = 1 << 10  # contradicted: what comes next settles it only when it is an answer to a look-up
    BLIND = 1 << 11  # a message about it could not be read
    NEEDS_QUERY = 1 << 12
    HELD = 1 << 13  # placed by somebody else, or in an earlier life of this program
    UNNAMED = 1 << 14  # the gateway's list of executions lacks one of its: it may have been busted
    RESENT = 1 << 15  # sent again while not transmitted, or modified when the link broke: a refusal may be of either
    # -- with the event
    FILLS = 1 << 16  # its executed quantity is above zero
    SETTLED = 1 << 17  # the status stands in a completedOrder: a record, no answer
    SNAPSHOT = 1 << 18  # the status stands in the answer to a question for open orders
    EXPIRY = 1 << 19  # the text of the error speaks of expiry
    MORE = 1 << 20  # other modifies remain unanswered
    OF_CANCEL = 1 << 21  # it was the cancel that could not be sent
    UNEQUAL = 1 << 22  # its executions add up to more than was ordered, or than any of them names: something is missing
    AMBIGUOUS = 1 << 23  # the terms of a modify are reported, but it, or one before it, may have been refused
    AGAIN = 1 << 24  # this very order is sent, not one that transmits its group


class Rule(NamedTuple):
    """The trigger, and the flags after it, if the state is in `states`, all of `need` and none of `forbid` is set."""

    states: int  # bit 1 << State
    need: int
    forbid: int
    trigger: Trigger
    set: int
    clear: int


class Cell(NamedTuple):
    """One cell: where to go, and whether getting here at all is worth a remark."""

    target: int  # a State, or RESUME
    legality: Legality


RESUME: Final = -1
"""Pseudo target: back to what the order's memory says, see :func:`resolve`."""

ENDED: Final = frozenset({State.FILLED, State.CANCELLED, State.REJECTED, State.EXPIRED})

RISK: Final[tuple[Risk, ...]] = (
    Risk.NOT_SENT,  # created
    Risk.NOT_SENT,  # untransmitted
    Risk.MAYBE_LIVE,  # sent
    Risk.MAYBE_LIVE,  # acknowledged
    Risk.LIVE,  # working
    Risk.LIVE,  # partially_filled
    Risk.LIVE,  # cancel_requested
    Risk.LIVE,  # modify_requested
    Risk.ENDED,  # filled
    Risk.ENDED,  # cancelled
    Risk.ENDED,  # rejected
    Risk.ENDED,  # expired
    Risk.MAYBE_LIVE,  # inactive
    Risk.UNKNOWN,  # uncertain
    Risk.MAYBE_LIVE,  # journaled: nobody can tell at which moment its bytes leave
)

STATE_MEANING: Final[tuple[str, ...]] = (
    "not sent",
    "held inside TWS, not transmitted: cannot be filled yet, lost when TWS closes",
    "on its way: not answered yet, may already be live",
    "the gateway has it, the destination has not accepted it yet: may become live any moment",
    "LIVE at the broker",
    "LIVE, partly executed: the rest can still be filled",
    "LIVE until the cancel is confirmed: fills can still come",
    "LIVE: a modify is not answered yet, old or new terms can be filled",
    "DONE, the whole quantity is executed",
    "ENDED, the rest is cancelled: a late fill would still be counted",
    "ENDED, refused: it was never accepted, or the broker ended it",
    "ENDED, its time ran out",
    "received but not working: held, de-activated or refused, and can become live again",
    "UNKNOWN: may be live, filled or gone; look it up, never send it again blindly",
    "written down, its bytes are about to leave: may become live any moment",
)

WIRE_MEANING: Final[dict[str, str]] = {
    "ApiPending": "held inside TWS, not yet sent to the broker",
    "PendingSubmit": "sent, not yet accepted by the destination: treat as live",
    "PreSubmitted": "LIVE at the broker, waiting for the market: not a failure",
    "Submitted": "LIVE, working",
    "PendingCancel": "LIVE, cancel asked but not confirmed: fills can still come",
    "ApiCancelled": "cancelled before it was acknowledged",
    "Cancelled": "cancelled: what was filled stays filled",
    "Filled": "DONE, the whole quantity is executed",
    "Inactive": "received but not working: held, de-activated or refused",
}
WIRE_STATUSES: Final[tuple[str, ...]] = tuple(WIRE_MEANING)

STATUS_TRIGGER: Final[dict[str, Trigger]] = {text: Trigger(index) for index, text in enumerate(WIRE_STATUSES)}
FINAL_STATUSES: Final = frozenset({"ApiCancelled", "Cancelled", "Filled"})
"""Wire statuses that end an order."""

# While an order is in the state, the sentence of this wire status says more than the state's own.
STATUS_SPEAKS: Final = frozenset(
    {
        (State.SENT, "ApiPending"),
        (State.ACKNOWLEDGED, "PendingSubmit"),
        (State.WORKING, "PreSubmitted"),
        (State.WORKING, "Submitted"),
    }
)

DEADLINE_MS: Final[tuple[int, ...]] = (
    0,  # created: not sent
    0,  # untransmitted: nothing comes until it is transmitted
    5_000,  # sent
    30_000,  # acknowledged: TWS has it, a destination that is slow or shut is no rarity
    0,  # working
    0,  # partially_filled
    10_000,  # cancel_requested: some exchanges take their time
    5_000,  # modify_requested
    0,  # filled
    0,  # cancelled
    0,  # rejected
    0,  # expired
    0,  # inactive: may last for days
    0,  # uncertain: whoever looks it up has a time limit
    0,  # journaled: until the kernel has its last byte
)
"""How long each state may last without an answer before the order is uncertain; 0: for ever."""

# From one wire status (row; "" = none yet) to another (column): N normal, S skips, R goes back, X anomaly.
_WIRE_GRID: Final = """
.              ApiPending PendingSubmit PreSubmitted Submitted PendingCancel ApiCancelled Cancelled Filled Inactive
-              N          N             N            N         S             N            N         S      N
ApiPending     N          N             N            N         N             N            N         S      N
PendingSubmit  X          N             N            N         N             N            N         S      N
PreSubmitted   X          R             N            N         N             N            N         S      N
Submitted      X          R             R            N         N             X            N         N      R
PendingCancel  X          X             R            R         N             N            N         N      N
ApiCancelled   X          X             X            X         X             N            N         X      X
Cancelled      X          X             X            X         X             X            N         R      X
Filled         X          X             X            X         X             X            X         N      X
Inactive       X          R             R            R         N             N            N         R      N
"""

# From a state (column) by a trigger (row). "." stays, RES is RESUME, "!" is worth a remark.
_STATE_GRID: Final = """
.                    CRE   UNT  SEN  ACK  WRK  PAR  CXL  MOD  FIL  CAN   REJ   EXP   INA  UNC  JNL
API_PENDING          SEN!  .    .    .    .    .    .    .    .!   .!    .!    .!    .    SEN  SEN
PENDING_SUBMIT       ACK!  ACK  ACK  .    .    .    .    .    .!   .!    .!    .!    .    RES  ACK
PRE_SUBMITTED        WRK!  WRK  WRK  WRK  .    .    .    .    .!   UNC!  UNC!  UNC!  WRK  WRK  WRK
SUBMITTED            WRK!  WRK  WRK  WRK  .    .    .    .    .!   UNC!  UNC!  UNC!  WRK  WRK  WRK
PENDING_CANCEL       CXL!  CXL  CXL  CXL  CXL  CXL  .    CXL  .!   .!    .!    .!    CXL  CXL  CXL
API_CANCELLED        CAN!  CAN  CAN  CAN  CAN  CAN  CAN  CAN  .!   .     .     .     CAN  CAN  CAN
STATUS_CANCELLED     CAN!  CAN  CAN  CAN  CAN  CAN  CAN  CAN  .!   .     .     .     CAN  CAN  CAN
STATUS_FILLED        FIL!  FIL  FIL  FIL  FIL  FIL  FIL  FIL  .    FIL   FIL!  FIL!  FIL  FIL  FIL
STATUS_INACTIVE      INA!  .    INA  INA  INA  INA  INA  INA  .!   .!    .     .!    .    INA  INA
OTHER_STATUS         .!    .!   .!   .!   .!   .!   .!   .!   .!   .!    .!    .!    .!   .!   .!
CANCELLED_DOUBTFUL   CAN!  CAN  UNC! UNC! UNC! UNC! UNC! UNC! .!   .     .     .     UNC! .    UNC!
CANCELLED_REFUSED    REJ!  REJ  REJ  REJ  REJ  REJ  REJ  REJ  .!   REJ   .     .     REJ  REJ  REJ
EXECUTION            PAR!  PAR  PAR  PAR  PAR  .    .    .    .    .     UNC!  .     .    .    PAR
EXECUTION_FULL       FIL!  FIL  FIL  FIL  FIL  FIL  FIL  FIL  .    FIL   FIL!  FIL   FIL  FIL  FIL
EXECUTION_REDUCED    .     .    .    .    .    RES  .    .    UNC! .!    .!    .!    .    .    .
WARNING              .     .    .    .    .    .    .    .    .    .     .     .     .    .    .
REFUSED              REJ   REJ  REJ  REJ  .!   .!   REJ  UNC  .!   REJ   .     .     REJ  REJ  REJ
REFUSED_LIVE         .     .    .    .    .    .    .    .    .    REJ   .     .     REJ  .    .
MODIFY_REFUSED       .     .    .    .    .    .    .    RES  .    .     .     .     .    .    .
CANCEL_CONFIRMED     .!    CAN  CAN  CAN  CAN  CAN  CAN  CAN  .!   .     .     .     CAN  CAN  CAN
EXPIRED              .!    EXP  EXP  EXP  EXP  EXP  CAN  EXP  .!   EXP   .     .     EXP  EXP  EXP
CANCEL_REFUSED       .     UNC  UNC  UNC  UNC  UNC  UNC  UNC  .    .     .     .     UNC  .    UNC
NOT_FOUND            .     UNC  UNC  UNC  UNC  UNC  UNC  UNC  .    .     .     .     UNC  .    UNC
UNDECIDED            .     UNC  UNC  .    .    .    UNC  UNC  .    .     .     .     UNC  .    UNC
JOURNALED            JNL   JNL  .    .    .    .    .    .    .!   JNL!  JNL   JNL!  .    .    .
PLACE                SEN   SEN  .    .    MOD  MOD  .    .    .!   SEN!  SEN   SEN!  SEN  .    SEN
PLACE_UNTRANSMITTED  UNT   .    .!   .!   .!   .!   .!   .!   .!   UNT!  UNT   UNT!  .!   .    UNT
MODIFY_ACCEPTED      .     .    .    .    .    .    .    RES  .    .     .     .     .    .    .
CANCEL_REQUEST       .!    CXL  CXL  CXL  CXL  CXL  .    CXL  .    .     .     .     CXL  .    CXL
SEND_FAILED          .     CRE  CRE  .    .    .    RES  RES  .    .     .     .     .    .    CRE
LINK_LOST            .     UNC  UNC  UNC  UNC  UNC  UNC  UNC  .    .     .     .     UNC  .    UNC
DEADLINE             .     .    UNC  UNC  .    .    UNC  UNC  .    .     .     .     .    .    .
UNDECODABLE          .     UNC  UNC  UNC  UNC  UNC  UNC  UNC  .    .     .     .     UNC  .    UNC
STALE_STATUS         .!    .!   .!   .!   .!   .!   .!   .!   .!   .!    .!    .!    .!   .!   .!
CONTRADICTED         .!    UNC! UNC! UNC! UNC! UNC! UNC! UNC! .!   UNC!  UNC!  UNC!  UNC  .    UNC!
REVIVED              .!    WRK  WRK  WRK  WRK  .    WRK  .    .!   UNC!  UNC!  UNC!  WRK  WRK  WRK
ABSENT               .     .    UNC  UNC  UNC  UNC  UNC  UNC  .    .     .     .     .    .    UNC
TERMS_DOUBTFUL       .     UNC! UNC! UNC! UNC! UNC! UNC! UNC! .    .     .     .     UNC! .    UNC!
"""

# Event, in which states, with which flags, without which; the trigger, and the flags set and cleared with it. The
# first that fits. "-" is nothing, "any" every state; OVER, SHUT, IDLE and NEW: _STATE_SETS.
_RULE_GRID: Final = """
API_PENDING          UNC     DOUBT                      SNAPSHOT     CONTRADICTED        ANSWERED         -
API_PENDING          UNC     BLIND                      SNAPSHOT     CONTRADICTED        ANSWERED         -
API_PENDING          any     -                          -            API_PENDING         ANSWERED         QUERY

PENDING_SUBMIT       UNC     DOUBT                      SNAPSHOT     CONTRADICTED        ANSWERED         -
PENDING_SUBMIT       UNC     BLIND                      SNAPSHOT     CONTRADICTED        ANSWERED         -
PENDING_SUBMIT       INA     -                          SNAPSHOT     CONTRADICTED        ANSWERED+DOUBT   -
PENDING_SUBMIT       UNC,INA SNAPSHOT                   -            PENDING_SUBMIT      ANSWERED         TOLD
PENDING_SUBMIT       any     -                          -            PENDING_SUBMIT      ANSWERED         QUERY

PRE_SUBMITTED        OVER    TOLD_TWICE                 -            STALE_STATUS        LIFE             -
PRE_SUBMITTED        OVER    -                          -            CONTRADICTED        LIFE+DOUBT       -
PRE_SUBMITTED        UNC,INA SNAPSHOT                   -            PRE_SUBMITTED       LIFE             TOLD
PRE_SUBMITTED        UNC     DOUBT                      -            CONTRADICTED        LIFE             -
PRE_SUBMITTED        UNC     BLIND                      -            CONTRADICTED        LIFE             -
PRE_SUBMITTED        INA     -                          -            CONTRADICTED        LIFE+DOUBT       -
PRE_SUBMITTED        CXL     KEPT_ALIVE                 CANCEL_ASKED REVIVED             LIFE             QUERY
PRE_SUBMITTED        any     -                          -            PRE_SUBMITTED       LIFE             QUERY

SUBMITTED            OVER    TOLD_TWICE                 -            STALE_STATUS        LIFE             -
SUBMITTED            OVER    -                          -            CONTRADICTED        LIFE+DOUBT       -
SUBMITTED            UNC,INA SNAPSHOT                   -            SUBMITTED           LIFE             TOLD
SUBMITTED            UNC     DOUBT                      -            CONTRADICTED        LIFE             -
SUBMITTED            UNC     BLIND                      -            CONTRADICTED        LIFE             -
SUBMITTED            INA     -                          -            CONTRADICTED        LIFE+DOUBT       -
SUBMITTED            CXL     KEPT_ALIVE                 CANCEL_ASKED REVIVED             LIFE             QUERY
SUBMITTED            any     -                          -            SUBMITTED           LIFE             QUERY

PENDING_CANCEL       OVER    TOLD_TWICE                 -            STALE_STATUS        ANSWERED         -
PENDING_CANCEL       UNC,INA SNAPSHOT                   -            PENDING_CANCEL      ANSWERED         TOLD
PENDING_CANCEL       UNC     DOUBT                      -            CONTRADICTED        ANSWERED         -
PENDING_CANCEL       UNC     BLIND                      -            CONTRADICTED        ANSWERED         -
PENDING_CANCEL       INA     -                          -            CONTRADICTED        ANSWERED+DOUBT   -
PENDING_CANCEL       any     KEPT_ALIVE                 CANCEL_ASKED CONTRADICTED        ANSWERED+DOUBT   -
PENDING_CANCEL       any     -                          -            PENDING_CANCEL      ANSWERED         QUERY

API_CANCELLED        any     MODIFY_OPEN                PROOF        CANCELLED_DOUBTFUL  GONE+DOUBT+QUERY -
API_CANCELLED        any     MODIFY_REFUSED             PROOF        CANCELLED_DOUBTFUL  GONE+DOUBT+QUERY -
API_CANCELLED        any     CANCEL_ASKED               -            API_CANCELLED       GONE             -
API_CANCELLED        any     REFUSED                    -            CANCELLED_REFUSED   GONE             -
API_CANCELLED        any     -                          -            API_CANCELLED       GONE             -

STATUS_CANCELLED     any     MODIFY_OPEN                PROOF        CANCELLED_DOUBTFUL  GONE+DOUBT+QUERY -
STATUS_CANCELLED     any     MODIFY_REFUSED             PROOF        CANCELLED_DOUBTFUL  GONE+DOUBT+QUERY -
STATUS_CANCELLED     any     CANCEL_ASKED               -            STATUS_CANCELLED    GONE             -
STATUS_CANCELLED     any     REFUSED                    -            CANCELLED_REFUSED   GONE             -
STATUS_CANCELLED     any     -                          -            STATUS_CANCELLED    GONE             -

STATUS_FILLED        any     -                          -            STATUS_FILLED       LIFE+TOLD_FILLED -

STATUS_INACTIVE      any     REFUSED                    MODIFY_OPEN+DOUBT CANCELLED_REFUSED ANSWERED      -
STATUS_INACTIVE      UNC     SETTLED                    -            STATUS_INACTIVE     ANSWERED         TOLD
STATUS_INACTIVE      UNC     SNAPSHOT                   -            STATUS_INACTIVE     ANSWERED         TOLD
STATUS_INACTIVE      UNC     DOUBT                      -            CONTRADICTED        ANSWERED         -
STATUS_INACTIVE      UNC     BLIND                      -            CONTRADICTED        ANSWERED         -
STATUS_INACTIVE      any     SEEN_LIVE                  -            STATUS_INACTIVE     ANSWERED+QUERY   -
STATUS_INACTIVE      any     -                          -            STATUS_INACTIVE     ANSWERED         QUERY

OTHER_STATUS         any     -                          -            OTHER_STATUS        ANSWERED+QUERY   -

EXECUTION            REJ     -                          -            EXECUTION           SEEN_LIVE+DOUBT  -
EXECUTION            any     -                          -            EXECUTION           SEEN_LIVE        -
EXECUTION_FULL       SHUT    BLIND                      -            WARNING             SEEN_LIVE+QUERY  -
EXECUTION_FULL       SHUT    UNNAMED                    -            WARNING             SEEN_LIVE+QUERY  -
EXECUTION_FULL       SHUT    UNEQUAL                    -            WARNING             SEEN_LIVE+QUERY  -
EXECUTION_FULL       any     BLIND                      -            CONTRADICTED        LIFE+DOUBT+QUERY -
EXECUTION_FULL       any     UNNAMED                    -            CONTRADICTED        LIFE+DOUBT+QUERY -
EXECUTION_FULL       any     UNEQUAL                    -            CONTRADICTED        LIFE+DOUBT+QUERY -
EXECUTION_FULL       any     -                          -            EXECUTION_FULL      SEEN_LIVE        -
EXECUTION_REDUCED    any     TOLD_FILLED                -            WARNING             SEEN_LIVE        -
EXECUTION_REDUCED    any     -                          -            EXECUTION_REDUCED   SEEN_LIVE        -

ERROR_NOTE           SHUT    -                          -            WARNING             -                -
ERROR_NOTE           any     -                          -            WARNING             QUERY            -
ERROR_WARNING        any     -                          -            WARNING             -                -
ERROR_REFUSED        any     MODIFY_OPEN+SEEN_LIVE+MORE -            WARNING             MODIFY_REFUSED   -
ERROR_REFUSED        any     MODIFY_OPEN+SEEN_LIVE      -            MODIFY_REFUSED      MODIFY_REFUSED   MODIFY_OPEN
ERROR_REFUSED        any     MODIFY_OPEN                -            UNDECIDED           REFUSED+DOUBT+QUERY -
ERROR_REFUSED        any     SEEN_LIVE                  -            REFUSED_LIVE        REFUSED+QUERY    -
ERROR_REFUSED        any     HELD                       -            UNDECIDED           REFUSED+QUERY    -
ERROR_REFUSED        any     RESENT                     -            UNDECIDED           REFUSED+DOUBT+QUERY -
ERROR_REFUSED        any     MODIFY_REFUSED             -            UNDECIDED           REFUSED+DOUBT+QUERY -
ERROR_REFUSED        any     -                          -            REFUSED             REFUSED          -
ERROR_MODIFY_REFUSED any     MODIFY_OPEN+MORE           -            WARNING             MODIFY_REFUSED   -
ERROR_MODIFY_REFUSED any     MODIFY_OPEN                -            MODIFY_REFUSED      MODIFY_REFUSED   MODIFY_OPEN
ERROR_MODIFY_REFUSED any     -                          -            WARNING             -                -
ERROR_CANCELLED      any     EXPIRY                     CANCEL_ASKED EXPIRED             TOLD_202         -
ERROR_CANCELLED      any     -                          -            CANCEL_CONFIRMED    TOLD_202         -
ERROR_CANCEL_REFUSED any     -                          -            CANCEL_REFUSED      KEPT_ALIVE+QUERY CANCEL_ASKED
ERROR_NOT_FOUND      SHUT    -                          -            NOT_FOUND           -                -
ERROR_NOT_FOUND      any     -                          -            NOT_FOUND           DOUBT+QUERY      -
ERROR_UNDECIDED      any     -                          -            UNDECIDED           QUERY            -

TERMS_ACCEPTED       any     MORE+AMBIGUOUS             -            WARNING             MODIFY_REFUSED+DOUBT -
TERMS_ACCEPTED       any     MORE                       -            WARNING             -                -
TERMS_ACCEPTED       any     AMBIGUOUS                  -            MODIFY_ACCEPTED    MODIFY_REFUSED+DOUBT MODIFY_OPEN
TERMS_ACCEPTED       any     -                          -            MODIFY_ACCEPTED     -                MODIFY_OPEN
TERMS_STALE          any     SNAPSHOT                   -            WARNING             -                -
TERMS_STALE          SHUT    -                          -            TERMS_DOUBTFUL      -                -
TERMS_STALE          any     -                          -            TERMS_DOUBTFUL      DOUBT+QUERY      -

JOURNALED            OVER    -                          -            JOURNALED           -                ALL
JOURNALED            UNT     AGAIN                      -            JOURNALED           RESENT           -
JOURNALED            any     -                          -            JOURNALED           -                -
PLACE                OVER    -                          -            PLACE               -                ALL
PLACE                JNL     -                          -            PLACE               -                -
PLACE                UNT     AGAIN                      -            PLACE               RESENT           -
PLACE                NEW     -                          -            PLACE               -                -
PLACE                any     -                          -            PLACE               MODIFY_OPEN      -
PLACE_UNTRANSMITTED  OVER    -                          -            PLACE_UNTRANSMITTED -                ALL
PLACE_UNTRANSMITTED  JNL     -                          -            PLACE_UNTRANSMITTED -                -
PLACE_UNTRANSMITTED  UNT     AGAIN                      -            PLACE_UNTRANSMITTED RESENT           -
PLACE_UNTRANSMITTED  NEW     -                          -            PLACE_UNTRANSMITTED -                -
PLACE_UNTRANSMITTED  any     -                          -            PLACE_UNTRANSMITTED MODIFY_OPEN      -
CANCEL_REQUEST       any     -                          -            CANCEL_REQUEST      CANCEL_ASKED     -
SEND_FAILED          any     OF_CANCEL                  -            SEND_FAILED         -                CANCEL_ASKED
SEND_FAILED          any     MORE                       -            WARNING             -                -
SEND_FAILED          any     MODIFY_OPEN                -            MODIFY_REFUSED      -                MODIFY_OPEN
SEND_FAILED          any     RESENT                     -            LINK_LOST           -                -
SEND_FAILED          any     -                          -            SEND_FAILED         -                -
SEND_BROKEN          any     -                          -            UNDECODABLE         -                -
LINK_LOST            any     MODIFY_OPEN                -            LINK_LOST           RESENT           MODIFIES
LINK_LOST            any     -                          -            LINK_LOST           -                MODIFIES
RESTORED             any     -                          -            LINK_LOST           -                -
DEADLINE             any     -                          -            DEADLINE            -                -
UNDECODABLE          CRE     -                          -            UNDECODABLE         -                -
UNDECODABLE          any     -                          -            UNDECODABLE         BLIND+QUERY      -
ABSENT               IDLE    -                          -            ABSENT              -                -
ABSENT               any     REFUSED+DOUBT              SEEN_LIVE+BLIND REFUSED          -                -
ABSENT               any     -                          -            ABSENT              DOUBT+QUERY      -
LOOKED_UP            any     -                          -            WARNING             -                BLIND+QUERY
"""

_SHORT: Final[dict[str, int]] = {
    "CRE": State.CREATED,
    "UNT": State.UNTRANSMITTED,
    "SEN": State.SENT,
    "ACK": State.ACKNOWLEDGED,
    "WRK": State.WORKING,
    "PAR": State.PARTIALLY_FILLED,
    "CXL": State.CANCEL_REQUESTED,
    "MOD": State.MODIFY_REQUESTED,
    "FIL": State.FILLED,
    "CAN": State.CANCELLED,
    "REJ": State.REJECTED,
    "EXP": State.EXPIRED,
    "INA": State.INACTIVE,
    "UNC": State.UNCERTAIN,
    "JNL": State.JOURNALED,
    "RES": RESUME,
}


def _parse_states(grid: str) -> dict[tuple[State, Trigger], Cell]:
    head, *rows = (line.split() for line in grid.strip().splitlines())
    columns = [State(_SHORT[text]) for text in head[1:]]
    cells: dict[tuple[State, Trigger], Cell] = {}
    for name, *texts in rows:
        for state, text in zip(columns, texts, strict=True):
            goal = text.rstrip("!")
            target = int(state) if goal == "." else _SHORT[goal]
            cells[state, Trigger[name]] = Cell(target, Legality.ANOMALY if text.endswith("!") else Legality.NORMAL)
    return cells


_FLAG_SETS: Final[dict[str, int]] = {flag.name: int(flag) for flag in Flag if flag.name is not None} | {
    "-": 0,
    "QUERY": int(Flag.NEEDS_QUERY),
    "LIFE": int(Flag.SEEN_LIVE | Flag.ANSWERED),
    "PROOF": int(Flag.SETTLED | Flag.TOLD_202),
    "TOLD_TWICE": int(Flag.TOLD_CANCELLED | Flag.TOLD_202),
    "GONE": int(Flag.ANSWERED | Flag.TOLD_CANCELLED),
    "TOLD": int(Flag.DOUBT | Flag.TOLD_CANCELLED | Flag.TOLD_202 | Flag.REFUSED | Flag.NEEDS_QUERY),
    "MODIFIES": int(Flag.MODIFY_OPEN | Flag.MODIFY_REFUSED),
    "ALL": (1 << 16) - 1 - int(Flag.HELD),
}
_OVER: Final = 1 << State.CANCELLED | 1 << State.REJECTED | 1 << State.EXPIRED
_SHUT: Final = _OVER | 1 << State.FILLED | 1 << State.CREATED
_STATE_SETS: Final[dict[str, int]] = {text: 1 << state for text, state in _SHORT.items() if state >= 0} | {
    "any": (1 << len(State)) - 1,
    "OVER": _OVER,
    "SHUT": _SHUT,
    "IDLE": _SHUT | 1 << State.UNTRANSMITTED | 1 << State.INACTIVE,
    "NEW": 1 << State.CREATED | 1 << State.UNTRANSMITTED | 1 << State.FILLED,
}


def _parse_rules(grid: str) -> tuple[tuple[Rule, ...], ...]:
    found: dict[Event, list[Rule]] = {event: [] for event in Event}
    for line in grid.strip().splitlines():
        if not line:
            continue
        name, where, need, forbid, trigger, sets, clears = line.split()
        states = 0
        for word in where.split(","):
            states |= _STATE_SETS[word]
        words = [_flags(text) for text in (need, forbid, sets, clears)]
        found[Event[name]].append(Rule(states, words[0], words[1], Trigger[trigger], words[2], words[3]))
    return tuple(tuple(found[event]) for event in Event)


def _flags(text: str) -> int:
    word = 0
    for name in text.split("+"):
        word |= _FLAG_SETS[name]
    return word


def _parse_wire(grid: str) -> dict[tuple[str, str], Legality]:
    marks = dict(zip("NSRX", Legality, strict=True))
    head, *rows = (line.split() for line in grid.strip().splitlines())
    return {
        ("" if name == "-" else name, to): marks[mark]
        for name, *texts in rows
        for to, mark in zip(head[1:], texts, strict=True)
    }


TRANSITIONS: Final[dict[tuple[State, Trigger], Cell]] = _parse_states(_STATE_GRID)
RULES: Final[tuple[tuple[Rule, ...], ...]] = _parse_rules(_RULE_GRID)
"""For each :class:`Event` its rules, in order; the last one of each always fits."""
WIRE_LEGALITY: Final[dict[tuple[str, str], Legality]] = _parse_wire(_WIRE_GRID)


# Plain integers: operators of Flag make an object each.
_FILLS, _SEEN_LIVE, _ANSWERED = int(Flag.FILLS), int(Flag.SEEN_LIVE), int(Flag.ANSWERED)
_MODIFYING: Final = int(Flag.SEEN_LIVE | Flag.MODIFY_OPEN)
_STATES: Final = tuple(State)


def find_rule(state: int, word: int, event: int) -> Rule:
    """The first rule that fits; `word` has the flags of the order and those of the event."""
    here = 1 << state
    for rule in RULES[event]:
        if rule.states & here and rule.need & ~word == 0 and not rule.forbid & word:
            return rule
    raise AssertionError(f"no rule for event {event}")  # the last one of each event fits always


def resolve(target: int, word: int) -> State:
    """The state that a cell's target means for an order with these flags.

    Working and partly filled depend on whether anything is filled. RESUME is modify_requested when seen live and a
    modify is not answered; else working when ever seen live, else acknowledged when the gateway ever answered, else
    sent.
    """
    if target in (RESUME, State.WORKING, State.PARTIALLY_FILLED):
        if target == RESUME and word & _MODIFYING == _MODIFYING:
            return State.MODIFY_REQUESTED
        if word & _FILLS:
            return State.PARTIALLY_FILLED
        if target != RESUME or word & _SEEN_LIVE:
            return State.WORKING
        return State.ACKNOWLEDGED if word & _ANSWERED else State.SENT
    return _STATES[target]


def wire_legality(before: str, after: str) -> Legality:
    """Judge a step between two wire statuses ("" = none yet). A repeat is normal, an unknown text an anomaly."""
    if before == after:
        return Legality.NORMAL
    if after in WIRE_MEANING and before not in WIRE_MEANING:
        before = ""
    return WIRE_LEGALITY.get((before, after), Legality.ANOMALY)
