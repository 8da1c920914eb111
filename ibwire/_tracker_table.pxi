# Part of _tracker.pyx: the order table, as everybody reads it and as the send path tells it what was sent.


cdef int64_t STEP_NS = 250_000_000

cdef enum:                 # spec/orderstates Risk
    RISK_MAYBE_LIVE = 1
    RISK_LIVE = 2
    RISK_ENDED = 3
    RISK_UNKNOWN = 4


cdef class OrderTable(Table):
    """The latest of each order, as the gateway told it.

    Parameters
    ----------
    region : the session's, or one that was attached. Rows stand in it where it has room for them, and are fixed in
        number (``is_full`` then says that new orders must wait); else in memory of the table's own, which grows.
    capacity : rows at first, in memory of its own; a power of two.
    """

    cdef public object machine     # that keeps it, in the process of the owner
    cdef Stepper keeper            # steps the machine as soon as there is something; None: nobody but its owner does
    cdef uint64_t told             # commands; under the GIL
    cdef uint64_t obeyed           # of them, and every row shows it
    cdef uint64_t stepped          # every row shows the messages up to this one

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
        """Make the row of an order, before anything is known of it. Any thread of the owner."""
        self.push_order(ADD, clientId, orderId, 0, 0)

    def remove(self, int64_t clientId, int64_t orderId):
        """Forget an order; what comes late for it is dropped. Any thread of the owner."""
        self.push_order(REMOVE, clientId, orderId, 0, 0)

    # What the one send path tells, before the bytes leave; any thread of the owner. It takes effect at once, or with
    # the step that is under way.

    def place(self, int64_t orderId, int64_t now_ns, *, double quantity=NAN, int quantity_digits=-1, double limit=NAN,
              double aux=NAN, bint transmit=True, bint what_if=False, int64_t parentId=0, str sec_type="",
              str account="", bint divided=False, bint journaled=False):
        """A placement, or a modify of one that has not ended, is handed to the socket.

        Parameters
        ----------
        quantity, limit, aux : its terms; NaN: not set. quantity_digits : after the point, as written.
        divided : among the accounts of an advisor's group. journaled : a placement is only written down so far;
        :meth:`sent` says that its bytes are out.
        """
        cdef OrderCommand *command = self.new_command(PLACE, 0, orderId, now_ns)
        cdef bytes text = account.encode()
        cdef uint64_t[2] name
        ibw_exact_of(quantity, quantity_digits, &command.terms.quantity)
        command.terms.limit, command.terms.aux, command.parent = limit, aux, id_of(parentId)
        command.flags = (TRANSMIT * transmit) | (WHAT_IF * what_if) | (DIVIDED * divided) | (IS_JOURNALED * journaled)
        command.type = COMBINATION if sec_type == "BAG" else OTHER_TYPE if sec_type else NO_TYPE
        if text:
            hash_text(text, <uint32_t>len(text), name)
            command.account = name[0] | 1
        self.send(command)

    def sent(self, int64_t orderId, int64_t now_ns, bint transmit=True):
        """The kernel has the last byte of a placement that was journaled."""
        self.push_order(BYTES_LEFT, 0, orderId, now_ns, TRANSMIT * transmit)

    def cancel(self, int64_t orderId, int64_t now_ns):
        """A cancel is handed to the socket. An id that is not known makes an order that is uncertain."""
        self.push_order(CANCEL, 0, orderId, now_ns, 0)

    def send_failed(self, int64_t orderId, int64_t now_ns, int64_t wrote_bytes=0):
        """The last send for an order failed. Only with no byte written is it certain that nothing happened."""
        cdef OrderCommand *command = self.new_command(SEND_FAILED, 0, orderId, now_ns)
        command.number = wrote_bytes
        self.send(command)

    def link_lost(self, int64_t now_ns):
        """The session is over: every order that has not ended is uncertain."""
        self.push_order(LINK_LOST, 0, 0, now_ns, 0)

    def restored(self, int64_t now_ns):
        """The session lives, but answers may be missing."""
        self.push_order(RESTORED, 0, 0, now_ns, 0)

    def begin_snapshot(self, int64_t now_ns, bint everyone=False):
        """Open orders are about to be asked for; `everyone`: of all clients."""
        self.push_order(BEGIN_SNAPSHOT, 0, 0, now_ns, EVERYONE * everyone)

    def end_snapshot(self, int64_t now_ns, bint complete=True):
        """The end marker came (a tracker on a ring sees it by itself) or, not `complete`, never did."""
        self.push_order(END_SNAPSHOT, 0, 0, now_ns, COMPLETE * complete)

    def executions_listed(self, int64_t now_ns, object unnamed=()):
        """The list of executions came to its end.

        `unnamed`: (client id, order id) of the orders of which it lacks one; (INT_UNSET, permId) without order id.
        """
        self.push_order(EXECUTIONS_LISTED, 0, 0, now_ns, 0)
        for key, key2 in unnamed:
            self.push_order(IS_UNNAMED, key, key2, now_ns, 0)

    def looked_up(self, int64_t now_ns, after_seq=None):
        """Open orders, executions and completed orders were all asked for and answered.

        `after_seq`: the last message that the caller had seen; when a later one could not be read, it says nothing.
        """
        cdef OrderCommand *command = self.new_command(LOOKED_UP, 0, 0, now_ns)
        command.number = INT64_MAX if after_seq is None else after_seq
        self.send(command)

    def flush(self):
        """Obey what was told, now. Only when nobody receives any more: the owner of the session, after its end."""
        if self.machine is not None:
            self.machine.settle_rows()

    def unreadable(self, int64_t now_ns, orderId=None):
        """A message about an order, or about any, could not be read."""
        self.push_order(UNREADABLE, 0, 0 if orderId is None else orderId, now_ns, 0 if orderId is None else ONE_ORDER)

    def check_deadlines(self, int64_t now_ns):
        """It is that late: who waits for an answer since too long is uncertain."""
        self.push_order(DEADLINES, 0, 0, now_ns, 0)

    cdef OrderCommand *new_command(self, int what, int64_t key, int64_t key2, int64_t now_ns) except NULL:
        cdef OrderCommand *command
        self.readable()
        if not self.writes:
            raise ValueError("an attached order table is only read: its owner tells it what was sent")
        command = <OrderCommand *>calloc(1, sizeof(OrderCommand))
        if command is NULL:
            raise MemoryError()
        command.head.what, command.head.key, command.head.key2, command.now_ns = what, key, key2, now_ns
        return command

    cdef void send(self, OrderCommand *command) noexcept:
        while True:
            command.head.next = <TableCommand *>ibw_load_relaxed(<uint64_t *>&self.commands)
            # Its fields are out before it is.
            if ibw_replace_release(<uint64_t *>&self.commands, <uint64_t>command.head.next, <uint64_t>command):
                break
        self.told += 1
        # With the GIL: who lets go of it waits for it behind every thread that computes.
        if self.keeper is not None:
            self.keeper.idle(0)

    cdef int push_order(self, int what, int64_t key, int64_t key2, int64_t now_ns, uint32_t flags) except -1:
        cdef OrderCommand *command = self.new_command(what, key, key2, now_ns)
        command.flags = flags
        self.send(command)
        return 0

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

    def settled(self, int64_t clientId, int64_t orderId, uint64_t after_seq=0):
        """As :meth:`read`, and with everything in it that was told before and every message up to `after_seq`.

        Raises
        ------
        TimeoutError : a step that is under way does not come to its end. SessionLost, ForkedClient : as :meth:`read`.
        """
        cdef uint64_t told = self.told
        cdef bint ready = True
        if self.keeper is not None and not self.has_come(told, after_seq):
            with nogil:
                ready = self.await_step(told, after_seq)
        if not ready:
            raise TimeoutError("the thread that keeps the order table stands still")
        return self.read(clientId, orderId)

    cdef inline bint has_come(self, uint64_t told, uint64_t seq) noexcept nogil:
        return ibw_load_acquire(&self.obeyed) >= told and ibw_load_acquire(&self.stepped) >= seq

    cdef bint await_step(self, uint64_t told, uint64_t seq) noexcept nogil:
        # Microseconds, as long as the thread that steps has a core.
        cdef int64_t until = ibw_now_ns() + STEP_NS
        while not self.has_come(told, seq):
            if ibw_now_ns() > until:
                return False
            ibw_yield()
        return True

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
    """One order as it was at one moment: what the gateway said last, and what follows. NaN: never said.

    Times are monotonic, ns. ``state``, ``risk`` and ``memory`` are numbers of ``ibwire.spec.orderstates``.
    """

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
    cdef readonly uint32_t corrections
    cdef readonly int state
    cdef readonly int risk
    cdef readonly int certain
    cdef readonly uint32_t memory
    cdef readonly int pending_modifies
    cdef readonly int64_t due_ns
    cdef readonly double total_filled
    cdef readonly int total_filled_digits
    cdef readonly double confirmed_filled
    cdef readonly int confirmed_filled_digits
    cdef readonly double fees
    cdef readonly int fees_digits
    cdef readonly str currency
    cdef readonly double notional
    cdef readonly int32_t refusal_code
    cdef readonly int32_t problem_code
    cdef readonly double total_remaining
    cdef readonly int total_remaining_digits
    cdef readonly double average
    cdef readonly uint64_t stepped_seq

    @property
    def is_live(self):
        """Known to be at the broker and able to be filled."""
        return self.risk == RISK_LIVE

    @property
    def may_fill(self):
        """Not known to be unable to be filled: maybe live, live or unknown."""
        return self.risk == RISK_LIVE or self.risk == RISK_MAYBE_LIVE or self.risk == RISK_UNKNOWN

    @property
    def is_filled(self):
        """The whole quantity is executed."""
        return self.state == FILLED

    @property
    def is_done(self):
        """Ended: filled, cancelled, rejected or expired."""
        return self.risk == RISK_ENDED

    @property
    def is_uncertain(self):
        """Nobody here knows; look it up."""
        return self.state == UNCERTAIN

    @property
    def needs_query(self):
        """Something happened that only a look-up settles."""
        return self.memory & NEEDS_QUERY != 0

    @property
    def seen_live(self):
        """A working status or an execution has proved at least once that the broker accepted it."""
        return self.memory & SEEN_LIVE != 0

    @property
    def answered(self):
        """The gateway has said something about it."""
        return self.memory & ANSWERED != 0

    @property
    def cancel_requested(self):
        """A cancel was sent and has not been refused."""
        return self.memory & CANCEL_ASKED != 0

    def __repr__(self):
        return (f"OrderValues(clientId={self.clientId}, orderId={self.orderId}, permId={self.permId}, "
                f"status={self.status!r}, state={self.state}, filled={self.total_filled:g}, "
                f"remaining={self.remaining:g}, seq={self.seq})")


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
    o.commissions, o.errors, o.corrections = row.commissions, row.errors, row.corrections
    o.state, o.risk, o.certain, o.memory = row.order_state, row.risk, row.certain, row.memory
    o.pending_modifies, o.due_ns, o.refusal_code = row.pending_modifies, row.due_ns, row.refusal_code
    o.total_filled, o.total_filled_digits = row.total_filled, row.total_filled_digits
    o.confirmed_filled, o.confirmed_filled_digits = row.confirmed_filled, row.confirmed_filled_digits
    o.total_remaining, o.total_remaining_digits = row.total_remaining, row.total_remaining_digits
    o.average, o.stepped_seq, o.problem_code = row.average, row.stepped_seq, row.problem_code
    o.fees, o.fees_digits, o.notional = row.fees, row.fees_digits, row.notional
    o.currency = (<bytes>row.currency[:row.currency_len]).decode("utf-8", "replace")
    return o
