"""Kinds of news bulletins."""

NEWS_MSG = 1
EXCHANGE_AVAIL_MSG = 2
EXCHANGE_UNAVAIL_MSG = 3
