# Part of _tracker.pyx: the orders by all their names, their executions, and the rows that show them.
#
# One thread, the producer, without the GIL. An order keeps its place in memory for as long as the table lives; one that
# turns out to be another one has that one's number as its alias.

cdef extern from "_exact.h" nogil:
    ctypedef long long exact "ibw_exact"      # 128 bits, units of 1e-18
    exact NONE "IBW_EXACT_NONE"
    int ibw_exact_of(double value, int digits, exact *out)
    int ibw_exact_shortest(double value, exact *out)
    double ibw_exact_double(exact value, int8_t *digits)
    bint ibw_is_known(double value)

cdef extern from "_memory.h" nogil:
    ctypedef struct Arena "ibw_arena":
        pass
    void *ibw_take(Arena *arena, size_t bytes)
    void ibw_touch(void *at, size_t bytes)
    void ibw_prepare(Arena *arena)
    void ibw_release(Arena *arena)
    void ibw_expect(void *at)
    void *ibw_map_much(size_t bytes)
    void ibw_unmap_much(void *at, size_t bytes)

cdef enum:                 # what a name in the map is
    BY_KEY = 1
    BY_PERM = 2
    BY_EXEC = 3
    BY_MARKS = 4

cdef enum:                 # security types, as far as they count
    NO_TYPE = 0
    COMBINATION = 1
    OTHER_TYPE = 2

cdef enum:
    EXEC_BYTES = 64
    FILLS_TOGETHER = 64
    AHEAD = 4
    FAST_GROWTH = 65536    # names: below it four times as many at once
    CURRENCY_BYTES = 4

cdef uint32_t NO_SLOT = 0xFFFFFFFF
cdef int64_t MOST_REVISION = 100_000_000_000_000_000

cdef struct TextRef:
    uint32_t offset
    uint32_t length

cdef struct Entry:         # how every entry of the order ring begins: spec/records, the constructor compares
    uint64_t seq
    int64_t recv_ns
    uint8_t kind
    uint8_t part
    uint16_t flags
    int32_t code
    uint32_t payload_bytes
    uint32_t body
    int64_t orderId
    int64_t permId
    int64_t clientId
    int64_t parentId
    double quantity
    double filled
    double remaining
    double price
    double avg_price
    double last_price
    TextRef status
    TextRef text
    TextRef execId
    TextRef side
    TextRef orderRef
    TextRef account
    TextRef symbol
    TextRef secType
    TextRef group
    int8_t quantity_digits
    int8_t filled_digits
    int8_t remaining_digits
    uint8_t whatIf
    int32_t conId

cdef struct Name:
    uint64_t a
    uint64_t b
    uint32_t kind
    uint32_t value         # number + 1; 0: free

cdef struct Recent:
    Order *order
    int64_t order_id       # beside it: most that are not wanted are not fetched

cdef struct Terms:         # NONE and NaN fit everything
    exact quantity
    double limit
    double aux

cdef struct TermList:
    Terms *items
    uint32_t count
    uint32_t room

cdef struct Fill:          # the latest revision of one execution, and its fee
    exact shares
    exact cum
    exact fee              # NONE: not stated
    double price
    int64_t revision
    int64_t fee_revision   # -1: none came
    uint64_t account       # hash; 0: none
    int32_t owner          # -1: none
    int32_t next           # of the same order; -1
    uint32_t index         # its own
    uint32_t base_bytes    # of `text`, without the revision
    uint32_t text_bytes
    uint8_t is_known       # the execution itself came, not its fee only
    uint8_t is_corrected
    uint8_t is_master      # booked in the advisor's own account
    uint8_t is_inexact
    uint8_t type
    char[4] currency
    uint8_t currency_len
    char[64] text          # the execution id

cdef struct Order:
    exact[2] summed        # of the order itself, of its allocations: scratch of the sum
    exact exec_filled
    exact exec_cum
    exact reported_filled
    exact reported_remaining
    double reported_avg
    exact fee_sum
    exact shown_filled     # as the row has it
    exact shown_confirmed
    exact shown_remaining
    Terms placed
    Terms broker
    TermList pending       # modifies that are not answered
    TermList replaced      # terms that an accepted modify took the place of
    OrderRow row
    double notional
    int64_t client
    int64_t order_id
    int64_t perm
    int64_t parent
    int64_t due_ns
    uint64_t order_account
    uint64_t broker_account
    uint32_t flags
    uint32_t refusals      # while several modifies are unanswered
    int32_t alias          # -1: it is itself
    int32_t first_fill
    uint32_t index
    uint32_t slot          # where its row was last
    uint8_t state
    uint8_t certain
    uint8_t status         # event of the last wire status; NO_STATUS
    uint8_t last_act
    uint8_t what_if
    uint8_t has_history
    uint8_t has_order
    uint8_t has_placed
    uint8_t has_broker
    uint8_t has_contract
    uint8_t has_broker_contract
    uint8_t order_type     # security type of the contract as placed, as reported
    uint8_t broker_type
    uint8_t order_group
    uint8_t broker_group
    uint8_t is_corrected
    uint8_t is_asked       # an answer to a question for open orders ought to name it, and has not yet
    uint8_t is_gone        # removed: what comes for it is dropped
    uint8_t is_dirty
    uint8_t in_table
    uint8_t fee_currency_len
    char[4] fee_currency
    uint8_t fees_mixed
    uint8_t fees_changed
    uint8_t is_divided     # as of the last sum
    uint8_t is_combination
    uint8_t is_keyed       # its own client and order id lead to it
    uint8_t is_mixed       # since the last sum it was one or the other: not every execution counts


cdef inline bint has_text(const TextRef *ref, const Entry *entry) noexcept nogil:
    return ref.length and ref.offset <= entry.payload_bytes and ref.length <= entry.payload_bytes - ref.offset


cdef void hash_text(const uint8_t *text, uint32_t length, uint64_t *out) noexcept nogil:
    # 128 bits: two rounds that differ, over eight bytes at a time. No step of either forgets anything.
    cdef uint64_t a = <uint64_t>0xCBF29CE484222325 ^ length, b = <uint64_t>0x9AE16A3B2F90404F + length
    cdef uint64_t eight
    cdef uint32_t at = 0, n
    while at < length:
        eight = 0
        if length - at >= 8:
            memcpy(&eight, text + at, 8)
        else:
            for n in range(length - at):
                eight |= <uint64_t>text[at + n] << (8 * n)
        a = (a ^ eight) * <uint64_t>0xFF51AFD7ED558CCD
        a ^= a >> 32
        b = (b + eight) * <uint64_t>0x9E3779B97F4A7C15
        b ^= b >> 29
        at += 8
    out[0] = a * <uint64_t>0xC4CEB9FE1A85EC53 ^ (a >> 29)
    out[1] = b * <uint64_t>0xC2B2AE3D27D4EB4F ^ (b >> 32)


cdef uint32_t name_execution(const uint8_t *text, uint32_t length, int64_t *revision, uint64_t *name) noexcept nogil:
    # Bytes of an execution id without the revision at its end.
    cdef uint32_t at = length, base = length
    cdef int64_t number = 0
    while at and c'0' <= text[at - 1] <= c'9':
        at -= 1
    if at and at < length and text[at - 1] == c'.':
        base = at - 1
        while at < length:
            if number < MOST_REVISION:
                number = number * 10 + (text[at] - c'0')
            at += 1
    revision[0] = number
    hash_text(text, base, name)
    return base


cdef uint64_t hash_ref(const TextRef *ref, const Entry *entry, const uint8_t *payload) noexcept nogil:
    cdef uint64_t[2] out
    if not has_text(ref, entry):
        return 0
    hash_text(payload + ref.offset, ref.length, out)
    return out[0] | 1


cdef uint8_t type_of(const TextRef *ref, const Entry *entry, const uint8_t *payload) noexcept nogil:
    if not has_text(ref, entry):
        return NO_TYPE
    return COMBINATION if ref.length == 3 and not memcmp(payload + ref.offset, b"BAG", 3) else OTHER_TYPE


cdef inline int64_t id_of(int64_t value) noexcept nogil:
    # 0 for every spelling of "none".
    if value == 0x7FFFFFFF or value == INT64_MAX or value == INT64_MIN or value == INT64_MIN + 1:
        return 0
    return value


cdef inline bint has_client(int64_t value) noexcept nogil:
    return not (value == 0x7FFFFFFF or value == INT64_MAX or value == INT64_MIN)


cdef void begin_order(Order *order, int64_t client, int64_t order_id, uint32_t index) noexcept nogil:
    memset(order, 0, sizeof(Order))
    name_order(order, client, order_id, index)


cdef void name_order(Order *order, int64_t client, int64_t order_id, uint32_t index) noexcept nogil:
    # One that is all zeros.
    order.client, order.order_id, order.index = client, order_id, index
    order.alias = order.first_fill = -1
    order.slot = NO_SLOT
    order.status = NO_STATUS
    order.reported_remaining = order.placed.quantity = order.broker.quantity = order.shown_remaining = NONE
    order.row.total_remaining = order.row.average = NAN
    order.row.total_remaining_digits = -1
    order.row.quantity = order.row.filled = order.row.remaining = order.row.executed = NAN
    order.row.avg_price = order.row.last_price = order.row.limit_price = order.row.fees = NAN
    order.row.quantity_digits = order.row.filled_digits = order.row.remaining_digits = order.row.fees_digits = -1


cdef class Book:
    """Orders and executions by every name that they go by."""

    cdef OrderTable table
    cdef Counters *counts
    cdef int64_t client_id
    cdef Name *names
    cdef uint64_t name_slots
    cdef uint64_t name_count
    cdef Order **orders
    cdef uint32_t count
    cdef uint32_t room
    cdef Fill **fills               # in groups of FILLS_TOGETHER
    cdef uint32_t fill_count
    cdef uint32_t fill_groups       # that there is room for
    cdef Fill *last_fill            # or NULL; its text, if any, is all of its id
    cdef Recent[256] recent         # by the low bits of the order id: those that both their names lead to
    cdef Arena arena                # orders and executions: they keep their places
    cdef uint32_t *dirty
    cdef uint32_t dirty_count
    cdef uint8_t short_of_memory    # something could not be kept: nothing is certain any more
    cdef uint8_t[32] risks
    cdef uint64_t stepped_seq       # the latest entry that was taken

    def __cinit__(self):
        self.name_slots, self.room, self.fill_groups = 1024, 64, 16
        self.names = <Name *>ibw_map_much(self.name_slots * sizeof(Name))
        self.orders = <Order **>calloc(self.room, sizeof(Order *))
        self.dirty = <uint32_t *>calloc(self.room, sizeof(uint32_t))
        self.fills = <Fill **>calloc(self.fill_groups, sizeof(Fill *))
        if self.names is NULL or self.orders is NULL or self.fills is NULL or self.dirty is NULL:
            raise MemoryError()
        ibw_touch(self.names, self.name_slots * sizeof(Name))
        ibw_prepare(&self.arena)

    cdef void prepare(self) noexcept nogil:
        # When there is time: the memory that the next orders need.
        ibw_prepare(&self.arena)
        if self.name_count > (self.name_slots >> 3) * 3:
            self.widen_names()
        self.table.prepare()

    def __dealloc__(self):
        cdef uint32_t i
        if self.orders is not NULL:
            for i in range(self.count):
                free(self.orders[i].pending.items)
                free(self.orders[i].replaced.items)
        free(self.orders)
        free(self.dirty)
        free(self.fills)
        if self.names is not NULL:
            ibw_unmap_much(self.names, self.name_slots * sizeof(Name))
        ibw_release(&self.arena)

    # -- names

    cdef Name *named(self, uint32_t kind, uint64_t a, uint64_t b) noexcept nogil:
        cdef uint64_t slot = mixed_name(kind, a, b)
        cdef Name *name
        while True:
            name = &self.names[slot & (self.name_slots - 1)]
            if not name.value:
                return NULL
            if name.a == a and name.b == b and name.kind == kind:
                return name
            slot += 1

    cdef void expect_name(self, uint32_t kind, uint64_t a, uint64_t b) noexcept nogil:
        ibw_expect(&self.names[mixed_name(kind, a, b) & (self.name_slots - 1)])

    cdef void put_name(self, uint32_t kind, uint64_t a, uint64_t b, uint32_t value) noexcept nogil:
        cdef Name *name = self.named(kind, a, b)
        if name is NULL:
            self.new_name(kind, a, b, value)
        else:
            name.value = value + 1

    cdef void new_name(self, uint32_t kind, uint64_t a, uint64_t b, uint32_t value) noexcept nogil:
        # One that is not there yet.
        cdef Name *name
        if self.name_count >= self.name_slots >> 1 and not self.widen_names():
            if self.name_count >= self.name_slots - 1:
                self.short_of_memory = True
                return
        name = self.free_name(kind, a, b)
        self.name_count += 1
        name.a, name.b, name.kind, name.value = a, b, kind, value + 1

    cdef bint widen_names(self) noexcept nogil:
        cdef Name *old = self.names
        cdef uint64_t n, slots = self.name_slots
        cdef uint64_t wide = slots << 2 if slots < FAST_GROWTH else slots << 1
        cdef Name *wider = <Name *>ibw_map_much(wide * sizeof(Name))
        if wider is NULL:
            return False
        self.names, self.name_slots = wider, wide
        for n in range(slots):
            if old[n].value:
                self.free_name(old[n].kind, old[n].a, old[n].b)[0] = old[n]
        ibw_unmap_much(old, slots * sizeof(Name))
        return True

    cdef Name *free_name(self, uint32_t kind, uint64_t a, uint64_t b) noexcept nogil:
        cdef uint64_t slot = mixed_name(kind, a, b)
        while self.names[slot & (self.name_slots - 1)].value:
            slot += 1
        return &self.names[slot & (self.name_slots - 1)]

    cdef Order *lookup(self, uint32_t kind, uint64_t a, uint64_t b) noexcept nogil:
        cdef Name *name = self.named(kind, a, b)
        return self.itself(<int32_t>(name.value - 1)) if name is not NULL else NULL

    cdef Order *itself(self, int32_t index) noexcept nogil:
        while self.orders[index].alias >= 0:
            index = self.orders[index].alias
        return self.orders[index]

    cdef inline Order *own(self, int64_t order_id) noexcept nogil:
        return self.lookup(BY_KEY, <uint64_t>self.client_id, <uint64_t>order_id)

    # -- orders

    cdef Order *new_order(self, int64_t client, int64_t order_id) noexcept nogil:
        # NULL without memory.
        cdef Order *order = NULL
        cdef Order **wider
        cdef uint32_t *listed
        if self.count == self.room:
            wider = <Order **>realloc(self.orders, 2 * self.room * sizeof(Order *))
            if wider is not NULL:
                self.orders = wider
                listed = <uint32_t *>realloc(self.dirty, 2 * self.room * sizeof(uint32_t))
                if listed is not NULL:
                    self.dirty = listed
                    self.room *= 2
        if self.count < self.room:
            order = <Order *>ibw_take(&self.arena, sizeof(Order))
        if order is NULL:
            self.short_of_memory = True
            return NULL
        name_order(order, client, order_id, self.count)
        self.orders[self.count] = order
        self.count += 1
        if order_id:
            self.learn_key(order, client, order_id)
        self.touch(order)
        return order

    cdef void learn_key(self, Order *order, int64_t client, int64_t order_id) noexcept nogil:
        # The first who has it keeps it.
        cdef Name *name = self.named(BY_KEY, <uint64_t>client, <uint64_t>order_id)
        if name is NULL:
            self.new_name(BY_KEY, <uint64_t>client, <uint64_t>order_id, order.index)
        elif self.itself(<int32_t>(name.value - 1)) is not order:
            return
        order.is_keyed |= order.client == client and order.order_id == order_id

    cdef Order *hold(self, int64_t client, int64_t order_id) noexcept nogil:
        # Of an order that was not placed here: other client, manual, or an earlier life.
        cdef Order *order = self.new_order(client, order_id)
        if order is not NULL:
            order.state = UNCERTAIN
            order.flags = HELD | NEEDS_QUERY
        return order

    cdef Order *locate(self, int64_t client, int64_t order_id, int64_t perm, const uint64_t *marks,
                       Order **merged, Order **rival) noexcept nogil:
        # Find the order that a message is about, or hold a new one. `merged`: it was held under its permId only, and is
        # gone; `rival`: it has the same order id and another permId. NULL without memory.
        cdef Order *keyed = NULL
        cdef Order *permed = NULL
        cdef Order *order
        merged[0] = rival[0] = NULL
        if not has_client(client):
            client = self.client_id
        if order_id:
            keyed = self.lookup(BY_KEY, <uint64_t>client, <uint64_t>order_id)
            if keyed is NULL and not client and not perm:
                keyed = self.own(order_id)     # a message with its ids zeroed makes no new order
        if perm:
            permed = self.lookup(BY_PERM, 0, <uint64_t>perm)
        if permed is not NULL and keyed is not NULL and permed is not keyed:
            if keyed.perm:
                return permed                  # one order id, two orders: the account-wide id decides
            merged[0], permed = permed, keyed
            self.absorb(keyed, merged[0])
        if permed is NULL and keyed is not NULL and perm and keyed.perm and keyed.perm != perm:
            rival[0], keyed = keyed, NULL
        if permed is not NULL:
            order = permed
        elif keyed is not NULL:
            order = keyed
        elif order_id or perm:
            order = self.hold(client, order_id)
        else:
            order = self.lookup(BY_MARKS, marks[0], marks[1])
            if order is NULL:
                order = self.hold(client, 0)
                if order is not NULL:
                    self.put_name(BY_MARKS, marks[0], marks[1], order.index)
                ibw_count(&self.counts.orders_unkeyed, 1)
        if order is NULL:
            return NULL
        if order_id:
            if not order.order_id:
                order.order_id, order.client = order_id, client
            self.learn_key(order, client, order_id)
        self.learn_perm(order, perm)
        if order.is_keyed:
            self.recent[order.order_id & 255] = Recent(order, order.order_id)
        return order

    cdef inline Order *recalled(self, int64_t client, int64_t order_id, int64_t perm) noexcept nogil:
        # What `locate` would find without learning anything by it; NULL: ask it.
        cdef const Recent *known = &self.recent[order_id & 255]
        cdef Order *order = known.order
        if (order is not NULL and known.order_id == order_id and order.perm == perm and perm and order.alias < 0
                and order.client == (client if has_client(client) else self.client_id)):
            return order
        return NULL

    cdef Order *learn_perm(self, Order *order, int64_t perm) noexcept nogil:
        # A known one stays. Returns what was held under it until now and is gone.
        cdef Order *other
        if not perm or order.perm:
            return NULL
        other = self.lookup(BY_PERM, 0, <uint64_t>perm)
        if other is not NULL and other is not order:
            self.absorb(order, other)
            return other
        order.perm = perm
        self.put_name(BY_PERM, 0, <uint64_t>perm, order.index)
        return NULL

    cdef void absorb(self, Order *order, Order *other) noexcept nogil:
        order.perm = other.perm
        self.put_name(BY_PERM, 0, <uint64_t>order.perm, order.index)
        other.alias = <int32_t>order.index
        if order.order_id and self.lookup(BY_KEY, <uint64_t>order.client, <uint64_t>order.order_id) is order:
            order.is_keyed = True
        order.parent = order.parent or other.parent
        order.row.statuses += other.row.statuses
        order.row.opens += other.row.opens
        self.unshow(other)
        self.touch(order)

    cdef void push_terms(self, TermList *terms, const Terms *item) noexcept nogil:
        cdef Terms *wider
        if terms.count == terms.room:
            wider = <Terms *>realloc(terms.items, (terms.room * 2 + 4) * sizeof(Terms))
            if wider is NULL:
                self.short_of_memory = True
                return
            terms.items = wider
            terms.room = terms.room * 2 + 4
        terms.items[terms.count] = item[0]
        terms.count += 1

    # -- executions

    cdef Fill *fill_named(self, const TextRef *ref, const Entry *entry, const uint8_t *payload, int64_t *revision,
                          uint64_t *name) noexcept nogil:
        # The execution that this id or another revision of it stands for, made when there is none; NULL without memory.
        cdef uint32_t length = ref.length if has_text(ref, entry) else 0
        cdef const uint8_t *text = payload + ref.offset
        cdef uint32_t base
        cdef Name *found
        cdef Fill *fill
        if self.last_fill is not NULL and length and self.last_fill.text_bytes == length < EXEC_BYTES:
            if not memcmp(self.last_fill.text, text, length):   # its fee comes right behind an execution
                revision[0] = self.last_fill.revision
                return self.last_fill
        base = name_execution(text, length, revision, name)
        found = self.named(BY_EXEC, name[0], name[1])
        if found is not NULL:
            self.last_fill = self.fill_at(found.value - 1)
            return self.last_fill
        if not self.fill_count % FILLS_TOGETHER and not self.new_fills():
            self.short_of_memory = True
            return NULL
        fill = self.fill_at(self.fill_count)
        fill.index = self.fill_count
        fill.owner = fill.next = -1
        fill.fee_revision = -1
        fill.fee = NONE
        fill.base_bytes = base
        self.new_name(BY_EXEC, name[0], name[1], self.fill_count)
        self.fill_count += 1
        self.last_fill = fill
        return fill

    cdef inline Fill *fill_at(self, uint32_t index) noexcept nogil:
        return self.fills[index / FILLS_TOGETHER] + index % FILLS_TOGETHER

    cdef bint new_fills(self) noexcept nogil:
        # Room for the next group; False without memory.
        cdef uint32_t group = self.fill_count / FILLS_TOGETHER
        cdef Fill **wider
        if group == self.fill_groups:
            wider = <Fill **>realloc(self.fills, 2 * self.fill_groups * sizeof(Fill *))
            if wider is NULL:
                return False
            self.fills = wider
            self.fill_groups *= 2
        self.fills[group] = <Fill *>ibw_take(&self.arena, FILLS_TOGETHER * sizeof(Fill))
        return self.fills[group] is not NULL

    cdef void own_fill(self, Order *order, Fill *fill) noexcept nogil:
        fill.owner = <int32_t>order.index
        fill.next = order.first_fill
        order.first_fill = <int32_t>fill.index

    cdef uint8_t part_of(self, const Order *order, const Fill *fill) noexcept nogil:
        # 0: of the order itself, 1: one account's share, 2: a leg, which never counts.
        cdef uint8_t kind = order.broker_type if order.has_broker_contract else order.order_type
        cdef uint64_t account = order.broker_account if order.has_broker else order.order_account
        if kind == COMBINATION and fill.type == OTHER_TYPE:
            return 2
        if not fill.account or fill.is_master or not (order.broker_group or order.order_group):
            return 0
        return 0 if account == fill.account else 1

    cdef void sum_fills(self, Order *order) noexcept nogil:
        # Anew: which of them count may have changed. Allocations and the order's own executions are two reports of the
        # same thing: the larger sum counts.
        cdef double[2] notional
        cdef exact cum = 0
        cdef int32_t at = order.first_fill
        cdef Fill *fill
        cdef uint8_t part
        order.summed[0] = order.summed[1] = 0
        notional[0] = notional[1] = 0
        while at >= 0:
            fill = self.fill_at(<uint32_t>at)
            at = fill.next
            part = self.part_of(order, fill)
            if part == 2:
                continue
            order.summed[part] += fill.shares
            notional[part] += ibw_double(fill.shares) * fill.price
            if not part and fill.cum > cum:
                cum = fill.cum
        part = 1 if order.summed[1] > order.summed[0] else 0
        order.exec_filled, order.notional, order.exec_cum = order.summed[part], notional[part], cum
        self.sum_fees(order)

    cdef void sum_fees(self, Order *order) noexcept nogil:
        # Of an allocated order its accounts' where any was reported, else the order's own: never both.
        cdef int32_t at
        cdef int part, wanted = -1
        cdef Fill *fill
        if order.is_divided:
            wanted = 0
            at = order.first_fill
            while at >= 0:
                fill = self.fill_at(<uint32_t>at)
                at = fill.next
                if fill.fee_revision >= 0 and self.part_of(order, fill) == 1:
                    wanted = 1
        order.fee_sum, order.fee_currency_len, order.fees_mixed, order.fees_changed = 0, 0, False, True
        order.row.fees, order.row.fees_digits, order.row.currency_len = NAN, -1, 0
        at = order.first_fill
        while at >= 0:
            fill = self.fill_at(<uint32_t>at)
            at = fill.next
            if wanted >= 0:
                part = self.part_of(order, fill) == 1
                if part != wanted:
                    continue
            self.add_fee(order, fill)

    cdef void add_fee(self, Order *order, const Fill *fill) noexcept nogil:
        if fill.fee_revision < 0 or fill.fee == NONE:
            return
        if order.row.fees != order.row.fees:
            order.row.fees = 0
            memcpy(order.fee_currency, fill.currency, CURRENCY_BYTES)
            order.fee_currency_len = fill.currency_len
        elif (order.fee_currency_len != fill.currency_len
                or memcmp(order.fee_currency, fill.currency, CURRENCY_BYTES)):
            order.fees_mixed = True
        order.fee_sum += fill.fee
        order.fees_changed = True

    # -- rows

    cdef inline void touch(self, Order *order) noexcept nogil:
        if not order.is_dirty:
            order.is_dirty = True
            self.dirty[self.dirty_count] = order.index
            self.dirty_count += 1

    cdef void show_all(self) noexcept nogil:
        # Every order that changed, into its row.
        cdef uint32_t i
        cdef Order *order
        for i in range(self.dirty_count):
            if i + AHEAD < self.dirty_count:   # of many at once, the memory of those that follow is fetched meanwhile
                order = self.orders[self.dirty[i + AHEAD]]
                self.table.expect(order.slot, order.client, order.order_id)
            order = self.orders[self.dirty[i]]
            order.is_dirty = False
            if order.alias < 0 and not order.is_gone:
                self.show(order)
        self.dirty_count = 0

    cdef void show(self, Order *order) noexcept nogil:
        cdef int64_t key = INT64_MIN, key2 = order.perm
        cdef OrderRow *fresh = &order.row
        cdef OrderRow *row
        if order.is_keyed:
            key, key2 = order.client, order.order_id
        if key == INT64_MIN and not key2:
            return                             # no name that a row could have
        if order.in_table and (fresh.key != key or fresh.key2 != key2):
            self.unshow(order)
        fresh.key, fresh.key2 = key, key2
        self.fill_row(order)
        row = <OrderRow *>self.table.found_at(&order.slot, key, key2)
        if row is NULL or row.state != ROW_USED:
            row = <OrderRow *>self.table.insert(key, key2)
            if row is NULL:
                return
            order.in_table = True
        else:
            row_begin(<RowHead *>row)
        fresh.state = ROW_USED
        ibw_put_words(<uint64_t *>row + 1, <uint64_t *>fresh + 1, (sizeof(OrderRow) >> 3) - 1)
        row_end(<RowHead *>row)

    cdef void fill_row(self, Order *order) noexcept nogil:
        cdef OrderRow *row = &order.row
        cdef exact filled = order.exec_filled
        row.permId, row.parentId = order.perm, order.parent
        row.order_state, row.risk, row.certain = order.state, self.risks[order.state], order.certain
        row.pending_modifies = <uint8_t>(order.pending.count if order.pending.count < 255 else 255)
        row.memory, row.due_ns, row.notional = order.flags, order.due_ns, order.notional
        filled = confirmed_of(order)
        if filled != order.shown_confirmed:
            order.shown_confirmed = filled
            row.confirmed_filled = ibw_exact_double(filled, &row.confirmed_filled_digits)
        filled = filled_of(order)
        if filled != order.shown_filled:
            order.shown_filled = filled
            row.total_filled = ibw_exact_double(filled, &row.total_filled_digits)
        filled = remaining_of(order, filled)
        if filled != order.shown_remaining:
            order.shown_remaining = filled
            row.total_remaining, row.total_remaining_digits = NAN, -1
            if filled != NONE:
                row.total_remaining = ibw_exact_double(filled, &row.total_remaining_digits)
        row.average = average_of(order)
        row.stepped_seq = self.stepped_seq
        if order.fees_changed and (row.fees == row.fees or order.fees_mixed):
            order.fees_changed = False
            row.fees = ibw_exact_double(order.fee_sum, &row.fees_digits)
            row.currency_len = order.fee_currency_len
            memcpy(row.currency, order.fee_currency, CURRENCY_BYTES)
            if order.fees_mixed:
                row.fees_digits = -1
                row.currency_len = 0
                memset(row.currency, 0, CURRENCY_BYTES)

    cdef void unshow(self, Order *order) noexcept nogil:
        cdef RowHead *row
        if order.in_table:
            row = self.table.find(order.row.key, order.row.key2)
            if row is not NULL and row.state == ROW_USED:
                self.table.drop(row)
            order.in_table = False


cdef inline uint64_t mixed_name(uint32_t kind, uint64_t a, uint64_t b) noexcept nogil:
    # Ids are given out in order: four in a row share a cache line or two.
    cdef uint64_t x = (a + kind) * <uint64_t>0x9E3779B97F4A7C15 ^ (b >> 2) * <uint64_t>0xC2B2AE3D27D4EB4F
    return (x ^ (x >> 29) ^ (x >> 47)) << 2 | b & 3


cdef inline double ibw_double(exact value) noexcept nogil:
    # For products, which are doubles anyway.
    return <double>value / 1e18


cdef inline exact confirmed_of(const Order *order) noexcept nogil:
    # Quantity that executions prove.
    if order.is_corrected or order.exec_filled > order.exec_cum:
        return order.exec_filled
    return order.exec_cum


cdef inline exact filled_of(const Order *order) noexcept nogil:
    # Executions are the truth; a status that names more counts until they come.
    cdef exact confirmed = confirmed_of(order)
    if not order.is_corrected and order.reported_filled > confirmed:
        return order.reported_filled
    return confirmed


cdef inline exact total_of(const Order *order) noexcept nogil:
    # As last confirmed by the gateway, else as placed; NONE when unknown.
    if order.has_broker and order.broker.quantity != NONE and order.broker.quantity != 0:
        return order.broker.quantity
    if order.has_placed and order.placed.quantity != 0:
        return order.placed.quantity
    return NONE


cdef inline exact remaining_of(const Order *order, exact filled) noexcept nogil:
    cdef exact total = total_of(order)
    if total != NONE:
        return total - filled if total > filled else 0
    return order.reported_remaining if order.reported_filled == filled else NONE


cdef inline double average_of(const Order *order) noexcept nogil:
    if filled_of(order) > order.exec_filled and order.reported_avg != 0:
        return order.reported_avg
    if order.exec_filled == 0:
        return NAN
    return order.notional / ibw_double(order.exec_filled)
