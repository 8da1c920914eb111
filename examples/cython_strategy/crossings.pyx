# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""A strategy in Cython: follows the mid price of one contract and says when it crosses its own slow average.

It runs on the ring itself, without the GIL and without a Python object for each tick, in the thread that calls
:meth:`Crossings.run`: in the process that is connected, or in another one that has attached to it.
"""

from libc.stdint cimport int64_t, uint64_t

from ibwire._records cimport TickPriceRecord
from ibwire._ring cimport MarketRing, RingView, ring_head, ring_is_whole, ring_view, ring_wait

cdef enum:
    TICK_PRICE = 1     # message id of a record of price and size
    BID = 1            # tick types
    ASK = 2

cdef struct State:
    double bid
    double ask
    double average     # 0: none yet
    int64_t side       # 1 above the average, -1 below it, 0 not known
    int64_t crossings
    int64_t ticks


cdef class Crossings:
    """Counts how often the mid of one request id crosses its average.

    Parameters
    ----------
    ring : the market ring; ``client.market`` of a connected client, ``attached.market`` of an attached one.
    reqId : whose ticks. weight : of a new mid in the average, 0 to 1.
    """

    cdef MarketRing ring
    cdef int64_t reqId
    cdef double weight
    cdef uint64_t next
    cdef State state
    cdef readonly uint64_t lost

    def __init__(self, MarketRing ring not None, int64_t reqId, double weight=0.05):
        self.ring, self.reqId, self.weight = ring, reqId, weight
        self.next = ring_head(ring)

    @property
    def crossings(self):
        """Crossings so far."""
        return self.state.crossings

    @property
    def ticks(self):
        """Bids and asks seen so far."""
        return self.state.ticks

    def run(self, int64_t timeout_ms=1000, int64_t until_ticks=-1):
        """Follow the ring until nothing has come for that long, or so many ticks were seen. Returns the crossings."""
        with nogil:
            while until_ticks < 0 or self.state.ticks < until_ticks:
                if not ring_wait(self.ring, self.next, timeout_ms * 1000000):
                    break
                self.look()
        return self.state.crossings

    cdef void look(self) noexcept nogil:
        cdef RingView view
        cdef State after = self.state
        cdef const TickPriceRecord *tick
        cdef uint64_t i, lost
        lost = ring_view(self.ring, &self.next, &view)
        if lost:
            after.side = 0  # what was missed may have been a crossing
            self.lost += lost
        for i in range(view.count):
            tick = <const TickPriceRecord *>(view.records + i * 64)
            if tick.kind == TICK_PRICE and tick.key == self.reqId:
                take(&after, tick, self.weight)
        # Only now is it known that the producer did not come round meanwhile: what was concluded counts, or is dropped.
        if ring_is_whole(self.ring, &view):
            self.state = after
            self.next = view.first + view.count


cdef inline void take(State *state, const TickPriceRecord *tick, double weight) noexcept nogil:
    cdef double mid
    cdef int64_t side
    if tick.tickType == BID:
        state.bid = tick.price
    elif tick.tickType == ASK:
        state.ask = tick.price
    else:
        return
    state.ticks += 1
    if state.bid <= 0 or state.ask <= 0:
        return
    mid = (state.bid + state.ask) / 2
    if state.average == 0:
        state.average = mid
    side = 1 if mid > state.average else -1 if mid < state.average else state.side
    if state.side and side != state.side:
        state.crossings += 1
    state.side = side
    state.average += weight * (mid - state.average)
