# Part of _ring.pyx: the lossless rings, in segments, and the market ring that keeps every record.
#
# Who frees what. The producer alone links, unlinks and frees segments, so nothing ever waits. A segment goes when every
# cursor has read it (or, where the ring evicts, when the limit is passed): it is unlinked, `first_index` is raised, and
# then the cursors' `reading` marks are looked at. A cursor sets its mark first and looks at `first_index` then. Both
# are sequentially consistent, so one of the two sees the other: either the producer keeps the segment as retired until
# the mark is gone, or the cursor knows that the segment is none of its own any more.

cdef uint64_t ANY = <uint64_t>-1
cdef enum:
    MOST_CURSORS = 256
    MOST_SPARES = 8


cdef Segment *new_segment(uint64_t capacity) noexcept nogil:
    cdef Segment *segment = <Segment *>ibw_map(sizeof(Segment) + capacity)
    if segment is not NULL:
        segment.next = NULL
        segment.used = 0
        segment.capacity = capacity
        segment.index = 0
        segment.base = 0
    return segment


cdef void free_segment(Segment *segment) noexcept nogil:
    ibw_unmap(segment, sizeof(Segment) + segment.capacity)


cdef class LogRing:
    """Entries of any length, none lost: a header, then the raw payload.

    Segments of 1 MiB; one is given back when every cursor has passed it. Without a cursor the oldest go at once.

    Parameters
    ----------
    max_backlog_bytes : how far the slowest cursor may be behind; past it nothing more is taken.
    tape : where each entry goes too, for other processes. origin : what entries of this ring are called there.
    """

    def __cinit__(self, uint64_t max_backlog_bytes=256 << 20, bint evicts=False, *, Tape tape=None, uint8_t origin=0):
        self.max_backlog_bytes = max_backlog_bytes
        self.tape, self.origin = tape, origin
        self.evicts = evicts
        self.slots_block = malloc((MOST_CURSORS + 1) * sizeof(CursorSlot))
        self.first = self.last = new_segment(SEGMENT_BYTES)
        if self.first is NULL or self.slots_block is NULL:
            raise MemoryError()
        self.slots = <CursorSlot *>((<uint64_t>self.slots_block + 63) & ~<uint64_t>63)
        memset(self.slots, 0, MOST_CURSORS * sizeof(CursorSlot))
        self.held = SEGMENT_BYTES
        self.taken = 1

    def __dealloc__(self):
        cdef Segment *segment
        free_chain(self.first)
        while self.retired is not NULL:
            segment = self.retired
            self.retired = segment.retired
            free_segment(segment)
        free_chain(self.spare)
        free(self.slots_block)

    @property
    def backlog_bytes(self):
        """How far the slowest cursor is behind, with what entries take beside their bytes; 0 without cursors."""
        cdef uint64_t end = self.end()
        cdef uint64_t floor = self.slowest()
        return end - floor if floor < end else 0

    @property
    def appended(self):
        """Entries appended so far."""
        return ibw_load_relaxed(&self.entries)

    @property
    def held_bytes(self):
        """Memory of all segments."""
        return ibw_load_relaxed(&self.held)

    @property
    def segments(self):
        """Segments taken so far; one that is used again counts again."""
        return ibw_load_relaxed(&self.taken)

    cdef uint64_t end(self) noexcept nogil:
        # Not by way of `last`: for who has no mark on it, that may be read and gone between two loads.
        return ibw_load_relaxed(&self.end_bytes)

    cdef uint64_t slowest(self) noexcept nogil:
        # Bytes that every cursor has read; all ones without cursors.
        cdef uint64_t floor = NOBODY, read
        cdef int i
        for i in range(MOST_CURSORS):
            if ibw_load_seq(&self.slots[i].taken):
                read = ibw_load_acquire(&self.slots[i].read)  # what was read is read before the memory is used again
                if read < floor:
                    floor = read
        return floor

    cdef bint looked_at(self, uint64_t index) noexcept nogil:
        cdef uint64_t reading
        cdef int i
        for i in range(MOST_CURSORS):
            reading = ibw_load_seq(&self.slots[i].reading)
            if reading == ANY or reading == index + 1:
                return True
        return False

    cdef void unlink(self) noexcept nogil:
        # The oldest segment goes; never the producer's own.
        cdef Segment *segment = self.first
        ibw_store_seq(<uint64_t *>&self.first, <uint64_t>segment.next)
        ibw_store_seq(&self.first_index, segment.next.index)  # from here on no cursor begins to look at it
        if self.looked_at(segment.index):
            segment.retired = self.retired
            self.retired = segment
        else:
            self.give(segment)

    cdef void give(self, Segment *segment) noexcept nogil:
        # One that was retired keeps its `next` until here; nobody is on the way through it any more.
        if self.spares < MOST_SPARES and segment.capacity == SEGMENT_BYTES:
            segment.next = self.spare
            self.spare = segment
            self.spares += 1
        else:
            ibw_store_relaxed(&self.held, self.held - segment.capacity)
            free_segment(segment)

    cdef void trim(self) noexcept nogil:
        # As tidy, and only one spare segment is kept. Producer only, now and then.
        cdef Segment *segment
        self.tidy()
        while self.spares > 1:
            segment = self.spare
            self.spare = segment.next
            self.spares -= 1
            ibw_store_relaxed(&self.held, self.held - segment.capacity)
            free_segment(segment)

    cdef void prepare(self) noexcept nogil:
        # Have what is written next in memory: the rest of the segment, then another. Producer only, when there is time.
        cdef Segment *segment = self.last
        if self.prepared != segment.index + 1:
            self.prepared = segment.index + 1
            ibw_touch(data_of(segment) + segment.used, segment.capacity - segment.used)
        if self.spare is NULL and segment.used > segment.capacity >> 1:
            segment = new_segment(SEGMENT_BYTES)
            if segment is not NULL:
                ibw_touch(data_of(segment), segment.capacity)
                segment.next = NULL
                self.spare = segment
                self.spares = 1
                ibw_store_relaxed(&self.held, self.held + SEGMENT_BYTES)

    cdef void tidy(self) noexcept nogil:
        # Give back what nobody needs. Producer only; cheap where there is nothing to do.
        cdef Segment *segment
        cdef Segment **link = &self.retired
        self.floor = self.slowest()
        while self.first is not self.last and self.first.base + self.first.used <= self.floor:
            self.unlink()
        while link[0] is not NULL:
            segment = link[0]
            if self.looked_at(segment.index):
                link = &segment.retired
            else:
                link[0] = segment.retired
                self.give(segment)

    cdef uint8_t *room_for(self, uint64_t whole, int *why) noexcept nogil:
        # Where the next `whole` bytes go; NULL: why is -1 without memory, -2 past the limit.
        cdef Segment *segment = self.last
        cdef Segment *fresh
        cdef uint64_t size
        cdef uint64_t end = segment.base + segment.used + whole
        if self.floor < end and end - self.floor > self.max_backlog_bytes:
            self.tidy()  # the floor that was known is an old one
            if self.floor < end and end - self.floor > self.max_backlog_bytes:
                if not self.evicts:
                    why[0] = -2
                    return NULL
                while self.first is not self.last and end - self.first.base > self.max_backlog_bytes:
                    if self.first.base + self.first.used > self.floor:
                        size = self.first.base if self.first.base > self.floor else self.floor
                        ibw_store_relaxed(&self.evicted, self.evicted + self.first.base + self.first.used - size)
                    self.unlink()
                if self.floor < self.first.base:
                    self.floor = self.first.base
        if segment.used + whole > segment.capacity:
            size = SEGMENT_BYTES if whole <= SEGMENT_BYTES else whole
            if self.spare is NULL:
                self.tidy()  # what was read meanwhile is warm: better than a fresh one
            if self.spare is not NULL and size == SEGMENT_BYTES:
                fresh = self.spare
                self.spare = fresh.next
                self.spares -= 1
            else:
                fresh = new_segment(size)
                if fresh is NULL:
                    why[0] = -1
                    return NULL
                ibw_store_relaxed(&self.held, self.held + size)
            fresh.next = NULL
            fresh.used = 0
            fresh.index = segment.index + 1
            fresh.base = segment.base + segment.used
            ibw_store_relaxed(&self.taken, self.taken + 1)
            # Who sees next also sees the fresh segment's fields and that this one is complete.
            ibw_store_release(<uint64_t *>&segment.next, <uint64_t>fresh)
            ibw_store_seq(<uint64_t *>&self.last, <uint64_t>fresh)
            segment = fresh
            self.tidy()
        return data_of(segment) + segment.used

    cdef int put(self, const uint8_t *head, uint32_t nhead, const uint8_t *payload, uint32_t n) noexcept nogil:
        # 0, or -1 without memory, or -2 past the backlog limit. Layout: u32 whole, u32 header, header, payload.
        cdef uint64_t whole = (8 + <uint64_t>nhead + n + 7) & ~<uint64_t>7
        cdef int why = 0
        cdef uint8_t *at = self.room_for(whole, &why)
        if at is NULL:
            return why
        (<uint32_t *>at)[0] = <uint32_t>(whole)
        (<uint32_t *>(at + 4))[0] = nhead
        memcpy(at + 8, head, nhead)
        if n:
            memcpy(at + 8 + nhead, payload, n)
        ibw_store_relaxed(&self.entries, self.entries + 1)
        # Before `used`, so that a cursor is never beyond it.
        ibw_store_relaxed(&self.end_bytes, self.last.base + self.last.used + whole)
        ibw_store_release(&self.last.used, self.last.used + whole)  # the entry is whole before it is counted
        if self.tape is not None:
            self.tape.put(self.origin, head, nhead, payload, n)
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

    def collect(self):
        """Give back what nobody needs any more, now. Producer only."""
        self.trim()

    def cursor(self, *, from_start=False):
        """A new cursor: at the end, or at the oldest entry that is still held."""
        return LogCursor(self, from_start)


cdef void free_chain(Segment *segment) noexcept nogil:
    cdef Segment *following
    while segment is not NULL:
        following = segment.next
        free_segment(segment)
        segment = following


@cython.no_gc_clear
cdef class Place(Reading):
    """A cursor's place in a ring of segments. Keeps its ring to the end: its slot is given back there."""

    cdef int settle(self, LogRing log, bint from_start) except -1:
        cdef int i
        for i in range(MOST_CURSORS):
            if not log.slots[i].taken:
                break
        else:
            raise _error("ConfigError", f"{MOST_CURSORS} cursors on one ring", "close cursors that are not read")
        self.log = log
        self.generation = _forks
        self.slot = &log.slots[i]
        ibw_store_release(&self.slot.read, 0)
        ibw_store_seq(&self.slot.reading, ANY)  # nothing that is linked from now on goes
        ibw_store_seq(&self.slot.taken, 1)
        self.segment = <Segment *>ibw_load_seq(<uint64_t *>&log.first if from_start else <uint64_t *>&log.last)
        self.index, self.base = self.segment.index, self.segment.base
        self.at = 0 if from_start else ibw_load_acquire(&self.segment.used)
        self.started = not from_start
        ibw_store_release(&self.slot.read, self.base + self.at)
        ibw_store_seq(&self.slot.reading, 0)
        return 0

    cdef uint64_t look(self) noexcept nogil:
        # Bytes that can be read at self.at of self.segment, which stays until leave(); 0: nothing new.
        cdef uint64_t used, reached
        cdef Segment *following
        while True:
            ibw_store_seq(&self.slot.reading, self.index + 1)
            if ibw_load_seq(&self.log.first_index) > self.index:  # read to its end, or evicted
                reached = self.base + self.at
                ibw_store_seq(&self.slot.reading, ANY)
                self.segment = <Segment *>ibw_load_seq(<uint64_t *>&self.log.first)
                self.index, self.base, self.at = self.segment.index, self.segment.base, 0
                if self.started:  # a cursor from the start begins at what is held when it is first read
                    self.lost += self.base - reached
                continue
            used = ibw_load_acquire(&self.segment.used)  # entries below are whole
            if self.at < used:
                self.started = True
                return used - self.at
            following = <Segment *>ibw_load_acquire(<uint64_t *>&self.segment.next)
            if following is NULL:
                return 0
            if self.at < ibw_load_acquire(&self.segment.used):
                continue
            # The next one is not marked yet, and may be gone where the ring evicts: nothing of it is looked at here.
            self.segment = following
            self.index += 1
            self.base += self.at
            self.at = 0

    cdef void leave(self) noexcept nogil:
        ibw_store_release(&self.slot.read, self.base + self.at)
        ibw_store_release(&self.slot.reading, 0)  # what was looked at was copied before

    cdef void vacate(self):
        if self.slot is not NULL:
            ibw_store_release(&self.slot.reading, 0)
            ibw_store_release(&self.slot.taken, 0)
            self.slot = NULL
            self.closed = True


@cython.final
cdef class Entry:
    """One entry: its header's common fields, the whole header, and the raw payload."""

    cdef readonly uint64_t seq
    cdef readonly int64_t recv_ns
    cdef readonly int kind
    cdef readonly int flags
    cdef readonly int code
    cdef readonly int origin
    cdef readonly bytes header
    cdef readonly bytes payload

    def __repr__(self):
        return f"Entry(seq={self.seq}, kind={self.kind}, flags={self.flags}, code={self.code}, {len(self.payload)} bytes)"


cdef Entry entry_at(const uint8_t *at):
    cdef uint32_t nhead = (<uint32_t *>(at + 4))[0]
    cdef const uint8_t *head = at + 8
    cdef Entry entry = Entry.__new__(Entry)
    entry.seq = (<uint64_t *>head)[0]
    entry.recv_ns = (<int64_t *>(head + 8))[0]
    entry.kind = head[16]
    entry.flags = (<uint16_t *>(head + 18))[0]
    entry.code = (<int32_t *>(head + 20))[0]
    entry.header = PyBytes_FromStringAndSize(<char *>head, nhead)
    entry.payload = PyBytes_FromStringAndSize(<const char *>entry_payload(at), entry_payload_bytes(at))
    return entry


@cython.final
@cython.no_gc_clear
cdef class LogCursor(Place):
    """One consumer's place in a log ring. ``close()``, or its end, lets go of what it holds."""

    def __cinit__(self, LogRing ring not None, bint from_start=False):
        self.settle(ring, from_start)

    def __dealloc__(self):
        self.vacate()

    def poll(self, Py_ssize_t max=1024):
        """Up to ``max`` entries, as a list.

        Raises
        ------
        CursorClosed, WrongThread, ForkedClient
        """
        cdef list out = []
        cdef uint64_t ready, end
        cdef uint8_t *at
        self.check()
        try:
            while len(out) < max:
                ready = self.look()
                if not ready:
                    break
                end = self.at + ready
                while self.at < end and len(out) < max:
                    at = data_of(self.segment) + self.at
                    out.append(entry_at(at))
                    self.at += entry_bytes(at)
        finally:
            self.leave()
        return out

    cdef uint64_t head_seq(self) noexcept nogil:
        # Sequence number of the next entry, 0 without one. Whoever calls it leaves afterwards.
        if not self.look():
            return 0
        return (<uint64_t *>(data_of(self.segment) + self.at + 8))[0]

    cdef object take(self):
        # The entry that head_seq named, which is still looked at.
        cdef uint8_t *at = data_of(self.segment) + self.at
        cdef Entry entry = entry_at(at)
        self.at += entry_bytes(at)
        return entry

    def close(self):
        """Let go of the entries that only this cursor still held. Any thread; twice is harmless."""
        self.vacate()


# ------------------------------------------------------------------------------------- every market record, in order

@cython.final
cdef class EveryRing:
    """Every market record, in segments, up to a limit: past it the oldest go, and cursors tell how many.

    Parameters
    ----------
    ring : the market ring whose records it keeps. max_backlog_bytes : as for a log ring.

    Notes
    -----
    The producer copies whole runs of records out of the market ring, at least once for each receive.
    """

    def __cinit__(self, MarketRing ring not None, uint64_t max_backlog_bytes=256 << 20):
        self.ring = ring
        self.log = LogRing(max_backlog_bytes, True)
        self.copied = ring.hot.market_head

    @property
    def evicted(self):
        """Records given up because a cursor was too far behind."""
        return ibw_load_relaxed(&self.log.evicted) // RECORD

    @property
    def backlog_bytes(self):
        """How far the slowest cursor is behind."""
        return self.log.backlog_bytes

    @property
    def held_bytes(self):
        """Memory of all segments."""
        return self.log.held_bytes

    cdef int copy(self) noexcept nogil:
        # Take over what the market ring got since the last call; never more than a ring full. 0, or -1 without memory.
        # The parts of one message stay in one segment and become visible together.
        cdef uint64_t head = self.ring.hot.market_head
        cdef uint64_t count, at, room, first
        cdef uint8_t *to
        cdef int why = 0
        while self.copied < head:
            count = head - self.copied
            first = 2 if count > 1 and self.is_second(self.copied + 1) else 1
            to = self.log.room_for(first * RECORD, &why)
            if to is NULL:
                return why
            room = (self.log.last.capacity - self.log.last.used) // RECORD
            if count > room:
                count = room - 1 if self.is_second(self.copied + room) else room
            at = self.copied & self.ring.mask
            first = self.ring.capacity - at
            if first > count:
                first = count
            memcpy(to, self.ring.base + at * RECORD, first * RECORD)
            memcpy(to + first * RECORD, self.ring.base, (count - first) * RECORD)
            ibw_store_relaxed(&self.log.end_bytes, self.log.last.base + self.log.last.used + count * RECORD)
            ibw_store_release(&self.log.last.used, self.log.last.used + count * RECORD)
            self.copied += count
        return 0

    cdef bint is_second(self, uint64_t place) noexcept nogil:
        return self.ring.base[((place & self.ring.mask) << 6) + PART_AT] != 0

    def flush(self):
        """Take over what the market ring got; for whoever appends there by hand. Producer only."""
        if self.copy():
            raise MemoryError()

    def collect(self):
        """Give back what nobody needs any more, now. Producer only."""
        self.log.trim()

    def cursor(self, *, from_start=False):
        """A new cursor: at the end, or at the oldest record that is still held."""
        return EveryCursor(self, from_start)


@cython.final
@cython.no_gc_clear
cdef class EveryCursor(Place):
    """One consumer's place among all market records; read like a :class:`MarketCursor`.

    Attributes
    ----------
    gap : records lost so far because the limit was passed. last_gap : those just before what the last poll returned.
    """

    cdef EveryRing ring
    cdef object buffer
    cdef uint8_t *raw
    cdef uint64_t room
    cdef uint64_t count      # records in the buffer
    cdef readonly uint64_t gap
    cdef readonly uint64_t last_gap

    def __cinit__(self, EveryRing ring not None, bint from_start=False):
        self.ring = ring
        self.settle(ring.log, from_start)

    def __dealloc__(self):
        self.vacate()

    @property
    def pending(self):
        """Records published and not yet polled, lost ones included."""
        return (self.log.end() - self.base - self.at) // RECORD

    cdef uint64_t copy(self, uint64_t want) except? 0xFFFFFFFFFFFFFFFF:
        # Up to want records, both parts of a message together, into the buffer.
        cdef uint64_t ready, count, skip = 0
        cdef uint8_t *data
        self.last_gap = 0
        if want < 2:
            want = 2
        try:
            ready = self.look() // RECORD
            count = ready if ready < want else want
            if count:
                if count > self.room or self.raw is NULL:
                    self.room = count if count > 1024 else 1024
                    self.buffer = bytearray(self.room * RECORD)
                    self.raw = <uint8_t *>PyByteArray_AS_STRING(self.buffer)
                data = data_of(self.segment) + self.at
                if count < ready and data[count * RECORD + PART_AT]:
                    count -= 1
                memcpy(self.raw, data, count * RECORD)
                self.at += count * RECORD
        finally:
            self.leave()
        self.count = count
        if count and self.lost:
            self.last_gap = self.lost // RECORD
            self.gap += self.last_gap
            self.lost = 0
        return count

    def poll(self, Py_ssize_t max=1024):
        """The next records, as a read-only structured array of this cursor's own buffer; valid until the next poll."""
        self.check()
        if max < 1:
            raise ValueError("max must be at least 1")
        cdef uint64_t count = self.copy(<uint64_t>max)
        return self.view(self.buffer if self.buffer is not None else bytearray(RECORD), count, 0)

    def poll_bytes(self, Py_ssize_t max=1024):
        """The next records as bytes, 64 each; needs no numpy."""
        self.check()
        if max < 1:
            raise ValueError("max must be at least 1")
        cdef uint64_t count = self.copy(<uint64_t>max)
        return PyBytes_FromStringAndSize(<char *>self.raw, count * RECORD) if count else b""

    def close(self):
        """Let go of the records that only this cursor still held. Any thread; twice is harmless."""
        self.vacate()
