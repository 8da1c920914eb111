/* Whole frames of market messages straight into the market ring, for the shapes that traffic nearly always has.
 *
 * A program is a plan without conditions and lists: one op for each field, in order. A shape is the sequence of the
 * kinds of its ops, four bits each. The common shapes are compiled to straight code (the same inline function with a
 * constant shape); every other one is run op by op. Nothing here knows a message.
 *
 * Only what is usual is done here. Anything else (an empty number, a text that is too long, a field out of order, ...)
 * makes ibw_fused return before that frame, and the general decoder, which knows everything, does that one again: so
 * this code may refuse whatever it likes, and must not accept what the general decoder would see differently.
 *
 * Bounds: IBW_PAD bytes past the end of a frame may be loaded, and are never believed.
 */
#ifndef IBWIRE_FUSED_H
#define IBWIRE_FUSED_H
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include "_scan.h"
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define IBW_WIDE 1 /* built twice: for every x86-64, and for those with AVX2, BMI and BMI2 */
#include <immintrin.h>
#else
#define IBW_WIDE 0
#endif

#define IBW_PAD 72 /* 64 bytes are scanned for zeros at once, and numbers are loaded eight bytes at a time */
#define IBW_OPS 14 /* most ops of a program */
#define IBW_LONGEST 4096 /* frame; longer ones are not usual */

#define IBW_INLINE static inline __attribute__((always_inline))
#define IBW_COLD static __attribute__((noinline, cold))
#define IBW_RARE(x) __builtin_expect(!!(x), 0)
#define IBW_LIKELY(x) __builtin_expect(!!(x), 1)
#define IBW_EACH(b) (0x0101010101010101ull * (b))

/* The kinds of ops; wire/fused.py gives them these numbers. */
enum {
    IBW_STOP = 0,
    IBW_CHECK = 1,   /* text: an integer that nobody keeps; protobuf: BIT of a mask */
    IBW_I64 = 2,
    IBW_I32 = 3,
    IBW_I16 = 4,
    IBW_I8 = 5,
    IBW_BOOL = 6,
    IBW_NUMBER = 7,  /* a number as text, kept with its digits after the point */
    IBW_DOUBLE = 8,  /* a number kept without them; protobuf: eight bytes */
    IBW_CHARS = 9,
    IBW_SKIP = 10,   /* text: any field; protobuf: a number as text that nobody keeps */
    IBW_GUARDED = 11, /* IBW_DOUBLE or, with a place for digits, IBW_NUMBER; some values mean "not computed" */
    IBW_OPEN = 12,   /* protobuf: a nested message, up to its CLOSE */
    IBW_CLOSE = 13,
};

typedef struct {
    double refused;   /* GUARDED: this value is not for here */
    int32_t aux;      /* bits that are kept */
    uint16_t dst, dst2;
    uint8_t kind, key; /* key: of protobuf, number and wire type in one byte */
    uint8_t room;      /* CHARS: most bytes */
    uint8_t negative;  /* GUARDED: negative values are refused too */
} ibw_op;

struct ibw_program;

/* Fills a record from the fields at base + at. mask: text: where zeros follow base. Its flags, or -1: not for here. */
typedef int (*ibw_run)(const struct ibw_program *program, const uint8_t *base, uint64_t mask, int64_t at,
                       const uint8_t *end, uint8_t *rec);

typedef struct ibw_program {
    ibw_run run;               /* NULL: no program */
    struct ibw_program *ways;  /* NULL, or the programs that the last field (text) or the next key (protobuf) selects */
    int64_t parts;             /* records, 1 or 2 */
    uint8_t template_[128];
    ibw_op ops[IBW_OPS + 1];
} ibw_program;

#define IBW_WAYS 16

typedef struct {
    uint8_t *base;
    uint64_t mask;
    uint64_t *head, *reserved;
    uint64_t *kinds; /* messages by wire id */
    uint64_t stop;   /* go no further than this head */
} ibw_ring_face;

/* A message whose text is not whole in its record. */
typedef struct {
    const uint8_t *payload;
    uint64_t length, id; /* length 0: none; id: as on the wire */
    uint32_t place;      /* of its plan */
    uint16_t flags;
} ibw_longer;

#define IBW_LONG_TEXT 4 /* a record's flag */

IBW_INLINE uint64_t ibw_load8(const uint8_t *p) {
    uint64_t x;
    memcpy(&x, p, 8);
    return x;
}

IBW_INLINE uint32_t ibw_length4(const uint8_t *p) {
    uint32_t x;
    memcpy(&x, p, 4);
    return __builtin_bswap32(x);
}

#define IBW_PUT(type, at, value) do { type ibw_value = (type)(value); memcpy((at), &ibw_value, sizeof(type)); } while (0)

/* ------------------------------------------------------------------------------------------------ numbers */

static const double ibw_pow10[23] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                     1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
static const uint64_t ibw_whole10[17] = {
    1ull, 10ull, 100ull, 1000ull, 10000ull, 100000ull, 1000000ull, 10000000ull, 100000000ull, 1000000000ull, 10000000000ull,
    100000000000ull, 1000000000000ull, 10000000000000ull, 100000000000000ull, 1000000000000000ull, 10000000000000000ull};

/* Ten to the power of the digits after a point that is the byte of that index. */
static const double ibw_scale[8] = {1e7, 1e6, 1e5, 1e4, 1e3, 1e2, 1e1, 1e0};

#define K(i, kind) ((uint64_t)IBW_##kind << 4 * (i))
#define K3(a, b, c) (K(0, a) | K(1, b) | K(2, c))
#define K4(a, b, c, d) (K3(a, b, c) | K(3, d))
#define K5(a, b, c, d, e) (K4(a, b, c, d) | K(4, e))
#define K6(a, b, c, d, e, f) (K5(a, b, c, d, e) | K(5, f))
#define K7(a, b, c, d, e, f, g) (K6(a, b, c, d, e, f) | K(6, g))
#define K9(a, b, c, d, e, f, g, h, i) (K7(a, b, c, d, e, f, g) | K(7, h) | K(8, i))
#define K11(a, b, c, d, e, f, g, h, i, j, k) (K9(a, b, c, d, e, f, g, h, i) | K(9, j) | K(10, k))

/* X(name, shape): the shapes that have code of their own. */
#define IBW_TEXT_SHAPES(X) \
    X(2, K6(CHECK, I64, I32, NUMBER, NUMBER, I32)) \
    X(3, K4(CHECK, I64, I32, NUMBER)) \
    X(4, K4(CHECK, I64, I32, DOUBLE)) \
    X(5, K4(CHECK, I64, I32, CHARS)) \
    X(6, K9(CHECK, I64, I32, CHARS, I16, I8, DOUBLE, NUMBER, BOOL)) \
    X(7, K7(CHECK, I64, I32, I16, I8, DOUBLE, NUMBER)) \
    X(8, K(0, I64) | K(1, I32)) /* then a way */ \
    X(9, K6(I64, DOUBLE, NUMBER, I32, CHARS, CHARS)) \
    X(10, K6(I64, DOUBLE, DOUBLE, NUMBER, NUMBER, I32)) \
    X(11, K(0, I64) | K(1, DOUBLE))

#define IBW_PROTO_SHAPES(X) \
    X(2, K5(I64, I32, DOUBLE, NUMBER, I32)) \
    X(3, K3(I64, I32, NUMBER)) \
    X(4, K3(I64, I32, DOUBLE)) \
    X(5, K3(I64, I32, CHARS)) \
    X(6, K11(I64, OPEN, I32, I16, I8, DOUBLE, NUMBER, CHARS, BOOL, CLOSE, STOP)) \
    X(7, K9(I64, OPEN, I32, I16, I8, DOUBLE, NUMBER, CLOSE, STOP)) \
    X(8, K(0, I64) | K(1, I32)) /* then a way */ \
    X(9, K11(OPEN, I64, OPEN, CHECK, CHECK, CLOSE, DOUBLE, NUMBER, CHARS, CHARS, CLOSE)) \
    X(10, K11(OPEN, I64, OPEN, CHECK, CHECK, CLOSE, DOUBLE, DOUBLE, NUMBER, NUMBER, CLOSE)) \
    X(11, K5(OPEN, I64, DOUBLE, SKIP, CLOSE))

#define IBW_NAME(name) name##_plain
#define IBW_ZEROS64 ibw_zeros64
#include "_fused_run.h"
#undef IBW_NAME
#undef IBW_ZEROS64

#if IBW_WIDE
#pragma GCC push_options
#pragma GCC target("avx2,bmi,bmi2,lzcnt,movbe")
IBW_INLINE uint64_t ibw_zeros64_wide(const uint8_t *p) {
    const __m256i zero = _mm256_setzero_si256();
    const __m256i a = _mm256_loadu_si256((const __m256i *)p), b = _mm256_loadu_si256((const __m256i *)(p + 32));
    return (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(a, zero))
           | (uint64_t)(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(b, zero)) << 32;
}
#define IBW_NAME(name) name##_wide
#define IBW_ZEROS64 ibw_zeros64_wide
#include "_fused_run.h"
#undef IBW_NAME
#undef IBW_ZEROS64
#pragma GCC pop_options
#endif

/* Whole frames of usual market messages that end up to n, as many as follow each other; IBW_PAD bytes behind n may be
 * loaded. Returns where the first other frame begins; nothing is kept of that one. seq: of the last message, and market,
 * the count of market messages, are counted on. It also ends after a message whose text is too long for its record:
 * `longer` then says which, for it goes elsewhere too. */
static inline size_t ibw_fused(int raw_ids, int wide, ibw_program *const *plans, ibw_ring_face ring,
                               const uint8_t *data, size_t at, size_t n, int64_t recv_ns, uint64_t *seq,
                               uint64_t *market, ibw_longer *longer) {
#if IBW_WIDE
    if (wide) {
        return raw_ids ? ibw_fused_raw_wide(plans, ring, data, at, n, recv_ns, seq, market, longer)
                       : ibw_fused_text_wide(plans, ring, data, at, n, recv_ns, seq, market, longer);
    }
#endif
    (void)wide;
    return raw_ids ? ibw_fused_raw_plain(plans, ring, data, at, n, recv_ns, seq, market, longer)
                   : ibw_fused_text_plain(plans, ring, data, at, n, recv_ns, seq, market, longer);
}

/* What runs programs of a shape. */
static ibw_run ibw_run_of(uint64_t shape, int proto, int wide) {
#if IBW_WIDE
    if (wide) return proto ? ibw_proto_run_wide(shape) : ibw_text_run_wide(shape);
#endif
    (void)wide;
    return proto ? ibw_proto_run_plain(shape) : ibw_text_run_plain(shape);
}

/* Whether this processor can run the wide build. */
static inline int ibw_can_wide(void) {
#if IBW_WIDE
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
#else
    return 0;
#endif
}
#endif
