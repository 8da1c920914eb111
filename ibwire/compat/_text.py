"""The ends of string forms that depend on lists inside an object."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ibwire.compat._enums import OptionExerciseType
from ibwire.compat.utils import getEnumTypeName

if TYPE_CHECKING:
    from ibwire.compat._objects import Contract, Execution, Order, OrderState


def combo_tail(contract: Contract) -> str:
    """Each leg and the delta-neutral contract, after a semicolon."""
    parts: list[object] = list(contract.comboLegs or ())
    if contract.deltaNeutralContract:
        parts.append(contract.deltaNeutralContract)
    return "".join(f";{part}" for part in parts)


def order_tail(order: Order) -> str:
    """Leg prices and conditions of an order."""
    out = ""
    if order.orderComboLegs:
        out += " CMB(" + "".join(f"{leg}," for leg in order.orderComboLegs) + ")"
    if order.conditions:
        out += " COND(" + "".join(f"{condition}," for condition in order.conditions) + ")"
    return out


def allocations_tail(state: OrderState) -> str:
    """The allocations of an advisor order."""
    if not state.orderAllocations:
        return ""
    return " OrderAllocations(" + "".join(f"{allocation}; " for allocation in state.orderAllocations) + ")"


def exercise_name(execution: Execution) -> str:
    """The name of how an option position ended."""
    return getEnumTypeName(OptionExerciseType, execution.optExerciseOrLapseType)
