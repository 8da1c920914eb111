# Part of _ring.pyx: live tables. Rows in an open-addressing hash, each a seqlock; one writer, the producer.
#
# Writer: lock becomes odd, the words change, lock becomes even. Reader: reads an even lock, copies the words, reads the
# lock again; only what was copied under one even lock counts. A row keeps its place as long as it is used: a removed one
# stays as such and is passed over, so that a reader who probes meanwhile misses nobody. Tables in private memory grow
# into a new block; the old ones stay until the table goes, because a reader may be in them. A reader waits for an odd row
# at most STUCK_NS: then its writer has died in the middle, or stands still.

cdef int64_t STUCK_NS = 250_000_000

cdef enum:
    FAST_GROWTH = 16384    # slots: below it four times as many at once
    MUCH = 1 << 19         # bytes: more than that is fetched from the kernel as it is needed

cdef enum:
    ADD = 1
    REMOVE = 2


cdef inline uint64_t mixed(int64_t key, int64_t key2) noexcept nogil:
    cdef uint64_t x = <uint64_t>key * <uint64_t>0x9E3779B97F4A7C15 ^ <uint64_t>key2 * <uint64_t>0xC2B2AE3D27D4EB4F
    return x ^ (x >> 29) ^ (x >> 47)


cdef TableBlock *new_block(uint64_t slots, uint64_t row_bytes) noexcept nogil:
    # Rows in memory of their own, all zeros.
    cdef TableBlock *block = <TableBlock *>malloc(sizeof(TableBlock))
    if block is NULL:
        return NULL
    block.slots, block.older, block.bytes = slots, NULL, slots * row_bytes
    block.rows = <uint8_t *>ibw_map_much(block.bytes)
    if block.rows is NULL:
        free(block)
        return NULL
    if block.bytes < MUCH:
        ibw_touch(block.rows, block.bytes)
    return block


cdef void free_block(TableBlock *block) noexcept nogil:
    if block.bytes:
        ibw_unmap_much(block.rows, block.bytes)
    free(block)


cdef class Table:
    """What the tables have in common. Read from any thread; not from a child process after fork."""

    cdef int settle(self, Region region, uint64_t at, uint64_t slots, uint64_t row_bytes) except -1:
        # Over rows in the region when `at` says where; else over memory of its own, for `slots` rows at first.
        self.region, self.row_bytes = region, row_bytes
        self.writes = region.is_owner
        if at:
            self.block = <TableBlock *>malloc(sizeof(TableBlock))
            if self.block is NULL:
                raise MemoryError()
            self.block.rows, self.block.slots = region.base + at, slots
            self.block.older, self.block.bytes = NULL, 0
        elif not region.is_owner:
            raise _error("ConfigError", "its owner publishes no such table", "ask it to")
        else:
            if slots < 8 or slots & (slots - 1):
                raise _error("ConfigError", f"a table of {slots} rows", "give a power of two of at least 8")
            self.grows = True
            self.block = new_block(slots, row_bytes)
            if self.block is NULL:
                raise MemoryError()
        return 0

    def __dealloc__(self):
        cdef TableBlock *block = self.block
        cdef TableBlock *older
        cdef TableCommand *command = self.commands
        cdef TableCommand *following
        while block is not NULL:
            older = block.older
            free_block(block)
            block = older
        while command is not NULL:
            following = command.next
            free(command)
            command = following

    @property
    def rows(self):
        """Rows in use."""
        return ibw_load_relaxed(self.used_at)

    @property
    def refused(self):
        """How often something found no row because a table of fixed size was full, or memory was short."""
        return ibw_load_relaxed(self.refused_at)

    @property
    def capacity(self):
        """Rows that fit; a table in private memory grows when it is full."""
        cdef TableBlock *block = <TableBlock *>ibw_load_acquire(<uint64_t *>&self.block)
        return block.slots - (block.slots >> 2)

    @property
    def is_full(self):
        """A table of fixed size has no row left."""
        return not self.grows and self.rows >= self.capacity

    # -- the writer

    cdef RowHead *find(self, int64_t key, int64_t key2) noexcept nogil:
        # The row of that key, used or removed, or NULL.
        cdef TableBlock *block = self.block
        cdef uint64_t mask = block.slots - 1
        cdef uint64_t slot = mixed(key, key2)
        cdef uint64_t n
        cdef RowHead *row
        for n in range(block.slots):
            row = <RowHead *>(block.rows + ((slot + n) & mask) * self.row_bytes)
            if row.state == ROW_FREE:
                return NULL
            if row.key == key and row.key2 == key2:
                return row
        return NULL

    cdef void expect(self, uint32_t slot, int64_t key, int64_t key2) noexcept nogil:
        # A row that is written soon: where it was the last time, or begins to be looked for.
        cdef uint64_t mask = self.block.slots - 1
        cdef uint8_t *row = self.block.rows + ((slot if slot <= mask else mixed(key, key2)) & mask) * self.row_bytes
        cdef uint64_t at
        for at in range(0, self.row_bytes, 64):
            ibw_expect(row + at)

    cdef RowHead *found_at(self, uint32_t *slot, int64_t key, int64_t key2) noexcept nogil:
        # As `find`; looks first where it was the last time.
        cdef RowHead *row = <RowHead *>(self.block.rows + (slot[0] & (self.block.slots - 1)) * self.row_bytes)
        if row.key != key or row.key2 != key2 or row.state == ROW_FREE:
            row = self.find(key, key2)
            if row is not NULL:
                slot[0] = <uint32_t>((<uint64_t>row - <uint64_t>self.block.rows) // self.row_bytes)
        return row

    cdef RowHead *insert(self, int64_t key, int64_t key2) noexcept nogil:
        # A fresh row, all zeros but its key, within row_begin (the caller ends it); NULL: there is no room, counted. The
        # key has no row, or a removed one, which it gets again.
        cdef TableBlock *block
        cdef RowHead *row = self.find(key, key2)
        cdef RowHead *candidate
        cdef uint64_t used = self.used_at[0]
        cdef uint64_t n, slot
        if row is NULL:
            block = self.block
            if self.grows:
                if used + self.removed >= block.slots - (block.slots >> 2):
                    self.regrow(block.slots if used < block.slots >> 1 else self.wider())
                    block = self.block
            elif self.removed > block.slots >> 3:
                self.sweep()
            if used < block.slots - (block.slots >> 2):
                slot = mixed(key, key2)
                for n in range(block.slots):
                    candidate = <RowHead *>(block.rows + ((slot + n) & (block.slots - 1)) * self.row_bytes)
                    if candidate.state != ROW_USED:
                        row = candidate
                        break
        elif used >= self.block.slots - (self.block.slots >> 2):
            row = NULL
        if row is NULL:
            ibw_store_relaxed(self.refused_at, self.refused_at[0] + 1)
            return NULL
        if row.state == ROW_REMOVED:
            self.removed -= 1
        row_begin(row)
        if row.lock != 1:                        # it was used before
            for n in range(4, self.row_bytes >> 3):  # behind lock, state and keys
                ibw_store_relaxed(<uint64_t *>row + n, 0)
            ibw_store32_relaxed(&row.flags, 0)
        ibw_store_relaxed(<uint64_t *>&row.key, <uint64_t>key)
        ibw_store_relaxed(<uint64_t *>&row.key2, <uint64_t>key2)
        ibw_store32_release(&row.state, ROW_USED)  # who sees it used sees its key
        ibw_store_relaxed(self.used_at, used + 1)
        return row

    cdef uint64_t wider(self) noexcept nogil:
        # Slots of the block after this one, which stays; so there are few of them.
        return self.block.slots << (2 if self.block.slots < FAST_GROWTH else 1)

    cdef void prepare(self) noexcept nogil:
        # When there is time: wider, before it must be.
        if self.grows and self.used_at[0] > self.block.slots >> 1:
            self.regrow(self.wider())

    cdef void drop(self, RowHead *row) noexcept nogil:
        row_begin(row)
        ibw_store32_release(&row.state, ROW_REMOVED)
        row_end(row)
        self.removed += 1
        ibw_store_relaxed(self.used_at, self.used_at[0] - 1)

    cdef void sweep(self) noexcept nogil:
        # Removed rows that no probe needs to pass become free ones: those before a free one.
        cdef TableBlock *block = self.block
        cdef uint64_t n
        cdef bint ends = False
        cdef RowHead *row
        for n in range(2 * block.slots, 0, -1):  # twice round, for a run over the end
            row = <RowHead *>(block.rows + ((n - 1) & (block.slots - 1)) * self.row_bytes)
            if row.state == ROW_REMOVED and ends:
                row_begin(row)
                ibw_store32_release(&row.state, ROW_FREE)
                row_end(row)
                self.removed -= 1
            ends = row.state == ROW_FREE

    cdef bint regrow(self, uint64_t slots) noexcept nogil:
        # All used rows into a new block; False without memory.
        cdef TableBlock *old = self.block
        cdef TableBlock *fresh = new_block(slots, self.row_bytes)
        cdef uint64_t n, slot
        cdef RowHead *row
        cdef RowHead *to
        if fresh is NULL:
            return False
        for n in range(old.slots):
            row = <RowHead *>(old.rows + n * self.row_bytes)
            if row.state == ROW_USED:
                slot = mixed(row.key, row.key2)
                to = <RowHead *>(fresh.rows + (slot & (slots - 1)) * self.row_bytes)
                while to.state != ROW_FREE:
                    slot += 1
                    to = <RowHead *>(fresh.rows + (slot & (slots - 1)) * self.row_bytes)
                memcpy(to, row, self.row_bytes)
        fresh.older = old
        self.removed = 0
        ibw_store_release(<uint64_t *>&self.block, <uint64_t>fresh)  # the rows are there before it is
        return True

    cdef TableCommand *taken(self) noexcept nogil:
        # The commands since the last call, oldest first; the caller frees them.
        cdef TableCommand *newest
        cdef TableCommand *oldest = NULL
        cdef TableCommand *following
        if not ibw_load_relaxed(<uint64_t *>&self.commands):
            return NULL
        newest = <TableCommand *>ibw_swap_acquire(<uint64_t *>&self.commands, 0)  # pairs with push
        while newest is not NULL:
            following = newest.next
            newest.next = oldest
            oldest = newest
            newest = following
        return oldest

    cdef int push(self, int what, int64_t key, int64_t key2) except -1:
        cdef TableCommand *command
        if not self.writes:
            raise _error("ConfigError", "an attached table is only read", "its owner adds and removes rows")
        command = <TableCommand *>malloc(sizeof(TableCommand))
        if command is NULL:
            raise MemoryError()
        command.what, command.key, command.key2 = what, key, key2
        while True:
            command.next = <TableCommand *>ibw_load_relaxed(<uint64_t *>&self.commands)
            # Its fields are out before it is.
            if ibw_replace_release(<uint64_t *>&self.commands, <uint64_t>command.next, <uint64_t>command):
                return 0

    # -- readers

    cdef int readable(self) except -1:
        if self.region.generation != _forks:
            raise _error("ForkedClient", "this table belongs to the parent process", "connect or attach in the child")
        return 0

    cdef int fetch(self, int64_t key, int64_t key2, uint8_t *out, int64_t patience_ns) noexcept nogil:
        # 1: the row is in out; 0: there is none; -1: it stays half-written, for that long.
        cdef TableBlock *block
        cdef RowHead *row
        cdef RowHead *got = <RowHead *>out
        cdef uint64_t n, lock, slot = mixed(key, key2)
        cdef uint32_t state
        cdef int tries = 0
        cdef int64_t until = 0
        while True:
            block = <TableBlock *>ibw_load_acquire(<uint64_t *>&self.block)
            row = NULL
            for n in range(block.slots):
                row = <RowHead *>(block.rows + ((slot + n) & (block.slots - 1)) * self.row_bytes)
                state = ibw_load32_acquire(&row.state)  # used: its key is there
                if state == ROW_FREE:
                    return 0
                if (ibw_load_relaxed(<uint64_t *>&row.key) == <uint64_t>key
                        and ibw_load_relaxed(<uint64_t *>&row.key2) == <uint64_t>key2):
                    break
                row = NULL
            if row is NULL:
                return 0
            lock = ibw_load_acquire(&row.lock)  # even: the words of that version are visible
            if not lock & 1:
                ibw_copy_words(<uint64_t *>out, <uint64_t *>row, self.row_bytes >> 3)
                ibw_fence_acquire()  # the copy is done before the lock is read again
                if ibw_load_relaxed(&row.lock) == lock and got.key == key and got.key2 == key2:
                    return got.state == ROW_USED
            tries += 1
            if tries & 63:
                ibw_pause()
                continue
            if not patience_ns:
                return -1
            if not until:
                until = ibw_now_ns() + patience_ns
            elif ibw_now_ns() > until:
                return -1
            ibw_yield()

    cdef int64_t fill(self, uint8_t *out, uint64_t room) noexcept nogil:
        # Copy every used row, up to `room` of them; how many. One that stays half-written has ROW_TORN and no values.
        cdef TableBlock *block = <TableBlock *>ibw_load_acquire(<uint64_t *>&self.block)
        cdef RowHead *row
        cdef RowHead *got
        cdef uint64_t n, lock, count = 0
        cdef int tries
        cdef int64_t until = 0
        cdef bint stuck
        for n in range(block.slots):
            if count >= room:
                break
            row = <RowHead *>(block.rows + n * self.row_bytes)
            if ibw_load32_acquire(&row.state) != ROW_USED:
                continue
            got = <RowHead *>(out + count * self.row_bytes)
            tries = 0
            stuck = False
            while True:
                lock = ibw_load_acquire(&row.lock)
                if not lock & 1:
                    ibw_copy_words(<uint64_t *>got, <uint64_t *>row, self.row_bytes >> 3)
                    ibw_fence_acquire()
                    if ibw_load_relaxed(&row.lock) == lock:
                        break
                tries += 1
                if tries & 63:
                    ibw_pause()
                    continue
                if not until:
                    until = ibw_now_ns() + STUCK_NS  # for the whole call: a dead writer leaves one such row
                elif ibw_now_ns() > until:
                    stuck = True
                    break
                ibw_yield()
            if stuck:
                memset(got, 0xFF, self.row_bytes)  # NaN, -1
                got.key = <int64_t>ibw_load_relaxed(<uint64_t *>&row.key)
                got.key2 = <int64_t>ibw_load_relaxed(<uint64_t *>&row.key2)
                got.state, got.flags = ROW_USED, ROW_TORN
            if got.state == ROW_USED:
                count += 1
        return <int64_t>count

    def snapshot(self, out not None):
        """Copy every row into a numpy structured array, each as it was at one moment.

        Parameters
        ----------
        out : array of the row's dtype (``ibwire.ring.records.dtype``), one-dimensional, contiguous and writable.

        Returns
        -------
        int
            How many rows were copied, in no order; as many as ``out`` has room for. A row whose writer died in the middle
            has FLAG_TORN, its key and nothing else.
        """
        cdef Py_buffer view
        cdef int64_t count
        self.readable()
        PyObject_GetBuffer(out, &view, PyBUF_WRITABLE | PyBUF_C_CONTIGUOUS)
        try:
            if <uint64_t>view.itemsize != self.row_bytes or view.ndim != 1 or <uint64_t>view.buf & 7:
                raise _error("ConfigError", f"an array of items of {view.itemsize} bytes in {view.ndim} dimensions",
                             f"give a one-dimensional one of this table's dtype, {self.row_bytes} bytes each")
            with nogil:
                count = self.fill(<uint8_t *>view.buf, <uint64_t>(view.len // view.itemsize))
        finally:
            PyBuffer_Release(&view)
        return count

    def read_bytes(self, int64_t key, int64_t key2=0):
        """One row as bytes, or None when there is none.

        Raises
        ------
        SessionLost : its writer died, or has stood still for long, in the middle of it. ForkedClient
        """
        cdef uint64_t[40] out   # 320 bytes, the longest row
        cdef int found
        self.readable()
        # Who lets go of the GIL waits for it behind every thread that computes: only when the writer is in the row.
        found = self.fetch(key, key2, <uint8_t *>out, 0)
        if found < 0:
            with nogil:
                found = self.fetch(key, key2, <uint8_t *>out, STUCK_NS)
        if found < 0:
            raise _error("SessionLost", f"process {self.region.head.owner_pid} stopped while it wrote this row",
                         "what the row said is not known: connect again")
        return PyBytes_FromStringAndSize(<char *>out, self.row_bytes) if found else None


def leave_half_written(Table table not None, int64_t key, int64_t key2=0):
    """For tests: as if the writer died in the middle of that row. Producer only."""
    cdef RowHead *row = table.find(key, key2)
    if row is not NULL:
        row_begin(row)
        memset(<uint8_t *>row + sizeof(RowHead), 0x55, 32)


# ------------------------------------------------------------------------------------------------------------- quotes

cdef struct QuoteRow:      # spec/records QUOTE_ROW; the test of it compares both
    RowHead head
    double[3] price        # bid, ask, last
    double[3] size
    int64_t[3] at_ns
    uint64_t changes

cdef struct QuoteAction:
    int8_t side            # -1: none
    int8_t price_at
    int8_t size_at
    uint8_t delayed

cdef enum:
    MOST_TICKS = 128
    DELAYED = 2            # spec/records QUOTE_DELAYED


cdef inline void put_double(double *at, double value) noexcept nogil:
    cdef uint64_t word
    memcpy(&word, &value, 8)
    ibw_store_relaxed(<uint64_t *>at, word)


cdef class QuoteTable(Table):
    """The latest bid, ask and last of each request id.

    Parameters
    ----------
    region : the session's, or one that was attached. Rows stand in it where it has room for them, and are fixed in
        number; else in memory of the table's own, which grows.
    capacity : rows at first, in memory of its own; a power of two.
    """

    def __cinit__(self, Region region not None, uint64_t capacity=256):
        self.used_at, self.refused_at = &region.counts.quotes_used, &region.counts.quotes_refused
        at = region.head.quotes_at
        self.settle(region, at, region.head.quotes_capacity if at else capacity, sizeof(QuoteRow))

    def add(self, int64_t reqId):
        """Begin anew with that request id; call it before the request is sent. Any thread of the owner.

        An id that was never removed needs no call: its first tick adds it.
        """
        self.push(ADD, reqId, 0)

    def remove(self, int64_t reqId):
        """Forget that request id; ticks that come late are dropped. Any thread of the owner."""
        self.push(REMOVE, reqId, 0)

    def read(self, int64_t reqId):
        """The quote of one request id at one moment, or None when nothing is known of it.

        Raises
        ------
        SessionLost : its writer died, or has stood still for long, in the middle of it. ForkedClient
        """
        cdef uint64_t[16] out
        cdef QuoteRow *row = <QuoteRow *>out
        cdef QuoteValues found
        cdef int rc
        self.readable()
        with nogil:
            rc = self.fetch(reqId, 0, <uint8_t *>out, STUCK_NS)
        if rc < 0:
            raise _error("SessionLost", f"process {self.region.head.owner_pid} stopped while it wrote this quote",
                         "what it said is not known: connect again")
        if not rc:
            return None
        found = QuoteValues.__new__(QuoteValues)
        found.reqId, found.seq, found.recv_ns = row.head.key, row.head.seq, row.head.recv_ns
        found.delayed, found.changes = row.head.flags & DELAYED != 0, row.changes
        found.bid, found.ask, found.last = row.price[0], row.price[1], row.price[2]
        found.bid_size, found.ask_size, found.last_size = row.size[0], row.size[1], row.size[2]
        found.bid_ns, found.ask_ns, found.last_ns = row.at_ns[0], row.at_ns[1], row.at_ns[2]
        return found


@cython.final
cdef class QuoteValues:
    """One quote as it was at one moment. Prices and sizes are NaN where there is none; times are monotonic, ns."""

    cdef readonly int64_t reqId
    cdef readonly uint64_t seq
    cdef readonly int64_t recv_ns
    cdef readonly double bid
    cdef readonly double ask
    cdef readonly double last
    cdef readonly double bid_size
    cdef readonly double ask_size
    cdef readonly double last_size
    cdef readonly int64_t bid_ns
    cdef readonly int64_t ask_ns
    cdef readonly int64_t last_ns
    cdef readonly uint64_t changes
    cdef readonly bint delayed

    def __repr__(self):
        return (f"QuoteValues(reqId={self.reqId}, bid={self.bid:g} x {self.bid_size:g}, ask={self.ask:g} x "
                f"{self.ask_size:g}, last={self.last:g} x {self.last_size:g}, seq={self.seq})")


@cython.final
cdef class QuoteStepper(Stepper):
    """Keeps a quote table up to date with the market records of each publication.

    Parameters
    ----------
    ring : the market ring of the table's region.
    plan : list of (kind, part, tick, side, price offset, size offset, delayed), from ``spec/tables.py``.
    no_price : the price that, without a size, means that there is none.
    """

    cdef QuoteTable table
    cdef MarketRing ring
    cdef uint64_t next
    cdef double no_price
    cdef uint8_t[256] kinds                    # 0, or 1 + a number among `actions`
    cdef QuoteAction[8][2][MOST_TICKS] actions
    cdef RowHead *recent[256]                  # rows by the low bits of their keys: what ticks, ticks again

    def __cinit__(self, QuoteTable table not None, MarketRing ring not None, list plan not None, double no_price=-1.0):
        cdef int known = 0
        cdef QuoteAction *action
        if table.region is not ring.region or not table.writes:
            raise _error("ConfigError", "table and ring belong to different sessions, or to another process")
        self.table, self.ring, self.no_price = table, ring, no_price
        self.next = ring.hot.market_head
        memset(self.kinds, 0, sizeof(self.kinds))
        memset(self.actions, 0xFF, sizeof(self.actions))
        for kind, part, tick, side, price_at, size_at, delayed in plan:
            if not self.kinds[kind]:
                if known == 8:
                    raise ValueError("more than 8 kinds")
                known += 1
                self.kinds[kind] = known
            if not (0 <= tick < MOST_TICKS and 0 <= side < 3 and 0 <= part < 2 and price_at <= 56 and size_at <= 56):
                raise ValueError(f"a plan of {kind, part, tick, side, price_at, size_at}")
            action = &self.actions[self.kinds[kind] - 1][part][tick]
            action.side, action.price_at, action.size_at, action.delayed = side, price_at, size_at, delayed

    cdef void step(self, uint64_t head, uint64_t seq) noexcept nogil:
        cdef uint64_t next = self.next
        cdef uint64_t mask = self.ring.mask
        cdef const uint8_t *record
        cdef const QuoteAction *action
        cdef uint32_t tick
        cdef uint8_t kind
        if ibw_load_relaxed(<uint64_t *>&self.table.commands):
            self.obey()
        if head - next > self.ring.capacity:
            self.forget(head - next - self.ring.capacity)
            next = head - self.ring.capacity
        while next < head:
            record = self.ring.base + ((next & mask) << 6)
            next += 1
            kind = self.kinds[record[16]]
            tick = (<const uint32_t *>(record + 20))[0]
            if kind and tick < MOST_TICKS:
                action = &self.actions[kind - 1][record[PART_AT] & 1][tick]
                if action.side >= 0:
                    self.apply(record, action)
        self.next = head

    cdef void apply(self, const uint8_t *record, const QuoteAction *action) noexcept nogil:
        cdef int64_t key = (<const int64_t *>(record + 24))[0]
        cdef int side = action.side
        cdef double price, size = NAN
        cdef RowHead **known = &self.recent[key & 255]
        cdef RowHead *row = known[0]
        cdef QuoteRow *quote
        if row is NULL or row.key != key or row.key2 or row.state != ROW_USED:
            row = self.table.find(key, 0)
            if row is NULL:
                row = self.begin(key)
                if row is NULL:
                    return
            elif row.state != ROW_USED:
                return  # a late tick of what was removed
            known[0] = row
        quote = <QuoteRow *>row
        row_begin(row)
        if action.size_at >= 0:
            size = (<const double *>(record + action.size_at))[0]
        if action.price_at >= 0:
            price = (<const double *>(record + action.price_at))[0]
            if price == self.no_price and not size > 0:
                put_double(&quote.price[side], NAN)
                put_double(&quote.size[side], NAN)
            else:
                put_double(&quote.price[side], price)
                if size == size:
                    put_double(&quote.size[side], size)
        else:
            put_double(&quote.size[side], size)
        ibw_store_relaxed(&row.seq, (<const uint64_t *>record)[0])
        ibw_store_relaxed(<uint64_t *>&row.recv_ns, (<const uint64_t *>(record + 8))[0])
        ibw_store_relaxed(<uint64_t *>&quote.at_ns[side], (<const uint64_t *>(record + 8))[0])
        ibw_store_relaxed(&quote.changes, quote.changes + 1)
        ibw_store32_relaxed(&row.flags, DELAYED if action.delayed else 0)
        row_end(row)

    cdef RowHead *begin(self, int64_t key) noexcept nogil:
        cdef RowHead *row = self.table.insert(key, 0)
        memset(self.recent, 0, sizeof(self.recent))  # growing moves the rows
        if row is not NULL:
            self.empty(<QuoteRow *>row)
            row_end(row)
        return row

    cdef void empty(self, QuoteRow *quote) noexcept nogil:
        cdef int i
        for i in range(3):
            put_double(&quote.price[i], NAN)
            put_double(&quote.size[i], NAN)
            ibw_store_relaxed(<uint64_t *>&quote.at_ns[i], 0)

    cdef void forget(self, uint64_t records) noexcept nogil:
        # Records are gone that the table never saw: no value is better than an old one.
        cdef TableBlock *block = self.table.block
        cdef uint64_t *skipped = &self.ring.region.counts.quotes_skipped
        cdef uint64_t n
        cdef QuoteRow *quote
        ibw_store_relaxed(skipped, skipped[0] + records)
        for n in range(block.slots):
            quote = <QuoteRow *>(block.rows + n * sizeof(QuoteRow))
            if quote.head.state == ROW_USED:
                row_begin(&quote.head)
                self.empty(quote)
                row_end(&quote.head)

    cdef void obey(self) noexcept nogil:
        cdef TableCommand *command = self.table.taken()
        cdef TableCommand *following
        cdef RowHead *row
        while command is not NULL:
            row = self.table.find(command.key, 0)
            if row is not NULL and row.state == ROW_USED:
                self.table.drop(row)
            if command.what == ADD:
                self.begin(command.key)
            elif row is NULL:  # removed before its first tick: those that still come are late ones too
                row = self.begin(command.key)
                if row is not NULL:
                    self.table.drop(row)
            following = command.next
            free(command)
            command = following
