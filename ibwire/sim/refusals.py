"""What this gateway does not do (yet), and how it says so: nothing that a client waits for stays without an answer."""

from __future__ import annotations

from typing import Any

from ibwire.types import outgoing

INVALID = 321
_ABSENT = "is not available in this simulated gateway"

# Request -> (code, what the text says is absent). The answer carries the request's own id, -1 when it has none.
REFUSED: dict[type[Any], tuple[int, str]] = {
    outgoing.ReqMktDepth: (INVALID, "Market depth"),
    outgoing.CancelMktDepth: (310, "Market depth"),
    outgoing.ReqMktDepthExchanges: (INVALID, "The list of depth exchanges"),
    outgoing.ReqRealTimeBars: (420, "Real-time bars"),
    outgoing.CancelRealTimeBars: (300, "Real-time bars"),
    outgoing.ReqTickByTickData: (10189, "Tick-by-tick data"),
    outgoing.CancelTickByTickData: (300, "Tick-by-tick data"),
    outgoing.ReqHistoricalData: (162, "Historical data"),
    outgoing.CancelHistoricalData: (366, "Historical data"),
    outgoing.ReqHeadTimeStamp: (162, "The first timestamp of data"),
    outgoing.CancelHeadTimeStamp: (366, "The first timestamp of data"),
    outgoing.ReqHistogramData: (162, "A histogram"),
    outgoing.CancelHistogramData: (366, "A histogram"),
    outgoing.ReqHistoricalTicks: (162, "Historical ticks"),
    outgoing.CancelHistoricalTicks: (366, "Historical ticks"),
    outgoing.ReqScannerParameters: (INVALID, "The market scanner"),
    outgoing.ReqScannerSubscription: (162, "The market scanner"),
    outgoing.CancelScannerSubscription: (365, "The market scanner"),
    outgoing.ReqFundamentalData: (430, "Fundamental data"),
    outgoing.CancelFundamentalData: (300, "Fundamental data"),
    outgoing.CalculateImpliedVolatility: (INVALID, "The calculation of implied volatility"),
    outgoing.CancelCalculateImpliedVolatility: (300, "The calculation of implied volatility"),
    outgoing.CalculateOptionPrice: (INVALID, "The calculation of option prices"),
    outgoing.CancelCalculateOptionPrice: (300, "The calculation of option prices"),
    outgoing.ExerciseOptions: (INVALID, "The exercise of options"),
    outgoing.ReqNewsArticle: (10276, "News"),
    outgoing.ReqHistoricalNews: (10276, "News"),
    outgoing.ReqWshMetaData: (10277, "The event calendar"),
    outgoing.ReqWshEventData: (10278, "The event calendar"),
    outgoing.RequestFA: (INVALID, "Advisor configuration"),
    outgoing.ReplaceFA: (INVALID, "Advisor configuration"),
    outgoing.QueryDisplayGroups: (INVALID, "A display group"),
    outgoing.SubscribeToGroupEvents: (INVALID, "A display group"),
    outgoing.UpdateDisplayGroup: (INVALID, "A display group"),
    outgoing.ReqConfig: (INVALID, "The configuration"),
    outgoing.UpdateConfig: (INVALID, "The configuration"),
}

# Requests that no client waits for: there is nothing to say.
SILENT: frozenset[type[Any]] = frozenset(
    {
        outgoing.SetServerLogLevel,
        outgoing.ReqNewsBulletins,  # a subscription; there are no bulletins
        outgoing.CancelNewsBulletins,
        outgoing.UnsubscribeFromGroupEvents,
        outgoing.CancelWshMetaData,
        outgoing.CancelWshEventData,
        outgoing.CancelContractData,  # details are answered at once: there is nothing left to cancel
    }
)


def request_id(message: object) -> int:
    """The id that an answer to this request carries, -1 for a request without one."""
    for name in ("reqId", "tickerId", "orderId"):
        value = getattr(message, name, None)
        if isinstance(value, int):
            return value
    return -1


def refusal(message: object) -> tuple[int, str] | None:
    """Code and text of the refusal of a request, None when it is passed over in silence."""
    kind = type(message)
    if kind in SILENT:
        return None
    if kind in REFUSED:
        code, what = REFUSED[kind]
        return code, f"{what} {_ABSENT}"
    return INVALID, "Invalid request: this gateway does not know the message"
