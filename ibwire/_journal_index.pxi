# Part of _journal.pyx: which order each entry of a journal is about, and which orders have long ended.
#
# Whoever begins with a journal decodes only what it needs; this says what that is. It knows no message and no state:
# numbers of kinds, what each message names, and the words for "ended" come in. Whatever is not plain (an id that two
# orders share, a message whose order is not known, an order that began elsewhere) is decoded, never set aside.

cdef enum:                 # whose an entry is; 0 and up: a group's
    OF_ALL = -1            # every order's, or not known: always taken
    OF_NONE = -2           # tells the order table nothing

cdef enum:                 # what a message names: the table that the constructor is given
    NAMES_NOTHING = 0
    NAMES_ORDER = 1
    NAMES_EXECUTION = 2    # and its order
    NAMES_FEE = 3          # the execution that the fee is for
    NAMES_ID = 4           # of an order or of a request
    BINDS_ORDER = 5        # an order by an id that it did not have
    NAMES_PARENT = 6       # an order, and its parent if it has one

cdef enum:
    MOST_FRAMED = 1 << 22
    RECORD_FLAG_UNDECODABLE = 16

cdef int64_t MARGIN_NS = 60_000_000_000  # between an execution and a list of positions that may have it or not

cdef struct Group:         # an order, as far as its entries tell
    int64_t order_id
    int64_t perm_id
    int64_t parent_id
    int64_t last_ns        # wall clock, of its last entry
    int64_t traded_ns      # and of its last execution
    bint is_placed         # the first of them places it
    bint is_ended          # the last change of its state ended it
    bint is_plain
    bint has_parent_told   # or that it has none
    bint is_kept
    bint is_wanted         # set aside until it was looked for, just now


@cython.final
@cython.no_gc_clear
cdef class Index:
    """Whose the entries of a journal are. One thread.

    Parameters
    ----------
    client_id : of the journal's client.
    roles : 256 bytes: what a message of each kind names (``io.journal_restore``).
    place, cancels : the act of an intent that makes an order; those that add no risk.
    about_orders : the acts that the order table is told of.
    ended : the words for states that are ends.
    listed : how the body of an input begins, behind its message, that tells of every position.
    """

    cdef int64_t client_id
    cdef uint8_t[256] roles
    cdef uint8_t[256] acts          # 1 makes an order, 2 the table is told of it, 4 uses up an id
    cdef bytes words                # those for "ended", each behind its length
    cdef const uint8_t *first_word
    cdef const uint8_t *first_listed
    cdef uint64_t listed_bytes
    cdef Group *groups
    cdef uint32_t group_count, group_room
    cdef uint32_t *offsets          # of each entry, in its segment
    cdef int32_t *owners            # and whose it is
    cdef uint32_t count, room
    cdef list starts                # of each segment: its first entry
    cdef NameMap own, perms, executions
    cdef Held *recent               # messages that the table may not have taken
    cdef uint32_t recent_count, recent_room
    cdef Held *unanswered           # intents without an outcome
    cdef uint32_t unanswered_count, unanswered_room
    cdef uint64_t frame             # number of the last, among those that were decoded
    cdef uint64_t until             # bytes of the decoded ones that can be looked at
    cdef readonly int64_t last_ns   # of the last entry that counts
    cdef readonly int64_t high_water
    cdef bint is_execution          # the entry at hand
    cdef readonly bint is_closed
    cdef readonly bint is_doubtful  # something here is not as it should be: everything has to be decoded
    cdef readonly int64_t listed_ns  # wall clock: executions since then count for the positions; 0: none does
    cdef int64_t last_listed_ns
    cdef bytes listed               # how an input begins that tells of all positions
    cdef public int64_t wall_offset  # of the wall clock from the entries' times

    def __cinit__(self, int64_t client_id, bytes roles not None, int place, cancels not None, about_orders not None,
                  ended not None, bytes listed not None):
        if len(roles) != 256:
            raise ValueError("256 kinds have a role each")
        self.client_id = client_id
        memcpy(&self.roles[0], PyBytes_AS_STRING(roles), 256)
        for act in range(256):
            self.acts[act] = (act == place) | (act in about_orders) << 1 | (act not in cancels) << 2
        self.words = b"".join(bytes([len(word)]) + word for word in ended)
        self.first_word = <const uint8_t *>PyBytes_AS_STRING(self.words)
        self.listed = listed
        self.first_listed = <const uint8_t *>PyBytes_AS_STRING(self.listed)
        self.listed_bytes = len(listed)
        self.starts = []

    def __dealloc__(self):
        name_free(&self.own)
        name_free(&self.perms)
        name_free(&self.executions)
        free(self.groups)
        free(self.offsets)
        free(self.owners)
        free(self.recent)
        free(self.unanswered)

    @property
    def entries(self):
        """How many there are."""
        return self.count

    def begin_segment(self):
        """What is sorted from now on stands in the next segment."""
        self.starts.append(self.count)

    def gather(self, data not None, uint64_t at, uint64_t end, int stop1, int stop2):
        """The frames from ``at`` on that came in, as they came in, and where the next part begins.

        A part ends before an entry of the kinds ``stop1`` and ``stop2``, unless that is its first, and is not too long.
        """
        cdef const uint8_t[::1] view = data
        cdef uint64_t start = at, size = 0, stop, length
        cdef uint32_t n
        cdef int kind
        cdef const uint8_t *entry
        cdef uint8_t *to
        while at < end and size < MOST_FRAMED:
            entry = &view[at]
            kind = (<const uint16_t *>(entry + 24))[0]
            if at > start and (kind == stop1 or kind == stop2):
                break
            length = (<const uint32_t *>(entry + 4))[0]
            if kind == KIND_RECEIVED:
                if length < ENTRY_HEAD_BYTES + RECORD_HEAD_BYTES:
                    self.is_doubtful = True
                    return end, b""
                size += 4 + length - ENTRY_HEAD_BYTES - RECORD_HEAD_BYTES
            at += padded(length)
        stop = at
        cdef bytes framed = PyBytes_FromStringAndSize(NULL, size)
        to = <uint8_t *>PyBytes_AS_STRING(framed)
        at = start
        while at < stop:
            entry = &view[at]
            length = (<const uint32_t *>(entry + 4))[0]
            if (<const uint16_t *>(entry + 24))[0] == KIND_RECEIVED:
                n = <uint32_t>(length - ENTRY_HEAD_BYTES - RECORD_HEAD_BYTES)
                to[0], to[1], to[2], to[3] = n >> 24, n >> 16 & 255, n >> 8 & 255, n & 255
                memcpy(to + 4, entry + ENTRY_HEAD_BYTES + RECORD_HEAD_BYTES, n)
                to += 4 + n
            at += padded(length)
        return stop, framed

    def sort(self, data not None, uint64_t at, uint64_t end, LogCursor decoded, uint64_t base):
        """Take the entries from ``at`` to ``end``; ``decoded`` has what became of their frames, from ``base`` + 1 on."""
        cdef const uint8_t[::1] view = data
        cdef int failed = 0
        self.frame, self.until = base, 0
        with nogil:
            while at < end and not failed:
                failed = self.take(&view[at], at, decoded)
                at += padded((<const uint32_t *>&view[at + 4])[0])
            if decoded is not None:
                while decoded.look():  # the rest is of nobody
                    decoded.at += decoded.look()
                decoded.leave()
        if failed:
            raise MemoryError()

    def pin(self, int64_t order_id, int64_t perm_id):
        """This order is to be decoded, whatever else is true."""
        cdef int32_t found
        for found in (name_find(&self.own, order_id), name_find(&self.perms, perm_id)):
            if found >= 0:
                self.groups[found].is_plain = False

    def untold(self):
        """Ids of our orders that are kept and of which the gateway has not said whether they have a parent."""
        cdef uint32_t i
        return [self.groups[i].order_id for i in range(self.group_count)
                if self.groups[i].is_kept and self.groups[i].order_id and not self.groups[i].has_parent_told]

    def tie(self, int64_t order_id, int64_t parent_id):
        """This order has a parent."""
        cdef int32_t found = name_find(&self.own, order_id)
        if found >= 0:
            self.groups[found].parent_id = parent_id

    def choose(self, int64_t before_ns):
        """Set aside the orders that ended, with nothing about them since that time of the wall clock.

        Those that belong together (a parent and its children) stay together.

        Returns
        -------
        int
            How many orders are set aside.
        """
        cdef uint32_t i, aside = 0
        cdef NameMap names
        cdef Group *one
        cdef int failed = 0
        self.forget_recent()
        for i in range(self.unanswered_count):
            self.groups[self.unanswered[i].group].is_plain = False
        memset(&names, 0, sizeof(names))
        with nogil:
            for i in range(self.group_count):
                one = &self.groups[i]
                one.is_kept = not (one.is_placed and one.is_ended and one.is_plain and one.perm_id
                                   and one.has_parent_told and one.last_ns < before_ns
                                   and not (self.listed_ns and one.traded_ns > self.listed_ns - MARGIN_NS)
                                   ) or self.is_doubtful
                if one.is_kept:
                    failed |= self.name_family(&names, one)
            i = 0
            while not failed and self.next_of_family(&names, &i):
                self.groups[i].is_kept = True
                failed |= self.name_family(&names, &self.groups[i])
            for i in range(self.group_count):
                aside += not self.groups[i].is_kept
        name_free(&names)
        if failed:
            raise MemoryError()
        return aside

    def want(self, int64_t order_id, int64_t perm_id):
        """Look for an order that is set aside, by its order id or else its permId, with its family.

        Returns
        -------
        list of int
            Their order ids; empty when there is none. From then on they are kept.
        """
        cdef int32_t found = name_find(&self.own, order_id) if order_id else name_find(&self.perms, perm_id)
        cdef list ids = []
        cdef NameMap names
        cdef uint32_t i
        cdef int failed
        if found < 0 or self.groups[found].is_kept:
            return ids
        for i in range(self.group_count):
            self.groups[i].is_wanted = False
        memset(&names, 0, sizeof(names))
        i = <uint32_t>found
        while True:
            self.groups[i].is_kept = self.groups[i].is_wanted = True
            ids.append(self.groups[i].order_id)
            failed = self.name_family(&names, &self.groups[i])
            if failed or not self.next_of_family(&names, &i):
                break
        name_free(&names)
        if failed:
            raise MemoryError()
        return ids

    def kept(self, uint32_t segment, bint wanted=False):
        """Where in a segment the entries begin that are to be decoded: those of all orders, and of those that are not
        set aside; or of those that were last wanted."""
        cdef list found = []
        cdef uint32_t i
        cdef uint32_t end = self.starts[segment + 1] if segment + 1 < len(self.starts) else self.count
        cdef int32_t owner
        for i in range(self.starts[segment], end):
            owner = self.owners[i]
            if owner == OF_ALL or (owner >= 0 and (self.groups[owner].is_wanted if wanted
                                                   else self.groups[owner].is_kept)):
                found.append(self.offsets[i])
        return found

    # ------------------------------------------------------------------ one entry

    cdef int take(self, const uint8_t *entry, uint64_t at, LogCursor decoded) noexcept nogil:
        # 0, or -1 without memory.
        cdef int kind = (<const uint16_t *>(entry + 24))[0]
        cdef const uint8_t *body = entry + ENTRY_HEAD_BYTES
        cdef uint64_t n = (<const uint32_t *>(entry + 4))[0] - ENTRY_HEAD_BYTES
        cdef int64_t ns = (<const int64_t *>(entry + 16))[0]
        cdef int32_t owner = OF_NONE
        cdef int failed = self.grow()
        if failed:
            return failed
        self.is_execution = False
        if kind != KIND_END and kind != KIND_OPENED and kind != KIND_CUT:
            self.last_ns = ns
        if kind != KIND_END:
            self.is_closed = kind == KIND_CLOSED
        if kind == KIND_RECEIVED:
            failed = self.received(body, n, decoded, &owner)
        elif kind == KIND_TRANSITION:
            self.transition(body, n)
        elif kind == KIND_INTENT and n >= 20:
            failed = self.intent(body, (<const uint64_t *>(entry + 8))[0], &owner)
        elif (kind == KIND_SENT or kind == KIND_SEND_FAILED) and n >= 32:
            owner = self.outcome(body)
        elif kind == KIND_INPUT and n >= 8:
            self.taken((<const uint64_t *>body)[0])
            if n - 8 >= self.listed_bytes and not memcmp(body + 8, self.first_listed, self.listed_bytes):
                self.listed_ns = self.last_listed_ns if self.last_listed_ns else ns + self.wall_offset
                self.last_listed_ns = ns + self.wall_offset
            owner = OF_ALL
        elif kind == KIND_OPENED:
            self.forget_recent()
            self.unanswered_count = 0
            owner = OF_ALL
        elif kind == KIND_SESSION:
            if not (<const uint16_t *>(entry + 26))[0] & FLAG_CARRIED:
                self.forget_recent()
            owner = OF_ALL
        elif kind == KIND_GAP:
            self.is_doubtful = True
            owner = OF_ALL
        elif kind == KIND_KILL or kind == KIND_HIGH_WATER:
            owner = OF_ALL
        elif kind == KIND_INTENT or kind == KIND_SENT or kind == KIND_SEND_FAILED or kind == KIND_INPUT:
            self.is_doubtful = True
            owner = OF_ALL
        if owner >= 0:
            self.groups[owner].last_ns = ns + self.wall_offset
            if self.is_execution:
                self.groups[owner].traded_ns = ns + self.wall_offset
        self.offsets[self.count] = <uint32_t>at
        self.owners[self.count] = owner
        self.count += 1
        return failed

    cdef int intent(self, const uint8_t *body, uint64_t seq, int32_t *owner) noexcept nogil:
        cdef int64_t order_id = (<const int64_t *>body)[0]
        cdef int act = (<const uint16_t *>(body + 16))[0] & 255
        cdef bint is_new
        self.taken((<const uint64_t *>(body + 8))[0])
        owner[0] = OF_ALL
        if self.acts[act] & 4 and order_id > self.high_water:
            self.high_water = order_id
        if not self.acts[act] & 2:
            return 0
        owner[0] = name_find(&self.own, order_id)
        is_new = owner[0] == MISSING
        if is_new and self.make(order_id, 0, owner):
            return -1
        if is_new:
            self.groups[owner[0]].is_placed = self.acts[act] & 1
        self.groups[owner[0]].is_ended = False
        return hold(&self.unanswered, &self.unanswered_count, &self.unanswered_room, seq, owner[0])

    cdef int32_t outcome(self, const uint8_t *body) noexcept nogil:
        cdef uint64_t intent = (<const uint64_t *>(body + 16))[0]
        cdef uint32_t i = self.unanswered_count
        cdef int32_t found = name_find(&self.own, (<const int64_t *>body)[0])
        self.taken((<const uint64_t *>(body + 8))[0])
        while i:
            i -= 1
            if self.unanswered[i].seq == intent:
                self.unanswered_count -= 1
                self.unanswered[i] = self.unanswered[self.unanswered_count]
                break
        return found if found >= 0 else OF_ALL

    cdef void transition(self, const uint8_t *body, uint64_t n) noexcept nogil:
        cdef const uint8_t *end = body + n
        cdef const uint8_t *at
        cdef int64_t order_id = 0, perm_id = 0
        cdef uint32_t length = 0
        cdef int32_t found
        at = after_number(after_text(body, end, b'{"orderId":'), end, &order_id)
        at = after_number(after_text(at, end, b',"permId":'), end, &perm_id)
        at = after_word(after_text(at, end, b',"from":"'), end, &length)
        at = after_text(at, end, b',"to":"')
        if after_word(at, end, &length) is NULL:
            self.is_doubtful = True
            return
        found = name_find(&self.perms, perm_id) if perm_id else MISSING
        if found >= 0 and self.groups[found].order_id == order_id:
            self.groups[found].is_ended = self.is_end(at, length)
        else:  # it may be another client's order of that id
            found = name_find(&self.own, order_id)
            if found >= 0:
                self.groups[found].is_ended = False

    cdef bint is_end(self, const uint8_t *word, uint32_t n) noexcept nogil:
        cdef const uint8_t *at = self.first_word
        while at[0]:
            if at[0] == n and not memcmp(at + 1, word, n):
                return True
            at += at[0] + 1
        return False

    # ------------------------------------------------------------------ messages

    cdef int received(self, const uint8_t *body, uint64_t n, LogCursor decoded, int32_t *owner) noexcept nogil:
        cdef const uint8_t *found = NULL
        cdef const OrderStatusRecord *record
        cdef const uint8_t *payload
        cdef int failed = 0
        owner[0] = OF_ALL
        if n < RECORD_HEAD_BYTES:  # its part was not decoded either
            return 0
        found = self.next_decoded(decoded)
        if found is NULL:
            return 0
        record = <const OrderStatusRecord *>(found + 8)
        payload = entry_payload(found)
        if not record.flags & RECORD_FLAG_UNDECODABLE:
            failed = self.message(record, payload, owner)
        decoded.at += entry_bytes(found)
        if owner[0] >= 0 and not failed:
            return hold(&self.recent, &self.recent_count, &self.recent_room, (<const uint64_t *>body)[0], owner[0])
        return failed

    cdef const uint8_t *next_decoded(self, LogCursor cursor) noexcept nogil:
        # What became of the next frame; NULL: nothing that the order ring has.
        cdef const uint8_t *entry
        cdef uint64_t ready
        self.frame += 1
        if cursor is None:
            self.is_doubtful = True
            return NULL
        if cursor.at >= self.until:
            ready = cursor.look()
            if not ready:
                return NULL
            self.until = cursor.at + ready
        entry = data_of(cursor.segment) + cursor.at
        return entry if entry_seq(entry) == self.frame else NULL

    cdef int message(self, const OrderStatusRecord *record, const uint8_t *payload, int32_t *owner) noexcept nogil:
        cdef int role = self.roles[record.kind], failed = 0
        cdef int64_t name
        cdef int32_t known
        owner[0] = OF_NONE
        if role == NAMES_ORDER or role == BINDS_ORDER or role == NAMES_PARENT:
            failed = self.order(record, owner)
            if owner[0] < 0 or failed:
                return failed
            if role == BINDS_ORDER:
                self.groups[owner[0]].is_plain = False
            elif role == NAMES_PARENT:
                self.groups[owner[0]].has_parent_told = True
                if known_id(record.parentId):
                    self.groups[owner[0]].parent_id = record.parentId
        elif role == NAMES_EXECUTION:
            self.is_execution = True
            failed = self.order(record, owner)
            if failed:
                return failed
            name = execution_name(payload + record.execId.offset, record.execId.length)
            known = name_find(&self.executions, name)
            if known == owner[0] and known >= 0:
                return 0
            if owner[0] >= 0 and known != MISSING:
                self.groups[owner[0]].is_plain = False
            if known >= 0:  # it stays with the order that had it first
                self.groups[known].is_plain = False
                owner[0] = known
                return 0
            failed = name_put(&self.executions, name, owner[0] if owner[0] >= 0 else EARLY)
        elif role == NAMES_FEE:
            name = execution_name(payload + record.execId.offset, record.execId.length)
            owner[0] = name_find(&self.executions, name)
            if owner[0] < 0:
                owner[0] = OF_ALL
                failed = name_put(&self.executions, name, EARLY)
        elif role == NAMES_ID and record.orderId != -1:
            owner[0] = name_find(&self.own, record.orderId)
            if owner[0] < 0:
                failed = self.make(record.orderId, 0, owner)
                if not failed:
                    self.groups[owner[0]].is_plain = False
        return failed

    cdef int order(self, const OrderStatusRecord *record, int32_t *owner) noexcept nogil:
        # Which order a message names: as the order table finds it, or not plain.
        cdef int64_t order_id = known_id(record.orderId), perm_id = known_id(record.permId)
        cdef int64_t client = record.clientId
        cdef int32_t permed = name_find(&self.perms, perm_id) if perm_id else MISSING
        cdef Group *one
        if client != 0 and not known_id(client):
            client = self.client_id
        owner[0] = OF_ALL
        if order_id and client == self.client_id:
            owner[0] = name_find(&self.own, order_id)
            if owner[0] < 0:
                if self.make(order_id, 0, owner):
                    return -1
                self.groups[owner[0]].is_plain = False
            one = &self.groups[owner[0]]
            if not perm_id or permed == owner[0]:
                return 0
            if permed >= 0:
                self.groups[permed].is_plain = False
                one.is_plain = False
                return 0
            if one.perm_id:
                one.is_plain = False
            else:
                one.perm_id = perm_id
            return name_put(&self.perms, perm_id, owner[0])
        if order_id:  # of another client, or with its ids zeroed
            if permed < 0 and client == 0 and not perm_id:
                permed = name_find(&self.own, order_id)
            if permed >= 0:
                self.groups[permed].is_plain = False
        if permed >= 0:
            owner[0] = permed
            return 0
        if not perm_id:
            return 0
        if self.make(0, perm_id, owner):
            return -1
        self.groups[owner[0]].is_plain = False
        return name_put(&self.perms, perm_id, owner[0])

    # ------------------------------------------------------------------ what is held

    cdef int name_family(self, NameMap *names, const Group *one) noexcept nogil:
        if one.parent_id and name_put(names, one.parent_id, 0):
            return -1
        return name_put(names, one.order_id, 0) if one.order_id else 0

    cdef bint next_of_family(self, const NameMap *names, uint32_t *found) noexcept nogil:
        # One that is set aside and has a parent, or is one, among these names; the first from there on, in a circle.
        cdef uint32_t i, step
        cdef const Group *one
        for step in range(self.group_count):
            i = (found[0] + step) % self.group_count
            one = &self.groups[i]
            if not one.is_kept and (name_find(names, one.order_id) >= 0 or
                                    (one.parent_id and name_find(names, one.parent_id) >= 0)):
                found[0] = i
                return True
        return False

    cdef int make(self, int64_t order_id, int64_t perm_id, int32_t *made) noexcept nogil:
        cdef Group *larger
        cdef Group *one
        if self.group_count == self.group_room:
            self.group_room = 2 * self.group_room if self.group_room else 256
            larger = <Group *>realloc(self.groups, self.group_room * sizeof(Group))
            if larger is NULL:
                return -1
            self.groups = larger
        made[0] = <int32_t>self.group_count
        one = &self.groups[self.group_count]
        memset(one, 0, sizeof(Group))
        one.order_id, one.perm_id, one.is_plain = order_id, perm_id, True
        self.group_count += 1
        return name_put(&self.own, order_id, made[0]) if order_id else 0

    cdef int grow(self) noexcept nogil:
        cdef void *larger
        if self.count < self.room:
            return 0
        self.room = 2 * self.room if self.room else 4096
        larger = realloc(self.offsets, self.room * sizeof(uint32_t))
        if larger is NULL:
            return -1
        self.offsets = <uint32_t *>larger
        larger = realloc(self.owners, self.room * sizeof(int32_t))
        if larger is NULL:
            return -1
        self.owners = <int32_t *>larger
        return 0

    cdef void taken(self, uint64_t after) noexcept nogil:
        # The table had taken every message up to there: what it made of them is told in the transitions.
        cdef uint32_t i, left = 0
        for i in range(self.recent_count):
            if self.recent[i].seq > after:
                self.recent[left] = self.recent[i]
                left += 1
        self.recent_count = left

    cdef void forget_recent(self) noexcept nogil:
        # What the last program may not have taken no transition tells of.
        cdef uint32_t i
        for i in range(self.recent_count):
            self.groups[self.recent[i].group].is_plain = False
        self.recent_count = 0
