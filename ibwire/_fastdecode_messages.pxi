# Part of _fastdecode.pyx: whole messages, decoded and encoded.
#
# The same plans, with Python objects in the registers. What is unusual (hooks, escapes, odd numbers, values of the
# wrong kind) is left to the plain twin's own functions, given by tools(): so there is one meaning. None means "the
# plain twin shall say what is wrong".

cdef object _plain = None   # an object with the plain twin's functions


def tools(plain):
    """Give the plain twin's functions for unusual values; called once, by ``wire/impl.py``."""
    global _plain
    _plain = plain


@cython.final
cdef class _TextOp:
    cdef int code
    cdef Py_ssize_t reg
    cdef bint nullable
    cdef bint wide
    cdef bint odd            # hook, words, unknown text, "not computed": the plain twin's business
    cdef bint escaped
    cdef object empty
    cdef object null
    cdef bytes null_text
    cdef bytes text
    cdef object source       # the plain op
    cdef object cond
    cdef list bits
    cdef list body           # of a condition or of an element
    cdef Py_ssize_t init_size
    cdef list init
    cdef tuple lists
    cdef object shape        # _Layout of an element, or None
    cdef str name


cdef list text_ops(ops):
    cdef list out = []
    cdef _TextOp made
    for op in ops:
        made = _TextOp.__new__(_TextOp)
        made.code = op.code
        made.reg = op.reg
        made.nullable = op.nullable
        made.wide = op.wide
        made.escaped = op.rule != 0
        made.odd = bool(op.hook is not None or op.words is not None or op.unknown or op.not_computed is not None)
        made.empty, made.null = op.empty, op.null
        made.null_text = op.null_text.encode() + b"\0"
        made.text = op.text.encode() + b"\0"
        made.source, made.cond, made.name = op, op.cond, op.name
        made.bits = list(op.bits)
        if op.body:
            made.body = text_ops(op.body)
        if op.sub is not None and op.code == OP_REPEAT:
            made.body = text_ops(op.sub.ops)
            made.init, made.lists = op.sub.init, op.sub.lists
            made.shape = layout_of(op.sub.shape) if op.sub.shape is not None else None
        out.append(made)
    return out


@cython.final
cdef class _Layout:
    """A shape in a form that is quick to walk."""
    cdef str name
    cdef tuple names
    cdef list offsets
    cdef list subs
    cdef list presences
    cdef object shape


cdef dict _layouts = {}


cdef _Layout layout_of(shape):
    cdef _Layout made = _layouts.get(id(shape))
    if made is None:
        made = _Layout.__new__(_Layout)
        made.name, made.names, made.shape = shape.name, shape.names, shape
        made.offsets = [c[0] for c in shape.children]
        made.subs = [layout_of(c[1]) if c[1] is not None else None for c in shape.children]
        made.presences = [c[2] for c in shape.children]
        _layouts[id(shape)] = made   # the shape is kept by made, so its id stays its own
    return made


cdef list values_of(_Layout layout, list regs, Py_ssize_t base, make):
    cdef list values = []
    cdef Py_ssize_t i, offset, presence
    cdef _Layout sub
    for i in range(len(layout.offsets)):
        offset = base + <Py_ssize_t>layout.offsets[i]
        sub = layout.subs[i]
        if sub is None:
            values.append(regs[offset])
            continue
        presence = layout.presences[i]
        if presence >= 0 and not regs[base + presence]:
            values.append(None)
        else:
            values.append(make(sub.name, sub.names, values_of(sub, regs, offset, make)))
    return values


cdef list fresh(list init, tuple lists):
    cdef list regs = list(init)
    for reg, _ in lists:
        regs[reg] = []
    return regs


cdef object text_value(_TextOp op, const uint8_t *p, int n):
    # The value of a field, or NotImplemented for the plain twin.
    cdef int64_t whole = 0
    cdef double number = 0
    cdef int digits = 0, significant = 0, i
    if op.odd:
        return NotImplemented
    if op.code == OP_STR:
        for i in range(n):
            if p[i] >= 128 or (op.escaped and p[i] == 92):
                return NotImplemented
        return (<char *>p)[:n].decode("ascii")
    if n == 0:
        return op.empty
    if op.code == OP_INT or op.code == OP_BOOL:
        if read_int(p, n, &whole) != OK:
            return NotImplemented
        if op.code == OP_BOOL:
            return whole != 0
        if op.nullable and whole == (INT64_MAX if op.wide else 2147483647):
            return op.null
        return whole
    if op.code == OP_FLOAT:
        if slow_float(p, n, True, &number, &digits, &significant) != OK:
            return NotImplemented
        return op.null if op.nullable and number == UNSET_DOUBLE else number
    if slow_float(p, n, False, &number, &digits, &significant) != OK:
        return NotImplemented
    if is_unset_text(p, n):
        return op.null
    return _plain.Decimal((<char *>p)[:n].decode("ascii"))


@cython.final
cdef class _TextCursor:
    cdef const uint8_t *p
    cdef const uint8_t *end
    cdef int64_t elements_left
    cdef bint bad


cdef int take_field(_TextCursor c, const uint8_t **start):
    cdef const uint8_t *at
    start[0] = c.p
    if c.p >= c.end:
        return BAD
    at = <const uint8_t *>memchr(c.p, 0, c.end - c.p)
    if at is NULL:
        return BAD
    c.p = at + 1
    return <int>(at - start[0])


cdef bint text_run(list ops, list regs, _TextCursor c, make) except -1:
    # False: the plain twin shall do it all again and say what is wrong.
    cdef _TextOp op
    cdef const uint8_t *p = NULL
    cdef int n
    cdef int64_t whole
    cdef list elements, inner
    for op in ops:
        if op.code == OP_WHEN:
            if op.cond.holds(regs) and not text_run(op.body, regs, c, make):
                return False
            continue
        if op.code == OP_PRESENT:
            regs[op.reg] = True
            continue
        n = take_field(c, &p)
        if n < 0:
            return False
        if op.code == OP_SKIP:
            continue
        if op.code == OP_BITS or op.code == OP_REPEAT:
            whole = 0
            if n and slow_int(p, n, &whole) != OK:
                return False
            if op.code == OP_BITS:
                for reg, bit in op.bits:
                    regs[reg] = (whole & <int64_t>bit) != 0
                continue
            if whole < 0 or whole > c.end - c.p:
                return False
            c.elements_left -= whole
            if c.elements_left < 0:
                return False
            if whole == 0:
                continue
            elements = []
            while whole > 0:
                inner = fresh(op.init, op.lists)
                if not text_run(op.body, inner, c, make):
                    return False
                if op.shape is None:
                    elements.append(inner[0])
                else:
                    elements.append(make((<_Layout>op.shape).name, (<_Layout>op.shape).names,
                                         values_of(<_Layout>op.shape, inner, 0, make)))
                whole -= 1
            regs[op.reg] = elements
            continue
        value = text_value(op, p, n)
        if value is NotImplemented:
            value = _plain.text_value(op.source, (<char *>p)[:n], make)
            if value is NotImplemented:
                return False
        regs[op.reg] = value
    return True


def text_decode(plan, payload not None, Py_ssize_t start, make):
    """Twin of ``wire.text.decode``: (registers, extra bytes), or None where that one raises."""
    cdef bytes data = bytes(payload)
    cdef list ops = plan.extra.get("text_ops")
    cdef _TextCursor c = _TextCursor.__new__(_TextCursor)
    cdef list regs
    if ops is None:
        ops = plan.extra["text_ops"] = text_ops(plan.text)
    regs = fresh(plan.init, plan.lists)
    # read_int may load eight bytes past a field: copy so that they are ours
    padded = data + b"\0\0\0\0\0\0\0\0"
    c.p = <const uint8_t *><const char *><bytes>padded + start
    c.end = <const uint8_t *><const char *><bytes>padded + len(data)
    c.elements_left = most_elements(len(data))
    if not text_run(ops, regs, c, make):
        return None
    for hook in plan.row_hooks:
        hook.decode(regs, plan.shape.index, make)
    return regs, c.end - c.p


# ------------------------------------------------------------------------------------------------ protobuf, whole

@cython.final
cdef class _FieldOp:
    cdef int number
    cdef int code
    cdef int wire
    cdef Py_ssize_t reg
    cdef int kind
    cdef bint odd            # hook, number as text, "not computed", kinds that differ: the plain twin's business
    cdef bint nullable
    cdef object null
    cdef object unset        # the sentinel
    cdef Py_ssize_t presence
    cdef dict table
    cdef list init
    cdef tuple lists
    cdef _Layout shape
    cdef list bits
    cdef object source


cdef dict field_ops(table):
    cdef dict out = {}
    cdef _FieldOp made
    for number, op in table.ops.items():
        made = _FieldOp.__new__(_FieldOp)
        made.number = number
        made.code = op.code
        made.wire = wire_of(op.code)
        made.reg = op.reg
        made.kind = op.kind if op.kind is not None else 0
        made.nullable, made.null, made.source = op.nullable, op.null, op
        made.unset = _plain.SENTINEL.get(op.kind)
        made.presence = op.presence
        made.bits = list(op.bits)
        natural = {P_INT32: K_I32, P_INT64: K_I64, P_DOUBLE: K_F64, P_STRING: K_STR, P_BOOL: K_BOOL}
        made.odd = bool(op.hook is not None or op.not_computed is not None or (
            made.code in natural and natural[made.code] != made.kind))
        if op.table is not None:
            made.table = field_ops(op.table)
        if op.sub is not None and op.code != P_LIST:
            made.table = field_ops(op.sub.table)
            made.init, made.lists = op.sub.init, op.sub.lists
            made.shape = layout_of(op.sub.shape)
        out[number] = made
    return out


cdef object scalar_value(_FieldOp op, int code, Ctx *c, const uint8_t *end):
    # The value as the plain twin's scalar() gives it; NotImplemented: broken.
    cdef uint64_t value = 0
    cdef double number
    if code == P_DOUBLE:
        if end - c.p < 8:
            return NotImplemented
        memcpy(&number, c.p, 8)
        c.p += 8
        return number
    if code == P_STRING:
        if read_varint(c, end, &value) != OK or value > <uint64_t>(end - c.p) or not is_utf8(c.p, value):
            return NotImplemented
        text = (<char *>c.p)[:value].decode("utf-8")
        c.p += value
        return text
    if read_varint(c, end, &value) != OK:
        return NotImplemented
    if code == P_BOOL:
        return value != 0
    if code == P_INT32:
        return <int64_t><int32_t><uint32_t>value
    return <int64_t>value


cdef object converted(_FieldOp op, value):
    if op.odd:
        return _plain.proto_value(op.source, value)
    if op.nullable and value == op.unset:
        return op.null
    return value


cdef bint proto_run(dict table, list regs, Ctx *c, const uint8_t *end, make, Py_ssize_t *unknown, dict maps) except -1:
    cdef uint64_t key = 0, size = 0
    cdef _FieldOp op
    cdef int wire
    cdef const uint8_t *stop
    cdef list inner
    while c.p < end:
        if read_varint(c, end, &key) != OK:
            return False
        wire = key & 7
        found = table.get(key >> 3)
        if found is None:
            if key >> 3 == 0 or skip_unknown(c, wire, end) != OK:
                return False
            unknown[0] += 1
            continue
        op = found
        if op.code == P_LIST:
            if not regs[op.reg]:
                regs[op.reg] = []
            stop = c.p
            if wire == wire_of(<int>op.presence):
                value = scalar_value(op, <int>op.presence, c, end)
                if value is not NotImplemented:
                    value = converted_list(op, value)
                if value is NotImplemented:
                    return False
                regs[op.reg].append(value)
                continue
            if wire != 2 or wire_of(<int>op.presence) == 2:
                return False
            if read_varint(c, end, &size) != OK or size > <uint64_t>(end - c.p):
                return False
            stop = c.p + size
            while c.p < stop:
                value = scalar_value(op, <int>op.presence, c, stop)
                if value is not NotImplemented:
                    value = converted_list(op, value)
                if value is NotImplemented:
                    return False
                regs[op.reg].append(value)
            continue
        if wire != op.wire:
            return False
        if op.code == P_BITS:
            if read_varint(c, end, &size) != OK:
                return False
            for reg, bit in op.bits:
                regs[reg] = (size & <uint64_t>bit) != 0
            continue
        if op.code == P_MESSAGE or op.code == P_REPEATED or op.code == P_MAP:
            if read_varint(c, end, &size) != OK or size > <uint64_t>(end - c.p):
                return False
            stop = c.p + size
            if op.code == P_MESSAGE:
                if op.presence >= 0:
                    regs[op.presence] = True
                if not proto_run(op.table, regs, c, stop, make, unknown, maps):
                    return False
                continue
            c.elements_left -= 1
            if c.elements_left < 0:
                return False
            inner = fresh(op.init, op.lists)
            if not proto_run(op.table, inner, c, stop, make, unknown, maps):
                return False
            made = make(op.shape.name, op.shape.names, values_of(op.shape, inner, 0, make))
            if not regs[op.reg]:
                regs[op.reg] = []
            elements = regs[op.reg]
            if op.code == P_MAP:  # the last value of a key counts
                places = maps.setdefault((id(regs), op.reg), (regs, {}))[1]
                at = places.setdefault(made.tag, len(elements))
                if at < len(elements):
                    elements[at] = made
                    continue
            elements.append(made)
            continue
        value = scalar_value(op, op.code, c, end)
        if value is not NotImplemented:
            value = converted(op, value)
        if value is NotImplemented:
            return False
        regs[op.reg] = value
    return True


cdef object converted_list(_FieldOp op, value):
    return _plain.proto_value(op.source, value)


def proto_decode(plan, payload not None, Py_ssize_t start, make):
    """Twin of ``wire.proto.decode``: (registers, unknown fields), or None where that one raises."""
    cdef bytes padded = bytes(payload) + b"\0\0\0\0\0\0\0\0"
    cdef dict table = plan.extra.get("proto_ops")
    cdef Ctx c
    cdef const uint8_t *end
    cdef Py_ssize_t unknown = 0
    cdef list regs
    if table is None:
        table = plan.extra["proto_ops"] = field_ops(plan.proto)
    regs = fresh(plan.init, plan.lists)
    memset(&c, 0, sizeof(c))
    c.p = <const uint8_t *><const char *>padded + start
    end = <const uint8_t *><const char *>padded + len(padded) - 8
    c.elements_left = most_elements(len(padded) - 8)
    if not proto_run(table, regs, &c, end, make, &unknown, {}):
        return None
    for hook in plan.row_hooks:
        hook.decode(regs, plan.shape.index, make)
    return regs, unknown


# ------------------------------------------------------------------------------------------------ encode

cdef bint text_write(list ops, list regs, bytearray out, str name, flatten) except -1:
    cdef _TextOp op
    cdef int64_t mask
    for op in ops:
        if op.code == OP_WHEN:
            if op.cond.holds(regs):
                text_write(op.body, regs, out, name, flatten)
        elif op.code == OP_REPEAT:
            elements = regs[op.reg] or ()
            out += b"%d\0" % len(elements)
            for element in elements:
                inner = [element] if op.shape is None else flatten((<_Layout>op.shape).shape, element, op.init)
                text_write(op.body, inner, out, name, flatten)
        elif op.code == OP_PRESENT:
            continue
        elif op.code == OP_SKIP:
            out += op.text
        elif op.code == OP_BITS:
            mask = 0
            for reg, bit in op.bits:
                if regs[reg]:
                    mask |= <int64_t>bit
            out += b"%d\0" % mask
        else:
            text_put(op, regs[op.reg], out, name)
    return True


cdef int text_put(_TextOp op, value, bytearray out, str name) except -1:
    # The usual values here; everything else as the plain twin writes it.
    cdef type kind = type(value)
    if not op.odd:
        if op.code == OP_STR and kind is str and not op.escaped and "\0" not in value:
            out += (<str>value).encode("utf-8")
            out += b"\0"
            return 0
        if op.code == OP_INT and kind is int and not (op.nullable and (value == (INT64_MAX if op.wide else 2147483647))):
            out += b"%d\0" % value
            return 0
        if op.code == OP_BOOL and kind is bool:
            out += b"1\0" if value else b"0\0"
            return 0
        if value is None and op.nullable:
            out += op.null_text
            return 0
    out += _plain.text_of(op.source, value, name).encode("utf-8")
    out += b"\0"
    return 0


def text_encode(plan, list regs not None, bytearray out not None, flatten):
    """Twin of ``wire.text.encode``."""
    cdef list ops = plan.extra.get("text_ops")
    if ops is None:
        ops = plan.extra["text_ops"] = text_ops(plan.text)
    regs[plan.shape.index["@version"]] = plan.wire_version
    for hook in plan.row_hooks:
        hook.encode(regs, plan.shape.index)
    text_write(ops, regs, out, plan.row.name, flatten)
