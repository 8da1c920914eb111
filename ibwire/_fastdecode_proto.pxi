# Part of _fastdecode.pyx: the ops of a protobuf plan, run over one frame into one record. Fields may come in any order;
# the order of their numbers is the fast one.

cdef inline int read_varint(Ctx *c, const uint8_t *end, uint64_t *out) noexcept nogil:
    cdef uint64_t value
    cdef uint8_t byte
    cdef int shift = 7
    if c.p >= end:
        return BAD
    byte = c.p[0]
    c.p += 1
    value = byte & 0x7F
    while byte >= 0x80:
        if c.p >= end or shift > 63:
            return BAD
        byte = c.p[0]
        c.p += 1
        if shift == 63 and byte > 1:
            return BAD
        value |= (<uint64_t>(byte & 0x7F)) << shift
        shift += 7
    out[0] = value
    return OK


cdef bint is_utf8(const uint8_t *p, int64_t n) noexcept nogil:
    cdef int64_t i = 0
    cdef uint8_t c
    while i + 8 <= n and not (load8(p + i) & <uint64_t>0x8080808080808080):
        i += 8
    while i < n:
        c = p[i]
        if c < 0x80:
            i += 1
        elif 0xC2 <= c <= 0xDF:
            if i + 1 >= n or (p[i + 1] & 0xC0) != 0x80:
                return False
            i += 2
        elif 0xE0 <= c <= 0xEF:
            if i + 2 >= n or (p[i + 1] & 0xC0) != 0x80 or (p[i + 2] & 0xC0) != 0x80:
                return False
            if (c == 0xE0 and p[i + 1] < 0xA0) or (c == 0xED and p[i + 1] > 0x9F):
                return False
            i += 3
        elif 0xF0 <= c <= 0xF4:
            if i + 3 >= n or (p[i + 1] & 0xC0) != 0x80 or (p[i + 2] & 0xC0) != 0x80 or (p[i + 3] & 0xC0) != 0x80:
                return False
            if (c == 0xF0 and p[i + 1] < 0x90) or (c == 0xF4 and p[i + 1] > 0x8F):
                return False
            i += 4
        else:
            return False
    return True


cdef int skip_unknown(Ctx *c, int wire, const uint8_t *end) noexcept nogil:
    cdef uint64_t size = 0
    if wire == 0:
        return read_varint(c, end, &size)
    if wire == 2:
        if read_varint(c, end, &size) != OK or size > <uint64_t>(end - c.p):
            return BAD
        c.p += size
        return OK
    size = 8 if wire == 1 else 4
    if (wire != 1 and wire != 5) or size > <uint64_t>(end - c.p):
        return BAD
    c.p += size
    return OK


cdef int proto_number_text(Ctx *c, ProtoOp *op, const uint8_t *p, int n) noexcept nogil:
    # A number that protobuf carries as text: sizes, and a few others. p is inside the frame: 8 bytes may be loaded.
    cdef double number = 0
    cdef int digits = 0xFF, significant = 0
    cdef int64_t whole = 0
    if n == 0 or (op.kind == K_DEC and n >= 10 and is_unset_text(p, n)):
        if op.kind == K_DEC or op.flags & F_NULLABLE:
            number = NAN
        if op.store == STORE_F64:
            (<double *>(c.rec + op.dst))[0] = number
        return OK
    if op.kind == K_I32 or op.kind == K_I64:
        if read_int(p, n, &whole) != OK:
            return BAD
        if op.store:
            put_int(c, op.store, op.dst, whole)
        return OK
    if slow_float(p, n, op.kind == K_F64, &number, &digits, &significant) != OK:
        return BAD
    if op.store == STORE_F64:
        (<double *>(c.rec + op.dst))[0] = number
        if op.kind == K_DEC:
            if not is_exact(number, digits, significant):
                c.flags |= REC_LONG_NUMBER
        elif number - number != 0:
            digits = 0xFF   # infinite
        if op.dst2 != NO_DST:
            c.rec[op.dst2] = <uint8_t>digits if digits < 128 else 0xFF
    return OK


cdef inline int proto_scalar(Ctx *c, ProtoOp *op, int code, const uint8_t *end) noexcept nogil:
    cdef uint64_t value = 0
    cdef int64_t whole
    cdef double number
    if code == P_DOUBLE:
        if end - c.p < 8:
            return BAD
        memcpy(&number, c.p, 8)
        c.p += 8
        if op.kind == K_I32 or op.kind == K_I64:
            return OK if -9223372036854775808.0 < number < 9223372036854775808.0 and number == <double><int64_t>number else BAD
        if op.store == STORE_F64:
            if op.flags and (
                (op.flags & F_NULLABLE and number == UNSET_DOUBLE)
                or (op.flags & F_NEGATIVE and number < 0)
                or (op.flags & F_NOT_COMPUTED and number == op.fval)
            ):
                number = NAN
            (<double *>(c.rec + op.dst))[0] = number
        return OK
    if code == P_STRING:
        if read_varint(c, end, &value) != OK or value > <uint64_t>(end - c.p):
            return BAD
        if op.kind == K_STR or op.kind == 0:
            if not is_utf8(c.p, value):
                return BAD
            if op.store:
                put_text(c, op.store, op.dst, op.dst2, op.aux, c.p, <int>value, False)
        elif proto_number_text(c, op, c.p, <int>value) != OK:
            return BAD
        c.p += value
        return OK
    if read_varint(c, end, &value) != OK:
        return BAD
    if not op.store:
        return OK
    if op.store == STORE_BIT:
        if value:
            (<int32_t *>(c.rec + op.dst))[0] |= op.aux
        else:
            (<int32_t *>(c.rec + op.dst))[0] &= ~op.aux
        return OK
    if code == P_INT32:
        whole = <int32_t><uint32_t>value
    elif code == P_BOOL:
        whole = value != 0
    else:
        whole = <int64_t>value
    if op.flags & F_NULLABLE and whole == (2147483647 if op.kind == K_I32 else INT64_MAX):
        unset_int(c, op.store, op.dst)
    else:
        put_int(c, op.store, op.dst, whole)
    return OK


cdef inline int wire_of(int code) noexcept nogil:
    if code == P_DOUBLE:
        return 1
    if code == P_INT32 or code == P_INT64 or code == P_BOOL or code == P_BITS:
        return 0
    return 2


cdef inline ProtoOp *op_of_two(ProtoTable *table, const uint8_t *p) noexcept nogil:
    # By a key of two bytes, where number and wire type are right; else NULL.
    cdef uint32_t key = (p[0] & 0x7F) | (<uint32_t>p[1] << 7)
    cdef ProtoOp *op
    if key >> 3 >= table.limit:
        return NULL
    op = &table.ops[key >> 3]
    return op if op.present and op.wire == (key & 7) else NULL


cdef int run_proto(Ctx *c, ProtoTable *table, const uint8_t *end) noexcept nogil:
    # The common shapes by the whole key, with the position in a register; the rest through proto_field.
    cdef const uint8_t *p = c.p
    cdef const uint8_t *at      # behind the key
    cdef uint8_t *rec = c.rec
    cdef ProtoOp *op
    cdef ProtoOp *last = NULL   # every gateway sends fields in the order of their numbers
    cdef uint64_t value
    cdef int64_t whole
    cdef double number
    cdef int n
    while p < end:
        at = p + 1
        if p[0] < 0x80:
            op = table.by_key[p[0]]
        elif end - p >= 3 and p[1] < 0x80:
            op = op_of_two(table, p)
            at = p + 2
        else:
            op = NULL
        if likely(op is not NULL and at < end and op > last):
            if op.fast == PF_I64 or op.fast == PF_I32:
                value = at[0]
                if value < 0x80:
                    p = at + 1
                elif end - at >= 2 and at[1] < 0x80:
                    value = (value & 0x7F) | (<uint64_t>at[1] << 7)
                    p = at + 2
                else:
                    c.p = at
                    if read_varint(c, end, &value) != OK:
                        return BAD
                    p = c.p
                last = op
                if op.code == P_INT32:
                    whole = <int32_t><uint32_t>value
                else:
                    whole = <int64_t>value
                if op.fast == PF_I64:
                    put_int(c, STORE_I64, op.dst, whole)
                else:
                    put_int(c, STORE_I32, op.dst, whole & op.aux)
                continue
            if op.fast == PF_DOUBLE:
                if end - at < 8:
                    return BAD
                memcpy(&number, at, 8)
                p = at + 8
                last = op
                if op.flags & F_NULLABLE and number == UNSET_DOUBLE:
                    number = NAN
                (<double *>(rec + op.dst))[0] = number
                continue
            if op.fast == PF_SIZE:
                n = at[0]
                if n < 0x80:
                    if n > end - at - 1:
                        return BAD
                    if kept_number(c, op.dst, op.dst2, at + 1, n) != OK and proto_number_text(c, op, at + 1, n) != OK:
                        return BAD
                    p = at + 1 + n
                    last = op
                    continue
            if op.fast == PF_TEXT:
                n = at[0]
                if n < 0x80:
                    if n > end - at - 1 or not is_utf8(at + 1, n):
                        return BAD
                    if op.store:
                        put_text(c, op.store, op.dst, op.dst2, op.aux, at + 1, n, False)
                    p = at + 1 + n
                    last = op
                    continue
            if op.fast == PF_SKIP_8:
                if end - at < 8:
                    return BAD
                p = at + 8
                last = op
                continue
            if op.fast == PF_SKIP and at[0] < 0x80:
                p = at + 1
                last = op
                continue
        c.p = p
        c.last = last
        if proto_field(c, table, end) != OK:
            return BAD
        last = c.last
        p = c.p
    c.p = p
    return OK


cdef int proto_field(Ctx *c, ProtoTable *table, const uint8_t *end) noexcept nogil:
    # One field of any shape, c.p at its key.
    cdef uint64_t key = 0, size = 0
    cdef uint64_t number
    cdef int wire, i
    cdef ProtoOp *op
    cdef ProtoTable *inner
    cdef const uint8_t *stop
    if read_varint(c, end, &key) != OK:
        return BAD
    number = key >> 3
    wire = key & 7
    if number >= table.limit or not table.ops[number].present:
        if number == 0 or skip_unknown(c, wire, end) != OK:
            return BAD
        c.flags |= REC_EXTRA
        return OK
    op = &table.ops[number]
    if op < c.last or (op == c.last and op.code != P_LIST and op.code != P_REPEATED and op.code != P_MAP):
        c.flags |= REC_ODD
    c.last = op
    if op.code == P_LIST:
        if wire == wire_of(op.sub):
            return proto_scalar(c, op, op.sub, end)
        if wire != 2 or wire_of(op.sub) == 2:
            return BAD
        if read_varint(c, end, &size) != OK or size > <uint64_t>(end - c.p):
            return BAD
        stop = c.p + size
        while c.p < stop:
            if proto_scalar(c, op, op.sub, stop) != OK:
                return BAD
        return OK
    if wire != wire_of(op.code):
        return BAD
    if op.code == P_MESSAGE or op.code == P_REPEATED or op.code == P_MAP:
        if read_varint(c, end, &size) != OK or size > <uint64_t>(end - c.p):
            return BAD
        inner = &c.plan.tables[op.sub]
        if op.code != P_MESSAGE:
            c.elements_left -= 1
            if c.elements_left < 0:
                return BAD
        if op.aux and c.seen:   # a second optional struct: which one fills a place is the twin's to say
            c.flags |= REC_ODD
        c.seen |= <uint32_t>op.aux
        for i in range(inner.defaults_count):
            memcpy(c.rec + inner.defaults[i].dst, inner.defaults[i].data, inner.defaults[i].size)
        if run_proto(c, inner, c.p + size) != OK:
            return BAD
        c.last = op
        return OK
    if op.code == P_BITS:
        if read_varint(c, end, &size) != OK:
            return BAD
        if op.store:
            put_int(c, op.store, op.dst, <int64_t>size & op.aux)
        return OK
    return proto_scalar(c, op, op.code, end)
