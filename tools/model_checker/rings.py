"""The market ring, the watermark and the rows of the live tables, to be held beside ibwire/_ring.pyx.

Each program takes ``bug``: the name of one mistake to make, or nothing. Record ``i`` holds ``i + 1`` in each of its
words, so that a reader knows what is right.
"""

from __future__ import annotations

from functools import partial

from tools.model_checker.access import (
    ACQUIRE,
    RELAXED,
    RELEASE,
    Program,
    Scenario,
    Steps,
    arrive,
    choose,
    fence,
    join,
    load,
    require,
    start,
    store,
    words,
)


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
            before, mark = place, 0
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
            require(not (pairs and taken and (first + skip) % 2), "the second half of a message without the first")
            got += taken
            gap += lost
            require(got + gap == place, "records returned and lost are not those published")
            del head, first, count, lost, taken, mark, oldest, skip, copied
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
        mark = 99  # ignored
        if bug not in ("watermark after the heads", "watermark ignored"):
            mark = yield load("watermark", RELAXED if bug == "watermark loaded relaxed" else ACQUIRE)
        heads: dict[str, int] = {}
        for ring in "AB":
            heads[ring] = yield load(f"head{ring}", ACQUIRE)
        if bug == "watermark after the heads":
            mark = yield load("watermark", ACQUIRE)
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
        del mark, heads, found, taken
    require(seen == sum(map(len, BATCHES)), "the last message never comes")


def watermark(bug: str = "", *, polls: tuple[int, ...] = (2, 1)) -> Scenario:
    threads: dict[str, Program] = {"producer": partial(watermark_producer, bug)}
    for c, n in enumerate(polls, 1):
        threads[f"consumer{c}"] = partial(merged_consumer, n, bug)
    own = words("producer", "watermark", *(f"{w}{ring}" for ring in "AB" for w in ("head",)))
    own |= words("producer", *(f"{ring}{i}" for ring in "AB" for i in range("".join(BATCHES).count(ring))))
    return Scenario("watermark", threads, own)


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


def row(bug: str = "", *, updates: int = 2, reads: tuple[int, ...] = (1, 1), tries: int = 2,
        mortal: bool = False) -> Scenario:
    threads: dict[str, Program] = {"writer": partial(row_writer, updates, mortal, bug)}
    for c, n in enumerate(reads, 1):
        threads[f"reader{c}"] = partial(row_reader, n, tries, bug)
    return Scenario("seqlock row", threads, words("writer", "seq", "a", "b"))
