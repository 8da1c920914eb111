# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The rings: a market ring that overwrites and tells, and a log ring that loses nothing.

One producer appends, without the GIL; consumers read with the GIL, each with its own cursor. The producer never waits
for a consumer. Memory order stands beside each atomic.

Market ring, as a seqlock over the whole ring: the producer first raises ``reserved`` past what it is about to write,
then writes, then raises ``head``. A reader copies, then looks at ``reserved``: what the producer may have touched
since (everything a whole ring behind it) is dropped and counted as a gap.
"""

cimport cython
from cpython.bytearray cimport PyByteArray_AS_STRING
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

cdef uint64_t RECORD = 64
cdef int PART_AT = 17          # where a record says which part of its message it is
cdef uint64_t SEGMENT_BYTES = 1 << 20
cdef uint64_t NOBODY = <uint64_t>-1


cdef object _array_of = None


def arrays_by(maker):
    """Give what makes a read-only array of (buffer, count, first); called once, by ``ring/impl.py``. No numpy is known here."""
    global _array_of
    _array_of = maker


@cython.final
cdef class MarketRing:
    """Fixed 64-byte records, overwritten when full.

    Parameters
    ----------
    capacity : number of records, a power of two of at least 64.
    """

    def __cinit__(self, uint64_t capacity=65536):
        if capacity < 64 or capacity & (capacity - 1):
            raise ValueError(f"capacity is {capacity}; give a power of two of at least 64")
        self.capacity = capacity
        self.mask = capacity - 1
        self.block = malloc((capacity + 1) * RECORD)
        if self.block is NULL:
            raise MemoryError()
        self.base = <uint8_t *>((<uint64_t>self.block + 63) & ~<uint64_t>63)  # a record is one cache line
        memset(self.base, 0, capacity * RECORD)

    def __dealloc__(self):
        free(self.block)

    @property
    def published(self):
        """Records published so far."""
        return ibw_load_acquire(&self.head)

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
        """A new cursor that starts at the next record. For the thread that calls it."""
        return MarketCursor(self)


@cython.final
cdef class MarketCursor:
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
        self.next = ibw_load_acquire(&ring.head)
        self.room = 0

    @property
    def pending(self):
        """Records published and not yet polled, gaps included."""
        return ibw_load_acquire(&self.ring.head) - self.next

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
            if count or ibw_load_acquire(&self.ring.head) == self.next:
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
        cdef uint64_t head = ibw_load_acquire(&ring.head)  # pairs with publish: records below are whole
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
        with nogil:
            memcpy(self.raw, ring.base + at * RECORD, first * RECORD)
            if count > first:
                memcpy(self.raw + first * RECORD, ring.base, (count - first) * RECORD)
            ibw_fence_acquire()  # the copy is done before the mark is read
        oldest = ibw_load_relaxed(&ring.reserved)
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

    def poll(self, Py_ssize_t max=1024):
        """The next records, as a read-only structured array of this cursor's own buffer.

        Valid until the next poll. ``last_gap`` then tells how many records before them were lost.
        """
        if max < 1:
            raise ValueError("max must be at least 1")
        cdef uint64_t count = self.copy(<uint64_t>max)
        if _array_of is None:
            raise RuntimeError("no array maker was given: import ibwire.ring.impl first")
        if self.buffer is None:
            self._grow(1024)
        return _array_of(self.buffer, count, self.skip)

    def poll_bytes(self, Py_ssize_t max=1024):
        """The next records as bytes, 64 each; needs no numpy."""
        if max < 1:
            raise ValueError("max must be at least 1")
        cdef uint64_t count = self.copy(<uint64_t>max)
        return PyBytes_FromStringAndSize(<char *>(self.raw + self.skip * RECORD), count * RECORD) if count else b""


# ---------------------------------------------------------------------------------------------- log ring

cdef Segment *new_segment(uint64_t capacity, uint64_t index) noexcept nogil:
    cdef Segment *segment = <Segment *>malloc(sizeof(Segment) + capacity)
    if segment is not NULL:
        segment.next = NULL
        segment.used = 0
        segment.capacity = capacity
        segment.index = index
        segment.base = 0
    return segment


cdef inline uint8_t *data_of(Segment *segment) noexcept nogil:
    return <uint8_t *>segment + sizeof(Segment)


@cython.final
cdef class LogRing:
    """Entries of any length, none lost: a header, then the raw payload.

    Segments of 1 MiB; one is given back when every cursor has passed it. Without a cursor the oldest go at once.

    Parameters
    ----------
    max_backlog_bytes : above that much unread, :attr:`overflowed` is set and nothing more is taken.
    """

    def __cinit__(self, uint64_t max_backlog_bytes=256 << 20):
        self.max_backlog_bytes = max_backlog_bytes
        self.first = self.last = new_segment(SEGMENT_BYTES, 0)
        if self.first is NULL:
            raise MemoryError()
        self.held = SEGMENT_BYTES
        self.needed = self.floor = NOBODY
        self.cursors = set()

    def __dealloc__(self):
        cdef Segment *segment = self.first
        cdef Segment *following
        while segment is not NULL:
            following = segment.next
            free(segment)
            segment = following

    @property
    def backlog_bytes(self):
        """How far the slowest cursor is behind, with what entries take beside their bytes; 0 without cursors."""
        cdef uint64_t floor = ibw_load_relaxed(&self.floor)
        cdef uint64_t end = self.last.base + ibw_load_acquire(&self.last.used)
        return end - floor if floor < end else 0

    @property
    def appended(self):
        """Entries appended so far."""
        return ibw_load_relaxed(&self.entries)

    cdef int put(self, const uint8_t *head, uint32_t nhead, const uint8_t *payload, uint32_t n) noexcept nogil:
        # 0, or -1 without memory, or -2 past the backlog limit. Layout: u32 whole, u32 header, header, payload.
        cdef uint64_t whole = (8 + <uint64_t>nhead + n + 7) & ~<uint64_t>7
        cdef Segment *segment = self.last
        cdef Segment *fresh
        cdef uint8_t *at
        cdef uint64_t size
        cdef uint64_t end = segment.base + segment.used + whole
        cdef uint64_t floor = ibw_load_relaxed(&self.floor)  # old at worst: then more seems unread than is
        if floor < end and end - floor > self.max_backlog_bytes:
            return -2
        if segment.used + whole > segment.capacity:
            size = SEGMENT_BYTES if whole <= SEGMENT_BYTES else whole
            fresh = new_segment(size, segment.index + 1)
            if fresh is NULL:
                return -1
            fresh.base = segment.base + segment.used
            ibw_add(&self.held, size)
            ibw_lock(&self.lock)
            # A reader that sees next also sees the fresh segment's fields and that this one is complete.
            ibw_store_release(<uint64_t *>&segment.next, <uint64_t>fresh)
            self.last = segment = fresh
            self.give_back()
            ibw_unlock(&self.lock)
        at = data_of(segment) + segment.used
        (<uint32_t *>at)[0] = <uint32_t>(whole)
        (<uint32_t *>(at + 4))[0] = nhead
        memcpy(at + 8, head, nhead)
        if n:
            memcpy(at + 8 + nhead, payload, n)
        ibw_store_relaxed(&self.entries, self.entries + 1)
        ibw_store_release(&segment.used, segment.used + whole)  # the entry is whole before it is counted
        return 0

    def append(self, header not None, payload not None=b""):
        """Append one entry. Producer only. Raises ConsumerTooSlow's cause as OverflowError past the limit."""
        cdef bytes h = bytes(header)
        cdef bytes p = bytes(payload)
        cdef uint32_t promised = 0
        if len(h) >= 32:
            memcpy(&promised, PyBytes_AS_STRING(h) + 24, 4)
        if len(h) < 32 or promised != <uint64_t>len(p):
            raise ValueError("the header of an entry has at least 32 bytes, with the length of its payload at byte 24")
        cdef int rc = self.put(
            <const uint8_t *>PyBytes_AS_STRING(h), <uint32_t>len(h), <const uint8_t *>PyBytes_AS_STRING(p), <uint32_t>len(p)
        )
        if rc == -1:
            raise MemoryError()
        if rc:
            raise OverflowError(f"the slowest cursor is more than {self.max_backlog_bytes} bytes behind")

    cdef void give_back(self) noexcept nogil:
        # Under the lock: free what every cursor has passed, never the producer's segment.
        cdef Segment *following
        while self.first is not self.last and self.first.index < self.needed:
            following = <Segment *>ibw_load_acquire(<uint64_t *>&self.first.next)
            ibw_sub(&self.held, self.first.capacity)
            free(self.first)
            self.first = following

    cdef void moved(self):
        # A cursor went to another segment, came or closed. With the GIL, so the list of cursors stands still.
        cdef uint64_t oldest = NOBODY
        cdef size_t address
        for address in self.cursors:
            oldest = min(oldest, (<LogCursor><void *>address).segment.index)
        self.read()
        ibw_lock(&self.lock)
        self.needed = oldest
        self.give_back()
        ibw_unlock(&self.lock)

    cdef void read(self):
        # A cursor has read: how far is the slowest now? With the GIL.
        cdef uint64_t floor = NOBODY
        cdef size_t address
        cdef LogCursor cursor
        for address in self.cursors:
            cursor = <LogCursor><void *>address
            floor = min(floor, cursor.segment.base + cursor.at)
        ibw_store_relaxed(&self.floor, floor)

    def cursor(self, *, from_start=False):
        """A new cursor: at the end, or at the oldest entry that is still held."""
        return LogCursor(self, from_start)


@cython.final
cdef class Entry:
    """One entry: its header's common fields, the whole header, and the raw payload."""

    cdef readonly uint64_t seq
    cdef readonly int64_t recv_ns
    cdef readonly int kind
    cdef readonly int flags
    cdef readonly int code
    cdef readonly bytes header
    cdef readonly bytes payload

    def __repr__(self):
        return f"Entry(seq={self.seq}, kind={self.kind}, flags={self.flags}, code={self.code}, {len(self.payload)} bytes)"


@cython.final
@cython.no_gc_clear
cdef class LogCursor:
    """One consumer's place in a log ring. Not thread-safe. ``close()``, or its end, lets go of what it holds."""

    cdef LogRing ring
    cdef Segment *segment
    cdef uint64_t at
    cdef bint closed

    def __cinit__(self, LogRing ring not None, bint from_start=False):
        self.ring = ring
        self.closed = True   # until it has a place
        ibw_lock(&ring.lock)  # no segment goes while this cursor takes its place
        self.segment = ring.first if from_start else ring.last
        self.at = 0 if from_start else ibw_load_acquire(&self.segment.used)
        if self.segment.index < ring.needed:
            ring.needed = self.segment.index
        ibw_unlock(&ring.lock)
        ring.cursors.add(<size_t><void *>self)
        self.closed = False
        ring.read()

    def __dealloc__(self):
        if self.ring is not None and not self.closed:
            self.ring.cursors.discard(<size_t><void *>self)
            self.ring.moved()

    def poll(self, Py_ssize_t max=1024):
        """Up to ``max`` entries, as a list. Raises ValueError on a closed cursor."""
        cdef list out = []
        cdef Segment *following
        cdef uint64_t used
        cdef Py_ssize_t left = max
        if self.closed:
            raise ValueError("this cursor is closed")
        while left > 0:
            used = ibw_load_acquire(&self.segment.used)  # entries below are whole
            if self.at >= used:
                following = <Segment *>ibw_load_acquire(<uint64_t *>&self.segment.next)
                if following is NULL:
                    break
                if self.at < ibw_load_acquire(&self.segment.used):
                    continue
                self.segment = following
                self.at = 0
                self.ring.moved()
                continue
            out.append(self.take())
            left -= 1
        if out:
            self.ring.read()
        return out

    cdef Entry take(self):
        cdef uint8_t *at = data_of(self.segment) + self.at
        cdef uint32_t whole = (<uint32_t *>at)[0]
        cdef uint32_t nhead = (<uint32_t *>(at + 4))[0]
        cdef uint8_t *head = at + 8
        cdef Entry entry = Entry.__new__(Entry)
        entry.seq = (<uint64_t *>head)[0]
        entry.recv_ns = (<int64_t *>(head + 8))[0]
        entry.kind = head[16]
        entry.flags = (<uint16_t *>(head + 18))[0]
        entry.code = (<int32_t *>(head + 20))[0]
        entry.header = PyBytes_FromStringAndSize(<char *>head, nhead)
        entry.payload = PyBytes_FromStringAndSize(<char *>(head + nhead), (<uint32_t *>(head + 24))[0])
        self.at += whole
        return entry

    def close(self):
        """Let go of the entries that only this cursor still held."""
        if not self.closed:
            self.closed = True
            self.ring.cursors.discard(<size_t><void *>self)
            self.ring.moved()
