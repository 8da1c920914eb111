"""The traffic means what it says: the official decoder makes exactly the callbacks that each walk intends."""

from __future__ import annotations

from collections import Counter

import pytest

from benchmarks import expected, mixes
from benchmarks.peer import Peer


@pytest.mark.parametrize("dialect", mixes.DIALECTS)
@pytest.mark.parametrize("name", mixes.MIXES)
def test_official_decoder_makes_the_intended_callbacks(peer: Peer, name: str, dialect: str) -> None:
    answer = peer.calls(name, dialect, 2000, seed=5)
    intended = expected.calls(name, 2000, seed=5)
    assert len(answer["calls"]) == len(intended)
    for want, got in zip(intended, answer["calls"], strict=True):
        assert expected.agrees(want, got), f"{want} != {got}"
    assert answer["unread"] == 0


@pytest.mark.parametrize("dialect", mixes.DIALECTS)
@pytest.mark.parametrize("name", mixes.MIXES)
def test_same_seed_same_bytes(name: str, dialect: str) -> None:
    data = mixes.mix(name, dialect, 500, seed=3)
    assert data == mixes.mix(name, dialect, 500, seed=3)
    assert data != mixes.mix(name, dialect, 500, seed=4)
    assert len(list(mixes.payloads(data))) == 500


def test_m2_shares() -> None:
    ids = Counter(payload.split(b"\0", 1)[0] for payload in mixes.payloads(mixes.mix("M2", "t176", 20_000)))
    for wire_id, share in ((b"1", 0.45), (b"2", 0.40), (b"46", 0.10), (b"45", 0.05)):
        assert ids[wire_id] / 20_000 == pytest.approx(share, abs=0.02)


def test_m4_forms_valid_books() -> None:
    books: dict[tuple[int, int], list[float]] = {}
    for _name, req_id, position, _maker, operation, side, price, size, _smart in expected.calls("M4", 20_000, seed=1):
        rows = books.setdefault((req_id, side), [])
        if operation == mixes.INSERT:
            assert position <= len(rows)
            rows.insert(position, price)
        elif operation == mixes.UPDATE:
            rows[position] = price
        else:
            del rows[position]
        assert rows == sorted(rows, reverse=side == mixes.BID_SIDE)
        bids, asks = books.get((req_id, mixes.BID_SIDE)), books.get((req_id, mixes.ASK_SIDE))
        assert not (bids and asks) or bids[0] < asks[0]
        assert float(size) > 0 or operation == mixes.DELETE
    assert len(books) == 200
