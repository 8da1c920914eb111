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


# ------------------------------------------------------------------------------------------------ numbers

cdef inline uint64_t load8(const uint8_t *p) noexcept nogil:
    cdef uint64_t x
    memcpy(&x, p, 8)
    return x


cdef inline uint32_t length4(const uint8_t *p) noexcept nogil:
    # Four bytes, big-endian, at any address.
    cdef uint32_t x
    memcpy(&x, p, 4)
    return bswap32(x)


cdef inline int64_t most_elements(size_t payload_bytes) noexcept nogil:
    return FREE_ELEMENTS + <int64_t>(payload_bytes // BYTES_PER_ELEMENT)


cdef inline uint64_t digits8(uint64_t x, unsigned int n) noexcept nogil:
    # The value of n digits, 1 <= n <= 8, each byte 0..9, first digit in the lowest byte.
    x = x << (64 - 8 * n)
    x = (x * 10 + (x >> 8)) & <uint64_t>0x00FF00FF00FF00FF
    x = (x * 100 + (x >> 16)) & <uint64_t>0x0000FFFF0000FFFF
    return (x * 10000 + (x >> 32)) & <uint64_t>0xFFFFFFFF


cdef double hard_float(const uint8_t *p, int n) noexcept with gil:
    # Correctly rounded and locale-independent; the grammar was checked before.
    try:
        return PyOS_string_to_double(PyBytes_FromStringAndSize(<char *>p, n), NULL, NULL)  # too large: infinite
    except BaseException:
        return NAN


cdef inline bint is_unset_text(const uint8_t *p, int n) noexcept nogil:
    cdef int i
    for i in range(5):
        if n == UNSET_LENGTHS[i] and memcmp(p, UNSET_TEXTS[i], n) == 0:
            return True
    return False


cdef int slow_float(const uint8_t *p, int n, bint words, double *out, int *digits, int *significant) noexcept nogil:
    # The whole grammar: sign, digits, point, exponent; words: Infinity and NaN too.
    cdef int i = 0
    cdef int total = 0, after = 0, exponent = 0, sig = 0, kept = 0
    cdef uint64_t mantissa = 0
    cdef bint negative = False, point = False, exp_negative = False
    cdef int exp_digits = 0, scale
    cdef uint8_t c
    cdef double value
    if n > MAX_NUMBER:
        return BAD
    if n and (p[0] == 43 or p[0] == 45):
        negative = p[0] == 45
        i = 1
    while i < n:
        c = p[i]
        if 48 <= c <= 57:
            total += 1
            if point:
                after += 1
            if sig or c != 48:
                sig += 1
                if sig <= 19:
                    mantissa = mantissa * 10 + (c - 48)
                    kept = sig
        elif c == 46 and not point:
            point = True
        else:
            break
        i += 1
    if total and i < n and (p[i] == 101 or p[i] == 69):
        i += 1
        if i < n and (p[i] == 43 or p[i] == 45):
            exp_negative = p[i] == 45
            i += 1
        while i < n and 48 <= p[i] <= 57 and exp_digits < 7:
            exponent = exponent * 10 + (p[i] - 48)
            exp_digits += 1
            i += 1
        if exp_digits == 0 or exp_digits > 6:
            return BAD
        if exp_negative:
            exponent = -exponent
    if total == 0 or i != n:
        if words:
            if (n == 8 and memcmp(p, "Infinity", 8) == 0) or (n == 3 and memcmp(p, "inf", 3) == 0):
                out[0] = INFINITY
            elif (n == 9 and memcmp(p, "-Infinity", 9) == 0) or (n == 4 and memcmp(p, "-inf", 4) == 0):
                out[0] = -INFINITY
            elif n == 3 and (memcmp(p, "NaN", 3) == 0 or memcmp(p, "nan", 3) == 0):
                out[0] = NAN
            else:
                return BAD
            digits[0] = 0xFF
            significant[0] = 0
            return OK
        return BAD
    significant[0] = sig
    digits[0] = after - exponent if after > exponent else 0
    scale = exponent - after
    if sig == 17 and scale == 292 and mantissa == <uint64_t>17976931348623157ULL:
        out[0] = -UNSET_DOUBLE if negative else UNSET_DOUBLE
    elif sig <= 15 and -22 <= scale <= 22:
        value = <double>mantissa
        value = value / POW10[-scale] if scale < 0 else value * POW10[scale]
        out[0] = -value if negative else value
    else:
        out[0] = hard_float(p, n)
    return OK


cdef int slow_int(const uint8_t *p, int n, int64_t *out) noexcept nogil:
    cdef int i = 0
    cdef uint64_t value = 0
    cdef bint negative = False
    if n == 0:
        return BAD
    if p[0] == 43 or p[0] == 45:
        negative = p[0] == 45
        i = 1
    if i == n or n - i > 400:
        return BAD
    while i < n:
        if not 48 <= p[i] <= 57:
            return BAD
        if value > (<uint64_t>INT64_MAX) // 10:
            return BAD
        value = value * 10 + (p[i] - 48)
        i += 1
    if value > <uint64_t>INT64_MAX + (1 if negative else 0):
        return BAD
    out[0] = <int64_t>(0 - value) if negative else <int64_t>value
    return OK


# ------------------------------------------------------------------------------------------------ text

cdef inline int read_int(const uint8_t *p, int n, int64_t *out) noexcept nogil:
    # n >= 1 bytes at p
    cdef uint64_t y
    if n == 1:
        out[0] = p[0] - 48
        return OK if 48 <= p[0] <= 57 else BAD
    if n < 8:
        y = load8(p) ^ <uint64_t>0x3030303030303030
        if not ((((y & <uint64_t>0x7F7F7F7F7F7F7F7F) + <uint64_t>0x7676767676767676) | y)
                & <uint64_t>0x8080808080808080 & ((<uint64_t>1 << (8 * n)) - 1)):
            out[0] = <int64_t>digits8(y & ((<uint64_t>1 << (8 * n)) - 1), n)
            return OK
    return slow_int(p, n, out)


cdef inline int plain_number(const uint8_t *p, int n, double *out) noexcept nogil:
    # Plain digits with at most one point, one to seven characters, in one load. Returns the digits after the point;
    # BAD says only that it is not that.
    cdef uint64_t y, other, mask, low
    cdef unsigned int point, after
    mask = <uint64_t>0x00FFFFFFFFFFFFFF >> (56 - 8 * n)
    y = (load8(p) ^ <uint64_t>0x3030303030303030) & mask
    other = (((y & <uint64_t>0x7F7F7F7F7F7F7F7F) + <uint64_t>0x7676767676767676) | y) & <uint64_t>0x8080808080808080
    if not other:
        out[0] = <double>digits8(y, n)
        return 0
    point = ctz(other) >> 3
    if other & (other - 1) or p[point] != 46 or n < 2:
        return BAD
    low = (<uint64_t>1 << (8 * point)) - 1
    y = (y & low) | ((y >> 8) & ~low)
    after = n - 1 - point
    out[0] = <double>digits8(y, n - 1) / POW10[after]
    return <int>after


cdef inline void put_int(Ctx *c, int store, uint16_t dst, int64_t value) noexcept nogil:
    if store == STORE_I64:
        (<int64_t *>(c.rec + dst))[0] = value
        if value == INT64_MIN:
            c.flags |= REC_LONG_NUMBER | REC_UNSET
    elif store == STORE_I32:
        if INT32_MIN < value <= INT32_MAX:
            (<int32_t *>(c.rec + dst))[0] = <int32_t>value
        else:
            (<int32_t *>(c.rec + dst))[0] = INT32_MIN
            c.flags |= REC_LONG_NUMBER | REC_UNSET
    elif store == STORE_I16:
        if -32768 < value <= 32767:
            (<int16_t *>(c.rec + dst))[0] = <int16_t>value
        else:
            (<int16_t *>(c.rec + dst))[0] = -32768
            c.flags |= REC_LONG_NUMBER
    elif store == STORE_I8:
        if 0 <= value <= 255:
            c.rec[dst] = <uint8_t>value
        else:
            c.rec[dst] = 255
            c.flags |= REC_LONG_NUMBER


cdef inline void unset_int(Ctx *c, int store, uint16_t dst) noexcept nogil:
    if store == STORE_I64:
        (<int64_t *>(c.rec + dst))[0] = INT64_MIN
    elif store == STORE_I32:
        (<int32_t *>(c.rec + dst))[0] = INT32_MIN


cdef inline void put_text(Ctx *c, int store, uint16_t dst, uint16_t dst2, int cap, const uint8_t *p, int n,
                          bint escaped) noexcept nogil:
    cdef int i, kept
    if store == STORE_REF:
        (<uint32_t *>(c.rec + dst))[0] = <uint32_t>(p - c.start)
        (<uint32_t *>(c.rec + dst))[1] = <uint32_t>n
        return
    kept = n
    if n > cap:
        kept = cap
        c.flags |= REC_LONG_TEXT
    c.rec[dst2] = <uint8_t>kept
    for i in range(kept):
        c.rec[dst + i] = p[i]
        if p[i] >= 128 or (escaped and p[i] == 92):
            c.flags |= REC_LONG_TEXT  # what the bytes mean needs the whole message


cdef inline bint test_holds(Test *t, Slot *s) noexcept nogil:
    if t.code == 0:
        if s.is_text:
            return s.text_len > 0
        return s.number == s.number and s.number != 0
    if t.code == 2:
        return s.is_text and s.text_len == t.text_len and memcmp(s.text, t.text, t.text_len) == 0
    if s.number != s.number or s.is_text:
        return False
    if t.code == 1:
        return s.number == t.number
    if s.number == UNSET_DOUBLE or s.number == 2147483647.0:
        # An obsolete version field that stands for "newest" has that value too; it is no unset number.
        return t.code == 3 and s.text is NULL and s.number == 2147483647.0
    if t.code == 3:
        return s.number >= t.number
    return s.number > t.number


cdef int text_field(Ctx *c, Op *op, const uint8_t *p, int n) noexcept nogil:
    # Any field, n bytes at p; the common shapes are done in run_text.
    cdef int64_t whole = 0
    cdef double number = 0
    cdef int digits = 0xFF, significant = 0
    cdef int code = op.code
    if code == OP_INT or code == OP_BITS or code == OP_BOOL:
        if n == 0:
            if code == OP_INT and op.flags & F_NULLABLE:
                unset_int(c, op.store, op.dst)
                number = NAN
            elif op.store:
                put_int(c, op.store, op.dst, 0)
        else:
            if read_int(p, n, &whole) != OK:
                return BAD
            number = <double>whole
            if code == OP_INT and op.flags & F_NULLABLE and (
                whole == INT64_MAX if op.flags & F_WIDE else whole == 2147483647
            ):
                unset_int(c, op.store, op.dst)
                number = NAN
            elif op.store:
                put_int(c, op.store, op.dst, whole & op.aux if code != OP_BOOL else whole != 0)
    elif code == OP_FLOAT or code == OP_DEC:
        if odd_number(c, op, p, n, &number) != OK:
            return BAD
    elif code == OP_STR and op.store:
        put_text(c, op.store, op.dst, op.dst2, op.aux, p, n, op.flags & F_ESCAPED)
    if op.slot != NO_SLOT:
        c.slots[op.slot].number = number
        c.slots[op.slot].text = p
        c.slots[op.slot].text_len = n
        c.slots[op.slot].is_text = code == OP_STR
    return OK


cdef int odd_number(Ctx *c, Op *op, const uint8_t *p, int n, double *out) noexcept nogil:
    # Empty, unset or unusual numbers: everything but plain digits with at most one point.
    cdef double number = 0
    cdef int digits = 0xFF, significant = 0
    if n == 0 or (op.flags & F_QUESTION and n == 1 and p[0] == 63):
        if op.flags & F_NULLABLE or n:
            number = NAN
    elif op.code == OP_DEC and n >= 10 and is_unset_text(p, n):
        number = NAN
    elif slow_float(p, n, op.code == OP_FLOAT, &number, &digits, &significant) != OK:
        return BAD
    elif op.code == OP_FLOAT and op.flags & (F_NULLABLE | F_NEGATIVE | F_NOT_COMPUTED):
        if number == UNSET_DOUBLE or (op.flags & F_NEGATIVE and number < 0) or (
            op.flags & F_NOT_COMPUTED and number == op.fval
        ):
            number = NAN
            digits = 0xFF
    out[0] = number
    if op.store == STORE_F64:
        (<double *>(c.rec + op.dst))[0] = number
        if op.code == OP_DEC:
            if number == number and not is_exact(number, digits, significant):
                c.flags |= REC_LONG_NUMBER
        elif number - number != 0:
            digits = 0xFF   # infinite
        if op.dst2 != NO_DST:
            c.rec[op.dst2] = <uint8_t>digits if digits < 128 else 0xFF
    return OK


cdef inline bint is_exact(double number, int digits, int significant) noexcept nogil:
    # Whether a double and the digits after the point give the decimal back.
    return significant <= EXACT_DIGITS and digits <= 127 and number - number == 0


cdef inline int kept_number(Ctx *c, uint16_t dst, uint16_t dst2, const uint8_t *p, int n) noexcept nogil:
    # The usual number, stored with its digits after the point; BAD: not that, nothing is stored.
    cdef int after
    cdef double number
    if not likely(0 < n < 8):
        return BAD
    after = plain_number(p, n, &number)
    if after < 0:
        return BAD
    (<double *>(c.rec + dst))[0] = number
    c.rec[dst2] = <uint8_t>after
    return OK


cdef inline uint64_t zeros_within(const uint8_t *base, const uint8_t *end) noexcept nogil:
    # The zeros of the 64 bytes at base that lie before end; base < end.
    cdef uint64_t mask
    if end - base <= 32:
        return ibw_zeros32(base) & (<uint64_t>0xFFFFFFFF >> (32 - (end - base)))
    mask = ibw_zeros64(base)
    if end - base < 64:
        mask &= (<uint64_t>1 << (end - base)) - 1
    return mask


cdef int run_text(Ctx *c, int i, int stop) noexcept nogil:
    # The ends of all fields come from one scan for zero bytes, so that no field waits for the one before it.
    cdef Op *op = &c.plan.ops[i]
    cdef Op *last = &c.plan.ops[stop]
    cdef const uint8_t *p = c.p
    cdef const uint8_t *base = c.base
    cdef const uint8_t *at
    cdef uint8_t *rec = c.rec
    cdef uint64_t mask = c.mask
    cdef uint64_t second, third
    cdef int64_t whole
    cdef double number
    cdef int j, n, fast
    cdef bint yes
    while op < last:
        fast = op.fast
        if fast == FAST_CONTROL and op.code != OP_REPEAT:
            if op.code == OP_PRESENT:
                c.seen |= <uint32_t>op.aux
                op += 1
                continue
            yes = False
            for j in range(op.dst, op.dst + op.dst2):
                if test_holds(&c.plan.tests[j], &c.slots[c.plan.tests[j].slot]):
                    yes = True
                    break
            op = op + 1 if yes else &c.plan.ops[op.jump]
            continue
        while not mask:
            base += 64
            if base >= c.end:
                return BAD
            mask = zeros_within(base, c.end)
        at = base + ctz(mask)
        n = <int>(at - p)
        if fast == FAST_NUMBER:
            if kept_number(c, op.dst, op.dst2, p, n) != OK:
                if odd_number(c, op, p, n, &number) != OK:
                    return BAD
        elif fast == FAST_HEAD:
            second = mask & (mask - 1)
            third = second & (second - 1)
            if likely(third != 0 and n == 1 and 48 <= p[0] <= 57):
                p = at + 1
                at = base + ctz(second)
                n = <int>(at - p)
                if not n or read_int(p, n, <int64_t *>(rec + op[1].dst)) != OK:
                    if n:
                        return BAD
                    (<int64_t *>(rec + op[1].dst))[0] = 0
                elif n > 19:
                    put_int(c, STORE_I64, op[1].dst, (<int64_t *>(rec + op[1].dst))[0])
                p = at + 1
                mask = third
                at = base + ctz(third)
                n = <int>(at - p)
                op += 2
            elif n and read_int(p, n, &whole) != OK:
                return BAD
            else:
                mask &= mask - 1
                p = at + 1
                op += 1
                continue
            whole = 0
            if n and read_int(p, n, &whole) != OK:
                return BAD
            whole &= op.aux
            if likely(INT32_MIN < whole <= INT32_MAX):
                (<int32_t *>(rec + op.dst))[0] = <int32_t>whole
            else:
                put_int(c, STORE_I32, op.dst, whole)
        elif fast <= FAST_I32 and fast >= FAST_CHECK:
            whole = 0
            if n and read_int(p, n, &whole) != OK:
                return BAD
            if fast == FAST_I64:
                put_int(c, STORE_I64, op.dst, whole)
            elif fast == FAST_I32:
                whole &= op.aux
                if likely(INT32_MIN < whole <= INT32_MAX):
                    (<int32_t *>(rec + op.dst))[0] = <int32_t>whole
                else:
                    put_int(c, STORE_I32, op.dst, whole)
        elif fast == FAST_VALID:
            # Empty, plain, or the number that means "unset": all of them are numbers.
            if n and not (n < 8 and plain_number(p, n, &number) >= 0) and not (
                n == UNSET_LENGTHS[2] and memcmp(p, UNSET_TEXTS[2], UNSET_LENGTHS[2]) == 0
            ) and odd_number(c, op, p, n, &number) != OK:
                return BAD
        elif fast == FAST_DOUBLE:
            if likely(0 < n < 8) and plain_number(p, n, &number) >= 0:
                (<double *>(rec + op.dst))[0] = number
            elif odd_number(c, op, p, n, &number) != OK:
                return BAD
        elif fast == FAST_REF:
            (<uint32_t *>(rec + op.dst))[0] = <uint32_t>(p - c.start)
            (<uint32_t *>(rec + op.dst))[1] = <uint32_t>n
        elif fast == FAST_NONE:
            if text_field(c, op, p, n) != OK:
                return BAD
        elif fast == FAST_CONTROL:
            whole = 0
            if n and read_int(p, n, &whole) != OK:
                return BAD
            if whole < 0 or whole > c.end - at - 1:
                return BAD
            c.elements_left -= whole
            if c.elements_left < 0:
                return BAD
            if op.slot != NO_SLOT:
                c.slots[op.slot].number = <double>whole
                c.slots[op.slot].is_text = False
            c.p, c.mask, c.base = at + 1, mask & (mask - 1), base
            while whole > 0:
                if run_text(c, <int>(op - c.plan.ops) + 1, op.jump) != OK:
                    return BAD
                whole -= 1
            p, mask, base = c.p, c.mask, c.base
            op = &c.plan.ops[op.jump]
            continue
        mask &= mask - 1
        p = at + 1
        op += 1
    c.p, c.mask, c.base = p, mask, base
    return OK


# ------------------------------------------------------------------------------------------------ protobuf

cdef inline int read_varint(Ctx *c, const uint8_t *end, uint64_t *out) noexcept nogil:
    cdef uint64_t value
    cdef uint8_t byte
    cdef int shift = 7
    if c.p >= end:
        return BAD
    byte = c.p[0]
    c.p += 1
    value = byte & 0x7F
    while byte >= 0x80:
        if c.p >= end or shift > 63:
            return BAD
        byte = c.p[0]
        c.p += 1
        if shift == 63 and byte > 1:
            return BAD
        value |= (<uint64_t>(byte & 0x7F)) << shift
        shift += 7
    out[0] = value
    return OK


cdef bint is_utf8(const uint8_t *p, int64_t n) noexcept nogil:
    cdef int64_t i = 0
    cdef uint8_t c
    while i + 8 <= n and not (load8(p + i) & <uint64_t>0x8080808080808080):
        i += 8
    while i < n:
        c = p[i]
        if c < 0x80:
            i += 1
        elif 0xC2 <= c <= 0xDF:
            if i + 1 >= n or (p[i + 1] & 0xC0) != 0x80:
                return False
            i += 2
        elif 0xE0 <= c <= 0xEF:
            if i + 2 >= n or (p[i + 1] & 0xC0) != 0x80 or (p[i + 2] & 0xC0) != 0x80:
                return False
            if (c == 0xE0 and p[i + 1] < 0xA0) or (c == 0xED and p[i + 1] > 0x9F):
                return False
            i += 3
        elif 0xF0 <= c <= 0xF4:
            if i + 3 >= n or (p[i + 1] & 0xC0) != 0x80 or (p[i + 2] & 0xC0) != 0x80 or (p[i + 3] & 0xC0) != 0x80:
                return False
            if (c == 0xF0 and p[i + 1] < 0x90) or (c == 0xF4 and p[i + 1] > 0x8F):
                return False
            i += 4
        else:
            return False
    return True


cdef int skip_unknown(Ctx *c, int wire, const uint8_t *end) noexcept nogil:
    cdef uint64_t size = 0
    if wire == 0:
        return read_varint(c, end, &size)
    if wire == 2:
        if read_varint(c, end, &size) != OK or size > <uint64_t>(end - c.p):
            return BAD
        c.p += size
        return OK
    size = 8 if wire == 1 else 4
    if (wire != 1 and wire != 5) or size > <uint64_t>(end - c.p):
        return BAD
    c.p += size
    return OK


cdef int proto_number_text(Ctx *c, ProtoOp *op, const uint8_t *p, int n) noexcept nogil:
    # A number that protobuf carries as text: sizes, and a few others. p is inside the frame: 8 bytes may be loaded.
    cdef double number = 0
    cdef int digits = 0xFF, significant = 0
    cdef int64_t whole = 0
    if n == 0 or (op.kind == K_DEC and n >= 10 and is_unset_text(p, n)):
        if op.kind == K_DEC or op.flags & F_NULLABLE:
            number = NAN
        if op.store == STORE_F64:
            (<double *>(c.rec + op.dst))[0] = number
        return OK
    if op.kind == K_I32 or op.kind == K_I64:
        if read_int(p, n, &whole) != OK:
            return BAD
        if op.store:
            put_int(c, op.store, op.dst, whole)
        return OK
    if slow_float(p, n, op.kind == K_F64, &number, &digits, &significant) != OK:
        return BAD
    if op.store == STORE_F64:
        (<double *>(c.rec + op.dst))[0] = number
        if op.kind == K_DEC:
            if not is_exact(number, digits, significant):
                c.flags |= REC_LONG_NUMBER
        elif number - number != 0:
            digits = 0xFF   # infinite
        if op.dst2 != NO_DST:
            c.rec[op.dst2] = <uint8_t>digits if digits < 128 else 0xFF
    return OK


cdef inline int proto_scalar(Ctx *c, ProtoOp *op, int code, const uint8_t *end) noexcept nogil:
    cdef uint64_t value = 0
    cdef int64_t whole
    cdef double number
    if code == P_DOUBLE:
        if end - c.p < 8:
            return BAD
        memcpy(&number, c.p, 8)
        c.p += 8
        if op.kind == K_I32 or op.kind == K_I64:
            return OK if -9223372036854775808.0 < number < 9223372036854775808.0 and number == <double><int64_t>number else BAD
        if op.store == STORE_F64:
            if op.flags and (
                (op.flags & F_NULLABLE and number == UNSET_DOUBLE)
                or (op.flags & F_NEGATIVE and number < 0)
                or (op.flags & F_NOT_COMPUTED and number == op.fval)
            ):
                number = NAN
            (<double *>(c.rec + op.dst))[0] = number
        return OK
    if code == P_STRING:
        if read_varint(c, end, &value) != OK or value > <uint64_t>(end - c.p):
            return BAD
        if op.kind == K_STR or op.kind == 0:
            if not is_utf8(c.p, value):
                return BAD
            if op.store:
                put_text(c, op.store, op.dst, op.dst2, op.aux, c.p, <int>value, False)
        elif proto_number_text(c, op, c.p, <int>value) != OK:
            return BAD
        c.p += value
        return OK
    if read_varint(c, end, &value) != OK:
        return BAD
    if not op.store:
        return OK
    if op.store == STORE_BIT:
        if value:
            (<int32_t *>(c.rec + op.dst))[0] |= op.aux
        else:
            (<int32_t *>(c.rec + op.dst))[0] &= ~op.aux
        return OK
    if code == P_INT32:
        whole = <int32_t><uint32_t>value
    elif code == P_BOOL:
        whole = value != 0
    else:
        whole = <int64_t>value
    if op.flags & F_NULLABLE and whole == (2147483647 if op.kind == K_I32 else INT64_MAX):
        unset_int(c, op.store, op.dst)
    else:
        put_int(c, op.store, op.dst, whole)
    return OK


cdef inline int wire_of(int code) noexcept nogil:
    if code == P_DOUBLE:
        return 1
    if code == P_INT32 or code == P_INT64 or code == P_BOOL or code == P_BITS:
        return 0
    return 2


cdef int run_proto(Ctx *c, ProtoTable *table, const uint8_t *end) noexcept nogil:
    # The common shapes by the whole key byte, with the position in a register; the rest through proto_field.
    cdef const uint8_t *p = c.p
    cdef uint8_t *rec = c.rec
    cdef ProtoOp *op
    cdef ProtoOp *last = NULL   # every gateway sends fields in the order of their numbers
    cdef uint64_t value
    cdef int64_t whole
    cdef double number
    cdef int n
    while p < end:
        op = table.by_key[p[0]] if p[0] < 0x80 else NULL
        if likely(op is not NULL and end - p >= 2 and op > last):
            if op.fast == PF_I64 or op.fast == PF_I32:
                value = p[1]
                if value < 0x80:
                    p += 2
                elif end - p >= 3 and p[2] < 0x80:
                    value = (value & 0x7F) | (<uint64_t>p[2] << 7)
                    p += 3
                else:
                    c.p = p + 1
                    if read_varint(c, end, &value) != OK:
                        return BAD
                    p = c.p
                last = op
                if op.code == P_INT32:
                    whole = <int32_t><uint32_t>value
                else:
                    whole = <int64_t>value
                if op.fast == PF_I64:
                    put_int(c, STORE_I64, op.dst, whole)
                else:
                    put_int(c, STORE_I32, op.dst, whole & op.aux)
                continue
            if op.fast == PF_DOUBLE:
                if end - p < 9:
                    return BAD
                memcpy(&number, p + 1, 8)
                p += 9
                last = op
                if op.flags & F_NULLABLE and number == UNSET_DOUBLE:
                    number = NAN
                (<double *>(rec + op.dst))[0] = number
                continue
            if op.fast == PF_SIZE:
                n = p[1]
                if n < 0x80:
                    if n > end - p - 2:
                        return BAD
                    if kept_number(c, op.dst, op.dst2, p + 2, n) != OK and proto_number_text(c, op, p + 2, n) != OK:
                        return BAD
                    p += 2 + n
                    last = op
                    continue
        c.p = p
        c.last = last
        if proto_field(c, table, end) != OK:
            return BAD
        last = c.last
        p = c.p
    c.p = p
    return OK


cdef int proto_field(Ctx *c, ProtoTable *table, const uint8_t *end) noexcept nogil:
    # One field of any shape, c.p at its key.
    cdef uint64_t key = 0, size = 0
    cdef uint64_t number
    cdef int wire, i
    cdef ProtoOp *op
    cdef ProtoTable *inner
    cdef const uint8_t *stop
    if read_varint(c, end, &key) != OK:
        return BAD
    number = key >> 3
    wire = key & 7
    if number >= table.limit or not table.ops[number].present:
        if number == 0 or skip_unknown(c, wire, end) != OK:
            return BAD
        c.flags |= REC_EXTRA
        return OK
    op = &table.ops[number]
    if op < c.last or (op == c.last and op.code != P_LIST and op.code != P_REPEATED and op.code != P_MAP):
        c.flags |= REC_ODD
    c.last = op
    if op.code == P_LIST:
        if wire == wire_of(op.sub):
            return proto_scalar(c, op, op.sub, end)
        if wire != 2 or wire_of(op.sub) == 2:
            return BAD
        if read_varint(c, end, &size) != OK or size > <uint64_t>(end - c.p):
            return BAD
        stop = c.p + size
        while c.p < stop:
            if proto_scalar(c, op, op.sub, stop) != OK:
                return BAD
        return OK
    if wire != wire_of(op.code):
        return BAD
    if op.code == P_MESSAGE or op.code == P_REPEATED or op.code == P_MAP:
        if read_varint(c, end, &size) != OK or size > <uint64_t>(end - c.p):
            return BAD
        inner = &c.plan.tables[op.sub]
        if op.code != P_MESSAGE:
            c.elements_left -= 1
            if c.elements_left < 0:
                return BAD
        if op.aux and c.seen:   # a second optional struct: which one fills a place is the twin's to say
            c.flags |= REC_ODD
        c.seen |= <uint32_t>op.aux
        for i in range(inner.defaults_count):
            memcpy(c.rec + inner.defaults[i].dst, inner.defaults[i].data, inner.defaults[i].size)
        if run_proto(c, inner, c.p + size) != OK:
            return BAD
        c.last = op
        return OK
    if op.code == P_BITS:
        if read_varint(c, end, &size) != OK:
            return BAD
        if op.store:
            put_int(c, op.store, op.dst, <int64_t>size & op.aux)
        return OK
    return proto_scalar(c, op, op.code, end)


# ------------------------------------------------------------------------------------------------ plans

cdef void free_plan(Plan *plan) noexcept:
    cdef int i
    if plan.tests is not NULL:
        i = 0
        while plan.tests[i].slot >= 0:
            free(plan.tests[i].text)
            i += 1
    for i in range(plan.tables_count):
        free(plan.tables[i].ops)
        free(plan.tables[i].defaults)
    free(plan.template_)
    free(plan.ops)
    free(plan.tests)
    free(plan.constant_slot)
    free(plan.constant)
    free(plan.tables)
    free(plan.checks)


cdef int load_checks(Plan *plan, checks) except -1:
    cdef int i
    plan.checks_count = len(checks)
    plan.checks = <Check *>need(len(checks) * sizeof(Check))
    for i, (store, dst, guard) in enumerate(checks):
        plan.checks[i].store = store
        plan.checks[i].dst = dst
        plan.checks[i].guard = guard
    return 0


cdef void *need(size_t n) except NULL:
    cdef void *p = malloc(n if n else 1)
    if p is NULL:
        raise MemoryError()
    memset(p, 0, n)
    return p


cdef uint8_t *copy_bytes(bytes data) except NULL:
    cdef uint8_t *p = <uint8_t *>need(len(data) + 1)
    memcpy(p, <const char *>data, len(data))
    return p


cdef int fast_of(Op *op) noexcept:
    if op.code >= OP_WHEN:
        return FAST_CONTROL
    if op.slot != NO_SLOT:
        return FAST_NONE
    if op.code == OP_SKIP:
        return FAST_SKIP
    if op.code == OP_STR and op.store == STORE_NONE:
        return FAST_SKIP
    if op.code == OP_FLOAT or op.code == OP_DEC:
        plain = op.store == STORE_F64 and op.dst2 != NO_DST and not op.flags & (F_NOT_COMPUTED | F_NEGATIVE)
        if op.store == STORE_NONE:
            return FAST_VALID
        if op.store == STORE_F64 and op.dst2 == NO_DST and not op.flags & (F_NOT_COMPUTED | F_NEGATIVE):
            return FAST_DOUBLE
        return FAST_NUMBER if plain else FAST_NONE
    if op.code == OP_STR and op.store == STORE_REF:
        return FAST_REF
    if op.code == OP_STR or op.code == OP_BOOL:
        return FAST_NONE
    if op.store == STORE_NONE:
        return FAST_CHECK
    if op.flags & F_NULLABLE:
        return FAST_NONE
    if op.store == STORE_I64:
        return FAST_I64
    return FAST_I32 if op.store == STORE_I32 else FAST_NONE


cdef int load_text(Plan *plan, tuple made) except -1:
    cdef int i
    template, ops, tests, slots, constants, checks = made
    load_checks(plan, checks)
    plan.template_ = copy_bytes(template)
    plan.size = len(template)
    plan.slots = slots
    plan.ops = <Op *>need(len(ops) * sizeof(Op))
    for i, (code, store, dst, dst2, aux, flags, slot, fval, jump) in enumerate(ops):
        plan.ops[i].code = code
        plan.ops[i].store = store
        plan.ops[i].flags = flags
        plan.ops[i].slot = slot
        plan.ops[i].dst = dst
        plan.ops[i].dst2 = dst2
        plan.ops[i].aux = aux
        plan.ops[i].jump = jump
        plan.ops[i].fval = fval
        plan.ops[i].fast = fast_of(&plan.ops[i])
    plan.ops_count = len(ops) - 1   # the last one ends the plan
    for i in range(len(ops) - 3):
        if (plan.ops[i].fast == FAST_CHECK and plan.ops[i + 1].fast == FAST_I64 and plan.ops[i + 2].fast == FAST_I32
                and plan.ops[i].code < OP_WHEN
                and not any(i < other[8] <= i + 2 for other in ops if other[0] == OP_REPEAT)):
            plan.ops[i].fast = FAST_HEAD   # and no list element ends in between
    plan.tests = <Test *>need((len(tests) + 1) * sizeof(Test))
    plan.tests[len(tests)].slot = -1
    for i, (slot, code, number, text) in enumerate(tests):
        plan.tests[i].slot = slot
        plan.tests[i].code = code
        plan.tests[i].number = number
        plan.tests[i].text = copy_bytes(text)
        plan.tests[i].text_len = len(text)
    plan.constants = len(constants)
    plan.constant_slot = <int *>need(len(constants) * sizeof(int))
    plan.constant = <double *>need(len(constants) * sizeof(double))
    for i, (slot, value) in enumerate(constants):
        plan.constant_slot[i] = slot
        plan.constant[i] = value
    return 0


cdef int proto_fast_of(ProtoOp *op) noexcept:
    if op.flags & (F_NEGATIVE | F_NOT_COMPUTED):
        return PF_NONE
    if op.code == P_DOUBLE and op.kind == K_F64 and op.store == STORE_F64:
        return PF_DOUBLE
    if op.code == P_STRING and op.kind == K_DEC and op.store == STORE_F64 and op.dst2 != NO_DST:
        return PF_SIZE
    if op.code == P_BITS and op.store == STORE_I32:
        return PF_I32
    if (op.code == P_INT32 or op.code == P_INT64) and not op.flags & F_NULLABLE:
        if op.store == STORE_I64:
            return PF_I64
        if op.store == STORE_I32:
            return PF_I32
    return PF_NONE


cdef int load_proto(Plan *plan, tuple made) except -1:
    cdef int i, number
    cdef ProtoOp *op
    template, tables, checks = made
    load_checks(plan, checks)
    plan.template_ = copy_bytes(template)
    plan.size = len(template)
    plan.tables_count = len(tables)
    plan.tables = <ProtoTable *>need(len(tables) * sizeof(ProtoTable))
    for i, (ops, defaults) in enumerate(tables):
        plan.tables[i].defaults = <Default *>need(len(defaults) * sizeof(Default))
        plan.tables[i].defaults_count = len(defaults)
        for number, (at, data) in enumerate(defaults):
            plan.tables[i].defaults[number].dst = at
            plan.tables[i].defaults[number].size = min(len(data), 8)
            memcpy(plan.tables[i].defaults[number].data, <const char *><bytes>data, min(len(data), 8))
        plan.tables[i].limit = max([o[0] for o in ops], default=0) + 1
        plan.tables[i].ops = <ProtoOp *>need(plan.tables[i].limit * sizeof(ProtoOp))
        for number, code, store, dst, dst2, aux, flags, kind, fval, sub in ops:
            op = &plan.tables[i].ops[number]
            op.present = 1
            op.code = code
            op.store = store
            op.flags = flags
            op.kind = kind
            op.dst = dst
            op.dst2 = dst2
            op.aux = aux
            op.sub = sub
            op.fval = fval
            op.fast = proto_fast_of(op)
            if number < 16 and code != P_LIST:
                plan.tables[i].by_key[number << 3 | wire_of(code)] = op
    return 0


cdef ibw_program *load_fused(made, int parts, bint proto, bint wide) except NULL:
    cdef ibw_program *program = <ibw_program *>need(sizeof(ibw_program))
    first, ways = made
    try:
        load_program(program, first, parts, proto, wide)
        if ways:
            program.ways = <ibw_program *>need(IBW_WAYS * sizeof(ibw_program))
            for way, made_way in ways.items():
                if not 0 <= way < IBW_WAYS:
                    raise ValueError(f"way {way} is beyond the table")
                load_program(&program.ways[<int>way], made_way, parts, proto, wide)
    except BaseException:
        free_fused(program)
        raise
    return program


cdef void free_fused(ibw_program *program) noexcept:
    if program is not NULL:
        free(program.ways)
        free(program)


cdef int load_program(ibw_program *program, made, int parts, bint proto, bint wide) except -1:
    cdef uint64_t shape = 0
    cdef int i
    template, ops = made
    if len(ops) > IBW_OPS or len(template) != 64 * parts or parts > 2:
        raise ValueError("a program is too long")
    memcpy(program.template_, <const char *><bytes>template, 64 * parts)
    program.parts = parts
    for i, (kind, key, dst, dst2, aux, room, refused, negative) in enumerate(ops):
        program.ops[i].kind = kind
        program.ops[i].key = key
        program.ops[i].dst = dst
        program.ops[i].dst2 = dst2
        program.ops[i].aux = aux
        program.ops[i].room = room
        program.ops[i].refused = refused
        program.ops[i].negative = negative
        shape |= <uint64_t>(<int>kind) << (4 * i)
    program.run = ibw_run_of(shape, proto, wide)
    return 0


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
        return {"messages": self.seq, "bytes": c.bytes, "bad_frames": c.bad_frames, "unknown": c.unknown, "extra": c.extra,
                "market": c.market, "orders": c.orders}

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
        ibw_store_relaxed(&self.counts.receives, self.counts.receives + 1)

    cdef void publish(self) noexcept nogil:
        # The watermark and one wake, after all records.
        if self.every is not None and self.every.copy() and not self.failure:
            self.failure = 3
        region_publish(self.market.region, self.seq)

    cdef void cut(self, const uint8_t *data, size_t n, size_t safe, int64_t recv_ns) noexcept nogil:
        cdef size_t at = 0, want, take
        cdef uint64_t length
        self.counts.bytes += n
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
            self.counts.kinds[wire_id] += 1
        if plan is NULL or plan.route == 0:
            self.counts.unknown += 1
            self.raw(self.control, payload, n, recv_ns, wire_id, 0, 0)
            return
        if plan.route == 3:
            self.raw(self.control, payload, n, recv_ns, wire_id, plan - self.plans, 0)
            return
        if plan.route == 4:
            self.counts.market += 1
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
            self.counts.extra += 1
        (<uint64_t *>c.rec)[0] = self.seq
        (<int64_t *>(c.rec + 8))[0] = recv_ns
        (<uint16_t *>(c.rec + 18))[0] = <uint16_t>c.flags
        if plan.route == 1:
            self.counts.market += 1
            if plan.parts == 1:
                ring_publish(self.market, 1)
            else:
                self.two(c.rec)
            if c.flags & (REC_LONG_TEXT | REC_LONG_NUMBER):
                self.raw(self.control, payload, n, recv_ns, wire_id, plan - self.plans, c.flags)
        else:
            self.counts.orders += 1
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
        self.counts.bad_frames += 1
        self.raw(self.control, payload, n, recv_ns, wire_id, kind, REC_UNDECODABLE)
        if plan is not NULL and plan.route == 2:
            self.raw(self.orders, payload, n, recv_ns, wire_id, kind, REC_UNDECODABLE)


# ------------------------------------------------------------------------------------------------ whole messages
#
# The same plans, with Python objects in the registers. What is unusual (hooks, escapes, odd numbers, values of the
# wrong kind) is left to the plain twin's own functions, given by tools(): so there is one meaning. None means "the
# plain twin shall say what is wrong".

cdef object _plain = None   # an object with the plain twin's functions


def tools(plain):
    """Give the plain twin's functions for unusual values; called once, by ``wire/impl.py``."""
    global _plain
    _plain = plain


@cython.final
cdef class _TextOp:
    cdef int code
    cdef Py_ssize_t reg
    cdef bint nullable
    cdef bint wide
    cdef bint odd            # hook, words, unknown text, "not computed": the plain twin's business
    cdef bint escaped
    cdef object empty
    cdef object null
    cdef bytes null_text
    cdef bytes text
    cdef object source       # the plain op
    cdef object cond
    cdef list bits
    cdef list body           # of a condition or of an element
    cdef Py_ssize_t init_size
    cdef list init
    cdef tuple lists
    cdef object shape        # _Layout of an element, or None
    cdef str name


cdef list text_ops(ops):
    cdef list out = []
    cdef _TextOp made
    for op in ops:
        made = _TextOp.__new__(_TextOp)
        made.code = op.code
        made.reg = op.reg
        made.nullable = op.nullable
        made.wide = op.wide
        made.escaped = op.rule != 0
        made.odd = bool(op.hook is not None or op.words is not None or op.unknown or op.not_computed is not None)
        made.empty, made.null = op.empty, op.null
        made.null_text = op.null_text.encode() + b"\0"
        made.text = op.text.encode() + b"\0"
        made.source, made.cond, made.name = op, op.cond, op.name
        made.bits = list(op.bits)
        if op.body:
            made.body = text_ops(op.body)
        if op.sub is not None and op.code == OP_REPEAT:
            made.body = text_ops(op.sub.ops)
            made.init, made.lists = op.sub.init, op.sub.lists
            made.shape = layout_of(op.sub.shape) if op.sub.shape is not None else None
        out.append(made)
    return out


@cython.final
cdef class _Layout:
    """A shape in a form that is quick to walk."""
    cdef str name
    cdef tuple names
    cdef list offsets
    cdef list subs
    cdef list presences
    cdef object shape


cdef dict _layouts = {}


cdef _Layout layout_of(shape):
    cdef _Layout made = _layouts.get(id(shape))
    if made is None:
        made = _Layout.__new__(_Layout)
        made.name, made.names, made.shape = shape.name, shape.names, shape
        made.offsets = [c[0] for c in shape.children]
        made.subs = [layout_of(c[1]) if c[1] is not None else None for c in shape.children]
        made.presences = [c[2] for c in shape.children]
        _layouts[id(shape)] = made   # the shape is kept by made, so its id stays its own
    return made


cdef list values_of(_Layout layout, list regs, Py_ssize_t base, make):
    cdef list values = []
    cdef Py_ssize_t i, offset, presence
    cdef _Layout sub
    for i in range(len(layout.offsets)):
        offset = base + <Py_ssize_t>layout.offsets[i]
        sub = layout.subs[i]
        if sub is None:
            values.append(regs[offset])
            continue
        presence = layout.presences[i]
        if presence >= 0 and not regs[base + presence]:
            values.append(None)
        else:
            values.append(make(sub.name, sub.names, values_of(sub, regs, offset, make)))
    return values


cdef list fresh(list init, tuple lists):
    cdef list regs = list(init)
    for reg, _ in lists:
        regs[reg] = []
    return regs


cdef object text_value(_TextOp op, const uint8_t *p, int n):
    # The value of a field, or NotImplemented for the plain twin.
    cdef int64_t whole = 0
    cdef double number = 0
    cdef int digits = 0, significant = 0, i
    if op.odd:
        return NotImplemented
    if op.code == OP_STR:
        for i in range(n):
            if p[i] >= 128 or (op.escaped and p[i] == 92):
                return NotImplemented
        return (<char *>p)[:n].decode("ascii")
    if n == 0:
        return op.empty
    if op.code == OP_INT or op.code == OP_BOOL:
        if read_int(p, n, &whole) != OK:
            return NotImplemented
        if op.code == OP_BOOL:
            return whole != 0
        if op.nullable and whole == (INT64_MAX if op.wide else 2147483647):
            return op.null
        return whole
    if op.code == OP_FLOAT:
        if slow_float(p, n, True, &number, &digits, &significant) != OK:
            return NotImplemented
        return op.null if op.nullable and number == UNSET_DOUBLE else number
    if slow_float(p, n, False, &number, &digits, &significant) != OK:
        return NotImplemented
    if is_unset_text(p, n):
        return op.null
    return _plain.Decimal((<char *>p)[:n].decode("ascii"))


@cython.final
cdef class _TextCursor:
    cdef const uint8_t *p
    cdef const uint8_t *end
    cdef int64_t elements_left
    cdef bint bad


cdef int take_field(_TextCursor c, const uint8_t **start):
    cdef const uint8_t *at
    start[0] = c.p
    if c.p >= c.end:
        return BAD
    at = <const uint8_t *>memchr(c.p, 0, c.end - c.p)
    if at is NULL:
        return BAD
    c.p = at + 1
    return <int>(at - start[0])


cdef bint text_run(list ops, list regs, _TextCursor c, make) except -1:
    # False: the plain twin shall do it all again and say what is wrong.
    cdef _TextOp op
    cdef const uint8_t *p = NULL
    cdef int n
    cdef int64_t whole
    cdef list elements, inner
    for op in ops:
        if op.code == OP_WHEN:
            if op.cond.holds(regs) and not text_run(op.body, regs, c, make):
                return False
            continue
        if op.code == OP_PRESENT:
            regs[op.reg] = True
            continue
        n = take_field(c, &p)
        if n < 0:
            return False
        if op.code == OP_SKIP:
            continue
        if op.code == OP_BITS or op.code == OP_REPEAT:
            whole = 0
            if n and slow_int(p, n, &whole) != OK:
                return False
            if op.code == OP_BITS:
                for reg, bit in op.bits:
                    regs[reg] = (whole & <int64_t>bit) != 0
                continue
            if whole < 0 or whole > c.end - c.p:
                return False
            c.elements_left -= whole
            if c.elements_left < 0:
                return False
            if whole == 0:
                continue
            elements = []
            while whole > 0:
                inner = fresh(op.init, op.lists)
                if not text_run(op.body, inner, c, make):
                    return False
                if op.shape is None:
                    elements.append(inner[0])
                else:
                    elements.append(make((<_Layout>op.shape).name, (<_Layout>op.shape).names,
                                         values_of(<_Layout>op.shape, inner, 0, make)))
                whole -= 1
            regs[op.reg] = elements
            continue
        value = text_value(op, p, n)
        if value is NotImplemented:
            value = _plain.text_value(op.source, (<char *>p)[:n], make)
            if value is NotImplemented:
                return False
        regs[op.reg] = value
    return True


def text_decode(plan, payload not None, Py_ssize_t start, make):
    """Twin of ``wire.text.decode``: (registers, extra bytes), or None where that one raises."""
    cdef bytes data = bytes(payload)
    cdef list ops = plan.extra.get("text_ops")
    cdef _TextCursor c = _TextCursor.__new__(_TextCursor)
    cdef list regs
    if ops is None:
        ops = plan.extra["text_ops"] = text_ops(plan.text)
    regs = fresh(plan.init, plan.lists)
    # read_int may load eight bytes past a field: copy so that they are ours
    padded = data + b"\0\0\0\0\0\0\0\0"
    c.p = <const uint8_t *><const char *><bytes>padded + start
    c.end = <const uint8_t *><const char *><bytes>padded + len(data)
    c.elements_left = most_elements(len(data))
    if not text_run(ops, regs, c, make):
        return None
    for hook in plan.row_hooks:
        hook.decode(regs, plan.shape.index, make)
    return regs, c.end - c.p


# ------------------------------------------------------------------------------------------------ protobuf, whole

@cython.final
cdef class _FieldOp:
    cdef int number
    cdef int code
    cdef int wire
    cdef Py_ssize_t reg
    cdef int kind
    cdef bint odd            # hook, number as text, "not computed", kinds that differ: the plain twin's business
    cdef bint nullable
    cdef object null
    cdef object unset        # the sentinel
    cdef Py_ssize_t presence
    cdef dict table
    cdef list init
    cdef tuple lists
    cdef _Layout shape
    cdef list bits
    cdef object source


cdef dict field_ops(table):
    cdef dict out = {}
    cdef _FieldOp made
    for number, op in table.ops.items():
        made = _FieldOp.__new__(_FieldOp)
        made.number = number
        made.code = op.code
        made.wire = wire_of(op.code)
        made.reg = op.reg
        made.kind = op.kind if op.kind is not None else 0
        made.nullable, made.null, made.source = op.nullable, op.null, op
        made.unset = _plain.SENTINEL.get(op.kind)
        made.presence = op.presence
        made.bits = list(op.bits)
        natural = {P_INT32: K_I32, P_INT64: K_I64, P_DOUBLE: K_F64, P_STRING: K_STR, P_BOOL: K_BOOL}
        made.odd = bool(op.hook is not None or op.not_computed is not None or (
            made.code in natural and natural[made.code] != made.kind))
        if op.table is not None:
            made.table = field_ops(op.table)
        if op.sub is not None and op.code != P_LIST:
            made.table = field_ops(op.sub.table)
            made.init, made.lists = op.sub.init, op.sub.lists
            made.shape = layout_of(op.sub.shape)
        out[number] = made
    return out


cdef object scalar_value(_FieldOp op, int code, Ctx *c, const uint8_t *end):
    # The value as the plain twin's scalar() gives it; NotImplemented: broken.
    cdef uint64_t value = 0
    cdef double number
    if code == P_DOUBLE:
        if end - c.p < 8:
            return NotImplemented
        memcpy(&number, c.p, 8)
        c.p += 8
        return number
    if code == P_STRING:
        if read_varint(c, end, &value) != OK or value > <uint64_t>(end - c.p) or not is_utf8(c.p, value):
            return NotImplemented
        text = (<char *>c.p)[:value].decode("utf-8")
        c.p += value
        return text
    if read_varint(c, end, &value) != OK:
        return NotImplemented
    if code == P_BOOL:
        return value != 0
    if code == P_INT32:
        return <int64_t><int32_t><uint32_t>value
    return <int64_t>value


cdef object converted(_FieldOp op, value):
    if op.odd:
        return _plain.proto_value(op.source, value)
    if op.nullable and value == op.unset:
        return op.null
    return value


cdef bint proto_run(dict table, list regs, Ctx *c, const uint8_t *end, make, Py_ssize_t *unknown, dict maps) except -1:
    cdef uint64_t key = 0, size = 0
    cdef _FieldOp op
    cdef int wire
    cdef const uint8_t *stop
    cdef list inner
    while c.p < end:
        if read_varint(c, end, &key) != OK:
            return False
        wire = key & 7
        found = table.get(key >> 3)
        if found is None:
            if key >> 3 == 0 or skip_unknown(c, wire, end) != OK:
                return False
            unknown[0] += 1
            continue
        op = found
        if op.code == P_LIST:
            if not regs[op.reg]:
                regs[op.reg] = []
            stop = c.p
            if wire == wire_of(<int>op.presence):
                value = scalar_value(op, <int>op.presence, c, end)
                if value is not NotImplemented:
                    value = converted_list(op, value)
                if value is NotImplemented:
                    return False
                regs[op.reg].append(value)
                continue
            if wire != 2 or wire_of(<int>op.presence) == 2:
                return False
            if read_varint(c, end, &size) != OK or size > <uint64_t>(end - c.p):
                return False
            stop = c.p + size
            while c.p < stop:
                value = scalar_value(op, <int>op.presence, c, stop)
                if value is not NotImplemented:
                    value = converted_list(op, value)
                if value is NotImplemented:
                    return False
                regs[op.reg].append(value)
            continue
        if wire != op.wire:
            return False
        if op.code == P_BITS:
            if read_varint(c, end, &size) != OK:
                return False
            for reg, bit in op.bits:
                regs[reg] = (size & <uint64_t>bit) != 0
            continue
        if op.code == P_MESSAGE or op.code == P_REPEATED or op.code == P_MAP:
            if read_varint(c, end, &size) != OK or size > <uint64_t>(end - c.p):
                return False
            stop = c.p + size
            if op.code == P_MESSAGE:
                if op.presence >= 0:
                    regs[op.presence] = True
                if not proto_run(op.table, regs, c, stop, make, unknown, maps):
                    return False
                continue
            c.elements_left -= 1
            if c.elements_left < 0:
                return False
            inner = fresh(op.init, op.lists)
            if not proto_run(op.table, inner, c, stop, make, unknown, maps):
                return False
            made = make(op.shape.name, op.shape.names, values_of(op.shape, inner, 0, make))
            if not regs[op.reg]:
                regs[op.reg] = []
            elements = regs[op.reg]
            if op.code == P_MAP:  # the last value of a key counts
                places = maps.setdefault((id(regs), op.reg), (regs, {}))[1]
                at = places.setdefault(made.tag, len(elements))
                if at < len(elements):
                    elements[at] = made
                    continue
            elements.append(made)
            continue
        value = scalar_value(op, op.code, c, end)
        if value is not NotImplemented:
            value = converted(op, value)
        if value is NotImplemented:
            return False
        regs[op.reg] = value
    return True


cdef object converted_list(_FieldOp op, value):
    return _plain.proto_value(op.source, value)


def proto_decode(plan, payload not None, Py_ssize_t start, make):
    """Twin of ``wire.proto.decode``: (registers, unknown fields), or None where that one raises."""
    cdef bytes padded = bytes(payload) + b"\0\0\0\0\0\0\0\0"
    cdef dict table = plan.extra.get("proto_ops")
    cdef Ctx c
    cdef const uint8_t *end
    cdef Py_ssize_t unknown = 0
    cdef list regs
    if table is None:
        table = plan.extra["proto_ops"] = field_ops(plan.proto)
    regs = fresh(plan.init, plan.lists)
    memset(&c, 0, sizeof(c))
    c.p = <const uint8_t *><const char *>padded + start
    end = <const uint8_t *><const char *>padded + len(padded) - 8
    c.elements_left = most_elements(len(padded) - 8)
    if not proto_run(table, regs, &c, end, make, &unknown, {}):
        return None
    for hook in plan.row_hooks:
        hook.decode(regs, plan.shape.index, make)
    return regs, unknown


# ------------------------------------------------------------------------------------------------ encode

cdef bint text_write(list ops, list regs, bytearray out, str name, flatten) except -1:
    cdef _TextOp op
    cdef int64_t mask
    for op in ops:
        if op.code == OP_WHEN:
            if op.cond.holds(regs):
                text_write(op.body, regs, out, name, flatten)
        elif op.code == OP_REPEAT:
            elements = regs[op.reg] or ()
            out += b"%d\0" % len(elements)
            for element in elements:
                inner = [element] if op.shape is None else flatten((<_Layout>op.shape).shape, element, op.init)
                text_write(op.body, inner, out, name, flatten)
        elif op.code == OP_PRESENT:
            continue
        elif op.code == OP_SKIP:
            out += op.text
        elif op.code == OP_BITS:
            mask = 0
            for reg, bit in op.bits:
                if regs[reg]:
                    mask |= <int64_t>bit
            out += b"%d\0" % mask
        else:
            text_put(op, regs[op.reg], out, name)
    return True


cdef int text_put(_TextOp op, value, bytearray out, str name) except -1:
    # The usual values here; everything else as the plain twin writes it.
    cdef type kind = type(value)
    if not op.odd:
        if op.code == OP_STR and kind is str and not op.escaped and "\0" not in value:
            out += (<str>value).encode("utf-8")
            out += b"\0"
            return 0
        if op.code == OP_INT and kind is int and not (op.nullable and (value == (INT64_MAX if op.wide else 2147483647))):
            out += b"%d\0" % value
            return 0
        if op.code == OP_BOOL and kind is bool:
            out += b"1\0" if value else b"0\0"
            return 0
        if value is None and op.nullable:
            out += op.null_text
            return 0
    out += _plain.text_of(op.source, value, name).encode("utf-8")
    out += b"\0"
    return 0


def text_encode(plan, list regs not None, bytearray out not None, flatten):
    """Twin of ``wire.text.encode``."""
    cdef list ops = plan.extra.get("text_ops")
    if ops is None:
        ops = plan.extra["text_ops"] = text_ops(plan.text)
    regs[plan.shape.index["@version"]] = plan.wire_version
    for hook in plan.row_hooks:
        hook.encode(regs, plan.shape.index)
    text_write(ops, regs, out, plan.row.name, flatten)
