"""The kill switch of a program written for the official package."""

from __future__ import annotations

import threading
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from ibwire.compat._guard import Guarded
from ibwire.compat.client import EClient
from ibwire.compat.contract import Contract
from ibwire.compat.order import Order
from ibwire.compat.wrapper import EWrapper
from ibwire.errors import RiskRejected
from ibwire.io.killswitch import Kill, write_kill
from ibwire.io.statedir import default_state_dir
from ibwire.sim.server import serve
from ibwire.types import incoming, outgoing
from ibwire.wire.codec import Codec, Role


class Link:
    def __init__(self, version: int) -> None:
        self.server_version, self.sent = version, list[bytes]()

    def send(self, payload: bytes) -> None:
        self.sent.append(payload)


@pytest.mark.parametrize("version", [176, 201, 225])
def test_shut_only_what_adds_risk_stays(version: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    link = Link(version)
    guarded = Guarded(cast(Any, link), "127.0.0.1", 4002, 3)
    encode = Codec(version, Role.CLIENT).encode
    order = outgoing.PlaceOrder(1)
    order.order.action, order.order.orderType, order.order.totalQuantity = "BUY", "MKT", cast(Any, 1)
    guarded.send(encode(order))
    write_kill(default_state_dir("127.0.0.1", 4002, 3), Kill("drill", "ops"))
    for message in (outgoing.CancelOrder(1), outgoing.ReqGlobalCancel(), outgoing.ReqOpenOrders()):
        guarded.send(encode(message))
    for payload in (encode(order), encode(outgoing.ExerciseOptions(1)), b"9999\0x", b""):
        with pytest.raises(RiskRejected, match="drill"):
            guarded.send(payload)
    assert len(link.sent) == 4


class Program(EWrapper, EClient):
    """Places two orders; its run() ends when both are cancelled."""

    def __init__(self, on_live: Any) -> None:
        EClient.__init__(self, self)
        self.states: dict[int, str] = {}
        self.on_live = on_live

    def nextValidId(self, orderId: int) -> None:
        contract, order = Contract(), Order()
        contract.symbol, contract.secType, contract.exchange, contract.currency = "AAPL", "STK", "SMART", "USD"
        order.action, order.orderType, order.totalQuantity, order.lmtPrice = "BUY", "LMT", Decimal(1), 1.0
        for number in (orderId, orderId + 1):
            self.placeOrder(number, contract, order)

    def orderStatus(self, orderId: int, status: str, *rest: Any) -> None:
        self.states[orderId] = status
        if len(self.states) == 2 and self.on_live is not None:
            on_live, self.on_live = self.on_live, None
            on_live()
        if list(self.states.values()) == ["Cancelled", "Cancelled"]:
            self.disconnect()


@pytest.mark.parametrize("version", [140, 176, 201, 225])
@pytest.mark.parametrize("scope", ["mine", "everything"])
def test_a_kill_cancels_what_a_program_placed(
    version: int, scope: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with serve(server_version=version) as server:
        place = default_state_dir("127.0.0.1", server.port, 4)
        program = Program(lambda: write_kill(place, Kill("drill", "ops", scope)))
        program.connect("127.0.0.1", server.port, 4)
        ended = threading.Timer(20, program.disconnect)
        ended.start()
        program.run()
        ended.cancel()
        assert list(program.states.values()) == ["Cancelled", "Cancelled"]


@pytest.mark.parametrize(("accounts", "lines"), [("DU0000001", 0), ("U0000001", 1), ("DU0000001,U0000001", 1)])
def test_a_live_account_is_told_once(
    accounts: str, lines: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    named = Codec(225, Role.GATEWAY).encode(incoming.ManagedAccounts(accounts))
    cursor = SimpleNamespace(poll=lambda: [SimpleNamespace(kind=15, payload=named)], close=lambda: None)
    link = Link(225)
    link.link = SimpleNamespace(control=SimpleNamespace(cursor=lambda from_start: cursor))  # type: ignore[attr-defined]
    link.receive_many = lambda timeout_ms, most: []  # type: ignore[attr-defined]
    guarded = Guarded(cast(Any, link), "127.0.0.1", 4002, 3)
    for _ in range(3):
        guarded._look_ns = 0
        guarded.receive_many(0, 1)
    assert [record.getMessage() for record in caplog.records] == ["U0000001: a live account, orders are real"] * lines
