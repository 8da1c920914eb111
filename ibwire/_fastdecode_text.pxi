# Part of _fastdecode.pyx: the ops of a text plan, run over one frame into one record. A field ends at its NUL, which is
# searched 64 bytes at a time and only below the frame's end.

cdef inline int read_int(const uint8_t *p, int n, int64_t *out) noexcept nogil:
    # n >= 1 bytes at p
    cdef uint64_t y
    if n == 1:
        out[0] = p[0] - 48
        return OK if 48 <= p[0] <= 57 else BAD
    if n < 8:
        y = load8(p) ^ <uint64_t>0x3030303030303030
        if not ((((y & <uint64_t>0x7F7F7F7F7F7F7F7F) + <uint64_t>0x7676767676767676) | y)
                & <uint64_t>0x8080808080808080 & ((<uint64_t>1 << (8 * n)) - 1)):
            out[0] = <int64_t>digits8(y & ((<uint64_t>1 << (8 * n)) - 1), n)
            return OK
    return slow_int(p, n, out)


cdef inline int plain_number(const uint8_t *p, int n, double *out) noexcept nogil:
    # Plain digits with at most one point, one to seven characters, in one load. Returns the digits after the point;
    # BAD says only that it is not that.
    cdef uint64_t y, other, mask, low
    cdef unsigned int point, after
    mask = <uint64_t>0x00FFFFFFFFFFFFFF >> (56 - 8 * n)
    y = (load8(p) ^ <uint64_t>0x3030303030303030) & mask
    other = (((y & <uint64_t>0x7F7F7F7F7F7F7F7F) + <uint64_t>0x7676767676767676) | y) & <uint64_t>0x8080808080808080
    if not other:
        out[0] = <double>digits8(y, n)
        return 0
    point = ctz(other) >> 3
    if other & (other - 1) or p[point] != 46 or n < 2:
        return BAD
    low = (<uint64_t>1 << (8 * point)) - 1
    y = (y & low) | ((y >> 8) & ~low)
    after = n - 1 - point
    out[0] = <double>digits8(y, n - 1) / POW10[after]
    return <int>after


cdef inline void put_int(Ctx *c, int store, uint16_t dst, int64_t value) noexcept nogil:
    if store == STORE_I64:
        (<int64_t *>(c.rec + dst))[0] = value
        if value == INT64_MIN:
            c.flags |= REC_LONG_NUMBER | REC_UNSET
    elif store == STORE_I32:
        if INT32_MIN < value <= INT32_MAX:
            (<int32_t *>(c.rec + dst))[0] = <int32_t>value
        else:
            (<int32_t *>(c.rec + dst))[0] = INT32_MIN
            c.flags |= REC_LONG_NUMBER | REC_UNSET
    elif store == STORE_I16:
        if -32768 < value <= 32767:
            (<int16_t *>(c.rec + dst))[0] = <int16_t>value
        else:
            (<int16_t *>(c.rec + dst))[0] = -32768
            c.flags |= REC_LONG_NUMBER
    elif store == STORE_I8:
        if 0 <= value <= 255:
            c.rec[dst] = <uint8_t>value
        else:
            c.rec[dst] = 255
            c.flags |= REC_LONG_NUMBER


cdef inline void unset_int(Ctx *c, int store, uint16_t dst) noexcept nogil:
    if store == STORE_I64:
        (<int64_t *>(c.rec + dst))[0] = INT64_MIN
    elif store == STORE_I32:
        (<int32_t *>(c.rec + dst))[0] = INT32_MIN


cdef inline void put_text(Ctx *c, int store, uint16_t dst, uint16_t dst2, int cap, const uint8_t *p, int n,
                          bint escaped) noexcept nogil:
    cdef int i, kept
    if store == STORE_REF:
        (<uint32_t *>(c.rec + dst))[0] = <uint32_t>(p - c.start)
        (<uint32_t *>(c.rec + dst))[1] = <uint32_t>n
        return
    kept = n
    if n > cap:
        kept = cap
        c.flags |= REC_LONG_TEXT
    c.rec[dst2] = <uint8_t>kept
    for i in range(kept):
        c.rec[dst + i] = p[i]
        if p[i] >= 128 or (escaped and p[i] == 92):
            c.flags |= REC_LONG_TEXT  # what the bytes mean needs the whole message


cdef inline bint test_holds(Test *t, Slot *s) noexcept nogil:
    if t.code == 0:
        if s.is_text:
            return s.text_len > 0
        return s.number == s.number and s.number != 0
    if t.code == 2:
        return s.is_text and s.text_len == t.text_len and memcmp(s.text, t.text, t.text_len) == 0
    if s.number != s.number or s.is_text:
        return False
    if t.code == 1:
        return s.number == t.number
    if s.number == UNSET_DOUBLE or s.number == 2147483647.0:
        # An obsolete version field that stands for "newest" has that value too; it is no unset number.
        return t.code == 3 and s.text is NULL and s.number == 2147483647.0
    if t.code == 3:
        return s.number >= t.number
    return s.number > t.number


cdef int text_field(Ctx *c, Op *op, const uint8_t *p, int n) noexcept nogil:
    # Any field, n bytes at p; the common shapes are done in run_text.
    cdef int64_t whole = 0
    cdef double number = 0
    cdef int digits = 0xFF, significant = 0
    cdef int code = op.code
    if code == OP_INT or code == OP_BITS or code == OP_BOOL:
        if n == 0:
            if code == OP_INT and op.flags & F_NULLABLE:
                unset_int(c, op.store, op.dst)
                number = NAN
            elif op.store:
                put_int(c, op.store, op.dst, 0)
        else:
            if read_int(p, n, &whole) != OK:
                return BAD
            number = <double>whole
            if code == OP_INT and op.flags & F_NULLABLE and (
                whole == INT64_MAX if op.flags & F_WIDE else whole == 2147483647
            ):
                unset_int(c, op.store, op.dst)
                number = NAN
            elif op.store:
                put_int(c, op.store, op.dst, whole & op.aux if code != OP_BOOL else whole != 0)
    elif code == OP_FLOAT or code == OP_DEC:
        if odd_number(c, op, p, n, &number) != OK:
            return BAD
    elif code == OP_STR and op.store:
        put_text(c, op.store, op.dst, op.dst2, op.aux, p, n, op.flags & F_ESCAPED)
    if op.slot != NO_SLOT:
        c.slots[op.slot].number = number
        c.slots[op.slot].text = p
        c.slots[op.slot].text_len = n
        c.slots[op.slot].is_text = code == OP_STR
    return OK


cdef int odd_number(Ctx *c, Op *op, const uint8_t *p, int n, double *out) noexcept nogil:
    # Empty, unset or unusual numbers: everything but plain digits with at most one point.
    cdef double number = 0
    cdef int digits = 0xFF, significant = 0
    if n == 0 or (op.flags & F_QUESTION and n == 1 and p[0] == 63):
        if op.flags & F_NULLABLE or n:
            number = NAN
    elif op.code == OP_DEC and n >= 10 and is_unset_text(p, n):
        number = NAN
    elif slow_float(p, n, op.code == OP_FLOAT, &number, &digits, &significant) != OK:
        return BAD
    elif op.code == OP_FLOAT and op.flags & (F_NULLABLE | F_NEGATIVE | F_NOT_COMPUTED):
        if number == UNSET_DOUBLE or (op.flags & F_NEGATIVE and number < 0) or (
            op.flags & F_NOT_COMPUTED and number == op.fval
        ):
            number = NAN
            digits = 0xFF
    out[0] = number
    if op.store == STORE_F64:
        (<double *>(c.rec + op.dst))[0] = number
        if op.code == OP_DEC:
            if number == number and not is_exact(number, digits, significant):
                c.flags |= REC_LONG_NUMBER
        elif number - number != 0:
            digits = 0xFF   # infinite
        if op.dst2 != NO_DST:
            c.rec[op.dst2] = <uint8_t>digits if digits < 128 else 0xFF
    return OK


cdef inline bint is_exact(double number, int digits, int significant) noexcept nogil:
    # Whether a double and the digits after the point give the decimal back.
    return significant <= EXACT_DIGITS and digits <= 127 and number - number == 0


cdef inline int kept_number(Ctx *c, uint16_t dst, uint16_t dst2, const uint8_t *p, int n) noexcept nogil:
    # The usual number, stored with its digits after the point; BAD: not that, nothing is stored.
    cdef int after
    cdef double number
    if not likely(0 < n < 8):
        return BAD
    after = plain_number(p, n, &number)
    if after < 0:
        return BAD
    (<double *>(c.rec + dst))[0] = number
    c.rec[dst2] = <uint8_t>after
    return OK


cdef inline uint64_t zeros_within(const uint8_t *base, const uint8_t *end) noexcept nogil:
    # The zeros of the 64 bytes at base that lie before end; base < end.
    cdef uint64_t mask
    if end - base <= 32:
        return ibw_zeros32(base) & (<uint64_t>0xFFFFFFFF >> (32 - (end - base)))
    mask = ibw_zeros64(base)
    if end - base < 64:
        mask &= (<uint64_t>1 << (end - base)) - 1
    return mask


cdef int run_text(Ctx *c, int i, int stop) noexcept nogil:
    # The ends of all fields come from one scan for zero bytes, so that no field waits for the one before it.
    cdef Op *op = &c.plan.ops[i]
    cdef Op *last = &c.plan.ops[stop]
    cdef const uint8_t *p = c.p
    cdef const uint8_t *base = c.base
    cdef const uint8_t *at
    cdef uint8_t *rec = c.rec
    cdef uint64_t mask = c.mask
    cdef uint64_t second, third
    cdef int64_t whole
    cdef double number
    cdef int j, n, fast
    cdef bint yes
    while op < last:
        fast = op.fast
        if fast == FAST_CONTROL and op.code != OP_REPEAT:
            if op.code == OP_PRESENT:
                c.seen |= <uint32_t>op.aux
                op += 1
                continue
            yes = False
            for j in range(op.dst, op.dst + op.dst2):
                if test_holds(&c.plan.tests[j], &c.slots[c.plan.tests[j].slot]):
                    yes = True
                    break
            op = op + 1 if yes else &c.plan.ops[op.jump]
            continue
        while not mask:
            base += 64
            if base >= c.end:
                return BAD
            mask = zeros_within(base, c.end)
        at = base + ctz(mask)
        n = <int>(at - p)
        if fast == FAST_NUMBER:
            if kept_number(c, op.dst, op.dst2, p, n) != OK:
                if odd_number(c, op, p, n, &number) != OK:
                    return BAD
        elif fast == FAST_HEAD:
            second = mask & (mask - 1)
            third = second & (second - 1)
            if likely(third != 0 and n == 1 and 48 <= p[0] <= 57):
                p = at + 1
                at = base + ctz(second)
                n = <int>(at - p)
                if not n or read_int(p, n, <int64_t *>(rec + op[1].dst)) != OK:
                    if n:
                        return BAD
                    (<int64_t *>(rec + op[1].dst))[0] = 0
                elif n > 19:
                    put_int(c, STORE_I64, op[1].dst, (<int64_t *>(rec + op[1].dst))[0])
                p = at + 1
                mask = third
                at = base + ctz(third)
                n = <int>(at - p)
                op += 2
            elif n and read_int(p, n, &whole) != OK:
                return BAD
            else:
                mask &= mask - 1
                p = at + 1
                op += 1
                continue
            whole = 0
            if n and read_int(p, n, &whole) != OK:
                return BAD
            whole &= op.aux
            if likely(INT32_MIN < whole <= INT32_MAX):
                (<int32_t *>(rec + op.dst))[0] = <int32_t>whole
            else:
                put_int(c, STORE_I32, op.dst, whole)
        elif fast <= FAST_I32 and fast >= FAST_CHECK:
            whole = 0
            if n and read_int(p, n, &whole) != OK:
                return BAD
            if fast == FAST_I64:
                put_int(c, STORE_I64, op.dst, whole)
            elif fast == FAST_I32:
                whole &= op.aux
                if likely(INT32_MIN < whole <= INT32_MAX):
                    (<int32_t *>(rec + op.dst))[0] = <int32_t>whole
                else:
                    put_int(c, STORE_I32, op.dst, whole)
        elif fast == FAST_VALID:
            # Empty, plain, or the number that means "unset": all of them are numbers.
            if n and not (n < 8 and plain_number(p, n, &number) >= 0) and not (
                n == UNSET_LENGTHS[2] and memcmp(p, UNSET_TEXTS[2], UNSET_LENGTHS[2]) == 0
            ) and odd_number(c, op, p, n, &number) != OK:
                return BAD
        elif fast == FAST_DOUBLE:
            if likely(0 < n < 8) and plain_number(p, n, &number) >= 0:
                (<double *>(rec + op.dst))[0] = number
            elif odd_number(c, op, p, n, &number) != OK:
                return BAD
        elif fast == FAST_REF:
            (<uint32_t *>(rec + op.dst))[0] = <uint32_t>(p - c.start)
            (<uint32_t *>(rec + op.dst))[1] = <uint32_t>n
        elif fast == FAST_NONE:
            if text_field(c, op, p, n) != OK:
                return BAD
        elif fast == FAST_CONTROL:
            whole = 0
            if n and read_int(p, n, &whole) != OK:
                return BAD
            if whole < 0 or whole > c.end - at - 1:
                return BAD
            c.elements_left -= whole
            if c.elements_left < 0:
                return BAD
            if op.slot != NO_SLOT:
                c.slots[op.slot].number = <double>whole
                c.slots[op.slot].is_text = False
            c.p, c.mask, c.base = at + 1, mask & (mask - 1), base
            while whole > 0:
                if run_text(c, <int>(op - c.plan.ops) + 1, op.jump) != OK:
                    return BAD
                whole -= 1
            p, mask, base = c.p, c.mask, c.base
            op = &c.plan.ops[op.jump]
            continue
        mask &= mask - 1
        p = at + 1
        op += 1
    c.p, c.mask, c.base = p, mask, base
    return OK
