"""The spec's one module with code: a few pure (decode, encode) pairs for what tables cannot say.

Value hooks convert one value between a dialect and the program. Row hooks look at a whole message, as registers.
Keep this list short: more than about eight means that the op set lacks something.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from ibwire.spec.ticks import SIZE_OF_PRICE

_UNSET_DOUBLE: Final = 1.7976931348623157e308


@dataclass(frozen=True, slots=True)
class Hook:
    """A pair for one value: from the wire to the program, and back."""

    name: str
    decode: Callable[[Any], Any]
    encode: Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class RowHook:
    """A pair for a whole message: ``(registers, index of paths, make)``; ``make`` builds a struct by name."""

    name: str
    dialects: tuple[str, ...]
    decode: Callable[[list[Any], dict[str, int], Callable[..., Any]], None]
    encode: Callable[[list[Any], dict[str, int]], None]


def _float8_text(value: float) -> str:
    return "" if value == _UNSET_DOUBLE else f"{value:.8f}".rstrip("0").rstrip(".")


def _plain_text(value: float) -> str:
    return f"{Decimal(str(value)):f}"


def _to_float(text: Any) -> float | None:
    return float(text) if text not in ("", None) else None


def _split_pairs(text: str) -> list[tuple[str, str]]:
    pairs = []
    for part in text.split(";"):
        if part:
            tag, _, value = part.partition("=")
            pairs.append((tag, value))
    return pairs


def _count_pairs(pairs: Any) -> str:
    return str(len(pairs or ()))


def _join_pairs(pairs: Any) -> str:
    return "".join(f"{p.tag}={p.value};" for p in pairs or ())




VALUE_HOOKS: Final[dict[str, Hook]] = {
    h.name: h
    for h in (
        # Text in the program, a double in protobuf: at most 8 digits after the point (contract multiplier).
        Hook("float8_text", _float8_text, _to_float),
        # The same with all digits (margins in order state).
        Hook("plain_text", _plain_text, _to_float),
        # Tag-value list in the program, "tag=value;" in one text field. The decoder makes the TagValue objects.
        Hook("tag_values", _split_pairs, _join_pairs),
        # How many pairs the text field after this one holds: a reader needs only that field.
        Hook("pair_count", lambda text: [], _count_pairs),
    )
}


# A combo leg's price stands in the order in text and in the contract's leg in protobuf.
def _leg_prices_decode(regs: list[Any], index: dict[str, int], make: Callable[..., Any]) -> None:
    legs = regs[index["contract.comboLegs"]]
    if legs:
        regs[index["order.orderComboLegs"]] = [
            make("OrderComboLeg", ("price",), [leg.perLegPrice]) for leg in legs
        ]


def _leg_prices_encode(regs: list[Any], index: dict[str, int]) -> None:
    legs = regs[index["contract.comboLegs"]]
    prices = regs[index["order.orderComboLegs"]]
    if legs and prices:
        regs[index["contract.comboLegs"]] = [
            _WithPrice(leg, prices[i].price if i < len(prices) else None) for i, leg in enumerate(legs)
        ]


class _WithPrice:
    """A combo leg seen together with its price."""

    def __init__(self, leg: Any, price: float | None) -> None:
        self._leg = leg
        self.perLegPrice = price

    def __getattr__(self, name: str) -> Any:
        return getattr(self._leg, name)


# The expiry of contract details can be "date", "date time" or "date time zone", joined by spaces or dashes.
def _last_trade_date(date: str, bond: bool) -> Callable[[list[Any], dict[str, int], Callable[..., Any]], None]:
    def decode(regs: list[Any], index: dict[str, int], make: Callable[..., Any]) -> None:
        text = regs[index["contractDetails.contract.lastTradeDateOrContractMonth"]]
        raw = regs[index[date]] if bond and regs[index[date]] else text
        parts = raw.split("-") if "-" in raw else raw.split()
        if parts:
            regs[index[date]] = parts[0]
        if len(parts) > 1:
            regs[index["contractDetails.lastTradeTime"]] = parts[1]
        if bond and len(parts) > 2 and not regs[index["contractDetails.timeZoneId"]]:
            regs[index["contractDetails.timeZoneId"]] = parts[2]

    return decode


def _last_trade_date_encode(date: str) -> Callable[[list[Any], dict[str, int]], None]:
    def encode(regs: list[Any], index: dict[str, int]) -> None:
        time = regs[index["contractDetails.lastTradeTime"]]
        if time and regs[index[date]]:
            regs[index[date]] = f"{regs[index[date]]} {time}"
        if date == _MATURITY and not regs[index[_DATE]]:  # protobuf carries a bond's maturity there
            regs[index[_DATE]] = regs[index[date]]

    return encode


# An open order names its id beside the order; the order itself has it too.
def _order_id_decode(regs: list[Any], index: dict[str, int], make: Callable[..., Any]) -> None:
    if not regs[index["order.orderId"]]:
        regs[index["order.orderId"]] = regs[index["orderId"]]


# The official client has a list of algorithm parameters wherever there is an algorithm, even an empty one.
def _algo_params_decode(regs: list[Any], index: dict[str, int], make: Callable[..., Any]) -> None:
    if regs[index["order.algoStrategy"]] and regs[index["order.algoParams"]] is None:
        regs[index["order.algoParams"]] = []


def _nothing(regs: list[Any], index: dict[str, int]) -> None:
    pass


_DATE: Final = "contractDetails.contract.lastTradeDateOrContractMonth"
_MATURITY: Final = "contractDetails.maturity"

ROW_HOOKS: Final[dict[str, RowHook]] = {
    h.name: h
    for h in (
        RowHook("leg_prices", ("proto",), _leg_prices_decode, _leg_prices_encode),
        RowHook("order_id", ("text", "proto"), _order_id_decode, _nothing),
        RowHook("algo_params", ("proto",), _algo_params_decode, _nothing),
        RowHook("last_trade_date", ("text", "proto"), _last_trade_date(_DATE, False), _last_trade_date_encode(_DATE)),
        RowHook("maturity", ("text", "proto"), _last_trade_date(_MATURITY, True), _last_trade_date_encode(_MATURITY)),
    )
}


def _size_tick_type(regs: list[Any], index: dict[str, int], dialect: str) -> Any:
    return SIZE_OF_PRICE.get(regs[index["tickType"]], -1)


def _smart_components(regs: list[Any], index: dict[str, int], dialect: str) -> Any:
    components = regs[index["smartComponents"]] or []
    if dialect == "text":
        return components
    return {c.bitNumber: (c.exchange, c.exchangeLetter or " ") for c in components}


def _is_successful(regs: list[Any], index: dict[str, int], dialect: str) -> Any:
    value = regs[index["isSuccessful"]]
    if dialect == "text":  # there the official client hands on the word itself
        return "true" if value else "false"
    return value


def _as_set(path: str) -> Callable[[list[Any], dict[str, int], str], Any]:
    return lambda regs, index, dialect: set(regs[index[path]] or ())


ARGUMENTS: Final[dict[str, Callable[[list[Any], dict[str, int], str], Any]]] = {
    # Callback arguments that are no plain field: (registers, index, dialect) -> value.
    "size_tick_type": _size_tick_type,
    "smart_components": _smart_components,
    "is_successful": _is_successful,
    "expirations": _as_set("expirations"),
    "strikes": _as_set("strikes"),
}


def row_hooks(names: str, dialect: str) -> tuple[RowHook, ...]:
    """The row hooks of those names (separated by spaces) that apply in the dialect."""
    return tuple(ROW_HOOKS[n] for n in names.split() if dialect in ROW_HOOKS[n].dialects)
