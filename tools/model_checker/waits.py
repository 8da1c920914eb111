"""How those who sleep are woken, to be held beside region_publish, region_wait and clear_fd of ibwire/_ring.pyx.

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


def waking_producer(messages: int, bug: str) -> Steps:  # region_publish
    for message in range(1, messages + 1):
        waiters = 0
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


def waiting_consumer(messages: int, bug: str) -> Steps:  # region_wait
    seen = 0
    while seen < messages:
        mark = yield load("watermark", ACQUIRE)
        if mark <= seen:
            word = 0
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
            del word
            mark = yield load("watermark", ACQUIRE)
        seen = mark


def wake(bug: str = "", *, messages: int = 2, consumers: int = 2) -> Scenario:
    threads: dict[str, Program] = {"producer": partial(waking_producer, messages, bug)}
    names = [f"consumer{c}" for c in range(1, consumers + 1)]
    threads |= {name: partial(waiting_consumer, messages, bug) for name in names}
    own = words("producer", "watermark", "wake_seq") | words(" ".join(names), "waiters")
    return Scenario("wake-up", threads, own)


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


def descriptor(bug: str = "", *, messages: int = 2, consumers: int = 1, looks: int = 2) -> Scenario:
    threads: dict[str, Program] = {"producer": partial(signalling_producer, messages, consumers, bug)}
    own = words("producer", "watermark")
    for c in range(1, consumers + 1):
        threads[f"consumer{c}"] = partial(selecting_consumer, c, messages, looks, bug)
        own |= words(f"producer consumer{c}", f"signalled{c}", f"fd{c}")
    return Scenario("wake-up by eventfd", threads, own)
