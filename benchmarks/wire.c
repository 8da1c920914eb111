/* The wire of the benchmarks, in bare C: what sends, and the floors that a client can be compared with.
 *
 * Senders: a flood as fast as the other side reads, and a paced one that writes its clock into each message. Receivers:
 * spinning and blocking, on the same traffic, framing only. A hand-over of 64-byte records between two cores, and memcpy.
 * They believe every byte: only for traffic of this folder. Errors come back as -errno.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { STAMP_DIGITS = 9, BUFFER_BYTES = 1 << 18, RING_RECORDS = 1 << 14, LOOKS = 1 << 16 };
static const int64_t STAMP_MODULUS = 1000000000, GIVE_UP_NS = 60000000000;

static inline int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static inline void relax(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

/* ---- senders: a connected, blocking socket ---- */

static int64_t send_all(int fd, const uint8_t *data, int64_t len) {
    for (int64_t at = 0; at < len;) {
        ssize_t sent = send(fd, data + at, (size_t)(len - at), MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0) return -errno;
        at += sent;
    }
    return len;
}

/* The same frames so many times, then the first `rest` bytes of them. Returns the bytes sent. */
int64_t flood(int fd, const uint8_t *data, int64_t len, int64_t times, int64_t rest) {
    for (int64_t turn = 0; turn <= times; turn++) {
        int64_t sent = send_all(fd, data, turn < times ? len : rest);
        if (sent < 0) return sent;
    }
    return len * times + rest;
}

/* `count` copies of one frame, `period_ns` apart; CLOCK_MONOTONIC modulo a second is written as nine digits at
 * `digits_at` just before each is sent, and the whole clock to stamps[]. Between two it spins or sleeps. When it comes a
 * whole period late, the schedule starts again from there: no burst makes up for what the machine took.
 * Returns how often that happened. */
int64_t paced(int fd, uint8_t *frame, int64_t len, int64_t digits_at, int64_t count, int64_t period_ns, int spin,
              int64_t *stamps) {
    int64_t due = now_ns() + period_ns, late = 0;
    for (int64_t n = 0; n < count; n++, due += period_ns) {
        int64_t now = now_ns();
        if (spin) {
            for (; now < due; now = now_ns()) relax();
        } else if (now < due) {
            struct timespec until = {due / 1000000000, due % 1000000000};
            while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR) {
            }
            now = now_ns();
        }
        if (now > due + period_ns) {
            due = now;
            late++;
        }
        stamps[n] = now;
        int64_t rest = now % STAMP_MODULUS;
        for (int64_t at = digits_at + STAMP_DIGITS; at-- > digits_at; rest /= 10) frame[at] = (uint8_t)('0' + rest % 10);
        int64_t sent = send_all(fd, frame, len);
        if (sent < 0) return sent;
    }
    return late;
}

/* ---- receivers ---- */

/* One receive. Blocking, the socket's own time limit counts (see connect() in wire.py). */
static ssize_t receive(int fd, uint8_t *into, size_t room, int spin) {
    int64_t end = 0;
    for (uint64_t looks = 1;; looks++) {
        ssize_t got = recv(fd, into, room, spin ? MSG_DONTWAIT : 0);
        if (got > 0) return got;
        if (got == 0) return -ECONNRESET;
        if (errno == EAGAIN && !spin) return -ETIME;
        if (errno != EAGAIN && errno != EINTR) return -errno;
        if (looks % LOOKS == 0) {
            int64_t now = now_ns();
            if (end == 0) end = now + GIVE_UP_NS;
            if (now > end) return -ETIME;
        }
    }
}

static inline int64_t frame_bytes(const uint8_t *p) {
    uint32_t length;
    memcpy(&length, p, 4);
    return 4 + (int64_t)__builtin_bswap32(length);
}

/* One way of each of `count` frames of `len` bytes with a stamp at `digits_at`, ns: from the stamp to the end of the
 * receive call that brought the frame's last byte. Returns the count. */
int64_t receive_paced(int fd, int64_t len, int64_t digits_at, int64_t count, int spin, int64_t *one_way_ns) {
    static _Thread_local uint8_t buffer[BUFFER_BYTES];
    int64_t held = 0;
    for (int64_t n = 0; n < count;) {
        ssize_t got = receive(fd, buffer + held, (size_t)(BUFFER_BYTES - held), spin);
        if (got < 0) return got;
        int64_t now = now_ns(), at = 0;
        for (held += got; n < count && held - at >= len; at += len) {
            int64_t stamp = 0;
            for (int64_t i = 0; i < STAMP_DIGITS; i++) stamp = stamp * 10 + (buffer[at + digits_at + i] - '0');
            one_way_ns[n++] = (now % STAMP_MODULUS - stamp + STAMP_MODULUS) % STAMP_MODULUS;
        }
        memmove(buffer, buffer + at, (size_t)(held - at));
        held -= at;
    }
    return count;
}

/* `count` frames of any length above 8 payload bytes, cut and not decoded. *checksum: sum of the last 8 bytes of each.
 * Returns the bytes of those frames. */
int64_t receive_flood(int fd, int64_t count, int spin, uint64_t *checksum) {
    static _Thread_local uint8_t buffer[BUFFER_BYTES];
    int64_t held = 0, bytes = 0;
    uint64_t sum = 0;
    for (int64_t n = 0; n < count;) {
        ssize_t got = receive(fd, buffer + held, (size_t)(BUFFER_BYTES - held), spin);
        if (got < 0) return got;
        int64_t at = 0;
        for (held += got; n < count && held - at >= 4; n++) {
            int64_t whole = frame_bytes(buffer + at);
            if (held - at < whole) break;
            uint64_t tail;
            memcpy(&tail, buffer + at + whole - 8, 8);
            sum += tail;
            at += whole;
        }
        bytes += at;
        memmove(buffer, buffer + at, (size_t)(held - at));
        held -= at;
    }
    *checksum = sum;
    return bytes;
}

/* ---- a hand-over between two cores: one producer, one consumer, 64-byte records ---- */

typedef struct {
    uint64_t seq;
    int64_t stamp;
    uint64_t words[6];
} record;

typedef struct {
    _Alignas(64) _Atomic uint64_t head; /* records published; the producer's */
    _Alignas(64) _Atomic uint64_t tail; /* records taken; the consumer's */
    _Alignas(64) record slots[RING_RECORDS];
} ring;

typedef struct {
    ring *ring;
    int64_t count, period_ns;
    int cpu;
    int64_t result;
} production;

static void pin(int cpu) {
    if (cpu < 0) return;
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    sched_setaffinity(0, sizeof set, &set); /* this thread; a machine without that core leaves it where it is */
}

/* Spin until *index is at least `wanted`; *seen keeps what it was last. 0 when it takes too long. */
static inline int reached(_Atomic uint64_t *index, uint64_t wanted, uint64_t *seen) {
    int64_t end = 0;
    for (uint64_t looks = 1; *seen < wanted; looks++) {
        *seen = atomic_load_explicit(index, memory_order_acquire); /* what was written before it is visible now */
        if (*seen >= wanted) break;
        relax();
        if (looks % LOOKS == 0) {
            int64_t now = now_ns();
            if (end == 0) end = now + GIVE_UP_NS;
            if (now > end) return 0;
        }
    }
    return 1;
}

static void *produce(void *given) {
    production *p = given;
    ring *r = p->ring;
    uint64_t taken = 0;
    pin(p->cpu);
    int64_t due = now_ns() + p->period_ns;
    p->result = p->count;
    for (uint64_t n = 0; n < (uint64_t)p->count; n++, due += p->period_ns) {
        if (n >= RING_RECORDS && !reached(&r->tail, n + 1 - RING_RECORDS, &taken)) {
            p->result = -ETIME;
            break;
        }
        record *slot = &r->slots[n % RING_RECORDS];
        int64_t stamp = 0;
        if (p->period_ns) {
            while ((stamp = now_ns()) < due) relax();
            due = stamp;
        }
        slot->seq = n + 1;
        slot->stamp = stamp;
        for (int i = 0; i < 6; i++) slot->words[i] = n + (uint64_t)i;
        atomic_store_explicit(&r->head, n + 1, memory_order_release); /* the record is visible before it counts */
    }
    return NULL;
}

static int64_t consume(ring *r, int64_t count, int64_t *one_way_ns, uint64_t *checksum) {
    uint64_t published = 0, sum = 0;
    for (uint64_t n = 0; n < (uint64_t)count; n++) {
        if (!reached(&r->head, n + 1, &published)) return -ETIME;
        record copy = r->slots[n % RING_RECORDS];
        if (one_way_ns != NULL) one_way_ns[n] = now_ns() - copy.stamp;
        if (copy.seq != n + 1) return -EBADMSG;
        sum += copy.words[0] ^ copy.words[5];
        atomic_store_explicit(&r->tail, n + 1, memory_order_release); /* the copy is done before the slot is free */
    }
    *checksum = sum;
    return count;
}

/* Hand `count` records over, between two threads or, with `processes`, from a child process, both spinning. `period_ns`
 * apart with one_way_ns[] from the producer's clock to the consumer's copy; or, with period 0, as fast as they go (give
 * no one_way_ns). Returns ns in all, from start to the last record. */
int64_t hand_over(int processes, int64_t count, int64_t period_ns, int producer_cpu, int consumer_cpu,
                  int64_t *one_way_ns, uint64_t *checksum) {
    ring *r = mmap(NULL, sizeof *r, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (r == MAP_FAILED) return -errno;
    production p = {r, count, period_ns, producer_cpu, 0};
    cpu_set_t before;
    sched_getaffinity(0, sizeof before, &before);
    pthread_t thread;
    pid_t child = 0;
    int failed = 0;
    int64_t start = now_ns(), result;
    if (processes) {
        child = fork();
        if (child == 0) { /* nothing but C from here: the parent may have had threads */
            produce(&p);
            _exit(p.result == count ? 0 : 1);
        }
        if (child < 0) failed = errno;
    } else {
        failed = pthread_create(&thread, NULL, produce, &p);
    }
    if (failed) {
        result = -failed;
    } else {
        pin(consumer_cpu);
        result = consume(r, count, one_way_ns, checksum);
        int64_t end = now_ns();
        if (processes) waitpid(child, NULL, 0);
        else pthread_join(thread, NULL);
        sched_setaffinity(0, sizeof before, &before);
        if (result == count) result = end - start;
    }
    munmap(r, sizeof *r);
    return result;
}

/* ---- copying: records of 64 bytes from one place after the other of a ring of 1 MiB into one buffer ---- */

int64_t copies(int64_t records, int64_t count) {
    size_t bytes = (size_t)records * sizeof(record), room = RING_RECORDS * sizeof(record);
    if (records < 1 || records > RING_RECORDS) return -EINVAL;
    uint8_t *from = aligned_alloc(64, room), *into = aligned_alloc(64, room);
    if (from == NULL || into == NULL) {
        free(from);
        free(into);
        return -ENOMEM;
    }
    memset(from, 1, room);
    memset(into, 0, room);
    int64_t start = now_ns();
    size_t at = 0;
    for (int64_t n = 0; n < count; n++) {
        memcpy(into, from + at, bytes);
        __asm__ volatile("" : : "r"(into) : "memory"); /* the copy is used */
        at += bytes;
        if (at + bytes > room) at = 0;
    }
    int64_t end = now_ns();
    free(from);
    free(into);
    return end - start;
}
