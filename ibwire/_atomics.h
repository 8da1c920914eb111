/* The few atomic operations that the rings need, as C11 (or compiler builtins where a C++ build lacks them). */
#ifndef IBWIRE_ATOMICS_H
#define IBWIRE_ATOMICS_H
#include <stdint.h>

#define IBW_LOAD_ACQUIRE(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define IBW_LOAD_RELAXED(p) __atomic_load_n((p), __ATOMIC_RELAXED)
#define IBW_STORE_RELEASE(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
#define IBW_STORE_RELAXED(p, v) __atomic_store_n((p), (v), __ATOMIC_RELAXED)

static inline uint64_t ibw_load_acquire(const uint64_t *p) { return IBW_LOAD_ACQUIRE(p); }
static inline uint64_t ibw_load_relaxed(const uint64_t *p) { return IBW_LOAD_RELAXED(p); }
static inline void ibw_store_release(uint64_t *p, uint64_t v) { IBW_STORE_RELEASE(p, v); }
static inline void ibw_store_relaxed(uint64_t *p, uint64_t v) { IBW_STORE_RELAXED(p, v); }
static inline uint64_t ibw_add(uint64_t *p, uint64_t v) { return __atomic_add_fetch(p, v, __ATOMIC_RELAXED); }
static inline uint64_t ibw_sub(uint64_t *p, uint64_t v) { return __atomic_sub_fetch(p, v, __ATOMIC_RELAXED); }
static inline void ibw_fence_acquire(void) { __atomic_thread_fence(__ATOMIC_ACQUIRE); }
static inline void ibw_fence_release(void) { __atomic_thread_fence(__ATOMIC_RELEASE); }
/* A lock for the rare moments when a segment changes hands; never taken for an entry. */
static inline void ibw_lock(uint64_t *p) {
    while (__atomic_exchange_n(p, 1, __ATOMIC_ACQUIRE)) {
    }
}
static inline void ibw_unlock(uint64_t *p) { __atomic_store_n(p, 0, __ATOMIC_RELEASE); }
#endif
