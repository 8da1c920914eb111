/* Receiving without the GIL, and sending with it: one call each, errors as negative numbers, nothing that allocates. */
#ifndef IBWIRE_RECEIVE_H
#define IBWIRE_RECEIVE_H
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>

#define IBW_AGAIN (-1)      /* nothing there (now, or within the socket's time limit) */
#define IBW_INTERRUPTED (-2)
/* other errors: -(errno + 16) */

static inline int64_t ibw_failed(void) {
    if (errno == EAGAIN || errno == EWOULDBLOCK) return IBW_AGAIN;
    if (errno == EINTR) return IBW_INTERRUPTED;
    return -(int64_t)errno - 16;
}

static inline int64_t ibw_recv(int fd, void *to, size_t room, int wait) {
    ssize_t n = recv(fd, to, room, wait ? 0 : MSG_DONTWAIT);
    return n >= 0 ? (int64_t)n : ibw_failed();
}

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0
#endif
/* What the kernel takes at once; IBW_AGAIN: nothing. */
static inline int64_t ibw_send_now(int fd, const void *from, size_t n) {
    ssize_t sent;
    do {
        sent = send(fd, from, n, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent >= 0 ? (int64_t)sent : ibw_failed();
}

#ifdef SO_TIMESTAMPNS
static inline int ibw_stamps_on(int fd) {
    int on = 1;
    return setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on) == 0;
}
/* As ibw_recv; *stamp: wall clock ns at which the kernel had the last of these bytes, 0 where it does not say. */
static inline int64_t ibw_recv_stamped(int fd, void *to, size_t room, int wait, int64_t *stamp) {
    union { char room[256]; struct cmsghdr align; } control;
    struct iovec part = {to, room};
    struct msghdr message;
    struct cmsghdr *item;
    struct timespec t;
    ssize_t n;
    memset(&message, 0, sizeof message);
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.room;
    message.msg_controllen = sizeof control.room;
    *stamp = 0;
    n = recvmsg(fd, &message, wait ? 0 : MSG_DONTWAIT);
    if (n < 0) return ibw_failed();
    for (item = CMSG_FIRSTHDR(&message); item; item = CMSG_NXTHDR(&message, item)) {
        if (item->cmsg_level == SOL_SOCKET && item->cmsg_type == SCM_TIMESTAMPNS) {
            memcpy(&t, CMSG_DATA(item), sizeof t);
            *stamp = (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
        }
    }
    return (int64_t)n;
}
#else
static inline int ibw_stamps_on(int fd) { (void)fd; return 0; }
static inline int64_t ibw_recv_stamped(int fd, void *to, size_t room, int wait, int64_t *stamp) {
    *stamp = 0;
    return ibw_recv(fd, to, room, wait);
}
#endif

/* Receives come back empty-handed after that long. Senders are not touched. */
static inline int ibw_limit_receives(int fd, int64_t ms) {
    struct timeval t = {(time_t)(ms / 1000), (suseconds_t)(ms % 1000 * 1000)};
    return setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t) == 0;
}

/* 1 when something can be received (bytes, end or error), 0 when the time was up; else as ibw_recv. */
static inline int64_t ibw_wait_in(int fd, int ms) {
    struct pollfd one = {fd, POLLIN, 0};
    int n = poll(&one, 1, ms);
    return n >= 0 ? n : ibw_failed();
}

/* Signals go to other threads: a reader would only have its receives interrupted. What a fault raises stays. */
static inline void ibw_deaf(sigset_t *before) {
    sigset_t all;
    sigfillset(&all);
    sigdelset(&all, SIGSEGV);
    sigdelset(&all, SIGBUS);
    sigdelset(&all, SIGFPE);
    sigdelset(&all, SIGILL);
    sigdelset(&all, SIGTRAP);
    sigdelset(&all, SIGABRT);
    pthread_sigmask(SIG_BLOCK, &all, before);
}
static inline void ibw_hear(const sigset_t *before) { pthread_sigmask(SIG_SETMASK, before, NULL); }
#endif
