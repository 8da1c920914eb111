# Part of _tracker.pyx: what an event does to an order. The tables decide; docs/orders/machine.md has it step by step.
# Twins: trade/machine.py and trade/orders.py.

cdef enum:                 # spec/orderstates State: those that the steps themselves name; the constructor compares
    CREATED = 0
    UNTRANSMITTED = 1
    SENT = 2
    ACKNOWLEDGED = 3
    WORKING = 4
    PARTIALLY_FILLED = 5
    MODIFY_REQUESTED = 7
    FILLED = 8
    CANCELLED = 9
    REJECTED = 10
    EXPIRED = 11
    UNCERTAIN = 13
    JOURNALED = 14
    MOST_STATES = 32

cdef enum:                 # Flag
    SEEN_LIVE = 1
    ANSWERED = 2
    CANCEL_ASKED = 4
    MODIFY_OPEN = 16
    DOUBT = 1024
    BLIND = 2048
    NEEDS_QUERY = 4096
    HELD = 8192
    UNNAMED = 1 << 14
    FILLS = 1 << 16
    SETTLED = 1 << 17
    SNAPSHOT = 1 << 18
    EXPIRY = 1 << 19
    MORE = 1 << 20
    OF_CANCEL = 1 << 21
    UNEQUAL = 1 << 22
    AMBIGUOUS = 1 << 23
    AGAIN = 1 << 24
    MODIFYING = SEEN_LIVE | MODIFY_OPEN

cdef enum:                 # Event
    STATUS_FILLED = 7
    OTHER_STATUS = 9
    ON_EXECUTION = 10
    ON_EXECUTION_FULL = 11
    ON_EXECUTION_REDUCED = 12
    ON_ERROR = 13
    TERMS_ACCEPTED = 21
    TERMS_STALE = 22
    ON_PLACE = 23
    ON_PLACE_UNTRANSMITTED = 24
    ON_CANCEL_REQUEST = 25
    ON_SEND_FAILED = 26
    ON_SEND_BROKEN = 27
    ON_LINK_LOST = 28
    ON_RESTORED = 29
    ON_DEADLINE = 30
    ON_UNDECODABLE = 31
    ON_ABSENT = 32
    ON_LOOKED_UP = 33
    ON_JOURNALED = 34
    EVENTS = 35
    NO_STATUS = 255

cdef enum:
    RESUME = -1

cdef enum:                 # OrderEffect
    E_WARNING = 1
    E_REFUSED = 2
    E_MODIFY_REFUSED = 3
    E_CANCELLED = 4
    MOST_CODES = 32768
    ORDER_ONLY = 128       # bit of the table of codes: it makes an order that is not known
    RESTORES = 64          # with no id: answers may be missing

cdef enum:                 # Trigger
    WARNING = 15
    MODIFY_REFUSED = 18

cdef enum:                 # what was sent last
    PLACED = 1
    MODIFIED = 2
    CANCELS = 3

cdef enum:                 # commands
    ADD = 1
    REMOVE = 2
    PLACE = 3
    CANCEL = 4
    SEND_FAILED = 5
    LINK_LOST = 6
    RESTORED = 7
    BEGIN_SNAPSHOT = 8
    END_SNAPSHOT = 9
    LOOKED_UP = 10
    UNREADABLE = 11
    DEADLINES = 12
    EXECUTIONS_LISTED = 13
    IS_UNNAMED = 14
    BYTES_LEFT = 15

cdef enum:                 # of a command
    TRANSMIT = 1
    WHAT_IF = 2
    DIVIDED = 4
    EVERYONE = 8
    COMPLETE = 16
    ONE_ORDER = 32
    IS_JOURNALED = 64

cdef struct OrderCommand:
    TableCommand head      # must be first: it is freed as one
    int64_t now_ns
    int64_t parent
    int64_t number         # bytes written
    Terms terms
    uint64_t account
    uint32_t flags
    uint8_t type

cdef struct Rule:
    uint32_t states
    uint32_t need
    uint32_t forbid
    uint32_t on
    uint32_t off
    uint32_t trigger

cdef struct Cell:
    int8_t target
    uint8_t is_anomaly


cdef class Machine(Book):
    """The order state machine: entries, commands and time in; rows out. Producer only."""

    cdef Rule *rules
    cdef uint32_t[36] first_rule
    cdef Cell[32][64] cells
    cdef int64_t[32] limits_ns
    cdef uint8_t[32768] codes
    cdef uint32_t ended        # bit of each state
    cdef uint32_t may_fill
    cdef uint32_t live
    cdef uint64_t unread_seq   # the latest message that could not be read
    cdef int64_t next_due_ns   # no deadline is before; 0: there is none
    cdef int64_t latest_ns     # time of the latest input

    def __dealloc__(self):
        free(self.rules)

    cdef load(self, tuple machine):
        """Take the tables of ``spec/tables.py``, :func:`machine_plan`."""
        cdef int i, n, state, trigger
        rules, cells, limits, risks, codes, ended, may_fill, names = machine
        expected = (CREATED, UNTRANSMITTED, SENT, ACKNOWLEDGED, WORKING, PARTIALLY_FILLED, MODIFY_REQUESTED, FILLED,
                    CANCELLED, REJECTED, EXPIRED, UNCERTAIN, JOURNALED, SEEN_LIVE, ANSWERED, CANCEL_ASKED, MODIFY_OPEN, DOUBT, BLIND, NEEDS_QUERY, HELD, UNNAMED, FILLS, SETTLED,
                    SNAPSHOT, EXPIRY, MORE, OF_CANCEL, UNEQUAL, AMBIGUOUS, AGAIN, STATUS_FILLED, OTHER_STATUS, ON_EXECUTION, ON_EXECUTION_FULL,
                    ON_EXECUTION_REDUCED, ON_ERROR, TERMS_ACCEPTED, TERMS_STALE, ON_PLACE, ON_PLACE_UNTRANSMITTED,
                    ON_CANCEL_REQUEST, ON_SEND_FAILED, ON_SEND_BROKEN, ON_LINK_LOST, ON_RESTORED, ON_DEADLINE,
                    ON_UNDECODABLE, ON_ABSENT, ON_LOOKED_UP, ON_JOURNALED, E_WARNING, E_REFUSED, E_MODIFY_REFUSED, E_CANCELLED, WARNING,
                    MODIFY_REFUSED)
        if tuple(names) != expected:
            raise ValueError(f"the tables have other numbers: {names}")
        if len(rules) != EVENTS or len(codes) != MOST_CODES or len(risks) > MOST_STATES or any(not r for r in rules):
            raise ValueError("tables of another size")
        self.rules = <Rule *>calloc(sum(len(of_event) for of_event in rules), sizeof(Rule))
        if self.rules is NULL:
            raise MemoryError()
        n = 0
        for i, of_event in enumerate(rules):
            self.first_rule[i] = n
            for states, need, forbid, trigger, on, off in of_event:
                self.rules[n] = Rule(states, need, forbid, on, off, trigger)
                n += 1
            if self.rules[n - 1].need or self.rules[n - 1].forbid or ~self.rules[n - 1].states & ((1 << len(risks)) - 1):
                raise ValueError(f"the last rule of event {i} does not always fit")
        self.first_rule[EVENTS] = n
        for state, trigger, target, is_anomaly in cells:
            if not (0 <= state < MOST_STATES and 0 <= trigger < 64):
                raise ValueError(f"a cell at {state, trigger}")
            self.cells[state][trigger] = Cell(target, is_anomaly)
        for i, ms in enumerate(limits):
            self.limits_ns[i] = ms * 1_000_000
        for i, risk in enumerate(risks):
            self.risks[i] = risk
        memcpy(self.codes, <const char *>(<bytes>codes), MOST_CODES)
        self.ended, self.may_fill = ended, may_fill

    # -- the step itself

    cdef uint32_t move(self, Order *order, int event, int64_t now_ns, uint32_t extra) noexcept nogil:
        # One event: its rule, the next state, the flags after it, the time of the next deadline. Returns the trigger.
        cdef uint32_t fills = FILLS if filled_of(order) > 0 else 0
        cdef uint32_t word = order.flags | extra | fills
        cdef uint32_t here = <uint32_t>1 << order.state
        cdef const Rule *rule = &self.rules[self.first_rule[event]]
        cdef const Cell *cell
        cdef uint8_t before = order.state
        cdef int target
        while not (rule.states & here and not rule.need & ~word and not rule.forbid & word):
            rule += 1              # the last one always fits
        cell = &self.cells[before][rule.trigger]
        order.flags = order.flags & ~rule.off | rule.on
        target = cell.target
        if target == RESUME or target == WORKING or target == PARTIALLY_FILLED:
            if target == RESUME and order.flags & MODIFYING == MODIFYING:
                target = MODIFY_REQUESTED
            elif fills:
                target = PARTIALLY_FILLED
            elif target != RESUME or order.flags & SEEN_LIVE:
                target = WORKING
            else:
                target = ACKNOWLEDGED if order.flags & ANSWERED else SENT
        order.state = <uint8_t>target
        if target != UNCERTAIN:
            order.certain = <uint8_t>target
        if self.ended >> target & 1:
            if not self.ended >> before & 1:
                order.flags &= ~<uint32_t>DOUBT
                if not order.flags & BLIND:
                    order.flags &= ~<uint32_t>NEEDS_QUERY
        elif cell.is_anomaly or (target == UNCERTAIN and before != UNCERTAIN):
            order.flags |= NEEDS_QUERY
        if target != before or event == ON_PLACE or event == ON_CANCEL_REQUEST:
            order.due_ns = now_ns + self.limits_ns[target] if self.limits_ns[target] else 0
            if order.due_ns and (not self.next_due_ns or order.due_ns < self.next_due_ns):
                self.next_due_ns = order.due_ns
        self.touch(order)
        return rule.trigger

    cdef bint doubt(self, Order *order, int event, int64_t now_ns) noexcept nogil:
        cdef uint8_t before = order.state
        self.move(order, event, now_ns, 0)
        if order.state == before:
            return False
        order.has_history = True
        return True

    cdef void doubt_all(self, int event, int64_t now_ns) noexcept nogil:
        cdef uint32_t i
        for i in range(self.count):
            if self.orders[i].alias < 0 and not self.orders[i].is_gone:
                self.doubt(self.orders[i], event, now_ns)

    cdef void apply_status(self, Order *order, uint8_t event, int64_t now_ns, uint32_t extra) noexcept nogil:
        order.status = event
        self.move(order, event, now_ns, extra)
        order.has_history = True

    # -- quantity

    cdef exact bound_of(self, const Order *order) noexcept nogil:
        # The most that may be filled; NONE when the total is not known.
        cdef exact most
        cdef uint32_t i
        most = total_of(order)
        for i in range(order.pending.count):
            most = larger(most, order.pending.items[i].quantity)
        if order.flags & DOUBT:
            for i in range(order.replaced.count):
                most = larger(most, order.replaced.items[i].quantity)
        return most

    cdef int quantity_event(self, const Order *order, exact delta) noexcept nogil:
        cdef exact most = self.bound_of(order)
        if most != NONE and confirmed_of(order) >= most:
            return ON_EXECUTION_FULL
        return ON_EXECUTION_REDUCED if delta < 0 else ON_EXECUTION

    cdef bint is_unequal(self, const Order *order) noexcept nogil:
        # Its executions add up to more than was ordered, or than any of them names: a bust or terms are missing.
        cdef const Fill *fill
        cdef int32_t at = order.first_fill
        cdef exact most = self.bound_of(order)
        if most != NONE and confirmed_of(order) > most:
            return True
        most = 0
        if order.is_divided:
            return False
        while at >= 0:
            fill = self.fill_at(<uint32_t>at)
            at = fill.next
            if fill.shares == 0 or self.part_of(order, fill) == 2:
                continue
            if fill.cum == 0:
                return False
            most = larger(most, fill.cum)
        return order.exec_filled > most

    cdef void settle(self, Order *order, int64_t now_ns) noexcept nogil:
        # The total may have become known, or smaller, after the executions came.
        if order.state != FILLED and not order.flags & (BLIND | UNNAMED) and confirmed_of(order) > 0:
            if self.quantity_event(order, 0) == ON_EXECUTION_FULL and not self.is_unequal(order):
                self.move(order, ON_EXECUTION_FULL, now_ns, 0)
                order.has_history = True

    cdef void reopen(self, Order *order, int64_t now_ns) noexcept nogil:
        # Terms are reported that its executions do not fill: those that made it filled were not the last.
        cdef exact most = self.bound_of(order)
        if order.state == FILLED and most != NONE and confirmed_of(order) < most:
            if self.doubt(order, ON_EXECUTION_REDUCED, now_ns):
                order.flags |= DOUBT   # these may be older ones

    # -- terms

    cdef void learn_terms(self, Order *order, const Entry *entry, const uint8_t *payload, const Terms *terms) noexcept nogil:
        cdef uint64_t account = hash_ref(&entry.account, entry, payload)
        cdef uint8_t group = has_text(&entry.group, entry)
        cdef uint8_t kind = type_of(&entry.secType, entry, payload)
        if not order.has_order:
            order.has_order = order.has_contract = True
            order.order_account, order.order_group, order.order_type = account, group, kind
        order.has_broker = order.has_broker_contract = True
        order.broker_account, order.broker_group, order.broker_type = account, group, kind
        order.broker = terms[0]
        self.regroup(order, True)

    cdef void regroup(self, Order *order, bint sums) noexcept nogil:
        # What decides which executions count may have changed. Terms that we send ourselves change no sum (not `sums`):
        # what is filled follows from what the gateway says.
        cdef uint8_t divided = order.broker_group or order.order_group
        cdef uint8_t combination = (order.broker_type if order.has_broker_contract else order.order_type) == COMBINATION
        order.is_mixed |= divided or combination or order.is_divided or order.is_combination
        order.is_divided, order.is_combination = divided, combination
        if order.first_fill >= 0 and order.is_mixed:
            if sums:
                self.sum_fills(order)
            else:
                self.sum_fees(order)
        if sums:
            order.is_mixed = divided or combination

    cdef void apply_terms(self, Order *order, const Entry *entry, const uint8_t *payload, uint32_t extra) noexcept nogil:
        cdef Terms terms
        cdef int accepted
        if ibw_exact_of(entry.quantity, entry.quantity_digits, &terms.quantity) == 0:
            order.row.flags |= INEXACT
        terms.limit, terms.aux = entry.price, entry.avg_price
        accepted = self.accept(order, &terms)
        if accepted < 0 and fits_any(&order.replaced, &terms):
            if not extra & SNAPSHOT:
                self.move(order, TERMS_STALE, entry.recv_ns, 0)
                order.has_history = True
                return
            # The broker was asked: that is how it stands. What was in force before may come again, very late.
            if order.has_broker:
                self.push_terms(&order.replaced, &order.broker)
            self.drop_terms(&order.replaced, &terms)
        self.learn_terms(order, entry, payload, &terms)
        if accepted >= 0:
            extra = (MORE if order.pending.count else 0) | (AMBIGUOUS if accepted else 0)
            self.move(order, TERMS_ACCEPTED, entry.recv_ns, extra)
            order.has_history = True

    cdef void drop_terms(self, TermList *list, const Terms *terms) noexcept nogil:
        # Those that are the same as these.
        cdef uint32_t i, kept = 0
        for i in range(list.count):
            if not same_terms(&list.items[i], terms):
                list.items[kept] = list.items[i]
                kept += 1
        list.count = kept

    cdef int accept(self, Order *order, const Terms *terms) noexcept nogil:
        # Drop the unanswered modifies up to the last that fits. -1: none does. 1: one before it, or the placement, was
        # passed over, or the terms were in force before, so that this may be an older message.
        cdef int64_t at = <int64_t>order.pending.count - 1
        cdef uint32_t i
        cdef bint ambiguous
        while at >= 0 and not same_terms(&order.pending.items[at], terms):
            at -= 1
        if at < 0:
            return -1
        ambiguous = at > 0 or fits_any(&order.replaced, terms)
        if order.has_broker:
            ambiguous |= same_terms(&order.broker, terms)
            self.push_terms(&order.replaced, &order.broker)
        else:
            ambiguous = True
            if order.has_placed:
                self.push_terms(&order.replaced, &order.placed)
        for i in range(<uint32_t>at):
            self.push_terms(&order.replaced, &order.pending.items[i])
        self.drop_terms(&order.replaced, terms)
        order.pending.count -= <uint32_t>at + 1
        for i in range(order.pending.count):
            order.pending.items[i] = order.pending.items[i + <uint32_t>at + 1]
        order.refusals = order.refusals - <uint32_t>at if order.refusals > <uint32_t>at else 0
        if order.refusals >= order.pending.count:
            order.pending.count = order.refusals = 0
        order.row.refusal_code = 0
        return ambiguous

    # -- what comes in

    cdef Order *find(self, const Entry *entry, const uint8_t *payload, bint by_marks) noexcept nogil:
        # The order that an entry is about, with what follows from its names; NULL: removed, or no memory.
        cdef uint64_t[2] marks
        cdef Order *merged
        cdef Order *rival
        cdef Order *order
        order = self.recalled(entry.clientId, id_of(entry.orderId), id_of(entry.permId))
        if order is not NULL:
            self.touch(order)
            return NULL if order.is_gone else order
        marks[0] = marks[1] = 0
        if by_marks and not id_of(entry.orderId) and not id_of(entry.permId):
            marks_of(entry, payload, marks)
        marks[0] += <uint64_t>(entry.clientId if has_client(entry.clientId) else self.client_id)
        order = self.locate(entry.clientId, id_of(entry.orderId), id_of(entry.permId), marks, &merged, &rival)
        if order is NULL:
            return NULL
        if merged is not NULL:
            self.merge(order, merged, entry.recv_ns)
        if rival is not NULL:
            rival.flags |= NEEDS_QUERY
            rival.has_history = True
            rival.row.flags |= CONFLICT
            order.row.flags |= CONFLICT
            self.touch(rival)
        self.touch(order)
        return NULL if order.is_gone else order

    cdef void merge(self, Order *order, Order *other, int64_t now_ns) noexcept nogil:
        # `other` was held under its permId only and turns out to be `order`.
        cdef int32_t at = other.first_fill
        cdef int32_t following
        while at >= 0:
            following = self.fill_at(<uint32_t>at).next
            self.own_fill(order, self.fill_at(<uint32_t>at))
            at = following
        other.first_fill = -1
        if other.reported_filled > order.reported_filled:
            order.reported_filled = other.reported_filled
        if order.reported_avg == 0:
            order.reported_avg = other.reported_avg
        if other.row.status_seq:
            order.row.status_seq, order.row.status_code = other.row.status_seq, other.row.status_code
            order.row.status_len = other.row.status_len
            memcpy(order.row.status, other.row.status, sizeof(other.row.status))
        order.is_corrected |= other.is_corrected
        order.row.flags |= other.row.flags & INEXACT
        order.row.executions += other.row.executions
        order.row.commissions += other.row.commissions
        order.row.corrections += other.row.corrections
        order.row.errors += other.row.errors
        order.flags |= other.flags & (SEEN_LIVE | ANSWERED | DOUBT | BLIND)
        order.has_history |= other.has_history
        self.sum_fills(order)
        if other.status != NO_STATUS:
            self.apply_status(order, other.status, now_ns, 0)
        self.settle(order, now_ns)
        if order.exec_filled != 0 and not self.ended >> order.state & 1 and order.state != PARTIALLY_FILLED:
            self.move(order, ON_EXECUTION, now_ns, 0)

    cdef Order *on_open(self, const Entry *entry, const uint8_t *payload, int status) noexcept nogil:
        cdef Order *order = self.find(entry, payload, True)
        cdef uint32_t extra
        if order is NULL:
            return NULL
        if order.what_if or entry.whatIf:
            if not order.has_history:
                order.what_if, order.state, order.flags = True, CREATED, 0
            order.has_history = True
            return order
        # Each is named once: what comes for it before the question or after the answer is no answer.
        extra = SNAPSHOT if order.is_asked else 0
        order.is_asked = False
        order.parent = id_of(entry.parentId) or order.parent
        self.apply_terms(order, entry, payload, extra)
        self.reopen(order, entry.recv_ns)
        order.flags |= ANSWERED
        if status >= 0:
            self.apply_status(order, <uint8_t>status, entry.recv_ns, extra)
        self.settle(order, entry.recv_ns)
        return order

    cdef Order *on_completed(self, const Entry *entry, const uint8_t *payload, int status) noexcept nogil:
        cdef Order *order = self.find(entry, payload, True)
        cdef Terms terms
        cdef exact filled
        if order is NULL:
            return NULL
        order.parent = id_of(entry.parentId) or order.parent
        if ibw_exact_of(entry.quantity, entry.quantity_digits, &terms.quantity) == 0:
            order.row.flags |= INEXACT
        terms.limit, terms.aux = entry.price, entry.avg_price
        self.learn_terms(order, entry, payload, &terms)
        ibw_exact_of(entry.filled, entry.filled_digits, &filled)
        if filled != NONE and filled > order.reported_filled:
            order.reported_filled = filled
        self.believe_sum(order, filled, entry.recv_ns)
        self.reopen(order, entry.recv_ns)
        self.apply_status(order, <uint8_t>status if status >= 0 else OTHER_STATUS, entry.recv_ns, SETTLED)
        self.settle(order, entry.recv_ns)
        return order

    cdef void believe_sum(self, Order *order, exact told, int64_t now_ns) noexcept nogil:
        # Its executions add up to what the gateway says, and more was named before: a bust was missed.
        if told == NONE or told == 0 or order.is_corrected:
            return
        if told == order.exec_filled and (told < order.exec_cum or told < order.reported_filled):
            order.is_corrected = True
            self.move(order, ON_EXECUTION_REDUCED, now_ns, 0)

    cdef Order *on_status(self, const Entry *entry, const uint8_t *payload, int status) noexcept nogil:
        # Its quantities are hints until executions come, and zeros never undo them.
        cdef Order *order = self.find(entry, payload, False)
        cdef exact filled, remaining
        if order is NULL:
            return NULL
        if ibw_exact_of(entry.filled, entry.filled_digits, &filled) == 0:
            order.row.flags |= INEXACT
        ibw_exact_of(entry.remaining, entry.remaining_digits, &remaining)
        if filled == NONE:
            filled = 0
        if filled >= order.reported_filled and (filled != 0 or (remaining != NONE and remaining != 0)):
            order.reported_filled, order.reported_remaining = filled, remaining
        if filled >= order.reported_filled and ibw_is_known(entry.avg_price) and entry.avg_price != 0:
            order.reported_avg = entry.avg_price
        order.parent = id_of(entry.parentId) or order.parent
        self.apply_status(order, <uint8_t>status if status >= 0 else OTHER_STATUS, entry.recv_ns, 0)
        return order

    cdef Order *on_execution(self, const Entry *entry, const uint8_t *payload) noexcept nogil:
        cdef uint64_t[2] name
        cdef int64_t revision
        cdef Fill *fill = self.fill_named(&entry.execId, entry, payload, &revision, name)
        cdef Order *order
        cdef Order *other = NULL
        cdef exact delta = 0, shares = 0
        cdef double notional = 0
        cdef int event
        cdef uint8_t part
        cdef bint is_new, is_news = True
        if fill is NULL:
            return NULL
        is_new = not fill.is_known
        if not is_new and revision <= fill.revision:
            is_news = False
            fill.is_corrected |= revision < fill.revision
        else:
            notional = ibw_double(fill.shares) * fill.price
            shares = fill.shares
            self.read_fill(fill, entry, payload, revision)
            delta = fill.shares - shares
            notional = ibw_double(fill.shares) * fill.price - notional
        if fill.owner < 0:
            order = self.find(entry, payload, False)
            if order is NULL:
                return NULL
            if not order.has_contract:
                order.has_contract, order.order_type = True, fill.type
                self.regroup(order, False)
            self.own_fill(order, fill)
        else:
            order = self.itself(fill.owner)
            if order.is_gone:
                return NULL
            other = self.learn_perm(order, id_of(entry.permId))
            if other is not NULL:
                self.merge(order, other, entry.recv_ns)
        order.is_corrected |= fill.is_corrected
        if fill.is_inexact:
            order.row.flags |= INEXACT
        self.touch(order)
        if not is_news:
            return order
        if is_new:
            order.row.executions += 1
        else:
            order.row.corrections += 1
        part = self.part_of(order, fill)
        if order.is_divided or other is not NULL:  # a merge has summed this one already
            self.sum_fills(order)
        elif part != 2:
            order.exec_filled += delta
            order.notional += notional
            if fill.cum > order.exec_cum:
                order.exec_cum = fill.cum
                if ibw_is_known(entry.avg_price) and entry.avg_price != 0:
                    order.reported_avg = entry.avg_price
        event = self.quantity_event(order, delta)
        self.move(order, event, entry.recv_ns, UNEQUAL if event == ON_EXECUTION_FULL and self.is_unequal(order) else 0)
        order.has_history = True
        if is_new and fill.fee_revision >= 0:
            order.row.commissions += 1
            if not order.is_divided:
                self.add_fee(order, fill)
        return order

    cdef void read_fill(self, Fill *fill, const Entry *entry, const uint8_t *payload, int64_t revision) noexcept nogil:
        cdef int rc = ibw_exact_of(entry.quantity, entry.quantity_digits, &fill.shares)
        cdef const uint8_t *account = payload + entry.account.offset
        cdef uint32_t length = entry.execId.length if has_text(&entry.execId, entry) else 0
        fill.is_inexact = rc == 0
        if rc < 0:
            fill.shares = 0
        if fill.shares < 0:
            fill.shares = -fill.shares
        if ibw_exact_of(entry.filled, entry.filled_digits, &fill.cum) == 0:
            fill.is_inexact = True
        if fill.cum == NONE:
            fill.cum = 0
        fill.price = entry.price if ibw_is_known(entry.price) else 0
        if not fill.is_known:
            fill.is_known = True
            fill.is_corrected = revision > 1
            fill.type = type_of(&entry.secType, entry, payload)
            fill.account = hash_ref(&entry.account, entry, payload)
            if fill.account:
                fill.is_master = account[0] == c'F' or (entry.account.length > 1 and account[0] == c'D' and account[1] == c'F')
        else:
            fill.is_corrected = True
        fill.revision = revision
        fill.text_bytes = length if length < EXEC_BYTES else EXEC_BYTES
        memcpy(fill.text, payload + entry.execId.offset, fill.text_bytes)

    cdef Order *on_commission(self, const Entry *entry, const uint8_t *payload) noexcept nogil:
        # It may come before its execution, and is kept until that comes.
        cdef uint64_t[2] name
        cdef int64_t revision
        cdef Fill *fill = self.fill_named(&entry.execId, entry, payload, &revision, name)
        cdef Order *order
        cdef int rc
        cdef uint32_t length
        cdef bint is_first
        if fill is NULL:
            return NULL
        is_first = fill.fee_revision < 0
        if revision >= fill.fee_revision:
            rc = ibw_exact_shortest(entry.price, &fill.fee)
            fill.fee_revision = revision
            length = entry.text.length if has_text(&entry.text, entry) else 0
            fill.currency_len = <uint8_t>(length if length < CURRENCY_BYTES else CURRENCY_BYTES)
            memset(fill.currency, 0, CURRENCY_BYTES)
            memcpy(fill.currency, payload + entry.text.offset, fill.currency_len)
            fill.is_inexact |= rc == 0
        if fill.owner < 0:
            ibw_count(&self.counts.orders_unkeyed, 1)
            return NULL
        order = self.itself(fill.owner)
        if order.is_gone:
            return NULL
        if fill.is_inexact:
            order.row.flags |= INEXACT
        order.has_history = True
        order.row.commissions += 1
        if is_first and not order.is_divided:
            self.add_fee(order, fill)
        else:
            self.sum_fees(order)
        self.touch(order)
        return order

    cdef Order *on_error(self, const Entry *entry, const uint8_t *payload) noexcept nogil:
        cdef int64_t id = entry.orderId
        cdef uint8_t code = self.codes[entry.code] if 0 <= entry.code < MOST_CODES else 0
        cdef Order *order = self.own(id) if id != -1 and id != INT64_MIN else NULL
        cdef uint32_t extra = 0, trigger, open_before
        cdef int effect = code & 15
        if order is NULL:
            if id == -1 and code & RESTORES:
                self.doubt_all(ON_RESTORED, entry.recv_ns)
            if id <= 0 or not code & ORDER_ONLY:
                return NULL
            order = self.hold(self.client_id, id)
        if order is NULL or order.is_gone:
            return NULL
        if speaks_of_expiry(entry, payload):
            extra = EXPIRY
        if order.refusals + 1 < order.pending.count:
            extra |= MORE
        open_before = order.flags & MODIFY_OPEN
        if effect == E_REFUSED and not open_before:
            order.row.refusal_code = entry.code
        if effect != E_WARNING and effect != E_CANCELLED:
            order.row.problem_code = entry.code
        trigger = self.move(order, ON_ERROR + effect, entry.recv_ns, extra)
        if trigger == MODIFY_REFUSED:
            order.pending.count = order.refusals = 0
        elif open_before and trigger == WARNING and (effect == E_REFUSED or effect == E_MODIFY_REFUSED):
            order.refusals += 1
        order.has_history = True
        self.settle(order, entry.recv_ns)      # a refused modify: what is filled may be all there is
        return order

    cdef void on_undecodable(self, int64_t order_id, bint one, int64_t now_ns) noexcept nogil:
        cdef uint32_t i
        cdef Order *order
        if one:
            order = self.own(order_id)
            if order is NULL:
                order = self.hold(self.client_id, order_id)
            if order is not NULL and not order.is_gone:
                order.row.flags |= UNSURE
                self.doubt(order, ON_UNDECODABLE, now_ns)
            return
        for i in range(self.count):            # ended ones too: it may have been a late execution
            order = self.orders[i]
            if order.alias < 0 and not order.is_gone:
                order.row.flags |= UNSURE
                self.touch(order)
                if order.state != CREATED:
                    self.doubt(order, ON_UNDECODABLE, now_ns)

    # -- what we do

    cdef void obey(self, const OrderCommand *command) noexcept nogil:
        cdef int what = command.head.what
        cdef int64_t order_id = command.head.key2
        cdef int64_t now_ns = command.now_ns
        cdef Order *order
        if now_ns > self.latest_ns and what != DEADLINES:
            self.latest_ns = now_ns
        if what == PLACE:
            self.on_place(command)
        elif what == CANCEL:
            order = self.own(order_id)
            if order is NULL:
                order = self.hold(self.client_id, order_id)
            if order is not NULL and not order.is_gone:
                order.is_asked = False
                order.last_act = CANCELS
                self.move(order, ON_CANCEL_REQUEST, now_ns, 0)
                order.has_history = True
        elif what == BYTES_LEFT:
            self.on_sent(command)
        elif what == SEND_FAILED:
            self.on_send_failed(order_id, command.number, now_ns)
        elif what == LINK_LOST:
            self.end_snapshot(now_ns, False)
            self.doubt_all(ON_LINK_LOST, now_ns)
        elif what == RESTORED:
            self.doubt_all(ON_RESTORED, now_ns)
        elif what == BEGIN_SNAPSHOT:
            self.begin_snapshot(command.flags & EVERYONE)
        elif what == END_SNAPSHOT:
            self.end_snapshot(now_ns, command.flags & COMPLETE)
        elif what == LOOKED_UP:
            if <uint64_t>command.number >= self.unread_seq:
                self.looked_up(now_ns)
        elif what == EXECUTIONS_LISTED or what == IS_UNNAMED:
            self.executions_listed(what, command.head.key, order_id)
        elif what == UNREADABLE:
            self.on_undecodable(order_id, command.flags & ONE_ORDER, now_ns)
        elif what == DEADLINES:
            self.check_deadlines(now_ns)
        elif what == ADD:
            order = self.lookup(BY_KEY, <uint64_t>command.head.key, <uint64_t>order_id)
            if order is NULL:
                self.new_order(command.head.key, order_id)
            elif order.is_gone:
                self.revive(order)
        elif what == REMOVE:
            self.remove(command.head.key, order_id)

    cdef void remove(self, int64_t client, int64_t order_id) noexcept nogil:
        cdef Order *order = self.named_order(client, order_id)
        if order is not NULL:
            self.unshow(order)
            order.is_gone = True
            order.due_ns = 0

    cdef void on_place(self, const OrderCommand *command) noexcept nogil:
        cdef Order *order = self.own(command.head.key2)
        cdef bint fresh
        if order is not NULL and order.is_gone:
            self.revive(order)
        if order is NULL:
            order = self.new_order(self.client_id, command.head.key2)
            if order is NULL:
                return
        order.is_asked = False                 # the answer may be older than this
        order.has_contract, order.order_type = True, command.type
        order.what_if = command.flags & WHAT_IF != 0
        order.parent = command.parent or order.parent
        order.has_order, order.has_history = True, True
        order.order_account, order.order_group = command.account, command.flags & DIVIDED != 0
        self.regroup(order, False)
        self.touch(order)
        if order.what_if:
            return
        fresh = order.state in (CREATED, UNTRANSMITTED, CANCELLED, REJECTED, EXPIRED)
        if fresh:
            order.placed, order.has_placed, order.last_act = command.terms, True, PLACED
            order.pending.count = order.replaced.count = order.refusals = 0
            order.row.refusal_code = 0
            if self.ended >> order.state & 1:
                order.has_broker = order.broker_group = False
                self.regroup(order, False)
        else:
            order.last_act = MODIFIED
            if order.state != FILLED:
                self.push_terms(&order.pending, &command.terms)
        if fresh and command.flags & IS_JOURNALED:
            self.move(order, ON_JOURNALED, command.now_ns, AGAIN)
            return
        self.move(order, ON_PLACE if command.flags & TRANSMIT else ON_PLACE_UNTRANSMITTED, command.now_ns, AGAIN)
        if command.flags & TRANSMIT and order.parent:
            self.release(order, command.now_ns)

    cdef void on_sent(self, const OrderCommand *command) noexcept nogil:
        # The kernel has what was journaled; an answer may have come before this.
        cdef Order *order = self.own(command.head.key2)
        if order is NULL or order.is_gone or order.last_act != PLACED:
            return
        if order.state == JOURNALED:
            self.move(order, ON_PLACE if command.flags & TRANSMIT else ON_PLACE_UNTRANSMITTED, command.now_ns, AGAIN)
            order.has_history = True
        if command.flags & TRANSMIT and order.parent:
            self.release(order, command.now_ns)

    cdef void revive(self, Order *order) noexcept nogil:
        # Placed again under the id of one that was removed.
        cdef uint32_t index = order.index
        cdef int64_t client = order.client, order_id = order.order_id
        cdef bint is_dirty = order.is_dirty, is_keyed = order.is_keyed
        free(order.pending.items)
        free(order.replaced.items)
        begin_order(order, client, order_id, index)
        order.is_dirty, order.is_keyed = is_dirty, is_keyed
        self.touch(order)

    cdef void release(self, const Order *child, int64_t now_ns) noexcept nogil:
        # A transmitted child releases its parent and the siblings that were held back.
        cdef uint32_t i
        cdef Order *other
        for i in range(self.count):
            other = self.orders[i]
            if (other is not child and other.alias < 0 and other.client == self.client_id
                    and other.state == UNTRANSMITTED
                    and (other.order_id == child.parent or other.parent == child.parent)):
                self.move(other, ON_PLACE, now_ns, 0)

    cdef void on_send_failed(self, int64_t order_id, int64_t written, int64_t now_ns) noexcept nogil:
        cdef Order *order = self.own(order_id)
        cdef uint32_t extra = 0
        if order is NULL or order.is_gone:
            return
        order.has_history = True
        if written:
            self.move(order, ON_SEND_BROKEN, now_ns, 0)
            return
        if order.last_act == CANCELS:
            extra = OF_CANCEL
        elif order.last_act == MODIFIED or order.pending.count:
            # Whatever became of the modify meanwhile: the order itself was sent before.
            if order.pending.count:
                order.pending.count -= 1
            extra = 0 if order.flags & MODIFY_OPEN and not order.pending.count else MORE
        self.move(order, ON_SEND_FAILED, now_ns, extra)

    cdef void begin_snapshot(self, bint everyone) noexcept nogil:
        cdef uint32_t i
        cdef Order *order
        for i in range(self.count):
            order = self.orders[i]
            order.is_asked = (order.alias < 0 and not order.is_gone and self.may_fill >> order.state & 1
                              and (everyone or order.client == self.client_id))

    cdef void end_snapshot(self, int64_t now_ns, bint complete) noexcept nogil:
        # Absence is no proof of an end.
        cdef uint32_t i
        cdef Order *order
        for i in range(self.count):
            order = self.orders[i]
            if complete and order.is_asked and order.alias < 0 and self.may_fill >> order.state & 1:
                self.doubt(order, ON_ABSENT, now_ns)
            order.is_asked = False

    cdef void looked_up(self, int64_t now_ns) noexcept nogil:
        cdef uint32_t i
        for i in range(self.count):
            if self.orders[i].alias < 0 and not self.orders[i].is_gone:
                self.believe_sum(self.orders[i], self.orders[i].reported_filled, now_ns)
                self.move(self.orders[i], ON_LOOKED_UP, now_ns, 0)
                self.settle(self.orders[i], now_ns)
                self.orders[i].row.flags &= ~<uint32_t>UNSURE

    cdef void executions_listed(self, int what, int64_t client, int64_t order_id) noexcept nogil:
        # The list came to its end: off all of them, then on those of which it lacks an execution.
        cdef uint32_t i
        cdef Order *order
        if what == IS_UNNAMED:
            order = self.named_order(client, order_id)
            if order is not NULL:
                order.flags |= UNNAMED
                self.touch(order)
            return
        for i in range(self.count):
            if self.orders[i].flags & UNNAMED:
                self.orders[i].flags &= ~<uint32_t>UNNAMED
                self.touch(self.orders[i])

    cdef Order *named_order(self, int64_t client, int64_t order_id) noexcept nogil:
        # By the names of its row.
        if client == INT64_MIN:
            return self.lookup(BY_PERM, 0, <uint64_t>order_id)
        return self.lookup(BY_KEY, <uint64_t>client, <uint64_t>order_id)

    cdef void check_deadlines(self, int64_t now_ns) noexcept nogil:
        cdef uint32_t i
        cdef Order *order
        cdef int64_t soonest = 0
        if not self.next_due_ns or now_ns < self.next_due_ns:
            return
        for i in range(self.count):
            order = self.orders[i]
            if order.alias < 0 and 0 < order.due_ns <= now_ns:
                self.doubt(order, ON_DEADLINE, now_ns)
            if order.alias < 0 and order.due_ns > 0 and (not soonest or order.due_ns < soonest):
                soonest = order.due_ns
        self.next_due_ns = soonest


cdef inline exact larger(exact most, exact other) noexcept nogil:
    if other == NONE or other == 0:
        return most
    return other if most == NONE or other > most else most


cdef inline bint fits(double want, double have) noexcept nogil:
    return not ibw_is_known(want) or not ibw_is_known(have) or want == have


cdef bint same_terms(const Terms *wanted, const Terms *reported) noexcept nogil:
    if wanted.quantity != NONE and reported.quantity != NONE and wanted.quantity != reported.quantity:
        return False
    return fits(wanted.limit, reported.limit) and fits(wanted.aux, reported.aux)


cdef bint fits_any(const TermList *terms, const Terms *reported) noexcept nogil:
    cdef uint32_t i
    for i in range(terms.count):
        if same_terms(&terms.items[i], reported):
            return True
    return False


cdef bint speaks_of_expiry(const Entry *entry, const uint8_t *payload) noexcept nogil:
    cdef uint32_t i, k
    if not has_text(&entry.text, entry) or entry.text.length < 6:
        return False
    for i in range(entry.text.length - 5):
        for k in range(6):
            if payload[entry.text.offset + i + k] | 32 != (<const uint8_t *>b"expire")[k]:
                break
        else:
            return True
    return False


cdef void marks_of(const Entry *entry, const uint8_t *payload, uint64_t *out) noexcept nogil:
    # What tells orders without any id apart: told again, it is the same one.
    cdef uint64_t[8] parts
    parts[0] = <uint64_t>entry.conId
    parts[1] = hash_ref(&entry.orderRef, entry, payload)
    parts[2] = hash_ref(&entry.side, entry, payload)
    parts[3] = hash_ref(&entry.text, entry, payload)
    memcpy(&parts[4], &entry.quantity, 8)
    memcpy(&parts[5], &entry.price, 8)
    memcpy(&parts[6], &entry.avg_price, 8)
    parts[7] = 1
    hash_text(<const uint8_t *>parts, sizeof(parts), out)
