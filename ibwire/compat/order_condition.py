"""Conditions under which an order becomes active or is cancelled."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Self

from ibwire.compat.comm import make_field
from ibwire.compat.const import UNSET_DOUBLE
from ibwire.compat.enum_implem import Enum
from ibwire.compat.object_implem import Object
from ibwire.compat.utils import decode

_Wire = tuple[tuple[str, type], ...]
_VALUE: Final = "*"  # the condition's own value, as text


class OrderCondition(Object):
    """The base of all conditions: ``condType``, and how this one joins the next (and, or)."""

    Price = 1
    Time = 3
    Margin = 4
    Execution = 5
    Volume = 6
    PercentChange = 7

    _wire: _Wire = ()  # attributes after the connector, in the order of the text dialect

    def __init__(self, condType: int | None) -> None:
        self.condType = condType
        self.isConjunctionConnection = True

    def type(self) -> int | None:
        """The number of the condition's kind."""
        return self.condType

    def And(self) -> Self:
        """Join the next condition with and."""
        self.isConjunctionConnection = True
        return self

    def Or(self) -> Self:
        """Join the next condition with or."""
        self.isConjunctionConnection = False
        return self

    def make_fields(self) -> list[str]:
        """The condition as text fields, without its kind."""
        out = [make_field("a" if self.isConjunctionConnection else "o")]
        for name, _ in self._wire:
            value: Any = self
            out.append(make_field(value.valueToString() if name == _VALUE else getattr(self, name)))
        return out

    def decode(self, fields: Iterator[bytes]) -> None:
        """Set the condition from text fields, without its kind. Raises BadMessage when they end too early."""
        self.isConjunctionConnection = decode(str, fields) == "a"
        for name, kind in self._wire:
            read: Any = self
            if name == _VALUE:
                read.setValueFromString(decode(str, fields))
            else:
                setattr(self, name, decode(kind, fields))

    def __str__(self) -> str:
        return "<AND>" if self.isConjunctionConnection else "<OR>"


class ExecutionCondition(OrderCondition):
    """A trade in a symbol."""

    _wire: _Wire = (("secType", str), ("exchange", str), ("symbol", str))

    def __init__(self, secType: str | None = None, exch: str | None = None, symbol: str | None = None) -> None:
        super().__init__(OrderCondition.Execution)
        self.secType = secType
        self.exchange = exch
        self.symbol = symbol

    def __str__(self) -> str:
        return f"trade occurs for {self.symbol} symbol on {self.exchange} exchange for {self.secType} security type"


class OperatorCondition(OrderCondition):
    """A value at least, or at most, as large as the condition's."""

    _wire: _Wire = (("isMore", bool), (_VALUE, str))

    def __init__(self, condType: int | None = None, isMore: bool | None = None) -> None:
        super().__init__(condType)
        self.isMore = isMore

    def valueToString(self) -> str | None:
        """The condition's value as text."""
        raise NotImplementedError(f"{type(self).__name__} has no value")

    def setValueFromString(self, text: str) -> None:
        """Set the condition's value from text."""
        raise NotImplementedError(f"{type(self).__name__} has no value")

    def __str__(self) -> str:
        return f" {'>= ' if self.isMore else '<= '} {self.valueToString()}"


class MarginCondition(OperatorCondition):
    """The margin cushion, in percent."""

    def __init__(self, isMore: bool | None = None, percent: float | None = None) -> None:
        super().__init__(OrderCondition.Margin, isMore)
        self.percent = percent

    def valueToString(self) -> str:
        """The percentage."""
        return str(self.percent)

    def setValueFromString(self, text: str) -> None:
        """Set the percentage."""
        self.percent = float(text)

    def __str__(self) -> str:
        return f"the margin cushion percent {super().__str__()} "


class ContractCondition(OperatorCondition):
    """A value of one contract at one exchange."""

    _wire: _Wire = (*OperatorCondition._wire, ("conId", int), ("exchange", str))

    def __init__(
        self,
        condType: int | None = None,
        conId: int | None = None,
        exch: str | None = None,
        isMore: bool | None = None,
    ) -> None:
        super().__init__(condType, isMore)
        self.conId = conId
        self.exchange = exch

    def valueToString(self) -> str | None:
        """Nothing: the kinds of contract conditions have values."""
        return None

    def setValueFromString(self, text: str) -> None:
        """Nothing: the kinds of contract conditions have values."""

    def __str__(self) -> str:
        return f"{self.conId} on {self.exchange} is {super().__str__()} "


class TimeCondition(OperatorCondition):
    """A point of time, as ``YYYYMMDD HH:MM:SS Zone``."""

    def __init__(self, isMore: bool | None = None, time: str | None = None) -> None:
        super().__init__(OrderCondition.Time, isMore)
        self.time = time

    def valueToString(self) -> str | None:
        """The time."""
        return self.time

    def setValueFromString(self, text: str) -> None:
        """Set the time."""
        self.time = text

    def __str__(self) -> str:
        return f"time is {super().__str__()} "


class PriceCondition(ContractCondition):
    """A price of a contract; ``triggerMethod`` says which price."""

    _wire: _Wire = (*ContractCondition._wire, ("triggerMethod", int))

    TriggerMethodEnum = Enum(
        "Default", "DoubleBidAsk", "Last", "DoubleLast", "BidAsk", "N/A1", "N/A2", "LastBidAsk", "MidPoint"
    )

    def __init__(
        self,
        triggerMethod: int | None = None,
        conId: int | None = None,
        exch: str | None = None,
        isMore: bool | None = None,
        price: float | None = None,
    ) -> None:
        super().__init__(OrderCondition.Price, conId, exch, isMore)
        self.price = price
        self.triggerMethod = triggerMethod

    def valueToString(self) -> str:
        """The price."""
        return str(self.price)

    def setValueFromString(self, text: str) -> None:
        """Set the price."""
        self.price = float(text)

    def __str__(self) -> str:
        method = -1 if self.triggerMethod is None else self.triggerMethod
        return f"{PriceCondition.TriggerMethodEnum.toStr(method)} price of {super().__str__()} "


class PercentChangeCondition(ContractCondition):
    """The change of a contract's price today, in percent."""

    def __init__(
        self,
        conId: int | None = None,
        exch: str | None = None,
        isMore: bool | None = None,
        changePercent: float = UNSET_DOUBLE,
    ) -> None:
        super().__init__(OrderCondition.PercentChange, conId, exch, isMore)
        self.changePercent = changePercent

    def valueToString(self) -> str:
        """The percentage."""
        return str(self.changePercent)

    def setValueFromString(self, text: str) -> None:
        """Set the percentage."""
        self.changePercent = float(text)

    def __str__(self) -> str:
        return f"percent change of {super().__str__()} "


class VolumeCondition(ContractCondition):
    """The volume of a contract today."""

    def __init__(
        self,
        conId: int | None = None,
        exch: str | None = None,
        isMore: bool | None = None,
        volume: int | None = None,
    ) -> None:
        super().__init__(OrderCondition.Volume, conId, exch, isMore)
        self.volume = volume

    def valueToString(self) -> str:
        """The volume."""
        return str(self.volume)

    def setValueFromString(self, text: str) -> None:
        """Set the volume."""
        self.volume = int(text)

    def __str__(self) -> str:
        return f"volume of {super().__str__()} "


KINDS: dict[int, type[OrderCondition]] = {
    OrderCondition.Price: PriceCondition,
    OrderCondition.Time: TimeCondition,
    OrderCondition.Margin: MarginCondition,
    OrderCondition.Execution: ExecutionCondition,
    OrderCondition.Volume: VolumeCondition,
    OrderCondition.PercentChange: PercentChangeCondition,
}
"""``condType`` -> class."""


def Create(condType: int) -> OrderCondition | None:
    """A new condition of that kind, with nothing set; None for a number that names no kind."""
    return _new(condType) if condType in KINDS else None


def _new(condType: int) -> OrderCondition:
    kind: object = KINDS[condType]
    assert callable(kind)
    made = kind()
    assert isinstance(made, OrderCondition)
    return made
