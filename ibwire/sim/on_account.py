"""Requests about accounts: values, portfolio, summary, positions, profit and loss.

Each subscription sends everything once and then what changed: shortly after a fill, and from time to time as prices
move.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal

from ibwire.sim import replies
from ibwire.sim.account import AccountValue, PortfolioItem, SimAccount
from ibwire.sim.client import NS_PER_MS, ClientSession, Handlers, Timer
from ibwire.sim.clock import NS_PER_S, Scheduled, utc_text
from ibwire.sim.exact import EXACT, ZERO
from ibwire.sim.orders import Fill
from ibwire.types import incoming, outgoing

ACCOUNT, SUMMARY, POSITIONS = "account", "summary", "positions"
POSITIONS_MULTI, UPDATES_MULTI, PNL, PNL_SINGLE = "positions multi", "updates multi", "pnl", "pnl single"
MAX_SUMMARIES = 2
ACCOUNT_PERIOD_NS = 180 * NS_PER_S
PNL_PERIOD_NS = NS_PER_S
AFTER_FILL_NS = 100 * NS_PER_MS
_MULTI_LEDGER = frozenset({"NetLiquidation"})


class ValueFeed:
    """Account values that changed since they were last sent.

    Parameters
    ----------
    values : callable
        Returns the values as of now.
    send : callable
        Sends one value.
    """

    def __init__(
        self,
        session: ClientSession,
        values: Callable[[], Iterable[AccountValue]],
        send: Callable[[AccountValue], None],
        period_ns: int = ACCOUNT_PERIOD_NS,
    ) -> None:
        self._clock = session.gateway.clock
        self._values = values
        self._send = send
        self._sent: dict[tuple[str, str], str] = {}
        self._due: Scheduled | None = None
        self._timer = Timer(self._clock, period_ns, self.refresh)

    def refresh(self) -> None:
        """Send what is new."""
        for value in self._values():
            key = (value.key, value.currency)
            if self._sent.get(key) != value.value:
                self._sent[key] = value.value
                self._send(value)

    def after_fill(self, fill: Fill) -> None:
        """Refresh soon; several fills in a row make one refresh."""
        if self._due is None or not self._due.pending:
            self._due = self._clock.after(AFTER_FILL_NS, self.refresh)

    def close(self) -> None:
        """Stop."""
        self._timer.close()
        if self._due is not None:
            self._clock.cancel(self._due)


class AccountFeed(ValueFeed):
    """reqAccountUpdates: values, then portfolio lines, then the time."""

    def __init__(self, session: ClientSession, account: SimAccount) -> None:
        name = account.account
        super().__init__(
            session,
            account.values,
            lambda value: session.send(incoming.UpdateAccountValue(value.key, value.value, value.currency, name)),
        )
        self._session, self._account = session, account
        self._lines: dict[int, PortfolioItem] = {}

    def refresh(self) -> None:
        """Send what is new, and always the time."""
        super().refresh()
        for item in self._account.portfolio(flat=True):
            if self._lines.get(item.instrument.conId) != item:
                self._lines[item.instrument.conId] = item
                self._session.send(replies.portfolio_line(item))
        clock_text = utc_text(self._clock.now_ns)[9:14]
        self._session.send(incoming.UpdateAccountTime(clock_text))


class PositionFeed:
    """reqPositions and reqPositionsMulti: the position that a fill changed, after the fill."""

    def __init__(self, send: Callable[[PortfolioItem], None], accounts: Iterable[SimAccount]) -> None:
        self._send, self._accounts = send, {account.account: account for account in accounts}

    def after_fill(self, fill: Fill) -> None:
        """Send the changed position, also when it is flat now."""
        account = self._accounts.get(fill.order.account)
        item = None if account is None else account.pnl(fill.instrument.conId)
        if item is not None:
            self._send(item)

    def close(self) -> None:
        """Nothing runs between fills."""


class PnlFeed:
    """reqPnL and reqPnLSingle: once a second while something changes, and after fills."""

    def __init__(self, session: ClientSession, make: Callable[[], object]) -> None:
        self._session, self._make = session, make
        self._last: object = None
        self._timer = Timer(session.gateway.clock, PNL_PERIOD_NS, self.refresh)

    def refresh(self) -> None:
        """Send the figures if they differ from the last ones."""
        message = self._make()
        if message != self._last:
            self._last = message
            self._session.send(message)

    def after_fill(self, fill: Fill) -> None:
        """The next second brings it."""

    def close(self) -> None:
        """Stop."""
        self._timer.close()


def find_account(session: ClientSession, reqId: int, code: str) -> SimAccount | None:
    """The account a request names (empty: the first one); None after an error was sent."""
    account = session.gateway.account(code)
    if account is None:
        session.error(reqId, 321, "Invalid request: account code is not one of this login")
    return account


# ---------------------------------------------------------------------------------------------- values


def req_account_updates(session: ClientSession, message: outgoing.ReqAccountUpdates) -> None:
    if not message.subscribe:
        session.drop_feed(ACCOUNT, 0)
        return
    account = find_account(session, -1, message.acctCode)
    if account is None:
        return
    feed = AccountFeed(session, account)
    session.add_feed(ACCOUNT, 0, feed)
    feed.refresh()
    session.send(incoming.AccountDownloadEnd(account.account))


def req_account_summary(session: ClientSession, message: outgoing.ReqAccountSummary) -> None:
    reqId = message.reqId
    accounts = session.gateway.accounts
    chosen = list(accounts.values()) if message.groupName in ("", "All") else []
    if message.groupName in accounts:
        chosen = [accounts[message.groupName]]
    if not chosen:
        session.error(reqId, 321, "Invalid request: there is no account group of that name")
        return
    if session.count_feeds(SUMMARY) >= MAX_SUMMARIES and not session.has_feed(SUMMARY, reqId):
        session.error(reqId, 322, f"More than {MAX_SUMMARIES} account summaries at once")
        return
    tags = [tag.strip() for tag in message.tags.split(",")]
    feeds = []
    for account in chosen:
        feed = ValueFeed(session, summary_of(account, tags), summary_sender(session, reqId, account.account))
        feed.refresh()
        feeds.append(feed)
    session.add_feed(SUMMARY, reqId, FeedGroup(feeds))
    session.send(incoming.AccountSummaryEnd(reqId))


def summary_of(account: SimAccount, tags: list[str]) -> Callable[[], Iterable[AccountValue]]:
    return lambda: account.summary(tags)


def summary_sender(session: ClientSession, reqId: int, name: str) -> Callable[[AccountValue], None]:
    return lambda value: session.send(incoming.AccountSummary(reqId, name, value.key, value.value, value.currency))


class FeedGroup:
    """Several value feeds under one request id."""

    def __init__(self, feeds: list[ValueFeed]) -> None:
        self._feeds = feeds

    def after_fill(self, fill: Fill) -> None:
        """Pass it on."""
        for feed in self._feeds:
            feed.after_fill(fill)

    def close(self) -> None:
        """Stop all."""
        for feed in self._feeds:
            feed.close()


def cancel_account_summary(session: ClientSession, message: outgoing.CancelAccountSummary) -> None:
    session.drop_feed(SUMMARY, message.reqId)


def req_account_updates_multi(session: ClientSession, message: outgoing.ReqAccountUpdatesMulti) -> None:
    reqId, model = message.reqId, message.modelCode
    account = find_account(session, reqId, message.account)
    if account is None:
        return
    name, ledger_only = account.account, message.ledgerAndNLV

    def values() -> Iterable[AccountValue]:
        if ledger_only:
            return (*account.summary(_MULTI_LEDGER), *account.ledger())
        return account.values()

    def send(value: AccountValue) -> None:
        session.send(incoming.AccountUpdateMulti(reqId, name, model, value.key, value.value, value.currency))

    feed = ValueFeed(session, values, send)
    session.add_feed(UPDATES_MULTI, reqId, feed)
    feed.refresh()
    session.send(incoming.AccountUpdateMultiEnd(reqId))


def cancel_account_updates_multi(session: ClientSession, message: outgoing.CancelAccountUpdatesMulti) -> None:
    session.drop_feed(UPDATES_MULTI, message.reqId)


# ---------------------------------------------------------------------------------------------- positions


def req_positions(session: ClientSession, message: outgoing.ReqPositions) -> None:
    accounts = session.gateway.accounts.values()
    for account in accounts:
        for item in account.portfolio():
            session.send(replies.position(item))
    session.send(incoming.PositionEnd())

    def changed(item: PortfolioItem) -> None:
        session.send(replies.position(item))

    session.add_feed(POSITIONS, 0, PositionFeed(changed, accounts))


def cancel_positions(session: ClientSession, message: outgoing.CancelPositions) -> None:
    session.drop_feed(POSITIONS, 0)


def req_positions_multi(session: ClientSession, message: outgoing.ReqPositionsMulti) -> None:
    reqId, model = message.reqId, message.modelCode
    account = find_account(session, reqId, message.account)
    if account is None:
        return

    def changed(item: PortfolioItem) -> None:
        held = replies.position(item)
        session.send(incoming.PositionMulti(reqId, held.account, model, held.contract, held.position, held.avgCost))

    for item in account.portfolio():
        changed(item)
    session.send(incoming.PositionMultiEnd(reqId))
    session.add_feed(POSITIONS_MULTI, reqId, PositionFeed(changed, (account,)))


def cancel_positions_multi(session: ClientSession, message: outgoing.CancelPositionsMulti) -> None:
    session.drop_feed(POSITIONS_MULTI, message.reqId)


# ---------------------------------------------------------------------------------------------- profit and loss


def req_pnl(session: ClientSession, message: outgoing.ReqPnL) -> None:
    account = find_account(session, message.reqId, message.account)
    if account is None:
        return

    def make() -> incoming.Pnl:
        totals = account.totals()
        daily = EXACT.add(totals.realized, totals.unrealized)  # the world began today
        return incoming.Pnl(message.reqId, float(daily), float(totals.unrealized), float(totals.realized))

    start_pnl(session, PNL, message.reqId, make)


def req_pnl_single(session: ClientSession, message: outgoing.ReqPnLSingle) -> None:
    account = find_account(session, message.reqId, message.account)
    if account is None:
        return

    def make() -> incoming.PnlSingle:
        item = account.pnl(message.conid)
        if item is None:
            return incoming.PnlSingle(message.reqId, ZERO, value=0.0)
        daily: Decimal = EXACT.add(item.realizedPNL, item.unrealizedPNL)
        return incoming.PnlSingle(
            message.reqId,
            item.position,
            float(daily),
            float(item.unrealizedPNL),
            float(item.realizedPNL),
            float(item.marketValue),
        )

    start_pnl(session, PNL_SINGLE, message.reqId, make)


def start_pnl(session: ClientSession, kind: str, reqId: int, make: Callable[[], object]) -> None:
    feed = PnlFeed(session, make)
    session.add_feed(kind, reqId, feed)
    feed.refresh()


def cancel_pnl(session: ClientSession, message: outgoing.CancelPnL) -> None:
    session.drop_feed(PNL, message.reqId)


def cancel_pnl_single(session: ClientSession, message: outgoing.CancelPnLSingle) -> None:
    session.drop_feed(PNL_SINGLE, message.reqId)


HANDLERS: Handlers = {
    outgoing.ReqAccountUpdates: req_account_updates,
    outgoing.ReqAccountSummary: req_account_summary,
    outgoing.CancelAccountSummary: cancel_account_summary,
    outgoing.ReqAccountUpdatesMulti: req_account_updates_multi,
    outgoing.CancelAccountUpdatesMulti: cancel_account_updates_multi,
    outgoing.ReqPositions: req_positions,
    outgoing.CancelPositions: cancel_positions,
    outgoing.ReqPositionsMulti: req_positions_multi,
    outgoing.CancelPositionsMulti: cancel_positions_multi,
    outgoing.ReqPnL: req_pnl,
    outgoing.CancelPnL: cancel_pnl,
    outgoing.ReqPnLSingle: req_pnl_single,
    outgoing.CancelPnLSingle: cancel_pnl_single,
}
