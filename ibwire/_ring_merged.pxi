# Part of _ring.pyx: all rings as one stream, in the exact order of the wire.

@cython.final
cdef class MergedCursor:
    """Drains an order, a control and a market cursor, merged by sequence number, into callbacks.

    Parameters
    ----------
    region : its watermark says up to where every ring is complete.
    orders, control : LogCursor, which this object then owns; None leaves a ring out.
    market : MarketCursor or EveryCursor, likewise.
    on_entry : called with each entry of the order and control rings. A message that stands in several rings (one that
        could not be decoded, or was too long for its record) comes once: as the control entry, which has the whole
        payload and says what was wrong.
    on_market : called with the market records that came between two entries, as bytes (64 for each record), or None.
    on_gap : called with the number of market records lost, where they are missing, or None.

    Notes
    -----
    One thread. What the callbacks raise passes through, and the next call goes on behind the item that raised.
    """

    cdef Region region
    cdef LogCursor orders
    cdef LogCursor control
    cdef MarketCursor latest
    cdef EveryCursor every
    cdef object on_entry
    cdef object on_market
    cdef object on_gap
    cdef const uint8_t *records   # polled and not yet delivered; bytes of the market cursor's buffer
    cdef uint64_t left
    cdef uint64_t gap

    def __cinit__(self, Region region not None, LogCursor orders, LogCursor control, market, on_entry not None,
                  on_market=None, on_gap=None):
        self.region, self.orders, self.control = region, orders, control
        if isinstance(market, MarketCursor):
            self.latest = market
        elif isinstance(market, EveryCursor):
            self.every = market
        elif market is not None:
            raise TypeError(f"market is {type(market).__name__}; it may be a MarketCursor, an EveryCursor or None")
        self.on_entry, self.on_market, self.on_gap = on_entry, on_market, on_gap

    def dispatch(self):
        """Deliver everything that had arrived when the call began.

        Returns
        -------
        int
            How many items (entries and market records) were delivered.
        """
        cdef uint64_t limit = ibw_load_acquire(&self.region.hot.watermark)
        cdef uint64_t delivered = 0, control, orders, market, bound, count
        cdef object run
        # What is below the watermark is in its ring: an empty ring has nothing below it, so each is asked once.
        control = next_seq(self.control, limit)
        orders = next_seq(self.orders, limit)
        while True:
            market = self.market_seq(limit)
            if self.gap and market <= control and market <= orders and market <= limit:
                count, self.gap = self.gap, 0
                if self.on_gap is not None:
                    self.on_gap(count)
            if control > limit and orders > limit and market > limit:
                return delivered
            if control <= orders and control <= market:
                # The same message in another ring is this one again.
                delivered += 1
                entry = take_entry(self.control)
                if orders == control:
                    take_entry(self.orders)
                    orders = next_seq(self.orders, limit)
                if market == control:
                    self.skip(self.run_length(control + 1))
                control = next_seq(self.control, limit)
                self.on_entry(entry)
            elif orders <= market:
                delivered += 1
                entry = take_entry(self.orders)
                orders = next_seq(self.orders, limit)
                self.on_entry(entry)
            else:
                bound = control if control < orders else orders
                count = self.run_length(bound if bound <= limit else limit + 1)
                delivered += count
                if self.on_market is None:
                    self.skip(count)
                else:
                    run = PyBytes_FromStringAndSize(<const char *>self.records, count * RECORD)
                    self.skip(count)
                    self.on_market(run)

    cdef uint64_t market_seq(self, uint64_t limit) except? 0xFFFFFFFFFFFFFFFF:
        # Sequence number of the next market record; above the limit when there is none up to it.
        if not self.left:
            if self.latest is not None:
                self.latest.check()
                self.left = self.latest.copy(1024)
                self.records = self.latest.raw + self.latest.skip * RECORD
                self.gap += self.latest.last_gap
            elif self.every is not None:
                self.every.check()
                self.left = self.every.copy(1024)
                self.records = self.every.raw
                self.gap += self.every.last_gap
            if not self.left:
                return limit + 1
        return (<const uint64_t *>self.records)[0]

    cdef uint64_t run_length(self, uint64_t before) noexcept nogil:
        # How many of the polled records have a sequence number below that one; they are in order.
        cdef uint64_t low = 0, high = self.left, middle
        if (<const uint64_t *>(self.records + (high - 1) * RECORD))[0] < before:
            return high
        while low < high:
            middle = (low + high) >> 1
            if (<const uint64_t *>(self.records + middle * RECORD))[0] < before:
                low = middle + 1
            else:
                high = middle
        return low

    cdef void skip(self, uint64_t count) noexcept nogil:
        self.records += count * RECORD
        self.left -= count

    def adopt(self):
        """Go on in this thread; the one before is done."""
        for cursor in (self.orders, self.control, self.latest, self.every):
            if cursor is not None:
                cursor.adopt()

    def close(self):
        """Close the cursors."""
        for cursor in (self.orders, self.control, self.latest, self.every):
            if cursor is not None:
                cursor.close()


cdef uint64_t next_seq(LogCursor cursor, uint64_t limit) except? 0xFFFFFFFFFFFFFFFF:
    cdef uint64_t seq
    if cursor is None:
        return limit + 1
    cursor.check()
    seq = cursor.head_seq()
    cursor.leave()
    return seq if seq else limit + 1


cdef Entry take_entry(LogCursor cursor):
    cdef Entry entry
    cursor.look()
    try:
        entry = cursor.take()
    finally:
        cursor.leave()
    return entry
