"""The kill switch of a program written for the official package."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from ibwire.compat._guard import Guarded
from ibwire.errors import RiskRejected
from ibwire.io.killswitch import Kill, write_kill
from ibwire.io.statedir import default_state_dir
from ibwire.types import outgoing
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
