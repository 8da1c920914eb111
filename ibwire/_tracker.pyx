# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The order table: one row for each order, kept by the producer from the entries of the order ring.

This is what the wire said last; what an order's state is, is decided elsewhere. It knows shapes, not messages: which
kinds count, which numbers go where, and the status texts come in as plain data (``spec/tables.py``).

Whose row an entry is. By permId where a row has it; else by (client id, order id); an order without order id (one that
was typed in by hand) by permId alone. Ids sent as zeros make no new order. Another permId under a known (client id,
order id) is another order: it gets a row under its permId, and both are flagged.
"""

cimport cython
from libc.math cimport NAN
from libc.stdint cimport INT64_MIN, int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, memcpy, memset

from ibwire._records cimport OrderRow
from ibwire._ring cimport (
    Counters,
    LogRing,
    Place,
    Region,
    ROW_TORN,
    ROW_USED,
    RowHead,
    Stepper,
    Table,
    TableBlock,
    TableCommand,
    data_of,
    ibw_load32_acquire,
    ibw_load_acquire,
    ibw_load_relaxed,
    ibw_put_words,
    ibw_store_relaxed,
    row_begin,
    row_end,
)

cdef enum:                 # spec/records
    UNDECODABLE = 16
    CONFLICT = 2
    STATUS_CUT = 4
    UNSURE = 8
    STATUS_UNKNOWN = 255   # spec/tables
    STATUS_BYTES = 24
    MOST_MOVES = 12
    MOST_STATUSES = 32

cdef enum:                 # spec/tables Role
    STATUS = 0
    OPEN = 1
    EXECUTION = 2
    COMMISSION = 3
    ERROR = 4

cdef enum:                 # commands
    ADD = 1
    REMOVE = 2

cdef struct Move:
    uint16_t source
    uint16_t column
    int16_t digits_source  # -1: none
    int16_t digits_column
    uint8_t is_double
    uint8_t group

cdef struct Kind:
    int8_t role            # -1: of no interest
    uint8_t count
    Move[12] moves

cdef struct StatusText:
    uint32_t length
    uint8_t code
    char[24] text

cdef struct Link:          # permId or execution id -> row
    uint64_t a
    uint64_t b             # both zero: free
    int64_t key
    int64_t key2


cdef class OrderTable(Table):
    """The latest of each order, as the gateway told it.

    Parameters
    ----------
    region : the session's, or one that was attached. Rows stand in it where it has room for them, and are fixed in
        number (``is_full`` then says that new orders must wait); else in memory of the table's own, which grows.
    capacity : rows at first, in memory of its own; a power of two.
    """

    def __cinit__(self, Region region not None, uint64_t capacity=256):
        self.used_at, self.refused_at = &region.counts.orders_used, &region.counts.orders_refused
        at = region.head.orders_at
        self.settle(region, at, region.head.orders_capacity if at else capacity, sizeof(OrderRow))

    @property
    def unkeyed(self):
        """Entries that named no order."""
        return ibw_load_relaxed(&self.region.counts.orders_unkeyed)

    @property
    def undecodable(self):
        """Entries that could not be decoded: what they said is in no row."""
        return ibw_load_relaxed(&self.region.counts.orders_undecodable)

    def add(self, int64_t clientId, int64_t orderId):
        """Make the row of an order that is about to be sent, so that errors find it. Any thread of the owner."""
        self.push(ADD, clientId, orderId)

    def remove(self, int64_t clientId, int64_t orderId):
        """Forget an order; what comes late for it is dropped. Any thread of the owner."""
        self.push(REMOVE, clientId, orderId)

    def read(self, int64_t clientId, int64_t orderId):
        """One order at one moment, or None when nothing is known of it.

        Raises
        ------
        SessionLost : its writer died, or has stood still for long, in the middle of it. ForkedClient
        """
        cdef OrderRow row
        found = self.read_bytes(clientId, orderId)
        if found is None:
            return None
        memcpy(&row, <const char *>(<bytes>found), sizeof(OrderRow))
        return values_of(&row)

    def find_perm(self, int64_t permId):
        """The order of that permId, or None. Looks at every row.

        Raises
        ------
        As :meth:`read`.
        """
        cdef TableBlock *block = <TableBlock *>ibw_load_acquire(<uint64_t *>&self.block)
        cdef OrderRow *row
        cdef uint64_t n
        if not permId:
            return None
        for n in range(block.slots):
            row = <OrderRow *>(block.rows + n * sizeof(OrderRow))
            if ibw_load32_acquire(&row.state) == ROW_USED and <int64_t>ibw_load_relaxed(<uint64_t *>&row.permId) == permId:
                found = self.read(<int64_t>ibw_load_relaxed(<uint64_t *>&row.key),
                                  <int64_t>ibw_load_relaxed(<uint64_t *>&row.key2))
                if found is not None and found.permId == permId:
                    return found
        return None


@cython.final
cdef class OrderValues:
    """One order as it was at one moment: what the gateway said last. NaN: never said. Times are monotonic, ns."""

    cdef readonly object clientId      # None: only the permId is known
    cdef readonly int64_t orderId
    cdef readonly int64_t permId
    cdef readonly int64_t parentId
    cdef readonly str status
    cdef readonly int status_code
    cdef readonly double quantity
    cdef readonly double filled
    cdef readonly double remaining
    cdef readonly double avg_price
    cdef readonly double last_price
    cdef readonly double limit_price
    cdef readonly double executed
    cdef readonly int quantity_digits
    cdef readonly int filled_digits
    cdef readonly int remaining_digits
    cdef readonly int32_t error_code
    cdef readonly uint64_t error_seq
    cdef readonly uint64_t status_seq
    cdef readonly uint64_t seq
    cdef readonly int64_t recv_ns
    cdef readonly uint32_t flags
    cdef readonly uint32_t statuses
    cdef readonly uint32_t opens
    cdef readonly uint32_t executions
    cdef readonly uint32_t commissions
    cdef readonly uint32_t errors

    def __repr__(self):
        return (f"OrderValues(clientId={self.clientId}, orderId={self.orderId}, permId={self.permId}, "
                f"status={self.status!r}, filled={self.filled:g}, remaining={self.remaining:g}, seq={self.seq})")


cdef OrderValues values_of(const OrderRow *row):
    cdef OrderValues o = OrderValues.__new__(OrderValues)
    cdef bint by_perm = row.key == INT64_MIN
    o.clientId = None if by_perm else row.key
    o.orderId = 0 if by_perm else row.key2
    o.permId, o.parentId = row.permId, row.parentId
    o.status = (<bytes>row.status[:row.status_len]).decode("utf-8", "replace")
    o.status_code, o.error_code = row.status_code, row.error_code
    o.quantity, o.filled, o.remaining, o.executed = row.quantity, row.filled, row.remaining, row.executed
    o.avg_price, o.last_price, o.limit_price = row.avg_price, row.last_price, row.limit_price
    o.quantity_digits, o.filled_digits = row.quantity_digits, row.filled_digits
    o.remaining_digits = row.remaining_digits
    o.error_seq, o.status_seq, o.seq, o.recv_ns, o.flags = row.error_seq, row.status_seq, row.seq, row.recv_ns, row.flags
    o.statuses, o.opens, o.executions = row.statuses, row.opens, row.executions
    o.commissions, o.errors = row.commissions, row.errors
    return o


@cython.final
@cython.no_gc_clear
cdef class Tracker(Stepper):
    """Keeps an order table up to date with the order ring, at each publication.

    Parameters
    ----------
    orders : the order ring; it is read from the oldest entry that it still holds.
    client_id : ours; errors name orders of this client.
    plan, statuses, places : of ``spec/tables.py``, :func:`order_plan`.
    """

    cdef OrderTable table
    cdef Place place
    cdef Counters *counts
    cdef int64_t client_id
    cdef Kind[256] kinds
    cdef StatusText[32] statuses
    cdef int status_count
    cdef uint32_t need             # bytes that a header must have
    cdef uint32_t order_at
    cdef uint32_t perm_at
    cdef uint32_t client_at
    cdef uint32_t code_at
    cdef uint32_t status_at
    cdef uint32_t exec_at
    cdef Link *links
    cdef uint64_t link_slots
    cdef uint64_t link_count

    def __cinit__(self, OrderTable table not None, LogRing orders not None, int64_t client_id, list plan not None,
                  list statuses not None, tuple places not None):
        cdef int i
        cdef Kind *kind
        if not table.writes:
            raise ValueError("an attached order table is only read")
        self.table, self.client_id, self.counts = table, client_id, table.region.counts
        self.place = Place()
        self.place.settle(orders, True)
        for i in range(256):
            self.kinds[i].role = -1
        for number, role, moves in plan:
            kind = &self.kinds[number]
            kind.role, kind.count = role, len(moves)
            if len(moves) > MOST_MOVES:
                raise ValueError(f"more than {MOST_MOVES} moves")
            for i, (source, column, is_double, group, digits_source, digits_column) in enumerate(moves):
                if column + 8 > sizeof(OrderRow) or group > 15:
                    raise ValueError(f"a move to {column} in group {group}")
                kind.moves[i].source, kind.moves[i].column = source, column
                kind.moves[i].is_double, kind.moves[i].group = is_double, group
                kind.moves[i].digits_source, kind.moves[i].digits_column = digits_source, digits_column
                self.need = max(self.need, source + 8, digits_source + 1)
        if len(statuses) > MOST_STATUSES or any(len(text) > STATUS_BYTES for text, _ in statuses):
            raise ValueError("too many status texts, or too long ones")
        for i, (text, code) in enumerate(statuses):
            self.statuses[i].length, self.statuses[i].code = len(text), code
            memcpy(self.statuses[i].text, <const char *>(<bytes>text), len(text))
        self.status_count = len(statuses)
        self.order_at, self.perm_at, self.client_at, self.code_at, self.status_at, self.exec_at = places
        self.need = max(self.need, max(places) + 8)
        self.link_slots = 1024
        self.links = <Link *>calloc(self.link_slots, sizeof(Link))
        if self.links is NULL:
            raise MemoryError()

    def __dealloc__(self):
        if self.place is not None:
            self.place.vacate()
        free(self.links)

    cdef void step(self, uint64_t head, uint64_t seq) noexcept nogil:
        cdef uint64_t ready, end
        cdef const uint8_t *at
        if ibw_load_relaxed(<uint64_t *>&self.table.commands):
            self.obey()
        while True:
            ready = self.place.look()
            if not ready:
                break
            end = self.place.at + ready
            while self.place.at < end:
                at = data_of(self.place.segment) + self.place.at
                self.entry(at + 8, (<const uint32_t *>(at + 4))[0])
                self.place.at += (<const uint32_t *>at)[0]
        self.place.leave()

    cdef void entry(self, const uint8_t *head, uint32_t nhead) noexcept nogil:
        cdef const uint8_t *payload = head + nhead
        cdef Kind *kind
        cdef OrderRow *row = NULL
        cdef Link *link
        cdef uint64_t[2] name
        if (<const uint16_t *>(head + 18))[0] & UNDECODABLE or nhead < self.need:
            ibw_store_relaxed(&self.counts.orders_undecodable, self.counts.orders_undecodable + 1)
            self.doubt()
            return
        kind = &self.kinds[head[16]]
        if kind.role < 0:
            return
        if kind.role == ERROR:
            row = self.row_at(self.client_id, word(head, self.order_at))
        elif kind.role == COMMISSION or kind.role == EXECUTION:
            hash_of(head, payload, self.exec_at, name)
            link = self.linked(name[0], name[1])
            if kind.role == COMMISSION:
                if link is NULL:
                    ibw_store_relaxed(&self.counts.orders_unkeyed, self.counts.orders_unkeyed + 1)
                else:
                    row = self.row_at(link.key, link.key2)
            elif link is NULL:  # otherwise told before, as the answer to a request tells all of them again
                row = self.locate(head)
                if row is not NULL:
                    self.put_link(name[0], name[1], row.key, row.key2)
        else:
            row = self.locate(head)
        if row is not NULL:
            self.write(row, kind, head, payload)

    cdef void write(self, OrderRow *row, const Kind *kind, const uint8_t *head, const uint8_t *payload) noexcept nogil:
        cdef OrderRow fresh
        cdef int64_t perm = word(head, self.perm_at)
        memcpy(&fresh, row, sizeof(OrderRow))
        fresh.seq = (<const uint64_t *>head)[0]
        fresh.recv_ns = (<const int64_t *>(head + 8))[0]
        self.move(&fresh, kind, head)
        if kind.role == ERROR:
            fresh.errors += 1
            fresh.error_code, fresh.error_seq = (<const int32_t *>(head + self.code_at))[0], fresh.seq
        elif kind.role == COMMISSION:
            fresh.commissions += 1
        else:
            if kind.role == STATUS:
                fresh.statuses += 1
            elif kind.role == OPEN:
                fresh.opens += 1
            else:
                fresh.executions += 1
            if kind.role != EXECUTION:
                fresh.flags &= ~<uint32_t>UNSURE
                self.status(&fresh, head, payload)
            if perm != INT64_MIN and perm and not fresh.permId:
                fresh.permId = perm
                self.put_link(<uint64_t>perm, ~<uint64_t>0, fresh.key, fresh.key2)
        if not row.lock & 1:  # a new row is still open
            row_begin(<RowHead *>row)
        ibw_put_words(<uint64_t *>row + 1, <uint64_t *>&fresh + 1, (sizeof(OrderRow) >> 3) - 1)
        row_end(<RowHead *>row)

    cdef void move(self, OrderRow *fresh, const Kind *kind, const uint8_t *head) noexcept nogil:
        cdef const Move *move
        cdef uint32_t told = 1     # a bit for each group that says something
        cdef int i
        for i in range(kind.count):
            move = &kind.moves[i]
            if says(head, move) == 2:
                told |= <uint32_t>1 << move.group
        for i in range(kind.count):
            move = &kind.moves[i]
            if told >> move.group & 1 and (not move.group or says(head, move)):
                memcpy(<uint8_t *>fresh + move.column, head + move.source, 8)
                if move.digits_source >= 0:
                    (<uint8_t *>fresh)[move.digits_column] = head[move.digits_source]

    cdef void status(self, OrderRow *fresh, const uint8_t *head, const uint8_t *payload) noexcept nogil:
        cdef uint32_t start = (<const uint32_t *>(head + self.status_at))[0]
        cdef uint32_t length = (<const uint32_t *>(head + self.status_at + 4))[0]
        cdef uint32_t whole = (<const uint32_t *>(head + 24))[0]
        cdef int i
        if not length or start > whole or length > whole - start:
            return
        fresh.status_seq = fresh.seq
        fresh.status_code = STATUS_UNKNOWN
        for i in range(self.status_count):
            if self.statuses[i].length == length and not memcmp(self.statuses[i].text, payload + start, length):
                fresh.status_code = self.statuses[i].code
        fresh.flags &= ~<uint32_t>STATUS_CUT
        if length > STATUS_BYTES:
            fresh.flags |= STATUS_CUT
            length = STATUS_BYTES
        memset(fresh.status, 0, STATUS_BYTES)
        memcpy(fresh.status, payload + start, length)
        fresh.status_len = <uint8_t>length

    cdef void flag(self, OrderRow *row, uint32_t flags) noexcept nogil:
        cdef uint64_t word = <uint64_t>row.state | <uint64_t>(row.flags | flags) << 32
        cdef bint is_open = row.lock & 1
        if not is_open:
            row_begin(<RowHead *>row)
        ibw_store_relaxed(<uint64_t *>&row.state, word)
        if not is_open:
            row_end(<RowHead *>row)

    cdef void doubt(self) noexcept nogil:
        # Something was said that nobody could read: any row may be behind.
        cdef TableBlock *block = self.table.block
        cdef uint64_t n
        cdef OrderRow *row
        for n in range(block.slots):
            row = <OrderRow *>(block.rows + n * sizeof(OrderRow))
            if row.state == ROW_USED:
                self.flag(row, UNSURE)

    # -- whose row

    cdef OrderRow *row_at(self, int64_t key, int64_t key2) noexcept nogil:
        cdef RowHead *row = self.table.find(key, key2)
        return <OrderRow *>row if row is not NULL and row.state == ROW_USED else NULL

    cdef OrderRow *make(self, int64_t key, int64_t key2) noexcept nogil:
        # A new row, still open; NULL: no room, or it was removed.
        cdef RowHead *head = self.table.find(key, key2)
        cdef OrderRow *row
        if head is not NULL:
            return NULL
        head = self.table.insert(key, key2)
        if head is NULL:
            return NULL
        row = <OrderRow *>head
        row.quantity = row.filled = row.remaining = row.executed = NAN
        row.avg_price = row.last_price = row.limit_price = NAN
        row.quantity_digits = row.filled_digits = row.remaining_digits = -1
        return row

    cdef OrderRow *locate(self, const uint8_t *head) noexcept nogil:
        cdef int64_t order = word(head, self.order_at)
        cdef int64_t perm = word(head, self.perm_at)
        cdef int64_t client = word(head, self.client_at)
        cdef OrderRow *row = NULL
        cdef OrderRow *keyed = NULL
        cdef Link *link
        if perm == INT64_MIN:
            perm = 0
        if order == INT64_MIN or client == INT64_MIN:
            order = 0
        if perm:
            link = self.linked(<uint64_t>perm, ~<uint64_t>0)
            if link is not NULL:
                row = self.row_at(link.key, link.key2)
        if order:
            keyed = self.row_at(client, order)
            if keyed is NULL and not client and not perm:  # ids sent as zeros make no new order
                keyed = self.row_at(self.client_id, order)
        if row is not NULL and keyed is not NULL and row is not keyed:
            if keyed.permId:
                return row  # two orders of one order id, which are both known
            if row.key == INT64_MIN:  # what was known by its permId alone is this order
                self.table.drop(<RowHead *>row)
            self.put_link(<uint64_t>perm, ~<uint64_t>0, keyed.key, keyed.key2)
            return keyed
        if row is not NULL:
            return self.renamed(row, client, order) if row.key == INT64_MIN and order else row
        if keyed is not NULL and perm and keyed.permId and keyed.permId != perm:
            self.flag(keyed, CONFLICT)
            row = self.make(INT64_MIN, perm)  # found by its permId from now on, like any
            if row is not NULL:
                row.flags = CONFLICT
            return row
        if keyed is not NULL:
            return keyed
        if order:
            return self.make(client, order)
        if perm:
            return self.make(INT64_MIN, perm)
        ibw_store_relaxed(&self.counts.orders_unkeyed, self.counts.orders_unkeyed + 1)
        return NULL

    cdef OrderRow *renamed(self, OrderRow *row, int64_t client, int64_t order) noexcept nogil:
        # The order known by its permId alone has an order id now: a row of that name with the same content.
        cdef OrderRow held
        cdef OrderRow *to
        if row.flags & CONFLICT:
            return row
        memcpy(&held, row, sizeof(OrderRow))
        to = self.make(client, order)  # may move the rows
        if to is NULL:
            return self.row_at(held.key, held.key2)
        memcpy(<uint8_t *>to + sizeof(RowHead), <uint8_t *>&held + sizeof(RowHead), sizeof(OrderRow) - sizeof(RowHead))
        to.flags = held.flags
        self.put_link(<uint64_t>held.permId, ~<uint64_t>0, client, order)
        row = self.row_at(held.key, held.key2)
        if row is not NULL:
            self.table.drop(<RowHead *>row)
        return to

    cdef void obey(self) noexcept nogil:
        cdef TableCommand *command = self.table.taken()
        cdef TableCommand *following
        cdef RowHead *row
        while command is not NULL:
            row = self.table.find(command.key, command.key2)
            if command.what == REMOVE:
                if row is not NULL and row.state == ROW_USED:
                    self.table.drop(row)
            elif row is NULL:
                row = <RowHead *>self.make(command.key, command.key2)
                if row is not NULL:
                    row_end(row)
            following = command.next
            free(command)
            command = following

    # -- names of rows

    cdef Link *linked(self, uint64_t a, uint64_t b) noexcept nogil:
        cdef uint64_t n
        cdef Link *link
        for n in range(self.link_slots):
            link = &self.links[(a + n) & (self.link_slots - 1)]
            if not link.a and not link.b:
                return NULL
            if link.a == a and link.b == b:
                return link
        return NULL

    cdef void put_link(self, uint64_t a, uint64_t b, int64_t key, int64_t key2) noexcept nogil:
        cdef Link *old = self.links
        cdef Link *wider
        cdef uint64_t n, slots = self.link_slots
        cdef Link *link = self.linked(a, b)
        if link is NULL:
            if self.link_count >= slots >> 1:
                wider = <Link *>calloc(slots << 1, sizeof(Link))
                if wider is NULL and self.link_count >= slots - 1:
                    return  # without memory: this one is found by its ids alone, or counted twice
                if wider is not NULL:
                    self.links, self.link_slots = wider, slots << 1
                    for n in range(slots):
                        if old[n].a or old[n].b:
                            self.free_link(old[n].a)[0] = old[n]
                    free(old)
            link = self.free_link(a)
            self.link_count += 1
        link.a, link.b, link.key, link.key2 = a, b, key, key2

    cdef Link *free_link(self, uint64_t a) noexcept nogil:
        cdef uint64_t n = a
        while self.links[n & (self.link_slots - 1)].a or self.links[n & (self.link_slots - 1)].b:
            n += 1
        return &self.links[n & (self.link_slots - 1)]


cdef inline int64_t word(const uint8_t *head, uint32_t at) noexcept nogil:
    return (<const int64_t *>(head + at))[0]


cdef inline int says(const uint8_t *head, const Move *move) noexcept nogil:
    # 0: unset, 1: zero, 2: something
    cdef double number
    if not move.is_double:
        return 0 if word(head, move.source) == INT64_MIN else 2 if word(head, move.source) else 1
    memcpy(&number, head + move.source, 8)
    return 0 if number != number else 2 if number != 0 else 1


cdef void hash_of(const uint8_t *head, const uint8_t *payload, uint32_t at, uint64_t *out) noexcept nogil:
    # 128 bits of the text that the ref at `at` names: two rounds of FNV-1a that differ, each mixed at its end. The high
    # bit keeps them apart from permIds.
    cdef uint32_t start = (<const uint32_t *>(head + at))[0]
    cdef uint32_t length = (<const uint32_t *>(head + at + 4))[0]
    cdef uint32_t whole = (<const uint32_t *>(head + 24))[0]
    cdef uint64_t a = 0xCBF29CE484222325, b = 0x9AE16A3B2F90404F
    cdef uint32_t i
    if start > whole or length > whole - start:
        length = 0
    for i in range(length):
        a = (a ^ payload[start + i]) * <uint64_t>0x100000001B3
        b = (b + payload[start + i] + 1) * <uint64_t>0x9E3779B97F4A7C15
        b ^= b >> 29
    out[0] = a ^ (a >> 32)
    out[1] = (b ^ (b >> 31)) & <uint64_t>0x7FFFFFFFFFFFFFFF | 1
