"""Client and connect."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from decimal import Decimal
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from ibwire.client.account import AccountValue, Position, Positions
from ibwire.client.core import Core, LinkLike
from ibwire.client.listeners import DEFAULT_LIMIT, Listener, Missed, OrderChange
from ibwire.client.orders import Orders
from ibwire.client.quotes import Quote
from ibwire.client.risk import Risk, directory_of
from ibwire.client.stream import QuoteStream
from ibwire.config import Settings
from ibwire.errors import ConnectError, RequestError, SessionLost, WaitTimeout
from ibwire.io import clock
from ibwire.io.courier import Submits
from ibwire.io.cursor import Cursor
from ibwire.io.idstore import open_id_store
from ibwire.io.journal import FileJournal, Journal, MemoryJournal
from ibwire.io.journal_errors import JournalLocked
from ibwire.io.link import Link
from ibwire.io.metrics import Metrics
from ibwire.io.statedir import default_state_dir, make_state_dir
from ibwire.io.wait import seconds
from ibwire.ring.tables import LiveTables
from ibwire.session.pacing import Pacing
from ibwire.trade.identity import IdStore
from ibwire.trade.reconcile import Difference
from ibwire.types import incoming, outgoing
from ibwire.types.constructors import Number
from ibwire.types.structs import Contract, ContractDetails

if TYPE_CHECKING:
    from ibwire.io.capture import CaptureProxy

__all__ = ["Client", "connect"]

SUMMARY_TAGS: Final = (
    "AccountType,NetLiquidation,TotalCashValue,SettledCash,BuyingPower,EquityWithLoanValue,GrossPositionValue,"
    "InitMarginReq,MaintMarginReq,AvailableFunds,ExcessLiquidity"
)
_SIM_SERVER: Final = "ibwire.sim.server"
"""The embedded gateway stands above this module in the layers, as a peer: it is started by name, and only for
``connect("sim")``; nothing here knows what is inside it."""
_NO_DEFINITION: Final = 200
_RECONCILE_S: Final = 60.0
"""Longer than the time limits of all the questions of two look-ups that come one after the other."""
_SHOWN: Final = 5


def connect(target: str, **settings: Any) -> Client:
    """Connect to a gateway and wait until it is ready.

    Parameters
    ----------
    target : str
        ``sim`` starts the embedded simulated gateway (no account, no money, no internet) and connects to it.
        ``paper`` and ``live`` connect to a TWS or IB Gateway that runs; nothing else is ever chosen instead.
    **settings
        See :class:`~ibwire.config.Settings`; ``live`` wants ``confirm=``.

    Returns
    -------
    Client
        A context manager; leaving it closes the connection.

    Raises
    ------
    ConfigError : a setting is wrong, or a live connection is not confirmed; nothing was opened.
    ConnectError : nobody answers, or the gateway refuses; the message names the address and says what to do.
    JournalError : the journal is damaged, of a newer ibwire, or there is no room for it; nothing was sent.
    CaptureError : the file of ``capture=`` exists or cannot be written; nothing was opened.
    """
    wanted = Settings.make(target, **settings)
    with ExitStack() as stack:
        if target == "sim":
            server = stack.enter_context(_embedded(wanted))
            host, port = server.host, server.port
        else:
            server = None
            host, port = wanted.address
        near_host, near_port = host, port
        tap = None
        if wanted.capture:
            from ibwire.io.capture import CaptureProxy, CaptureWriter

            tap = stack.enter_context(CaptureProxy(CaptureWriter(wanted.capture, f"{host}:{port}"), host, port))
            near_host, near_port = tap.host, tap.port
        journal = open_journal(wanted, host, port)
        stack.callback(journal.close)
        store = open_id_store(journal.directory.parent if isinstance(journal, FileJournal) else None)
        stack.callback(store.close)
        begin_ns = clock.now_ns()
        try:
            link = _open(wanted, near_host, near_port)
        except ConnectError:
            if tap is not None and tap.refused is not None:
                raise tap.refused from None  # the tap answers for a gateway that is not there
            raise
        stack.callback(link.close)  # a journal that cannot be trusted ends the attempt
        client = Client(wanted, link, (host, port), server, journal, store)
        client.capture = tap
        client.connect_ms = (clock.now_ns() - begin_ns) / 1e6
        client.keep(stack.pop_all())
        if target == "paper":
            client.refuse_live_accounts()
        return client


def _embedded(settings: Settings) -> Any:
    # A rate that was asked for is what comes: quotes are not gathered then.
    rate = {"rate": settings.ticks_per_s, "conflate": False} if settings.ticks_per_s else {}
    return importlib.import_module(_SIM_SERVER).serve(seed=settings.seed, **rate)


def open_journal(settings: Settings, host: str, port: int) -> Journal:
    """The journal that the settings ask for, locked for this client."""
    if settings.state_dir is None or (settings.target == "sim" and not settings.state_dir):
        return MemoryJournal()
    place = settings.state_dir or default_state_dir(host, port, settings.client_id)
    try:
        return FileJournal(make_state_dir(place) / "journal", fsync=settings.fsync, thread=settings.mode != "inline")
    except JournalLocked as error:
        if settings.state_dir:
            raise
        # The default folder is this gateway's and this client id's: whoever writes there has the id.
        raise ConnectError(f"client id {settings.client_id} is in use: {error}") from error


def _open(settings: Settings, host: str, port: int) -> LinkLike:
    try:
        return Link.open(
            host,
            port,
            client_id=settings.client_id,
            max_server_version=settings.max_server_version,
            connect_options=settings.connect_options,
            timeout_ms=settings.timeout_s * 1000,
            start=False,  # cursors first, so that nothing is missed
            market=settings.market,
            mode=settings.mode,
            wait=settings.wait,
            spin=settings.spin,
            kernel_times=settings.kernel_times,
            timers=settings.timers,
            market_records=settings.market_records,
            max_backlog_bytes=settings.max_backlog_bytes,
            buffer_bytes=settings.buffer_bytes,
            receive_buffer_bytes=settings.receive_buffer_bytes,
            publish=settings.publish,
            pacing=Pacing(settings.rate_per_s, max_queue_ms=settings.max_queue_ms) if settings.rate_per_s else None,
        )
    except ConnectError as error:
        where = f"{host}:{port}"
        if where in str(error):
            raise
        raise ConnectError(f"{where}: {error}") from error


class Client:
    """A session with a gateway. Made by :func:`connect`.

    Any thread may use it; with ``mode="inline"`` only the one that connected (see :meth:`adopt`). Not for a child
    process after fork: everything that sends, waits or polls raises ForkedClient there.

    Attributes
    ----------
    settings : Settings
    address : tuple of (str, int)
        Host and port of the gateway.
    orders : Orders
        Placing, cancelling and following orders.
    risk : Risk
        The gate, its book and the kill switch.
    connect_ms : float
        How long connecting took, from opening the socket to the last of account and ids.
    simulator : ibwire.sim.server.Server or None
        The embedded gateway of ``connect("sim")``.
    capture : CaptureProxy or None
        With ``capture=``: its ``problem`` says why the capture ended early, should it have.
    """

    def __init__(
        self,
        settings: Settings,
        link: LinkLike,
        address: tuple[str, int],
        simulator: Any | None = None,
        journal: Journal | None = None,
        store: IdStore | None = None,
    ) -> None:
        self.settings = settings
        self.address = address
        self.simulator = simulator
        self.capture: CaptureProxy | None = None
        self.connect_ms = 0.0
        self._resources = ExitStack()
        directory = directory_of(settings.state_dir, settings.target, address, settings.client_id)
        self._core = Core(settings, link, journal=journal, state_dir=directory, store=store)
        self.risk: Risk = self._core.risk
        self._core.start(reconcile=settings.reconcile)
        self.orders: Orders = self._core.orders

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        host, port = self.address
        state = "lost" if self._core.lost is not None else "open"
        return f"<Client {self.settings.target} {host}:{port} version {self.server_version} {state}>"

    # -- the session -------------------------------------------------------------------------------------------------

    @property
    def server_version(self) -> int:
        """The version agreed with the gateway."""
        return self._core.link.server_version

    @property
    def dialect(self) -> str:
        """How orders go out at this version: ``proto`` or ``text``."""
        return self._core.dialect(outgoing.PlaceOrder)

    @property
    def last_message(self) -> str:
        """IB's name of the message that came last, market data aside."""
        return self._core.intake.last_message

    @property
    def accounts(self) -> list[str]:
        """Accounts of the login."""
        return list(self._core.intake.accounts)

    @property
    def client_id(self) -> int:
        """Our client id."""
        return self._core.client_id

    @property
    def notices(self) -> list[tuple[int, str]]:
        """The latest (code, text) that belonged to no request and no order; code 0 is ibwire's own."""
        with self._core.lock:
            return list(self._core.intake.notices)

    @property
    def stats(self) -> dict[str, int]:
        """Counts since the start: messages and bytes in, bad_frames, unknown (ids), extra, and sent (messages out)."""
        return {**self._core.link.decoder.stats, "sent": self._core.sent}

    # -- the hot path ------------------------------------------------------------------------------------------------

    def cursor(self) -> Cursor:
        """A cursor over the market records to come, of the kind that ``market=`` chose; any number of them.

        Inline, records come in with :meth:`poll` and whatever else waits.
        """
        self._core.check_process()
        return self._core.link.cursor()

    def poll(self, timeout_ms: float | None = 0) -> int:
        """Take in what has come; inline, at most one buffer of it is received here.

        Parameters
        ----------
        timeout_ms : float or None
            How long to wait for something; None for no limit.

        Returns
        -------
        int
            Messages since the last poll; 0 when none came in time. Market records are in the cursors; orders, requests
            and notices are up to date inline, and threaded a moment later.

        Raises
        ------
        SessionLost, ProtocolError, ConsumerTooSlow : the connection has ended, and polls before told of everything.
        WrongThread : inline, a thread that does not own the client.
        """
        return self._core.poll(timeout_ms)

    def fileno(self) -> int:
        """A file descriptor for select, epoll or asyncio: readable when :meth:`poll` has something to tell.

        Inline it is the socket. It stays the client's; do not close it.
        """
        self._core.check_process()
        return self._core.link.fileno()

    def adopt(self) -> None:
        """Inline: the calling thread owns the client from now on; the one before is done with it."""
        self._core.adopt()

    def metrics(self) -> Metrics:
        """Counts and times of the connection at this moment. Any thread."""
        return self._core.link.metrics()

    def keep(self, resources: ExitStack) -> None:
        """Close these after the connection."""
        self._resources = resources

    def refuse_live_accounts(self) -> None:
        """Close and raise ConnectError if any account of the login is not a paper account (which begin with D)."""
        live = [account for account in self.accounts if not account.startswith("D")]
        if live:
            self.close()
            raise ConnectError(
                f"paper was asked for, but {self.address[0]}:{self.address[1]} has a live account",
                hint='log in to paper trading, or say connect("live")',
            )

    def close(self) -> None:
        """End the session (and the embedded gateway). Orders live on at the broker. Twice is harmless."""
        self._core.close()
        if not self._core.is_forked:
            self._resources.close()

    @property
    def tables(self) -> LiveTables | None:
        """Latest quotes by request id and orders by (client id, order id), kept by the receiving thread.

        None without the compiled modules. ``tables.quotes.read(reqId)``, ``tables.orders.read(clientId, orderId)``,
        ``snapshot(out)``.
        """
        return self._core.link.tables

    # -- orders ------------------------------------------------------------------------------------------------------

    def on_order(
        self,
        callback: Callable[[OrderChange | Missed], object],
        *,
        executor: Submits | None = None,
        limit: int = DEFAULT_LIMIT,
    ) -> Listener:
        """Be told of every transition of every order from now on, in order.

        Parameters
        ----------
        callback : callable
            Called with an :class:`OrderChange` for each event, in a thread of its own. However slow it is and whatever
            it raises, nobody else notices; ``Listener.errors`` and ``notices`` tell of it. It may send, cancel and
            wait; an inline client is for its own thread, though.
        executor : optional
            Where to call it instead; something with ``submit``. One call at a time.
        limit : int
            How many changes may wait for it. Those that come then are not kept, and a :class:`Missed` says so.

        Returns
        -------
        Listener
            ``close()`` ends it; so does the end of the client, when what waits has been told.
        """
        self._core.check_process()
        with self._core.lock:
            return self._core.listeners.add(callback, limit, executor)

    @property
    def differences(self) -> list[Difference]:
        """What the last look-up of all orders found to be different from what was known here before."""
        return list(self._core.queries.differences)

    def reconcile(
        self, timeout: float | None = None, positions: Mapping[tuple[str, int], Number] | None = None
    ) -> list[Difference]:
        """Compare every order with what the gateway says, now.

        Open orders, executions, completed orders and positions are asked for; nothing is cancelled, nothing sent again.
        :func:`connect` has done it once; so does the client itself, after a gap in the session or when an order is
        uncertain.

        Parameters
        ----------
        timeout : float, optional
            Seconds; by default until every question was answered or has had its time.
        positions : mapping of (account, conId) to number, optional
            What you hold by your own count, whole: the gateway's positions are then compared with it. By default with
            ours: the last list and the executions since, where both sides can know.

        Returns
        -------
        list of Difference
            What was different, and what was done about it.

        Raises
        ------
        WaitTimeout : it is not over; it goes on, and ``differences`` will tell.
        SessionLost : the connection is gone.
        """
        core = self._core
        core.check_usable()
        believed = None if positions is None else {key: Decimal(str(size)) for key, size in positions.items()}
        with core.lock:
            run = core.queries.want(believed)
        core.changed()
        limit = _RECONCILE_S if timeout is None else seconds(timeout)
        over = core.wait_until(lambda: run.differences is not None or core.lost is not None, limit)
        if run.differences is not None:
            return run.differences
        if over:
            raise SessionLost(str(core.lost))
        raise WaitTimeout(f"the orders are not reconciled after {limit:g} s", hint="it goes on; see differences")

    def override(self, name: str, what: str) -> None:
        """Write into the journal what somebody did by hand, such as a cancel in TWS.

        Parameters
        ----------
        name : str
            Who did it.
        what : str
            Any text.

        Raises
        ------
        ConfigError : no name. JournalFull : the journal takes nothing, or is closed: it was not written down.
        """
        self._core.check_process()
        self._core.journal.override(name, what, clock.now_ns())

    # -- contracts ---------------------------------------------------------------------------------------------------

    def contract_details(self, contract: Contract, timeout: float | None = None) -> list[ContractDetails]:
        """Everything the gateway knows about the contracts that fit a description.

        Parameters
        ----------
        contract : Contract
            As much of it as is known.
        timeout : float, optional
            Seconds; by default ``timeout_s``.

        Raises
        ------
        RequestError : code 200, nothing fits.
        WaitTimeout, SessionLost : no answer.
        """
        reqId = self._core.take_request_id()
        request = outgoing.ReqContractDetails(reqId, contract)
        rows = self._core.ask(request, incoming.ContractData, incoming.ContractDetailsEnd, reqId, timeout)
        return [row.contractDetails for row in rows]

    def qualify(self, contract: Contract, timeout: float | None = None) -> Contract:
        """The one contract that a description means, with conId and everything else filled in.

        Raises
        ------
        RequestError : code 200, nothing fits, or several do; then the message lists them.
        WaitTimeout, SessionLost : no answer.
        """
        found = self.contract_details(contract, timeout)
        by_id = {details.contract.conId: details.contract for details in reversed(found)}
        if len(by_id) == 1:
            return next(iter(by_id.values()))
        name = contract.localSymbol or contract.symbol or str(contract.conId)
        if not by_id:
            raise RequestError(_NO_DEFINITION, f"no contract fits {name!r}", hint="check symbol, type and currency")
        shown = [_describe(one) for one in list(by_id.values())[:_SHOWN]]
        more = f" and {len(by_id) - _SHOWN} more" if len(by_id) > _SHOWN else ""
        raise RequestError(
            _NO_DEFINITION,
            f"{len(by_id)} contracts fit {name!r}: {'; '.join(shown)}{more}",
            hint="say more: expiry, strike, exchange, primaryExchange or conId",
        )

    # -- market data -------------------------------------------------------------------------------------------------

    def stream(self, contracts: Sequence[Contract], generic_ticks: str = "") -> QuoteStream:
        """Subscribe to the quotes of several contracts; see :class:`QuoteStream`."""
        return QuoteStream(self._core, contracts, generic_ticks)

    def quotes(self, contract: Contract, timeout: float = 10.0) -> Iterator[Quote]:
        """Quotes of one contract, for as long as they are asked for.

        Each one is the newest there is: changes that came while the loop's body ran are merged into it. Leaving the
        loop ends the subscription.

        Parameters
        ----------
        contract : Contract
            See :meth:`qualify`.
        timeout : float
            Seconds to wait for each change.

        Raises
        ------
        MarketDataError : the gateway refused or ended the subscription.
        SessionLost : the connection is gone.
        WaitTimeout : no change within `timeout`.
        """
        with self.stream([contract]) as stream:
            while True:
                if not stream.update(timeout):
                    name = contract.localSymbol or contract.symbol
                    raise WaitTimeout(f"no quote of {name} within {timeout:g} s", hint="is its market open?")
                yield stream.quote()

    # -- account -----------------------------------------------------------------------------------------------------

    def positions(self, timeout: float | None = None) -> Positions:
        """What the accounts hold now, by contract.

        Raises
        ------
        WaitTimeout, SessionLost : no answer.
        """
        with self._core.one_at_a_time("positions"):
            try:
                rows = self._core.ask(outgoing.ReqPositions(), incoming.Position, incoming.PositionEnd, None, timeout)
            finally:
                self._core.try_send(outgoing.CancelPositions())
        held = {(row.account, row.contract.conId): row for row in rows}
        return Positions(
            [
                Position(row.account, row.contract, row.position, row.avgCost)
                for row in held.values()
                if row.position is not None
            ]
        )

    def account_summary(self, tags: str = SUMMARY_TAGS, timeout: float | None = None) -> list[AccountValue]:
        """Values of every account.

        Parameters
        ----------
        tags : str
            IB's tag names, separated by commas.

        Raises
        ------
        RequestError : the gateway refused. WaitTimeout, SessionLost : no answer.
        """
        reqId = self._core.take_request_id()
        request = outgoing.ReqAccountSummary(reqId, "All", tags)
        try:
            rows = self._core.ask(request, incoming.AccountSummary, incoming.AccountSummaryEnd, reqId, timeout)
        finally:
            self._core.try_send(outgoing.CancelAccountSummary(reqId))
        return [AccountValue(row.account, row.tag, row.value, row.currency) for row in rows]


def _describe(contract: Contract) -> str:
    parts = [contract.localSymbol or contract.symbol, contract.secType, contract.lastTradeDateOrContractMonth]
    if contract.strike:
        parts.append(f"{contract.strike:g}{contract.right}")
    parts += [contract.primaryExchange or contract.exchange, contract.currency, f"conId {contract.conId}"]
    return " ".join(part for part in parts if part)
