"""The two memories under which the threads of a protocol run: what each access may do, in each state.

``Tso``, the memory of x86: each thread has a queue of stores that reach the memory later, in order; its own loads see
them before. A seq_cst store, a read-modify-write, a seq_cst fence and a system call wait until the queue is empty.

``Relaxed``, the memory of C11 (and so of every compiler and processor): a word is the list of all stores to it, in the
order that all threads agree upon. A thread has a *view*: for each word the oldest store that it may still read. A load
takes any store from there on, so loads see old values and stores to different words seem to arrive in any order. A
release store carries its thread's view along, and who acquires it joins that view to his own; a release fence does it
for the relaxed stores that follow, an acquire fence for the relaxed loads before. A seq_cst fence joins a view that all
such fences share; a seq_cst access may not read what is older than the newest seq_cst access to that word. A store goes
into the list anywhere above its thread's view, a read-modify-write right behind what it read. ``start`` begins plain
loads whose values are not needed before ``arrive``: they may happen after stores that follow them, but not beyond a
release store, a fence or another barrier. This is the view machine of the C11 repairs in use (RC11 and "promising"
semantics) plus delayed loads; a store that depends on a load never comes before it, as on every real processor.

Not every order of steps is taken: where a thread's next step has no effect on the others and they have none on it, that
step comes first and alone. Such steps are: a queued store, fences but seq_cst ones, a load of a word that no living
thread else writes; in ``Relaxed`` also a store to a word that nobody else writes, for its readers may ignore it as
long as they like. Programs are bounded, so nothing is put off for ever.
"""

from __future__ import annotations

from typing import Any

from tools.model_checker.access import ACQUIRE, RELAXED, RELEASE, SEQ, Op, Scenario, describe
from tools.model_checker.automaton import Automaton

CHANGES = ("add", "swap", "replace", "lock")  # read-modify-writes
State = tuple[Any, ...]
Move = tuple[int, str, Any, State]  # who, what happened, with which value, and then


class Memory:
    """What both memories have in common. A state is (nodes, each thread's own part, the shared part)."""

    name = ""

    def __init__(self, scenario: Scenario) -> None:
        self.names = list(scenario.threads)
        self.programs = [Automaton(program) for program in scenario.threads.values()]
        self.words = list(scenario.words)
        self.at = {word: i for i, word in enumerate(self.words)}
        self.values = [value for value, _ in scenario.words.values()]
        self.writers = [frozenset(self.names.index(name) for name in who) for _, who in scenario.words.values()]

    def op(self, state: State, t: int) -> Op | None:
        at: int = state[0][t]
        return self.programs[t].nodes[at].op

    def initial(self) -> State:
        raise NotImplementedError

    def moves(self, state: State, t: int, op: Op) -> tuple[bool, list[Move]]:
        """What thread t may do next, and whether it is nobody else's concern."""
        raise NotImplementedError

    def background(self, state: State, t: int) -> list[Move]:
        return []

    def over(self, state: State, t: int) -> bool:
        """Thread t has ended, and everything it stored has arrived."""
        return self.op(state, t) is None

    def others_write(self, state: State, t: int, word: int) -> bool:
        return any(u != t and not self.over(state, u) for u in self.writers[word])

    def successors(self, state: State) -> list[Move]:
        every: list[Move] = []
        for t in range(len(self.names)):
            op = self.op(state, t)
            if op is not None:
                if op.kind in ("store", *CHANGES) and t not in self.writers[self.at[op.word]]:
                    raise AssertionError(f"{self.names[t]} may not write {op.word}")
                alone, moves = self.moves(state, t, op)
                if alone and moves:
                    return moves
                every += moves
            every += self.background(state, t)
        return every

    def go(self, state: State, t: int, value: Any, own: Any, shared: Any) -> State:
        nodes, parts, _ = state
        node = self.programs[t].step(nodes[t], value)
        if self.programs[t].nodes[node].op is None:
            own = self.at_end(own)
        return (*nodes[:t], node, *nodes[t + 1 :]), (*parts[:t], own, *parts[t + 1 :]), shared

    def put(self, state: State, t: int, own: Any, shared: Any) -> State:
        nodes, parts, _ = state
        return nodes, (*parts[:t], own, *parts[t + 1 :]), shared

    def at_end(self, own: Any) -> Any:
        return own

    def tidied(self, state: State) -> State:
        """The same state, without what can make no difference any more."""
        return state

    def final(self, state: State) -> tuple[Any, ...]:
        """The words' values where all threads have ended."""
        values: tuple[Any, ...] = state[2]
        return values

    def broken(self, state: State) -> str:
        for t, node in enumerate(state[0]):
            if self.programs[t].nodes[node].broken:
                return f"{self.names[t]}: {self.programs[t].nodes[node].broken}"
        return ""

    def waiting(self, state: State) -> str:
        """Who waits, in a state where nothing more can happen."""
        return ", ".join(name for t, name in enumerate(self.names) if self.op(state, t) is not None)


ASLEEP = "asleep"
Pending = tuple[tuple[int, Any], ...]  # loads that were started: word, and value where it has come


def _first_missing(pending: Pending) -> int:
    return next((i for i, (_, value) in enumerate(pending) if value is None), -1)


def _filled(pending: Pending, i: int, value: Any) -> Pending:
    return (*pending[:i], (pending[i][0], value), *pending[i + 1 :])


class Tso(Memory):
    """Own part: (queue of stores, pending loads, asleep or ""). Shared part: the words' values."""

    name = "tso"

    def initial(self) -> State:
        return tuple(p.first for p in self.programs), tuple(((), (), "") for _ in self.programs), tuple(self.values)

    def over(self, state: State, t: int) -> bool:
        return self.op(state, t) is None and not state[1][t][0]

    def background(self, state: State, t: int) -> list[Move]:
        queue, pending, sleep = state[1][t]
        if not queue:
            return []
        word, value = queue[0]
        shared = self._with(state[2], word, value)
        after = self.put(state, t, (queue[1:], pending, sleep), shared)
        return [(t, f"queue: {self.words[word]} reaches memory", value, after)]

    @staticmethod
    def _with(values: tuple[Any, ...], word: int, value: Any) -> tuple[Any, ...]:
        return (*values[:word], value, *values[word + 1 :])

    def _sees(self, state: State, t: int, word: int) -> Any:
        for at, value in reversed(state[1][t][0]):
            if at == word:
                return value
        return state[2][word]

    def moves(self, state: State, t: int, op: Op) -> tuple[bool, list[Move]]:
        own = state[1][t]
        queue, pending, sleep = own
        shared = state[2]
        if sleep:
            return True, []
        missing = _first_missing(pending)
        if missing >= 0:  # loads happen in their order
            word = pending[missing][0]
            value = self._sees(state, t, word)
            filled = (queue, _filled(pending, missing, value), "")
            move = (t, f"load {self.words[word]}", value, self.put(state, t, filled, shared))
            return not self.others_write(state, t, word), [move]
        word = self.at.get(op.word, -1)
        if op.kind == "store" and op.order != SEQ:
            queued = ((*queue, (word, op.value)), pending, "")
            return True, [(t, describe(op), None, self.go(state, t, None, queued, shared))]
        if op.kind == "load":
            value = self._sees(state, t, word)
            move = (t, describe(op), value, self.go(state, t, value, own, shared))
            return not self.others_write(state, t, word), [move]
        if op.kind == "start":
            started = (queue, tuple((self.at[name], None) for name in op.value), "")
            return True, [(t, describe(op), None, self.go(state, t, None, started, shared))]
        if op.kind == "arrive":
            value = tuple(value for _, value in pending)
            return True, [(t, describe(op), value, self.go(state, t, value, (queue, (), ""), shared))]
        if op.kind == "choose":
            return True, [(t, describe(op), i, self.go(state, t, i, own, shared)) for i in range(op.value)]
        if op.kind == "fence" and op.order != SEQ:
            return True, [(t, describe(op), None, self.go(state, t, None, own, shared))]
        return False, [] if queue else self._barrier(state, t, op, word)

    def _barrier(self, state: State, t: int, op: Op, word: int) -> list[Move]:
        # What waits for an empty queue, and acts on the memory itself.
        own, shared = state[1][t], state[2]
        value: Any = None
        if op.kind == "store":
            shared = self._with(shared, word, op.value)
        elif op.kind in CHANGES:
            value, new = _change(op, shared[word])
            if op.kind == "lock" and value:
                return []
            shared = self._with(shared, word, new)
        elif op.kind == "futex_wait":
            if shared[word] == op.value:
                return [(t, describe(op) + ": sleeps", None, self.put(state, t, ((), (), ASLEEP), shared))]
        elif op.kind == "futex_wake":
            for u, (queue, pending, sleep) in enumerate(state[1]):
                waits = self.op(state, u)
                if sleep and waits is not None and waits.word == op.word:
                    state = self.go(state, u, None, (queue, pending, ""), shared)
        elif op.kind == "readable":
            if not shared[word]:
                return []
        elif op.kind == "join" and not self.over(state, self.names.index(op.value)):
            return []
        return [(t, describe(op), value, self.go(state, t, value, own, shared))]


def _change(op: Op, old: Any) -> tuple[Any, Any]:
    """What a read-modify-write that reads ``old`` gives, and what it leaves."""
    if op.kind == "replace":
        return old == op.value[0], op.value[1] if old == op.value[0] else old
    return old, old + op.value if op.kind == "add" else op.value


View = tuple[int, ...]


def _join(one: View, other: View) -> View:
    return one if one is other else tuple(map(max, one, other))


def _raised(view: View, word: int, at: int) -> View:
    return view if view[word] >= at else (*view[:word], at, *view[word + 1 :])


class Relaxed(Memory):
    """Own part: (view, view for an acquire fence, view of the last release fence, pending loads, asleep or "").

    Shared part: (for each word its stores (value, view that comes along, is a read-modify-write), view of seq_cst
    fences and accesses, view that system calls pass on).
    """

    name = "relaxed"

    def initial(self) -> State:
        zero = (0,) * len(self.words)
        stores = tuple(((value, zero, False),) for value in self.values)
        own = (zero, zero, zero, (), "")
        return tuple(p.first for p in self.programs), tuple(own for _ in self.programs), (stores, zero, zero)

    def at_end(self, own: Any) -> Any:
        zero = (0,) * len(self.words)
        return own[0], zero, zero, (), ""  # the view stays, for who joins

    def final(self, state: State) -> tuple[Any, ...]:
        return tuple(line[-1][0] for line in state[2][0])

    def tidied(self, state: State) -> State:
        # Without the stores that no living thread can read any more.
        nodes, parts, (stores, seq, kernel) = state
        alive = [part[0] for t, part in enumerate(parts) if self.op(state, t) is not None]
        old = tuple(map(min, *alive)) if len(alive) > 1 else alive[0] if alive else ()
        if not any(old):
            return state

        def down(view: View) -> View:
            return tuple([a - b if a > b else 0 for a, b in zip(view, old, strict=True)])

        parts = tuple([(down(cur), down(acq), down(rel), pending, sleep) for cur, acq, rel, pending, sleep in parts])
        lines = [line[n:] if n else line for line, n in zip(stores, old, strict=True)]
        stores = tuple([tuple([(value, down(view), rmw) for value, view, rmw in line]) for line in lines])
        return nodes, parts, (stores, down(seq), down(kernel))

    def moves(self, state: State, t: int, op: Op) -> tuple[bool, list[Move]]:
        own = state[1][t]
        if own[4]:
            return True, []
        pending = own[3]
        word = self.at.get(op.word, -1)
        missing = _first_missing(pending)
        if missing >= 0:
            if self._forces(op) or any(word == w for w, _ in pending):
                return not self.others_write(state, t, pending[missing][0]), self._fill(state, t, missing)
            if op.order == ACQUIRE:  # what is loaded late, after this, may not be old any more: so also before
                early = [m for i, (_, value) in enumerate(pending) if value is None for m in self._fill(state, t, i)]
                return False, early + self._step(state, t, op, word)[1]
        return self._step(state, t, op, word)

    @staticmethod
    def _forces(op: Op) -> bool:
        return op.order in (RELEASE, SEQ) or op.kind in (
            *("fence", "start", "arrive", "join", "futex_wait", "futex_wake", "readable"),
        )

    def _fill(self, state: State, t: int, i: int) -> list[Move]:
        cur, acq, rel, pending, _ = state[1][t]
        stores = state[2][0]
        word = pending[i][0]
        found = []
        for at in range(cur[word], len(stores[word])):
            value, view, _ = stores[word][at]
            now, later = _raised(cur, word, at), _raised(_join(acq, view), word, at)
            after = self.put(state, t, (now, later, rel, _filled(pending, i, value), ""), state[2])
            found.append((t, f"load {self.words[word]}{self._age(stores[word], at)}", value, after))
        return found

    @staticmethod
    def _age(stores: tuple[Any, ...], at: int) -> str:
        return "" if at == len(stores) - 1 else f" [old: {len(stores) - 1 - at} newer]"

    def _step(self, state: State, t: int, op: Op, word: int) -> tuple[bool, list[Move]]:
        own = state[1][t]
        cur, acq, rel, pending, _ = own
        shared = state[2]
        if op.kind == "store":
            alone = op.order != SEQ and not self.others_write(state, t, word)
            return alone, self._stored(state, t, op, word)
        if op.kind == "load":
            alone = op.order != SEQ and not self.others_write(state, t, word)
            return alone, self._loaded(state, t, op, word)
        if op.kind in CHANGES:
            return False, self._changed(state, t, op, word)
        if op.kind == "start":
            begun = tuple((self.at[name], None) for name in op.value)
            return True, [(t, describe(op), None, self.go(state, t, None, (cur, acq, rel, begun, ""), shared))]
        if op.kind == "arrive":
            value = tuple(value for _, value in pending)
            return True, [(t, describe(op), value, self.go(state, t, value, (cur, acq, rel, (), ""), shared))]
        if op.kind == "choose":
            return True, [(t, describe(op), i, self.go(state, t, i, own, shared)) for i in range(op.value)]
        if op.kind == "fence" and op.order != SEQ:
            after = (acq, acq, rel, pending, "") if op.order == ACQUIRE else (cur, acq, cur, pending, "")
            return True, [(t, describe(op), None, self.go(state, t, None, after, shared))]
        return False, self._system(state, t, op, word)

    def _loaded(self, state: State, t: int, op: Op, word: int) -> list[Move]:
        cur, line = state[1][t][0], state[2][0][word]
        oldest = max(cur[word], state[2][1][word]) if op.order == SEQ else cur[word]
        found = []
        for at in range(oldest, len(line)):
            after = self._load_at(state, t, op, word, at, line[at][0])
            found.append((t, describe(op) + self._age(line, at), line[at][0], after))
        return found

    def _load_at(self, state: State, t: int, op: Op, word: int, at: int, value: Any) -> State:
        # Thread t reads that store of the word; its access gives it `value`.
        cur, acq, rel, pending, _ = state[1][t]
        stores, seq, kernel = state[2]
        view = stores[word][at][1]
        now, later = _raised(cur, word, at), _raised(_join(acq, view), word, at)
        if op.order != RELAXED:
            now = _join(now, view)
        agreed = (stores, _raised(seq, word, at), kernel) if op.order == SEQ else state[2]
        return self.go(state, t, value, (now, later, rel, pending, ""), agreed)

    def _stored(self, state: State, t: int, op: Op, word: int) -> list[Move]:
        stores, seq, _ = state[2]
        oldest = max(state[1][t][0][word], seq[word]) if op.order == SEQ else state[1][t][0][word]
        found = []
        for at in range(oldest + 1, len(stores[word]) + 1):
            if at < len(stores[word]) and stores[word][at][2]:
                continue  # nothing comes between a read-modify-write and what it read
            after = self._inserted(state, t, op, word, at, op.value, None)
            found.append((t, describe(op), None, self.go(after, t, None, after[1][t], after[2])))
        return found

    def _changed(self, state: State, t: int, op: Op, word: int) -> list[Move]:
        stores, seq, _ = state[2]
        cur, acq, rel, pending, _ = state[1][t]
        oldest = max(cur[word], seq[word]) if op.order == SEQ else cur[word]
        found = []
        for at in range(oldest, len(stores[word])):
            value, new = _change(op, stores[word][at][0])
            if op.kind == "replace" and not value:
                found += self._refused(state, t, op, word, at)
                continue
            if at + 1 < len(stores[word]) and stores[word][at + 1][2]:
                continue
            if op.kind == "lock" and value:
                continue
            _, view, _ = stores[word][at]
            now = _join(cur, view) if op.order in (ACQUIRE, SEQ) else cur
            before = self.put(state, t, (_raised(now, word, at), _join(acq, view), rel, pending, ""), state[2])
            after = self._inserted(before, t, op, word, at + 1, new, view)
            found.append((t, describe(op), value, self.go(after, t, value, after[1][t], after[2])))
        return found

    def _refused(self, state: State, t: int, op: Op, word: int, at: int) -> list[Move]:
        # A replacement that finds something else is a load.
        read = op if op.order == SEQ else op._replace(order=RELAXED)
        after = self._load_at(state, t, read, word, at, False)
        return [(t, describe(op) + self._age(state[2][0][word], at), False, after)]

    def _inserted(self, state: State, t: int, op: Op, word: int, at: int, value: Any, read: View | None) -> State:
        # The state with a new store at that place of the word's list; read: view of what a read-modify-write read.
        if at < len(state[2][0][word]):
            state = self._shifted(state, word, at)
        stores, seq, kernel = state[2]
        cur, acq, rel, pending, _ = state[1][t]
        cur, acq = _raised(cur, word, at), _raised(acq, word, at)
        along = cur if op.order in (RELEASE, SEQ) else _raised(rel, word, at)
        if read is not None:
            along = _join(along, read)  # a release sequence goes on
        line = (*stores[word][:at], (value, along, read is not None), *stores[word][at:])
        stores = (*stores[:word], line, *stores[word + 1 :])
        if op.order == SEQ:
            seq = _raised(seq, word, at)
        return self.put(state, t, (cur, acq, rel, pending, ""), (stores, seq, kernel))

    def _shifted(self, state: State, word: int, at: int) -> State:
        # Every view, with the places of that word from `at` on moved up by one.
        def up(view: View) -> View:
            return view if view[word] < at else (*view[:word], view[word] + 1, *view[word + 1 :])

        nodes, parts, (stores, seq, kernel) = state
        parts = tuple((up(cur), up(acq), up(rel), pending, sleep) for cur, acq, rel, pending, sleep in parts)
        stores = tuple(tuple((value, up(view), rmw) for value, view, rmw in line) for line in stores)
        return nodes, parts, (stores, up(seq), up(kernel))

    def _system(self, state: State, t: int, op: Op, word: int) -> list[Move]:
        cur, acq, rel, pending, _ = state[1][t]
        stores, seq, kernel = state[2]
        if op.kind == "fence":  # seq_cst
            seq = _join(_join(cur, acq), seq)
            own = (seq, seq, seq, pending, "")
            return [(t, describe(op), None, self.go(state, t, None, own, (stores, seq, kernel)))]
        if op.kind == "join":
            u = self.names.index(op.value)
            if self.op(state, u) is not None:
                return []
            cur = _join(cur, state[1][u][0])
            own = (cur, _join(acq, cur), rel, pending, "")
            return [(t, describe(op), None, self.go(state, t, None, own, state[2]))]
        if op.kind == "readable":
            value, view, _ = stores[word][-1]
            cur = _join(cur, view)
            own = (cur, _join(acq, cur), rel, pending, "")
            return [(t, describe(op), value, self.go(state, t, value, own, state[2]))] if value else []
        cur = kernel = _join(cur, kernel)  # a futex call locks the word's queue in the kernel
        acq, rel, shared = _join(acq, cur), _join(rel, cur), (stores, seq, kernel)
        own = (cur, acq, rel, pending, "")
        if op.kind == "futex_wake":
            for u, (cur2, acq2, rel2, pending2, sleep) in enumerate(state[1]):
                waits = self.op(state, u)
                if sleep and waits is not None and waits.word == op.word:
                    woken = (_join(cur2, kernel), _join(acq2, kernel), rel2, pending2, "")
                    state = self.go(state, u, None, woken, shared)
            return [(t, describe(op), None, self.go(state, t, None, own, shared))]
        found = []
        for at in range(cur[word], len(stores[word])):
            now = (_raised(cur, word, at), _raised(acq, word, at), rel, pending, "")
            if stores[word][at][0] == op.value:
                found.append((t, describe(op) + ": sleeps", None, self.put(state, t, (*now[:4], ASLEEP), shared)))
            else:
                found.append((t, describe(op), None, self.go(state, t, None, now, shared)))
        return found


MEMORIES: dict[str, type[Memory]] = {"tso": Tso, "relaxed": Relaxed}
