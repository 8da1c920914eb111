# Part of _ring.pyx: the tape, one overwriting ring of bytes in a region, where order and control entries go too, so that
# other processes see them. And the head of a region that others map.
#
# An entry: u32 length of all of it (a multiple of 8), u16 length of the header, u16 origin, u64 number, header, payload.
# The protocol is that of the market ring, in bytes. Entries are numbered, so that a gap is told exactly; after one a
# reader goes on at the head, and reads the order table again, which is never behind the published head.

cdef enum:
    TAPE_ENTRY = 16
    TAPE_OMITTED = 32      # in an entry's flags (spec/records FLAG_OMITTED): too long, its payload is not there


@cython.final
cdef class Tape:
    """The writing end of a region's tape. Producer only."""

    def __cinit__(self, Region region not None):
        if not region.head.tape_at:
            raise _error("ConfigError", "this region has no tape", "give tape_bytes")
        self.region = region
        self.base = region.base + region.head.tape_at
        self.bytes = region.head.tape_bytes
        self.mask = self.bytes - 1

    cdef void write(self, uint64_t at, const uint8_t *data, uint64_t n) noexcept nogil:
        cdef uint64_t place = at & self.mask
        cdef uint64_t first = self.bytes - place
        if first >= n:
            memcpy(self.base + place, data, n)
        else:
            memcpy(self.base + place, data, first)
            memcpy(self.base, data + first, n - first)

    cdef void put(self, uint8_t origin, const uint8_t *head, uint32_t nhead, const uint8_t *payload, uint32_t n) noexcept nogil:
        cdef HotPage *hot = self.region.hot
        cdef Counters *counts = self.region.counts
        cdef uint64_t at = self.region.tape_next
        cdef uint64_t whole = (TAPE_ENTRY + <uint64_t>nhead + n + 7) & ~<uint64_t>7
        cdef uint8_t start[16]
        cdef uint8_t copy[192]
        if whole > self.bytes >> 2 and nhead <= sizeof(copy):
            memcpy(copy, head, nhead)
            (<uint16_t *>(copy + 18))[0] |= TAPE_OMITTED
            head = copy
            n = 0
            whole = (TAPE_ENTRY + <uint64_t>nhead + 7) & ~<uint64_t>7
            ibw_count(&counts.tape_omitted, 1)
        (<uint32_t *>start)[0] = <uint32_t>whole
        (<uint16_t *>(start + 4))[0] = <uint16_t>nhead
        (<uint16_t *>(start + 6))[0] = origin
        (<uint64_t *>(start + 8))[0] = self.region.tape_entries
        ibw_store_relaxed(&hot.tape_reserved, at + whole)
        ibw_fence_release()  # the raised mark is visible before any byte below is changed
        self.write(at, start, TAPE_ENTRY)
        self.write(at + TAPE_ENTRY, head, nhead)
        if n:
            self.write(at + TAPE_ENTRY + nhead, payload, n)
        self.region.tape_next = at + whole
        self.region.tape_entries += 1


@cython.final
cdef class TapeCursor(Reading):
    """One consumer's place on a tape: order and control entries in wire order, with gaps told.

    Attributes
    ----------
    gap : entries lost so far because the producer overtook this cursor. last_gap : those of the last poll. After one,
    read the order table again: it has what the lost entries said.
    """

    cdef Region region
    cdef uint8_t *base
    cdef uint64_t bytes
    cdef uint64_t mask
    cdef uint64_t next
    cdef uint64_t expected     # entries before `next`
    cdef object buffer
    cdef uint8_t *raw
    cdef uint64_t room
    cdef readonly uint64_t gap
    cdef readonly uint64_t last_gap

    def __cinit__(self, Region region not None):
        if not region.head.tape_at:
            raise _error("ConfigError", "this region has no tape", "ask its owner to give tape_bytes")
        self.region = region
        self.base = region.base + region.head.tape_at
        self.bytes = region.head.tape_bytes
        self.mask = self.bytes - 1
        self.generation = _forks
        self.to_head()
        self.last_gap = 0

    cdef void to_head(self) noexcept:
        # Go on at the newest entry. Head and count belong together when the count before the head and the one after it
        # agree; a producer that died between them leaves the lower one, and nothing comes that it could miss.
        cdef HotPage *hot = self.region.hot
        cdef uint64_t count = 0
        cdef int i
        for i in range(1000):
            count = ibw_load_acquire(&hot.tape_counted)
            self.next = ibw_load_acquire(&hot.tape_head)
            if ibw_load_relaxed(&hot.tape_count) == count:
                break
        if count > self.expected:
            self.last_gap += count - self.expected
            self.expected = count

    cdef uint64_t copy(self, uint64_t want) except? 0xFFFFFFFFFFFFFFFF:
        # Up to want bytes from `next` into the buffer; 0: nothing there, or overtaken.
        cdef HotPage *hot = self.region.hot
        cdef uint64_t count = ibw_load_acquire(&hot.tape_head) - self.next  # entries below the head are whole
        cdef uint64_t at = self.next & self.mask
        cdef uint64_t first
        if count > self.bytes:
            return 0
        if count > want:
            count = want
        if count > self.room or self.raw is NULL:
            self.room = count if count > 65536 else 65536
            self.buffer = bytearray(self.room)
            self.raw = <uint8_t *>PyByteArray_AS_STRING(self.buffer)
        first = self.bytes - at
        if first > count:
            first = count
        with nogil:
            # Relaxed words: the producer may be writing some of them, which the mark then tells.
            ibw_copy_overwritten(<uint64_t *>self.raw, <uint64_t *>(self.base + at), first >> 3)
            if count > first:
                ibw_copy_overwritten(<uint64_t *>(self.raw + first), <uint64_t *>self.base, (count - first) >> 3)
            ibw_fence_acquire()  # the copy is done before the mark is read
        if ibw_load_relaxed(&hot.tape_reserved) > self.next + self.bytes:
            return 0
        return count

    def poll(self, Py_ssize_t max=1024):
        """Up to ``max`` entries, as a list; ``last_gap`` tells how many are missing before them.

        Raises
        ------
        CursorClosed, WrongThread, ForkedClient
        """
        cdef list out = []
        cdef uint64_t got, at, whole, number, want = 65536
        cdef Py_ssize_t left = max
        self.check()
        self.last_gap = 0
        while left > 0 and ibw_load_acquire(&self.region.hot.tape_head) != self.next:
            got = self.copy(want)
            if not got:
                if out:
                    break  # the gap stands behind what was read: the next poll tells it
                self.to_head()
                continue
            at = 0
            while left > 0 and at + 8 <= got:
                whole = (<uint32_t *>(self.raw + at))[0]
                if at + whole > got:
                    break
                number = (<uint64_t *>(self.raw + at + 8))[0]
                if number > self.expected:
                    self.last_gap += number - self.expected
                out.append(tape_entry(self.raw + at))
                self.expected = number + 1
                at += whole
                left -= 1
            self.next += at
            if not at:  # the first entry is longer than what was copied
                want = whole
        self.gap += self.last_gap
        return out

    def close(self):
        """No more polls. Twice is harmless."""
        self.closed = True


cdef Entry tape_entry(const uint8_t *at):
    cdef uint32_t nhead = (<uint16_t *>(at + 4))[0]
    cdef const uint8_t *head = at + TAPE_ENTRY
    cdef Entry entry = Entry.__new__(Entry)
    entry.origin = (<uint16_t *>(at + 6))[0]
    entry.seq = (<uint64_t *>head)[0]
    entry.recv_ns = (<int64_t *>(head + 8))[0]
    entry.kind = head[16]
    entry.flags = (<uint16_t *>(head + 18))[0]
    entry.code = (<int32_t *>(head + 20))[0]
    entry.header = PyBytes_FromStringAndSize(<char *>head, nhead)
    entry.payload = b"" if entry.flags & TAPE_OMITTED else PyBytes_FromStringAndSize(
        <char *>(head + nhead), (<uint32_t *>(head + 24))[0])
    return entry
