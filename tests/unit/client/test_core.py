"""The inside of a client against a link without a socket: real rings and decoder, fed by hand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, cast

import pytest

from ibwire.client.core import Core, LinkLike
from ibwire.config import Settings
from ibwire.errors import ConnectError, ConsumerTooSlow, IbwireError, SessionLost, WaitTimeout, WrongThread
from ibwire.io.journal import MemoryJournal
from ibwire.io.wait import Bell
from ibwire.io.writer import SendFailed
from ibwire.ring import impl
from ibwire.spec.orderstates import State
from ibwire.trade.identity import Ids
from ibwire.types import incoming, outgoing
from ibwire.types.constructors import limit
from ibwire.types.structs import Contract
from ibwire.wire.codec import Codec, Role
from ibwire.wire.framing import frame

AAPL = Contract(conId=265598, symbol="AAPL", secType="STK", exchange="SMART", currency="USD")


@dataclass
class Ending:
    error: IbwireError


class FakeLink:
    """A link whose gateway is the test."""

    def __init__(self, *greeting: Any, server_version: int = 225) -> None:
        self.server_version = server_version
        self.market, self.orders, self.control = impl.MarketRing(1024), impl.LogRing(), impl.LogRing()
        self.decoder = impl.StreamDecoder(server_version, self.market, self.orders, self.control)
        self.tables = None
        self.bell = Bell()
        self.ending: Ending | None = None
        self.sent: list[Any] = []
        self.fail: SendFailed | None = None
        self._greeting = greeting
        self._gateway = Codec(server_version, Role.GATEWAY)

    def start(self) -> None:
        self.tell(*self._greeting)

    def tell(self, *messages: Any) -> None:
        self.decoder.receive(b"".join(frame(self._gateway.encode(message)) for message in messages), 10)
        self.bell.ring()

    def end(self, error: IbwireError) -> None:
        self.ending = Ending(error)
        self.bell.ring()

    def turn(self, *_: Any) -> None: ...

    def send(self, payload: bytes, traffic: Any = None) -> None:
        if self.fail is not None:
            raise self.fail
        self.sent.append(self._gateway.decode(payload))

    def close(self) -> None:
        if self.ending is None:
            self.end(SessionLost("closed"))


READY = (incoming.ManagedAccounts("DU0000001"), incoming.NextValidId(7))


def make(link: FakeLink, timeout_s: float = 5.0, **more: Any) -> Core:
    core = Core(Settings.make("paper", timeout_s=timeout_s), cast(LinkLike, link), **more)
    core.start()
    return core


@pytest.fixture
def link() -> FakeLink:
    return FakeLink(*READY)


@pytest.fixture
def core(link: FakeLink) -> Iterator[Core]:
    made = make(link)
    yield made
    made.close()


def test_account_and_ids_are_waited_for() -> None:
    with pytest.raises(ConnectError, match="sent no account and no id"):
        make(FakeLink(READY[0]), timeout_s=0.05)


def test_what_the_gateway_said_is_in_the_error() -> None:
    refusal = incoming.Error(id=-1, errorCode=507, errorMsg="Bad message length")
    with pytest.raises(ConnectError, match="507: Bad message length"):
        make(FakeLink(refusal), timeout_s=0.05)


def test_a_session_that_ends_at_once_is_no_session() -> None:
    class Ends(FakeLink):
        def start(self) -> None:
            self.end(SessionLost("hung up"))

    with pytest.raises(ConnectError, match="ended at once: hung up"):
        make(Ends())


def test_request_ids_keep_clear_of_order_ids(core: Core) -> None:
    assert core.take_request_id() == Ids.ORDER_LIMIT
    assert core.take_order_id() == 7


def test_request_ids_go_below_where_order_ids_are_high() -> None:
    core = make(FakeLink(READY[0], incoming.NextValidId(2_000_000_000)))
    assert core.take_request_id() < 1 << 21
    assert core.take_order_id() == 2_000_000_000
    core.close()


def test_the_rows_hear_of_an_order_before_its_bytes_leave(
    core: Core, link: FakeLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    send, begin, place = link.send, core.table.begin_place, core.table.on_place

    def watch(payload: bytes, traffic: Any = None) -> None:
        seen.append("bytes")
        send(payload)

    def told(*args: Any) -> None:
        seen.append("row")
        begin(*args)

    def written(*args: Any) -> Any:
        seen.append("history")
        return place(*args)

    monkeypatch.setattr(link, "send", watch)
    monkeypatch.setattr(core.table, "begin_place", told)
    monkeypatch.setattr(core.table, "on_place", written)
    handle = core.orders.place(AAPL, limit("BUY", 1, 1.0))
    assert seen == ["row", "bytes", "history"]
    assert [event.state for event in handle.events] == ["sent"]
    assert [type(message) for message in link.sent] == [outgoing.PlaceOrder]
    assert link.sent[0].orderId == 7


def test_with_a_journal_the_history_says_when_it_was_written_down_and_when_it_left(link: FakeLink) -> None:
    times = iter(range(1_000, 10**9, 1_000))
    core = make(link, journal=MemoryJournal(), now_ns=lambda: next(times))
    journaled, sent = core.orders.place(AAPL, limit("BUY", 1, 1.0)).events
    assert (journaled.state, journaled.order_state) == ("journaled", State.JOURNALED)
    assert (sent.state, sent.order_state) == ("sent", State.SENT)
    assert journaled.ns < sent.ns
    assert journaled.ms == 0.0
    core.close()


def test_an_interrupted_send_is_an_uncertain_order(link: FakeLink) -> None:
    core = make(link, journal=MemoryJournal())
    admitted: list[Any] = []
    core.risk.gate.sent = lambda view, order_id=None: admitted.append(order_id)  # type: ignore[method-assign]

    def interrupted(payload: bytes, traffic: Any = None) -> None:
        raise KeyboardInterrupt

    link.send = interrupted  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        core.orders.place(AAPL, limit("BUY", 1, 1.0))
    (handle,) = core.orders.all()
    assert handle.is_uncertain
    assert [event.state for event in handle.events] == ["journaled", "uncertain"]
    assert admitted == [7]  # it goes on counting
    core.close()


@pytest.mark.parametrize("error", [RuntimeError("no more memory"), KeyboardInterrupt()])
def test_an_order_whose_history_cannot_be_written_is_no_failure(link: FakeLink, error: BaseException) -> None:
    core = make(link, journal=MemoryJournal())
    changed, fails = core.risk.order_changed, [error]

    def failing(view: Any) -> None:
        if fails:
            raise fails.pop()
        changed(view)

    core.risk.order_changed = failing  # type: ignore[method-assign]
    if isinstance(error, KeyboardInterrupt):
        with pytest.raises(KeyboardInterrupt):
            core.orders.place(AAPL, limit("BUY", 1, 1.0))
        (handle,) = core.orders.all()
    else:
        handle = core.orders.place(AAPL, limit("BUY", 1, 1.0))
    assert len(link.sent) == 1
    assert handle.is_uncertain
    assert handle.needs_query
    assert any("order 7 was sent, but its history could not be written" in text for _, text in core.intake.notices)
    core.close()


@pytest.mark.parametrize(("wrote_bytes", "state"), [(0, State.CREATED), (3, State.UNCERTAIN)])
def test_a_send_that_failed(core: Core, link: FakeLink, wrote_bytes: int, state: State) -> None:
    link.fail = SendFailed("broke", wrote_bytes=wrote_bytes)
    with pytest.raises(SessionLost):
        core.orders.place(AAPL, limit("BUY", 1, 1.0))
    (order,) = core.orders.all()
    assert order.state is state
    assert order.may_fill is (wrote_bytes > 0)


def test_what_came_before_the_end_is_taken_first(core: Core, link: FakeLink) -> None:
    order = core.orders.place(AAPL, limit("BUY", 1, 1.0))
    status = incoming.OrderStatus(orderId=7, status="Cancelled", filled=Decimal(0), remaining=Decimal(1), clientId=1)
    link.tell(incoming.Error(id=7, errorCode=202, errorMsg="cancelled"), status)
    link.end(SessionLost("hung up"))
    order.wait("done", timeout=5)
    assert order.state is State.CANCELLED


def test_a_consumer_that_is_too_slow_leaves_every_open_order_uncertain(core: Core, link: FakeLink) -> None:
    order = core.orders.place(AAPL, limit("BUY", 1, 1.0))
    link.end(ConsumerTooSlow("more than 256 MiB behind"))
    with pytest.raises(SessionLost, match="256 MiB behind"):
        order.wait("done", timeout=5)
    assert order.is_uncertain and order.may_fill
    with pytest.raises(SessionLost):
        core.orders.place(AAPL, limit("BUY", 1, 1.0))


def test_a_defect_ends_the_session_and_not_in_silence(core: Core, link: FakeLink) -> None:
    def broken(*_: Any) -> None:
        raise ZeroDivisionError("defect")

    order = core.orders.place(AAPL, limit("BUY", 1, 1.0))
    core.intake._on_NextValidId = broken  # type: ignore[assignment,method-assign]
    link.tell(incoming.NextValidId(8))
    with pytest.raises(SessionLost, match="ZeroDivisionError: defect"):
        order.wait("done", timeout=5)
    assert order.is_uncertain


def test_the_clients_own_thread_may_not_wait(core: Core, link: FakeLink) -> None:
    caught: list[BaseException] = []

    def wait(*_: Any) -> None:
        try:
            core.wait_until(lambda: False, 1.0)
        except WrongThread as error:
            caught.append(error)

    core.intake._on_NextValidId = wait  # type: ignore[assignment,method-assign]
    link.tell(incoming.NextValidId(8))
    assert core.news.wait_until(lambda: bool(caught), 5000)


def test_requests_without_ids_wait_for_each_other(link: FakeLink) -> None:
    core = make(link, timeout_s=0.05)
    with core.one_at_a_time("positions"):
        with pytest.raises(WaitTimeout, match="positions"):
            with core.one_at_a_time("positions"):
                pass
        with core.one_at_a_time("something else"):
            pass
    with core.one_at_a_time("positions"):
        pass
    core.close()


def test_an_unanswered_request_is_a_time_out_that_says_how_far_it_came(core: Core, link: FakeLink) -> None:
    reqId = core.take_request_id()
    link.send = lambda payload, traffic=None: link.tell(incoming.AccountSummary(reqId, "DU0000001", "A", "1", ""))  # type: ignore[method-assign]
    request = outgoing.ReqAccountSummary(reqId, "All", "A")
    with pytest.raises(WaitTimeout, match=r"reqAccountSummary within 0.1 s \(1 came\)"):
        core.ask(request, incoming.AccountSummary, incoming.AccountSummaryEnd, reqId, 0.1)


def test_closing_twice_is_harmless(core: Core) -> None:
    core.close()
    core.close()
    with pytest.raises(SessionLost):
        core.send(outgoing.ReqIds(1))
