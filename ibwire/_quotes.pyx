# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The quotes of the simulated market: what happens in one slot of a path, and how it moves a quote.

Strategy. A slot's events are drawn into an array of whole numbers and applied one after the other; objects are made only
of the changes that a caller asked for. What kinds of change there are, their class and how a size is written is the
caller's; slots, paths and sessions are in `ibwire.sim`.

Invariants. Everything is a function of whole numbers and of 64-bit hashes, the same on every machine. The array holds at
least one event that was not applied while `next_ns` is looked at. 1 <= bid < ask; sizes > 0; low <= last <= high.
"""

from cpython.mem cimport PyMem_Free, PyMem_Realloc
from cpython.object cimport PyObject, PyTypeObject
from cpython.ref cimport Py_INCREF
from cpython.tuple cimport PyTuple_SET_ITEM
from libc.stdint cimport int64_t, uint64_t

cdef extern from "Python.h":
    object PyType_GenericAlloc(PyTypeObject *kind, Py_ssize_t count)

cdef enum:
    MOVE = 0     # a: new bid, b: bid units, c: ask units
    SIZE = 1     # a: 1 for the bid, 0 for the ask, b: units
    TRADE = 2    # a: price, b: units
    BOTH = 3     # a: bid units, b: ask units
    DAY = 4      # a new session; a: the close before it, b: its first price
    SHOWN_UNITS = 30  # displayed sizes are 1..SHOWN_UNITS quote units
    KINDS = 11
    MOST_GROUPS = 1 << 22

cdef int64_t MOST_UNITS = 1 << 45  # of one slot: products with it stay whole numbers
cdef uint64_t _A = 0x9E3779B97F4A7C15
cdef uint64_t _B = 0xBF58476D1CE4E5B9
cdef uint64_t _C = 0x94D049BB133111EB

cdef struct Event:
    int64_t at_ns
    int64_t a
    int64_t b
    int64_t c
    int what


cdef inline uint64_t _mix(uint64_t key) noexcept:
    key = (key ^ (key >> 30)) * _B
    key = (key ^ (key >> 27)) * _C
    return key ^ (key >> 31)


cdef inline int64_t _floor(int64_t value, int64_t by) noexcept:
    """value // by as Python has it, by > 0."""
    cdef int64_t found = value / by
    return found - 1 if value % by < 0 else found


cdef inline void _put(Event *event, int64_t at_ns, int what, int64_t a, int64_t b, int64_t c) noexcept:
    event.at_ns, event.what, event.a, event.b, event.c = at_ns, what, a, b, c


cdef class _Slot:
    """Room for the events of one slot."""

    cdef Event *events
    cdef int64_t *bids
    cdef Py_ssize_t count, room
    cdef Py_ssize_t high_at, low_at

    def __cinit__(self):
        self.events = NULL
        self.bids = NULL
        self.count = self.room = 0

    def __dealloc__(self):
        PyMem_Free(self.events)
        PyMem_Free(self.bids)

    cdef int reserve(self, Py_ssize_t groups) except -1:
        cdef void *found
        if groups > MOST_GROUPS:
            raise OverflowError(f"a slot of {groups} groups")
        if groups <= self.room:
            return 0
        found = PyMem_Realloc(self.events, 3 * groups * sizeof(Event))
        if found == NULL:
            raise MemoryError()
        self.events = <Event *>found
        found = PyMem_Realloc(self.bids, groups * sizeof(int64_t))
        if found == NULL:
            raise MemoryError()
        self.bids = <int64_t *>found
        self.room = groups
        return 0

    cdef void leg(self, Py_ssize_t start, Py_ssize_t place, int64_t begin, int64_t end) noexcept:
        cdef Py_ssize_t index, steps = place - start
        for index in range(1, steps):
            self.bids[start + index] = begin + _floor((end - begin) * index, steps)
        self.bids[place] = end

    cdef void draw_bids(
        self, uint64_t r, int64_t open_, int64_t high, int64_t low, int64_t close, Py_ssize_t groups
    ) noexcept:
        """The bid of every group, and in which group it is highest and lowest."""
        cdef Py_ssize_t middle = groups // 2
        cdef Py_ssize_t first = 1 + <Py_ssize_t>((r >> 4) % <uint64_t>((groups - 2) // 2))
        cdef Py_ssize_t second = middle + <Py_ssize_t>((r >> 20) % <uint64_t>(groups - 1 - middle))
        cdef bint rising = r >> 3 & 1
        cdef int64_t one = low if rising else high
        cdef int64_t other = high if rising else low
        self.bids[0] = open_
        self.leg(0, first, open_, one)
        self.leg(first, second, one, other)
        self.leg(second, groups - 1, other, close)
        self.high_at, self.low_at = (second, first) if rising else (first, second)

    cdef int draw(self, object shape, object node, int64_t start_s, int64_t spread) except -1:
        """The events of the slot that begins at `start_s`, in time order."""
        cdef uint64_t key = shape[0], r, state
        cdef int64_t slot_s = shape[1]
        cdef Py_ssize_t groups = shape[2], group, last
        cdef bint quoted = shape[3], traded = shape[4]
        cdef int64_t open_ = node[0], high = node[1], low = node[2], close = node[3], left = node[4]
        cdef uint64_t head = _mix(key ^ <uint64_t>start_s * _A)
        cdef int64_t step_ns, third_ns, at_ns, when, bid, units, spare, rest, resized
        cdef Event *event
        cdef bint side
        if groups < 4 or not -MOST_UNITS < left < MOST_UNITS:
            raise OverflowError(f"a slot of {groups} groups and {left} units")
        self.reserve(groups)
        self.draw_bids(head, open_, high, low, close, groups)
        event = self.events
        step_ns = slot_s * 1_000_000_000 // groups
        third_ns = step_ns // 3
        at_ns = start_s * 1_000_000_000
        state, last, units = head, groups - 1, 0
        for group in range(groups):
            bid = self.bids[group]
            state += _A
            r = (state ^ (state >> 30)) * _B
            r ^= r >> 27
            when = at_ns + <int64_t>(r & 1023) * third_ns // 1024
            if traded:
                rest = last - group
                spare = left - rest
                # The last trade takes what is left; those before it about their share.
                units = spare
                if rest:
                    units = 1 + _floor(<int64_t>(r >> 10 & 0xFFFF) * _floor(2 * spare, rest + 1), 65_536)
                    units = min(units, spare)
                left -= units
            at_ns += step_ns
            if not quoted:
                _put(event, when, TRADE, bid, 0, 0)
                event += 1
                continue
            resized = 1 + <int64_t>(r >> 46 & 255) * SHOWN_UNITS // 256
            _put(
                event,
                when,
                MOVE,
                bid,
                1 + (<int64_t>(r >> 26 & 1023) * SHOWN_UNITS >> 10),
                1 + (<int64_t>(r >> 36 & 1023) * SHOWN_UNITS >> 10),
            )
            _put(event + 1, when + third_ns, SIZE, r >> 54 & 1, resized, 0)
            if not traded:
                _put(event + 2, when + 2 * third_ns, BOTH, 1 + <int64_t>(r >> 55) * SHOWN_UNITS // 512, resized, 0)
            else:
                side = r >> 55 & 1
                if group == self.high_at:
                    side = True
                elif group == self.low_at:
                    side = False
                elif group == 0:
                    side = head & 1
                elif group == last:
                    side = head >> 1 & 1
                _put(event + 2, when + 2 * third_ns, TRADE, bid + spread if side else bid, units, 0)
            event += 3
        self.count = event - self.events
        return 0


def slot_events(shape: object, node: object, start_s: int, spread: int) -> list:
    """What happens in the slot that begins at `start_s`, in time order: (time_ns, what, a, b, c)."""
    cdef _Slot slot = _Slot()
    cdef Py_ssize_t index
    cdef Event event
    cdef list out = []
    slot.draw(shape, node, start_s, spread)
    for index in range(slot.count):
        event = slot.events[index]
        out.append((event.at_ns, event.what, event.a, event.b, event.c))
    return out


cdef class QuoteState:
    """A quote in whole price steps and size units, and the events that move it."""

    cdef public int64_t _bid, _spread, _last, _bid_units, _ask_units, _last_units, _volume_units, _liquid_ns
    cdef public bint _has_trades, _has_quotes, _opened
    cdef public int64_t open, high, low, close, next_ns
    cdef public dict _sizes
    cdef object change
    cdef tuple kinds
    cdef object zero
    cdef _Slot slot
    cdef Py_ssize_t index

    def __init__(self, change: type, kinds: tuple, zero: object) -> None:
        if not issubclass(change, tuple) or len(kinds) != KINDS:
            raise TypeError("a change is a tuple, and its kinds are eleven")
        self.change, self.kinds, self.zero = change, kinds, zero
        self._sizes = {0: zero}
        self._bid = self._spread = self._bid_units = self._ask_units = 1
        self.open = self.high = self.low = self.close = 1
        self.slot = _Slot()

    # -- events ------------------------------------------------------------------------------------------------------

    def _load_slot(self, shape: object, node: object, start_s: int, spread: int) -> None:
        """Make the events of a slot the next ones."""
        self.slot.draw(shape, node, start_s, spread)
        self.index = 0
        self.next_ns = self.slot.events[0].at_ns

    def _load_day(self, at_ns: int, close: int, first: int) -> None:
        """Make the beginning of a session the next event: the close before it, its first price."""
        self.slot.reserve(1)
        _put(self.slot.events, at_ns, DAY, close, first, 0)
        self.slot.count = 1
        self.index = 0
        self.next_ns = at_ns

    def step(self, now_ns: int) -> list:
        """Return every change up to and including `now_ns`, in time order.

        How a span is cut into calls makes no difference: one long step gives what many short ones give.
        """
        cdef int64_t until_ns = now_ns
        cdef list out = []
        while self.next_ns <= until_ns:
            self.apply(self.slot.events[self.index], out)
            self.index += 1
            if self.index < self.slot.count:
                self.next_ns = self.slot.events[self.index].at_ns
            else:
                self._refill()
        return out

    cdef int tell(self, list out, int kind, int64_t steps, object size, int64_t at_ns) except -1:
        cdef object made = PyType_GenericAlloc(<PyTypeObject *>self.change, 4)
        cdef object name = self.kinds[kind], price = steps, when = at_ns
        Py_INCREF(name)
        PyTuple_SET_ITEM(made, 0, name)
        Py_INCREF(price)
        PyTuple_SET_ITEM(made, 1, price)
        Py_INCREF(size)
        PyTuple_SET_ITEM(made, 2, size)
        Py_INCREF(when)
        PyTuple_SET_ITEM(made, 3, when)
        out.append(made)
        return 0

    cdef object written(self, int64_t units):
        cdef object found = self._sizes.get(units)
        return self.size(units) if found is None else found

    cdef int apply(self, Event event, list out) except -1:
        cdef int64_t at_ns = event.at_ns
        if event.what == SIZE:
            if event.a:
                self._bid_units = event.b
            else:
                self._ask_units = event.b
            self.tell(out, 3 if event.a else 4, 0, self.written(event.b), at_ns)
        elif event.what == TRADE:
            self.trade(at_ns, out, event.a, event.b)
        elif event.what == MOVE:
            self._bid_units, self._ask_units = event.b, event.c
            if event.a == self._bid:
                self.tell(out, 3, 0, self.written(event.b), at_ns)
                self.tell(out, 4, 0, self.written(event.c), at_ns)
                return 0
            self._bid = event.a
            self.tell(out, 0, event.a, self.written(event.b), at_ns)
            self.tell(out, 1, event.a + self._spread, self.written(event.c), at_ns)
            if not self._has_trades:
                self._last = event.a
                self.extremes(at_ns, out, event.a)
        elif event.what == BOTH:
            self._bid_units, self._ask_units = event.a, event.b
            self.tell(out, 3, 0, self.written(event.a), at_ns)
            self.tell(out, 4, 0, self.written(event.b), at_ns)
        else:
            self._begin(at_ns, out, event.a, event.b)
        return 0

    cdef int trade(self, int64_t at_ns, list out, int64_t steps, int64_t units) except -1:
        cdef bint moved = steps != self._last
        self._last, self._last_units = steps, units
        self._volume_units += units
        if moved or not self._has_quotes:
            self.tell(out, 2, steps, self.written(units), at_ns)
        else:
            self.tell(out, 5, 0, self.written(units), at_ns)
        if self._has_quotes:
            self.tell(out, 6, 0, self.written(self._volume_units), at_ns)
        if not self._opened and at_ns >= self._liquid_ns:
            self._opened = True
            self.open = steps
            self.tell(out, 9, steps, self.zero, at_ns)
        return self.extremes(at_ns, out, steps)

    cdef int extremes(self, int64_t at_ns, list out, int64_t steps) except -1:
        if steps > self.high:
            self.high = steps
            self.tell(out, 7, steps, self.zero, at_ns)
        if steps < self.low:
            self.low = steps
            self.tell(out, 8, steps, self.zero, at_ns)
        return 0

    def _trade(self, at_ns: int, out: list, steps: int, units: int) -> None:
        self.trade(at_ns, out, steps, units)

    def _extremes(self, at_ns: int, out: list, steps: int) -> None:
        self.extremes(at_ns, out, steps)

    def _begin(self, at_ns: int, out: list, close: int, first: int) -> None:
        self.close = close
        self.open = self.high = self.low = self._last = first
        self._volume_units = 0
        self._opened = False
        self.tell(out, 10, close, self.zero, at_ns)
