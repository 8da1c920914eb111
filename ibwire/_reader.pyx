# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The receive loop: socket to decoder, without the GIL from the first byte to the end of the connection.

One thread runs it (:meth:`Reader.run`), or a program's own thread asks for one buffer at a time
(:meth:`Reader.receive`); never both. Each receive reads both clocks once, decodes, publishes (which steps the tables)
and wakes. Blocking receives come back at least every IDLE_MS, so that a stop is never missed and memory that nobody
needs is given back. Twin: ``io/reader.py``.
"""

import os

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.exc cimport PyErr_CheckSignals
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy

from ibwire._ring cimport (
    Counters,
    EveryRing,
    HotPage,
    LogRing,
    Region,
    ibw_load32_acquire,
    ibw_load_relaxed,
    ibw_now_ns,
    ibw_pause,
    ibw_store32_seq,
    ibw_store_relaxed,
    ibw_wall_ns,
    region_ring,
)

cdef extern from "_receive.h" nogil:
    int64_t IBW_AGAIN
    int64_t IBW_INTERRUPTED
    int64_t ibw_recv(int fd, void *to, size_t room, int wait)
    int64_t ibw_recv_stamped(int fd, void *to, size_t room, int wait, int64_t *stamp)
    int64_t ibw_wait_in(int fd, int ms)
    int64_t ibw_send_now(int fd, const void *data, size_t n)
    bint ibw_stamps_on(int fd)
    bint ibw_limit_receives(int fd, int64_t ms)
    ctypedef struct sigset_t:
        pass
    void ibw_deaf(sigset_t *before)
    void ibw_hear(const sigset_t *before)

cdef extern from *:
    """
    #define IBW_LOG2(x) (63 - __builtin_clzll(x))
    """
    unsigned int log2 "IBW_LOG2"(uint64_t x) nogil

cdef int64_t IDLE_MS = 250
cdef int64_t TIDY_NS = 500_000_000
cdef int64_t SLICE_MS = 50      # no wait is deaf to signals for longer

cdef enum:
    GOES_ON = 0
    STOPPED = 1
    EOF = 2
    ERROR = 3
    FAILED = 4                  # the decoder takes no more

cdef enum:                      # stages that are timed
    T_RECEIVE = 0
    T_DECODE = 1
    T_STEP = 2
    T_PUBLISH = 3
    T_DISPATCH = 4
    STAGES = 5
    BUCKETS = 640

REASONS = ("", "stopped", "eof", "error", "failed")
STAGE_NAMES = ("receive", "decode", "step", "publish", "dispatch")


cdef class Decoder:
    """What a reader feeds; see the header file."""

    cdef void decode(self, const uint8_t *data, size_t n, int64_t recv_ns, bint padded) noexcept nogil:
        self.failure = 3

    cdef void publish(self) noexcept nogil:
        pass

    cdef fail(self):
        raise MemoryError()

    def check(self):
        """Raise why nothing more is taken, if so.

        Raises
        ------
        ValueError : framing is lost (args: text, length, first bytes). OverflowError : a log ring is past its limit.
        """
        if self.failure:
            self.fail()


# ------------------------------------------------------------------------------------------------------- times

cdef inline int bucket_of(int64_t ns) noexcept nogil:
    # Sixteen buckets for each doubling: at most 6 % wide. Twin: io/metrics.py.
    cdef uint64_t v = <uint64_t>ns if ns > 0 else 0
    cdef unsigned int top
    if v < 16:
        return <int>v
    top = log2(v)
    if top > 42:
        return BUCKETS - 1
    return <int>((top - 3) * 16 + ((v >> (top - 4)) & 15))


@cython.final
cdef class StageTimes:
    """How long the stages of a receive took, in buckets. Each stage is written by one thread; any may read."""

    cdef uint64_t[5][640] counts

    cdef inline void add(self, int stage, int64_t ns) noexcept nogil:
        cdef uint64_t *at = &self.counts[stage][bucket_of(ns)]
        ibw_store_relaxed(at, at[0] + 1)

    def record(self, str stage not None, int64_t ns):
        """Count one duration of a stage that is timed outside."""
        self.add(STAGE_NAMES.index(stage), ns)

    def buckets(self, str stage not None):
        """The counts of a stage, by bucket."""
        cdef int at = STAGE_NAMES.index(stage)
        return [ibw_load_relaxed(&self.counts[at][i]) for i in range(BUCKETS)]


def counters(Region region not None):
    """What a region's counters say: (values by name, messages by wire id). Any thread, any process."""
    cdef Counters *c = region.counts
    values = {
        "receives": ibw_load_relaxed(&c.receives),
        "bytes": ibw_load_relaxed(&c.bytes),
        "messages": ibw_load_relaxed(&c.messages),
        "bad_frames": ibw_load_relaxed(&c.bad_frames),
        "unknown": ibw_load_relaxed(&c.unknown),
        "extra": ibw_load_relaxed(&c.extra),
        "market": ibw_load_relaxed(&c.market),
        "orders": ibw_load_relaxed(&c.orders),
        "control": ibw_load_relaxed(&c.control),
        "segments": ibw_load_relaxed(&c.segments),
        "evicted": ibw_load_relaxed(&c.evicted),
        "wakes": ibw_load_relaxed(&c.wakes),
    }
    cdef uint64_t count
    cdef int i
    kinds = {}
    for i in range(456):
        count = ibw_load_relaxed(&c.kinds[i])
        if count:
            kinds[i] = count
    return values, kinds


def times(Region region not None):
    """(monotonic time of the newest receive, wall clock minus monotonic), ns; zeros before the first."""
    return (<int64_t>ibw_load_relaxed(&region.hot.receive_ns), <int64_t>ibw_load_relaxed(&region.hot.wall_offset))


def send_now(int fd, bytes data not None):
    """Give the kernel what it takes at once, without letting go of the GIL.

    Who lets go of it gets it back behind every thread that computes: the bytes would be out, and nobody could say when.

    Returns
    -------
    tuple of (int, int)
        Bytes that it took, 0 when its buffer is full; monotonic ns of that moment.

    Raises
    ------
    OSError : the connection broke.
    """
    cdef int64_t count = ibw_send_now(fd, PyBytes_AS_STRING(data), len(data))
    cdef int64_t now_ns = ibw_now_ns()
    if count == IBW_AGAIN:
        count = 0
    elif count < 0:
        raise OSError(-(count + 16), os.strerror(-(count + 16)))
    return count, now_ns


# ------------------------------------------------------------------------------------------------------- reader

@cython.final
cdef class Reader:
    """Receives from one socket into one decoder.

    Parameters
    ----------
    fd : a connected stream socket in blocking mode, which lives longer than this. Nobody else receives from it.
    decoder : takes the bytes; for the receiving thread alone from now on.
    region : of the decoder's rings.
    orders, control, every : the log rings whose memory is given back while nothing comes, or None.
    buffer_bytes : most that one receive takes, 4096 or more.
    spin : never sleep in the kernel: a core, for microseconds.
    kernel_times : records carry the time at which the kernel had the last byte of their receive, as monotonic time.
    times : counts how long each stage takes, or None.
    """

    cdef int fd
    cdef Decoder decoder
    cdef Region region
    cdef HotPage *hot
    cdef LogRing orders
    cdef LogRing control
    cdef EveryRing every
    cdef StageTimes stages
    cdef uint8_t *buffer
    cdef size_t room
    cdef bint spin
    cdef bint stamps
    cdef uint32_t stopping
    cdef int64_t tidied_ns
    cdef uint64_t evicted      # when it was last told
    cdef int64_t last_ns       # time of the newest records
    cdef int reason_code
    cdef bint has_ended
    cdef int error_code

    def __cinit__(self, int fd, Decoder decoder not None, Region region not None, *, LogRing orders=None,
                  LogRing control=None, EveryRing every=None, Py_ssize_t buffer_bytes=262144, bint spin=False,
                  bint kernel_times=False, StageTimes times=None):
        if buffer_bytes < 4096:
            raise ValueError("a receive buffer has at least 4096 bytes")
        self.fd, self.decoder, self.region = fd, decoder, region
        self.hot = region.hot
        self.orders, self.control, self.every, self.stages = orders, control, every, times
        self.spin = spin
        region.timed = times is not None
        self.room = <size_t>buffer_bytes
        self.buffer = <uint8_t *>calloc(self.room + SLACK, 1)
        if self.buffer is NULL:
            raise MemoryError()
        self.stamps = kernel_times and ibw_stamps_on(fd)

    def __dealloc__(self):
        free(self.buffer)

    @property
    def reason(self):
        """Why it ended: stopped, eof, error (see :attr:`errno`) or failed (see ``Decoder.check``); empty before."""
        return REASONS[self.reason_code]

    @property
    def errno(self):
        """Number of the error that the network gave, or 0."""
        return self.error_code

    @property
    def kernel_times(self):
        """True when the kernel stamps what comes."""
        return self.stamps

    def feed(self, data not None):
        """Take bytes that were received already, as if they came now. The receiving thread only."""
        cdef bytes held = bytes(data)
        cdef size_t at = 0, part, size = len(held)
        while at < size and self.reason_code == GOES_ON:
            part = size - at if size - at < self.room else self.room
            memcpy(self.buffer, PyBytes_AS_STRING(held) + at, part)
            with nogil:
                self.take(<int64_t>part, 0)
            at += part

    def run(self):
        """Receive until the end, without the GIL; returns the reason. Signals go to other threads meanwhile."""
        cdef sigset_t before
        with nogil:
            ibw_deaf(&before)
            self.loop()
            self.give_back()  # what was read since the last time: nobody else can
            self.tell_end()
            ibw_hear(&before)
        return REASONS[self.reason_code]

    def receive(self, timeout_ms=0):
        """Take what one receive brings.

        Parameters
        ----------
        timeout_ms : how long to wait for it; None for no limit, 0 not at all.

        Returns
        -------
        int
            Messages completed; -1 when nothing came in time. After the end always 0, see :attr:`reason`.

        Raises
        ------
        What signal handlers raise, at most 50 ms after the signal.
        """
        cdef int64_t end = 0, now = 0, left = 0, n = 0
        cdef uint64_t before = self.decoder.seq
        cdef bint limited = timeout_ms is not None
        cdef bint waits = not limited or timeout_ms > 0
        if self.reason_code != GOES_ON:
            return 0
        if waits:
            now = ibw_now_ns()
            if limited:
                end = now + <int64_t>(<double>timeout_ms * 1e6)
        while True:
            left = SLICE_MS
            if limited and end - now < left * 1_000_000:
                left = (end - now + 999_999) // 1_000_000 if end > now else 0
            with nogil:
                n = self.once(left if waits else 0)
                if self.reason_code != GOES_ON:
                    self.tell_end()
            if n == IBW_AGAIN or n == IBW_INTERRUPTED:
                PyErr_CheckSignals()
                if not waits:
                    return -1
                now = ibw_now_ns()
                if limited and now >= end:
                    return -1
                continue
            return self.decoder.seq - before

    def stop(self):
        """End it, from any thread: a receive that is under way is the last, later ones do nothing.

        Who owns the socket shuts it too, or a blocking receive returns only when its time is up. It is not shut here:
        after the end its number may be another one's.
        """
        ibw_store32_seq(&self.stopping, 1)

    # ------------------------------------------------------------------ without the GIL

    cdef void loop(self) noexcept nogil:
        cdef int64_t n
        cdef int misses = 0
        self.idle(ibw_now_ns())  # before the first bytes, not behind them
        # Every receive that finds nothing for that long comes back, so that stop and idle work are looked at.
        if not self.spin and not ibw_limit_receives(self.fd, IDLE_MS):
            self.reason_code = ERROR
            return
        while self.reason_code == GOES_ON:
            if ibw_load32_acquire(&self.stopping):
                self.reason_code = STOPPED
                return
            n = self.get(not self.spin)
            if n == IBW_AGAIN:
                if self.spin:
                    misses += 1
                    if misses & 1023:
                        ibw_pause()
                        continue
                self.idle(ibw_now_ns())
            elif n != IBW_INTERRUPTED:
                misses = 0

    cdef int64_t once(self, int64_t wait_ms) noexcept nogil:
        # At most one receive; waits for it at most that long.
        cdef int64_t n, end
        cdef int i
        if ibw_load32_acquire(&self.stopping):
            self.reason_code = STOPPED
            return 0
        n = self.get(False)
        if n != IBW_AGAIN or wait_ms <= 0:
            if n == IBW_AGAIN:
                self.idle(ibw_now_ns())
            return n
        if self.spin:
            end = ibw_now_ns() + wait_ms * 1_000_000
            while n == IBW_AGAIN and ibw_now_ns() < end:
                for i in range(64):
                    n = self.get(False)
                    if n != IBW_AGAIN:
                        break
                    ibw_pause()
        else:
            n = ibw_wait_in(self.fd, <int>wait_ms)
            if n > 0:
                return self.get(False)
            if n == 0:
                n = IBW_AGAIN
        if n == IBW_AGAIN:
            self.idle(ibw_now_ns())
        return n

    cdef int64_t get(self, bint wait) noexcept nogil:
        # One receive and everything that follows from it. The bytes received; 0 at the end; IBW_AGAIN, IBW_INTERRUPTED.
        cdef int64_t n, begin = 0, stamp = 0
        if self.stages is not None:
            if wait:  # what is measured is the taking, not the waiting
                n = ibw_wait_in(self.fd, <int>IDLE_MS)
                if n <= 0:
                    return IBW_AGAIN if n == 0 else n if n == IBW_INTERRUPTED else self.broken(n)
            begin = ibw_now_ns()
        if self.stamps:
            n = ibw_recv_stamped(self.fd, self.buffer, self.room, wait, &stamp)
        else:
            n = ibw_recv(self.fd, self.buffer, self.room, wait)
        if n > 0:
            if self.stages is not None:
                self.stages.add(T_RECEIVE, ibw_now_ns() - begin)
            self.take(n, stamp)
            return n
        if n == IBW_AGAIN or n == IBW_INTERRUPTED:
            return n
        if n < 0:
            return self.broken(n)
        self.reason_code = EOF
        return 0

    cdef int64_t broken(self, int64_t n) noexcept nogil:
        self.reason_code = ERROR
        self.error_code = <int>(-n - 16)
        return 0

    cdef void take(self, int64_t n, int64_t stamp) noexcept nogil:
        # What one receive brought, in the buffer. One read of each clock for all of its messages.
        cdef HotPage *hot = self.hot
        cdef int64_t now = ibw_now_ns()
        cdef int64_t offset = ibw_wall_ns() - now
        cdef int64_t recv_ns = now
        cdef uint64_t seq = self.decoder.seq
        cdef int64_t decoded = 0
        if stamp:
            recv_ns = stamp - offset
            if recv_ns < self.last_ns:  # a wall clock that was set back must not turn the order round
                recv_ns = self.last_ns
            if recv_ns > now:
                recv_ns = now
        self.last_ns = recv_ns
        ibw_store_relaxed(&hot.wall_offset, <uint64_t>offset)
        ibw_store_relaxed(&hot.receive_ns, <uint64_t>now)
        self.decoder.decode(self.buffer, <size_t>n, recv_ns, True)
        if self.stages is not None:
            decoded = ibw_now_ns()
            self.stages.add(T_DECODE, decoded - now)
        if self.decoder.seq != seq or self.decoder.failure:
            self.decoder.publish()
            if self.stages is not None:
                self.stages.add(T_STEP, self.region.step_ns)  # a part of the publication
                self.stages.add(T_PUBLISH, ibw_now_ns() - decoded - self.region.step_ns)
            if self.decoder.failure:
                self.reason_code = FAILED
        if now - self.tidied_ns > TIDY_NS:
            self.idle(now)

    cdef void tell_end(self) noexcept nogil:
        # Behind the last entry: what waits for an answer will get none.
        if self.region.stepper is not None and not self.has_ended:
            self.has_ended = True
            self.region.stepper.ended(ibw_now_ns())

    cdef void idle(self, int64_t now) noexcept nogil:
        # Work beside the receiving; at most every TIDY_NS, and at least once a second.
        if now - self.tidied_ns < TIDY_NS:
            return
        self.tidied_ns = now
        self.give_back()
        if self.orders is not None:
            self.orders.prepare()
        if self.region.stepper is not None:
            self.region.stepper.idle(now)

    cdef void give_back(self) noexcept nogil:
        # Memory that nobody needs.
        cdef uint64_t segments = 0
        if self.orders is not None:
            self.orders.trim()
            segments += self.orders.taken
        if self.control is not None:
            self.control.trim()
            segments += self.control.taken
            ibw_store_relaxed(&self.region.counts.control, self.control.entries)
        if self.every is not None:
            self.every.log.trim()
            segments += self.every.log.taken
            ibw_store_relaxed(&self.region.counts.evicted, self.every.log.evicted // 64)
            if self.every.log.evicted != self.evicted:  # told by who waits for entries only
                self.evicted = self.every.log.evicted
                region_ring(self.region)
        ibw_store_relaxed(&self.region.counts.segments, segments)
