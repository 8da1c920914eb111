"""The protocols of ``ibwire/_ring.pyx`` as small programs, beside which it can be held; docs/ring/model.md explains them.

Each takes ``bug``: the name of one mistake to make, or nothing. MUTANTS lists the mistakes and the memories under which
the checker has to notice them. Record ``i`` holds ``i + 1`` in each of its words, so that a reader knows what is right.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from tools.model_core import (
    ACQUIRE,
    RELAXED,
    RELEASE,
    SEQ,
    Program,
    Scenario,
    Steps,
    add,
    arrive,
    choose,
    fence,
    futex_wait,
    futex_wake,
    join,
    load,
    readable,
    require,
    start,
    store,
    swap,
)

Words = dict[str, tuple[int, tuple[str, ...]]]


def words(by: str, *names: str, value: int = 0) -> Words:
    """Words that those threads (names with spaces between) write."""
    return {name: (value, tuple(by.split())) for name in names}


# ------------------------------------------------------------------------------------------- 1. market ring


def market_producer(records: int, capacity: int, step: int, pairs: bool, bug: str) -> Steps:
    head = reserved = 0
    while head < records:
        n = 2 if pairs else 1
        for ahead in range(n):  # ring_claim
            if head + ahead >= reserved:
                reserved = head + step
                if bug != "mark after the record":
                    yield store("reserved", reserved)
                if bug != "no release fence":
                    yield fence(RELEASE)
            if bug == "head before the record":
                yield store("head", head + n, RELEASE)
            yield store(f"rec{(head + ahead) % capacity}.a", head + ahead + 1)
            yield store(f"rec{(head + ahead) % capacity}.b", head + ahead + 1)
            if bug == "mark after the record":
                yield store("reserved", reserved)
        head += n
        yield store("head", head, RELAXED if bug == "head relaxed" else RELEASE)  # ring_publish


def market_consumer(polls: int, records: int, capacity: int, most: int, pairs: bool, bug: str) -> Steps:
    place = got = gap = 0
    for poll in range(polls + 1):
        if poll == polls:
            yield join("producer")
        while True:
            before, taken, lost = place, 0, 0
            head = yield load("head", RELAXED if bug == "head loaded relaxed" else ACQUIRE)
            first = max(place, head - capacity)
            count = head - first
            if count > most:
                count = most
                if pairs:  # not between the two records of one message
                    peeked = yield load(f"rec{(first + count) % capacity}.a")
                    count -= (peeked - 1) % 2
                    del peeked
            if bug == "mark before the copy":
                mark = yield load("reserved")
            yield start(*(f"rec{i % capacity}.{part}" for i in range(first, first + count) for part in "ab"))
            if bug != "no acquire fence":
                yield fence(ACQUIRE)
            if bug != "mark before the copy":
                mark = yield load("reserved")
            copied = yield arrive()
            oldest = max(mark - capacity, 0)
            if bug == "head for the mark":
                oldest = max(head - capacity, 0)
            skip = min(max(oldest - first, 0), count)
            if pairs and skip < count and (copied[2 * skip] - 1) % 2:
                skip += 1  # the first half of this message is gone
            lost = first + skip - place
            place, taken = first + count, count - skip
            require(
                copied[2 * skip :] == tuple(i + 1 for i in range(first + skip, place) for _ in "ab"),
                "a record that is torn or another one is returned as good",
            )
            require(not (pairs and taken) or (first + skip) % 2 == 0, "the second half of a message comes without the first")
            got += taken
            gap += lost
            require(got + gap == place, "records returned and lost are not those published")
            mark = oldest = skip = copied = None
            if poll < polls or place == before:
                break
    require(place == records, "the last record never comes")


def market(bug: str = "", *, records: int = 4, capacity: int = 2, step: int = 1, most: int = 2, pairs: bool = False,
           polls: tuple[int, ...] = (1, 1)) -> Scenario:
    threads: dict[str, Program] = {"producer": partial(market_producer, records, capacity, step, pairs, bug)}
    for i, n in enumerate(polls, 1):
        threads[f"consumer{i}"] = partial(market_consumer, n, records, capacity, most, pairs, bug)
    own = words("producer", "head", "reserved", *(f"rec{i}.{part}" for i in range(capacity) for part in "ab"))
    return Scenario("market ring", threads, own)


# ------------------------------------------------------------------------------------------- 2. log ring

ANY = -1
Held = tuple[tuple[int, int], ...]  # (buffer, index) of segments, oldest first


def looked_at(index: int, cursors: int, bug: str) -> Steps:
    for c in range(1, cursors + 1):
        reading = yield load(f"reading{c}", RELAXED if bug == "marks loaded relaxed" else SEQ)
        if reading in (ANY, index + 1):
            return True
    return False


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


class Place(NamedTuple):
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
    index = yield load(f"index{segment}")
    at = yield load(f"used{segment}", ACQUIRE)
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
            index = yield load(f"index{segment}")
            place = Place(segment, index, 0, place.lost + index * cap - reached)
            del oldest, reached, segment, index
            continue
        used = yield load(f"used{place.segment}", RELAXED if bug == "used loaded relaxed" else ACQUIRE)
        if place.at < used:
            return place, used - place.at
        following = yield load(f"next{place.segment}", ACQUIRE)
        if not following:
            return place, 0
        again = yield load(f"used{place.segment}", ACQUIRE)
        if place.at < again and bug != "no second look at used":
            continue
        index = place.index + 1
        if bug == "index from the next segment":  # which is not marked: it may be gone
            index = yield load(f"index{following - 1}")
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
            place, count = yield from look(c, cap, place, bug)
            yield start(*(f"rec{place.segment}.{i}" for i in range(place.at, place.at + count)))
            before = place.index * cap + place.at
            place = place._replace(at=place.at + count)
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


def log(bug: str = "", *, records: int = 4, cap: int = 1, limit: int = 99, buffers: int = 5,
        polls: tuple[int, ...] = (1, 1), late: int = 0) -> Scenario:
    """``late``: the number of the cursor that comes late. ``limit``: entries above which the oldest are evicted."""
    threads: dict[str, Program] = {"producer": partial(log_producer, records, cap, limit, buffers, len(polls), bug)}
    own = words("producer", "first", "first_index", "last", *(f"{w}{b}" for b in range(buffers) for w in ("next", "used", "index")))
    own |= words("producer", *(f"rec{b}.{i}" for b in range(buffers) for i in range(cap)))
    for c, n in enumerate(polls, 1):
        threads[f"consumer{c}"] = partial(log_consumer, c, n, records, cap, limit, c == late, bug)
        own |= words(f"consumer{c}", f"read{c}", f"reading{c}") | words(f"consumer{c}", f"taken{c}", value=int(c != late))
    return Scenario("log ring, evicting" if limit < records else "log ring", threads, own)


# ------------------------------------------------------------------------------------------- 3. watermark

BATCHES = ("AB", "B", "BA")  # one receive each: the rings that its messages go to


def watermark_producer(bug: str) -> Steps:
    seq = 0
    heads = {"A": 0, "B": 0}
    for batch in BATCHES:
        if bug == "watermark before the heads":
            yield store("watermark", seq + len(batch), RELEASE)
        for ring in batch:
            seq += 1
            yield store(f"{ring}{heads[ring]}", seq)
            heads[ring] += 1
            yield store(f"head{ring}", heads[ring], RELEASE)
        if bug != "watermark before the heads":
            yield store("watermark", seq, RELAXED if bug == "watermark relaxed" else RELEASE)


def merged_consumer(polls: int, bug: str) -> Steps:
    seen = 0
    at = {"A": 0, "B": 0}
    for poll in range(polls + 1):
        if poll == polls:
            yield join("producer")
        if bug != "watermark after the heads":
            mark = yield load("watermark", RELAXED if bug == "watermark loaded relaxed" else ACQUIRE)
        heads = {}
        for ring in "AB":
            heads[ring] = yield load(f"head{ring}", ACQUIRE)
        if bug == "watermark after the heads":
            mark = yield load("watermark", ACQUIRE)
        if bug == "watermark ignored":
            mark = 99
        while True:
            found = {}
            for ring in "AB":
                if at[ring] < heads[ring]:
                    found[ring] = yield load(f"{ring}{at[ring]}")
            taken = [ring for ring in sorted(found, key=found.__getitem__) if found[ring] <= mark][:1]
            if not taken:
                break
            require(found[taken[0]] == seen + 1, "a message is skipped, comes twice or before its turn")
            seen += 1
            at[taken[0]] += 1
        require(mark in (seen, 99), "a message below the watermark is not there")
        mark = heads = found = None
    require(seen == sum(map(len, BATCHES)), "the last message never comes")


def watermark(bug: str = "", *, polls: tuple[int, ...] = (2, 1)) -> Scenario:
    threads: dict[str, Program] = {"producer": partial(watermark_producer, bug)}
    for c, n in enumerate(polls, 1):
        threads[f"consumer{c}"] = partial(merged_consumer, n, bug)
    own = words("producer", "watermark", *(f"{w}{ring}" for ring in "AB" for w in ("head",)))
    own |= words("producer", *(f"{ring}{i}" for ring in "AB" for i in range("".join(BATCHES).count(ring))))
    return Scenario("watermark", threads, own)


# ------------------------------------------------------------------------------------------- 4. seqlock row


def row_writer(updates: int, mortal: bool, bug: str) -> Steps:
    for update in range(1, updates + 1):
        if bug != "no begin mark":
            yield store("seq", 2 * update - 1)
        if bug != "no release fence":
            yield fence(RELEASE)
        if bug == "end mark before the words":
            yield store("seq", 2 * update, RELEASE)
        for word in "ab":
            if mortal and (yield choose(2)):
                return  # killed
            yield store(word, update)
        if mortal and (yield choose(2)):
            return
        if bug != "end mark before the words":
            yield store("seq", 2 * update, RELAXED if bug == "end mark relaxed" else RELEASE)


def row_reader(reads: int, tries: int, bug: str) -> Steps:
    newest = 0
    for read in range(reads + 1):
        if read == reads:
            yield join("writer")
        for trial in range(tries):
            before = yield load("seq", RELAXED if bug == "seq loaded relaxed" else ACQUIRE)
            if before % 2 and bug != "odd is taken":
                if trial == tries - 1 and read == reads:
                    return  # the row's writer is dead: reported, nothing returned
                continue
            yield start("a", "b")
            if bug != "no acquire fence":
                yield fence(ACQUIRE)
            after = yield load("seq")
            copied = yield arrive()
            if bug == "seq not looked at again":
                after = before
            if before == after:
                require(copied == (before // 2, before // 2), "a torn or another row is returned")
                require(before >= newest, "an older row comes after a newer one")
                newest = before
                break
            require(read < reads, "the row of a writer that has ended is not read")


def row(bug: str = "", *, updates: int = 2, reads: tuple[int, ...] = (1, 1), tries: int = 2, mortal: bool = False) -> Scenario:
    threads: dict[str, Program] = {"writer": partial(row_writer, updates, mortal, bug)}
    for c, n in enumerate(reads, 1):
        threads[f"reader{c}"] = partial(row_reader, n, tries, bug)
    return Scenario("seqlock row, mortal writer" if mortal else "seqlock row", threads, words("writer", "seq", "a", "b"))


# ------------------------------------------------------------------------------------------- 5. wake-up


def waking_producer(messages: int, bug: str) -> Steps:  # region_publish
    for message in range(1, messages + 1):
        if bug == "waiters before the watermark":
            waiters = yield load("waiters")
        yield store("watermark", message, RELEASE)
        if bug != "no fence in the producer":
            yield fence(SEQ)
        if bug != "waiters before the watermark":
            waiters = yield load("waiters")
        if waiters:
            if bug != "wake_seq stays":
                yield add("wake_seq", 1)
            yield futex_wake("wake_seq")
        waiters = 0


def waiting_consumer(messages: int, bug: str) -> Steps:  # region_wait
    seen = 0
    while seen < messages:
        mark = yield load("watermark", ACQUIRE)
        if mark <= seen:
            if bug != "counted after the check":
                yield add("waiters", 1, RELAXED if bug == "no barrier in the consumer" else SEQ)
            if bug not in ("no fence in the consumer", "no barrier in the consumer"):
                yield fence(SEQ)
            if bug != "wake_seq after the check":
                word = yield load("wake_seq", ACQUIRE)
            mark = yield load("watermark", ACQUIRE)
            if bug == "counted after the check":
                yield add("waiters", 1)
            if bug == "wake_seq after the check":
                word = yield load("wake_seq", ACQUIRE)
            if mark <= seen:
                yield futex_wait("wake_seq", word)
            yield add("waiters", -1)
            word = 0
            mark = yield load("watermark", ACQUIRE)
        seen = mark


def wake(bug: str = "", *, messages: int = 2, consumers: int = 2) -> Scenario:
    threads: dict[str, Program] = {"producer": partial(waking_producer, messages, bug)}
    names = [f"consumer{c}" for c in range(1, consumers + 1)]
    threads |= {name: partial(waiting_consumer, messages, bug) for name in names}
    own = words("producer", "watermark", "wake_seq") | words(" ".join(names), "waiters")
    return Scenario("wake-up", threads, own)


# ------------------------------------------------------------------------------------------- 6. wake-up by eventfd


def signalling_producer(messages: int, slots: int, bug: str) -> Steps:  # region_publish
    for message in range(1, messages + 1):
        yield store("watermark", message, RELEASE)
        if bug != "no fence in the producer":
            yield fence(SEQ)
        for slot in range(1, slots + 1):
            signalled = yield load(f"signalled{slot}")
            if not signalled:
                yield store(f"signalled{slot}", 1, SEQ)
                yield add(f"fd{slot}", 1)
        signalled = 0


def selecting_consumer(slot: int, messages: int, bug: str) -> Steps:  # select, Region.clear_fd, then the poll
    seen = 0
    while seen < messages:
        yield readable(f"fd{slot}")
        if bug == "poll before clear":
            seen = yield load("watermark", ACQUIRE)
        yield from clear_fd(slot, bug)
        if bug != "poll before clear":
            seen = yield load("watermark", ACQUIRE)
    yield join("producer")
    yield from clear_fd(slot, bug)
    left = yield load(f"fd{slot}", ACQUIRE)
    require(not left, "the descriptor stays readable with nothing to read")


def clear_fd(slot: int, bug: str) -> Steps:
    if bug == "read only if signalled":
        signalled = yield load(f"signalled{slot}")
        if not signalled:
            return
        del signalled
    if bug == "flag cleared before the read":
        yield store(f"signalled{slot}", 0, SEQ)
    yield swap(f"fd{slot}", 0)  # read(2) of an eventfd that does not block
    if bug != "flag cleared before the read":
        yield store(f"signalled{slot}", 0, RELEASE if bug == "no fence in the consumer" else SEQ)
    if bug != "no fence in the consumer":
        yield fence(SEQ)


def descriptor(bug: str = "", *, messages: int = 2, consumers: int = 1) -> Scenario:
    threads: dict[str, Program] = {"producer": partial(signalling_producer, messages, consumers, bug)}
    own = words("producer", "watermark")
    for c in range(1, consumers + 1):
        threads[f"consumer{c}"] = partial(selecting_consumer, c, messages, bug)
        own |= words(f"producer consumer{c}", f"signalled{c}", f"fd{c}")
    return Scenario("wake-up by eventfd", threads, own)


# ------------------------------------------------------------------------------------------- what is run


class Mutant(NamedTuple):
    """One mistake in a case, and the memories under which it must be found; under the others it must not be."""

    case: str
    bug: str
    found_by: tuple[str, ...]


CASES: dict[str, Callable[..., Scenario]] = {
    "market": market,
    "market-step": partial(market, records=7, capacity=4, step=2, polls=(2,)),
    "market-pairs": partial(market, records=8, capacity=4, step=2, pairs=True, polls=(2,)),
    "log": partial(log, records=4, cap=2, polls=(1, 1)),
    "log-late": partial(log, records=3, polls=(0, 0), late=2),
    "log-evict": partial(log, records=3, limit=1, polls=(1, 0)),
    "log-evict-long": partial(log, records=5, limit=2, polls=(2,)),
    "watermark": watermark,
    "row": partial(row, reads=(1, 0)),
    "row-mortal": partial(row, reads=(1, 0), mortal=True),
    "wake": partial(wake, messages=2, consumers=1),
    "wake-two": partial(wake, messages=1, consumers=2),
    "descriptor": partial(descriptor, messages=3),
    "descriptor-two": partial(descriptor, messages=2, consumers=2),
}
# Smaller or larger bounds, where a case's bugs show.
MUTATED: dict[str, Callable[..., Scenario]] = {
}
BOTH = ("tso", "relaxed")
WEAK = ("relaxed",)
MUTANTS = (
    Mutant("market", "head before the record", BOTH),
    Mutant("market", "mark after the record", BOTH),
    Mutant("market", "mark before the copy", BOTH),
    Mutant("market", "head for the mark", BOTH),
    Mutant("market", "no release fence", WEAK),
    Mutant("market", "head relaxed", WEAK),
    Mutant("market", "head loaded relaxed", WEAK),
    Mutant("market", "no acquire fence", WEAK),
    Mutant("log", "used before the entry", BOTH),
    Mutant("log", "no second look at used", BOTH),
    Mutant("log", "next before the fresh segment", BOTH),
    Mutant("log", "used relaxed", WEAK),
    Mutant("log", "used loaded relaxed", WEAK),
    Mutant("log", "next relaxed", WEAK),
    Mutant("log", "leave relaxed", WEAK),
    Mutant("log-late", "no mark while settling", BOTH),
    Mutant("log-evict", "no mark", BOTH),
    Mutant("log-evict", "first_index not checked", BOTH),
    Mutant("log-evict", "mark after the check", BOTH),
    Mutant("log-evict", "marks not looked at", BOTH),
    Mutant("log-evict", "marks before first_index", BOTH),
    Mutant("log-evict", "mark only released", BOTH),
    Mutant("log-evict", "first_index only released", BOTH),
    Mutant("log-evict", "marks loaded relaxed", WEAK),
    Mutant("log-evict", "first_index loaded relaxed", WEAK),
    Mutant("log-evict", "no mark on the way to first", BOTH),
    Mutant("log-evict", "index from the next segment", BOTH),
    Mutant("log-evict", "retired list in next", BOTH),
    Mutant("watermark", "watermark before the heads", BOTH),
    Mutant("watermark", "watermark after the heads", BOTH),
    Mutant("watermark", "watermark ignored", BOTH),
    Mutant("watermark", "watermark relaxed", WEAK),
    Mutant("watermark", "watermark loaded relaxed", WEAK),
    Mutant("row", "end mark before the words", BOTH),
    Mutant("row", "no begin mark", BOTH),
    Mutant("row", "odd is taken", BOTH),
    Mutant("row", "seq not looked at again", BOTH),
    Mutant("row", "no release fence", WEAK),
    Mutant("row", "end mark relaxed", WEAK),
    Mutant("row", "seq loaded relaxed", WEAK),
    Mutant("row", "no acquire fence", WEAK),
    Mutant("wake", "no fence in the producer", BOTH),
    Mutant("wake", "waiters before the watermark", BOTH),
    Mutant("wake", "counted after the check", BOTH),
    Mutant("wake", "wake_seq after the check", BOTH),
    Mutant("wake", "wake_seq stays", BOTH),
    Mutant("wake", "no fence in the consumer", WEAK),
    Mutant("wake", "no barrier in the consumer", WEAK),
    Mutant("descriptor", "no fence in the producer", BOTH),
    Mutant("descriptor", "no fence in the consumer", BOTH),
    Mutant("descriptor", "poll before clear", BOTH),
    Mutant("descriptor", "flag cleared before the read", BOTH),
    Mutant("descriptor", "read only if signalled", BOTH),
)
