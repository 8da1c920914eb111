"""Random valid messages of any row, from the spec alone; seeded, so that a failure can be repeated."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

from ibwire.spec.model import MISSING, Direction, Field, Kind, Row, Struct
from ibwire.types import incoming, outgoing, structs
from ibwire.wire.plan import Dialect, OpCode, proto_plan, text_plan

ORDER_TYPES = ("LMT", "MKT", "STP", "PEG BENCH", "PEGBENCH", "PEG MID", "PEG BEST", "TRAIL", "VOL", "")
SEC_TYPES = ("STK", "OPT", "FUT", "BAG", "FUND", "CASH", "BOND", "")
PRINTABLE = ("AAPL", "SMART", "a b", "x=1", "U/100,V/20", "1.5", "", "DAY", "?", "100%", "<xml a='b'/>")
TEXT_DIALECT = (*PRINTABLE, "tab\there", "two\nlines", "back\\slash")
ANY_TEXT = (*TEXT_DIALECT, "Núñez €")
CHOICES: dict[str, tuple[Any, ...]] = {
    "orderType": ORDER_TYPES,
    "secType": SEC_TYPES,
    "condType": (1, 3, 4, 5, 6, 7),
    "action": ("BUY", "SELL", "SSHORT"),
    "multiplier": ("", "100", "0.5", "1000"),
    "lastTradeDateOrContractMonth": ("", "20261218", "202612"),
    "maturity": ("", "20361218"),
    "lastTradeTime": ("", "16:00"),
    "exchange": ("SMART", "IBKRATS", "NYSE", ""),
    "fundAssetType": ("000", "001", "005", "None"),
    "fundDistributionPolicyIndicator": ("N", "Y", "None"),
    "optExerciseOrLapseType": (None,),
    "yieldRedemptionDate": (0, 20301231),
    "volume": (100, 5000),
    "evMultiplier": (0.0, 1.0, 100.0),
    "percent": (5.0, 12.0),
    "exchangeLetter": ("A", "Z"),
    "tag": ("a", "maxPctVol", "t3", "zz"),
    "faData": (1, 3),
}
SIZES = (
    "0",
    "100",
    "0.7143",
    "1.500",
    "12345678901234567.25",
    "1234567890.1234",
    "12345.678901234",
    "0.1234567890123456",
)
NUMERIC_TEXT = ("", "1.5", "12345.67", "-3", "0")


class Generator:
    """Makes messages.

    Parameters
    ----------
    seed : repeats the same messages.
    fill : how likely an optional value is set.
    words : the texts to choose from; ``PRINTABLE``, ``TEXT_DIALECT`` or ``ANY_TEXT``.
    whole_sizes : sizes are set and whole numbers.
    """

    def __init__(
        self, seed: int | str, fill: float = 0.5, *, words: tuple[str, ...] = ANY_TEXT, whole_sizes: bool = False
    ) -> None:
        self.rng = random.Random(seed)
        self.fill = fill
        self.words = words
        self.whole_sizes = whole_sizes

    def scalar(self, f: Field) -> Any:
        rng = self.rng
        if f.name in CHOICES and not (f.type is not Kind.STR and isinstance(CHOICES[f.name][0], str)):
            pool = CHOICES[f.name]
            if f.type is Kind.DEC:
                pool = tuple(Decimal(str(v)) for v in pool)
            return rng.choice(pool)
        if f.type is Kind.BOOL:
            return rng.random() < 0.5
        if f.type is Kind.I32:
            return rng.choice((0, 1, 2, 5, 42, 1000, 265598, 2**31 - 2, -1, -(2**31)))
        if f.type is Kind.I64:
            return rng.choice((0, 1, 904117, 1700000000, 2**40 + 7, 2**53 + 1))
        if f.type is Kind.F64:
            return rng.choice((0.0, 1.0, 187.43, 0.0001, 1e-05, 1e16, 123456789.125, -2.5, 0.1 + 0.2, 5.0))
        if f.type is Kind.DEC:
            return Decimal(rng.choice(("0", "100", "5000") if self.whole_sizes else SIZES))
        if f.proto_kind == "double":
            return rng.choice(NUMERIC_TEXT)
        return rng.choice(self.words)

    def value(self, f: Field) -> Any:
        if f.many:
            count = self.rng.choice((0, 0, 1, 2, 3))
            if isinstance(f.type, Struct):
                made = [self.struct(f.type) for _ in range(count)]
                if f.is_map:
                    made = list({m.tag: m for m in made}.values())
                return made
            bare = Field(f.name, f.type)
            return [self.scalar(bare) for _ in range(count)]
        if isinstance(f.type, Struct):
            if f.optional and self.rng.random() > self.fill:
                return None
            return self.struct(f.type)
        if f.type is Kind.DEC and self.whole_sizes:
            return self.scalar(f)
        if self.rng.random() > self.fill:
            return default(f)
        if f.nullable and self.rng.random() < 0.1:
            return None
        return self.scalar(f)

    def struct(self, struct: Struct) -> Any:
        values = {f.name: self.value(f) for f in struct.fields if f.name != "perLegPrice"}
        if struct.name == "OrderCondition":
            values = self.condition(values)
        return structs.CLASSES[struct.name](**values)

    def condition(self, values: dict[str, Any]) -> dict[str, Any]:
        kind = self.rng.choice(CHOICES["condType"])
        parts: dict[int, dict[str, Any]] = {
            1: {"isMore": True, "price": 187.5, "conId": 7, "exchange": "SMART", "triggerMethod": 2},
            3: {"isMore": False, "time": "20261121-10:00:00"},
            4: {"isMore": True, "percent": 30.0},
            5: {"secType": "STK", "exchange": "NYSE", "symbol": "IBM"},
            6: {"isMore": True, "volume": 1200, "conId": 9, "exchange": "SMART"},
            7: {"isMore": False, "changePercent": 1.25, "conId": 9, "exchange": "SMART"},
        }
        return {"condType": kind, "isConjunctionConnection": values["isConjunctionConnection"], **parts[kind]}

    def message(self, row: Row) -> Any:
        module = incoming if row.direction.value == "incoming" else outgoing
        message = module.CLASSES[row.cls_name](**{f.name: self.value(f) for f in row.fields})
        if row.name == "tickByTick":
            message.tickType = self.rng.choice((1, 2, 3, 4))
            message.last = self.struct(_type(row, "last")) if message.tickType in (1, 2) else None
            message.bidAsk = self.struct(_type(row, "bidAsk")) if message.tickType == 3 else None
            message.midPoint = self.struct(_type(row, "midPoint")) if message.tickType == 4 else None
        if hasattr(message, "order") and getattr(message, "contract", None) is not None:
            message.contract.comboLegs = message.contract.comboLegs[: len(message.order.orderComboLegs)]
            message.order.orderComboLegs = message.order.orderComboLegs[: len(message.contract.comboLegs)]
            if row.direction is Direction.OUTGOING and self.rng.random() < 0.3:  # a leg without a price of its own
                message.order.orderComboLegs = message.order.orderComboLegs[:-1]
        return message


def _type(row: Row, name: str) -> Struct:
    struct = row[name].type
    assert isinstance(struct, Struct)
    return struct


def default(f: Field) -> Any:
    """The typed default of a scalar field."""
    if f.default is not MISSING:
        return f.default
    if f.nullable:
        return None
    assert isinstance(f.type, Kind)
    return {Kind.STR: "", Kind.BOOL: False, Kind.F64: 0.0, Kind.DEC: Decimal(0)}.get(f.type, 0)


def clear_unsupported(row: Row, message: Any, server_version: int, dialect: Dialect) -> None:
    """Put what this server version cannot carry back to its default, so that sending it is legal."""
    plan = text_plan(row, server_version) if dialect is Dialect.TEXT else proto_plan(row, server_version)
    for check in plan.checks:
        set_path(message, check.name, [] if check.default == () else check.default)
    for op in plan.text:  # a whole number on the wire
        reg = plan.shape.regs[op.reg]
        if op.code is OpCode.INT and reg.kind is Kind.DEC:
            set_path(message, reg.path, Decimal(100))


def set_path(obj: Any, path: str, value: Any) -> None:
    """Set ``a.b.c`` of a message; nothing happens where ``a`` or ``b`` is None."""
    *owners, last = path.split(".")
    for part in owners:
        obj = getattr(obj, part)
        if obj is None:
            return
    setattr(obj, last, value)
