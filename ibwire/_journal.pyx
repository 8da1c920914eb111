# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Appends to the journal: entries into mapped, preallocated segments, from any thread, without the GIL.

An entry is in the file once its first eight bytes (checksum and length) are stored, which happens last; the mapping is
shared, so a process that is killed loses nothing that was stored. What the bytes mean: ``io/journal_format.py``, whose
numbers are repeated below and compared by a test. Twin: ``io/journal_plain.py``.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdio cimport snprintf
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcmp, memcpy, memset, strlen

import os

from ibwire._ring cimport data_of, entry_bytes, entry_payload, entry_payload_bytes, ibw_count, ibw_load32_relaxed, \
    entry_seq, ibw_load_relaxed, ibw_now_ns, ibw_store32_relaxed, ibw_store_relaxed, ibw_store_release, ibw_wall_ns
from ibwire._ring cimport LogCursor, LogRing, Region, Stepper
from ibwire._records cimport OrderStatusRecord

cdef extern from "_journal.h" nogil:
    void ibw_crc_setup()
    uint32_t ibw_crc_more(uint32_t crc, const uint8_t *p, size_t n)
    int ibw_segment_make(const char *path, uint64_t bytes, int *fd, uint8_t **base)
    int ibw_segment_open(const char *path, uint64_t bytes, int *fd, uint8_t **base)
    void ibw_segment_warm(uint8_t *base, uint64_t bytes)
    int ibw_sync_file(int fd)
    int rename(const char *old, const char *new)
    int unlink(const char *path)
    int access(const char *path, int how)
    int pthread_mutex_init(pthread_mutex_t *m, void *attributes)
    int pthread_mutex_destroy(pthread_mutex_t *m)
    int pthread_mutex_lock(pthread_mutex_t *m)
    int pthread_mutex_trylock(pthread_mutex_t *m)
    int pthread_mutex_unlock(pthread_mutex_t *m)
    int munmap(void *at, size_t n)
    int close(int fd)
    int dup(int fd)
    int errno

cdef enum:
    HEAD_BYTES = 256           # of a segment
    ENTRY_HEAD_BYTES = 32
    KIND_INTENT = 1
    KIND_SENT = 2
    KIND_SEND_FAILED = 3
    KIND_RECEIVED = 4
    KIND_INPUT = 5
    KIND_TRANSITION = 7
    KIND_KILL = 8
    KIND_SESSION = 9
    KIND_OPENED = 10
    KIND_HIGH_WATER = 12
    KIND_GAP = 13
    KIND_END = 14
    KIND_CUT = 15
    KIND_CLOSED = 16
    FLAG_CARRIED = 1
    RECORD_HEAD_BYTES = 32     # of a ring's entry header: what every kind has
    NUMBER_AT = 24             # in the head of a segment
    FIRST_SEQ_AT = 32
    CAPACITY_AT = 40
    WALL_AT = 48
    MONO_AT = 56
    HIGH_WATER_AT = 64
    CRC_AT = 252
    PATH_BYTES = 4096
    MAX_BODY_BYTES = 1 << 25

cdef int64_t RETRY_NS = 20_000_000

ibw_crc_setup()


cdef inline uint64_t padded(uint64_t n) noexcept nogil:
    return (n + 7) & ~<uint64_t>7


def crc32(data not None, uint32_t value=0):
    """As ``zlib.crc32``."""
    cdef const uint8_t[::1] view = data
    if not view.shape[0]:
        return value
    return ~ibw_crc_more(~value, &view[0], view.shape[0]) & <uint32_t>0xFFFFFFFF


def span(data not None, uint64_t at, uint64_t last_seq):
    """Twin of ``io.journal_read.span``: over the good entries that follow each other from ``at`` on."""
    cdef const uint8_t[::1] view = data
    cdef uint64_t n = view.shape[0], length
    cdef const uint8_t *entry
    cdef uint32_t crc, epoch = 0
    cdef bint is_ended = False
    with nogil:
        while at + ENTRY_HEAD_BYTES <= n:
            entry = &view[at]
            length = (<const uint32_t *>(entry + 4))[0]
            if not ENTRY_HEAD_BYTES <= length <= MAX_BODY_BYTES or at + length > n:
                break
            if (<const uint64_t *>(entry + 8))[0] != last_seq + 1:
                break
            crc = ~ibw_crc_more(<uint32_t>0xFFFFFFFF, entry + 4, length - 4)
            if crc != (<const uint32_t *>entry)[0]:
                break
            last_seq += 1
            at += padded(length)
            if (<const uint32_t *>(entry + 28))[0] > epoch:
                epoch = (<const uint32_t *>(entry + 28))[0]
            if (<const uint16_t *>(entry + 24))[0] == KIND_END:
                is_ended = True
                break
    return at, last_seq, epoch, is_ended


@cython.final
@cython.no_gc_clear
cdef class Appender:
    """The one writer of a journal's segments.

    Parameters
    ----------
    directory : where the segments lie; it exists, and this process holds its lock.
    head : the head of a segment as a template, 256 bytes; number, sequence, size, times, ids and checksum are filled in.
    segment_bytes : size of a segment; a multiple of 4096.
    keeps_files : complete segments stay open until :meth:`sync`.
    """

    def __cinit__(self, str directory not None, bytes head not None, uint64_t segment_bytes, bint keeps_files=True):
        self.fd = self.spare_fd = -1
        if len(head) != HEAD_BYTES or segment_bytes < 8192 or segment_bytes % 4096:
            raise ValueError("a head has 256 bytes, a segment a multiple of 4096")
        self.directory = os.fsencode(directory)
        if len(self.directory) > PATH_BYTES - 32:
            raise ValueError("the path is too long")
        self.head = head
        self.place = PyBytes_AS_STRING(self.directory)
        self.template = <const uint8_t *>PyBytes_AS_STRING(head)
        self.capacity = segment_bytes
        self.keeps_files = keeps_files
        self.pid = os.getpid()
        self.preamble = b""
        self.next_seq = 1
        if pthread_mutex_init(&self.mutex, NULL) or pthread_mutex_init(&self.syncing, NULL):
            raise MemoryError()
        self.has_mutex = True

    def __dealloc__(self):
        self.drop()
        free(self.opening)
        if self.has_mutex:
            pthread_mutex_destroy(&self.mutex)
            pthread_mutex_destroy(&self.syncing)

    cdef bytes path_of(self, uint64_t number):
        return self.directory + b"/%08d.ibj" % number

    @property
    def last_seq(self):
        """Sequence number of the newest entry."""
        return ibw_load_relaxed(&self.next_seq) - 1

    @property
    def segment(self):
        """Number of the segment that is written."""
        return ibw_load_relaxed(&self.number)

    @property
    def used_bytes(self):
        """Bytes of that segment that are taken."""
        return ibw_load_relaxed(&self.at)

    @property
    def has_spare(self):
        """True when the next segment lies ready."""
        return ibw_load_relaxed(<uint64_t *>&self.spare) != 0

    @property
    def wants_spare(self):
        """True when half of the segment is taken and the next one does not lie ready."""
        return not self.has_spare and ibw_load_relaxed(&self.at) > self.capacity // 2

    @property
    def missed(self):
        """Entries that found no room, since the journal was opened."""
        return ibw_load_relaxed(&self.lost_in_all)

    @property
    def failure(self):
        """Number of the error that the last attempt at a new segment met, 0 after a good one."""
        return <int>ibw_load32_relaxed(<uint32_t *>&self.error)

    @property
    def is_synced(self):
        """True when nothing was appended since the last :meth:`sync`."""
        return ibw_load_relaxed(&self.synced) == ibw_load_relaxed(&self.next_seq)

    def start(self, uint64_t number, uint64_t first_seq):
        """Begin with a new segment. Once, before anything is appended."""
        self.next_seq = first_seq
        self.number = number - 1
        cdef int error
        with nogil:
            pthread_mutex_lock(&self.mutex)
            error = self.make_next()
            if not error:
                ibw_segment_warm(self.spare, self.capacity)
                error = self.turn()
            pthread_mutex_unlock(&self.mutex)
        if error:
            raise OSError(error, os.strerror(error), os.fsdecode(self.path_of(number)))

    def resume(self, uint64_t number, uint64_t at, uint64_t next_seq):
        """Go on in a segment that is there: what lies behind ``at`` is wiped. Once, before anything is appended."""
        cdef bytes path = self.path_of(number)
        cdef int error = ibw_segment_open(PyBytes_AS_STRING(path), self.capacity, &self.fd, &self.base)
        if error:
            raise OSError(error, os.strerror(error), os.fsdecode(path))
        self.number, self.at, self.next_seq = number, at, next_seq
        ibw_segment_warm(self.base, self.capacity)
        memset(self.base + at, 0, self.capacity - at)

    def set_preamble(self, bytes body not None, uint32_t epoch):
        """What each new segment begins with, as an entry: the session that goes on. ``epoch`` stands in entries."""
        cdef uint8_t *copy = <uint8_t *>malloc(len(body) + 1)
        cdef uint8_t *old
        if copy is NULL:
            raise MemoryError()
        memcpy(copy, PyBytes_AS_STRING(body), len(body))
        pthread_mutex_lock(&self.mutex)
        old = self.opening
        self.opening, self.opening_bytes = copy, len(body)
        self.epoch = epoch
        pthread_mutex_unlock(&self.mutex)
        self.preamble = body
        free(old)

    def set_high_water(self, int64_t order_id):
        """The highest order id that was used; it stands in the head of each new segment."""
        pthread_mutex_lock(&self.mutex)
        if order_id > self.high:
            self.high = order_id
        pthread_mutex_unlock(&self.mutex)

    def put(self, int kind, int64_t ns, bytes a not None, bytes b not None=b"", uint64_t reserve=0, bint counts=True):
        """Append one entry of two parts. Any thread.

        Parameters
        ----------
        reserve : bytes that must remain for entries after it, in this segment or in the next.
        counts : it is told as lost when it finds no room.

        Returns
        -------
        int
            Its sequence number; 0 when it found no room (see :attr:`failure`).
        """
        cdef uint64_t seq
        cdef const uint8_t *pa = <const uint8_t *>PyBytes_AS_STRING(a)
        cdef const uint8_t *pb = <const uint8_t *>PyBytes_AS_STRING(b)
        cdef size_t na = len(a), nb = len(b)
        # With the GIL while nobody else appends: who lets go of it may wait for it behind a thread that computes.
        if pthread_mutex_trylock(&self.mutex) == 0:
            seq = self.put_locked(kind, ns, pa, na, pb, nb, reserve, counts)
        else:
            with nogil:
                pthread_mutex_lock(&self.mutex)
                seq = self.put_locked(kind, ns, pa, na, pb, nb, reserve, counts)
        return seq

    cdef uint64_t put_locked(self, int kind, int64_t ns, const uint8_t *a, size_t na, const uint8_t *b, size_t nb,
                             uint64_t reserve, bint counts) noexcept nogil:
        cdef uint64_t seq = self.append(kind, 0, ns, a, na, b, nb, reserve)
        if not seq and counts:
            self.lost += 1
            ibw_count(&self.lost_in_all, 1)
        pthread_mutex_unlock(&self.mutex)
        return seq

    def prepare(self):
        """Make the next segment now, so that nobody waits for it later. Raises OSError when it cannot be had."""
        cdef int error = 0, fd = -1
        cdef uint8_t *base = NULL
        cdef uint64_t number = 0
        cdef char[4096] path
        cdef bytes aside = self.directory + b"/next.tmp"
        cdef const char *made = PyBytes_AS_STRING(aside)
        cdef bint wanted
        with nogil:
            pthread_mutex_lock(&self.mutex)
            wanted = self.spare is NULL and self.base is not NULL
            pthread_mutex_unlock(&self.mutex)
        if not wanted:
            return
        with nogil:
            # Under a name of its own and without the mutex: whoever appends meanwhile is not kept waiting.
            unlink(made)
            error = ibw_segment_make(made, self.capacity, &fd, &base)
            if not error:
                ibw_segment_warm(base, self.capacity)
            pthread_mutex_lock(&self.mutex)
            self.set_error(error)
            self.tried_ns = ibw_now_ns()
            number = self.number + 1
            if not error and self.spare is NULL and self.base is not NULL:
                snprintf(path, PATH_BYTES, "%s/%08llu.ibj", self.place, <unsigned long long>number)
                if rename(made, path):
                    error = errno
                    self.set_error(error)
                else:
                    self.spare_fd = fd
                    self.set_spare(base)
                    base = NULL
            pthread_mutex_unlock(&self.mutex)
            if base is not NULL:
                munmap(base, self.capacity)
                close(fd)
                unlink(made)
        if error:
            raise OSError(error, os.strerror(error), os.fsdecode(self.path_of(number)))

    def sync(self):
        """Have everything appended so far on the disk. Any thread; others append meanwhile. Raises OSError."""
        cdef int[33] fds
        cdef int count = 0, i, error = 0
        cdef uint64_t mark
        with nogil:
            # One at a time: what another is about to have on the disk is not there yet.
            pthread_mutex_lock(&self.syncing)
            pthread_mutex_lock(&self.mutex)
            mark = self.next_seq
            if self.synced != mark and self.base is not NULL:
                while count < self.retired_count:
                    fds[count] = self.retired[count]
                    count += 1
                self.retired_count = 0
                fds[count] = dup(self.fd)
                if fds[count] < 0:
                    error = errno
                else:
                    count += 1
            pthread_mutex_unlock(&self.mutex)
            for i in range(count):
                if ibw_sync_file(fds[i]):
                    error = errno
                close(fds[i])
            if count and not error:
                ibw_store_relaxed(&self.synced, mark)
            pthread_mutex_unlock(&self.syncing)
        if error:
            raise OSError(error, os.strerror(error), os.fsdecode(self.directory))

    def drop(self):
        """Let go of the files. Nothing is appended after it."""
        cdef int i
        if self.has_mutex:
            pthread_mutex_lock(&self.mutex)
        if self.base is not NULL:
            munmap(self.base, self.capacity)
            self.base = NULL
            close(self.fd)
        if self.spare is not NULL:
            munmap(self.spare, self.capacity)
            self.set_spare(NULL)
            close(self.spare_fd)
            if os.getpid() == self.pid:  # the files of a process that forked are not this one's to remove
                try:
                    os.unlink(self.path_of(self.number + 1))
                except OSError:
                    pass
        for i in range(self.retired_count):
            close(self.retired[i])
        self.retired_count = 0
        if self.has_mutex:
            pthread_mutex_unlock(&self.mutex)

    # ------------------------------------------------------------------ under the mutex

    cdef bint room(self, uint64_t whole, uint64_t reserve) noexcept nogil:
        # Room in this segment, with its end mark, and `reserve` after it here or in the next.
        if self.at + whole + reserve + ENTRY_HEAD_BYTES <= self.capacity:
            return True
        if not reserve:
            return False
        if self.spare is NULL and self.make_next():
            return False
        return self.at + whole + ENTRY_HEAD_BYTES <= self.capacity

    cdef uint64_t append(self, int kind, int flags, int64_t ns, const uint8_t *a, size_t na, const uint8_t *b, size_t nb,
                         uint64_t reserve) noexcept nogil:
        cdef uint64_t whole = ENTRY_HEAD_BYTES + padded(na + nb)
        if self.base is NULL or HEAD_BYTES + 256 + padded(self.opening_bytes) + whole > self.capacity:
            return 0
        if self.lost and not self.note_lost(ns):
            return 0
        if not self.room(whole, reserve):
            if self.at + whole + ENTRY_HEAD_BYTES <= self.capacity:
                return 0  # room for itself, but not for those that must be written after it
            if self.turn() or not self.room(whole, reserve):
                return 0
        return self.write(kind, flags, ns, a, na, b, nb)

    cdef bint note_lost(self, int64_t ns) noexcept nogil:
        # The first that finds room again tells how many did not.
        cdef uint64_t count = self.lost
        if self.at + 2 * ENTRY_HEAD_BYTES + 8 > self.capacity and self.turn():
            return False
        self.write(KIND_GAP, 0, ns, <const uint8_t *>&count, 8, NULL, 0)
        self.lost = 0
        return True

    cdef uint64_t write(self, int kind, int flags, int64_t ns, const uint8_t *a, size_t na, const uint8_t *b,
                        size_t nb) noexcept nogil:
        cdef uint8_t *to = self.base + self.at
        cdef uint32_t length = <uint32_t>(ENTRY_HEAD_BYTES + na + nb)
        cdef uint32_t crc
        (<uint64_t *>(to + 8))[0] = self.next_seq
        (<int64_t *>(to + 16))[0] = ns
        (<uint16_t *>(to + 24))[0] = <uint16_t>kind
        (<uint16_t *>(to + 26))[0] = <uint16_t>flags
        (<uint32_t *>(to + 28))[0] = self.epoch
        if na:
            memcpy(to + ENTRY_HEAD_BYTES, a, na)
        if nb:
            memcpy(to + ENTRY_HEAD_BYTES + na, b, nb)
        crc = ibw_crc_more(<uint32_t>0xFFFFFFFF, <const uint8_t *>&length, 4)
        crc = ~ibw_crc_more(crc, to + 8, length - 8)
        # Last: whoever sees the length sees a whole entry, also when this process dies here.
        ibw_store_release(<uint64_t *>to, (<uint64_t>length << 32) | crc)
        ibw_count(&self.at, ENTRY_HEAD_BYTES + padded(na + nb))
        ibw_count(&self.next_seq, 1)
        return self.next_seq - 1

    cdef int make_next(self) noexcept nogil:
        # The next segment, still without a head. 0 or an errno.
        cdef char[4096] path
        snprintf(path, PATH_BYTES, "%s/%08llu.ibj", self.place, <unsigned long long>(self.number + 1))
        self.tried_ns = ibw_now_ns()
        cdef uint8_t *base = NULL
        cdef int error = ibw_segment_make(path, self.capacity, &self.spare_fd, &base)
        self.set_error(error)
        if not error:
            self.set_spare(base)
        return error

    # Written under the mutex, read without it.
    cdef void set_spare(self, uint8_t *base) noexcept nogil:
        ibw_store_relaxed(<uint64_t *>&self.spare, <uint64_t>base)

    cdef void set_error(self, int error) noexcept nogil:
        ibw_store32_relaxed(<uint32_t *>&self.error, <uint32_t>error)

    cdef int turn(self) noexcept nogil:
        # Go on in the next segment. 0 or an errno.
        if self.spare is NULL:
            if self.error and ibw_now_ns() - self.tried_ns < RETRY_NS:
                return self.error  # not for each message on a full disk
            if self.make_next():
                return self.error
        if self.base is not NULL:
            self.write(KIND_END, 0, ibw_now_ns(), NULL, 0, NULL, 0)
            munmap(self.base, self.capacity)
            if not self.keeps_files:
                close(self.fd)
            else:
                if self.retired_count == MOST_RETIRED:  # whoever synchronises is far behind
                    self.retired_count -= 1
                    ibw_sync_file(self.retired[self.retired_count])
                    close(self.retired[self.retired_count])
                self.retired[self.retired_count] = self.fd
                self.retired_count += 1
        self.base, self.fd = self.spare, self.spare_fd
        self.set_spare(NULL)
        self.spare_fd = -1
        ibw_count(&self.number, 1)
        self.write_head()
        if self.opening_bytes:
            self.write(KIND_SESSION, FLAG_CARRIED, ibw_now_ns(), self.opening, self.opening_bytes, NULL, 0)
        return 0

    cdef void write_head(self) noexcept nogil:
        cdef uint8_t *to = self.base
        memcpy(to + 8, self.template + 8, HEAD_BYTES - 8)
        (<uint64_t *>(to + NUMBER_AT))[0] = self.number
        (<uint64_t *>(to + FIRST_SEQ_AT))[0] = self.next_seq
        (<uint64_t *>(to + CAPACITY_AT))[0] = self.capacity
        (<int64_t *>(to + WALL_AT))[0] = ibw_wall_ns()
        (<int64_t *>(to + MONO_AT))[0] = ibw_now_ns()
        (<int64_t *>(to + HIGH_WATER_AT))[0] = self.high
        cdef uint32_t crc = ibw_crc_more(<uint32_t>0xFFFFFFFF, self.template, 8)
        (<uint32_t *>(to + CRC_AT))[0] = ~ibw_crc_more(crc, to + 8, CRC_AT - 8)
        ibw_store_release(<uint64_t *>to, (<const uint64_t *>self.template)[0])
        ibw_store_relaxed(&self.at, HEAD_BYTES)


def is_there(bytes path not None):
    """Whether there is a file. Keeps the GIL: who lets go of it waits for it behind a thread that computes."""
    return access(PyBytes_AS_STRING(path), 0) == 0


@cython.final
cdef class Recorder(Stepper):
    """Appends what comes into the order ring, in the thread that receives, before anything else looks at it.

    Of an entry's header only the 32 bytes that every kind has are kept: the frame has the rest, and record layouts
    change from release to release.
    """

    def __cinit__(self, Appender journal not None, LogRing ring not None, Region region not None):
        self.journal, self.ring = journal, ring
        self.following = region.stepper
        self.cursor = LogCursor(ring)
        self.end = ring.end()

    cdef void step(self, uint64_t head, uint64_t seq) noexcept nogil:
        self.record()
        if self.following is not None:
            self.following.step(head, seq)

    cdef void idle(self, int64_t now_ns) noexcept nogil:
        if self.following is not None:
            self.following.idle(now_ns)

    cdef void record(self) noexcept nogil:
        cdef uint64_t ready, until
        cdef uint64_t end = self.ring.end()
        cdef const uint8_t *entry
        if end == self.end:
            return
        self.end = end
        pthread_mutex_lock(&self.journal.mutex)
        while True:
            ready = self.cursor.look()
            if not ready:
                break
            until = self.cursor.at + ready
            while self.cursor.at < until:
                entry = data_of(self.cursor.segment) + self.cursor.at
                if not self.journal.append(
                    KIND_RECEIVED, 0, (<const int64_t *>(entry + 16))[0], entry + 8, RECORD_HEAD_BYTES,
                    entry_payload(entry), entry_payload_bytes(entry), 0,
                ):
                    self.journal.lost += 1
                    self.journal.lost_in_all += 1
                self.cursor.at += entry_bytes(entry)
        pthread_mutex_unlock(&self.journal.mutex)
        self.cursor.leave()


include "_journal_names.pxi"
include "_journal_index.pxi"


def measure(Appender journal, bytes payload not None, uint64_t count, int turns):
    """For the benchmark: ns of one append of a received frame, the least of some turns; without a journal, of copying it.

    Without the GIL and the mutex taken for each, as in the receiving thread.
    """
    cdef uint8_t[32] head
    cdef const uint8_t *bytes_of = <const uint8_t *>PyBytes_AS_STRING(payload)
    cdef size_t n = len(payload)
    cdef uint64_t whole = ENTRY_HEAD_BYTES + padded(RECORD_HEAD_BYTES + n)
    cdef uint8_t *area = NULL
    cdef uint64_t i, at
    cdef int64_t begin, best = -1
    cdef int turn
    memset(head, 1, 32)
    if journal is None:
        area = <uint8_t *>malloc(whole * count)
        if area is NULL:
            raise MemoryError()
        memset(area, 0, whole * count)
    with nogil:
        for turn in range(turns):
            at = 0
            begin = ibw_now_ns()
            for i in range(count):
                if area is not NULL:
                    memcpy(area + at + ENTRY_HEAD_BYTES, head, 32)
                    memcpy(area + at + ENTRY_HEAD_BYTES + 32, bytes_of, n)
                    at += whole
                else:
                    pthread_mutex_lock(&journal.mutex)
                    journal.append(KIND_RECEIVED, 0, begin, head, 32, bytes_of, n, 0)
                    pthread_mutex_unlock(&journal.mutex)
            begin = ibw_now_ns() - begin
            if best < 0 or begin < best:
                best = begin
    free(area)
    return <double>best / <double>count
