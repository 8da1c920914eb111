/* What the journal's appender needs of C: CRC32 as zlib counts it, and a preallocated, mapped file. */
#ifndef IBW_JOURNAL_H
#define IBW_JOURNAL_H

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "ibwire's journal is little-endian; so must this machine be"
#endif

static uint32_t ibw_crc_table[8][256];

static void ibw_crc_setup(void) {
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int k = 0; k < 8; k++) c = c & 1 ? (c >> 1) ^ 0xEDB88320u : c >> 1;
        ibw_crc_table[0][i] = c;
    }
    for (int t = 1; t < 8; t++)
        for (int i = 0; i < 256; i++) {
            uint32_t c = ibw_crc_table[t - 1][i];
            ibw_crc_table[t][i] = (c >> 8) ^ ibw_crc_table[0][c & 255];
        }
}

/* `crc` is the inverted running value, here and below. */
static inline uint32_t ibw_crc_bytes(uint32_t crc, const uint8_t *p, size_t n) {
    while (n >= 8) {
        uint64_t v;
        memcpy(&v, p, 8);
        v ^= crc;
        crc = ibw_crc_table[7][v & 255] ^ ibw_crc_table[6][(v >> 8) & 255] ^ ibw_crc_table[5][(v >> 16) & 255] ^
              ibw_crc_table[4][(v >> 24) & 255] ^ ibw_crc_table[3][(v >> 32) & 255] ^
              ibw_crc_table[2][(v >> 40) & 255] ^ ibw_crc_table[1][(v >> 48) & 255] ^ ibw_crc_table[0][v >> 56];
        p += 8;
        n -= 8;
    }
    while (n--) crc = (crc >> 8) ^ ibw_crc_table[0][(crc ^ *p++) & 255];
    return crc;
}

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#define IBW_CRC_FOLDS 1
/* Carry-less multiplication: 64 bytes a turn, then one remainder (Gopal et al., "Fast CRC computation using PCLMULQDQ").
 * `n` is 64 or more, and a multiple of 16. */
__attribute__((target("pclmul,sse4.1"))) static uint32_t ibw_crc_fold(uint32_t crc, const uint8_t *p, size_t n) {
    const __m128i by_64 = _mm_set_epi64x(0x01c6e41596, 0x0154442bd4);
    const __m128i by_16 = _mm_set_epi64x(0x00ccaa009e, 0x01751997d0);
    const __m128i by_8 = _mm_set_epi64x(0, 0x0163cd6124);
    const __m128i poly = _mm_set_epi64x(0x01f7011641, 0x01db710641);
    const __m128i low = _mm_setr_epi32(~0, 0, ~0, 0);
    __m128i x[4], y, z;
    for (int i = 0; i < 4; i++) x[i] = _mm_loadu_si128((const __m128i *)(p + 16 * i));
    x[0] = _mm_xor_si128(x[0], _mm_cvtsi32_si128((int)crc));
    for (p += 64, n -= 64; n >= 64; p += 64, n -= 64)
        for (int i = 0; i < 4; i++) {
            y = _mm_clmulepi64_si128(x[i], by_64, 0x00);
            z = _mm_clmulepi64_si128(x[i], by_64, 0x11);
            x[i] = _mm_xor_si128(_mm_xor_si128(y, z), _mm_loadu_si128((const __m128i *)(p + 16 * i)));
        }
    __m128i all = x[0];
    for (int i = 1; i < 4; i++) {
        y = _mm_clmulepi64_si128(all, by_16, 0x00);
        z = _mm_clmulepi64_si128(all, by_16, 0x11);
        all = _mm_xor_si128(_mm_xor_si128(y, z), x[i]);
    }
    for (; n >= 16; p += 16, n -= 16) {
        y = _mm_clmulepi64_si128(all, by_16, 0x00);
        z = _mm_clmulepi64_si128(all, by_16, 0x11);
        all = _mm_xor_si128(_mm_xor_si128(y, z), _mm_loadu_si128((const __m128i *)p));
    }
    y = _mm_clmulepi64_si128(all, by_16, 0x10);
    all = _mm_xor_si128(_mm_srli_si128(all, 8), y);
    y = _mm_srli_si128(all, 4);
    all = _mm_xor_si128(_mm_clmulepi64_si128(_mm_and_si128(all, low), by_8, 0x00), y);
    y = _mm_and_si128(_mm_clmulepi64_si128(_mm_and_si128(all, low), poly, 0x10), low);
    all = _mm_xor_si128(all, _mm_clmulepi64_si128(y, poly, 0x00));
    return (uint32_t)_mm_extract_epi32(all, 1);
}
#endif

static inline uint32_t ibw_crc_more(uint32_t crc, const uint8_t *p, size_t n) {
#ifdef IBW_CRC_FOLDS
    if (n >= 64 && __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1")) {
        size_t whole = n & ~(size_t)15;
        crc = ibw_crc_fold(crc, p, whole);
        p += whole;
        n -= whole;
    }
#endif
    return ibw_crc_bytes(crc, p, n);
}

/* An open file brought to `bytes` with its blocks taken, so that writing to the mapping can meet no full disk. 0, or an
 * errno and the file closed. */
static int ibw_segment_map(int *fd, uint64_t bytes, uint8_t **base) {
    int error = posix_fallocate(*fd, 0, (off_t)bytes);
    if (!error) {
        void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
        if (at != MAP_FAILED) {
            *base = (uint8_t *)at;
            return 0;
        }
        error = errno;
    }
    close(*fd);
    *fd = -1;
    return error;
}

/* A new file. 0, or an errno and no file. */
static int ibw_segment_make(const char *path, uint64_t bytes, int *fd, uint8_t **base) {
    int error;
    *fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (*fd < 0) return errno;
    error = ibw_segment_map(fd, bytes, base);
    if (error) unlink(path);
    return error;
}

/* A file that is there. 0 or an errno. */
static int ibw_segment_open(const char *path, uint64_t bytes, int *fd, uint8_t **base) {
    *fd = open(path, O_RDWR | O_CLOEXEC);
    return *fd < 0 ? errno : ibw_segment_map(fd, bytes, base);
}

/* Its pages in memory and writable, so that the first write to each costs nothing; where the system can do that. */
static void ibw_segment_warm(uint8_t *base, uint64_t bytes) {
#if defined(__linux__)
    (void)madvise(base, bytes, 23); /* MADV_POPULATE_WRITE, Linux 5.14 */
#else
    (void)base;
    (void)bytes;
#endif
}

#if defined(__APPLE__)
#define ibw_sync_file(fd) fsync(fd)
#else
#define ibw_sync_file(fd) fdatasync(fd)
#endif

#endif
