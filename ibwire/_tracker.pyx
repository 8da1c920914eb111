# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The order table and the order state machine, stepped by the producer with each publication, without the GIL.

Two inputs decide what an order's state is: the entries of the order ring, and commands (what we place, cancel and ask,
the link, time). It knows shapes, not messages: which kinds count, which numbers go where, the status texts and the
tables of the machine come in as plain data (``spec/tables.py``). docs/orders/machine.md has the steps; twin:
``trade/orders.py``.

Whose row an entry is. By permId where an order has it; else by (client id, order id); an order without order id (one that
was typed in by hand) by permId alone. Ids sent as zeros make no new order. Another permId under a known (client id,
order id) is another order: it gets a row under its permId, and both are flagged.
"""

cimport cython
from libc.math cimport NAN
from libc.stdint cimport INT64_MAX, INT64_MIN, int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcmp, memcpy, memset

from ibwire._records cimport OrderRow
from ibwire._ring cimport (
    Counters,
    HotPage,
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
    entry_bytes,
    entry_payload,
    ibw_count,
    ibw_load32_acquire,
    ibw_load_acquire,
    ibw_load_relaxed,
    ibw_now_ns,
    ibw_put_words,
    ibw_replace32_seq,
    ibw_replace_release,
    ibw_store_release,
    ibw_swap32_seq,
    ibw_yield,
    region_ring,
    region_ring_rows,
    row_begin,
    row_end,
)

cdef enum:                 # spec/records
    UNDECODABLE = 16
    CONFLICT = 2
    STATUS_CUT = 4
    UNSURE = 8
    INEXACT = 16
    STATUS_UNKNOWN = 255   # spec/tables
    STATUS_BYTES = 24
    MOST_MOVES = 12
    MOST_STATUSES = 32

cdef enum:                 # what changed
    ROWS = 1
    ENTRIES = 2

cdef enum:                 # spec/tables Role
    STATUS = 0
    OPEN = 1
    EXECUTION = 2
    COMMISSION = 3
    ERROR = 4
    COMPLETED = 5
    BOUND = 6
    OPEN_END = 7

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


include "_tracker_table.pxi"
include "_tracker_book.pxi"
include "_tracker_machine.pxi"


@cython.final
cdef class Tracker(Machine):
    """The machine with its inputs: entries, one by one, and the commands of its table.

    Parameters
    ----------
    table : shows what it concludes, and has the commands.
    client_id : ours; errors name orders of this client.
    plan, statuses, places : of ``spec/tables.py``, :func:`order_plan`. machine : :func:`machine_plan`.

    Notes
    -----
    One thread. With an order ring it is a :class:`RingTracker` that feeds it; without one, :meth:`take` does.
    """

    cdef Kind[256] kinds
    cdef StatusText[32] statuses
    cdef int status_count
    cdef uint64_t obeyed

    def __init__(self, OrderTable table not None, int64_t client_id, list plan not None, list statuses not None,
                 tuple places not None, tuple machine not None):
        cdef int i
        cdef Kind *kind
        if not table.writes:
            raise ValueError("an attached order table is only read")
        self.table, self.client_id, self.counts = table, client_id, table.region.counts
        check_places(places)
        for i in range(256):
            self.kinds[i].role = -1
        for number, role, moves in plan:
            kind = &self.kinds[number]
            kind.role, kind.count = role, len(moves)
            if len(moves) > MOST_MOVES:
                raise ValueError(f"more than {MOST_MOVES} moves")
            for i, (source, column, is_double, group, digits_source, digits_column) in enumerate(moves):
                if column + 8 > sizeof(OrderRow) or group > 15 or source + 8 > sizeof(Entry):
                    raise ValueError(f"a move to {column} in group {group}")
                kind.moves[i].source, kind.moves[i].column = source, column
                kind.moves[i].is_double, kind.moves[i].group = is_double, group
                kind.moves[i].digits_source, kind.moves[i].digits_column = digits_source, digits_column
        if len(statuses) > MOST_STATUSES or any(len(text) > STATUS_BYTES for text, _ in statuses):
            raise ValueError("too many status texts, or too long ones")
        for i, (text, code) in enumerate(statuses):
            self.statuses[i].length, self.statuses[i].code = len(text), code
            memcpy(self.statuses[i].text, <const char *>(<bytes>text), len(text))
        self.status_count = len(statuses)
        self.load(machine)

    def take(self, const uint8_t[::1] header not None, const uint8_t[::1] payload not None):
        """Take one entry, as it stands in the order ring; rows show it after :meth:`settle_rows`. The owner thread."""
        cdef const uint8_t *body = b""
        if header.shape[0] < 32:
            raise ValueError("a header has at least 32 bytes")
        if payload.shape[0]:
            body = &payload[0]
        if (<const Entry *>&header[0]).payload_bytes > <uint64_t>payload.shape[0]:
            raise ValueError("the payload is shorter than its header says")
        self.entry(&header[0], <uint32_t>header.shape[0], body)

    def settle_rows(self):
        """Obey what was commanded, and bring the rows up to date. The owner thread."""
        if self.table.keeper is not None:
            self.table.keeper.idle(0)
            return
        self.obey_all()
        self.show_all()

    def orders_held(self):
        """How many orders there are, also those that no row shows. The owner thread."""
        cdef uint32_t i
        return sum(1 for i in range(self.count) if self.orders[i].alias < 0 and not self.orders[i].is_gone)

    def exec_ids(self, int64_t clientId, int64_t orderId):
        """The latest revision of each execution of an order, by its id; client -1: by permId. The owner thread."""
        cdef Order *order
        cdef Fill *fill
        cdef int32_t at
        found = []
        order = self.lookup(BY_PERM, 0, <uint64_t>orderId) if clientId == -1 else self.lookup(
            BY_KEY, <uint64_t>clientId, <uint64_t>orderId)
        at = order.first_fill if order is not NULL else -1
        while at >= 0:
            fill = self.fill_at(<uint32_t>at)
            found.append((<bytes>fill.text[:fill.text_bytes]).decode("utf-8", "replace"))
            at = fill.next
        return found[::-1]

    cdef void obey_all(self) noexcept nogil:
        cdef TableCommand *command
        cdef TableCommand *following
        if not ibw_load_relaxed(<uint64_t *>&self.table.commands):
            return
        command = self.table.taken()
        while command is not NULL:
            following = command.next
            self.obey(<const OrderCommand *>command)
            free(command)
            self.obeyed += 1
            command = following

    cdef void entry(self, const uint8_t *head, uint32_t nhead, const uint8_t *payload) noexcept nogil:
        cdef const Entry *entry = <const Entry *>head
        cdef Kind *kind
        cdef Order *order = NULL
        cdef int role, status = -1
        if entry.recv_ns > self.latest_ns:
            self.latest_ns = entry.recv_ns
        self.stepped_seq = entry.seq
        if entry.flags & UNDECODABLE or nhead < sizeof(Entry):
            ibw_count(&self.counts.orders_undecodable, 1)
            self.unread_seq = entry.seq
            self.on_undecodable(0, False, entry.recv_ns)
            return
        kind = &self.kinds[entry.kind]
        role = kind.role
        if role < 0:
            return
        if role == STATUS or role == OPEN or role == COMPLETED:
            status = self.status_of(entry, payload)
        if role == STATUS:
            order = self.on_status(entry, payload, status)
        elif role == OPEN:
            order = self.on_open(entry, payload, status)
        elif role == EXECUTION:
            order = self.on_execution(entry, payload)
        elif role == COMMISSION:
            order = self.on_commission(entry, payload)
        elif role == ERROR:
            order = self.on_error(entry, payload)
        elif role == COMPLETED:
            order = self.on_completed(entry, payload, status)
        elif role == BOUND:
            order = self.find(entry, payload, False)
        elif role == OPEN_END:
            self.end_snapshot(entry.recv_ns, True)
        if order is not NULL:
            self.facts(order, kind, entry, payload, status)
        if self.short_of_memory:               # something that was said is kept nowhere
            self.short_of_memory = False
            self.unread_seq = entry.seq
            self.on_undecodable(0, False, entry.recv_ns)

    cdef void expect_entry(self, const uint8_t *at) noexcept nogil:
        # The one behind that which is taken now: the memory of its names is fetched meanwhile.
        cdef const Entry *entry = <const Entry *>(at + 8)
        cdef int role
        cdef int64_t revision
        cdef uint64_t[2] name
        if (<const uint32_t *>(at + 4))[0] < sizeof(Entry) or entry.flags & UNDECODABLE:
            return
        role = self.kinds[entry.kind].role
        if role == EXECUTION:
            if has_text(&entry.execId, entry):
                name_execution(entry_payload(at) + entry.execId.offset, entry.execId.length, &revision, name)
                self.expect_name(BY_EXEC, name[0], name[1])
        elif (role == STATUS or role == OPEN) and self.recent[entry.orderId & 255].order_id != entry.orderId:
            self.expect_name(BY_KEY, <uint64_t>entry.clientId, <uint64_t>entry.orderId)
            self.expect_name(BY_PERM, 0, <uint64_t>entry.permId)

    # -- what the gateway said last

    cdef void facts(self, Order *order, const Kind *kind, const Entry *entry, const uint8_t *payload, int status) noexcept nogil:
        cdef OrderRow *row = &order.row
        row.seq, row.recv_ns = entry.seq, entry.recv_ns
        self.move_numbers(row, kind, <const uint8_t *>entry)
        if kind.role == ERROR:
            row.errors += 1
            row.error_code, row.error_seq = entry.code, entry.seq
        elif kind.role == STATUS or kind.role == OPEN or kind.role == COMPLETED:
            if kind.role == STATUS:
                row.statuses += 1
            elif kind.role == OPEN:
                row.opens += 1
            row.flags &= ~<uint32_t>UNSURE
            if kind.role == OPEN and (order.what_if or entry.whatIf):
                return                         # what a question was answered with is no status of an order
            if status >= 0:
                self.keep_status(row, entry, payload, status)
            elif kind.role == COMPLETED:
                self.keep_status(row, entry, payload, OTHER_STATUS)

    cdef void move_numbers(self, OrderRow *fresh, const Kind *kind, const uint8_t *head) noexcept nogil:
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

    cdef int status_of(self, const Entry *entry, const uint8_t *payload) noexcept nogil:
        # The event of its status text; -1: it has none.
        cdef int i
        cdef uint32_t length = entry.status.length
        if not has_text(&entry.status, entry):
            return -1
        for i in range(self.status_count):
            if self.statuses[i].length == length and not memcmp(self.statuses[i].text, payload + entry.status.offset, length):
                return i
        return OTHER_STATUS

    cdef void keep_status(self, OrderRow *row, const Entry *entry, const uint8_t *payload, int status) noexcept nogil:
        cdef uint32_t length = entry.status.length if has_text(&entry.status, entry) else 0
        row.status_seq = entry.seq
        row.status_code = self.statuses[status].code if status < self.status_count else STATUS_UNKNOWN
        row.flags &= ~<uint32_t>STATUS_CUT
        if length > STATUS_BYTES:
            row.flags |= STATUS_CUT
            length = STATUS_BYTES
        memset(row.status, 0, STATUS_BYTES)
        memcpy(row.status, payload + entry.status.offset, length)
        row.status_len = <uint8_t>length


@cython.final
@cython.no_gc_clear
cdef class RingTracker(Stepper):
    """Feeds a tracker with the order ring, at each publication, and with what its table is told, at once.

    Parameters
    ----------
    tracker : its table is in the ring's region. orders : it is read from the oldest entry that it still holds.

    Notes
    -----
    Whoever brings something, the producer or a thread that tells the table, steps the machine, unless somebody is at it:
    then that one does it too before it leaves. Nobody waits.
    """

    cdef Tracker tracker
    cdef Place place
    cdef HotPage *hot
    cdef uint32_t turn         # 0: nobody steps; 1: somebody does; 2: and looks again before it leaves
    cdef uint64_t head_seq     # every message up to this one is in the ring; the producer's
    cdef int64_t due_ns        # deadlines up to then have passed; the producer's
    cdef int64_t ended_ns      # nothing is received any more since; 0: it is
    cdef bint has_ended

    def __cinit__(self, Tracker tracker not None, LogRing orders not None):
        self.tracker, self.hot = tracker, tracker.table.region.hot
        self.place = Place()
        self.place.settle(orders, True)
        tracker.table.keeper = self

    def __dealloc__(self):
        if self.place is not None:
            self.place.vacate()

    cdef void step(self, uint64_t head, uint64_t seq) noexcept nogil:
        # Behind the entries, release: who sees one of these numbers sees the entries that came before it.
        ibw_store_release(&self.head_seq, seq)
        ibw_store_release(<uint64_t *>&self.due_ns, ibw_load_relaxed(&self.hot.receive_ns))
        self.keep(False)

    cdef void idle(self, int64_t now_ns) noexcept nogil:
        # now_ns 0: no time has passed, but the table was told something.
        if now_ns:
            ibw_store_release(<uint64_t *>&self.due_ns, <uint64_t>now_ns)
        self.tell(self.keep(now_ns != 0))

    cdef void ended(self, int64_t now_ns) noexcept nogil:
        ibw_store_release(<uint64_t *>&self.ended_ns, <uint64_t>now_ns)
        self.tell(self.keep(False))

    cdef void tell(self, int changed) noexcept nogil:
        # The producer tells of what it steps by itself; of what it left to others it has told too early.
        if changed & ENTRIES:
            region_ring(self.tracker.table.region)
        elif changed:
            region_ring_rows(self.tracker.table.region)

    cdef int keep(self, bint prepares) noexcept nogil:
        # What changed. `prepares`: there is time for more. What the caller brought is out before the swap; who steps
        # looks after its own.
        cdef int changed = 0
        if ibw_swap32_seq(&self.turn, 2):
            return 0
        while True:
            ibw_swap32_seq(&self.turn, 1)
            changed |= self.serve()
            if prepares:
                prepares = False
                self.tracker.prepare()
            if ibw_replace32_seq(&self.turn, 1, 0):
                return changed

    cdef int serve(self) noexcept nogil:
        # Acquire, before the entries are looked at; see docs/ring/model.md.
        cdef uint64_t seq = ibw_load_acquire(&self.head_seq)
        cdef int64_t due_ns = <int64_t>ibw_load_acquire(<uint64_t *>&self.due_ns)
        cdef int64_t ended_ns = <int64_t>ibw_load_acquire(<uint64_t *>&self.ended_ns)
        cdef uint64_t ready, end
        cdef const uint8_t *at
        cdef int changed = 0
        self.tracker.obey_all()
        while True:
            ready = self.place.look()
            if not ready:
                break
            changed = ENTRIES
            end = self.place.at + ready
            while self.place.at < end:
                at = data_of(self.place.segment) + self.place.at
                self.place.at += entry_bytes(at)
                if self.place.at < end:
                    self.tracker.expect_entry(at + entry_bytes(at))
                self.tracker.entry(at + 8, (<const uint32_t *>(at + 4))[0], entry_payload(at))
        self.place.leave()
        if self.tracker.next_due_ns:
            self.tracker.check_deadlines(due_ns if due_ns > self.tracker.latest_ns else self.tracker.latest_ns)
        if ended_ns and not self.has_ended:
            self.has_ended = True
            self.tracker.end_snapshot(ended_ns, False)
            self.tracker.doubt_all(ON_LINK_LOST, ended_ns)
        if self.tracker.dirty_count:
            changed |= ROWS
            self.tracker.show_all()
        # The rows are out before these say so.
        ibw_store_release(&self.tracker.table.obeyed, self.tracker.obeyed)
        ibw_store_release(&self.tracker.table.stepped, seq)
        return changed


cdef check_places(tuple places):
    # Where the spec has the fields of an entry, and where the struct has them.
    cdef Entry *e = NULL
    cdef list here = [
        <uint64_t>&e.seq, <uint64_t>&e.recv_ns, <uint64_t>&e.kind, <uint64_t>&e.part, <uint64_t>&e.flags,
        <uint64_t>&e.code, <uint64_t>&e.payload_bytes, <uint64_t>&e.body, <uint64_t>&e.orderId, <uint64_t>&e.permId,
        <uint64_t>&e.clientId, <uint64_t>&e.parentId, <uint64_t>&e.quantity, <uint64_t>&e.filled,
        <uint64_t>&e.remaining, <uint64_t>&e.price, <uint64_t>&e.avg_price, <uint64_t>&e.last_price,
        <uint64_t>&e.status, <uint64_t>&e.text, <uint64_t>&e.execId, <uint64_t>&e.side, <uint64_t>&e.orderRef,
        <uint64_t>&e.account, <uint64_t>&e.symbol, <uint64_t>&e.secType, <uint64_t>&e.group,
        <uint64_t>&e.quantity_digits, <uint64_t>&e.filled_digits, <uint64_t>&e.remaining_digits, <uint64_t>&e.whatIf,
        <uint64_t>&e.conId,
    ]
    if list(places) != here or sizeof(Entry) != 192:
        raise ValueError(f"entries have other places: {places}")


cdef inline int64_t word(const uint8_t *head, uint32_t at) noexcept nogil:
    return (<const int64_t *>(head + at))[0]


cdef inline int says(const uint8_t *head, const Move *move) noexcept nogil:
    # 0: unset, 1: zero, 2: something
    cdef double number
    if not move.is_double:
        return 0 if word(head, move.source) == INT64_MIN else 2 if word(head, move.source) else 1
    memcpy(&number, head + move.source, 8)
    return 0 if number != number else 2 if number != 0 else 1
