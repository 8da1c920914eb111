# The C face of the rings, for the decoder, the reader and other compiled code: one producer appends without the GIL.
#
# A region is one block of memory, private or shared, that holds everything others may look at:
#
#   page 0   RegionHead   what this is and where the parts begin; written before `state` says open
#   page 1   HotPage      how far the producer is; written by the producer only
#   page 2   Counters     metrics; written by the producer only, relaxed
#   page 3   WaitPage     who sleeps; the one page that attached processes may write
#   then     market records, tape, quote table, order table, each at the offset that the head names (0: not there)
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t


cdef extern from "_atomics.h" nogil:
    uint64_t ibw_load_acquire(const uint64_t *p)
    uint64_t ibw_load_relaxed(const uint64_t *p)
    uint64_t ibw_load_seq(const uint64_t *p)
    void ibw_store_release(uint64_t *p, uint64_t v)
    void ibw_store_relaxed(uint64_t *p, uint64_t v)
    void ibw_store_seq(uint64_t *p, uint64_t v)
    uint32_t ibw_load32_acquire(const uint32_t *p)
    uint32_t ibw_load32_relaxed(const uint32_t *p)
    void ibw_store32_seq(uint32_t *p, uint32_t v)
    uint32_t ibw_add32_seq(uint32_t *p, uint32_t v)
    uint32_t ibw_swap32_seq(uint32_t *p, uint32_t v)
    uint64_t ibw_add_seq(uint64_t *p, uint64_t v)
    void ibw_fence_acquire()
    void ibw_fence_release()
    void ibw_fence_seq()
    void ibw_copy_words(uint64_t *to, const uint64_t *src, uint64_t words)
    void ibw_copy_overwritten(uint64_t *to, const uint64_t *src, uint64_t words)
    void ibw_put_words(uint64_t *to, const uint64_t *src, uint64_t words)
    void ibw_count(uint64_t *p, uint64_t n)
    void ibw_add_relaxed(uint64_t *p, uint64_t v)
    uint64_t ibw_swap_acquire(uint64_t *p, uint64_t v)
    bint ibw_replace_release(uint64_t *p, uint64_t old, uint64_t v)
    bint ibw_replace32_seq(uint32_t *p, uint32_t old, uint32_t v)
    void ibw_store32_release(uint32_t *p, uint32_t v)
    void ibw_store32_relaxed(uint32_t *p, uint32_t v)


cdef extern from "_wait.h" nogil:
    void ibw_futex_wait(uint32_t *word, uint32_t seen, int64_t ns)
    void ibw_futex_wake_all(uint32_t *word)
    int64_t ibw_now_ns()
    int64_t ibw_wall_ns()
    void ibw_yield()
    void ibw_pause()


cdef enum:
    LAYOUT_VERSION = 2
    PAGE_BYTES = 4096
    MAX_KINDS = 456        # message ids: text below 200, protobuf from 200 on
    MAX_FDS = 64

cdef enum:                 # RegionHead.state
    REGION_BUILDING = 0
    REGION_OPEN = 1
    REGION_CLOSED = 2      # by its owner, in order

cdef struct RegionHead:
    uint8_t[8] magic
    uint32_t layout        # LAYOUT_VERSION of who made it
    uint32_t records       # checksum of the record layouts (spec/records)
    uint64_t bytes
    int64_t owner_pid
    uint64_t owner_start   # when that process began, in clock ticks since boot; 0: not known
    int64_t created_ns     # wall clock
    uint64_t market_at
    uint64_t market_capacity
    uint64_t tape_at
    uint64_t tape_bytes
    uint64_t quotes_at
    uint64_t quotes_capacity
    uint64_t orders_at
    uint64_t orders_capacity
    uint64_t state         # REGION_*
    int64_t server_version
    int64_t client_id
    int64_t epoch
    uint8_t[32] package    # version of who made it, as text
    uint64_t owner_space   # its pid namespace; 0: not known

cdef struct HotPage:
    uint64_t watermark         # every message up to here is in all its rings
    uint64_t wall_offset       # wall clock minus monotonic, ns, as int64; renewed at each receive
    uint64_t receive_ns        # monotonic time of the newest receive
    uint64_t rings             # publications, and other reasons to look; what waiters wait for
    uint64_t entries           # those with entries for the order or control ring, and the other reasons; or this
    uint64_t[3] pad0
    uint64_t market_head       # market records published
    uint64_t[7] pad1
    uint64_t market_reserved   # market records that the producer may be writing; never below market_head
    uint64_t[7] pad2
    uint64_t tape_head         # bytes of the tape published
    uint64_t tape_count        # entries published: stored before tape_head,
    uint64_t tape_counted      # and after it
    uint64_t[5] pad3
    uint64_t tape_reserved
    uint64_t[7] pad4

cdef struct Counters:
    uint64_t receives
    uint64_t bytes
    uint64_t messages
    uint64_t bad_frames
    uint64_t unknown
    uint64_t extra
    uint64_t market
    uint64_t orders
    uint64_t control
    uint64_t segments          # taken so far, over all log rings
    uint64_t evicted           # market records that market="every" gave up
    uint64_t wakes
    uint64_t quotes_used       # rows of the quote table
    uint64_t quotes_refused    # ticks of request ids for which it had no row left
    uint64_t quotes_skipped    # market records overwritten before the table saw them; its rows were emptied then
    uint64_t orders_used       # rows of the order table
    uint64_t orders_refused    # entries of orders for which it had no row left
    uint64_t orders_unkeyed    # entries that name no order
    uint64_t orders_undecodable
    uint64_t tape_omitted      # entries too long for the tape: their header alone is there
    uint64_t[12] spare
    uint64_t[456] kinds        # messages by wire id (MAX_KINDS)

cdef struct Sleepers:
    uint32_t wake_seq          # moves with each wake
    uint32_t asleep            # somebody may be; set by who is about to sleep, taken back by who wakes
    uint32_t[14] pad

cdef struct WaitPage:
    Sleepers rings             # who waits for any publication
    Sleepers entries           # who waits for one with entries

cdef struct FdSlot:
    int fd                     # written to; -1: free
    int read_fd                # taken back from; the same for an eventfd
    uint32_t signalled         # written, or just about to be, and not yet taken back


cdef class Stepper:
    # What looks at what was newly published: the live tables, the tracker. The producer calls it with each publication,
    # in its own thread and without the GIL, before it raises the watermark to `seq`; `head` is market_head.
    cdef void step(self, uint64_t head, uint64_t seq) noexcept nogil
    # A reader calls this in the same thread, about twice a second, also while nothing comes.
    cdef void idle(self, int64_t now_ns) noexcept nogil
    # And this, once: nothing will be received any more.
    cdef void ended(self, int64_t now_ns) noexcept nogil


cdef class LogRing


cdef class Region:
    cdef uint8_t *base
    cdef RegionHead *head
    cdef HotPage *hot
    cdef Counters *counts
    cdef WaitPage *waits
    cdef void *block           # own memory, or NULL
    cdef object memory         # the buffers that were given, or None
    cdef object wait_memory
    cdef readonly uint64_t bytes
    cdef readonly bint is_owner
    cdef FdSlot[64] fds
    cdef uint32_t fds_used     # slots that were ever taken
    cdef int64_t generation    # of forks: this process made or attached it
    cdef uint64_t tape_next    # bytes of the tape written; the producer's. Published with the watermark
    cdef uint64_t tape_entries
    cdef Stepper stepper       # or None; set before the producer runs
    cdef bint timed            # the producer wants to know how long the stepper took
    cdef int64_t step_ns       # in the last publication
    cdef LogRing log1          # the lossless rings, where they were given: a publication that follows an entry
    cdef LogRing log2          # of these wakes who waits for entries. Without them each one does
    cdef uint64_t logged       # their entries at the last publication

    cdef place(self)


cdef void region_publish(Region region, uint64_t seq) noexcept nogil
cdef void region_ring(Region region) noexcept nogil
cdef void region_ring_rows(Region region) noexcept nogil
cdef bint region_wait(Region region, uint64_t seen, int64_t ns) noexcept nogil


cdef class MarketRing:
    cdef readonly Region region
    cdef HotPage *hot
    cdef uint8_t *base
    cdef readonly uint64_t capacity
    cdef uint64_t mask


cdef inline void ring_reserve(HotPage *hot, uint64_t head) noexcept nogil:
    # Called when the record at `head` is beyond the mark. The mark moves in steps, so that the hot path seldom stores
    # it; a reader loses at most that many records more.
    ibw_store_relaxed(&hot.market_reserved, head + 16)
    ibw_fence_release()  # the raised mark is visible before any byte below is changed


cdef inline uint8_t *ring_claim(MarketRing ring, uint64_t ahead) noexcept nogil:
    # Where the next record goes, or the one after it (ahead = 1).
    if ring.hot.market_head + ahead >= ring.hot.market_reserved:
        ring_reserve(ring.hot, ring.hot.market_head)
    return ring.base + (((ring.hot.market_head + ahead) & ring.mask) << 6)


cdef inline void ring_publish(MarketRing ring, uint64_t n) noexcept nogil:
    # The records are visible before the head that covers them.
    ibw_store_release(&ring.hot.market_head, ring.hot.market_head + n)


cdef class Reading:            # what every cursor has in common
    cdef unsigned long owner
    cdef int64_t generation
    cdef readonly bint closed
    cdef object shown          # the buffer that `whole` is an array of
    cdef object whole

    cdef int check(self) except -1
    cdef object view(self, bytearray buffer, uint64_t count, uint64_t first)


cdef struct Segment:
    Segment *next          # release-stored by the producer, once this one is complete
    Segment *retired       # the producer's list of those that a cursor still looks at; next stays, for the cursor
    uint64_t used          # bytes of finished entries; release-stored by the producer
    uint64_t capacity
    uint64_t index
    uint64_t base          # bytes of all segments before it

cdef struct CursorSlot:    # one cache line for each cursor, which alone writes it (and takes it, with the GIL)
    uint64_t taken         # 0 free
    uint64_t read          # bytes of the ring that the cursor is done with
    uint64_t reading       # index + 1 of the segment that it looks at; all ones: any; 0: none
    uint64_t[5] pad


cdef class Tape:
    cdef readonly Region region
    cdef uint8_t *base
    cdef uint64_t bytes
    cdef uint64_t mask

    cdef void put(self, uint8_t origin, const uint8_t *head, uint32_t nhead, const uint8_t *payload, uint32_t n) noexcept nogil
    cdef void write(self, uint64_t at, const uint8_t *data, uint64_t n) noexcept nogil


cdef class LogRing:
    cdef Segment *first        # the producer's: the oldest that a cursor may begin at
    cdef Segment *last
    cdef Segment *retired      # unlinked, but a cursor may still look at them; by their `retired`
    cdef Segment *spare        # by their `next`; for the next ones, so that a consumer who follows costs no page faults
    cdef int spares
    cdef uint64_t prepared     # index + 1 of the last segment whose pages were fetched ahead
    cdef uint64_t first_index  # of `first`; what is below may go at any time
    cdef uint64_t floor        # cached: every cursor has read at least that far
    cdef uint64_t held         # bytes of all segments, spare and retired ones included
    cdef uint64_t entries
    cdef uint64_t end_bytes    # appended so far; for figures, without looking into a segment
    cdef uint64_t taken        # segments, so far
    cdef uint64_t evicted      # bytes given up unread
    cdef bint evicts           # past the limit the oldest go; otherwise nothing more is taken
    cdef readonly uint64_t max_backlog_bytes
    cdef CursorSlot *slots
    cdef void *slots_block
    cdef Tape tape             # or None: where each entry goes too, for other processes
    cdef uint8_t origin        # which ring this is, on the tape

    cdef int put(self, const uint8_t *head, uint32_t nhead, const uint8_t *payload, uint32_t n) noexcept nogil
    cdef uint8_t *room_for(self, uint64_t whole, int *why) noexcept nogil
    cdef void prepare(self) noexcept nogil
    cdef void tidy(self) noexcept nogil
    cdef void trim(self) noexcept nogil
    cdef uint64_t end(self) noexcept nogil
    cdef uint64_t slowest(self) noexcept nogil
    cdef bint looked_at(self, uint64_t index) noexcept nogil
    cdef void unlink(self) noexcept nogil
    cdef void give(self, Segment *segment) noexcept nogil


cdef class EveryRing:
    cdef readonly MarketRing ring
    cdef LogRing log
    cdef uint64_t copied       # of the market ring's records

    cdef bint is_second(self, uint64_t place) noexcept nogil
    cdef int copy(self) noexcept nogil


cdef inline uint8_t *data_of(Segment *segment) noexcept nogil:
    return <uint8_t *>segment + sizeof(Segment)


cdef class Place(Reading):     # a cursor's place in a ring of segments
    cdef LogRing log
    cdef CursorSlot *slot
    cdef Segment *segment
    cdef uint64_t index
    cdef uint64_t at
    cdef uint64_t base
    cdef bint started
    cdef uint64_t lost         # bytes that were evicted before this cursor came to them

    cdef int settle(self, LogRing log, bint from_start) except -1
    cdef uint64_t look(self) noexcept nogil
    cdef void leave(self) noexcept nogil
    cdef void vacate(self)


# One entry lies as u32 whole, u32 header bytes, header, payload; its length at byte 24 of the header. Between look() and
# leave() it stays where it is, also while other code reads on with the same cursor up to the next look().
cdef inline uint32_t entry_bytes(const uint8_t *entry) noexcept nogil:
    return (<uint32_t *>entry)[0]


cdef inline uint64_t entry_seq(const uint8_t *entry) noexcept nogil:
    return (<uint64_t *>(entry + 8))[0]


cdef inline const uint8_t *entry_payload(const uint8_t *entry) noexcept nogil:
    return entry + 8 + (<uint32_t *>(entry + 4))[0]


cdef inline uint32_t entry_payload_bytes(const uint8_t *entry) noexcept nogil:
    return (<uint32_t *>(entry + 32))[0]


cdef class LogCursor(Place):
    cdef uint64_t head_seq(self) noexcept nogil
    cdef object take(self)


# ------------------------------------------------------------------------------------------------------- live tables

cdef enum:                 # RowHead.state
    ROW_FREE = 0
    ROW_USED = 1
    ROW_REMOVED = 2        # it still knows its key

cdef enum:
    ROW_TORN = 1           # RowHead.flags, in a snapshot only

cdef struct RowHead:       # how every row begins
    uint64_t lock          # odd while the row is written
    uint32_t state
    uint32_t flags
    int64_t key
    int64_t key2
    uint64_t seq
    int64_t recv_ns

cdef struct TableBlock:    # rows, which are an open-addressing hash of their keys
    uint8_t *rows
    uint64_t slots         # a power of two
    TableBlock *older      # outgrown; a reader may still look at it
    uint64_t bytes         # of the rows' own memory; 0: they stand in the region

cdef struct TableCommand:
    TableCommand *next
    int64_t key
    int64_t key2
    int what


cdef class Table:
    # Written by the producer alone, without the GIL; read from any thread or process by seqlock.
    cdef readonly Region region
    cdef TableBlock *block
    cdef uint64_t row_bytes
    cdef bint grows
    cdef bint writes
    cdef uint64_t removed          # rows
    cdef uint64_t *used_at
    cdef uint64_t *refused_at
    cdef TableCommand *commands    # newest first; pushed by any thread, taken by the producer

    cdef int settle(self, Region region, uint64_t at, uint64_t slots, uint64_t row_bytes) except -1
    cdef RowHead *find(self, int64_t key, int64_t key2) noexcept nogil
    cdef void expect(self, uint32_t slot, int64_t key, int64_t key2) noexcept nogil
    cdef RowHead *found_at(self, uint32_t *slot, int64_t key, int64_t key2) noexcept nogil
    cdef RowHead *insert(self, int64_t key, int64_t key2) noexcept nogil
    cdef uint64_t wider(self) noexcept nogil
    cdef void prepare(self) noexcept nogil
    cdef void drop(self, RowHead *row) noexcept nogil
    cdef void sweep(self) noexcept nogil
    cdef bint regrow(self, uint64_t slots) noexcept nogil
    cdef TableCommand *taken(self) noexcept nogil
    cdef int push(self, int what, int64_t key, int64_t key2) except -1
    cdef int fetch(self, int64_t key, int64_t key2, uint8_t *out, int64_t patience_ns) noexcept nogil
    cdef int64_t fill(self, uint8_t *out, uint64_t room) noexcept nogil
    cdef int readable(self) except -1


cdef inline void row_begin(RowHead *row) noexcept nogil:
    ibw_store_relaxed(&row.lock, row.lock + 1)
    ibw_fence_release()  # the odd number is out before any word of the row changes


cdef inline void row_end(RowHead *row) noexcept nogil:
    ibw_store_release(&row.lock, row.lock + 1)  # every word of the row is out before the even number


# --------------------------------------------------------------------------------------- for strategies in C or Cython
#
# A view on the ring itself, without a copy: look at the records between ring_view and ring_is_whole, keep what you
# conclude, and act on it only when ring_is_whole says so: otherwise the producer came round meanwhile, and what was
# looked at may be mixed. Then forget it; the next ring_view says how many records are gone.
#
#     lost = ring_view(ring, &next, &view)
#     for i in range(view.count):
#         tick = <const TickPriceRecord *>(view.records + i * 64)
#         ...
#     if ring_is_whole(ring, &view):
#         next = view.first + view.count

cdef struct RingView:
    const uint8_t *records     # `count` records of 64 bytes, one behind the other
    uint64_t count             # 0: nothing new
    uint64_t first             # number of the first


cdef inline uint64_t ring_head(MarketRing ring) noexcept nogil:
    # Number of the next record: where a new reader begins.
    return ibw_load_acquire(&ring.hot.market_head)


cdef inline uint64_t ring_view(MarketRing ring, uint64_t *next, RingView *view) noexcept nogil:
    # What can be read from record number `next` on, up to the ring's end: whole messages, though the rest of one may
    # follow in the next view. Returns how many records were overwritten unread; `next` is moved past them.
    cdef uint64_t head = ibw_load_acquire(&ring.hot.market_head)  # records below are whole
    cdef uint64_t lost = 0, at
    if ibw_load_relaxed(&ring.hot.market_reserved) > next[0] + ring.capacity:
        # Half a ring of a start, or a fast producer is never escaped; and not with the second half of a message.
        lost = head - (ring.capacity >> 1) - next[0]
        lost += (ring.base + (((next[0] + lost) & ring.mask) << 6))[17] != 0
        next[0] += lost
    at = next[0] & ring.mask
    view.first = next[0]
    view.records = ring.base + (at << 6)
    view.count = head - next[0]
    if view.count > ring.capacity - at:
        view.count = ring.capacity - at
    return lost


cdef inline bint ring_is_whole(MarketRing ring, const RingView *view) noexcept nogil:
    # After use: nothing of the view was touched by the producer since.
    ibw_fence_acquire()  # what was read is read before the mark is
    return ibw_load_relaxed(&ring.hot.market_reserved) <= view.first + ring.capacity


cdef inline bint ring_wait(MarketRing ring, uint64_t next, int64_t ns) noexcept nogil:
    # Sleep, without the GIL, until there is something from `next` on, at most ns; True when there is.
    cdef int64_t until = ibw_now_ns() + ns
    cdef uint64_t seen
    while True:
        seen = ibw_load_acquire(&ring.hot.rings)
        if ibw_load_acquire(&ring.hot.market_head) != next:
            return True
        ns = until - ibw_now_ns()
        if ns <= 0:
            return False
        region_wait(ring.region, seen, ns)  # also moved by what is no market record
