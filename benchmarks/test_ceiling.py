"""The ceiling is honest: every field of every message lands in its record, equal to what the walk meant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks import ceiling, mixes
from benchmarks.ceiling import Ceiling, Record

Row = dict[str, Any]


def _digits(text: str) -> int:
    return len(text.partition(".")[2])


class Rows:
    """A sink of ``mixes.walk`` that returns the record each message should become."""

    def __init__(self, dialect: str) -> None:
        self.price_digits = 2 if dialect == "t176" else 0  # protobuf prices are doubles

    def _price(self, cents: int) -> Row:
        return {"price": cents / 100, "price_digits": self.price_digits}

    @staticmethod
    def _size(size: str) -> Row:
        return {"size": float(size), "size_digits": _digits(size)}

    def tick_price(self, req_id: int, tick_type: int, cents: int, size: str, mask: int) -> Row:
        head = {"msg_id": 1, "req_id": req_id, "type": tick_type, "mask": mask}
        return {**head, **self._price(cents), **self._size(size)}

    def tick_size(self, req_id: int, tick_type: int, size: str) -> Row:
        return {"msg_id": 2, "req_id": req_id, "type": tick_type, **self._size(size)}

    def tick_string(self, req_id: int, tick_type: int, value: str) -> Row:
        return {"msg_id": 46, "req_id": req_id, "type": tick_type, "text": value}

    def tick_generic(self, req_id: int, tick_type: int, value: str) -> Row:
        digits = _digits(value) if self.price_digits else 0
        return {"msg_id": 45, "req_id": req_id, "type": tick_type, "price": float(value), "price_digits": digits}

    def all_last(
        self, req_id: int, time_s: int, cents: int, size: str, mask: int, exchange: str, conditions: str
    ) -> Row:
        texts = {"text": exchange, "text2": conditions}
        head = {"msg_id": 99, "req_id": req_id, "type": mixes.ALL_LAST, "time": time_s, "mask": mask}
        return {**head, **self._price(cents), **self._size(size), **texts}

    def bid_ask(self, req_id: int, time_s: int, bid: int, ask: int, bid_size: str, ask_size: str, mask: int) -> Row:
        head = {"msg_id": 99, "req_id": req_id, "type": mixes.BID_ASK, "time": time_s, "mask": mask}
        second = {"price2": ask / 100, "size2": float(ask_size), "size2_digits": _digits(ask_size)}
        return {**head, **self._price(bid), **self._size(bid_size), **second}

    def depth(self, req_id: int, position: int, maker: str, operation: int, side: int, cents: int, size: str) -> Row:
        head = {"msg_id": 13, "req_id": req_id, "type": position, "operation": operation, "side": side, "smart": 1}
        return {**head, **self._price(cents), **self._size(size), "text": maker}

    def open_order(self, _order: mixes.Order) -> Row:
        raise AssertionError("M5 has no ceiling")

    order_status = execution = commission = open_order


def _read(record: Record, data: bytes, name: str) -> Any:
    if name in ("price2", "size2"):
        return getattr(record.either.second, name)
    if name in ("text", "text2"):
        at = getattr(record.either.texts, f"{name}_at")
        return data[at : at + getattr(record.either.texts, f"{name}_bytes")].decode()
    return getattr(record, name)


@pytest.mark.parametrize("byte_loops", [False, True])
@pytest.mark.parametrize("dialect", mixes.DIALECTS)
@pytest.mark.parametrize("name", ceiling.MIXES)
def test_records_say_what_the_messages_say(tmp_path: Path, name: str, dialect: str, byte_loops: bool) -> None:
    count = 10_000
    subject = Ceiling(tmp_path, byte_loops=byte_loops)
    data = mixes.mix(name, dialect, count, seed=9)
    assert subject.decoder(dialect, data)() == count
    for record, row in zip(subject.records(count), mixes.walk(name, Rows(dialect), count, seed=9), strict=True):
        assert {key: _read(record, data, key) for key in row} == row
