"""Limits on what clients send: messages a second (100, then the end), and the rules for historical data (162)."""

from __future__ import annotations

from collections import deque
from typing import Any

from ibwire.sim.client import ClientSession
from ibwire.sim.clock import NS_PER_S, VirtualClock
from ibwire.types import outgoing

TOO_MANY = 100
HISTORICAL = 162
DEFAULT_STRIKES = 3
_EQUAL_NS, _ALIKE_NS, _ALL_NS = 15 * NS_PER_S, 2 * NS_PER_S, 600 * NS_PER_S
_ALIKE, _ALL = 6, 60
# Bars of 30 seconds or less: the others have no hard limit.
_SMALL_BARS = frozenset({"1 secs", "5 secs", "10 secs", "15 secs", "30 secs"})
_TEXT = "Historical data request pacing violation"


class Pacing:
    """Counts what each client sends.

    Parameters
    ----------
    messages_per_s : int
        More within any second is answered with message 100; 0 for no limit.
    strikes : int
        The breach at which the connection is closed; 0 for never.
    historical : bool
        Small bars: no equal request within 15 s, fewer than 6 for the same contract, exchange and data within 2 s, at
        most 60 within 10 minutes; BID_ASK counts twice.
    """

    def __init__(
        self,
        clock: VirtualClock,
        messages_per_s: int = 0,
        strikes: int = DEFAULT_STRIKES,
        historical: bool = False,
    ) -> None:
        self._clock = clock
        self._limit, self._strikes, self._historical = messages_per_s, strikes, historical
        self._times: dict[ClientSession, deque[int]] = {}
        self._breaches: dict[ClientSession, int] = {}
        # (time, equal key, alike key), oldest first; the limits are the login's, not a client's.
        self._history: deque[tuple[int, Any, Any]] = deque()

    def refuses(self, session: ClientSession, message: Any) -> bool:
        """True, after the answer, when a request is too much."""
        if self._limit and self._is_flood(session):
            return True
        return self._historical and isinstance(message, outgoing.ReqHistoricalData) and self._is_early(session, message)

    def _is_flood(self, session: ClientSession) -> bool:
        now_ns = self._clock.now_ns
        times = self._times.setdefault(session, deque())
        while times and times[0] <= now_ns - NS_PER_S:
            times.popleft()
        times.append(now_ns)
        if len(times) <= self._limit:
            return False
        times.clear()  # a new second begins: one breach, one message
        self._breaches[session] = count = self._breaches.get(session, 0) + 1
        session.error(-1, TOO_MANY, f"More than {self._limit} messages in a second")
        if self._strikes and count >= self._strikes:
            session.close()
        return True

    def _is_early(self, session: ClientSession, message: outgoing.ReqHistoricalData) -> bool:
        if message.barSizeSetting not in _SMALL_BARS:
            return False
        now_ns, contract = self._clock.now_ns, message.contract
        alike = (contract.conId, contract.symbol, contract.secType, contract.exchange, message.whatToShow)
        equal = (*alike, message.endDateTime, message.durationStr, message.barSizeSetting, message.useRTH)
        history = self._history
        while history and history[0][0] <= now_ns - _ALL_NS:
            history.popleft()
        weight = 2 if message.whatToShow == "BID_ASK" else 1
        early = (
            any(key == equal and at_ns > now_ns - _EQUAL_NS for at_ns, key, _ in history)
            or sum(1 for at_ns, _, key in history if key == alike and at_ns > now_ns - _ALIKE_NS) + weight >= _ALIKE
            or len(history) + weight > _ALL
        )
        if early:
            session.error(message.reqId, HISTORICAL, _TEXT)
        else:
            history.extend([(now_ns, equal, alike)] * weight)
        return early
