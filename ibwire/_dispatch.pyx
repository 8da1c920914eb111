# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Calls Python callbacks from the payloads of flat messages: numbers, texts and flags, in the order of a table.

Strategy. A route is a table of fields and a table of calls, made by the caller from the spec; this file knows no name
and no server version. A field that nobody wants is checked and not made an object. Whatever is not the plain case (an
exponent, a sign where none is usual, text beyond ASCII, an unset value, a surplus or unknown field, anything broken)
makes the route give up before the first call, and the payload goes to the general decoder, which is the only judge.

Invariants. The end is checked before every read. All values are made before the first callback runs, and are held by
this frame until the last one returns: a callback may do anything, also change the routes or dispatch further payloads.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_Size
from cpython.long cimport PyLong_CheckExact
from cpython.object cimport PyObject
from cpython.ref cimport Py_INCREF, Py_XDECREF
from libc.stdint cimport int8_t, int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memchr, memcmp, memcpy, memset

from ibwire._ring cimport (
    LogCursor,
    Region,
    data_of,
    entry_bytes,
    entry_payload,
    entry_payload_bytes,
    entry_seq,
    ibw_load_acquire,
    ibw_store_release,
)

from types import MethodType

cdef extern from "Python.h":
    object PyObject_Vectorcall(PyObject *callable, PyObject **args, size_t nargs, PyObject *names)
    long PyLong_AsLongAndOverflow(object value, int *overflow) except? -1
    size_t PY_VECTORCALL_ARGUMENTS_OFFSET
    object PyUnicode_DecodeASCII(const char *s, Py_ssize_t size, const char *errors)

cdef enum:
    OP_SKIP = 0
    OP_INT = 1
    OP_FLOAT = 2
    OP_DEC = 3
    OP_BOOL = 4
    OP_STR = 5
    OP_BITS = 6
    OP_PART = 7        # a message in the message

cdef enum:
    MAX_ARGUMENTS = 20
    MAX_SLOTS = 64     # registers, then flags, then computed arguments
    MAX_ROUTES = 512
    MASKS = 64         # flags with a higher mask are made anew each time
    MEMO = 128         # what is computed of a whole number below this is remembered
    KEY = 16           # longest text of a size that is remembered, and one more for its length
    CACHE_BITS = 14

cdef enum:
    ARG_REGISTER = 0
    ARG_FLAGS = 1
    ARG_COMPUTED = 2

cdef double[16] POW10
cdef int _i
POW10[0] = 1
for _i in range(1, 16):
    POW10[_i] = POW10[_i - 1] * 10

cdef struct Field:
    int code
    int reg
    bint used
    int number
    bint wide
    bint nullable
    bint escaped
    int flags
    int table
    int inner
    PyObject *sizes    # Sizes, or NULL

cdef struct Entry:
    uint8_t key[KEY]   # text, zeros, its length in the last byte
    PyObject *value

cdef struct Arg:
    int kind
    int place
    int slot           # where its value is held
    PyObject *function # of a computed argument
    PyObject **memo    # its values of 0..MEMO-1, each NULL or held by the route

cdef struct Call:
    PyObject *function
    PyObject *owner    # of a bound method, or NULL
    int when           # register, or -1
    PyObject *test
    int8_t[MEMO] holds # 0 not known, 1 yes, 2 no
    int count
    Arg args[MAX_ARGUMENTS]


@cython.final
cdef class Sizes:
    """Objects of size texts, the recent ones remembered: at most 16384, one per slot of a hash.

    Parameters
    ----------
    make : callable
        Text to object.
    """
    cdef object make
    cdef Entry *entries
    cdef readonly int64_t made

    def __cinit__(self, make):
        self.make = make
        self.entries = <Entry *>calloc(1 << CACHE_BITS, sizeof(Entry))
        if self.entries is NULL:
            raise MemoryError

    def __dealloc__(self):
        cdef int i
        if self.entries is not NULL:
            for i in range(1 << CACHE_BITS):
                Py_XDECREF(self.entries[i].value)
            free(self.entries)

    cdef PyObject *get(self, const uint8_t *p, int n) except NULL:
        # A new reference; n < KEY.
        cdef uint8_t key[KEY]
        cdef uint64_t low, high
        cdef Entry *entry
        cdef PyObject *old
        memset(key, 0, KEY)
        memcpy(key, p, n)
        key[KEY - 1] = <uint8_t>n
        memcpy(&low, key, 8)
        memcpy(&high, key + 8, 8)
        low = (low ^ (high * <uint64_t>0x9E3779B97F4A7C15)) * <uint64_t>0x9E3779B97F4A7C15
        entry = &self.entries[(low >> (64 - CACHE_BITS)) & ((1 << CACHE_BITS) - 1)]
        if entry.value is not NULL and memcmp(entry.key, key, KEY) == 0:
            Py_INCREF(<object>entry.value)
            return entry.value
        value = self.make(PyUnicode_DecodeASCII(<const char *>p, n, NULL))
        self.made += 1
        Py_INCREF(value)   # the entry's
        Py_INCREF(value)   # the caller's
        old = entry.value
        entry.value = <PyObject *>value
        memcpy(entry.key, key, KEY)
        Py_XDECREF(old)
        return <PyObject *>value


cdef int whole(const uint8_t **at, const uint8_t *end, int64_t *out) noexcept nogil:
    # Digits, at most 18, perhaps a minus; leaves `at` behind the zero byte.
    cdef const uint8_t *p = at[0]
    cdef const uint8_t *begin
    cdef int64_t value = 0
    cdef bint negative = False
    if p < end and p[0] == 45:
        negative = True
        p += 1
    begin = p
    while p < end and 48 <= p[0] <= 57:
        value = value * 10 + (p[0] - 48)
        p += 1
        if p - begin > 18:
            return 0
    if p == begin or p >= end or p[0] != 0:
        return 0
    out[0] = -value if negative else value
    at[0] = p + 1
    return 1


cdef int number(const uint8_t **at, const uint8_t *end, double *out) noexcept nogil:
    # At most 15 digits, perhaps a point and a minus: exact, as both parts are.
    cdef const uint8_t *p = at[0]
    cdef int64_t value = 0
    cdef int digits = 0, after = 0
    cdef bint negative = False, point = False
    cdef double found
    if p < end and p[0] == 45:
        negative = True
        p += 1
    while p < end:
        if 48 <= p[0] <= 57:
            value = value * 10 + (p[0] - 48)
            digits += 1
            if digits > 15:
                return 0
            if point:
                after += 1
        elif p[0] == 46 and not point:
            point = True
        else:
            break
        p += 1
    if digits == 0 or p >= end or p[0] != 0:
        return 0
    found = <double>value
    if after:
        found = found / POW10[after]
    out[0] = -found if negative else found
    at[0] = p + 1
    return 1


cdef int plain_size(const uint8_t *p, int n) noexcept nogil:
    # Digits with at most one point, too short for any text that means unset but one.
    cdef int i, digits = 0
    cdef bint point = False
    if n >= KEY or n == 10:
        return 0
    for i in range(n):
        if 48 <= p[i] <= 57:
            digits += 1
        elif p[i] == 46 and not point:
            point = True
        else:
            return 0
    return digits > 0


cdef int plain_text(const uint8_t *p, Py_ssize_t n, bint escaped) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        if p[i] >= 128 or (escaped and p[i] == 92):
            return 0
    return 1


cdef int varint(const uint8_t **at, const uint8_t *end, uint64_t *out) noexcept nogil:
    cdef const uint8_t *p = at[0]
    cdef uint64_t value = 0
    cdef int shift = 0
    while p < end and shift < 63:   # a tenth byte is the general decoder's business
        value |= <uint64_t>(p[0] & 127) << shift
        if p[0] < 128:
            out[0] = value
            at[0] = p + 1
            return 1
        p += 1
        shift += 7
    return 0


@cython.final
cdef class Route:
    """One message: its fields, and the callbacks that it makes.

    Parameters
    ----------
    made : tuple
        (is text, initial values, fields, calls, makers of flags): see ``FlatRoute`` in ``ibwire/compat/_routes.py``.
    sizes : dict
        Name of a size -> `Sizes`.
    """
    cdef bint text
    cdef list init
    cdef int fields_count
    cdef Field *fields
    cdef int calls_count
    cdef Call *calls
    cdef list keep
    cdef list flag_makers
    cdef list flag_objects   # a list of MASKS for each kind of flags
    cdef list flag_defaults  # what a payload without them means
    cdef list defaults       # registers that a payload may leave out
    cdef int registers
    cdef int slots
    cdef readonly int64_t made

    def __cinit__(self, tuple made not None, dict sizes not None):
        cdef int i, k
        is_text, init, fields, calls, flags = made
        self.registers = len(init)
        self.slots = len(init) + len(flags)
        self.text = is_text
        self.init = list(init)
        self.keep = []
        self.flag_makers = list(flags)
        self.flag_defaults = [None] * len(flags)
        self.flag_objects = [[None] * MASKS for _ in flags]
        self.fields = <Field *>calloc(len(fields) + 1, sizeof(Field))
        self.calls = <Call *>calloc(len(calls) + 1, sizeof(Call))
        if self.fields is NULL or self.calls is NULL:
            raise MemoryError
        for i, (code, reg, used, number_, wide, nullable, escaped, flag, decimal, table, inner) in enumerate(fields):
            self.fields[i].code, self.fields[i].reg, self.fields[i].used = code, reg, used
            self.fields[i].number, self.fields[i].wide, self.fields[i].nullable = number_, wide, nullable
            self.fields[i].escaped, self.fields[i].flags = escaped, flag
            self.fields[i].table, self.fields[i].inner = table, inner
            if decimal and used:
                self.fields[i].sizes = self.held(sizes[decimal])
        self.fields_count = len(fields)
        wanted = set()
        for i, (callback, args, when) in enumerate(calls):
            if type(callback) is MethodType:
                self.calls[i].function = self.held(callback.__func__)
                self.calls[i].owner = self.held(callback.__self__)
            else:
                self.calls[i].function = self.held(callback)
            self.calls[i].when = -1
            if when is not None:
                self.calls[i].when = when[0]
                self.calls[i].test = self.held(when[1])
                wanted.add(when[0])
            if len(args) > MAX_ARGUMENTS:
                raise ValueError("too many arguments for a route")
            for k, arg in enumerate(args):
                self.calls[i].args[k].kind = arg[0]
                self.calls[i].args[k].place = arg[1]
                self.calls[i].args[k].slot = arg[1] if arg[0] == ARG_REGISTER else self.registers + arg[1]
                if arg[0] != ARG_FLAGS:
                    wanted.add(arg[1])
                if arg[0] == ARG_COMPUTED:
                    self.calls[i].args[k].slot = self.slots
                    self.slots += 1
                    self.calls[i].args[k].function = self.held(arg[2])
                    self.calls[i].args[k].memo = <PyObject **>calloc(MEMO, sizeof(PyObject *))
                    if self.calls[i].args[k].memo is NULL:
                        raise MemoryError
            self.calls[i].count = len(args)
        self.calls_count = len(calls)
        if self.slots > MAX_SLOTS:
            raise ValueError("too large a message for a route")
        if self.text:
            wanted -= {f[1] for f in fields}
        self.defaults = sorted(wanted)

    def __dealloc__(self):
        cdef int i, k, n
        free(self.fields)
        if self.calls is not NULL:
            for i in range(self.calls_count):
                for k in range(self.calls[i].count):
                    if self.calls[i].args[k].memo is not NULL:
                        for n in range(MEMO):
                            Py_XDECREF(self.calls[i].args[k].memo[n])
                        free(self.calls[i].args[k].memo)
        free(self.calls)

    cdef PyObject *held(self, value):
        self.keep.append(value)
        return <PyObject *>value

    cdef int put(self, PyObject **values, int place, value) except -1:
        cdef PyObject *old = values[place]
        Py_INCREF(value)
        values[place] = <PyObject *>value
        Py_XDECREF(old)
        return 1

    cdef int flagged(self, PyObject **values, int kind, uint64_t mask) except -1:
        cdef list objects
        if kind < 0:
            return 1
        if mask >= MASKS:
            return self.put(values, self.registers + kind, self.flag_makers[kind](mask))
        objects = self.flag_objects[kind]
        found = objects[mask]
        if found is None:
            found = objects[mask] = self.flag_makers[kind](mask)
        return self.put(values, self.registers + kind, found)

    cdef int size(self, PyObject **values, Field *f, const uint8_t *p, int n) except -1:
        cdef PyObject *old = values[f.reg]
        values[f.reg] = (<Sizes>f.sizes).get(p, n)
        Py_XDECREF(old)
        return 1

    cdef int read_text(self, const uint8_t *p, const uint8_t *end, PyObject **values) except -1:
        cdef int i
        cdef Field *f
        cdef const uint8_t *stop
        cdef int64_t value = 0
        cdef double found = 0
        for reg in self.defaults:
            self.put(values, reg, self.init[reg])
        for i in range(self.fields_count):
            f = &self.fields[i]
            if f.code == OP_INT or f.code == OP_BOOL or f.code == OP_BITS:
                if not whole(&p, end, &value):
                    return 0
                if f.code == OP_INT:
                    if f.nullable and value == 2147483647:
                        return 0
                    if f.used:
                        self.put(values, f.reg, value)
                elif f.code == OP_BITS:
                    if value < 0:
                        return 0
                    self.flagged(values, f.flags, <uint64_t>value)
                elif f.used:
                    self.put(values, f.reg, value != 0)
                continue
            if f.code == OP_FLOAT:
                if not number(&p, end, &found):
                    return 0
                if f.used:
                    self.put(values, f.reg, found)
                continue
            if p >= end:
                return 0
            stop = <const uint8_t *>memchr(p, 0, end - p)
            if stop is NULL:
                return 0
            if f.code == OP_DEC:
                if stop - p >= KEY or not plain_size(p, <int>(stop - p)):
                    return 0
                if f.used:
                    self.size(values, f, p, <int>(stop - p))
            elif f.code == OP_STR and f.used:
                if not plain_text(p, stop - p, f.escaped):
                    return 0
                self.put(values, f.reg, PyUnicode_DecodeASCII(<const char *>p, stop - p, NULL))
            p = stop + 1
        return p == end

    cdef Field *numbered(self, int table, uint64_t wanted):
        cdef int i
        for i in range(self.fields_count):
            if self.fields[i].table == table and <uint64_t>self.fields[i].number == wanted:
                return &self.fields[i]
        return NULL

    cdef int read_proto(self, const uint8_t *p, const uint8_t *end, PyObject **values) except -1:
        cdef int i
        for reg in self.defaults:
            self.put(values, reg, self.init[reg])
        for i in range(len(self.flag_makers)):
            if self.flag_defaults[i] is None:
                self.flag_defaults[i] = self.flag_makers[i](None)
            self.put(values, self.registers + i, self.flag_defaults[i])
        return self.read_table(p, end, values, 0)

    cdef int read_table(self, const uint8_t *p, const uint8_t *end, PyObject **values, int table) except -1:
        # Calls itself for a message in the message: as deep as the tables are, whatever the payload says.
        cdef Field *f
        cdef uint64_t key = 0, value = 0
        cdef int64_t signed
        cdef double found = 0
        while p < end:
            if not varint(&p, end, &key):
                return 0
            f = self.numbered(table, key >> 3)
            if f is NULL:
                return 0
            if f.code == OP_PART:
                if key & 7 != 2 or not varint(&p, end, &value) or value > <uint64_t>(end - p):
                    return 0
                if not self.read_table(p, p + value, values, f.inner):
                    return 0
                p += value
                continue
            if f.code == OP_FLOAT:
                if key & 7 != 1 or end - p < 8:
                    return 0
                memcpy(&found, p, 8)
                p += 8
                if f.nullable and found > 1e308:
                    return 0
                if f.used:
                    self.put(values, f.reg, found)
                continue
            if f.code == OP_STR or f.code == OP_DEC:
                if key & 7 != 2 or not varint(&p, end, &value) or value > <uint64_t>(end - p):
                    return 0
                if f.code == OP_DEC:
                    if value >= KEY or not plain_size(p, <int>value):
                        return 0
                    if f.used:
                        self.size(values, f, p, <int>value)
                else:
                    if not plain_text(p, value, False):
                        return 0
                    if f.used:
                        self.put(values, f.reg, PyUnicode_DecodeASCII(<const char *>p, value, NULL))
                p += value
                continue
            if key & 7 != 0 or not varint(&p, end, &value):
                return 0
            if f.code == OP_BITS:
                self.flagged(values, f.flags, value)
            elif f.code == OP_BOOL:
                if f.used:
                    self.put(values, f.reg, value != 0)
            else:
                signed = <int64_t>value if f.wide else <int64_t><int32_t><uint32_t>value
                if f.nullable and (signed == 2147483647 or signed == <int64_t>0x7FFFFFFFFFFFFFFF):
                    return 0
                if f.used:
                    self.put(values, f.reg, signed)
        return 1

    cdef int compute(self, PyObject **values, Arg *arg) except -1:
        cdef object value = <object>values[arg.place]
        cdef Py_ssize_t small = self.small(value)
        if small >= 0 and arg.memo[small] is not NULL:
            return self.put(values, arg.slot, <object>arg.memo[small])
        result = (<object>arg.function)(value)
        if small >= 0 and arg.memo[small] is NULL:
            Py_INCREF(result)
            arg.memo[small] = <PyObject *>result
        return self.put(values, arg.slot, result)

    cdef int holds(self, PyObject **values, Call *call) except -1:
        cdef object value = <object>values[call.when]
        cdef Py_ssize_t small = self.small(value)
        cdef bint found
        if small >= 0 and call.holds[small]:
            return call.holds[small] == 1
        found = (<object>call.test)(value)
        if small >= 0:
            call.holds[small] = 1 if found else 2
        return found

    cdef Py_ssize_t small(self, value) except -2:
        # A whole number that is remembered, or -1.
        cdef int overflow = 0
        cdef long number
        if not PyLong_CheckExact(value):
            return -1
        number = PyLong_AsLongAndOverflow(value, &overflow)
        return number if 0 <= number < MEMO and not overflow else -1

    cdef int run(self, const uint8_t *p, const uint8_t *end) except -1:
        # 1: the callbacks were made. 0: not for this route, nothing was called.
        cdef PyObject *values[MAX_SLOTS]
        cdef PyObject *args[MAX_ARGUMENTS + 1]
        cdef Call *call
        cdef Arg *arg
        cdef int i, k
        memset(values, 0, self.slots * sizeof(PyObject *))
        try:
            if not (self.read_text(p, end, values) if self.text else self.read_proto(p, end, values)):
                return 0
            for i in range(self.calls_count):
                call = &self.calls[i]
                if call.when >= 0 and not self.holds(values, call):
                    continue
                for k in range(call.count):
                    arg = &call.args[k]
                    if arg.kind == ARG_COMPUTED:
                        self.compute(values, arg)
                    if values[arg.slot] is NULL:
                        raise SystemError("a route without a value")
                    args[k + 1] = values[arg.slot]
                if call.owner is not NULL:
                    args[0] = call.owner
                    PyObject_Vectorcall(call.function, args, call.count + 1, NULL)
                else:
                    PyObject_Vectorcall(call.function, args + 1, call.count | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL)
            self.made += 1
            return 1
        finally:
            for k in range(self.slots):
                Py_XDECREF(values[k])


cdef inline const uint8_t *peek(LogCursor cursor, uint64_t limit) noexcept:
    # The next entry up to the watermark, or NULL. What is not below that may be overtaken by an entry of another ring.
    cdef const uint8_t *entry
    if cursor is None or cursor.closed or not cursor.look():
        return NULL
    entry = data_of(cursor.segment) + cursor.at
    return entry if entry_seq(entry) <= limit else NULL


@cython.final
cdef class Routes:
    """Payloads to routes by wire id; what has none, or is not plain, goes to ``general``.

    Parameters
    ----------
    raw_ids : bool
        Four bytes of id, not text.
    general : callable
        Gets the payload.
    attributes : dict or None
        Attributes of the program's object: a change of their number calls ``changed`` before the next payload.
    """
    cdef bint raw_ids
    cdef object general
    cdef object changed
    cdef dict attributes
    cdef Py_ssize_t seen
    cdef list routes
    cdef list unheard
    cdef bint stopping
    cdef uint64_t drained        # payloads, to notice a drain in a callback
    cdef readonly uint64_t next_seq
    cdef readonly uint64_t lost
    cdef readonly int64_t skipped

    def __init__(self, bint raw_ids, general, attributes, changed):
        self.raw_ids, self.general, self.changed = raw_ids, general, changed
        self.attributes = attributes
        self.seen = len(attributes) if attributes is not None else 0
        self.clear()

    def clear(self):
        """Forget every route."""
        self.routes = [None] * MAX_ROUTES
        self.unheard = [False] * MAX_ROUTES

    def set(self, int wire_id, Route route):
        """Use a route for an id from now on; None: nobody listens, so nothing is done."""
        if 0 <= wire_id < MAX_ROUTES:
            self.routes[wire_id] = route
            self.unheard[wire_id] = route is None

    def interpret(self, payload):
        """Make one payload's callbacks."""
        cdef const uint8_t *p
        if PyBytes_CheckExact(payload):
            p = <const uint8_t *>PyBytes_AS_STRING(payload)
            if self.one(p, p + PyBytes_GET_SIZE(payload)):
                return
        self.general(payload)

    def drain(self, Region region not None, LogCursor control not None, LogCursor market, uint64_t next_seq,
              int64_t most, told=None):
        """Make the callbacks of the payloads that wait in two rings, in wire order, until :meth:`stop`.

        Parameters
        ----------
        region : its watermark says up to where both rings are complete.
        control, market : cursors of rings of raw payloads, the second perhaps None; behind each payload before its
            callbacks are made.
        next_seq : sequence number of the next payload if none is lost; afterwards :attr:`next_seq`.
        most : that many payloads at most.
        told : called after each payload, or None.

        Returns
        -------
        int
            How many payloads there were. :attr:`lost` grows by those that were given up before.
        """
        cdef const uint8_t *quiet
        cdef const uint8_t *data
        cdef const uint8_t *entry
        cdef LogCursor cursor
        cdef uint64_t limit, seq, mine
        cdef int64_t count = 0
        cdef uint32_t n
        control.check()
        if market is not None:
            market.check()
        if next_seq > self.next_seq:
            self.next_seq = next_seq
        self.stopping = False
        limit = ibw_load_acquire(&region.hot.watermark)
        try:
            quiet = peek(control, limit)
            data = peek(market, limit)
            while count < most and (quiet is not NULL or data is not NULL):
                if data is NULL or (quiet is not NULL and entry_seq(quiet) <= entry_seq(data)):
                    cursor, entry = control, quiet
                else:
                    cursor, entry = market, data
                seq = entry_seq(entry)
                if seq > self.next_seq:
                    self.lost += seq - self.next_seq
                if seq >= self.next_seq:
                    self.next_seq = seq + 1
                cursor.at += entry_bytes(entry)
                # Behind it from now on: it no longer counts towards the backlog.
                ibw_store_release(&cursor.slot.read, cursor.base + cursor.at)
                n = entry_payload_bytes(entry)
                entry = entry_payload(entry)
                count += 1
                self.drained += 1
                mine = self.drained
                if not self.one(entry, entry + n):
                    self.general(PyBytes_FromStringAndSize(<const char *>entry, n))
                if told is not None:
                    told()
                if self.stopping or control.closed or (market is not None and market.closed):
                    break
                if self.drained != mine:  # a callback has drained the same rings
                    quiet, data = peek(control, limit), peek(market, limit)
                elif cursor is control:
                    quiet = peek(control, limit)
                else:
                    data = peek(market, limit)
            return count
        finally:
            for cursor in (control, market):
                if cursor is not None and not cursor.closed:
                    cursor.leave()

    def stop(self):
        """End :meth:`drain` after the payload that it is at; to be called in a callback."""
        self.stopping = True

    cdef bint one(self, const uint8_t *p, const uint8_t *end) except -1:
        # False: nothing was called, it is for the general decoder.
        cdef uint32_t wire_id = 0
        cdef int digits = 0
        cdef Route route
        if self.attributes is not None and PyDict_Size(self.attributes) != self.seen:
            self.seen = PyDict_Size(self.attributes)
            self.changed()
        if self.raw_ids:
            if end - p < 4:
                return False
            wire_id = <uint32_t>p[0] << 24 | <uint32_t>p[1] << 16 | <uint32_t>p[2] << 8 | p[3]
            p += 4
        else:
            while p < end and 48 <= p[0] <= 57 and digits < 4:
                wire_id = wire_id * 10 + (p[0] - 48)
                digits += 1
                p += 1
            if digits == 0 or p >= end or p[0] != 0:
                return False
            p += 1
        if wire_id >= MAX_ROUTES:
            return False
        route = self.routes[wire_id]
        if route is not None:
            return route.run(p, end)
        if self.unheard[wire_id]:
            self.skipped += 1
            return True
        return False
