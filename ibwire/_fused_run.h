/* What _fused.h compiles for each set of instructions: IBW_NAME gives the names, IBW_ZEROS64 finds zeros. */
#define ibw_aligned IBW_NAME(ibw_aligned)
#define ibw_bytes IBW_NAME(ibw_bytes)
#define ibw_chars IBW_NAME(ibw_chars)
#define ibw_fields IBW_NAME(ibw_fields)
#define ibw_fused_raw IBW_NAME(ibw_fused_raw)
#define ibw_fused_run IBW_NAME(ibw_fused_run)
#define ibw_fused_text IBW_NAME(ibw_fused_text)
#define ibw_integer IBW_NAME(ibw_integer)
#define ibw_longer_number IBW_NAME(ibw_longer_number)
#define ibw_long_text IBW_NAME(ibw_long_text)
#define ibw_ascii IBW_NAME(ibw_ascii)
#define ibw_no_digits IBW_NAME(ibw_no_digits)
#define ibw_number IBW_NAME(ibw_number)
#define ibw_proto_op IBW_NAME(ibw_proto_op)
#define ibw_small IBW_NAME(ibw_small)
#define ibw_text_op IBW_NAME(ibw_text_op)
#define ibw_begin_way IBW_NAME(ibw_begin_way)
#define ibw_proto_fields IBW_NAME(ibw_proto_fields)
#define ibw_proto_run IBW_NAME(ibw_proto_run)
#define ibw_proto_whole IBW_NAME(ibw_proto_whole)
#define ibw_text_fields IBW_NAME(ibw_text_fields)
#define ibw_text_run IBW_NAME(ibw_text_run)
#define ibw_text_whole IBW_NAME(ibw_text_whole)
#define ibw_zeros_at IBW_NAME(ibw_zeros_at)
#define ibw_value8 IBW_NAME(ibw_value8)
#define ibw_varint IBW_NAME(ibw_varint)

/* A high bit for each byte of x that is above 9. A carry comes only out of a byte that has its bit anyway: so bits may be
 * too many, never too few, and none at all means that every byte is a digit. */
IBW_INLINE uint64_t ibw_no_digits(uint64_t x) { return ((x + IBW_EACH(0x76)) | x) & IBW_EACH(0x80); }

/* Eight digits, first one in the lowest byte, each 0..9. */
IBW_INLINE uint64_t ibw_value8(uint64_t x) {
    x = (x * 2561) >> 8 & 0x00ff00ff00ff00ffull;
    x = (x * 6553601) >> 16 & 0x0000ffff0000ffffull;
    return (x * 42949672960001ull) >> 32;
}

/* The n characters at p, 1 to 8, as digits in the highest bytes; zeros before them. */
IBW_INLINE uint64_t ibw_aligned(const uint8_t *p, uint64_t n) {
    return (ibw_load8(p) ^ IBW_EACH(0x30)) << ((0 - 8 * n) & 63);
}

/* One to 16 digits, and nothing else. */
IBW_INLINE int ibw_integer(const uint8_t *p, uint64_t n, uint64_t *out) {
    uint64_t x, y;
    if (IBW_LIKELY(n - 1 < 8)) {
        x = ibw_aligned(p, n);
        *out = ibw_value8(x);
        if (IBW_RARE(ibw_no_digits(x))) return 0;
        return 1;
    }
    if (IBW_RARE(n - 9 >= 8)) return 0;
    x = ibw_load8(p) ^ IBW_EACH(0x30);
    y = ibw_aligned(p + 8, n - 8);
    *out = ibw_value8(x) * ibw_whole10[n - 8] + ibw_value8(y);
    return !(ibw_no_digits(x) | ibw_no_digits(y));
}

/* Mostly one digit. */
IBW_INLINE int ibw_small(const uint8_t *p, uint64_t n, uint64_t *out) {
    if (IBW_LIKELY(n == 1)) {
        *out = (uint8_t)(p[0] - 48);
        if (IBW_RARE(*out > 9)) return 0;
        return 1;
    }
    if (IBW_RARE(n - 1 >= 8)) return 0;
    uint64_t x = ibw_aligned(p, n);
    *out = ibw_value8(x);
    return !ibw_no_digits(x);
}

/* A sign, or more than eight characters. Digits after the point, or -1: not for here. */
static __attribute__((noinline)) int ibw_longer_number(const uint8_t *p, uint64_t n, double *out) {
    const int negative = n && p[0] == '-';
    uint64_t whole = 0, part = 0, before = 0, after = 0;
    if (n > 24) return -1;
    p += negative;
    n -= (uint64_t)negative;
    while (before < n && p[before] != '.') before++;
    if (before < n) after = n - before - 1;
    if (!(before | after) || before > 16 || after > 16) return -1;
    if (before && !ibw_integer(p, before, &whole)) return -1;
    if (after && !ibw_integer(p + before + 1, after, &part)) return -1;
    if (after > 15 ? whole : whole >= ibw_whole10[15 - after]) return -1; /* more digits than a double gives back */
    whole = whole * ibw_whole10[after] + part;
    if (whole >= ibw_whole10[15]) return -1;
    if (whole == 2147483647 && before == n) return -1; /* may mean "unset" */
    *out = (double)(int64_t)whole / ibw_pow10[after];
    if (negative) *out = -*out;
    return (int)after;
}

/* Plain digits with at most one point. Digits after the point, or -1: not for here. Without a branch on what only the
 * number itself says: those of a market are alternately whole and not. */
IBW_INLINE int ibw_number(const uint8_t *p, uint64_t n, double *out) {
    if (IBW_LIKELY(n - 1 < 8)) {
        uint64_t x = ibw_aligned(p, n);
        const uint64_t points = x & IBW_EACH(0x10); /* in no digit, in a point, and in others */
        const uint64_t point = points & (0 - points);
        const uint64_t whole = (point >> 4) - (point != 0); /* the bytes before the point, or none */
        const unsigned at = (unsigned)__builtin_ctzll(points | (uint64_t)1 << 63) / 8;
        x ^= 2 * point - (point >> 3);              /* a point becomes zero */
        uint64_t bad = (x & ((point << 4) - (point >> 4))) | (points & (uint64_t)1 << 60); /* nothing after it */
        x = (x & ~whole) | (x & whole) << 8;
        bad |= ibw_no_digits(x);
        if (IBW_LIKELY(!bad)) {
            *out = (double)(int64_t)ibw_value8(x) / ibw_scale[at];
            return (int)(7 - at);
        }
    }
    double other;
    const int after = ibw_longer_number(p, n, &other);
    *out = other;
    return after;
}

/* ------------------------------------------------------------------------------------------------ texts */

IBW_INLINE uint64_t ibw_ascii(uint64_t x, uint64_t escape) {
    /* A high bit if a byte of x is not ASCII or is the escape character: then what it means needs the whole message. */
    if (escape) {
        const uint64_t y = x ^ IBW_EACH(escape);
        x |= (y - IBW_EACH(1)) & ~y;
    }
    return x & IBW_EACH(0x80);
}

/* The `room` (7 at least) first characters, with their count before them; behind them stay zeros. Returns flags, or -1. */
static __attribute__((noinline)) int ibw_long_text(const ibw_op *op, const uint8_t *p, uint64_t n, uint8_t *to,
                                                   const int proto) {
    const uint64_t kept = n > op->room ? op->room : n;
    uint64_t x, bad = 0, i;
    to[-1] = (uint8_t)kept;
    if (kept <= 8) { /* of more */
        x = ibw_load8(p) & (~(uint64_t)0 >> (64 - 8 * kept));
        bad |= ibw_ascii(x, (uint8_t)op->aux);
        memcpy(to, &x, 7);
        if (kept == 8) to[7] = (uint8_t)(x >> 56);
    } else {
        for (i = 0;; i = i + 16 <= kept ? i + 8 : kept - 8) {
            x = ibw_load8(p + i);
            bad |= ibw_ascii(x, (uint8_t)op->aux);
            memcpy(to + i, &x, 8);
            if (i + 8 >= kept) break;
        }
    }
    if (proto) { /* must be UTF-8 to its end */
        for (i = kept; i < n; i++) bad |= p[i] & 0x80;
        if (bad) return -1;
    }
    return bad || kept < n ? IBW_LONG_TEXT : 0;
}

IBW_INLINE int ibw_chars(const ibw_op *op, const uint8_t *p, uint64_t n, uint8_t *rec, const int proto) {
    uint8_t *to = rec + op->dst;
    if (n == 0) return 0; /* as the template has it */
    if (n > 8 || n > op->room) return ibw_long_text(op, p, n, to, proto);
    uint64_t x = ibw_load8(p) & (~(uint64_t)0 >> (64 - 8 * n));
    const uint64_t bad = ibw_ascii(x, (uint8_t)op->aux);
    if (proto && IBW_RARE(bad)) return -1;
    if (op->room >= 8) {
        to[-1] = (uint8_t)n;
        memcpy(to, &x, 8);
    } else {
        x = x << 8 | n;
        memcpy(to - 1, &x, 8);
    }
    return bad ? IBW_LONG_TEXT : 0;
}

/* ------------------------------------------------------------------------------------------------ text dialect */

/* The ends of all fields come from one scan for zero bytes. It may see zeros behind the frame: a field that ends there
 * makes the frame end in the wrong place, and so refused. */
typedef struct {
    const uint8_t *base; /* the 64 bytes whose zeros mask has */
    uint64_t mask;       /* zeros that were not yet taken as ends of fields */
    int64_t at;          /* where the next field begins, from base */
    const uint8_t *end;
    int flags;
} ibw_fields;

/* Apart, so that what scans needs no place where it seldom does. */
IBW_COLD uint64_t ibw_zeros_at(const uint8_t *p) { return IBW_ZEROS64(p); }

IBW_INLINE int ibw_text_op(const int kind, const ibw_op *op, ibw_fields *f, uint8_t *rec) {
    uint64_t value;
    double number = 0;
    int after;
    while (IBW_RARE(!f->mask)) {
        f->base += 64;
        f->at -= 64;
        if (f->base >= f->end) return 0;
        f->mask = ibw_zeros_at(f->base);
    }
    const uint8_t *p = f->base + f->at;
    const int64_t stop = (int64_t)(uint64_t)__builtin_ctzll(f->mask);
    const uint64_t n = (uint64_t)(stop - f->at);
    f->mask &= f->mask - 1;
    f->at = stop + 1;
    switch (kind) {
    case IBW_CHECK:
        return ibw_small(p, n, &value);
    case IBW_I64:
        if (IBW_RARE(!ibw_integer(p, n, &value))) return 0;
        IBW_PUT(int64_t, rec + op->dst, value);
        return 1;
    case IBW_I32:
        if (IBW_RARE(!ibw_small(p, n, &value))) return 0;
        IBW_PUT(int32_t, rec + op->dst, (int32_t)value & op->aux);
        return 1;
    case IBW_I16:
        if (IBW_RARE(!ibw_small(p, n, &value) || value > 32767)) return 0;
        IBW_PUT(int16_t, rec + op->dst, value);
        return 1;
    case IBW_I8:
        if (IBW_RARE(!ibw_small(p, n, &value) || value > 255)) return 0;
        rec[op->dst] = (uint8_t)value;
        return 1;
    case IBW_BOOL:
        if (IBW_RARE(!ibw_small(p, n, &value))) return 0;
        rec[op->dst] = value != 0;
        return 1;
    case IBW_NUMBER:
        after = ibw_number(p, n, &number);
        if (IBW_RARE(after < 0)) return 0;
        IBW_PUT(double, rec + op->dst, number);
        rec[op->dst2] = (uint8_t)after;
        return 1;
    case IBW_DOUBLE:
        if (IBW_RARE(ibw_number(p, n, &number) < 0)) return 0;
        IBW_PUT(double, rec + op->dst, number);
        return 1;
    case IBW_GUARDED:
        after = ibw_number(p, n, &number);
        if (after < 0 || number == op->refused || (op->negative && number < 0)) return 0;
        IBW_PUT(double, rec + op->dst, number);
        if (op->dst2 != 0xFFFF) rec[op->dst2] = (uint8_t)after;
        return 1;
    case IBW_CHARS:
        after = ibw_chars(op, p, n, rec, 0);
        f->flags |= after;
        return 1;
    case IBW_SKIP:
        return 1;
    }
    return 0;
}

/* ------------------------------------------------------------------------------------------------ protobuf */

typedef struct {
    const uint8_t *p, *end;
    const uint8_t *stops[4]; /* the ends of the messages around the nested one */
    int flags;
} ibw_bytes;

/* The varint at p: up to eight bytes, else 0. Returns its bytes. */
IBW_INLINE unsigned ibw_varint(const uint8_t *p, uint64_t *out) {
    if (p[0] < 0x80) {
        *out = p[0];
        return 1;
    }
    if (p[1] < 0x80) {
        *out = (p[0] & 0x7Fu) | (unsigned)p[1] << 7;
        return 2;
    }
    uint64_t x = ibw_load8(p), last = ~x & IBW_EACH(0x80);
    if (!last) return 0;
    const unsigned bits = (unsigned)__builtin_ctzll(last); /* up to the high bit of the last byte */
    x &= IBW_EACH(0x7F) & (~(uint64_t)0 >> (63 - bits));
    x = (x & 0x007F007F007F007Full) | (x & 0x7F007F007F007F00ull) >> 1;
    x = (x & 0x00003FFF00003FFFull) | (x & 0x3FFF00003FFF0000ull) >> 2;
    *out = (x & 0x000000000FFFFFFFull) | (x & 0x0FFFFFFF00000000ull) >> 4;
    return bits / 8 + 1;
}

IBW_INLINE int ibw_proto_op(const int kind, const ibw_op *op, ibw_bytes *b, int *depth, uint8_t *rec) {
    const uint8_t *p = b->p;
    uint64_t value = 0, bits = 0;
    double number;
    unsigned n;
    int after;
    if (kind == IBW_CLOSE) {
        if (p != b->end) return 0;
        *depth -= 1;
        b->end = b->stops[*depth];
        return 1;
    }
    if (IBW_RARE(p[0] != op->key)) return 0;
    p++;
    switch (kind) {
    case IBW_CHECK: case IBW_I64: case IBW_I32: case IBW_I16: case IBW_I8: case IBW_BOOL:
        n = ibw_varint(p, &value);
        if (!n) return 0;
        p += n;
        break;
    case IBW_DOUBLE: case IBW_GUARDED:
        bits = ibw_load8(p);
        p += 8;
        break;
    default:
        value = p[0];
        p++;
        if (IBW_RARE(value > 127 || (int64_t)value > b->end - p)) return 0;
        break;
    }
    switch (kind) {
    case IBW_CHECK:
        memcpy(&n, rec + op->dst, 4);
        n = value ? n | (unsigned)op->aux : n & ~(unsigned)op->aux;
        memcpy(rec + op->dst, &n, 4);
        break;
    case IBW_I64:
        if (value > (uint64_t)(uint32_t)op->aux && op->aux) return 0;
        IBW_PUT(int64_t, rec + op->dst, value);
        break;
    case IBW_I32:
        if (value > INT32_MAX) return 0;
        IBW_PUT(int32_t, rec + op->dst, (int32_t)value & op->aux);
        break;
    case IBW_I16:
        if (value > 32767) return 0;
        IBW_PUT(int16_t, rec + op->dst, value);
        break;
    case IBW_I8:
        if (value > 255) return 0;
        rec[op->dst] = (uint8_t)value;
        break;
    case IBW_BOOL:
        rec[op->dst] = value != 0;
        break;
    case IBW_NUMBER:
        after = ibw_number(p, value, &number);
        if (IBW_RARE(after < 0)) return 0;
        IBW_PUT(double, rec + op->dst, number);
        rec[op->dst2] = (uint8_t)after;
        p += value;
        break;
    case IBW_SKIP:
        if (ibw_number(p, value, &number) < 0) return 0;
        p += value;
        break;
    case IBW_DOUBLE: /* the greatest finite double may mean "unset"; above it is what is no number */
        if (IBW_RARE((bits & 0x7FFFFFFFFFFFFFFFull) >= 0x7FEFFFFFFFFFFFFFull)) return 0;
        memcpy(rec + op->dst, &bits, 8);
        break;
    case IBW_GUARDED:
        memcpy(&number, &bits, 8);
        if ((bits & 0x7FFFFFFFFFFFFFFFull) >= 0x7FEFFFFFFFFFFFFFull || number == op->refused
            || (op->negative && number < 0)) return 0;
        memcpy(rec + op->dst, &bits, 8);
        break;
    case IBW_CHARS:
        after = ibw_chars(op, p, value, rec, 1);
        if (IBW_RARE(after < 0)) return 0;
        b->flags |= after;
        p += value;
        break;
    case IBW_OPEN:
        b->stops[*depth] = b->end;
        *depth += 1;
        b->end = p + value;
        break;
    default:
        return 0;
    }
    b->p = p;
    return p <= b->end;
}

/* ------------------------------------------------------------------------------------------------ shapes */

#define IBW_KIND(shape, i) ((int)((shape) >> 4 * (i) & 15))

#define IBW_UNROLLED(STEP) \
    STEP(0) STEP(1) STEP(2) STEP(3) STEP(4) STEP(5) STEP(6) STEP(7) STEP(8) STEP(9) STEP(10) STEP(11) STEP(12) STEP(13)

/* Constant shape: straight code. Shape 0: any, op by op. */
IBW_INLINE int ibw_text_fields(const uint64_t shape, const ibw_program *program, ibw_fields *f, uint8_t *rec) {
#define IBW_STEP(i) \
    if (!IBW_KIND(shape, i)) return 1; \
    if (IBW_RARE(!ibw_text_op(IBW_KIND(shape, i), &program->ops[i], f, rec))) return 0;
    if (shape) {
        IBW_UNROLLED(IBW_STEP)
    }
#undef IBW_STEP
    for (const ibw_op *op = program->ops; op->kind; op++) {
        if (!ibw_text_op(op->kind, op, f, rec)) return 0;
    }
    return 1;
}

IBW_INLINE int ibw_proto_fields(const uint64_t shape, const ibw_program *program, ibw_bytes *b, uint8_t *rec) {
    int depth = 0;
#define IBW_STEP(i) \
    if (!IBW_KIND(shape, i)) return 1; \
    if (IBW_RARE(!ibw_proto_op(IBW_KIND(shape, i), &program->ops[i], b, &depth, rec))) return 0;
    if (shape) {
        IBW_UNROLLED(IBW_STEP)
    }
#undef IBW_STEP
    for (const ibw_op *op = program->ops; op->kind; op++) {
        if (!ibw_proto_op(op->kind, op, b, &depth, rec)) return 0;
    }
    return 1;
}

/* The record as the program of a way has it behind the first fields. */
IBW_INLINE const ibw_program *ibw_begin_way(const ibw_program *way, uint8_t *rec) {
    if (!way->run) return NULL;
    memcpy(rec + 32, way->template_ + 32, 32);
    if (way->parts == 2) memcpy(rec + 64, way->template_ + 64, 64);
    return way;
}

/* A function for each shape, so that each has all registers to itself. */
IBW_INLINE int ibw_text_whole(const uint64_t shape, const ibw_program *program, const uint8_t *base, uint64_t mask,
                              int64_t at, const uint8_t *end, uint8_t *rec) {
    ibw_fields f = {base, mask, at, end, 0};
    if (IBW_RARE(!ibw_text_fields(shape, program, &f, rec))) return -1;
    if (program->ways) {
        uint32_t way;
        memcpy(&way, rec + program->ops[1].dst, 4);
        if (way >= IBW_WAYS || !(program = ibw_begin_way(&program->ways[way], rec))) return -1;
        return program->run(program, f.base, f.mask, f.at, end, rec);
    }
    return f.base + f.at == end ? f.flags : -1;
}

IBW_INLINE int ibw_proto_whole(const uint64_t shape, const ibw_program *program, const uint8_t *p, const uint8_t *end,
                               uint8_t *rec) {
    ibw_bytes b = {p, end, {0}, 0};
    if (IBW_RARE(!ibw_proto_fields(shape, program, &b, rec))) return -1;
    if (program->ways) {
        if (b.p >= end || b.p[0] >= IBW_WAYS << 3) return -1;
        if (!(program = ibw_begin_way(&program->ways[b.p[0] >> 3], rec))) return -1;
        return program->run(program, b.p, 0, 0, end, rec);
    }
    return b.p == end ? b.flags : -1;
}

#define IBW_RUN(dialect, number) IBW_NAME(ibw_##dialect##_##number)
#define X(number, shape) \
    static int IBW_RUN(text, number)(const ibw_program *program, const uint8_t *base, uint64_t mask, int64_t at, \
                                     const uint8_t *end, uint8_t *rec) { \
        return ibw_text_whole(shape, program, base, mask, at, end, rec); \
    }
X(any, 0)
IBW_TEXT_SHAPES(X)
#undef X
#define X(number, shape) \
    static int IBW_RUN(proto, number)(const ibw_program *program, const uint8_t *base, uint64_t mask, int64_t at, \
                                      const uint8_t *end, uint8_t *rec) { \
        (void)mask; \
        return ibw_proto_whole(shape, program, base + at, end, rec); \
    }
X(any, 0)
IBW_PROTO_SHAPES(X)
#undef X

static ibw_run ibw_text_run(uint64_t shape) {
#define X(number, constant) if (shape == (constant)) return IBW_RUN(text, number);
    IBW_TEXT_SHAPES(X)
#undef X
    return IBW_RUN(text, any);
}

static ibw_run ibw_proto_run(uint64_t shape) {
#define X(number, constant) if (shape == (constant)) return IBW_RUN(proto, number);
    IBW_PROTO_SHAPES(X)
#undef X
    return IBW_RUN(proto, any);
}
#undef IBW_RUN

/* ------------------------------------------------------------------------------------------------ frames */

IBW_INLINE size_t ibw_fused_run(const int raw_ids, ibw_program *const *plans, const ibw_ring_face *ring,
                                          const uint8_t *data, size_t at, size_t n, int64_t recv_ns, uint64_t *seq_out,
                                          uint64_t *market_out, ibw_longer *longer) {
    const uint8_t *p = data + at, *const safe = data + n;
    uint64_t head = *ring->head, seq = *seq_out;
    while (safe - p > 8 && head < ring->stop) {
        const uint64_t length = ibw_length4(p);
        if (IBW_RARE(length - 5 > IBW_LONGEST - 5 || (int64_t)length > safe - p - 4)) break;
        const uint8_t *payload = p + 4, *end = payload + length;
        const ibw_program *program;
        uint64_t id;
        int proto = 0, flags;
        int64_t start = 4;
        if (raw_ids) {
            id = ibw_length4(payload);
            if (IBW_RARE(id > 455)) break;
            proto = id > 200;
            program = plans[proto ? id + 56 : id];
        } else {
            id = payload[0] - 48u; /* wraps if it is less */
            start = 2;
            if (id > 9) break;
            if (payload[1]) { /* two digits */
                const uint64_t ones = payload[1] - 48u;
                if (ones > 9 || payload[2]) break;
                id = id * 10 + ones;
                start = 3;
            }
            program = plans[id];
        }
        if (IBW_RARE(!program)) break;
        if (IBW_RARE(head + 1 >= *ring->reserved)) {
            __atomic_store_n(ring->reserved, head + 16, __ATOMIC_RELAXED);
            __atomic_thread_fence(__ATOMIC_RELEASE); /* as in ring_claim */
        }
        const uint64_t slot = head & ring->mask;
        uint8_t *rec = ring->base + (slot << 6);
        const int two = program->parts == 2;
        if (two) {
            if (slot == ring->mask) break; /* the second record would be at the ring's other end */
            memcpy(rec + 64, program->template_ + 64, 64);
        }
        memcpy(rec, program->template_, 64);
        if (proto) {
            flags = program->run(program, payload, 0, 4, end, rec);
        } else {
            flags = program->run(program, payload + start, IBW_ZEROS64(payload + start), 0, end, rec);
        }
        if (IBW_RARE(flags < 0)) break;
        seq++;
        IBW_PUT(uint64_t, rec, seq);
        IBW_PUT(int64_t, rec + 8, recv_ns);
        if (IBW_RARE(flags)) {
            IBW_PUT(uint16_t, rec + 18, flags);
            longer->payload = payload;
            longer->length = length;
            longer->id = id;
            longer->place = (uint32_t)(proto ? id + 56 : id);
            longer->flags = (uint16_t)flags;
        }
        if (two) { /* the second record repeats sequence, time, flags, aux and key of the first */
            IBW_PUT(uint64_t, rec + 64, seq);
            IBW_PUT(int64_t, rec + 72, recv_ns);
            IBW_PUT(uint16_t, rec + 64 + 18, flags);
            memcpy(rec + 64 + 20, rec + 20, 4);
            memcpy(rec + 64 + 24, rec + 24, 8);
            head++;
        }
        head++;
        __atomic_store_n(ring->head, head, __ATOMIC_RELEASE); /* the record is visible before the head that covers it */
        __atomic_store_n(&ring->kinds[id], ring->kinds[id] + 1, __ATOMIC_RELAXED);
        p = end;
        if (IBW_RARE(flags)) break;
    }
    __atomic_store_n(market_out, *market_out + (seq - *seq_out), __ATOMIC_RELAXED);
    *seq_out = seq;
    return (size_t)(p - data);
}

static __attribute__((noinline)) size_t ibw_fused_text(ibw_program *const *plans, ibw_ring_face ring,
                                                                 const uint8_t *data, size_t at, size_t n,
                                                                 int64_t recv_ns, uint64_t *seq, uint64_t *market,
                                                                 ibw_longer *longer) {
    return ibw_fused_run(0, plans, &ring, data, at, n, recv_ns, seq, market, longer);
}

static __attribute__((noinline)) size_t ibw_fused_raw(ibw_program *const *plans, ibw_ring_face ring,
                                                                const uint8_t *data, size_t at, size_t n,
                                                                int64_t recv_ns, uint64_t *seq, uint64_t *market,
                                                                 ibw_longer *longer) {
    return ibw_fused_run(1, plans, &ring, data, at, n, recv_ns, seq, market, longer);
}

#undef ibw_aligned
#undef ibw_bytes
#undef ibw_chars
#undef ibw_fields
#undef ibw_fused_raw
#undef ibw_fused_run
#undef ibw_fused_text
#undef ibw_integer
#undef ibw_longer_number
#undef ibw_long_text
#undef ibw_ascii
#undef ibw_no_digits
#undef ibw_number
#undef ibw_proto_op
#undef ibw_small
#undef ibw_text_op
#undef ibw_begin_way
#undef ibw_proto_fields
#undef ibw_proto_run
#undef ibw_proto_whole
#undef ibw_text_fields
#undef ibw_text_run
#undef ibw_text_whole
#undef ibw_zeros_at
#undef ibw_value8
#undef ibw_varint
