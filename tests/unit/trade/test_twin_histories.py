"""Random histories, message by message as the compiled decoder hands them over, through both order machines at once."""

from __future__ import annotations

from typing import Any

import pytest

from ibwire.client.told import TwinTable, twin
from ibwire.io.dispatch import Dispatcher
from ibwire.ring import impl
from ibwire.wire.framing import frame
from tools.histories import Entry, History
from tools.history_truth import CLIENT

CHUNK = 25


class TwinHistory(History):
    """The payload goes through a decoder and its rings; after each entry both tables must say the same."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.table: TwinTable = twin(CLIENT)(CLIENT)
        self.intake = self.new_intake()
        market, orders, control = impl.MarketRing(1024), impl.LogRing(), impl.LogRing()
        self.decoder = impl.StreamDecoder(self.version, market, orders, control)
        self.rings = Dispatcher(self.decoder, orders.cursor(), control.cursor(), None, self.on_entry)

    def take(self, entry: Entry) -> None:
        self.decoder.receive(frame(entry.payload), self.now)
        self.rings.dispatch()

    def on_entry(self, entry: Any) -> None:
        self.table.take(entry)
        self.intake.take(entry)
        self.table.check()


@pytest.mark.parametrize("first", range(2_000_001, 2_000_051, CHUNK))
def test_both_machines_live_the_same_life(first: int) -> None:
    for seed in range(first, first + CHUNK):
        TwinHistory(seed).run()
