/* Sleeping until another thread or process publishes. A futex on Linux; elsewhere short sleeps, the same contract. */
#ifndef IBWIRE_WAIT_H
#define IBWIRE_WAIT_H
#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <time.h>

#ifdef __linux__
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Sleep while *word == seen, at most ns nanoseconds. Comes back early for signals and for no reason at all. */
static inline void ibw_futex_wait(uint32_t *word, uint32_t seen, int64_t ns) {
    struct timespec limit = {(time_t)(ns / 1000000000), (long)(ns % 1000000000)};
    /* Not FUTEX_PRIVATE: the word may lie in memory shared between processes. */
    syscall(SYS_futex, word, FUTEX_WAIT, seen, &limit, NULL, 0);
}
static inline void ibw_futex_wake_all(uint32_t *word) { syscall(SYS_futex, word, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0); }
#else
static inline void ibw_futex_wait(uint32_t *word, uint32_t seen, int64_t ns) {
    if (__atomic_load_n(word, __ATOMIC_ACQUIRE) == seen) {
        struct timespec slice = {0, (long)(ns < 200000 ? ns : 200000)};
        nanosleep(&slice, NULL);
    }
}
static inline void ibw_futex_wake_all(uint32_t *word) { (void)word; }
#endif

static inline int64_t ibw_now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}
static inline int64_t ibw_wall_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}
static inline void ibw_yield(void) { sched_yield(); }
static inline void ibw_pause(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ __volatile__("yield");
#endif
}
#endif
