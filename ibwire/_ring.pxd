# The C face of the rings: one producer appends without the GIL; consumers read with it.
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t


cdef extern from "_atomics.h" nogil:
    uint64_t ibw_load_acquire(const uint64_t *p)
    uint64_t ibw_load_relaxed(const uint64_t *p)
    void ibw_store_release(uint64_t *p, uint64_t v)
    void ibw_store_relaxed(uint64_t *p, uint64_t v)
    uint64_t ibw_add(uint64_t *p, uint64_t v)
    uint64_t ibw_sub(uint64_t *p, uint64_t v)
    void ibw_lock(uint64_t *p)
    void ibw_unlock(uint64_t *p)
    void ibw_fence_acquire()
    void ibw_fence_release()


cdef struct Segment:
    Segment *next
    uint64_t used        # bytes of finished entries; release-stored by the producer
    uint64_t capacity
    uint64_t index
    uint64_t base        # bytes of all segments before it


cdef class MarketRing:
    cdef void *block
    cdef uint8_t *base
    cdef readonly uint64_t capacity
    cdef uint64_t mask
    cdef uint8_t _pad0[64]
    cdef uint64_t head       # records published; written by the producer only
    cdef uint64_t reserved   # records that the producer may be writing; never below head
    cdef uint8_t _pad1[64]


cdef inline uint8_t *ring_claim(MarketRing ring, uint64_t ahead) noexcept nogil:
    # Where the next record goes, or the one after it (ahead = 1). The mark is raised in steps, so that the hot path seldom stores it; a reader loses
    # at most that many records more.
    if ring.head + ahead >= ring.reserved:
        ibw_store_relaxed(&ring.reserved, ring.head + 16)
        ibw_fence_release()  # the raised mark is visible before any byte below is changed
    return ring.base + (((ring.head + ahead) & ring.mask) << 6)


cdef inline void ring_publish(MarketRing ring, uint64_t n) noexcept nogil:
    ibw_store_release(&ring.head, ring.head + n)  # the records are visible before the head that covers them


cdef class LogRing:
    cdef Segment *first
    cdef Segment *last       # the producer's
    cdef uint64_t held       # bytes of all segments
    cdef uint64_t entries
    cdef readonly uint64_t max_backlog_bytes
    cdef uint64_t lock       # held while segments are linked or given back
    cdef uint64_t needed     # index of the oldest segment that a cursor is in; under lock
    cdef uint64_t floor      # bytes that every cursor has read; all ones without cursors
    cdef set cursors         # their addresses: a cursor that nobody holds any more goes, and gives up its place

    cdef int put(self, const uint8_t *head, uint32_t nhead, const uint8_t *payload, uint32_t n) noexcept nogil
    cdef void give_back(self) noexcept nogil
    cdef void moved(self)
    cdef void read(self)
