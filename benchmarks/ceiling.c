/* The ceiling: framed bytes of mixes M1..M4 to 64-byte records, in bare C and UNCHECKED.
 *
 * It believes every byte: no bounds, no limits, no malformed field, no text a double cannot hold exactly. It reads up to 8
 * bytes past the last frame (the caller pads). Never a decoder; only the number that a checked one is compared with.
 * What it does do is real: every number is parsed, decimals are rounded correctly (mantissa below 2^53 divided by an
 * exact power of ten) and keep their digits after the point, texts are kept by place and length.
 *
 * Record n goes to out[n & (capacity - 1)], as in a ring: capacity is a power of two. Returns the count of records.
 */
#include <stdint.h>
#include <string.h>

typedef struct {
    uint16_t msg_id;
    uint8_t operation, side; /* depth */
    int32_t type;            /* tick type; depth: position */
    int64_t req_id;
    double price, size;      /* price: also the value of tickGeneric; BidAsk: the bid */
    union {
        struct { double price2, size2; };                            /* BidAsk: the ask */
        struct { uint32_t text_at, text_bytes, text2_at, text2_bytes; }; /* offsets into the buffer */
    };                       /* text: value, exchange or market maker; text2: special conditions */
    int64_t time;            /* tick-by-tick */
    uint8_t mask, smart;
    uint8_t price_digits, size_digits, price2_digits, size2_digits; /* after the point; text prices, all sizes */
    uint16_t unused;
} record;

_Static_assert(sizeof(record) == 64, "one cache line");

static const double POW10[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                               1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/* Decimals differ in length from one to the next, so the fastest way takes eight bytes at a time and has no branch on the
 * length to mispredict; ids are alike, so loops win there. -DBYTE_LOOPS gives plain loops for decimals too: what most
 * people would write, and about two thirds as fast. */
#define BYTES_OF(b) (0x0101010101010101ull * (b))

static inline uint64_t load8(const uint8_t *p) {
    uint64_t x;
    memcpy(&x, p, 8);
    return x;
}

/* The number in the first n bytes of x, all digits, n from 1 to 8. */
static inline uint64_t number8(uint64_t x, unsigned n) {
    x = (x << (64 - 8 * n)) & BYTES_OF(0x0f);
    x = (x * 2561) >> 8 & 0x00ff00ff00ff00ffull;
    x = (x * 6553601) >> 16 & 0x0000ffff0000ffffull;
    return (x * 42949672960001ull) >> 32;
}

/* n bytes of x, 1 to 7, are digits with at most one point among them, and a byte without bit 4 follows. */
static inline double decimal8(uint64_t x, unsigned n, uint8_t *digits) {
    unsigned point = (unsigned)__builtin_ctzll(~x & BYTES_OF(0x10)) >> 3; /* n if there is none */
    unsigned after = n - point - (point < n);
    uint64_t before = x & ((1ull << 8 * point) - 1);
    *digits = (uint8_t)after;
    return (double)number8(before | (x >> 8 >> 8 * point) << 8 * point, point + after) / POW10[after];
}

static inline uint64_t first_nul(uint64_t x) { return (x - BYTES_OF(0x01)) & ~x & BYTES_OF(0x80); }

static inline int64_t int_field(const uint8_t **at) { /* no negative number in these mixes */
    const uint8_t *p = *at;
    int64_t value = *p++ - '0';
    while (*p) value = value * 10 + (*p++ - '0');
    *at = p + 1;
    return value;
}

static inline int64_t digit_field(const uint8_t **at) {
    *at += 2;
    return (*at)[-2] - '0';
}

static inline double dec_field(const uint8_t **at, uint8_t *digits) {
    const uint8_t *p = *at;
    uint64_t mantissa = 0;
#ifndef BYTE_LOOPS
    uint64_t x = load8(p), nul = first_nul(x);
    if (nul) {
        unsigned n = (unsigned)__builtin_ctzll(nul) >> 3;
        *at += n + 1;
        return decimal8(x, n, digits);
    }
#endif
    while (*p >= '0') mantissa = mantissa * 10 + (*p++ - '0');
    const uint8_t *point = p + (*p != 0);
    if (*p) p++;
    while (*p) mantissa = mantissa * 10 + (*p++ - '0');
    *digits = (uint8_t)(p - point);
    *at = p + 1;
    return (double)mantissa / POW10[p - point];
}

static inline void text_field(const uint8_t *buf, const uint8_t **at, uint32_t *text_at, uint32_t *text_bytes) {
    const uint8_t *start = *at, *p = start;
    while (*p) p++;
    *text_at = (uint32_t)(start - buf);
    *text_bytes = (uint32_t)(p - start);
    *at = p + 1;
}

static inline uint32_t be32(const uint8_t *p) {
    uint32_t value;
    memcpy(&value, p, 4);
    return __builtin_bswap32(value);
}

int64_t decode_text(const uint8_t *buf, int64_t len, record *out, int64_t capacity) {
    const uint8_t *p = buf, *end = buf + len;
    int64_t count = 0;
    while (p < end) {
        const uint8_t *next = p + 4 + be32(p);
        record *r = &out[count++ & (capacity - 1)];
        p += 4;
        r->msg_id = (uint16_t)int_field(&p);
        if (r->msg_id != 99) p += 2; /* the version field, one digit */
        r->req_id = int_field(&p);
        r->type = (int32_t)int_field(&p);
        switch (r->msg_id) {
        case 1:
            r->price = dec_field(&p, &r->price_digits);
            r->size = dec_field(&p, &r->size_digits);
            r->mask = (uint8_t)digit_field(&p);
            break;
        case 2:
            r->size = dec_field(&p, &r->size_digits);
            break;
        case 45:
            r->price = dec_field(&p, &r->price_digits);
            break;
        case 46:
            r->text_at = (uint32_t)(p - buf);
            r->text_bytes = (uint32_t)(next - p - 1);
            break;
        case 13:
            text_field(buf, &p, &r->text_at, &r->text_bytes);
            r->operation = (uint8_t)digit_field(&p);
            r->side = (uint8_t)digit_field(&p);
            r->price = dec_field(&p, &r->price_digits);
            r->size = dec_field(&p, &r->size_digits);
            r->smart = (uint8_t)digit_field(&p);
            break;
        case 99:
            r->time = int_field(&p);
            r->price = dec_field(&p, &r->price_digits);
            if (r->type == 3) {
                r->price2 = dec_field(&p, &r->price2_digits);
                r->size = dec_field(&p, &r->size_digits);
                r->size2 = dec_field(&p, &r->size2_digits);
                r->mask = (uint8_t)digit_field(&p);
            } else {
                r->size = dec_field(&p, &r->size_digits);
                r->mask = (uint8_t)digit_field(&p);
                text_field(buf, &p, &r->text_at, &r->text_bytes);
                r->text2_at = (uint32_t)(p - buf);
                r->text2_bytes = (uint32_t)(next - p - 1);
            }
            break;
        }
        p = next;
    }
    return count;
}

/* ---- protobuf: every tag of these messages is one byte, every length below 128 too ---- */

static inline uint64_t varint(const uint8_t **at) {
    const uint8_t *p = *at;
    uint64_t value = *p & 0x7f;
    for (int shift = 7; *p++ & 0x80; shift += 7) value |= (uint64_t)(*p & 0x7f) << shift;
    *at = p;
    return value;
}

static inline double fixed64(const uint8_t **at) {
    double value;
    memcpy(&value, *at, 8);
    *at += 8;
    return value;
}

static inline double dec_bytes(const uint8_t **at, uint8_t *digits) {
    const uint8_t *p = *at + 1, *end = p + **at;
    uint64_t mantissa = 0;
    *at = end;
#ifndef BYTE_LOOPS
    unsigned n = (unsigned)(end - p);
    if (n < 8) return decimal8(load8(p) & ((1ull << 8 * n) - 1), n, digits);
#endif
    while (p < end && *p != '.') mantissa = mantissa * 10 + (*p++ - '0');
    const uint8_t *point = p + (p < end);
    if (p < end) p++;
    while (p < end) mantissa = mantissa * 10 + (*p++ - '0');
    *digits = (uint8_t)(p - point);
    return (double)mantissa / POW10[p - point];
}

static inline void text_bytes(const uint8_t *buf, const uint8_t **at, uint32_t *text_at, uint32_t *bytes) {
    *bytes = **at;
    *text_at = (uint32_t)(*at + 1 - buf);
    *at += 1 + *bytes;
}

#define TAG(number, wire) ((number) << 3 | (wire))
enum { VARINT = 0, FIXED64 = 1, BYTES = 2 };

static inline void proto_mask(const uint8_t **at, record *r) {
    const uint8_t *p = *at + 1, *end = p + **at;
    uint8_t mask = 0;
    while (p < end) {
        uint8_t bit = *p++ >> 4; /* field 1 is bit 0, field 2 is bit 1: tags 8 and 16 */
        mask |= (uint8_t)((varint(&p) != 0) << bit);
    }
    r->mask = mask;
    *at = end;
}

static inline void proto_tick(const uint8_t *buf, const uint8_t *p, const uint8_t *end, record *r) {
    while (p < end) {
        switch (*p++) {
        case TAG(1, VARINT): r->req_id = (int32_t)varint(&p); break;
        case TAG(2, VARINT): r->type = (int32_t)varint(&p); break;
        case TAG(3, FIXED64): r->price = fixed64(&p); break;
        case TAG(3, BYTES): /* the size of tickSize, the value of tickString */
            if (r->msg_id == 2) r->size = dec_bytes(&p, &r->size_digits);
            else text_bytes(buf, &p, &r->text_at, &r->text_bytes);
            break;
        case TAG(4, BYTES): r->size = dec_bytes(&p, &r->size_digits); break;
        case TAG(5, VARINT): r->mask = (uint8_t)varint(&p); break;
        }
    }
}

static inline void proto_last(const uint8_t *buf, const uint8_t *p, const uint8_t *end, record *r) {
    while (p < end) {
        switch (*p++) {
        case TAG(1, VARINT): r->time = (int64_t)varint(&p); break;
        case TAG(2, BYTES): proto_mask(&p, r); break;
        case TAG(3, FIXED64): r->price = fixed64(&p); break;
        case TAG(4, BYTES): r->size = dec_bytes(&p, &r->size_digits); break;
        case TAG(5, BYTES): text_bytes(buf, &p, &r->text_at, &r->text_bytes); break;
        case TAG(6, BYTES): text_bytes(buf, &p, &r->text2_at, &r->text2_bytes); break;
        }
    }
}

static inline void proto_bid_ask(const uint8_t *p, const uint8_t *end, record *r) {
    while (p < end) {
        switch (*p++) {
        case TAG(1, VARINT): r->time = (int64_t)varint(&p); break;
        case TAG(2, BYTES): proto_mask(&p, r); break;
        case TAG(3, FIXED64): r->price = fixed64(&p); break;
        case TAG(4, FIXED64): r->price2 = fixed64(&p); break;
        case TAG(5, BYTES): r->size = dec_bytes(&p, &r->size_digits); break;
        case TAG(6, BYTES): r->size2 = dec_bytes(&p, &r->size2_digits); break;
        }
    }
}

static inline void proto_row(const uint8_t *buf, const uint8_t *p, const uint8_t *end, record *r) {
    while (p < end) {
        switch (*p++) {
        case TAG(1, VARINT): r->type = (int32_t)varint(&p); break;
        case TAG(2, VARINT): r->operation = (uint8_t)varint(&p); break;
        case TAG(3, VARINT): r->side = (uint8_t)varint(&p); break;
        case TAG(4, FIXED64): r->price = fixed64(&p); break;
        case TAG(5, BYTES): r->size = dec_bytes(&p, &r->size_digits); break;
        case TAG(6, BYTES): text_bytes(buf, &p, &r->text_at, &r->text_bytes); break;
        case TAG(7, VARINT): r->smart = (uint8_t)varint(&p); break;
        }
    }
}

static inline void proto_nested(const uint8_t *buf, const uint8_t *p, const uint8_t *end, record *r) {
    while (p < end) {
        switch (*p++) {
        case TAG(1, VARINT): r->req_id = (int32_t)varint(&p); break;
        case TAG(2, VARINT): r->type = (int32_t)varint(&p); break;
        case TAG(2, BYTES): proto_row(buf, p + 1, p + 1 + *p, r); p += 1 + *p; break;
        case TAG(3, BYTES): proto_last(buf, p + 1, p + 1 + *p, r); p += 1 + *p; break;
        case TAG(4, BYTES): proto_bid_ask(p + 1, p + 1 + *p, r); p += 1 + *p; break;
        }
    }
}

int64_t decode_proto(const uint8_t *buf, int64_t len, record *out, int64_t capacity) {
    const uint8_t *p = buf, *end = buf + len;
    int64_t count = 0;
    while (p < end) {
        const uint8_t *next = p + 4 + be32(p);
        record *r = &out[count++ & (capacity - 1)];
        r->msg_id = (uint16_t)(be32(p + 4) - 200);
        p += 8;
        if (r->msg_id == 13 || r->msg_id == 99) proto_nested(buf, p, next, r);
        else proto_tick(buf, p, next, r);
        p = next;
    }
    return count;
}
