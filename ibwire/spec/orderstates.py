"""The order state machine as data: states, triggers, one table, and plain sentences for people.

Two things are kept apart. The *wire status* is the text the gateway sends; it is kept as it came. The *state* is our
own conclusion from everything that happened, and :data:`RISK` is what it means for exposure. Both trackers, the plain
one (``ibwire.trade.orders``) and the compiled one, look the next state up in :data:`TRANSITIONS`; a change of opinion
is a change of a cell here. Facts: reference SEMANTICS, sections 3 and 5.

Principles behind the cells: nothing that could be live is ever called ended because of silence or of an error that
may mean something else; only an execution, a final status, 202, or a refusal of an order never seen live ends one;
what contradicts an earlier end goes to ``uncertain``, not back to ``working``.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final, NamedTuple

__all__ = [
    "ENDED",
    "FINAL_STATUSES",
    "LIVE_STATUSES",
    "RESUME",
    "RISK",
    "STATE_MEANING",
    "STATUS_TRIGGER",
    "TRANSITIONS",
    "WIRE_LEGALITY",
    "WIRE_MEANING",
    "WIRE_STATUSES",
    "Cell",
    "Legality",
    "Risk",
    "State",
    "Trigger",
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
    """What can happen to an order. Wire statuses, executions, answers by error code, local events."""

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
    CANCELLED_DOUBTFUL = 10  # Cancelled while a modify is pending or was just refused, and nobody asked to cancel
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


class Cell(NamedTuple):
    """One cell: where to go, and whether getting here at all is worth a remark."""

    target: int  # a State, or RESUME
    legality: Legality


# Pseudo target: partially_filled when something is filled; else working when ever seen live; else acknowledged when
# the gateway ever answered; else sent. A WORKING target of an order with fills is PARTIALLY_FILLED likewise.
RESUME: Final = -1

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
LIVE_STATUSES: Final = frozenset({"PreSubmitted", "Submitted", "PendingCancel"})
FINAL_STATUSES: Final = frozenset({"ApiCancelled", "Cancelled", "Filled"})

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
.                    CRE   UNT  SEN  ACK  WRK  PAR  CXL  MOD  FIL  CAN   REJ   EXP   INA  UNC
API_PENDING          SEN!  .    .    .    .    .    .    .    .!   .!    .!    .!    .    SEN
PENDING_SUBMIT       ACK!  ACK  ACK  .    .    .    .    .    .!   .!    .!    .!    RES  RES
PRE_SUBMITTED        WRK!  WRK  WRK  WRK  .    .    .    .    .!   UNC!  UNC!  UNC!  WRK  WRK
SUBMITTED            WRK!  WRK  WRK  WRK  .    .    .    .    .!   UNC!  UNC!  UNC!  WRK  WRK
PENDING_CANCEL       CXL!  CXL  CXL  CXL  CXL  CXL  .    CXL  .!   .!    .!    .!    CXL  CXL
API_CANCELLED        CAN!  CAN  CAN  CAN  CAN  CAN  CAN  CAN  .!   .     .     .     CAN  CAN
STATUS_CANCELLED     CAN!  CAN  CAN  CAN  CAN  CAN  CAN  CAN  .!   .     .     .     CAN  CAN
STATUS_FILLED        FIL!  FIL  FIL  FIL  FIL  FIL  FIL  FIL  .    FIL   FIL!  FIL!  FIL  FIL
STATUS_INACTIVE      INA!  .    INA  INA  INA  INA  INA  INA  .!   .!    .     .!    .    INA
OTHER_STATUS         .!    .!   .!   .!   .!   .!   .!   .!   .!   .!    .!    .!    .!   .!
CANCELLED_DOUBTFUL   CAN!  CAN  UNC! UNC! UNC! UNC! CAN  UNC! .!   .     .     .     UNC! .
CANCELLED_REFUSED    REJ!  REJ  REJ  REJ  REJ  REJ  REJ  REJ  .!   REJ   .     .     REJ  REJ
EXECUTION            PAR!  PAR  PAR  PAR  PAR  .    .    .    .    .     UNC!  .     .    .
EXECUTION_FULL       FIL!  FIL  FIL  FIL  FIL  FIL  FIL  FIL  .    FIL   FIL!  FIL   FIL  FIL
EXECUTION_REDUCED    .     .    .    .    .    RES  .    .    UNC! .!    .!    .!    .    .
WARNING              .     .    .    .    .    .    .    .    .    .     .     .     .    .
REFUSED              REJ   REJ  REJ  REJ  .!   .!   REJ  UNC  .!   REJ   .     .     REJ  REJ
REFUSED_LIVE         .     .    .    .    .    .    .    .    .    REJ   .     .     .    .
MODIFY_REFUSED       .     .    .    .    .    .    .    RES  .    .     .     .     .    .
CANCEL_CONFIRMED     .!    CAN  CAN  CAN  CAN  CAN  CAN  CAN  .!   .     .     .     CAN  CAN
EXPIRED              .!    EXP  EXP  EXP  EXP  EXP  CAN  EXP  .!   EXP   .     .     EXP  EXP
CANCEL_REFUSED       .     .    .    .    .    .    RES  .    .    .     .     .     .    .
NOT_FOUND            .     UNC  UNC  UNC  UNC  UNC  UNC  UNC  .    .     .     .     UNC  .
UNDECIDED            .     UNC  UNC  .    .    .    UNC  UNC  .    .     .     .     .    .
PLACE                SEN   SEN  .    .    MOD  MOD  .    .    .!   SEN!  SEN   SEN!  MOD  .
PLACE_UNTRANSMITTED  UNT   .    .!   .!   .!   .!   .!   .!   .!   UNT!  UNT   UNT!  .!   .
MODIFY_ACCEPTED      .     .    .    .    .    .    .    RES  .    .     .     .     .    .
CANCEL_REQUEST       .!    CXL  CXL  CXL  CXL  CXL  .    CXL  .    .     .     .     CXL  .
SEND_FAILED          .     CRE  CRE  .    .    .    RES  RES  .    .     .     .     .    .
LINK_LOST            .     UNC  UNC  UNC  UNC  UNC  UNC  UNC  .    .     .     .     UNC  .
DEADLINE             .     .    UNC  UNC  .    .    UNC  UNC  .    .     .     .     .    .
UNDECODABLE          .     UNC  UNC  UNC  UNC  UNC  UNC  UNC  .    .     .     .     UNC  .
STALE_STATUS         .!    .!   .!   .!   .!   .!   .!   .!   .!   .!    .!    .!    .!   .!
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


def _parse_wire(grid: str) -> dict[tuple[str, str], Legality]:
    marks = dict(zip("NSRX", Legality, strict=True))
    head, *rows = (line.split() for line in grid.strip().splitlines())
    return {
        ("" if name == "-" else name, to): marks[mark]
        for name, *texts in rows
        for to, mark in zip(head[1:], texts, strict=True)
    }


TRANSITIONS: Final[dict[tuple[State, Trigger], Cell]] = _parse_states(_STATE_GRID)
WIRE_LEGALITY: Final[dict[tuple[str, str], Legality]] = _parse_wire(_WIRE_GRID)


def wire_legality(before: str, after: str) -> Legality:
    """Judge a step between two wire statuses ("" = none yet). A repeat is normal, an unknown text an anomaly."""
    if before == after:
        return Legality.NORMAL
    if after in WIRE_MEANING and before not in WIRE_MEANING:
        before = ""
    return WIRE_LEGALITY.get((before, after), Legality.ANOMALY)
