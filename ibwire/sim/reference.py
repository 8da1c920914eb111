"""What the simulated world knows by name: data only. Everything else is derived from the symbol.

Contract ids are the widely published real ones where there is one, so that a program that carries `265598` finds AAPL.
Prices are plausible, not quotes.
"""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple


class Stock(NamedTuple):
    """One known stock: price in cents of its own currency."""

    name: str
    primary: str
    price_cents: int
    conId: int = 0  # 0: derived from the symbol
    tradingClass: str = "NMS"
    industry: str = ""
    category: str = ""
    stockType: str = "COMMON"


class FutureRoot(NamedTuple):
    """One known future: price as text, expiry months as letters."""

    name: str
    exchange: str
    multiplier: str
    step: str
    price: str
    months: str
    underSecType: str = "IND"


class Index(NamedTuple):
    """One known index."""

    name: str
    exchange: str
    price: str
    conId: int = 0


class Coin(NamedTuple):
    """One known crypto currency."""

    name: str
    step: str
    price: str
    conId: int = 0


class Home(NamedTuple):
    """Where stocks of one currency are listed."""

    primary: str
    exchanges: str
    timeZoneId: str


STOCKS: dict[str, Stock] = {
    "AAPL": Stock("APPLE INC", "NASDAQ", 18742, 265598, "NMS", "Technology", "Computers"),
    "MSFT": Stock("MICROSOFT CORP", "NASDAQ", 41520, 272093, "NMS", "Technology", "Software"),
    "NVDA": Stock("NVIDIA CORP", "NASDAQ", 13475, 4815747, "NMS", "Technology", "Semiconductors"),
    "AMZN": Stock("AMAZON.COM INC", "NASDAQ", 18610, 3691937, "NMS", "Communications", "Internet"),
    "GOOGL": Stock("ALPHABET INC-CL A", "NASDAQ", 16535, 208813719, "NMS", "Communications", "Internet"),
    "META": Stock("META PLATFORMS INC-CLASS A", "NASDAQ", 50480, 107113386, "NMS", "Communications", "Internet"),
    "TSLA": Stock("TESLA INC", "NASDAQ", 24355, 76792991, "NMS", "Consumer, Cyclical", "Auto Manufacturers"),
    "AMD": Stock("ADVANCED MICRO DEVICES", "NASDAQ", 15840, 4391, "NMS", "Technology", "Semiconductors"),
    "INTC": Stock("INTEL CORP", "NASDAQ", 3125, 0, "NMS", "Technology", "Semiconductors"),
    "IBM": Stock("INTL BUSINESS MACHINES CORP", "NYSE", 19230, 8314, "IBM", "Technology", "Computers"),
    "JPM": Stock("JPMORGAN CHASE & CO", "NYSE", 19885, 0, "JPM", "Financial", "Banks"),
    "BAC": Stock("BANK OF AMERICA CORP", "NYSE", 3915, 0, "BAC", "Financial", "Banks"),
    "KO": Stock("COCA-COLA CO/THE", "NYSE", 6240, 0, "KO", "Consumer, Non-cyclical", "Beverages"),
    "XOM": Stock("EXXON MOBIL CORP", "NYSE", 11430, 0, "XOM", "Energy", "Oil&Gas"),
    "GE": Stock("GENERAL ELECTRIC", "NYSE", 16075, 0, "GE", "Industrial", "Aerospace/Defense"),
    "SPY": Stock("SS SPDR S&P 500 ETF TRUST-US", "ARCA", 55120, 756733, "SPY", "", "", "ETF"),
    "QQQ": Stock("INVESCO QQQ TRUST SERIES 1", "NASDAQ", 47560, 320227571, "NMS", "", "", "ETF"),
    "IWM": Stock("ISHARES RUSSELL 2000 ETF", "ARCA", 21340, 0, "IWM", "", "", "ETF"),
}

US_STOCK_EXCHANGES = "SMART,AMEX,NYSE,CBOE,PHLX,ISE,CHX,ARCA,NASDAQ,DRCTEDGE,BEX,BATS,EDGEA,BYX,IEX,EDGX,MEMX,PSX"

STOCK_HOMES: dict[str, Home] = {
    "USD": Home("NASDAQ", US_STOCK_EXCHANGES, "US/Eastern"),
    "EUR": Home("IBIS", "SMART,IBIS,IBIS2,SBF,AEB,BVME,BM", "MET"),
    "GBP": Home("LSE", "SMART,LSE,LSEETF", "GB-Eire"),
    "CHF": Home("EBS", "SMART,EBS", "MET"),
    "CAD": Home("TSE", "SMART,TSE,VENTURE", "US/Eastern"),
    "AUD": Home("ASX", "SMART,ASX", "Australia/NSW"),
    "JPY": Home("TSEJ", "SMART,TSEJ", "Japan"),
    "HKD": Home("SEHK", "SMART,SEHK", "Hongkong"),
    "SEK": Home("SFB", "SMART,SFB", "MET"),
}

# US dollars for one unit, and so every cross rate. The order is the market's convention: the earlier one is the base.
DOLLAR_VALUE: dict[str, Decimal] = {
    "EUR": Decimal("1.08413"),
    "GBP": Decimal("1.27264"),
    "AUD": Decimal("0.65872"),
    "NZD": Decimal("0.60418"),
    "USD": Decimal("1"),
    "CAD": Decimal("0.73421"),
    "CHF": Decimal("1.13387"),
    "HKD": Decimal("0.12796"),
    "SEK": Decimal("0.09571"),
    "NOK": Decimal("0.09412"),
    "DKK": Decimal("0.14541"),
    "JPY": Decimal("0.0066845"),
}
CURRENCY_ORDER: tuple[str, ...] = tuple(DOLLAR_VALUE)
KNOWN_PAIRS: dict[str, int] = {
    "EUR.USD": 12087792,
    "GBP.USD": 12087797,
    "USD.JPY": 15016059,
    "USD.CHF": 12087820,
    "USD.CAD": 15016062,
    "AUD.USD": 14433401,
    "EUR.GBP": 12087807,
}

MONTH_LETTERS = "FGHJKMNQUVXZ"
FUTURES: dict[str, FutureRoot] = {
    "ES": FutureRoot("E-mini S&P 500", "CME", "50", "0.25", "5525.25", "HMUZ"),
    "MES": FutureRoot("Micro E-Mini S&P 500 Stock Price Index", "CME", "5", "0.25", "5525.25", "HMUZ"),
    "NQ": FutureRoot("E-mini NASDAQ 100", "CME", "20", "0.25", "19380.5", "HMUZ"),
    "MNQ": FutureRoot("Micro E-mini NASDAQ-100", "CME", "2", "0.25", "19380.5", "HMUZ"),
    "YM": FutureRoot("E-mini Dow Jones Industrial Average", "CBOT", "5", "1", "39410", "HMUZ"),
    "CL": FutureRoot("Light Sweet Crude Oil", "NYMEX", "1000", "0.01", "76.84", MONTH_LETTERS, "CMDTY"),
    "GC": FutureRoot("Gold", "COMEX", "100", "0.1", "2412.3", "GJMQVZ", "CMDTY"),
    "ZN": FutureRoot("10 Year US Treasury Note", "CBOT", "1000", "0.015625", "110.59375", "HMUZ", "BOND"),
}
DERIVED_FUTURE = FutureRoot("", "CME", "100", "0.01", "0", "HMUZ", "STK")

INDEXES: dict[str, Index] = {
    "SPX": Index("S&P 500 Stock Index", "CBOE", "5512.08", 416904),
    "NDX": Index("NASDAQ 100 Stock Index", "NASDAQ", "19326.71", 416843),
    "VIX": Index("CBOE Volatility Index", "CBOE", "14.62", 13455763),
    "INDU": Index("Dow Jones Industrial Average", "CME", "39362.4"),
    "RUT": Index("Russell 2000 Stock Index", "RUSSELL", "2146.15"),
}

COINS: dict[str, Coin] = {
    "BTC": Coin("Bitcoin cryptocurrency", "0.25", "64210.25", 479624278),
    "ETH": Coin("Ethereum cryptocurrency", "0.05", "3412.45", 495759171),
    "LTC": Coin("Litecoin cryptocurrency", "0.01", "72.84"),
    "BCH": Coin("Bitcoin Cash cryptocurrency", "0.05", "381.35"),
    "SOL": Coin("Solana cryptocurrency", "0.01", "142.37"),
}

# Market rule ids by price step; a step without an entry has the derived id 10000 + its number of steps per 1000 units.
MARKET_RULES: dict[Decimal, int] = {
    Decimal("0.01"): 26,
    Decimal("0.00001"): 239,
    Decimal("0.001"): 59,
    Decimal("0.25"): 67,
    Decimal("0.05"): 32,
    Decimal("0.1"): 137,
    Decimal("1"): 38,
    Decimal("0.015625"): 2803,
}

# A symbol that begins like this does not exist: how a test asks for error 200.
MISSING_SYMBOL_PREFIX = "NOSUCH"
