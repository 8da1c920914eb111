"""The simulated gateway itself: typed requests in, typed answers out. No socket, no wall clock, no wire bytes.

::

    gateway = Gateway(seed=7)
    session = gateway.connect("me", server_version=225)
    session.receive(outgoing.StartApi(clientId=1))
    gateway.advance(gateway.clock.now_ns + 1_000_000_000)
    session.take()                                     # typed messages, in the order in which they are to be sent

One virtual clock drives everything. Two gateways with the same seed that are asked the same things at the same virtual
times give equal answers.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from ibwire.sim import (
    news,
    on_account,
    on_contracts,
    on_history,
    on_market,
    on_orders,
    on_streams,
    options,
    refusals,
    replies,
    scanner,
)
from ibwire.sim.account import DEFAULT_ACCOUNT, DEFAULT_CASH, SimAccount
from ibwire.sim.client import NS_PER_MS, ClientSession, Handlers
from ibwire.sim.clock import DEFAULT_START_NS, NS_PER_S, VirtualClock
from ibwire.sim.instruments import Instrument
from ibwire.sim.market import DEFAULT_TICKS_PER_S, MAX_TICKS_PER_S, Market
from ibwire.sim.matching import MatchingEngine
from ibwire.sim.orders import Commission, Fill, OrderEvent
from ibwire.sim.tape import Tape
from ibwire.sim.universe import InstrumentUniverse
from ibwire.sim.working import Latency, Manners
from ibwire.types import incoming, outgoing, structs

if TYPE_CHECKING:
    from ibwire.sim.director import Director

FARM_NOTICES = (
    (2104, "Market data farm connected: sim.quotes"),
    (2106, "Historical data farm connected: sim.history"),
    (2158, "Security definition farm connected: sim.contracts"),
)


class Gateway:
    """One simulated gateway with any number of client sessions.

    Parameters
    ----------
    seed : int
        Decides every price, delay and split.
    accounts : sequence of str
        Account codes of the login, at least one. With several, every order must name one.
    ticks_per_s : int
        Mean quote changes per second of virtual time and instrument.
    start_ns : int
        Virtual time at which the world begins, ns since 1970-01-01 UTC.
    cash : Decimal
        Starting cash of each account, USD.
    latency : Latency
        How long the gateway and its markets take.
    manners : Manners
        Which of the things that real gateways do by turns this one does.
    master_client_id : int
        The client that hears of every client's orders; None for none.
    read_only : bool
        Orders and open-order requests are refused with message 321.
    conflate : bool
        Tell changes of quotes together, at IB's cadence; False tells each at its time.
    without_live : iterable of str
        Symbols that have no live data, only delayed; `*` is all.
    without_trading : iterable of str
        Symbols and security types that the login may not trade (message 460); `*` is all.
    ticks : str
        The text of a file of ticks that is the market of the instruments it names (see `ibwire.sim.tape`).
    client_id_hold_ns : int
        How long a client id stays taken (message 326) after its connection broke without a proper close, and after a
        restart.

    Attributes
    ----------
    clock, universe, market, engine, accounts
        The world.
    force : Force
        Makes things happen to orders that a scenario wants (see `ibwire.sim.forcing`).
    order_filter : callable or None
        `order_filter(session, event, messages)` returns what is to be sent instead: (delay in ns, message) pairs. So
        what orders cause can be delayed, dropped, doubled, reordered or changed.
    director : Director or None
        The scenario that runs; it sees every request before, and every message after the gateway.
    down_until_ns : int
        While virtual time is before it the gateway restarts and nobody can connect.
    sessions : list of ClientSession
        The connected clients, oldest first.
    bulletins : list of str
        News bulletins of the day; `bulletin` adds one.
    regulatory_snapshots : int
        How many were taken; each costs 0.01 USD, which is not booked.
    max_lines : int
        Market data lines that one client may have.

    Notes
    -----
    Not thread-safe: one thread owns a gateway and all of its sessions.
    """

    def __init__(
        self,
        seed: int = 7,
        *,
        accounts: Sequence[str] = (DEFAULT_ACCOUNT,),
        ticks_per_s: int = DEFAULT_TICKS_PER_S,
        start_ns: int = DEFAULT_START_NS,
        cash: Decimal = DEFAULT_CASH,
        latency: Latency | None = None,
        manners: Manners | None = None,
        master_client_id: int | None = None,
        read_only: bool = False,
        conflate: bool = True,
        without_live: Iterable[str] = (),
        without_trading: Iterable[str] = (),
        ticks: str = "",
        client_id_hold_ns: int = 0,
    ) -> None:
        if not accounts:
            raise ValueError("a gateway needs at least one account")
        if not 1 <= ticks_per_s <= MAX_TICKS_PER_S:
            raise ValueError(f"ticks_per_s must be in 1..{MAX_TICKS_PER_S}, not {ticks_per_s}")
        self.seed = seed
        self.clock = VirtualClock(start_ns)
        self.universe = InstrumentUniverse(seed, start_ns)
        tape = Tape(ticks, self.universe).quotes if ticks else None
        self.market = Market(self.clock, seed, ticks_per_s, tape)
        self.conflate, self.without_live = conflate, frozenset(without_live)
        self.bulletins: list[str] = []
        self.regulatory_snapshots = 0
        self.max_lines = on_market.MAX_LINES
        self.accounts = {code: SimAccount(self.market.mark_price, code, cash) for code in accounts}
        self.trading_account = self.accounts[accounts[0]]
        self.engine = MatchingEngine(
            self.clock, self.market, self.accounts, self._on_order, seed=seed, latency=latency, manners=manners
        )
        self.engine.without_trading = frozenset(without_trading)
        self.force = self.engine.force
        self.master_client_id = master_client_id
        self.read_only = read_only
        self.order_filter: on_orders.OrderFilter | None = None
        self.commissions: dict[str, Commission] = {}
        self.sessions: list[ClientSession] = []
        self.director: Director | None = None
        self.client_id_hold_ns = client_id_hold_ns
        self.down_until_ns = 0
        self._held_ids: dict[int, int] = {}  # client id -> when it is free again

    # -- clients -----------------------------------------------------------------------------------------------------

    def connect(self, client_key: Hashable, server_version: int) -> ClientSession:
        """Add a client whose handshake agreed on `server_version`; it says who it is with startApi.

        Raises
        ------
        ValueError
            If a client of that key is connected.
        """
        if any(session.key == client_key for session in self.sessions):
            raise ValueError(f"client {client_key!r} is connected already")
        session = ClientSession(self, client_key, server_version)
        self.sessions.append(session)
        return session

    def forget(self, session: ClientSession, *, abrupt: bool = False) -> None:
        """Remove a closed session; `ClientSession.close` calls it."""
        if session not in self.sessions:
            return
        self.sessions.remove(session)
        if session.clientId is not None:
            if abrupt:
                self.hold_id(session.clientId, self.client_id_hold_ns)
            if self.director is not None:
                self.director.on_disconnect(session)

    def hold_id(self, clientId: int, hold_ns: int) -> None:
        """Keep a client id taken for so long."""
        if hold_ns > 0:
            self._held_ids[clientId] = max(self._held_ids.get(clientId, 0), self.clock.now_ns + hold_ns)

    def restart(self, down_ns: int = 0, hold_ns: int | None = None) -> None:
        """Break every connection, as the gateway does that restarts; IB's side (accepted orders, accounts) lives on.

        Orders that were not transmitted are lost, as are the subscriptions. Nobody can connect for `down_ns`, and the
        ids of the clients stay taken for `hold_ns` (by default `client_id_hold_ns`) after that.
        """
        hold_ns = self.client_id_hold_ns if hold_ns is None else hold_ns
        self.down_until_ns = self.clock.now_ns + down_ns
        for key, order in list(self.engine.orders.items()):
            if order.held:
                self.engine.forget(key)
        for session in list(self.sessions):
            if session.clientId is not None:
                self.hold_id(session.clientId, down_ns + hold_ns if hold_ns else 0)
            session.close()

    @property
    def is_down(self) -> bool:
        """True while a restart is under way."""
        return self.clock.now_ns < self.down_until_ns

    def handle(self, session: ClientSession, message: Any) -> None:
        """Answer one request of one client; `ClientSession.receive` calls it."""
        if self.director is None or not self.director.on_request(session, message):
            self.answer(session, message)

    def answer(self, session: ClientSession, message: Any) -> None:
        """Answer one request of one client, past every scenario."""
        if session.closed:
            return
        if isinstance(message, outgoing.StartApi):
            self._start(session, message)
            return
        if session.clientId is None:
            session.error(refusals.request_id(message), refusals.INVALID, "Invalid request: startApi must come first")
            return
        handler = _HANDLERS.get(type(message))
        if handler is not None:
            handler(session, message)
            return
        refusal = refusals.refusal(message)
        if refusal is not None:
            session.error(refusals.request_id(message), *refusal)

    def _start(self, session: ClientSession, message: outgoing.StartApi) -> None:
        if session.clientId is not None:
            session.error(-1, refusals.INVALID, "Invalid request: the API is started already")
            return
        held = self._held_ids.get(message.clientId, 0) > self.clock.now_ns
        if held or any(other.clientId == message.clientId for other in self.sessions):
            session.error(-1, 326, f"Client id {message.clientId} is in use")
            session.close()
            return
        session.clientId = message.clientId
        _req_managed_accts(session, None)
        session.send(incoming.NextValidId(self.engine.next_valid_id(message.clientId)))
        for code, text in FARM_NOTICES:
            session.error(-1, code, text)
        for open_order in on_orders.open_orders(self.engine.open_orders(message.clientId)):
            session.send(open_order)
        if self.director is not None:
            self.director.on_connect(session)

    # -- time --------------------------------------------------------------------------------------------------------

    def advance(self, to_ns: int) -> int:
        """Move virtual time to `to_ns`; return how many actions ran."""
        return self.clock.advance(to_ns)

    # -- looking things up -------------------------------------------------------------------------------------------

    def find(self, contract: structs.Contract) -> tuple[Instrument, ...]:
        """Return every instrument that fits a client's contract."""
        query = replies.query_of(contract)
        found = self.universe.find(query)
        if found or not query.conId:
            return found
        # A derived contract id is unknown until its contract was asked for by name; a client may remember it.
        return tuple(item for item in self.universe.find(replace(query, conId=0)) if item.conId == query.conId)

    def resolve(self, contract: structs.Contract) -> Instrument | None:
        """Return the one instrument that fits, None when none does or several do."""
        found = self.find(contract)
        return found[0] if len(found) == 1 else None

    def account(self, code: str) -> SimAccount | None:
        """Return an account by its code; empty means the first."""
        return self.accounts.get(code) if code else self.trading_account

    def bulletin(self, text: str) -> None:
        """Send a news bulletin to every client that asked for them."""
        self.bulletins.append(text)
        for session in self.sessions:
            if session.has_feed(news.BULLETINS, 0):
                session.send(incoming.UpdateNewsBulletin(len(self.bulletins), 1, text, "SIM"))

    # -- orders ------------------------------------------------------------------------------------------------------

    def _on_order(self, event: OrderEvent) -> None:
        if isinstance(event, Commission):
            self.commissions[event.execId] = event
        hearers = (on_orders.client_of(event), self.master_client_id)
        for session in tuple(self.sessions):
            if session.clientId is not None and session.clientId in hearers:
                on_orders.tell(session, event)
            if isinstance(event, Fill):
                session.after_fill(event)


# ---------------------------------------------------------------------------------------------- small requests


def _req_managed_accts(session: ClientSession, message: outgoing.ReqManagedAccts | None) -> None:
    session.send(incoming.ManagedAccounts(",".join(session.gateway.accounts)))


def _req_current_time(session: ClientSession, message: outgoing.ReqCurrentTime) -> None:
    session.send(incoming.CurrentTime(session.gateway.clock.now_ns // NS_PER_S))


def _req_current_time_in_millis(session: ClientSession, message: outgoing.ReqCurrentTimeInMillis) -> None:
    session.send(incoming.CurrentTimeInMillis(session.gateway.clock.now_ns // NS_PER_MS))


def _req_family_codes(session: ClientSession, message: outgoing.ReqFamilyCodes) -> None:
    session.send(incoming.FamilyCodes([structs.FamilyCode(code, "") for code in session.gateway.accounts]))


def _req_soft_dollar_tiers(session: ClientSession, message: outgoing.ReqSoftDollarTiers) -> None:
    session.send(incoming.SoftDollarTiers(message.reqId, []))


def _req_user_info(session: ClientSession, message: outgoing.ReqUserInfo) -> None:
    session.send(incoming.UserInfo(message.reqId, ""))


def _verify_request(session: ClientSession, message: object) -> None:
    session.send(incoming.VerifyCompleted(False, "The simulated gateway verifies nothing"))


def _verify_and_auth_request(session: ClientSession, message: object) -> None:
    session.send(incoming.VerifyAndAuthCompleted(False, "The simulated gateway verifies nothing"))


_HANDLERS: Handlers = {
    **on_market.HANDLERS,
    **on_streams.HANDLERS,
    **on_history.HANDLERS,
    **options.HANDLERS,
    **scanner.HANDLERS,
    **news.HANDLERS,
    **on_contracts.HANDLERS,
    **on_orders.HANDLERS,
    **on_account.HANDLERS,
    outgoing.ReqManagedAccts: _req_managed_accts,
    outgoing.ReqCurrentTime: _req_current_time,
    outgoing.ReqCurrentTimeInMillis: _req_current_time_in_millis,
    outgoing.ReqFamilyCodes: _req_family_codes,
    outgoing.ReqSoftDollarTiers: _req_soft_dollar_tiers,
    outgoing.ReqUserInfo: _req_user_info,
    outgoing.VerifyRequest: _verify_request,
    outgoing.VerifyMessage: _verify_request,
    outgoing.VerifyAndAuthRequest: _verify_and_auth_request,
    outgoing.VerifyAndAuthMessage: _verify_and_auth_request,
}
