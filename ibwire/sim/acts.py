"""What the actions of a scenario do. `vocabulary.ACTIONS` says what they are called and take."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

from ibwire.errors import ScenarioError
from ibwire.sim import on_history, on_market, on_streams, refusals
from ibwire.sim.client import ClientSession
from ibwire.sim.clock import NS_PER_S
from ibwire.sim.facts import MISSING, deep_set, order_id_of
from ibwire.sim.faults import CLOSE, RESET, Line, LineAct
from ibwire.sim.instruments import ContractQuery
from ibwire.sim.orders import INACTIVE, OrderRequest
from ibwire.sim.scenario import Step
from ibwire.types import incoming, outgoing, structs

if TYPE_CHECKING:
    from ibwire.sim.director import Occasion

_NS_PER_MS = 1_000_000
LOST, RESTORED_LOST, RESTORED_KEPT = 1100, 1101, 1102
_OUTAGE_TEXTS = {
    LOST: "Connectivity between IB and the gateway has been lost",
    RESTORED_LOST: "Connectivity between IB and the gateway has been restored, data lost",
    RESTORED_KEPT: "Connectivity between IB and the gateway has been restored, data maintained",
}
# kind -> (broken, OK, dormant, default name)
_FARMS = {
    "market": (2103, 2104, 2108, "sim.quotes"),
    "historical": (2105, 2106, 2107, "sim.history"),
    "definition": (2157, 2158, 2108, "sim.contracts"),
}
_NEVER_NS = 1 << 62


def order_of(message: Any) -> int | None:
    """The id of the order that a message is about, None when it is about none."""
    found = order_id_of(message)
    return None if found is MISSING else int(found)


def request_of(message: Any) -> int:
    """The id that an answer to a request carries."""
    return refusals.request_id(message)


def perform(occasion: Occasion, step: Step) -> None:
    """Do one action now."""
    value = {} if step.value is True else step.value
    if step.name in _ON_ORDER:
        clientId, orderId = _order(occasion, step)
        try:
            _ON_ORDER[step.name](occasion, clientId, orderId, value)
        except (KeyError, ValueError) as error:
            # The order may never have come to be: a scenario that meets another client must not end the gateway.
            occasion.director.notes.append(f"{step.name}: {error}")
    elif step.name in ON_THE_LINE:
        _on_lines(occasion, step, ON_THE_LINE[step.name], value)
    else:
        _ON_WORLD[step.name](occasion, step, value)


def _order(occasion: Occasion, step: Step) -> tuple[int, int]:
    client = step.client if step.client is not None else occasion.session.clientId if occasion.session else None
    orderId = step.order_id if step.order_id is not None else occasion.orderId
    return (-1 if client is None else client), (-1 if orderId is None else orderId)


def _clients(occasion: Occasion, step: Step) -> list[ClientSession]:
    """The client named, else the one at hand, else all."""
    if step.client is None and occasion.session is not None:
        return [occasion.session]
    return list(occasion.director.sessions(step.client))


# ---------------------------------------------------------------------------------------------- orders


def _decimal(value: Any) -> Decimal | None:
    return None if value is None else Decimal(str(value))


def _last_execution(occasion: Occasion, clientId: int, orderId: int) -> str:
    fills = [one for one in occasion.gateway.engine.executions(clientId) if one.order.orderId == orderId]
    if not fills:
        raise KeyError(f"order {orderId} of client {clientId} has no execution")
    return fills[-1].execId


def _fill(occasion: Occasion, clientId: int, orderId: int, value: Any) -> None:
    occasion.gateway.force.fill(clientId, orderId, _decimal(value.get("size")), _decimal(value.get("price")))


def _reject(occasion: Occasion, clientId: int, orderId: int, value: Any) -> None:
    text, status = value.get("text", "Order rejected by the scenario"), value.get("status", INACTIVE)
    occasion.gateway.force.reject(clientId, orderId, value.get("code", 201), text, status)


def _cancel(occasion: Occasion, clientId: int, orderId: int, value: Any) -> None:
    text = value.get("text", "Cancelled by the exchange")
    occasion.gateway.force.cancel(clientId, orderId, text, value.get("code", 202))


def _hold(occasion: Occasion, clientId: int, orderId: int, value: Any) -> None:
    warning = (value["code"], value.get("text", "The order is held")) if "code" in value else None
    status = value.get("status", "PreSubmitted")
    occasion.gateway.force.hold(clientId, orderId, value.get("why", ""), status, warning)


def _warn(occasion: Occasion, clientId: int, orderId: int, value: Any) -> None:
    occasion.gateway.force.warn(clientId, orderId, value.get("code", 399), value.get("text", "Order message"))


def _status(occasion: Occasion, clientId: int, orderId: int, value: Any) -> None:
    fields = {name: _decimal(value[name]) for name in ("filled", "remaining") if name in value}
    if "permId" in value:
        fields["permId"] = value["permId"]
    occasion.gateway.force.status(clientId, orderId, value.get("status"), **fields)


def _correct(occasion: Occasion, clientId: int, orderId: int, value: Any) -> None:
    execId = _last_execution(occasion, clientId, orderId)
    occasion.gateway.force.correct(execId, _decimal(value.get("size")), _decimal(value.get("price")))


def _bust(occasion: Occasion, clientId: int, orderId: int, value: Any) -> None:
    occasion.gateway.force.bust(_last_execution(occasion, clientId, orderId))


_ON_ORDER: dict[str, Callable[[Any, int, int, Any], None]] = {
    "fill": _fill,
    "reject": _reject,
    "cancel": _cancel,
    "hold": _hold,
    "release": lambda occasion, clientId, orderId, value: occasion.gateway.force.release(clientId, orderId),
    "warn": _warn,
    "status": _status,
    "perm_id": lambda occasion, clientId, orderId, value: occasion.gateway.force.perm_id(clientId, orderId, value),
    "correct": _correct,
    "bust": _bust,
    "forget": lambda occasion, clientId, orderId, value: occasion.gateway.force.forget(clientId, orderId),
}


# ---------------------------------------------------------------------------------------------- bytes


def _on_lines(occasion: Occasion, step: Step, act: Callable[[Line, Any], None], value: Any) -> None:
    if occasion.line is not None:
        act(occasion.line, value)
        return
    for session in _clients(occasion, step):
        session.put(LineAct(lambda line: act(line, value)))


def _split(line: Line, value: Any) -> None:
    line.split_bytes, line.split_gap_ns = value.get("bytes", 1), round(value.get("gap_ms", 1) * _NS_PER_MS)


def _set_reading(line: Line, value: Any, reading: bool) -> None:
    line.reading = reading


def _close(line: Line, value: Any) -> None:
    line.end(value or CLOSE)


def _silence(line: Line, value: Any) -> None:
    line.silence()


def _coalesce(line: Line, value: Any) -> None:
    line.coalesce_ns = round(value * _NS_PER_MS)


def _latency(line: Line, value: Any) -> None:
    line.latency_ns = round(value * _NS_PER_MS)


ON_THE_LINE: dict[str, Callable[[Line, Any], None]] = {
    "close": _close,
    "cut": lambda line, value: line.cut_next(value.get("bytes", 6), value.get("how", CLOSE)),
    "silence": _silence,
    "stop_reading": partial(_set_reading, reading=False),
    "read_again": partial(_set_reading, reading=True),
    "split": _split,
    "coalesce_ms": _coalesce,
    "latency_ms": _latency,
    "corrupt": lambda line, value: line.corrupt_next(value.get("count", 1), value.get("at")),
    "raw": lambda line, value: line.put(bytes.fromhex(value)),
}


# ---------------------------------------------------------------------------------------------- clients, world


def _error(occasion: Occasion, step: Step, value: Any) -> None:
    about = -1
    if step.order_id is not None:
        about = step.order_id
    elif isinstance(occasion.message, incoming.Error):
        about = occasion.message.id
    elif occasion.message is not None:
        about = occasion.orderId if occasion.orderId is not None else request_of(occasion.message)
    for session in _clients(occasion, step):
        _tell(session, value.get("id", about), value.get("code", 2100), value.get("text", "Message of the scenario"))


def _tell(session: ClientSession, reqId: int, code: int, text: str) -> None:
    session.put(incoming.Error(reqId, session.gateway.clock.now_ns // _NS_PER_MS, code, text))


def _send(occasion: Occasion, step: Step, value: Any) -> None:
    kind = {one.NAME: one for one in incoming.CLASSES.values()}[value["message"]]
    message = kind()
    for name, new in value.get("fields", {}).items():
        deep_set(message, name, new)
    for session in _clients(occasion, step):
        session.put(message)


def _end_data(occasion: Occasion, step: Step, value: Any) -> None:
    code = value.get("code", 10197)
    text = value.get("text", "No market data while the same user is logged in elsewhere")
    for session in _clients(occasion, step):
        for kind, reqId in session.feeds():
            if kind in _DATA_FEEDS:
                session.drop_feed(kind, reqId)
                _tell(session, reqId, code, text)


_DATA_FEEDS = frozenset(
    {on_market.LINE, on_history.HISTORY, on_streams.TICK_BY_TICK, on_streams.DEPTH, on_streams.REAL_TIME}
)


def _next_id(occasion: Occasion, step: Step, value: Any) -> None:
    clientId = step.client if step.client is not None else occasion.session.clientId if occasion.session else None
    if clientId is not None:
        occasion.gateway.force.next_id(clientId, value)


def _manual(occasion: Occasion, step: Step, value: Any) -> None:
    gateway = occasion.gateway
    query = ContractQuery(symbol=value.get("symbol", "AAPL"), secType="STK", currency="USD")
    instrument = gateway.universe.resolve(query)
    limit = _decimal(value.get("limit"))
    orderType = value.get("type", "MKT" if limit is None else "LMT")
    quantity = Decimal(str(value.get("quantity", 100)))
    contract = structs.Contract(symbol=query.symbol, secType="STK", exchange="SMART", currency="USD")
    order = structs.Order(action=value.get("action", "BUY"), orderType=orderType, totalQuantity=quantity)
    order.lmtPrice = None if limit is None else float(limit)
    tag = outgoing.PlaceOrder(0, contract, order)
    request = OrderRequest(0, 0, instrument, order.action, orderType, quantity, limit, tif="DAY", tag=tag)
    try:
        gateway.engine.place_manually(request)
    except ValueError as error:
        occasion.director.notes.append(f"manual: {error}")


def _notice(occasion: Occasion, step: Step, value: Any) -> None:
    code, text = value.get("code", LOST), value.get("text", "")
    _repeat(occasion, code, text or _OUTAGE_TEXTS.get(code, "Notice"), value.get("every_ms"), value.get("count", 1))


def _repeat(occasion: Occasion, code: int, text: str, every_ms: float | None, count: int) -> Callable[[], None]:
    """Tell every client now, and again every so often; return how to stop."""
    clock, running = occasion.gateway.clock, [True]
    left = [count]

    def run() -> None:
        if not running[0]:
            return
        for session in occasion.director.sessions():
            _tell(session, -1, code, text)
        left[0] -= 1
        if every_ms and left[0] != 0:
            clock.after(round(every_ms * _NS_PER_MS), run)

    run()
    return lambda: running.__setitem__(0, False)


def _outage(occasion: Occasion, step: Step, value: Any) -> None:
    director, clock = occasion.director, occasion.gateway.clock
    back = value.get("back", RESTORED_KEPT)
    if back not in (RESTORED_LOST, RESTORED_KEPT):
        raise ScenarioError(f"outage ends with {RESTORED_LOST} or {RESTORED_KEPT}, not {back}")
    director.lose_broker()
    stop = _repeat(occasion, LOST, _OUTAGE_TEXTS[LOST], value.get("every_ms"), 0)

    def end() -> None:
        stop()
        if back == RESTORED_LOST:
            for session in director.sessions():
                for kind, reqId in session.feeds():
                    if kind in _DATA_FEEDS:
                        session.drop_feed(kind, reqId)
        director.find_broker()
        for session in director.sessions():
            _tell(session, -1, back, _OUTAGE_TEXTS[back])

    if value.get("for_s", 0):
        clock.after(round(value["for_s"] * NS_PER_S), end)


def _farm(occasion: Occasion, step: Step, value: Any) -> None:
    director, clock = occasion.director, occasion.gateway.clock
    kind, down_ns = value.get("kind", "market"), round(value.get("down_s", 0) * NS_PER_S)
    broken, good, dormant, name = _FARMS[kind]
    name = value.get("name", name)
    asleep = value.get("dormant", False)
    code = dormant if asleep else broken
    text = "is inactive but should be available on demand" if asleep else "connection is broken"
    for session in director.sessions():
        _tell(session, -1, code, f"{kind.capitalize()} farm {text}: {name}")
    if kind == "market" and not asleep:
        forever = value.get("dead", False) or not down_ns
        director.pause_data(_NEVER_NS if forever else clock.now_ns + down_ns)

    def end() -> None:
        for session in director.sessions():
            _tell(session, -1, good, f"{kind.capitalize()} farm connected: {name}")

    if down_ns:
        clock.after(down_ns, end)


def _restart(occasion: Occasion, step: Step, value: Any) -> None:
    gateway = occasion.gateway
    hold_s = value.get("hold_s")
    how = value.get("how", CLOSE)
    clients = [session.clientId for session in occasion.director.sessions() if session.clientId is not None]
    if how == RESET:
        for session in list(gateway.sessions):
            session.put(LineAct(lambda line: line.end(RESET)))
    hold_ns = None if hold_s is None else round(hold_s * NS_PER_S)
    gateway.restart(round(value.get("down_s", 0) * NS_PER_S), hold_ns)
    if "next_id" in value:
        for clientId in clients:
            gateway.force.next_id(clientId, value["next_id"])


_ON_WORLD: dict[str, Callable[[Any, Step, Any], None]] = {
    "error": _error,
    "send": _send,
    "end_data": _end_data,
    "next_id": _next_id,
    "manual": _manual,
    "notice": _notice,
    "outage": _outage,
    "farm": _farm,
    "restart": _restart,
}

