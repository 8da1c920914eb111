"""How those who sleep are woken, to be held beside tell, wake, sleep and clear_fd of ibwire/_ring.pyx.

Each program takes ``bug``: the name of one mistake to make, or nothing.
"""

from __future__ import annotations

from functools import partial

from tools.model_checker.access import (
    ACQUIRE,
    RELAXED,
    RELEASE,
    SEQ,
    Program,
    Scenario,
    Steps,
    add,
    choose,
    fence,
    futex_wait,
    futex_wake,
    join,
    load,
    readable,
    require,
    store,
    swap,
    words,
)


def publisher(messages: int, bug: str, entries: tuple[int, ...] = ()) -> Steps:  # region_publish
    # `entries`: the messages that concern who waits for entries; without them there is nobody of that kind.
    for message in range(1, messages + 1):
        asleep = 0
        if bug == "mark before the watermark":
            asleep = yield load("asleep")
        yield store("watermark", message, RELEASE)
        if message in entries:
            yield store("entries", message, SEQ if bug != "no fence in the producer" else RELAXED)
        if bug != "no fence in the producer":
            yield fence(SEQ)
        if bug != "mark before the watermark":
            asleep = yield load("asleep")
        if asleep:
            yield from wake_up("", bug)
        if message in entries:
            asleep = yield load("asleep'")
            if asleep:
                yield from wake_up("'", bug)


def wake_up(kind: str, bug: str) -> Steps:  # wake
    if bug == "wake_seq before the mark":
        yield add(f"wake_seq{kind}", 1)
    if bug != "mark stays":
        marked = yield swap(f"asleep{kind}", 0)
        if not marked:  # another ringer was here
            return
        del marked
    if bug not in ("wake_seq stays", "wake_seq before the mark"):
        yield add(f"wake_seq{kind}", 1)
    yield futex_wake(f"wake_seq{kind}")


def sleeper(messages: int, bug: str, kind: str = "") -> Steps:  # sleep, in a loop
    count = "entries" if kind else "watermark"
    seen = 0
    while seen < messages:
        mark = yield load(count, ACQUIRE)
        if mark <= seen:
            word = 0
            if bug not in ("wake_seq after the mark", "wake_seq after the check"):
                word = yield load(f"wake_seq{kind}", ACQUIRE)
            if bug != "marked after the check":
                yield store(f"asleep{kind}", 1, RELAXED if bug == "no barrier in the consumer" else SEQ)
            if bug == "wake_seq after the mark":
                word = yield load(f"wake_seq{kind}", ACQUIRE)
            if bug not in ("no fence in the consumer", "no barrier in the consumer"):
                yield fence(SEQ)
            mark = yield load(count, ACQUIRE)
            if bug == "marked after the check":
                yield store(f"asleep{kind}", 1, SEQ)
            if bug == "wake_seq after the check":
                word = yield load(f"wake_seq{kind}", ACQUIRE)
            if mark <= seen:
                yield futex_wait(f"wake_seq{kind}", word)
            del word
            mark = yield load(count, ACQUIRE)
        seen = mark


def wake(bug: str = "", *, messages: int = 2, consumers: int = 2) -> Scenario:
    threads: dict[str, Program] = {"producer": partial(publisher, messages, bug)}
    names = [f"consumer{c}" for c in range(1, consumers + 1)]
    threads |= {name: partial(sleeper, messages, bug) for name in names}
    everybody = " ".join(["producer", *names])
    own = words("producer", "watermark", "wake_seq") | words(everybody, "asleep")
    return Scenario("wake-up", threads, own)


def wake_kinds(bug: str = "", *, messages: int = 2, entry: int = 2) -> Scenario:
    """One who waits for every publication, one who waits for the one with entries."""
    threads: dict[str, Program] = {
        "producer": partial(publisher, messages, bug, (entry,)),
        "watcher": partial(sleeper, messages, bug),
        "pump": partial(sleeper, entry, bug, "'"),
    }
    own = words("producer", "watermark", "entries", "wake_seq", "wake_seq'")
    own |= words("producer watcher", "asleep") | words("producer pump", "asleep'")
    return Scenario("wake-up of two kinds", threads, own)


def ringer(bug: str) -> Steps:  # region_ring, by any thread
    yield add("rings", 1)
    if bug != "no fence in the producer":
        yield fence(SEQ)
    asleep = yield load("asleep")
    if asleep:
        yield from wake_up("", bug)


def counting_sleeper(rings: int, bug: str) -> Steps:
    seen = 0
    while seen < rings:
        count = yield load("rings", ACQUIRE)
        if count == seen:
            word = yield load("wake_seq", ACQUIRE)
            yield store("asleep", 1, SEQ)
            yield fence(SEQ)
            count = yield load("rings", ACQUIRE)
            if count == seen:
                yield futex_wait("wake_seq", word)
            del word
            count = yield load("rings", ACQUIRE)
        seen = count


def wake_ringers(bug: str = "") -> Scenario:
    """Two threads ring, one sleeps."""
    threads: dict[str, Program] = {
        "producer": partial(ringer, bug), "closer": partial(ringer, bug), "consumer": partial(counting_sleeper, 2, bug),
    }  # fmt: skip
    own = words("producer closer", "rings", "wake_seq") | words("producer closer consumer", "asleep")
    return Scenario("wake-up by two", threads, own)


def wake_healing(bug: str = "", *, messages: int = 3) -> Scenario:
    """A process was killed in its sleep before this begins: nobody else sleeps, and one wake at most is spent on it."""

    def producer() -> Steps:
        yield from publisher(messages, bug)
        spent = yield load("wake_seq")
        require(spent <= 1, "every publication pays for a sleeper who is dead")

    own = words("producer", "watermark", "wake_seq") | words("producer", "asleep", value=1)
    return Scenario("wake-up after a killed sleeper", {"producer": producer}, own)


def signalling_producer(messages: int, slots: int, bug: str) -> Steps:  # region_publish
    for message in range(1, messages + 1):
        yield store("watermark", message, RELEASE)
        if bug != "no fence in the producer":
            yield fence(SEQ)
        for slot in range(1, slots + 1):
            signalled = yield load(f"signalled{slot}")
            if not signalled:
                signalled = yield swap(f"signalled{slot}", 1)
                if not signalled:
                    yield add(f"fd{slot}", 1)
        signalled = 0


def selecting_consumer(slot: int, messages: int, looks: int, bug: str) -> Steps:  # select, clear_fd, poll
    seen = 0
    idle = looks  # times that it looks without having been told to
    while seen < messages:
        if idle and (yield choose(2)):
            idle -= 1
        else:
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
    if bug != "read whatever the flag says":
        signalled = yield load(f"signalled{slot}", ACQUIRE)
        if not signalled:
            return
        del signalled
    if bug == "flag cleared before the read":
        yield store(f"signalled{slot}", 0, SEQ)
    taken = yield swap(f"fd{slot}", 0)  # read(2) of an eventfd that does not block
    if bug == "flag cleared before the read" or not (taken or bug == "flag cleared with nothing read"):
        return
    del taken
    yield store(f"signalled{slot}", 0, RELEASE if bug == "no fence in the consumer" else SEQ)
    if bug != "no fence in the consumer":
        yield fence(SEQ)


def descriptor(bug: str = "", *, messages: int = 2, consumers: int = 1, looks: int = 2) -> Scenario:
    threads: dict[str, Program] = {"producer": partial(signalling_producer, messages, consumers, bug)}
    own = words("producer", "watermark")
    for c in range(1, consumers + 1):
        threads[f"consumer{c}"] = partial(selecting_consumer, c, messages, looks, bug)
        own |= words(f"producer consumer{c}", f"signalled{c}", f"fd{c}")
    return Scenario("wake-up by eventfd", threads, own)
