/* Both ends of a path from a tick to an order, for order_path.py: a peer that sends one frame and waits for one, and
 * the echo that it is compared with. Blocking sockets with a time limit of their own. Negative results are -errno. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { ROOM = 1 << 16 };

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t send_all(int fd, const uint8_t *data, int64_t len) {
    for (int64_t at = 0; at < len;) {
        ssize_t sent = send(fd, data + at, (size_t)(len - at), MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0) return -errno;
        at += sent;
    }
    return len;
}

/* One whole frame, its length before it. Returns its bytes. */
static int64_t take_frame(int fd, uint8_t *room) {
    int64_t have = 0, want = 4;
    while (have < want) {
        ssize_t got = recv(fd, room + have, (size_t)(ROOM - have), 0);
        if (got < 0 && errno == EINTR) continue;
        if (got == 0) return -ECONNRESET;
        if (got < 0) return -errno;
        have += got;
        if (have >= 4 && want == 4) {
            uint32_t length;
            memcpy(&length, room, 4);
            want = 4 + (int64_t)__builtin_bswap32(length);
            if (want > ROOM) return -EMSGSIZE;
        }
    }
    return have == want ? have : -EBADMSG;
}

/* `count` times: send the frame, wait for one in return. Times are from before the send to the reply's last byte; the
 * peer rests `gap_ns` between two. Returns the bytes of the last reply. */
int64_t ping(int fd, const uint8_t *frame, int64_t len, int64_t count, int64_t gap_ns, int64_t *times_ns) {
    uint8_t room[ROOM];
    int64_t got = 0;
    for (int64_t n = 0; n < count; n++) {
        int64_t begin = now_ns();
        if ((got = send_all(fd, frame, len)) < 0 || (got = take_frame(fd, room)) < 0) return got;
        int64_t end = now_ns();
        times_ns[n] = end - begin;
        while (now_ns() - end < gap_ns) {
        }
    }
    return got;
}

/* `count` times: wait for a frame, send `reply`. */
int64_t echo(int fd, const uint8_t *reply, int64_t len, int64_t count) {
    uint8_t room[ROOM];
    for (int64_t n = 0; n < count; n++) {
        int64_t got = take_frame(fd, room);
        if (got < 0 || (got = send_all(fd, reply, len)) < 0) return got;
    }
    return count;
}
