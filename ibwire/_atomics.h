/* The few atomic operations that the rings need, as compiler builtins with C11's memory orders. */
#ifndef IBWIRE_ATOMICS_H
#define IBWIRE_ATOMICS_H
#include <stdint.h>

#define IBW_LOAD_ACQUIRE(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define IBW_LOAD_RELAXED(p) __atomic_load_n((p), __ATOMIC_RELAXED)
#define IBW_STORE_RELEASE(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
#define IBW_STORE_RELAXED(p, v) __atomic_store_n((p), (v), __ATOMIC_RELAXED)

static inline uint64_t ibw_load_acquire(const uint64_t *p) { return IBW_LOAD_ACQUIRE(p); }
static inline uint64_t ibw_load_relaxed(const uint64_t *p) { return IBW_LOAD_RELAXED(p); }
static inline uint64_t ibw_load_seq(const uint64_t *p) { return __atomic_load_n(p, __ATOMIC_SEQ_CST); }
static inline void ibw_store_release(uint64_t *p, uint64_t v) { IBW_STORE_RELEASE(p, v); }
static inline void ibw_store_relaxed(uint64_t *p, uint64_t v) { IBW_STORE_RELAXED(p, v); }
static inline void ibw_store_seq(uint64_t *p, uint64_t v) { __atomic_store_n(p, v, __ATOMIC_SEQ_CST); }
/* A number that one thread counts and any may read. */
static inline void ibw_count(uint64_t *p, uint64_t n) { IBW_STORE_RELAXED(p, *p + n); }
static inline uint32_t ibw_load32_acquire(const uint32_t *p) { return IBW_LOAD_ACQUIRE(p); }
static inline uint32_t ibw_load32_relaxed(const uint32_t *p) { return IBW_LOAD_RELAXED(p); }
static inline void ibw_store32_seq(uint32_t *p, uint32_t v) { __atomic_store_n(p, v, __ATOMIC_SEQ_CST); }
static inline uint32_t ibw_add32_seq(uint32_t *p, uint32_t v) { return __atomic_add_fetch(p, v, __ATOMIC_SEQ_CST); }
static inline uint32_t ibw_swap32_seq(uint32_t *p, uint32_t v) { return __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST); }
static inline uint64_t ibw_add_seq(uint64_t *p, uint64_t v) { return __atomic_add_fetch(p, v, __ATOMIC_SEQ_CST); }
static inline void ibw_add_relaxed(uint64_t *p, uint64_t v) { __atomic_fetch_add(p, v, __ATOMIC_RELAXED); }
static inline uint64_t ibw_swap_acquire(uint64_t *p, uint64_t v) { return __atomic_exchange_n(p, v, __ATOMIC_ACQUIRE); }
static inline int ibw_replace_release(uint64_t *p, uint64_t old, uint64_t v) {
    return __atomic_compare_exchange_n(p, &old, v, 0, __ATOMIC_RELEASE, __ATOMIC_RELAXED);
}
static inline int ibw_replace32_seq(uint32_t *p, uint32_t old, uint32_t v) {
    return __atomic_compare_exchange_n(p, &old, v, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}
static inline void ibw_store32_release(uint32_t *p, uint32_t v) { __atomic_store_n(p, v, __ATOMIC_RELEASE); }
static inline void ibw_store32_relaxed(uint32_t *p, uint32_t v) { __atomic_store_n(p, v, __ATOMIC_RELAXED); }
static inline void ibw_fence_acquire(void) { __atomic_thread_fence(__ATOMIC_ACQUIRE); }
static inline void ibw_fence_release(void) { __atomic_thread_fence(__ATOMIC_RELEASE); }
static inline void ibw_fence_seq(void) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }

/* Copy whole words that another thread may be changing: relaxed, so that no word is torn; validated by the caller.
   Both addresses are aligned to 8 bytes. */
static inline void ibw_copy_words(uint64_t *to, const uint64_t *from, uint64_t words) {
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC unroll 8 /* rolled up, the loop and not the memory is what a copy waits for */
#endif
    for (uint64_t i = 0; i < words; i++) {
        to[i] = IBW_LOAD_RELAXED(from + i);
    }
}

/* The same from memory that its producer writes with plain stores: the market ring, the tape. That is the one race that
   is meant, and this is the only code in it: ThreadSanitizer does not look at it, and looks at everything else. */
#ifdef __SANITIZE_THREAD__
__attribute__((noinline, unused, no_sanitize_thread))
static void ibw_copy_overwritten(uint64_t *to, const uint64_t *from, uint64_t words) {
    for (uint64_t i = 0; i < words; i++) {
        to[i] = *(const volatile uint64_t *)(from + i);
    }
}
#else
static inline void ibw_copy_overwritten(uint64_t *to, const uint64_t *from, uint64_t words) {
    ibw_copy_words(to, from, words);
}
#endif

/* Store whole words that others may be reading: relaxed, so that no word is torn; they validate. */
static inline void ibw_put_words(uint64_t *to, const uint64_t *from, uint64_t words) {
    for (uint64_t i = 0; i < words; i++) {
        IBW_STORE_RELAXED(to + i, from[i]);
    }
}
#endif
