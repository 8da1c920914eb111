# Appending to the journal from compiled code, without the GIL and from any thread.
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from ibwire._ring cimport LogCursor, LogRing, Stepper

cdef extern from "_journal.h" nogil:
    ctypedef struct pthread_mutex_t:
        pass

cdef enum:
    MOST_RETIRED = 32


cdef class Appender:
    # Everything below is written by whoever holds the mutex.
    cdef pthread_mutex_t mutex
    cdef pthread_mutex_t syncing   # taken before the other one
    cdef bint has_mutex
    cdef int pid
    cdef bytes directory
    cdef bytes head            # of a segment, as a template
    cdef const char *place     # both again, for code without the GIL
    cdef const uint8_t *template
    cdef uint8_t *base         # the mapped segment; NULL: none
    cdef int fd
    cdef uint8_t *spare
    cdef int spare_fd
    cdef uint64_t capacity
    cdef uint64_t at           # where the next entry goes
    cdef uint64_t number
    cdef uint64_t next_seq
    cdef uint64_t lost         # entries that found no room since the last that did
    cdef uint64_t lost_in_all
    cdef int64_t high
    cdef uint32_t epoch
    cdef int error             # why there is no next segment; 0: none was missed
    cdef int64_t tried_ns      # when one was last asked for
    cdef bytes preamble
    cdef uint8_t *opening      # the preamble again, for code without the GIL
    cdef size_t opening_bytes
    cdef int[32] retired       # complete segments that are not synchronised yet
    cdef int retired_count
    cdef bint keeps_files      # for sync()
    cdef uint64_t synced       # next_seq of the last sync

    # Sequence number of the entry, 0 when it found no room. `reserve`: bytes that must remain afterwards, for those
    # that have to go out or came in.
    cdef uint64_t append(self, int kind, int flags, int64_t ns, const uint8_t *a, size_t na, const uint8_t *b, size_t nb,
                         uint64_t reserve) noexcept nogil
    cdef uint64_t put_locked(self, int kind, int64_t ns, const uint8_t *a, size_t na, const uint8_t *b, size_t nb,
                             uint64_t reserve, bint counts) noexcept nogil
    cdef int make_next(self) noexcept nogil
    cdef void set_spare(self, uint8_t *base) noexcept nogil
    cdef void set_error(self, int error) noexcept nogil
    cdef int turn(self) noexcept nogil
    cdef void write_head(self) noexcept nogil
    cdef uint64_t write(self, int kind, int flags, int64_t ns, const uint8_t *a, size_t na, const uint8_t *b,
                        size_t nb) noexcept nogil
    cdef bint room(self, uint64_t whole, uint64_t reserve) noexcept nogil
    cdef bint note_lost(self, int64_t ns) noexcept nogil
    cdef bytes path_of(self, uint64_t number)


cdef class Recorder(Stepper):
    cdef Appender journal
    cdef LogRing ring
    cdef LogCursor cursor
    cdef uint64_t end
    cdef Stepper following     # the region's own, after this

    cdef void record(self) noexcept nogil
