"""News: providers, headlines of any day drawn from the seed, their articles, bulletins."""

from __future__ import annotations

from typing import NamedTuple

from ibwire.sim import times, zones
from ibwire.sim.client import ClientSession, Handlers, Timer
from ibwire.sim.clock import NS_PER_S
from ibwire.sim.instruments import Instrument
from ibwire.sim.orders import Fill
from ibwire.sim.path import mix
from ibwire.types import incoming, outgoing, structs

PROVIDERS = {"SIM": "Simulated News", "SIMUPD": "Simulated Upgrades and Downgrades"}
BULLETINS = "bulletins"
MAX_RESULTS = 300
NEWS_FAILED = 10276
_EVERY_S = 3 * 3600
_LINE_NS = 60 * NS_PER_S
_WORDS = ("reports quarterly figures", "names a new head of research", "opens a plant", "is said to look for a buyer")
_HORIZON_S = 30 * 86_400


class Headline(NamedTuple):
    """One headline."""

    time_s: int
    provider: str
    articleId: str
    text: str


def headline(conId: int, symbol: str, index: int, providers: list[str]) -> Headline:
    """Return the headline of one stretch of time of an instrument."""
    r = mix(conId * 1_000_003 + index)
    provider = providers[r % len(providers)]
    text = f"{symbol} {_WORDS[(r >> 8) % len(_WORDS)]}"
    return Headline(index * _EVERY_S + (r >> 16) % _EVERY_S, provider, f"{provider}${conId:x}.{index:x}", text)


class Headlines:
    """News ticks of a market data line: one a minute."""

    def __init__(self, session: ClientSession, reqId: int, item: Instrument) -> None:
        self._session, self._reqId, self._item = session, reqId, item
        self._timer = Timer(session.gateway.clock, _LINE_NS, self._tell)

    def _tell(self) -> None:
        now_s = self._session.gateway.clock.now_ns // NS_PER_S
        item = self._item
        found = headline(item.conId, item.symbol, now_s // _EVERY_S, list(PROVIDERS))
        self._session.send(
            incoming.TickNews(self._reqId, now_s * 1000, found.provider, found.articleId, found.text, "K:n/a")
        )

    def close(self) -> None:
        """Stop."""
        self._timer.close()


class Bulletins:
    """reqNewsBulletins: nothing is said unless `Gateway.bulletin` says it."""

    def close(self) -> None:
        """Nothing runs."""

    def after_fill(self, fill: Fill) -> None:
        """Nothing to do with it."""


# ---------------------------------------------------------------------------------------------- requests


def req_news_providers(session: ClientSession, message: outgoing.ReqNewsProviders) -> None:
    session.send(incoming.NewsProviders([structs.NewsProvider(code, name) for code, name in PROVIDERS.items()]))


def req_historical_news(session: ClientSession, message: outgoing.ReqHistoricalNews) -> None:
    reqId, now_s = message.reqId, session.gateway.clock.now_ns // NS_PER_S
    wanted = [code for code in message.providerCodes.replace("+", ",").split(",") if code in PROVIDERS]
    item = session.gateway.universe.by_con_id(message.conId)
    if item is None or not wanted or not 1 <= message.totalResults <= MAX_RESULTS:
        why = "the contract id is not known" if item is None else "a provider or the number of results is not valid"
        session.error(reqId, NEWS_FAILED, f"News request failed: {why}")
        return
    try:
        until_s = _moment(message.endDateTime, now_s)
        since_s = _moment(message.startDateTime, until_s - _HORIZON_S)
    except times.BadTime as error:
        session.error(reqId, NEWS_FAILED, f"News request failed: {error}")
        return
    until_s = min(until_s, now_s)
    sent = 0
    index = until_s // _EVERY_S
    while index * _EVERY_S > since_s - _EVERY_S and sent < message.totalResults:
        found = headline(item.conId, item.symbol, index, list(PROVIDERS))
        index -= 1
        if since_s <= found.time_s <= until_s and found.provider in wanted:
            sent += 1
            at = zones.local("UTC", found.time_s)
            session.send(
                incoming.HistoricalNews(reqId, f"{at:%Y-%m-%d %H:%M:%S}.0", found.provider, found.articleId, found.text)
            )
    session.send(incoming.HistoricalNewsEnd(reqId, index * _EVERY_S > since_s))


def _moment(text: str, default_s: int) -> int:
    """News requests write `yyyy-mm-dd hh:mm:ss.0` as well as the other forms; they mean UTC."""
    text = text.strip()
    if not text:
        return default_s
    if len(text) >= 19 and text[4:5] == "-" and text[7:8] == "-":
        text = text[:4] + text[5:7] + text[8:19]
    return times.parse(text, "UTC")


def req_news_article(session: ClientSession, message: outgoing.ReqNewsArticle) -> None:
    provider, _, rest = message.articleId.partition("$")
    conId, _, index = rest.partition(".")
    try:
        item = session.gateway.universe.by_con_id(int(conId, 16))
        number = int(index, 16)
    except ValueError:
        item, number = None, 0
    if item is None or provider not in PROVIDERS or provider != message.providerCode:
        session.error(message.reqId, NEWS_FAILED, f"News request failed: there is no article '{message.articleId}'")
        return
    text = headline(item.conId, item.symbol, number, [provider]).text
    session.send(incoming.NewsArticle(message.reqId, 0, f"{text}. This article was made up by a simulated gateway."))


def req_news_bulletins(session: ClientSession, message: outgoing.ReqNewsBulletins) -> None:
    session.add_feed(BULLETINS, 0, Bulletins())
    if message.allMsgs:
        for number, text in enumerate(session.gateway.bulletins, 1):
            session.send(incoming.UpdateNewsBulletin(number, 1, text, "SIM"))


def cancel_news_bulletins(session: ClientSession, message: outgoing.CancelNewsBulletins) -> None:
    session.drop_feed(BULLETINS, 0)


HANDLERS: Handlers = {
    outgoing.ReqNewsProviders: req_news_providers,
    outgoing.ReqHistoricalNews: req_historical_news,
    outgoing.ReqNewsArticle: req_news_article,
    outgoing.ReqNewsBulletins: req_news_bulletins,
    outgoing.CancelNewsBulletins: cancel_news_bulletins,
}
