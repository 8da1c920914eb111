# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The rings: a market ring that overwrites and tells, log rings that lose nothing, and the region that others may map.

One producer appends, without the GIL; consumers read with the GIL, each with its own cursor. The producer never waits
for a consumer. Memory order stands beside each atomic; docs/ring/model.md has the protocols as numbered steps.

Market ring, as a seqlock over the whole ring: the producer first raises ``market_reserved`` past what it is about to
write, then writes, then raises ``market_head``. A reader copies, then looks at ``market_reserved``: what the producer
may have touched since (everything a whole ring behind it) is dropped and counted as a gap.
"""

cimport cython
from cpython.buffer cimport PyBUF_C_CONTIGUOUS, PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytearray cimport PyByteArray_AS_STRING
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.exc cimport PyErr_CheckSignals
from libc.math cimport NAN
from libc.stdint cimport int8_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcmp, memcpy, memset

cdef extern from "Python.h":
    unsigned long PyThread_get_thread_ident() nogil

cdef extern from "_memory.h" nogil:
    void *ibw_map(size_t bytes)
    void ibw_unmap(void *at, size_t bytes)
    void *ibw_map_much(size_t bytes)
    void ibw_unmap_much(void *at, size_t bytes)
    void ibw_expect(void *at)
    void ibw_touch(void *at, size_t bytes)

cdef extern from "unistd.h" nogil:
    ssize_t write(int fd, const void *data, size_t n)
    ssize_t read(int fd, void *data, size_t n)

cdef extern from "pthread.h" nogil:
    int pthread_atfork(void (*prepare)() noexcept, void (*parent)() noexcept, void (*child)() noexcept)

cdef enum:
    RECORD = 64
cdef uint64_t ORDER_BYTES = 320        # of a row of the order table
cdef uint64_t SHORT_COPY = 1024  # records that are copied sooner than the GIL is given up and got back
cdef int PART_AT = 17          # where a record says which part of its message it is
cdef uint64_t SEGMENT_BYTES = 1 << 20
cdef uint64_t NOBODY = <uint64_t>-1
cdef int64_t SLICE_NS = 50_000_000   # no wait is deaf to signals for longer

cdef bytes MAGIC = b"ibwire\r\n"

cdef object _array_of = None
cdef object _errors = None
cdef int64_t _forks = 0


cdef void _in_child() noexcept nogil:
    global _forks
    _forks += 1


pthread_atfork(NULL, NULL, &_in_child)


def setup(array_of, errors):
    """Give what this module may not import; called once, by ``ring/impl.py``.

    Parameters
    ----------
    array_of : makes a read-only array of (buffer, count, first). No numpy is known here.
    errors : the module with the exception classes.
    """
    global _array_of, _errors
    _array_of = array_of
    _errors = errors


cdef object _error(str name, str problem, str hint=""):
    # An exception of ibwire.errors; of the builtins while nobody has given that module.
    if _errors is None:
        return RuntimeError(problem)
    return getattr(_errors, name)(problem, hint=hint)


# ------------------------------------------------------------------------------------------------- after a receive

cdef class Stepper:
    """What the producer runs with each publication, before it says so. This one does nothing.

    Stepped in the producer's thread, without the GIL.
    """

    cdef void step(self, uint64_t head, uint64_t seq) noexcept nogil:
        pass

    cdef void idle(self, int64_t now_ns) noexcept nogil:
        pass

    cdef void ended(self, int64_t now_ns) noexcept nogil:
        pass


@cython.final
cdef class StepBoth(Stepper):
    """Two steppers, one after the other."""

    cdef Stepper first
    cdef Stepper second

    def __cinit__(self, Stepper first not None, Stepper second not None):
        self.first, self.second = first, second

    cdef void step(self, uint64_t head, uint64_t seq) noexcept nogil:
        self.first.step(head, seq)
        self.second.step(head, seq)

    cdef void idle(self, int64_t now_ns) noexcept nogil:
        self.first.idle(now_ns)
        self.second.idle(now_ns)

    cdef void ended(self, int64_t now_ns) noexcept nogil:
        self.first.ended(now_ns)
        self.second.ended(now_ns)


@cython.final
cdef class StepCount(Stepper):
    """Counts how often it was called, for tests: ``steps``, ``idles``, ``ends``, and the last ``head`` and ``seq``."""

    cdef uint64_t[5] seen      # written by the producer

    cdef void step(self, uint64_t head, uint64_t seq) noexcept nogil:
        ibw_store_relaxed(&self.seen[2], head)
        ibw_store_relaxed(&self.seen[3], seq)
        ibw_store_relaxed(&self.seen[0], self.seen[0] + 1)

    cdef void idle(self, int64_t now_ns) noexcept nogil:
        ibw_store_relaxed(&self.seen[1], self.seen[1] + 1)

    @property
    def steps(self):
        return ibw_load_relaxed(&self.seen[0])

    @property
    def idles(self):
        return ibw_load_relaxed(&self.seen[1])

    @property
    def head(self):
        return ibw_load_relaxed(&self.seen[2])

    @property
    def seq(self):
        return ibw_load_relaxed(&self.seen[3])

    cdef void ended(self, int64_t now_ns) noexcept nogil:
        ibw_store_relaxed(&self.seen[4], self.seen[4] + 1)

    @property
    def ends(self):
        return ibw_load_relaxed(&self.seen[4])


# ------------------------------------------------------------------------------------------------------ region

cdef inline uint64_t pages(uint64_t n) noexcept nogil:
    return (n + PAGE_BYTES - 1) & ~<uint64_t>(PAGE_BYTES - 1)


@cython.final
cdef class Region:
    """The memory that a session's producer writes and everybody else reads: pages of the header file, then the parts.

    Parameters
    ----------
    market_capacity : records of 64 bytes, a power of two of at least 64.
    tape_bytes, quotes_capacity, orders_capacity : sizes of the other parts; 0 leaves one out.
    sizes : (quote row bytes, order row bytes).
    memory : a writable buffer of :meth:`size_of` bytes that begins at a page, or None for memory of its own.

    Notes
    -----
    Written by one thread, the producer. Lives as long as anything that was made from it.
    """

    def __cinit__(self, uint64_t market_capacity=65536, *, uint64_t tape_bytes=0, uint64_t quotes_capacity=0,
                  uint64_t orders_capacity=0, tuple sizes=(0, 0), memory=None):
        cdef int i
        for i in range(MAX_FDS):
            self.fds[i].fd = -1
        self.generation = _forks
        if market_capacity < 64 or market_capacity & (market_capacity - 1):
            raise _error("ConfigError", f"a market ring of {market_capacity} records",
                         "give a power of two of at least 64")
        if tape_bytes and (tape_bytes < 4096 or tape_bytes & (tape_bytes - 1)):
            raise _error("ConfigError", f"a tape of {tape_bytes} bytes", "give a power of two of at least 4096")
        for rows in (quotes_capacity, orders_capacity):
            if rows and (rows < 8 or rows & (rows - 1)):
                raise _error("ConfigError", f"a table of {rows} rows", "give a power of two of at least 8")
        cdef uint64_t market_at = 4 * PAGE_BYTES
        cdef uint64_t tape_at = market_at + pages(market_capacity * RECORD)
        cdef uint64_t quotes_at = tape_at + pages(tape_bytes)
        cdef uint64_t orders_at = quotes_at + pages(quotes_capacity * <uint64_t>sizes[0])
        self.bytes = orders_at + pages(orders_capacity * <uint64_t>sizes[1])
        self.is_owner = True
        if memory is None:
            self.block = malloc(self.bytes + PAGE_BYTES)
            if self.block is NULL:
                raise MemoryError()
            self.base = <uint8_t *>((<uint64_t>self.block + PAGE_BYTES - 1) & ~<uint64_t>(PAGE_BYTES - 1))
        else:
            self.memory = memory
            self.base = address_of(memory, self.bytes, True)
        # What a new file or mapping gives is zero already, but this may be neither.
        memset(self.base, 0, self.bytes)
        self.place()
        memcpy(self.head.magic, PyBytes_AS_STRING(MAGIC), 8)
        self.head.layout = LAYOUT_VERSION
        self.head.bytes = self.bytes
        self.head.market_at, self.head.market_capacity = market_at, market_capacity
        if tape_bytes:
            self.head.tape_at, self.head.tape_bytes = tape_at, tape_bytes
        if quotes_capacity:
            self.head.quotes_at, self.head.quotes_capacity = quotes_at, quotes_capacity
        if orders_capacity:
            self.head.orders_at, self.head.orders_capacity = orders_at, orders_capacity

    @staticmethod
    def size_of(uint64_t market_capacity, uint64_t tape_bytes=0, uint64_t quotes_capacity=0, uint64_t orders_capacity=0,
                tuple sizes=(0, 0)):
        """Bytes that a region with these parts takes."""
        return (4 * PAGE_BYTES + pages(market_capacity * RECORD) + pages(tape_bytes)
                + pages(quotes_capacity * <uint64_t>sizes[0]) + pages(orders_capacity * <uint64_t>sizes[1]))

    @staticmethod
    def attached(memory not None, wait_memory not None):
        """The region that another process made, looked at; nothing of it is written but the wait page.

        ``memory``: all of it, may be read-only. ``wait_memory``: its page 3, writable. Checks the lengths only; who
        maps a file checks its head first.
        """
        cdef Region self = Region.__new__(Region, 64)
        free(self.block)
        self.block = NULL
        self.is_owner = False
        self.memory, self.wait_memory = memory, wait_memory
        self.base = address_of(memory, 4 * PAGE_BYTES, False)
        self.place()
        self.waits = <WaitPage *>address_of(wait_memory, PAGE_BYTES, True)
        self.bytes = self.head.bytes
        address_of(memory, self.bytes, False)
        return self

    cdef place(self):
        self.head = <RegionHead *>self.base
        self.hot = <HotPage *>(self.base + PAGE_BYTES)
        self.counts = <Counters *>(self.base + 2 * PAGE_BYTES)
        self.waits = <WaitPage *>(self.base + 3 * PAGE_BYTES)

    def __dealloc__(self):
        free(self.block)

    @property
    def watermark(self):
        """Sequence number up to which every ring has everything."""
        return ibw_load_acquire(&self.hot.watermark)

    @property
    def count(self):
        """How often something was published or :meth:`ring` was called; what :meth:`wait` waits for."""
        return ibw_load_acquire(&self.hot.rings)

    def ring(self):
        """Wake who waits, without anything new. Any thread of the owner."""
        with nogil:
            region_ring(self)

    @property
    def entry_count(self):
        """As :attr:`count`, without the publications that brought only market records; for ``wait(only_entries=True)``."""
        return ibw_load_acquire(&self.hot.entries)

    def follow(self, LogRing first, LogRing second):
        """The lossless rings of the session, so that waits may be for their entries only. Before the producer runs."""
        self.log1, self.log2 = first, second
        self.logged = logged(self)

    def step_with(self, Stepper stepper):
        """Run that with each publication; None: nothing. Before the producer runs."""
        self.stepper = stepper

    def publish(self, uint64_t seq):
        """Everything up to ``seq`` is in its rings: say so, and wake who waits. Producer only."""
        region_publish(self, seq)

    def wait(self, uint64_t seen, timeout_ms=None, str how="block", bint only_entries=False):
        """Wait, without the GIL, until :attr:`count` is no longer ``seen``. Read it first, then look at the rings.

        Parameters
        ----------
        timeout_ms : None for no limit.
        how : ``spin`` (a core, nanoseconds), ``yield`` (a core that others may have), ``block`` (microseconds).
        only_entries : ``seen`` is of :attr:`entry_count`, and publications of market records alone wake nobody.

        Returns
        -------
        bool
            False when the time was up first. Signals are handled at least every 50 ms; what their handlers raise passes
            through.
        """
        cdef int kind = 0 if how == "spin" else 1 if how == "yield" else 2 if how == "block" else -1
        if kind < 0:
            raise _error("ConfigError", f"how is {how!r}", "it may be spin, yield or block")
        cdef int64_t end = 0, now, left
        cdef bint limited = timeout_ms is not None, found
        cdef uint64_t *count = &self.hot.entries if only_entries else &self.hot.rings
        cdef Sleepers *sleepers = &self.waits.entries if only_entries else &self.waits.rings
        now = ibw_now_ns()
        if limited:
            end = now + <int64_t>(<double>timeout_ms * 1e6)
        while True:
            left = SLICE_NS
            if limited and end - now < left:
                left = end - now
            with nogil:
                found = wait_slice(count, sleepers, seen, left if left > 0 else 0, kind)
            if found:
                return True
            PyErr_CheckSignals()
            now = ibw_now_ns()
            if limited and now >= end:
                return False

    def add_fd(self, int fd, int read_fd=-1):
        """Write to that eventfd with the first publication after each :meth:`clear_fd`. Returns its slot.

        It must not block. ``read_fd``: the other end, where ``fd`` is a pipe.
        """
        cdef int i
        for i in range(MAX_FDS):
            if self.fds[i].fd < 0:
                ibw_store32_seq(&self.fds[i].signalled, 0)
                self.fds[i].read_fd = fd if read_fd < 0 else read_fd
                ibw_store32_relaxed(<uint32_t *>&self.fds[i].fd, <uint32_t>fd)
                if <uint32_t>i >= self.fds_used:
                    ibw_store32_seq(&self.fds_used, i + 1)
                return i
        raise _error("ConfigError", f"more than {MAX_FDS} file descriptors wait on one session")

    def clear_fd(self, int slot):
        """Take back what was written; call it before looking at the rings."""
        cdef uint64_t count
        if ibw_load32_acquire(&self.fds[slot].signalled):
            # Nothing to take although signalled: it is just being written, and the flag stays for the next time.
            if read(self.fds[slot].read_fd, &count, 8) > 0:
                ibw_store32_seq(&self.fds[slot].signalled, 0)
                ibw_fence_seq()  # a publication from here on writes again; what came before, the look that follows sees

    def signal_fd(self, int slot):
        """Make it readable again, for what was left behind. The thread that clears it."""
        cdef uint64_t one = 1
        if not ibw_swap32_seq(&self.fds[slot].signalled, 1):
            write(self.fds[slot].fd, &one, 8)

    def remove_fd(self, int slot):
        """Forget the eventfd; the caller closes it afterwards, when no producer runs or after its next publication."""
        ibw_store32_relaxed(<uint32_t *>&self.fds[slot].fd, <uint32_t>-1)


cdef uint8_t *address_of(memory, uint64_t need, bint writable) except NULL:
    cdef Py_buffer view
    PyObject_GetBuffer(memory, &view, PyBUF_WRITABLE if writable else PyBUF_SIMPLE)
    cdef uint8_t *at = <uint8_t *>view.buf
    cdef uint64_t length = view.len
    PyBuffer_Release(&view)   # the owner of the mapping is kept by the caller; an mmap object cannot move
    if length < need:
        raise _error("ConfigError", f"{length} bytes of memory where {need} are needed")
    return at


cdef void region_publish(Region region, uint64_t seq) noexcept nogil:
    cdef int64_t begin = ibw_now_ns() if region.timed else 0
    if region.stepper is not None:
        region.stepper.step(region.hot.market_head, seq)
        if region.timed:
            region.step_ns = ibw_now_ns() - begin
    if region.tape_next != region.hot.tape_head:  # with the tables, which were stepped before: never ahead of them
        ibw_store_relaxed(&region.hot.tape_count, region.tape_entries)
        ibw_store_release(&region.hot.tape_head, region.tape_next)  # the entries are visible before the head
        ibw_store_release(&region.hot.tape_counted, region.tape_entries)
    ibw_store_release(&region.hot.watermark, seq)  # every record below it is visible first
    cdef uint64_t entries = logged(region)
    tell(region, region.log1 is None or entries != region.logged)
    region.logged = entries


cdef uint64_t logged(Region region) noexcept nogil:
    # Entries of the lossless rings so far. Producer only.
    cdef uint64_t entries = 0
    if region.log1 is not None:
        entries = region.log1.entries
    if region.log2 is not None:
        entries += region.log2.entries
    return entries


cdef void wake(Region region, Sleepers *sleepers) noexcept nogil:
    # The mark is taken back before the number moves: who sleeps on the new number marks itself again. One whose process
    # was killed in its sleep has left a mark that costs one call, not one with each publication.
    if ibw_load32_relaxed(&sleepers.asleep) and ibw_swap32_seq(&sleepers.asleep, 0):
        ibw_add32_seq(&sleepers.wake_seq, 1)
        ibw_add_relaxed(&region.counts.wakes, 1)  # several may ring
        ibw_futex_wake_all(&sleepers.wake_seq)


cdef void region_ring(Region region) noexcept nogil:
    # Any thread of the owner, when something else is to be looked at (the end).
    tell(region, True)


cdef void region_ring_rows(Region region) noexcept nogil:
    # Any thread of the owner, when rows of a table changed without an entry.
    tell(region, False)


cdef void tell(Region region, bint entries) noexcept nogil:
    cdef uint32_t i
    cdef int fd
    cdef uint64_t one = 1
    # The counts are out before the marks are looked at; who sleeps marks itself before it looks at its count.
    if entries:
        ibw_add_seq(&region.hot.entries, 1)
    ibw_add_seq(&region.hot.rings, 1)
    ibw_fence_seq()
    wake(region, &region.waits.rings)
    if entries:
        wake(region, &region.waits.entries)
    for i in range(ibw_load32_acquire(&region.fds_used)):  # its fields are there before it is counted
        fd = <int>ibw_load32_relaxed(<uint32_t *>&region.fds[i].fd)
        if fd >= 0 and not ibw_load32_relaxed(&region.fds[i].signalled):
            if not ibw_swap32_seq(&region.fds[i].signalled, 1):  # of several ringers one writes
                write(fd, &one, 8)


cdef bint region_wait(Region region, uint64_t seen, int64_t ns) noexcept nogil:
    # Sleep until `rings` is no longer `seen`, at most ns; True when it is.
    return sleep(&region.hot.rings, &region.waits.rings, seen, ns)


cdef bint sleep(uint64_t *count, Sleepers *sleepers, uint64_t seen, int64_t ns) noexcept nogil:
    # Sleep until the count is no longer `seen`, at most ns; True when it is.
    cdef uint32_t word
    if ibw_load_acquire(count) != seen:
        return True
    if ns <= 0:
        return False
    word = ibw_load32_acquire(&sleepers.wake_seq)  # before the mark: who takes the mark back moves it after that
    ibw_store32_seq(&sleepers.asleep, 1)
    ibw_fence_seq()
    if ibw_load_acquire(count) == seen:
        ibw_futex_wait(&sleepers.wake_seq, word, ns)
    return ibw_load_acquire(count) != seen


cdef bint wait_slice(uint64_t *count, Sleepers *sleepers, uint64_t seen, int64_t ns, int kind) noexcept nogil:
    cdef int64_t end
    cdef int i
    if kind == 2:
        return sleep(count, sleepers, seen, ns)
    if ibw_load_acquire(count) != seen:
        return True
    end = ibw_now_ns() + ns
    while True:
        for i in range(64):
            if ibw_load_acquire(count) != seen:
                return True
            if kind == 1:
                ibw_yield()
            else:
                ibw_pause()
        if ibw_now_ns() >= end:
            return False


# --------------------------------------------------------------------------------------------------- who may read

cdef class Reading:
    """What every cursor has in common: it belongs to the thread that polls it first, and to its process."""

    cdef int check(self) except -1:
        cdef unsigned long me
        if self.closed:
            raise _error("CursorClosed", "this cursor is closed", "make a new one")
        if self.generation != _forks:
            raise _error("ForkedClient", "this cursor belongs to the parent process", "connect or attach in the child")
        me = PyThread_get_thread_ident()
        if self.owner != me:
            if self.owner:
                raise _error("WrongThread", "this cursor belongs to the thread that polled it first",
                             "make a cursor in each thread, or call adopt() when the old one is done with it")
            self.owner = me
        return 0

    cdef object view(self, bytearray buffer, uint64_t count, uint64_t first):
        # A slice of one array per buffer: to make an array costs ten times as much.
        if self.shown is not buffer:
            if _array_of is None:
                raise RuntimeError("no array maker was given: import ibwire.ring.impl first")
            self.whole = _array_of(buffer, len(buffer) // RECORD, 0)
            self.shown = buffer
        return self.whole[first : first + count]

    def adopt(self):
        """Take the cursor over: the next thread that polls owns it. The caller knows that the old one is done with it."""
        self.owner = 0


# ------------------------------------------------------------------------------------------------- market ring

@cython.final
cdef class MarketRing:
    """Fixed 64-byte records, overwritten when full.

    Parameters
    ----------
    capacity : number of records, a power of two of at least 64; or a :class:`Region` that has one.
    """

    def __cinit__(self, capacity=65536):
        self.region = capacity if isinstance(capacity, Region) else Region(capacity)
        self.hot = self.region.hot
        self.base = self.region.base + self.region.head.market_at
        self.capacity = self.region.head.market_capacity
        self.mask = self.capacity - 1

    @property
    def published(self):
        """Records published so far."""
        return ibw_load_acquire(&self.hot.market_head)

    def append(self, record not None):
        """Append the record(s) of one message: a multiple of 64 bytes. Producer only."""
        cdef bytes raw = bytes(record)
        cdef const uint8_t *at = <const uint8_t *>PyBytes_AS_STRING(raw)
        cdef uint64_t n = <uint64_t>len(raw) // RECORD
        cdef uint64_t i
        if n == 0 or n > self.capacity or n * RECORD != <uint64_t>len(raw):
            raise ValueError(f"{len(raw)} bytes are no whole number of records")
        for i in range(0, n, 2):  # the records of one message appear at once
            memcpy(ring_claim(self, 0), at + i * RECORD, RECORD)
            if i + 1 < n:
                memcpy(ring_claim(self, 1), at + (i + 1) * RECORD, RECORD)
            ring_publish(self, 2 if i + 1 < n else 1)

    def cursor(self):
        """A new cursor that starts at the next record. For the thread that first polls it."""
        return MarketCursor(self)


@cython.final
cdef class MarketCursor(Reading):
    """One consumer's place in a market ring. Not thread-safe; any number per ring.

    Attributes
    ----------
    gap : records lost so far because the producer overtook this cursor. last_gap : those of the last poll.
    """

    cdef MarketRing ring
    cdef uint64_t next
    cdef readonly uint64_t gap
    cdef readonly uint64_t last_gap
    cdef object buffer
    cdef uint8_t *raw
    cdef uint64_t room
    cdef uint64_t untold   # lost records that no poll has told yet
    cdef uint64_t skip     # records at the head of the buffer that are none of the poll's

    def __cinit__(self, MarketRing ring not None):
        self.ring = ring
        self.next = ibw_load_acquire(&ring.hot.market_head)
        self.room = 0
        self.generation = _forks

    def close(self):
        """No more polls. Twice is harmless."""
        self.closed = True

    @property
    def pending(self):
        """Records published and not yet polled, gaps included."""
        return ibw_load_acquire(&self.ring.hot.market_head) - self.next

    cdef _grow(self, uint64_t want):
        self.buffer = bytearray(want * RECORD)
        self.raw = <uint8_t *>PyByteArray_AS_STRING(self.buffer)
        self.room = want

    cdef uint64_t copy(self, uint64_t want) except? 0xFFFFFFFFFFFFFFFF:
        # Copy up to want records into the cursor's buffer; returns how many are good, from self.raw + self.skip on.
        # A gap is told with the records that follow it, so that it stands where it belongs.
        cdef uint64_t count
        cdef uint64_t ahead = 0
        self.last_gap = 0
        while True:
            count = self.attempt(want, ahead)
            if count or ibw_load_acquire(&self.ring.hot.market_head) == self.next:
                break
            # Overtaken while copying: give the producer a start, or a fast one is never escaped.
            ahead = ahead * 2 if ahead else self.ring.capacity >> 5
            if ahead > self.ring.capacity >> 1:
                ahead = self.ring.capacity >> 1
        if count:
            self.last_gap = self.untold
            self.untold = 0
        return count

    cdef uint64_t attempt(self, uint64_t want, uint64_t ahead) except? 0xFFFFFFFFFFFFFFFF:
        cdef MarketRing ring = self.ring
        cdef uint64_t head = ibw_load_acquire(&ring.hot.market_head)  # pairs with publish: records below are whole
        cdef uint64_t start = self.next
        cdef uint64_t capacity = ring.capacity
        cdef uint64_t count, first, at, lost = 0, oldest
        if head - start > capacity - ahead:
            lost = head - (capacity - ahead) - start
            start += lost
        count = head - start
        if count > want:
            count = want if want > 2 else 2
            # Not between the two records of one message: the next one would be a second part.
            if head - start > count and (ring.base + ((start + count) & ring.mask) * RECORD)[PART_AT]:
                count -= 1
        if count > self.room or self.raw is NULL:
            self._grow(count if count > 1024 else 1024)
        at = start & ring.mask
        first = capacity - at
        if first > count:
            first = count
        if count <= SHORT_COPY:
            self.copy_words(at, first, count)
        else:
            with nogil:
                self.copy_words(at, first, count)
        oldest = ibw_load_relaxed(&ring.hot.market_reserved)
        oldest = oldest - capacity if oldest > capacity else 0
        self.next = start + count
        self.skip = 0
        if start < oldest:  # the producer may have touched the first of what was copied
            self.skip = oldest - start if oldest - start < count else count
        if self.skip < count and self.raw[self.skip * RECORD + PART_AT]:  # the first half of this message is gone
            self.skip += 1
        lost += self.skip
        self.gap += lost
        self.untold += lost
        return count - self.skip

    cdef void copy_words(self, uint64_t at, uint64_t first, uint64_t count) noexcept nogil:
        # Relaxed words: the producer may be writing some of them, which the mark then tells.
        cdef uint8_t *base = self.ring.base
        ibw_copy_overwritten(<uint64_t *>self.raw, <uint64_t *>(base + at * RECORD), first * 8)
        if count > first:
            ibw_copy_overwritten(<uint64_t *>(self.raw + first * RECORD), <uint64_t *>base, (count - first) * 8)
        ibw_fence_acquire()  # the copy is done before the mark is read

    def poll(self, Py_ssize_t max=1024):
        """The next records, as a read-only structured array of this cursor's own buffer.

        Valid until the next poll. ``last_gap`` then tells how many records before them were lost.
        """
        self.check()
        if max < 1:
            raise ValueError("max must be at least 1")
        cdef uint64_t count = self.copy(<uint64_t>max)
        if self.buffer is None:
            self._grow(1024)
        return self.view(self.buffer, count, self.skip)

    def poll_bytes(self, Py_ssize_t max=1024):
        """The next records as bytes, 64 each; needs no numpy."""
        self.check()
        if max < 1:
            raise ValueError("max must be at least 1")
        cdef uint64_t count = self.copy(<uint64_t>max)
        return PyBytes_FromStringAndSize(<char *>(self.raw + self.skip * RECORD), count * RECORD) if count else b""


include "_ring_log.pxi"
include "_ring_merged.pxi"
include "_ring_tape.pxi"
include "_ring_tables.pxi"
include "_ring_shared.pxi"
