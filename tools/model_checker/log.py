"""The rings of segments, which lose nothing or evict, to be held beside ibwire/_ring_log.pxi.

Each program takes ``bug``: the name of one mistake to make, or nothing. Entry ``i`` holds ``i + 1``; an entry has the
size 1, so that positions are numbers of entries.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

from tools.model_checker.access import (
    ACQUIRE,
    RELAXED,
    RELEASE,
    SEQ,
    Program,
    Scenario,
    Steps,
    arrive,
    join,
    load,
    require,
    start,
    store,
    words,
)

ANY = -1
GONE = -2  # what the fields of a segment hold that was given back
Held = tuple[tuple[int, int], ...]  # (buffer, index) of segments, oldest first


def looked_at(index: int, cursors: int, bug: str) -> Steps:
    for c in range(1, cursors + 1):
        reading = yield load(f"reading{c}", RELAXED if bug == "marks loaded relaxed" else SEQ)
        if reading in (ANY, index + 1):
            return True
    return False


def give(buffer: int) -> Steps:
    for field in ("used", "next", "index"):
        yield store(f"{field}{buffer}", GONE)


def kept(value: int) -> int:
    require(value != GONE, "memory that was given back is looked at")
    return value


def unlink(held: Held, retired: Held, free: tuple[int, ...], cursors: int, bug: str) -> Steps:
    yield store("first", held[1][0], SEQ)
    if bug != "marks before first_index":
        yield store("first_index", held[1][1], RELEASE if bug == "first_index only released" else SEQ)
    seen = yield from looked_at(held[0][1], cursors, bug)
    if bug == "marks before first_index":
        yield store("first_index", held[1][1], SEQ)
    if bug == "marks not looked at":
        seen = False
    if not seen:
        yield from give(held[0][0])
        return held[1:], retired, (held[0][0], *free)
    if bug == "retired list in next":
        yield store(f"next{held[0][0]}", retired[0][0] + 1 if retired else 0)
    return held[1:], (held[0], *retired), free


def tidy(cap: int, held: Held, retired: Held, free: tuple[int, ...], cursors: int, bug: str) -> Steps:
    floor = 1 << 30
    for c in range(1, cursors + 1):
        taken = yield load(f"taken{c}", SEQ)
        if taken:
            read = yield load(f"read{c}", ACQUIRE)
            floor = min(floor, read)
    while len(held) > 1 and (held[0][1] + 1) * cap <= floor:
        held, retired, free = yield from unlink(held, retired, free, cursors, bug)
    for segment in retired:
        seen = yield from looked_at(segment[1], cursors, bug)
        if not seen:
            retired = tuple(s for s in retired if s != segment)
            free = (segment[0], *free)
            yield from give(segment[0])
    return floor, held, retired, free


def log_producer(records: int, cap: int, limit: int, buffers: int, cursors: int, bug: str) -> Steps:
    held: Held = ((0, 0),)
    retired: Held = ()
    free = tuple(range(1, buffers))
    used = floor = 0
    for i in range(records):
        if i + 1 - floor > limit:
            floor, held, retired, free = yield from tidy(cap, held, retired, free, cursors, bug)
            while i + 1 - floor > limit and len(held) > 1 and i + 1 - held[0][1] * cap > limit:
                held, retired, free = yield from unlink(held, retired, free, cursors, bug)
            floor = max(floor, held[0][1] * cap)
        if used == cap:
            (last, index), fresh, free = held[-1], free[0], free[1:]
            if bug == "next before the fresh segment":
                yield store(f"next{last}", fresh + 1, RELEASE)
            yield store(f"next{fresh}", 0)
            yield store(f"used{fresh}", 0)
            yield store(f"index{fresh}", index + 1)
            if bug != "next before the fresh segment":
                yield store(f"next{last}", fresh + 1, RELAXED if bug == "next relaxed" else RELEASE)
            yield store("last", fresh, SEQ)
            held, used = (*held, (fresh, index + 1)), 0
            floor, held, retired, free = yield from tidy(cap, held, retired, free, cursors, bug)
        last = held[-1][0]
        if bug == "used before the entry":
            yield store(f"used{last}", used + 1, RELEASE)
        yield store(f"rec{last}.{used}", i + 1)
        used += 1
        yield store(f"used{last}", used, RELAXED if bug == "used relaxed" else RELEASE)


@dataclass(frozen=True)
class Place:
    """Where a cursor is: buffer, index of its segment, entries of it that were taken, entries lost so far."""

    segment: int
    index: int
    at: int
    lost: int


def settle(c: int, cap: int, bug: str) -> Steps:
    # A cursor that comes while the producer runs, at the end.
    if bug != "no mark while settling":
        yield store(f"reading{c}", ANY, SEQ)
    yield store(f"taken{c}", 1, SEQ)
    segment = yield load("last", SEQ)
    index = kept((yield load(f"index{segment}")))
    at = kept((yield load(f"used{segment}", ACQUIRE)))
    yield store(f"read{c}", index * cap + at, RELEASE)
    yield store(f"reading{c}", 0, SEQ)
    return Place(segment, index, at, 0)


def look(c: int, cap: int, place: Place, bug: str) -> Steps:
    # How many entries can be read at place, which stays until leave.
    while True:
        mark = store(f"reading{c}", place.index + 1, RELEASE if bug == "mark only released" else SEQ)
        if bug not in ("mark after the check", "no mark"):
            yield mark
        oldest = yield load("first_index", RELAXED if bug == "first_index loaded relaxed" else SEQ)
        if bug == "mark after the check":
            yield mark
        if bug == "first_index not checked":
            oldest = 0
        if oldest > place.index:
            reached = place.index * cap + place.at
            if bug != "no mark on the way to first":
                yield store(f"reading{c}", ANY, SEQ)
            segment = yield load("first", SEQ)
            index = kept((yield load(f"index{segment}")))
            place = Place(segment, index, 0, place.lost + index * cap - reached)
            del oldest, reached, segment, index
            continue
        used = kept((yield load(f"used{place.segment}", RELAXED if bug == "used loaded relaxed" else ACQUIRE)))
        if place.at < used:
            return place, used - place.at
        following = kept((yield load(f"next{place.segment}", ACQUIRE)))
        if not following:
            return place, 0
        again = kept((yield load(f"used{place.segment}", ACQUIRE)))
        if place.at < again and bug != "no second look at used":
            continue
        index = place.index + 1
        if bug == "index from the next segment":  # which is not marked: it may be gone
            index = kept((yield load(f"index{following - 1}")))
        place = Place(following - 1, index, 0, place.lost)
        del oldest, used, following, again, index


def log_consumer(c: int, polls: int, records: int, cap: int, limit: int, late: bool, bug: str) -> Steps:
    place = Place(0, 0, 0, 0)
    if late:
        place = yield from settle(c, cap, bug)
    begun = place.index * cap + place.at
    got = 0
    for poll in range(polls + 1):
        if poll == polls:
            yield join("producer")
        while True:
            if bug == "end asked without a mark":
                last = yield load("last", SEQ)
                kept((yield load(f"used{last}", ACQUIRE)))
                del last
            place, count = yield from look(c, cap, place, bug)
            yield start(*(f"rec{place.segment}.{i}" for i in range(place.at, place.at + count)))
            before = place.index * cap + place.at
            place = replace(place, at=place.at + count)
            order = RELAXED if bug == "leave relaxed" else RELEASE
            yield store(f"read{c}", before + count, order)
            yield store(f"reading{c}", 0, order)
            copied = yield arrive()
            require(copied == tuple(range(before + 1, before + count + 1)), "what a reused segment holds is returned")
            got += count
            require(begun + got + place.lost == before + count, "entries returned and lost are not those appended")
            require(limit < records or not place.lost, "entries are lost, though nothing is evicted")
            del before, copied, order
            if poll < polls or not count:
                break
    require(begun + got + place.lost == records, "the last entry never comes")


def log(bug: str = "", *, records: int = 4, cap: int = 1, limit: int = 99, buffers: int = 0,
        polls: tuple[int, ...] = (1, 1), late: int = 0) -> Scenario:
    """``late``: the number of the cursor that comes late. ``limit``: entries above which the oldest are evicted."""
    buffers = buffers or -(-records // cap)  # enough, if none were used again; what was given back is taken first
    threads: dict[str, Program] = {"producer": partial(log_producer, records, cap, limit, buffers, len(polls), bug)}
    own = words("producer", "first", "first_index", "last")
    own |= words("producer", *(f"{field}{b}" for b in range(buffers) for field in ("next", "used", "index")))
    own |= words("producer", *(f"rec{b}.{i}" for b in range(buffers) for i in range(cap)))
    for c, n in enumerate(polls, 1):
        threads[f"consumer{c}"] = partial(log_consumer, c, n, records, cap, limit, c == late, bug)
        own |= words(f"consumer{c}", f"read{c}", f"reading{c}")
        own |= words(f"consumer{c}", f"taken{c}", value=int(c != late))
    return Scenario("log ring", threads, own)
