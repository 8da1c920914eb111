"""Market scans."""

from __future__ import annotations

from ibwire.compat._objects import Contract, ScannerSubscription
from ibwire.compat.object_implem import Object

NO_ROW_NUMBER_SPECIFIED = -1


class ScanData(Object):
    """One row of a scan, for programs that keep such rows; the callback hands out its parts."""

    def __init__(
        self,
        contract: Contract | None = None,
        rank: int = 0,
        distance: str = "",
        benchmark: str = "",
        projection: str = "",
        legsStr: str = "",
        marketName: str = "",
    ) -> None:
        self.contract = contract
        self.rank = rank
        self.distance = distance
        self.benchmark = benchmark
        self.projection = projection
        self.legsStr = legsStr
        self.marketName = marketName

    def __str__(self) -> str:
        contract = self.contract or Contract()
        return (
            f"Rank: {self.rank:d}, Symbol: {contract.symbol}, SecType: {contract.secType}, "
            f"Currency: {contract.currency}, Distance: {self.distance}, Benchmark: {self.benchmark}, "
            f"Projection: {self.projection}, Legs String: {self.legsStr}, MarketName: {self.marketName}"
        )


__all__ = ["NO_ROW_NUMBER_SPECIFIED", "ScanData", "ScannerSubscription"]
