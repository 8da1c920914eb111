# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Flat messages to payloads: fields one after the other, each of which follows from its value alone.

Strategy. A field is a tuple made by `ibwire.wire.flat` from the spec; this file knows no name and no server version. The
plain case of a kind is written here; every other value goes to the field's own function, which also raises what there
is to raise.

Invariants. Room is made before every write. Nothing of a message is kept; an encoder may be used by any thread that
holds the GIL, and a field's function may use the encoder again.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.float cimport PyFloat_AS_DOUBLE, PyFloat_CheckExact
from cpython.long cimport PyLong_CheckExact
from cpython.mem cimport PyMem_Free, PyMem_Malloc, PyMem_Realloc
from cpython.object cimport PyObject, PyObject_GetAttr
from cpython.unicode cimport PyUnicode_AsUTF8AndSize
from libc.stdint cimport uint8_t, uint64_t
from libc.string cimport memchr, memcpy

from decimal import Decimal

cdef extern from "Python.h":
    long PyLong_AsLongAndOverflow(object value, int *overflow) except? -1

cdef enum:
    CONSTANT = 0
    OTHER = 1
    INT_TEXT = 2
    INT_PROTO = 3
    DOUBLE_PROTO = 4
    DECIMAL_TEXT = 5
    DECIMAL_PROTO = 6
    FIRST_BYTES = 240

cdef long MOST = 1_000_000_000  # whole numbers from here on can be unset ones, and go the long way
cdef object _Decimal = Decimal


cdef class _Field:
    cdef int kind
    cdef object name      # of the attribute, None where `get` has to find it
    cdef object get
    cdef object piece
    cdef bytes tag        # a constant, or what stands before the value
    cdef long least
    cdef object unset
    cdef bint falsy       # zero is not written

    def __init__(self, kind: int, name: object, get: object, piece: object, tag: bytes, falsy: bool, unset: object):
        self.kind, self.name, self.get, self.piece, self.tag = kind, name, get, piece, tag
        self.falsy, self.unset = falsy, unset
        self.least = 1 if falsy else 0


cdef struct Out:
    char *data
    Py_ssize_t count, room


cdef int _room(Out *out, Py_ssize_t more) except -1:
    cdef char *found
    cdef Py_ssize_t room
    if out.count + more <= out.room:
        return 0
    room = 2 * (out.count + more)
    found = <char *>PyMem_Realloc(out.data, room)
    if found == NULL:
        raise MemoryError()
    out.data, out.room = found, room
    return 0


cdef int _write(Out *out, const char *data, Py_ssize_t count) except -1:
    _room(out, count)
    memcpy(out.data + out.count, data, count)
    out.count += count
    return 0


cdef int _bytes(Out *out, bytes raw) except -1:
    return _write(out, PyBytes_AS_STRING(raw), PyBytes_GET_SIZE(raw))


cdef int _varint(Out *out, uint64_t value) except -1:
    _room(out, 10)
    while value >= 0x80:
        out.data[out.count] = <char>(value & 0x7F | 0x80)
        out.count += 1
        value >>= 7
    out.data[out.count] = <char>value
    out.count += 1
    return 0


cdef int _digits(Out *out, long value) except -1:
    """A whole number of at least 0, and a NUL."""
    cdef char text[24]
    cdef Py_ssize_t at = 23
    text[at] = 0
    while True:
        at -= 1
        text[at] = <char>(48 + value % 10)
        value //= 10
        if value == 0:
            break
    return _write(out, text + at, 24 - at)


cdef class FlatEncoder:
    """A flat message to its payload.

    ``fields`` are tuples (kind, attribute name or None, getter, function of a value, tag, whether zero is left out, unset
    value); see ``ibwire.wire.flat``.
    """

    cdef list fields
    cdef bytes head

    def __init__(self, head: bytes, fields: list) -> None:
        self.head = head
        self.fields = [_Field(*field) for field in fields]

    def __call__(self, message: object) -> bytes:
        cdef Out out
        cdef _Field field
        out.count, out.room = 0, FIRST_BYTES
        out.data = <char *>PyMem_Malloc(FIRST_BYTES)
        if out.data == NULL:
            raise MemoryError()
        try:
            _bytes(&out, self.head)
            for item in self.fields:
                field = <_Field>item
                if field.kind == CONSTANT:
                    _bytes(&out, field.tag)
                    continue
                value = field.get(message) if field.name is None else PyObject_GetAttr(message, field.name)
                if field.kind == OTHER or not self.plain(&out, field, value):
                    _bytes(&out, <bytes?>field.piece(value))
            return PyBytes_FromStringAndSize(out.data, out.count)
        finally:
            PyMem_Free(out.data)

    cdef bint plain(self, Out *out, _Field field, object value) except -1:
        """Write the plain case; False, with nothing written, where it is none."""
        cdef long number
        cdef int overflow = 0
        cdef double price
        if field.kind == INT_TEXT or field.kind == INT_PROTO:
            if not PyLong_CheckExact(value):
                return False
            number = PyLong_AsLongAndOverflow(value, &overflow)
            if overflow or not field.least <= number < MOST:
                return False
            if field.kind == INT_TEXT:
                _digits(out, number)
            else:
                _bytes(out, field.tag)
                _varint(out, number)
            return True
        if field.kind == DOUBLE_PROTO:
            if not PyFloat_CheckExact(value):
                return False
            price = PyFloat_AS_DOUBLE(value)
            if (field.falsy and price == 0) or (field.unset is not None and value == field.unset):
                return False
            _bytes(out, field.tag)
            _write(out, <const char *>&price, 8)
            return True
        return self.decimal(out, field, value)

    cdef bint decimal(self, Out *out, _Field field, object value) except -1:
        cdef const char *text
        cdef Py_ssize_t size
        if type(value) is not _Decimal:
            return False
        if field.kind == DECIMAL_PROTO and ((field.unset is not None and value == field.unset) or (field.falsy and not value)):
            return False
        written = str(value)
        text = PyUnicode_AsUTF8AndSize(written, &size)
        if memchr(text, 69, size) != NULL:  # an E: an exponent is not for the wire
            return False
        if field.kind == DECIMAL_PROTO:
            _bytes(out, field.tag)
            _varint(out, size)
            _write(out, text, size)
        else:
            _write(out, text, size + 1)
        return True
