"""How the order machine is stepped by turns, to be held beside RingTracker of ibwire/_tracker.pyx and ADR 0011.

Each program takes ``bug``: the name of one mistake to make, or nothing. The machine is a word with the history of what
it was stepped with, ``m1`` a message and ``c1`` a command; a row shows that history in two words. Messages come from
the receiving thread, commands from tellers. The interpreter's lock (``gil``) is held by a teller from its command to
the end of its turn, and never by the receiving thread.
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
    lock,
    readable,
    replace,
    require,
    store,
    swap,
    words,
)

History = tuple[str, ...]
END = "end"


class Stopped(Exception):
    """The receiving thread is not given the processor any more."""


def messages_of(history: History) -> int:
    return sum(step.startswith("m") for step in history)


def commands_of(history: History) -> int:
    return sum(step.startswith("c") for step in history)


def stepped_with(history: History, step: str) -> History:
    require(step not in history, f"{step} is taken twice")
    if step.startswith("m"):
        require(step == f"m{messages_of(history) + 1}", f"{step} is taken before an earlier message")
        require(END not in history, f"{step} comes behind the end")
    return (*history, step)


def keep(mortal: bool, bug: str) -> Steps:  # RingTracker.keep: whether anything changed
    if bug == "a lock around the machine":
        yield lock("turn")
        changed = yield from serve(mortal, bug)
        yield store("turn", 0, RELEASE)
        return changed
    changed = False
    found = yield swap("turn", 2, RELAXED if bug == "turn taken relaxed" else SEQ)
    if found and bug != "turn not respected":
        return False
    del found
    while True:
        if bug != "turn not marked as begun":
            yield swap("turn", 1, RELAXED if bug == "turn taken relaxed" else SEQ)
        did = yield from serve(mortal, bug)
        changed = changed or did
        del did
        if bug == "left without another look":
            yield store("turn", 0, SEQ)
            return changed
        expected = 2 if bug == "turn not marked as begun" else 1
        over = yield replace("turn", expected, 0, RELAXED if bug == "turn given up relaxed" else SEQ)
        if over:
            return changed
        del over


def serve(mortal: bool, bug: str) -> Steps:  # RingTracker.serve
    relaxed = RELAXED if bug == "what the producer brought loaded relaxed" else ACQUIRE
    seq = ended = 0
    if bug != "message number after the entries":
        seq = yield load("head_seq", relaxed)
    if bug != "the end after the entries":
        ended = yield load("ended", relaxed)
    history = before = yield load("machine")
    history = yield from obey_all(history, bug)
    used = yield load("used", ACQUIRE)  # Place.look
    for n in range(messages_of(history), used):
        entry = yield load(f"entry{n}")
        require(entry == n + 1, "an entry is stepped that is not whole")
        history = stepped_with(history, f"m{n + 1}")
        del entry
    if bug == "message number after the entries":
        seq = yield load("head_seq", ACQUIRE)
    if bug == "the end after the entries":
        ended = yield load("ended", ACQUIRE)
    if ended and END not in history:
        require(messages_of(history) == ended - 1, "the end comes before the last message")
        history = stepped_with(history, END)
    del used, ended
    yield store("machine", history)
    if bug == "says so before the rows":
        yield from say(history, seq)
    if history != before:
        yield from show(history, mortal)
    if bug != "says so before the rows":
        yield from say(history, seq)
    return history != before


def obey_all(history: History, bug: str) -> Steps:  # Tracker.obey_all, Table.taken
    newest = yield load("commands")
    if not newest:
        return history
    newest = yield swap("commands", 0, RELAXED if bug == "commands taken relaxed" else ACQUIRE)
    taken: tuple[int, ...] = ()
    while newest:
        taken = (*taken, newest) if bug == "newest command first" else (newest, *taken)
        newest = yield load(f"next{newest}")
        require(newest >= 0, "a command is looked at before it is whole")
    for command in taken:
        after = yield load(f"after{command}")  # its fields; here: the messages that its teller had seen
        require(after >= 0, "a command is looked at before it is whole")
        require(messages_of(history) >= after, "a command overtakes a message that it came after")
        history = stepped_with(history, f"c{command}")
        del after
    return history


def show(history: History, mortal: bool) -> Steps:  # Machine.show_all: one row
    at = yield load("lock")
    yield store("lock", at + 1)
    yield fence(RELEASE)
    if mortal and (yield choose(2)):
        raise Stopped
    for word in "ab":
        yield store(word, history)
    yield store("lock", at + 2, RELEASE)


def say(history: History, seq: int) -> Steps:
    yield store("obeyed", commands_of(history), RELEASE)
    yield store("stepped", seq, RELEASE)


def ring() -> Steps:  # region_ring: the bell itself is checked in waits.py
    yield add("rings", 1)
    yield futex_wake("rings")


def receiver(messages: int, answers: int, ends: bool, mortal: bool, bug: str) -> Steps:
    try:
        yield from receive(messages, answers, ends, mortal, bug)
    except Stopped:
        return


def receive(messages: int, answers: int, ends: bool, mortal: bool, bug: str) -> Steps:  # take, tell_end
    order = RELAXED if bug == "what the producer brought stored relaxed" else RELEASE
    for n in range(messages):
        if n + 1 == answers:
            yield readable("sent")  # the gateway answers what it got
        yield store(f"entry{n}", n + 1)
        yield store("used", n + 1, RELEASE)
        if bug == "published before the step":
            yield store("watermark", n + 1, RELEASE)
        yield store("head_seq", n + 1, order)
        yield from keep(mortal, bug)
        yield store("watermark", n + 1, RELEASE)
        yield from ring()
    if not ends:
        return
    yield store("ended", messages + 1, order)
    changed = yield from keep(mortal, bug)
    if changed:
        yield from ring()


def tell(command: int, bug: str) -> Steps:  # OrderTable.send, by a thread with the interpreter's lock
    yield store(f"after{command}", (yield load("watermark", ACQUIRE)))
    changed = False
    if bug == "command after the turn":
        changed = yield from keep(False, bug)
    while True:
        newest = yield load("commands")
        yield store(f"next{command}", newest)
        pushed = yield replace("commands", newest, command, RELAXED if bug == "command pushed relaxed" else RELEASE)
        if pushed:
            break
        del newest, pushed
    del newest, pushed
    told = yield load("told")
    yield store("told", told + 1)
    del told
    if bug == "the turn without the interpreter's lock":
        yield store("gil", 0, RELEASE)
    if bug != "command after the turn":
        changed = yield from keep(False, bug)
    if changed and bug != "who steps for others does not ring":
        yield from ring()
    del changed
    if bug == "the turn without the interpreter's lock":
        yield lock("gil")


def teller(commands: tuple[int, ...], sends: int, tries: int, bug: str) -> Steps:
    for command in commands:
        yield lock("gil")
        if bug == "bytes before the command" and command == sends:
            yield store("sent", 1, SEQ)
        yield from tell(command, bug)
        if command == sends and bug != "bytes before the command":
            yield store("sent", 1, SEQ)
        if tries:
            yield from settled(command, tries)
        else:
            yield store("gil", 0, RELEASE)


def settled(command: int, tries: int) -> Steps:  # OrderTable.settled, then Table.fetch
    # With everything in it that was told, and that the client's thread has taken. Too late: uncertain, nothing is said.
    told = yield load("told")
    seen = yield load("watermark", ACQUIRE)
    yield store("gil", 0, RELEASE)
    for _ in range(tries):
        obeyed = yield load("obeyed", ACQUIRE)
        stepped = yield load("stepped", ACQUIRE)
        if obeyed >= told and stepped >= seen:
            row = yield from read()
            if row is not None:
                require(messages_of(row) >= seen, "a reading is older than what the client's thread has taken")
                require(commands_of(row) >= told, "a reading is older than what was told")
                require(f"c{command}" in row, "a command is not in the row")
            return row
        del obeyed, stepped
    return None


def read() -> Steps:
    before = yield load("lock", ACQUIRE)
    if before % 2:
        return None
    one = yield load("a")
    two = yield load("b")
    yield fence(ACQUIRE)
    after = yield load("lock")
    if before != after:
        return None
    require(one == two, "the row shows a state that the machine never had")
    return one


def reader() -> Steps:
    # settled, by a thread that has no lock: what it has seen of the rings is in the row.
    seen = yield load("watermark", ACQUIRE)
    stepped = yield load("stepped", ACQUIRE)
    if stepped >= seen:
        row = yield from read()
        require(row is None or messages_of(row) >= seen, "a reading is older than what the client's thread has taken")


def outsider(reads: int) -> Steps:
    # Another process: it knows of no lock.
    newest = 0
    for _ in range(reads):
        row = yield from read()
        if row is not None:
            require(len(row) >= newest, "an older row comes after a newer one")
            newest = len(row)
        del row


def waiter(messages: int) -> Steps:
    # Until the row has the last message.
    while True:
        heard = yield load("rings", ACQUIRE)
        row = yield from read()
        if row is not None and messages_of(row) >= messages:
            return
        del row
        yield futex_wait("rings", heard)
        del heard


def judge(everybody: tuple[str, ...], messages: int, tells: tuple[tuple[int, ...], ...], answers: int, ends: bool,
          mortal: bool) -> Steps:
    for name in everybody:
        if not (mortal and name == "receiver"):
            yield join(name)
    if mortal:
        return
    history = yield load("machine")
    commands = sum(map(len, tells))
    require(messages_of(history) == messages and commands_of(history) == commands, "a step is lost")
    for told in tells:
        places = [history.index(f"c{command}") for command in told]
        require(places == sorted(places), "a command overtakes an earlier one")
        del places
    del told
    require(history.count(END) == ends, "the end is lost")
    if answers:
        require(history.index("c1") < history.index(f"m{answers}"), "the answer overtakes the command")
    row = yield from read()
    require(row == history, "the last step is not in the row")
    obeyed = yield load("obeyed", ACQUIRE)
    stepped = yield load("stepped", ACQUIRE)
    require((obeyed, stepped) == (commands, messages), "what is said at the end is not what was done")


def turns(bug: str = "", *, messages: int = 1, tells: tuple[tuple[int, ...], ...] = ((1,),), answers: int = 0,
          sends: int = 0, tries: int = 1, reads: bool = False, outside: int = 0, waits: bool = False, ends: bool = True,
          mortal: bool = False) -> Scenario:
    """The receiving thread, and who tells it what.

    ``tells``: for each teller its commands. ``answers``: the message that answers the command ``sends``. ``reads``: a
    thread reads. ``outside``: readings of another process. ``waits``: a thread waits for the last message. ``ends``:
    the connection does. ``mortal``: the receiving thread may stop for ever in the middle of a row.
    """
    threads: dict[str, Program] = {"receiver": partial(receiver, messages, answers, ends, mortal, bug)}
    for t, commands in enumerate(tells, 1):
        threads[f"teller{t}"] = partial(teller, commands, sends, tries, bug)
    steppers = " ".join(threads)
    if reads:
        threads["reader"] = reader
    if outside:
        threads["outsider"] = partial(outsider, outside)
    if waits:
        threads["waiter"] = partial(waiter, messages)
    tellers = " ".join(name for name in threads if name.startswith("teller"))
    threads["judge"] = partial(judge, tuple(threads), messages, tells, answers, ends, mortal)
    own = words("receiver", "used", "head_seq", "ended", "watermark", *(f"entry{n}" for n in range(messages)))
    own |= words(steppers, "turn", "commands", "lock", "obeyed", "stepped", "rings")
    own |= words(steppers, "machine", "a", "b", value=()) | words(tellers, "gil", "told", "sent")
    for t, commands in enumerate(tells, 1):
        own |= words(f"teller{t}", *(f"{field}{c}" for c in commands for field in ("next", "after")), value=-1)
    return Scenario("turns of the order machine", threads, own)
