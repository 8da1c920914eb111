"""The official enumerations that attributes hold: a member's value is (code on the wire, name)."""

from __future__ import annotations

from enum import Enum


class FundAssetType(Enum):
    """What a fund invests in."""

    NoneItem = ("None", "None")
    Others = ("000", "Others")
    MoneyMarket = ("001", "Money Market")
    FixedIncome = ("002", "Fixed Income")
    MultiAsset = ("003", "Multi-asset")
    Equity = ("004", "Equity")
    Sector = ("005", "Sector")
    Guaranteed = ("006", "Guaranteed")
    Alternative = ("007", "Alternative")


class FundDistributionPolicyIndicator(Enum):
    """Whether a fund pays its income out."""

    NoneItem = ("None", "None")
    AccumulationFund = ("N", "Accumulation Fund")
    IncomeFund = ("Y", "Income Fund")


class OptionExerciseType(Enum):
    """How an option position ended."""

    NoneItem = (-1, "None")
    Exercise = (1, "Exercise")
    Lapse = (2, "Lapse")
    DoNothing = (3, "DoNothing")
    Assigned = (100, "Assigned ")
    AutoexerciseClearing = (101, "AutoexerciseClearing")
    Expired = (102, "Expired")
    Netting = (103, "Netting")
    AutoexerciseTrading = (200, "AutoexerciseTrading")
