"""What a rule's `when` asks of a request or a message, and whether it is so. Also fields by dotted path."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from ibwire.sim.client import ClientSession

if TYPE_CHECKING:
    from ibwire.sim.gateway import Gateway

MISSING: Any = object()
_ORDER_FIELDS = {
    "action": "action",
    "type": "orderType",
    "tif": "tif",
    "quantity": "totalQuantity",
    "what_if": "whatIf",
}
_COMPARED = ("symbol", "sec_type", "order_id", "status", "code", "child", *_ORDER_FIELDS)


def deep_get(value: Any, path: str) -> Any:
    """Return a field by its dotted path, MISSING when there is none."""
    for name in path.split("."):
        value = getattr(value, name, MISSING)
        if value is MISSING:
            return MISSING
    return value


def deep_set(value: Any, path: str, new: Any) -> None:
    """Set a field by its dotted path, as the kind that it has; raises AttributeError when there is none."""
    *way, last = path.split(".")
    for name in way:
        value = getattr(value, name)
    old = getattr(value, last)
    if isinstance(old, Decimal) and not isinstance(new, Decimal):
        new = Decimal(str(new))
    elif isinstance(old, float) and isinstance(new, int):
        new = float(new)
    setattr(value, last, new)


def same(wanted: Any, found: Any) -> bool:
    """True when a value is the wanted one, or one of several; numbers by value whatever their kind."""
    if isinstance(wanted, list | tuple):
        return any(same(one, found) for one in wanted)
    if isinstance(wanted, bool) or isinstance(found, bool):
        return wanted is found
    if isinstance(wanted, int | float) and isinstance(found, int | float | Decimal):
        return Decimal(str(wanted)) == Decimal(str(found))
    return bool(wanted == found)


@dataclass(slots=True)
class Facts:
    """Compares occasions with one `when`."""

    when: dict[str, Any]

    def fits_client(self, session: ClientSession) -> bool:
        """True when the client is one of those meant."""
        return "client" not in self.when or same(self.when["client"], session.clientId)

    def fits_request(self, gateway: Gateway, session: ClientSession, name: str, message: Any) -> bool:
        """True when a request is meant."""
        if not same(self.when["request"], name) or not self.fits_client(session):
            return False
        if "modify" in self.when:
            order = gateway.engine.orders.get((session.clientId or 0, getattr(message, "orderId", 0)))
            if self.when["modify"] != (order is not None and not order.held):
                return False
        return self._fits(gateway, session, message)

    def fits_message(self, gateway: Gateway, session: ClientSession, message: Any) -> bool:
        """True when a message on its way to a client is meant."""
        name = type(message).__dict__.get("NAME", "")
        return (
            same(self.when["message"], name) and self.fits_client(session) and self._fits(gateway, session, message)
        )

    def _fits(self, gateway: Gateway, session: ClientSession, message: Any) -> bool:
        when = self.when
        for key in _COMPARED:
            if key in when and not same(when[key], self._fact(gateway, session, message, key)):
                return False
        return all(same(value, deep_get(message, path)) for path, value in when.get("field", {}).items())

    def _fact(self, gateway: Gateway, session: ClientSession, message: Any, key: str) -> Any:
        """A fact about the message itself, or about the order that it is about."""
        if key == "code":
            return getattr(message, "errorCode", MISSING)
        if key == "order_id":
            return order_id_of(message)
        if key == "status":
            found = getattr(message, "status", MISSING)
            return deep_get(message, "orderState.status") if found is MISSING else found
        contract, order = getattr(message, "contract", None), getattr(message, "order", None)
        if contract is None or order is None:
            working = gateway.engine.orders.get((session.clientId or 0, order_id_of(message)))
            tag = None if working is None else working.request.tag
            contract = contract or getattr(tag, "contract", None)
            order = order or getattr(tag, "order", None)
        if key in ("symbol", "sec_type"):
            return getattr(contract, "symbol" if key == "symbol" else "secType", MISSING)
        if key == "child":
            return MISSING if order is None else bool(order.parentId)
        return getattr(order, _ORDER_FIELDS[key], MISSING)


def order_id_of(message: Any) -> Any:
    """The id of the order that a message is about, MISSING when it is about none."""
    found = getattr(message, "orderId", MISSING)
    if found is MISSING:
        found = deep_get(message, "execution.orderId")
    if found is MISSING and type(message).__name__ == "Error" and message.id > 0:
        found = message.id
    return found
