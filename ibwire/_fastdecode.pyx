# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The compiled decoder: cuts a byte stream into frames and runs plans over them.

Strategy. Hot messages go from bytes straight into ring records, without the GIL, driven by tables of ops (``wire/hot.py``
makes them from the spec); everything else goes raw to a log ring. This file knows shapes, not messages: it contains no
message name and no server version. Its plain twins, ``wire/text.py``, ``wire/proto.py`` and ``ring/stream.py``, define
the meaning; tests hold both equal.

Invariants. The end is checked before every read. Eight bytes past the end of a frame may be loaded but are never
believed; a frame too near the end of the caller's buffer is copied first. Every loop is bounded by the frame. A number
that cannot be converted exactly here (more than 19 digits, large exponents) goes to Python's own conversion, which
takes the GIL for that number alone. What is wrong with a bad frame is found out by the plain twin, which words the error.
"""

cimport cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.math cimport NAN, INFINITY
from libc.stdint cimport INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN, int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memchr, memcmp, memcpy, memset

from ibwire._ring cimport (
    Counters,
    EveryRing,
    LogRing,
    MarketRing,
    ibw_count,
    ibw_load_relaxed,
    ibw_store_relaxed,
    region_publish,
    ring_claim,
    ring_publish,
)
from ibwire._reader cimport SLACK, Decoder

cdef extern from "Python.h":
    double PyOS_string_to_double(const char *s, char **endptr, void *overflow_exception) except? -1.0

cdef extern from "_scan.h" nogil:
    uint64_t ibw_zeros64(const uint8_t *p) noexcept nogil
    uint64_t ibw_zeros32(const uint8_t *p) noexcept nogil

cdef extern from "_fused.h" nogil:
    enum:
        IBW_OPS
        IBW_WAYS

    ctypedef struct ibw_op:
        double refused
        int32_t aux
        uint16_t dst, dst2
        uint8_t kind, key, room, negative

    ctypedef int (*ibw_run)() noexcept nogil

    ctypedef struct ibw_program:
        ibw_run run
        ibw_program *ways
        int64_t parts
        uint8_t[128] template_
        ibw_op[15] ops

    ctypedef struct ibw_ring_face:
        uint8_t *base
        uint64_t mask
        uint64_t *head
        uint64_t *reserved
        uint64_t *kinds
        uint64_t stop

    ibw_run ibw_run_of(uint64_t shape, int proto, int wide) noexcept nogil
    ctypedef struct ibw_longer:
        const uint8_t *payload
        uint64_t length, id
        uint32_t place
        uint16_t flags

    int ibw_can_wide() noexcept nogil
    size_t ibw_fused(int raw_ids, int wide, ibw_program **plans, ibw_ring_face ring, const uint8_t *data, size_t at,
                     size_t n, int64_t recv_ns, uint64_t *seq, uint64_t *market,
                     ibw_longer *longer) noexcept nogil

cdef extern from *:
    """
    #define IBW_CTZ(x) ((unsigned)__builtin_ctzll(x))
    #define IBW_BSWAP32(x) __builtin_bswap32(x)
    """
    bint likely "IBW_LIKELY"(bint x) noexcept nogil
    unsigned int ctz "IBW_CTZ"(uint64_t x) noexcept nogil
    uint32_t bswap32 "IBW_BSWAP32"(uint32_t x) noexcept nogil

# Shared with wire/plan.py (most_elements, OpCode) and wire/hot.py.
cdef enum:
    FREE_ELEMENTS = 1 << 16
    BYTES_PER_ELEMENT = 32

cdef enum:
    OP_SKIP = 0
    OP_INT = 1
    OP_FLOAT = 2
    OP_DEC = 3
    OP_BOOL = 4
    OP_STR = 5
    OP_BITS = 6
    OP_WHEN = 7
    OP_REPEAT = 8
    OP_PRESENT = 9
    OP_END = 10

cdef enum:
    P_INT32 = 0
    P_INT64 = 1
    P_DOUBLE = 2
    P_STRING = 3
    P_BOOL = 4
    P_MESSAGE = 5
    P_REPEATED = 6
    P_MAP = 7
    P_LIST = 8
    P_BITS = 9

cdef enum:
    STORE_NONE = 0
    STORE_I8 = 1
    STORE_I16 = 2
    STORE_I32 = 3
    STORE_I64 = 4
    STORE_F64 = 5
    STORE_CHARS = 6
    STORE_REF = 7
    STORE_BIT = 8

cdef enum:
    F_NULLABLE = 1
    F_NEGATIVE = 2
    F_NOT_COMPUTED = 4
    F_QUESTION = 8
    F_WIDE = 16
    F_ESCAPED = 32

cdef enum:
    K_I32 = 1
    K_I64 = 2
    K_F64 = 3
    K_DEC = 4
    K_BOOL = 5
    K_STR = 6

cdef enum:
    REC_EXTRA = 1
    REC_UNSET = 2
    REC_LONG_TEXT = 4
    REC_LONG_NUMBER = 8
    REC_UNDECODABLE = 16
    REC_ODD = 1 << 16        # not stored: fields came twice or out of order; the plain twin makes the record

cdef enum:
    OK = 0
    BAD = -1

cdef enum:
    EXACT_DIGITS = 15
    MAX_NUMBER = 512
    MAX_PAYLOAD = 0xFFFFFF
    PAD = 72           # 64 bytes are scanned for zeros at once
    NO_SLOT = 255
    NO_DST = 0xFFFF

cdef enum:
    FAST_NONE = 0
    FAST_SKIP = 1
    FAST_CHECK = 2     # an integer that nobody keeps
    FAST_I64 = 3
    FAST_I32 = 4
    FAST_NUMBER = 5    # a double, kept with its digits
    FAST_HEAD = 6      # FAST_CHECK, FAST_I64, FAST_I32 in a row: how most market messages begin
    FAST_CONTROL = 7   # when, repeat, end
    FAST_VALID = 8     # a number that nobody keeps
    FAST_DOUBLE = 9    # a double, kept without its digits
    FAST_REF = 10      # a text, kept by place and length

cdef enum:
    PF_NONE = 0
    PF_I64 = 1
    PF_I32 = 2
    PF_DOUBLE = 3
    PF_SIZE = 4        # a decimal as text, kept as a double with its digits
    PF_TEXT = 5
    PF_SKIP_8 = 6      # a double, or a varint, that no record keeps
    PF_SKIP = 7

cdef double UNSET_DOUBLE = 1.7976931348623157e308

cdef struct Op:
    uint8_t code
    uint8_t store
    uint8_t flags
    uint8_t slot
    uint16_t dst
    uint16_t dst2
    uint8_t fast       # FAST_*: what the common shapes of op, store and flags come to
    int32_t aux
    int32_t jump
    double fval

cdef struct Test:
    int slot
    int code
    double number
    uint8_t *text
    int text_len

cdef struct Slot:
    double number      # NaN when unset
    const uint8_t *text
    int text_len       # of the field as written; 0 also for empty numbers
    bint is_text

cdef struct ProtoOp:
    uint8_t present
    uint8_t code
    uint8_t store
    uint8_t flags
    uint8_t kind
    uint8_t fast       # PF_*
    uint8_t wire       # its wire type
    uint16_t dst
    uint16_t dst2
    int32_t aux
    int32_t sub
    double fval

cdef struct Default:
    # What stands in a place of an optional struct once that comes, before its field does.
    uint16_t dst
    uint16_t size
    uint8_t[8] data

cdef struct ProtoTable:
    ProtoOp *ops
    uint32_t limit     # field numbers below it have a place in ops
    Default *defaults
    int defaults_count
    ProtoOp *by_key[128]   # by the whole one-byte key (number and wire type), where both are right

cdef struct Check:
    # A number of the record that says when it is unset; guard: the optional struct that it belongs to, or 0.
    uint16_t store
    uint16_t dst
    uint32_t guard

cdef struct Plan:
    int route          # 0 unknown, 1 market, 2 order, 3 cold, 4 raw market data
    int wire           # its id on the wire, for counting
    int parts
    uint32_t size
    uint8_t *template_
    Op *ops
    int ops_count
    Test *tests
    int slots
    int constants
    int *constant_slot
    double *constant
    ProtoTable *tables
    int tables_count
    Check *checks
    int checks_count

cdef struct Ctx:
    const uint8_t *p
    const uint8_t *end
    const uint8_t *base    # the 64 bytes whose zeros mask has
    uint64_t mask          # zeros that were not yet taken as ends of fields
    const uint8_t *start   # of the payload, for references
    uint8_t *rec
    uint32_t flags
    uint32_t seen          # a bit for each optional struct that came
    int64_t elements_left  # of lists
    Slot *slots
    Plan *plan
    ProtoOp *last          # the newest field of the protobuf message that is being read

cdef double[23] POW10
cdef int _i
for _i in range(23):
    POW10[_i] = 10.0 ** _i

cdef const char *UNSET_TEXTS[5]
UNSET_TEXTS[0] = "2147483647"
UNSET_TEXTS[1] = "9223372036854775807"
UNSET_TEXTS[2] = "1.7976931348623157E308"
UNSET_TEXTS[3] = "-9223372036854775808"
UNSET_TEXTS[4] = "170141183460469231731687303715884105727"
cdef int[5] UNSET_LENGTHS = [10, 19, 22, 20, 39]


include "_fastdecode_numbers.pxi"
include "_fastdecode_text.pxi"
include "_fastdecode_proto.pxi"
include "_fastdecode_plans.pxi"


# ------------------------------------------------------------------------------------------------ stream

cdef inline ibw_ring_face face_of(MarketRing ring) noexcept nogil:
    cdef ibw_ring_face face
    face.base = ring.base
    face.mask = ring.mask
    face.head = &ring.hot.market_head
    face.reserved = &ring.hot.market_reserved
    face.kinds = ring.region.counts.kinds
    face.stop = ring.hot.market_head + (ring.capacity >> 1)
    return face


@cython.final
cdef class StreamDecoder(Decoder):
    """Frames and decodes a received stream into rings, without the GIL. Twin: ``ibwire.ring.stream``.

    Parameters
    ----------
    tables : what ``wire.hot.tables`` makes for the agreed server version; ``wide``: False keeps to common instructions.
    market, orders, control : the rings to fill. This decoder is their only producer.
    twin : called with the payload of a message whose fields come twice or out of order, which no gateway sends; returns
        (record, flags) as the plain twin makes them. Without it such a message is undecodable.

    Notes
    -----
    For the one thread that receives. A sequence number counts wire messages, from 1, over all rings.
    """

    cdef Plan[512] plans      # text ids below 256, then protobuf ids
    cdef ibw_program *fused[512]   # the same, for the usual frames of market messages
    cdef bint raw_ids
    cdef bint wide            # this processor has the wide instructions
    cdef MarketRing market
    cdef LogRing orders
    cdef LogRing control
    cdef object twin
    cdef Counters *counts
    cdef EveryRing every         # or None
    cdef uint8_t *pending
    cdef size_t pending_len
    cdef size_t pending_room
    cdef Slot *slots
    cdef uint8_t *scratch
    cdef uint64_t bad_length

    def __cinit__(self, dict tables not None, MarketRing market not None, LogRing orders not None,
                  LogRing control not None, twin=None, EveryRing every=None):
        cdef int most = 1
        cdef Plan *plan
        memset(self.plans, 0, sizeof(self.plans))
        memset(self.fused, 0, sizeof(self.fused))
        self.raw_ids = tables["raw_ids"]
        self.market, self.orders, self.control, self.twin, self.every = market, orders, control, twin, every
        self.counts = market.region.counts
        self.wide = ibw_can_wide() and tables.get("wide", True)
        for base, rows in ((0, tables["text"]), (256, tables["proto"])):
            for number, (route, parts, made, usual) in rows.items():
                if not 0 <= number < 256:
                    raise ValueError(f"message id {number} is beyond the table")
                plan = &self.plans[base + number]
                plan.route = route
                plan.wire = number + 200 if base else number
                plan.parts = parts
                if made is not None:
                    if base:
                        load_proto(plan, made)
                    else:
                        load_text(plan, made)
                        most = max(most, plan.slots)
                if usual is not None:
                    self.fused[base + number] = load_fused(usual, parts, base != 0, self.wide)
        self.slots = <Slot *>need(most * sizeof(Slot))
        self.scratch = <uint8_t *>need(256 + PAD)
        self.pending_room = 1 << 16
        self.pending = <uint8_t *>need(self.pending_room + PAD)

    def __dealloc__(self):
        cdef int i
        for i in range(512):
            free_plan(&self.plans[i])
            free_fused(self.fused[i])
        free(self.slots)
        free(self.scratch)
        free(self.pending)

    @property
    def stats(self):
        """Counts so far: messages, bytes, bad_frames, unknown, extra, market, orders."""
        cdef Counters *c = self.counts
        return {"messages": ibw_load_relaxed(&c.messages), "bytes": ibw_load_relaxed(&c.bytes),
                "bad_frames": ibw_load_relaxed(&c.bad_frames), "unknown": ibw_load_relaxed(&c.unknown),
                "extra": ibw_load_relaxed(&c.extra), "market": ibw_load_relaxed(&c.market),
                "orders": ibw_load_relaxed(&c.orders)}

    @property
    def pending_bytes(self):
        """Bytes received that do not yet form a whole frame."""
        return self.pending_len

    def receive(self, data not None, int64_t recv_ns):
        """Take received bytes; returns how many messages were completed.

        Raises
        ------
        ValueError : framing is lost (args: length, first bytes). OverflowError : a log ring is past its limit.
        """
        cdef Py_buffer view
        cdef uint64_t before = self.seq
        PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
        try:
            with nogil:
                self.decode(<const uint8_t *>view.buf, view.len, recv_ns, False)
                self.publish()
        finally:
            PyBuffer_Release(&view)
        if self.failure:
            self.fail()
        return self.seq - before

    cdef fail(self):
        if self.failure == 1:
            head = PyBytes_FromStringAndSize(<char *>self.pending, min(self.pending_len, 24))
            raise ValueError("framing is lost", self.bad_length, head)
        if self.failure == 2:
            raise OverflowError("a consumer is too slow: the backlog limit is reached")
        raise MemoryError()

    cdef int keep(self, const uint8_t *data, size_t n) noexcept nogil:
        # Append to the bytes that wait for the rest of their frame.
        cdef size_t want = self.pending_len + n
        cdef uint8_t *grown
        if want > self.pending_room:
            while self.pending_room < want:
                self.pending_room *= 2
            grown = <uint8_t *>realloc(self.pending, self.pending_room + PAD)
            if grown is NULL:
                self.failure = 3
                return BAD
            self.pending = grown
        memcpy(self.pending + self.pending_len, data, n)
        self.pending_len = want
        return OK

    cdef bint lost(self, uint64_t length, const uint8_t *at, size_t n) noexcept nogil:
        if 0 < length <= MAX_PAYLOAD:
            return False
        self.failure = 1
        self.bad_length = length
        if at != self.pending:
            self.pending_len = 0
            self.keep(at, n if n < 24 else 24)
        return True

    cdef void decode(self, const uint8_t *data, size_t n, int64_t recv_ns, bint padded) noexcept nogil:
        # What one receive brought, into the rings.
        if self.failure:
            return
        # Frames that end up to `safe` are decoded where they are: PAD bytes behind them may be loaded.
        self.cut(data, n, n if padded else n - PAD if n > PAD else 0, recv_ns)
        ibw_store_relaxed(&self.counts.messages, self.seq)
        ibw_count(&self.counts.receives, 1)

    cdef void publish(self) noexcept nogil:
        # The watermark and one wake, after all records.
        if self.every is not None and self.every.copy() and not self.failure:
            self.failure = 3
        region_publish(self.market.region, self.seq)

    cdef void cut(self, const uint8_t *data, size_t n, size_t safe, int64_t recv_ns) noexcept nogil:
        cdef size_t at = 0, want, take
        cdef uint64_t length
        ibw_count(&self.counts.bytes, n)
        while self.pending_len and at < n:
            # Complete the frame that was cut: first its length, then the rest of it, then go on in place.
            want = 4
            if self.pending_len >= 4:
                length = length4(self.pending)
                if self.lost(length, self.pending, self.pending_len):
                    return
                want = 4 + length
            take = want - self.pending_len
            if take > n - at:
                take = n - at
            if self.keep(data + at, take) != OK:
                return
            at += take
            if self.pending_len < 4:
                return
            length = length4(self.pending)
            if self.lost(length, self.pending, self.pending_len):
                return
            if self.pending_len == 4 + length:
                self.pending_len = 0
                self.one(self.pending + 4, length, recv_ns)
                if self.failure:
                    return
        while True:
            at = self.usual(data, at, safe, recv_ns)
            if self.failure:
                return
            if self.every is not None and self.market.hot.market_head - self.every.copied > self.market.capacity >> 2:
                if self.every.copy():  # before the ring comes round
                    self.failure = 3
                    return
            if n - at < 4:
                break
            length = length4(data + at)
            if not likely(0 < length <= MAX_PAYLOAD):
                self.lost(length, data + at, n - at)
                return
            if n - at - 4 < length:
                break
            if likely(at + 4 + length <= safe):
                self.one(data + at + 4, length, recv_ns)
            else:  # too near the end of the caller's buffer to load eight bytes at a time
                self.pending_len = 0
                if self.keep(data + at + 4, length) != OK:
                    return
                self.pending_len = 0
                self.one(self.pending, length, recv_ns)
            if self.failure:
                return
            at += 4 + length
        if at < n:
            self.keep(data + at, n - at)

    cdef size_t usual(self, const uint8_t *data, size_t at, size_t n, int64_t recv_ns) noexcept nogil:
        # The usual frames of market messages, as long as they follow each other. Returns where the first other one
        # begins; nothing is kept of that.
        cdef ibw_ring_face face = face_of(self.market)
        cdef ibw_longer longer
        longer.length = 1
        while longer.length and not self.failure:
            longer.length = 0
            at = ibw_fused(self.raw_ids, self.wide, self.fused, face, data, at, n, recv_ns, &self.seq,
                           &self.counts.market, &longer)
            if longer.length:   # not all of its text is in its record
                self.raw(self.control, longer.payload, longer.length, recv_ns, longer.id, longer.place, longer.flags)
        return at

    cdef void one(self, const uint8_t *payload, size_t n, int64_t recv_ns) noexcept nogil:
        # One whole payload; at least PAD bytes may be loaded past its end.
        cdef uint64_t wire_id = 0
        cdef const uint8_t *body
        cdef Plan *plan = NULL
        cdef Ctx c
        cdef Check *check
        cdef double number
        cdef int rc, i
        self.seq += 1
        c.end = payload + n
        c.start = payload
        c.flags = 0
        c.seen = 0
        c.elements_left = most_elements(n)
        if self.raw_ids:
            if n < 4:
                self.bad(payload, n, recv_ns, 0, NULL)
                return
            wire_id = length4(payload)
            body = payload + 4
            if wire_id <= 200:
                plan = &self.plans[wire_id]
            elif wire_id < 456:
                plan = &self.plans[256 + wire_id - 200]
        else:
            body = payload
            while body < c.end and 48 <= body[0] <= 57 and body - payload < 10:
                wire_id = wire_id * 10 + (body[0] - 48)
                body += 1
            if body >= c.end or body[0] != 0 or body == payload:
                self.bad(payload, n, recv_ns, 0, NULL)
                return
            body += 1
            if wire_id < 200:
                plan = &self.plans[wire_id]
        if wire_id < 456:
            ibw_count(&self.counts.kinds[wire_id], 1)
        if plan is NULL or plan.route == 0:
            ibw_count(&self.counts.unknown, 1)
            self.raw(self.control, payload, n, recv_ns, wire_id, 0, 0)
            return
        if plan.route == 3:
            self.raw(self.control, payload, n, recv_ns, wire_id, plan - self.plans, 0)
            return
        if plan.route == 4:
            ibw_count(&self.counts.market, 1)
            self.raw(self.orders, payload, n, recv_ns, wire_id, plan - self.plans, 0)
            return
        c.p = body
        c.plan = plan
        c.slots = self.slots
        if plan.route == 1 and plan.parts == 1:
            c.rec = ring_claim(self.market, 0)
            memcpy(c.rec, plan.template_, 64)
        else:
            c.rec = self.scratch
            memcpy(c.rec, plan.template_, plan.size)
        if plan.tables is not NULL:
            rc = run_proto(&c, &plan.tables[0], c.end)
        else:
            for i in range(plan.constants):
                self.slots[plan.constant_slot[i]].number = plan.constant[i]
                self.slots[plan.constant_slot[i]].text = NULL
                self.slots[plan.constant_slot[i]].is_text = False
            c.base = body
            c.mask = zeros_within(body, c.end) if body < c.end else 0
            rc = run_text(&c, 0, plan.ops_count)
            if c.p != c.end:
                c.flags |= REC_EXTRA
        if c.flags & REC_ODD and rc == OK:
            rc = self.ask_twin(&c, payload, n)
        if rc != OK:
            self.bad(payload, n, recv_ns, wire_id, plan)
            return
        for i in range(plan.checks_count):
            check = &plan.checks[i]
            if check.guard and not c.seen & check.guard:
                continue
            if check.store == STORE_F64:
                number = (<double *>(c.rec + check.dst))[0]
                if number != number:
                    c.flags |= REC_UNSET
            elif check.store == STORE_I64:
                if (<int64_t *>(c.rec + check.dst))[0] == INT64_MIN:
                    c.flags |= REC_UNSET
            elif (<int32_t *>(c.rec + check.dst))[0] == INT32_MIN:
                c.flags |= REC_UNSET
        if c.flags & REC_EXTRA:
            ibw_count(&self.counts.extra, 1)
        (<uint64_t *>c.rec)[0] = self.seq
        (<int64_t *>(c.rec + 8))[0] = recv_ns
        (<uint16_t *>(c.rec + 18))[0] = <uint16_t>c.flags
        if plan.route == 1:
            ibw_count(&self.counts.market, 1)
            if plan.parts == 1:
                ring_publish(self.market, 1)
            else:
                self.two(c.rec)
            if c.flags & (REC_LONG_TEXT | REC_LONG_NUMBER):
                self.raw(self.control, payload, n, recv_ns, wire_id, plan - self.plans, c.flags)
        else:
            ibw_count(&self.counts.orders, 1)
            (<uint32_t *>(c.rec + 24))[0] = <uint32_t>n
            (<uint32_t *>(c.rec + 28))[0] = <uint32_t>(body - payload)
            self.check(self.orders.put(c.rec, plan.size, payload, <uint32_t>n))

    cdef int ask_twin(self, Ctx *c, const uint8_t *payload, size_t n) noexcept with gil:
        cdef bytes record
        if self.twin is None:
            return BAD
        try:
            record, flags = self.twin(PyBytes_FromStringAndSize(<const char *>payload, n))
            if len(record) != c.plan.size:
                return BAD
            memcpy(c.rec, <const char *>record, c.plan.size)
            c.flags = flags
            c.seen = 0
            return OK
        except BaseException:
            return BAD

    cdef void two(self, uint8_t *rec) noexcept nogil:
        # The second record repeats sequence, times, flags, aux and key of the first; both appear at once.
        memcpy(rec + 64, rec, 16)
        memcpy(rec + 64 + 18, rec + 18, 14)
        memcpy(ring_claim(self.market, 0), rec, 64)
        memcpy(ring_claim(self.market, 1), rec + 64, 64)
        ring_publish(self.market, 2)

    cdef void check(self, int rc) noexcept nogil:
        if rc and not self.failure:
            self.failure = 2 if rc == -2 else 3
            self.seq -= 1   # not in all its rings: the watermark stays before it

    cdef void raw(self, LogRing ring, const uint8_t *payload, size_t n, int64_t recv_ns, uint64_t wire_id,
                  int64_t kind, uint32_t flags) noexcept nogil:
        cdef uint64_t[4] room   # aligned
        cdef uint8_t *head = <uint8_t *>room
        memset(head, 0, 32)
        (<uint64_t *>head)[0] = self.seq
        (<int64_t *>(head + 8))[0] = recv_ns
        head[16] = <uint8_t>(kind & 0xFF)
        (<uint16_t *>(head + 18))[0] = <uint16_t>flags
        (<int32_t *>(head + 20))[0] = <int32_t>wire_id
        (<uint32_t *>(head + 24))[0] = <uint32_t>n
        self.check(ring.put(head, 32, payload, <uint32_t>n))

    cdef void bad(self, const uint8_t *payload, size_t n, int64_t recv_ns, uint64_t wire_id, Plan *plan) noexcept nogil:
        # Reported, and the stream goes on; one that bears an order reaches the order ring too.
        cdef int64_t kind = plan - self.plans if plan is not NULL else 0
        ibw_count(&self.counts.bad_frames, 1)
        self.raw(self.control, payload, n, recv_ns, wire_id, kind, REC_UNDECODABLE)
        if plan is not NULL and plan.route == 2:
            self.raw(self.orders, payload, n, recv_ns, wire_id, kind, REC_UNDECODABLE)


include "_fastdecode_messages.pxi"
