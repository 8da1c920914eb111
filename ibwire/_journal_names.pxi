# Part of _journal.pyx: what its index needs of containers and texts, without the GIL.

cdef enum:                 # what a name in a map stands for; 0 and up: a group
    MISSING = -1
    EARLY = -2             # an execution whose order is not known, perhaps as only its fees came

cdef struct Held:          # something that waits for a word about it
    uint64_t seq
    int32_t group

cdef struct NameMap:       # open addressing; a slot without a value is free
    int64_t *keys
    int32_t *values
    uint64_t slots
    uint64_t used


cdef inline uint64_t slot_of(const NameMap *map, int64_t key) noexcept nogil:
    cdef uint64_t h = <uint64_t>key * <uint64_t>0x9E3779B97F4A7C15
    return (h ^ (h >> 29)) & (map.slots - 1)


cdef int32_t name_find(const NameMap *map, int64_t key) noexcept nogil:
    cdef uint64_t at
    if not map.slots:
        return MISSING
    at = slot_of(map, key)
    while map.values[at] != MISSING:
        if map.keys[at] == key:
            return map.values[at]
        at = (at + 1) & (map.slots - 1)
    return MISSING


cdef int name_put(NameMap *map, int64_t key, int32_t value) noexcept nogil:
    # 0, or -1 without memory.
    cdef NameMap larger
    cdef uint64_t i, at
    if 2 * (map.used + 1) > map.slots:
        larger.slots = 2 * map.slots if map.slots else 1024
        larger.used = 0
        larger.keys = <int64_t *>malloc(larger.slots * sizeof(int64_t))
        larger.values = <int32_t *>malloc(larger.slots * sizeof(int32_t))
        if larger.keys is NULL or larger.values is NULL:
            free(larger.keys)
            free(larger.values)
            return -1
        for i in range(larger.slots):
            larger.values[i] = MISSING
        for i in range(map.slots):
            if map.values[i] != MISSING:
                name_put(&larger, map.keys[i], map.values[i])
        free(map.keys)
        free(map.values)
        map[0] = larger
    at = slot_of(map, key)
    while map.values[at] != MISSING and map.keys[at] != key:
        at = (at + 1) & (map.slots - 1)
    if map.values[at] == MISSING:
        map.used += 1
    map.keys[at], map.values[at] = key, value
    return 0


cdef void name_free(NameMap *map) noexcept nogil:
    free(map.keys)
    free(map.values)


cdef inline int64_t known_id(int64_t value) noexcept nogil:
    # An id, 0 for any spelling of "none".
    if value == 0x7FFFFFFF or value == <int64_t>0x7FFFFFFFFFFFFFFF or value <= -<int64_t>0x7FFFFFFFFFFFFFFF:
        return 0
    return value


cdef int64_t execution_name(const uint8_t *text, uint32_t n) noexcept nogil:
    # Of an execution id without its revision, which stands behind the last point.
    cdef uint32_t end = n, i
    cdef uint64_t h = <uint64_t>0xCBF29CE484222325
    while end and 48 <= text[end - 1] <= 57:
        end -= 1
    if not end or end == n or text[end - 1] != 46:
        end = n
    else:
        end -= 1
    for i in range(end):
        h = (h ^ text[i]) * <uint64_t>0x100000001B3
    return <int64_t>(h ^ (h >> 31))


cdef const uint8_t *after_text(const uint8_t *at, const uint8_t *end, const char *text) noexcept nogil:
    # Behind a text that stands here; NULL: another one does.
    cdef size_t n = strlen(text)
    if at is NULL or <size_t>(end - at) < n or memcmp(at, text, n):
        return NULL
    return at + n


cdef const uint8_t *after_number(const uint8_t *at, const uint8_t *end, int64_t *value) noexcept nogil:
    cdef bint negative
    cdef int digits = 0
    if at is NULL:
        return NULL
    negative = at < end and at[0] == 45
    if negative:
        at += 1
    value[0] = 0
    while at < end and 48 <= at[0] <= 57 and digits < 18:
        value[0] = value[0] * 10 + (at[0] - 48)
        at += 1
        digits += 1
    if negative:
        value[0] = -value[0]
    return at if digits else NULL


cdef const uint8_t *after_word(const uint8_t *at, const uint8_t *end, uint32_t *length) noexcept nogil:
    # Behind a text without escapes and its quotation mark.
    cdef const uint8_t *start = at
    if at is NULL:
        return NULL
    while at < end and at[0] != 34 and at[0] != 92:
        at += 1
    if at >= end or at[0] != 34:
        return NULL
    length[0] = <uint32_t>(at - start)
    return at + 1


cdef int hold(Held **held, uint32_t *count, uint32_t *room, uint64_t seq, int32_t group) noexcept nogil:
    cdef Held *larger
    if count[0] == room[0]:
        room[0] = 2 * room[0] if room[0] else 256
        larger = <Held *>realloc(held[0], room[0] * sizeof(Held))
        if larger is NULL:
            return -1
        held[0] = larger
    held[0][count[0]].seq, held[0][count[0]].group = seq, group
    count[0] += 1
    return 0
