"""(d) Every complete captured message decodes at its stated server versions to the official callbacks' values."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from ibwire.errors import ProtocolError
from ibwire.spec.registry import INCOMING
from ibwire.types import incoming
from ibwire.wire.codec import Codec, Role
from ibwire.wire.plan import Profile

from .captures import Capture, load, true_versions
from .normal import JSON, compare
from .oracle import Oracle
from .releases import fit, gone
from .subject import official_make
from .tally import Tally
from .test_incoming import our_calls

STATED_BY = "10.37.2"


@pytest.fixture(scope="module")
def captures() -> list[Capture]:
    return load()


@pytest.fixture(scope="module")
def stated(captures: list[Capture]) -> list[Capture]:
    """Complete inbound messages with the server versions at which they read whole."""
    return [c for c in captures if c.inbound and c.complete and c.versions is not None]


def _versions(capture: Capture) -> list[int]:
    low, high = true_versions(capture)
    found = {low, high, (low + high) // 2, low + (high - low) // 3, high - (high - low) // 5}
    if capture.server_version is not None and low <= capture.server_version <= high:
        found.add(capture.server_version)
    return sorted(found)


def _plain(value: JSON) -> Any:
    """The oracle's notation as the recordings write it: attributes without type names, decimals as text."""
    if isinstance(value, list):
        return [_plain(v) for v in value]
    if not isinstance(value, dict):
        return value
    if "d" in value:
        return "D:" + value["d"]
    if "f" in value:
        return float(value["f"])
    return {k: _plain(v) for k, v in value["v"].items() if not (isinstance(v, dict) and "e" in v)}


def _without_enums(value: Any) -> Any:
    """The recordings hold enumeration members as the text of the member, in several spellings: not compared here."""
    if isinstance(value, list):
        return [_without_enums(v) for v in value]
    if isinstance(value, dict):
        enums = ("fundAssetType", "fundDistributionPolicyIndicator", "optExerciseOrLapseType")
        return {k: _without_enums(v) for k, v in value.items() if k not in enums}
    return value


def test_every_complete_message_is_covered(captures: list[Capture], stated: list[Capture]) -> None:
    """What has no stated versions is a handshake, a request, or the one frame with a wrong length."""
    rest = [c for c in captures if c.complete and c not in stated]
    assert len(stated) >= 84
    for c in rest:
        assert not c.inbound or c.is_handshake or c.fields[0] == "21", c.where


def test_official_values_are_as_stated(stated: list[Capture], oracle_for: Any) -> None:
    """The recordings' statement of what the official client makes of a message is still so."""
    oracle = oracle_for(STATED_BY)
    answers = oracle.decode([(c.versions[1], c.payload) for c in stated if c.versions is not None])
    for c, theirs in zip(stated, answers, strict=True):
        assert theirs.exception is None, c.where
        assert c.args, c.where
        calls = _without_enums(_plain(theirs.calls))
        assert calls[: len(c.args)] == _without_enums(c.args), c.where  # of many callbacks the first are written down


@pytest.mark.parametrize("release", [STATED_BY, "10.46.1"])
def test_values(release: str, stated: list[Capture], oracle_for: Any, latest: Oracle, tally: Tally) -> None:
    oracle = oracle_for(release)
    cases = [(c, sv) for c in stated for sv in _versions(c)]
    answers = oracle.decode([(sv, c.payload) for c, sv in cases])
    older = gone(oracle, latest)
    for (c, sv), theirs in zip(cases, answers, strict=True):
        codec = Codec(sv, Role.CLIENT, profile=Profile.OFFICIAL, make=official_make)
        ours = fit(oracle, latest, our_calls(codec, c.payload), theirs.calls)
        assert theirs.exception is None and theirs.calls, f"{c.where}@{sv}"
        problem = compare(theirs.calls, ours, ignore=older)
        assert problem is None, f"{c.where}@{sv}: official != ours: {problem}"
        assert codec.counts["extra_bytes"] == 0, f"{c.where}@{sv}: read only in part"
    tally.notes["captured messages"] = f"{len(stated)}, at {len(cases)} server versions in all"


def test_typed_messages(stated: list[Capture]) -> None:
    """The typed profile reads them too, and its gateway side writes what reads back equal."""
    for c in stated:
        since = INCOMING[int(c.fields[0])].since
        for sv in (v for v in _versions(c) if v >= since):
            message = Codec(sv, Role.CLIENT).decode(c.payload)
            again = Codec(sv, Role.GATEWAY).encode(message)
            assert Codec(sv, Role.CLIENT).decode(again) == message, f"{c.where}@{sv}"


def test_recorded_requests(captures: list[Capture]) -> None:
    """What real clients sent is read by our gateway side, and written again byte for byte where we write the same."""
    sent = [c for c in captures if c.complete and not c.inbound]
    assert len(sent) >= 5
    for c in sent:
        sv = c.server_version or 180  # the one request of unknown version has an issuer id: from 176
        codec = Codec(sv, Role.GATEWAY)
        message = codec.decode(c.payload)
        assert codec.counts["extra_bytes"] == 0, c.where
        again = Codec(sv, Role.CLIENT).encode(message)
        assert again == c.payload, c.where


# ---------------------------------------------------------------------------------------------- the list of quirks


def _first(captures: list[Capture], condition: Any) -> Capture:
    return next(c for c in captures if c.inbound and condition(c.fields))


def _typed(capture: Capture, server_version: int | None = None) -> Any:
    return Codec(server_version or true_versions(capture)[1], Role.CLIENT).decode(capture.payload)


def test_empty_size(captures: list[Capture]) -> None:
    tick = _typed(_first(captures, lambda f: f[0] == "1" and f[5] == ""))
    assert isinstance(tick, incoming.TickPrice)
    assert tick.size is None and tick.price == 4594.45


def test_empty_bar(captures: list[Capture]) -> None:
    update = _typed(_first(captures, lambda f: f[0] == "90" and f[4] == ""))
    assert (update.bar.open, update.bar.high, update.bar.low, update.bar.close) == (None, None, None, None)
    assert update.bar.barCount == -1 and update.bar.volume == Decimal(-1)


def test_question_marks_for_prices(captures: list[Capture]) -> None:
    """The recording is cut off; its complete bars are put into a whole message."""
    c = _first(captures, lambda f: f[0] == "17" and "?" in f)
    bars = [c.fields[i : i + 8] for i in range(5, len(c.fields) - 7, 8)]
    assert len(bars) >= 5 and all("?" in bar for bar in bars)
    head = [*c.fields[:4], str(len(bars))]
    payload = b"".join(f.encode() + b"\0" for f in [*head, *(f for bar in bars for f in bar)])
    decoded = Codec(150, Role.CLIENT).decode(payload)
    assert len(decoded.bars) == len(bars)
    assert all((b.open, b.high, b.low, b.close) == (None,) * 4 and b.barCount == -1 for b in decoded.bars)


def test_double_max_in_every_spelling(captures: list[Capture]) -> None:
    order = _typed(_first(captures, lambda f: f[0] == "5" and "1.7976931348623157E308" in f))
    assert order.orderState.commissionAndFees is None and order.order.lmtPriceOffset is None
    assert order.orderState.initMarginBefore == "1.7976931348623157E308"  # a text, here as in the official client


def test_fractional_futures_and_orders_typed_into_tws(captures: list[Capture]) -> None:
    assert _typed(_first(captures, lambda f: "0.7143" in f)).order.totalQuantity == Decimal("0.7143")
    assert _typed(_first(captures, lambda f: f[0] == "5" and f[1] == "0")).orderId == 0


def test_numbers_beyond_32_bits(captures: list[Capture]) -> None:
    order = _typed(_first(captures, lambda f: f[0] == "101" and "9223372036854775807" in f))
    assert order.order.parentPermId == 9223372036854775807
    preview = _typed(_first(captures, lambda f: f[0] == "5" and "-9223372036854775808" in f))
    assert preview.orderState.suggestedSize is None
    error = _typed(_first(captures, lambda f: f[0] == "4" and len(f) == 6 and len(f[5]) == 13))
    assert error.errorTime > 2**40


def test_managed_accounts_with_a_comma_at_the_end(captures: list[Capture]) -> None:
    accounts = _typed(_first(captures, lambda f: f[0] == "15" and f[2].endswith(",")))
    assert accounts.accountsList.count(",") == 6 and accounts.accountsList.endswith(",")


def test_newline_in_a_status(captures: list[Capture]) -> None:
    order = _typed(_first(captures, lambda f: f[0] == "101" and any("\n" in x for x in f)))
    assert order.orderState.completedStatus == "Cancelled by System:\n"


def test_expiry_with_time_and_zone(captures: list[Capture]) -> None:
    """Cut off in the recording: its expiry stands in a whole message."""
    expiry = _first(captures, lambda f: f[0] == "10" and f[4].endswith("/Prague")).fields[4]
    whole = _first(captures, lambda f: f[0] == "10" and len(f) == 33)
    fields = [*whole.fields[:5], expiry, *whole.fields[6:]]
    payload = b"".join(f.encode() + b"\0" for f in fields)
    details = Codec(115, Role.CLIENT).decode(payload).contractDetails
    assert details.contract.lastTradeDateOrContractMonth == "20230714" and details.lastTradeTime == "22:00:00"


def test_errors_below_166_and_from_194(captures: list[Capture]) -> None:
    old = _typed(_first(captures, lambda f: f[0] == "4" and len(f) == 5), 151)
    middle = _typed(_first(captures, lambda f: f[0] == "4" and f[1] == "2" and len(f) == 6), 193)
    new = _typed(_first(captures, lambda f: f[0] == "4" and f[1] == "-1"), 194)
    assert [(e.id, e.errorCode) for e in (old, middle, new)] == [(-1, 2106), (-1, 2104), (-1, 2104)]
    assert (old.errorTime, middle.errorTime, new.errorTime) == (0, 0, 1775425766350)


def test_a_length_that_swallowed_the_next_frames(captures: list[Capture]) -> None:
    """The recorded one ends inside its own fields: an error that names the field. Behind a whole message the swallowed
    bytes are accepted, and counted."""
    swallowed = _first(captures, lambda f: f[0] == "21")
    with pytest.raises(ProtocolError) as caught:
        Codec(155, Role.CLIENT).decode(swallowed.payload)
    assert caught.value.message_name == "tickOptionComputation" and caught.value.field == "pvDividend"
    tick = _first(captures, lambda f: f[0] == "2")
    codec = Codec(200, Role.CLIENT)
    more = b"\x00\x00\x00\x0c2\x006\x0039\x003\x00"
    assert codec.decode(tick.payload + more) == _typed(tick)
    assert codec.counts["extra_bytes"] == len(more)
