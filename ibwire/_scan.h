/* Where the zero bytes of 64 (or 32) bytes are, one bit each. SSE2 where it is the baseline, plain C elsewhere. */
#ifndef IBWIRE_SCAN_H
#define IBWIRE_SCAN_H
#include <stdint.h>
#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
static inline uint64_t ibw_zeros64(const uint8_t *p) {
    const __m128i zero = _mm_setzero_si128();
    const __m128i *at = (const __m128i *)p;
    uint64_t a = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_loadu_si128(at), zero));
    uint64_t b = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_loadu_si128(at + 1), zero));
    uint64_t c = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_loadu_si128(at + 2), zero));
    uint64_t d = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_loadu_si128(at + 3), zero));
    return a | b << 16 | c << 32 | d << 48;
}
static inline uint64_t ibw_zeros32(const uint8_t *p) {
    const __m128i zero = _mm_setzero_si128();
    const __m128i *at = (const __m128i *)p;
    uint64_t a = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_loadu_si128(at), zero));
    uint64_t b = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_loadu_si128(at + 1), zero));
    return a | b << 16;
}
#else
static inline uint64_t ibw_zeros64(const uint8_t *p) {
    uint64_t mask = 0, x;
    int i;
    for (i = 0; i < 8; i++) {
        memcpy(&x, p + 8 * i, 8);
        /* exact per byte: the high bit of each byte that is zero */
        x = ~(((x & 0x7F7F7F7F7F7F7F7Full) + 0x7F7F7F7F7F7F7F7Full) | x | 0x7F7F7F7F7F7F7F7Full);
        mask |= ((x >> 7) * 0x0102040810204080ull >> 56) << (8 * i);
    }
    return mask;
}
static inline uint64_t ibw_zeros32(const uint8_t *p) { return ibw_zeros64(p) & 0xFFFFFFFFull; }
#endif
#endif
