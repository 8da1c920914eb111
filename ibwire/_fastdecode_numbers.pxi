# Part of _fastdecode.pyx: digits to numbers, exactly or not at all; what is not exact here goes to Python's conversion.

cdef inline uint64_t load8(const uint8_t *p) noexcept nogil:
    cdef uint64_t x
    memcpy(&x, p, 8)
    return x


cdef inline uint32_t length4(const uint8_t *p) noexcept nogil:
    # Four bytes, big-endian, at any address.
    cdef uint32_t x
    memcpy(&x, p, 4)
    return bswap32(x)


cdef inline int64_t most_elements(size_t payload_bytes) noexcept nogil:
    return FREE_ELEMENTS + <int64_t>(payload_bytes // BYTES_PER_ELEMENT)


cdef inline uint64_t digits8(uint64_t x, unsigned int n) noexcept nogil:
    # The value of n digits, 1 <= n <= 8, each byte 0..9, first digit in the lowest byte.
    x = x << (64 - 8 * n)
    x = (x * 10 + (x >> 8)) & <uint64_t>0x00FF00FF00FF00FF
    x = (x * 100 + (x >> 16)) & <uint64_t>0x0000FFFF0000FFFF
    return (x * 10000 + (x >> 32)) & <uint64_t>0xFFFFFFFF


cdef double hard_float(const uint8_t *p, int n) noexcept with gil:
    # Correctly rounded and locale-independent; the grammar was checked before.
    try:
        return PyOS_string_to_double(PyBytes_FromStringAndSize(<char *>p, n), NULL, NULL)  # too large: infinite
    except BaseException:
        return NAN


cdef inline bint is_unset_text(const uint8_t *p, int n) noexcept nogil:
    cdef int i
    for i in range(5):
        if n == UNSET_LENGTHS[i] and memcmp(p, UNSET_TEXTS[i], n) == 0:
            return True
    return False


cdef int slow_float(const uint8_t *p, int n, bint words, double *out, int *digits, int *significant) noexcept nogil:
    # The whole grammar: sign, digits, point, exponent; words: Infinity and NaN too.
    cdef int i = 0
    cdef int total = 0, after = 0, exponent = 0, sig = 0, kept = 0
    cdef uint64_t mantissa = 0
    cdef bint negative = False, point = False, exp_negative = False
    cdef int exp_digits = 0, scale
    cdef uint8_t c
    cdef double value
    if n > MAX_NUMBER:
        return BAD
    if n and (p[0] == 43 or p[0] == 45):
        negative = p[0] == 45
        i = 1
    while i < n:
        c = p[i]
        if 48 <= c <= 57:
            total += 1
            if point:
                after += 1
            if sig or c != 48:
                sig += 1
                if sig <= 19:
                    mantissa = mantissa * 10 + (c - 48)
                    kept = sig
        elif c == 46 and not point:
            point = True
        else:
            break
        i += 1
    if total and i < n and (p[i] == 101 or p[i] == 69):
        i += 1
        if i < n and (p[i] == 43 or p[i] == 45):
            exp_negative = p[i] == 45
            i += 1
        while i < n and 48 <= p[i] <= 57 and exp_digits < 7:
            exponent = exponent * 10 + (p[i] - 48)
            exp_digits += 1
            i += 1
        if exp_digits == 0 or exp_digits > 6:
            return BAD
        if exp_negative:
            exponent = -exponent
    if total == 0 or i != n:
        if words:
            if (n == 8 and memcmp(p, "Infinity", 8) == 0) or (n == 3 and memcmp(p, "inf", 3) == 0):
                out[0] = INFINITY
            elif (n == 9 and memcmp(p, "-Infinity", 9) == 0) or (n == 4 and memcmp(p, "-inf", 4) == 0):
                out[0] = -INFINITY
            elif n == 3 and (memcmp(p, "NaN", 3) == 0 or memcmp(p, "nan", 3) == 0):
                out[0] = NAN
            else:
                return BAD
            digits[0] = 0xFF
            significant[0] = 0
            return OK
        return BAD
    significant[0] = sig
    digits[0] = after - exponent if after > exponent else 0
    scale = exponent - after
    if sig == 17 and scale == 292 and mantissa == <uint64_t>17976931348623157ULL:
        out[0] = -UNSET_DOUBLE if negative else UNSET_DOUBLE
    elif sig <= 15 and -22 <= scale <= 22:
        value = <double>mantissa
        value = value / POW10[-scale] if scale < 0 else value * POW10[scale]
        out[0] = -value if negative else value
    else:
        out[0] = hard_float(p, n)
    return OK


cdef int slow_int(const uint8_t *p, int n, int64_t *out) noexcept nogil:
    cdef int i = 0
    cdef uint64_t value = 0
    cdef bint negative = False
    if n == 0:
        return BAD
    if p[0] == 43 or p[0] == 45:
        negative = p[0] == 45
        i = 1
    if i == n or n - i > 400:
        return BAD
    while i < n:
        if not 48 <= p[i] <= 57:
            return BAD
        if value > (<uint64_t>INT64_MAX) // 10:
            return BAD
        value = value * 10 + (p[i] - 48)
        i += 1
    if value > <uint64_t>INT64_MAX + (1 if negative else 0):
        return BAD
    out[0] = <int64_t>(0 - value) if negative else <int64_t>value
    return OK
