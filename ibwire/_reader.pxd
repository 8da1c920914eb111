# What the reader feeds and steps, for the compiled modules that are fed and stepped.
from libc.stdint cimport int64_t, uint8_t, uint64_t


cdef enum:
    SLACK = 128            # bytes behind the reader's buffer that a decoder may load and must not believe


cdef class Decoder:
    # Takes received bytes; for the one thread that receives.
    cdef readonly uint64_t seq   # of the last message
    cdef int failure             # 0, or why nothing more is taken: 1 framing, 2 backlog, 3 memory

    # `padded`: SLACK bytes behind the data may be loaded.
    cdef void decode(self, const uint8_t *data, size_t n, int64_t recv_ns, bint padded) noexcept nogil
    # Everything decoded so far is for everybody: the watermark, and one wake.
    cdef void publish(self) noexcept nogil
    cdef fail(self)
