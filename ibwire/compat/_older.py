"""Requests as older releases wrote them: fewer arguments, or other kinds of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from ibwire.compat._objects import Contract, OrderCancel
from ibwire.compat._requests import Requests

_F = TypeVar("_F", bound=Callable[..., Any])


def same_signature(official: Callable[..., Any]) -> Callable[[_F], _F]:
    """Show a method with the signature of the newest release; it takes what the older ones took, too."""

    def mark(method: _F) -> _F:
        method.__wrapped__ = official  # type: ignore[attr-defined]
        return method

    return mark


class OlderRequests(Requests):
    """The requests whose arguments changed between releases."""

    @same_signature(Requests.cancelOrder)
    def cancelOrder(
        self,
        orderId: int,
        orderCancel: OrderCancel | str | None = None,
        *,
        manualCancelOrderTime: str = "",
        manualOrderCancelTime: str = "",
    ) -> None:
        """Cancel an order.

        Parameters
        ----------
        orderId : the id under which it was placed.
        orderCancel : how; before 10.30 the manual time of the cancel as text, before 10.19 nothing.
        manualCancelOrderTime, manualOrderCancelTime : that text by name.
        """
        time = manualCancelOrderTime or manualOrderCancelTime
        if isinstance(orderCancel, str) or (orderCancel is None and time):
            made = OrderCancel()
            made.manualOrderCancelTime = orderCancel or time
            orderCancel = made
        self._ibwire_send("cancelOrder", orderId, orderCancel)

    @same_signature(Requests.reqGlobalCancel)
    def reqGlobalCancel(self, orderCancel: OrderCancel | None = None) -> None:
        """Cancel all open orders; ``orderCancel`` says how, and was not there before 10.37."""
        self._ibwire_send("reqGlobalCancel", orderCancel)

    @same_signature(Requests.exerciseOptions)
    def exerciseOptions(
        self,
        reqId: int,
        contract: Contract,
        exerciseAction: int,
        exerciseQuantity: int,
        account: str,
        override: int,
        manualOrderTime: str = "",
        customerAccount: str = "",
        professionalCustomer: bool = False,
    ) -> None:
        """Exercise options or let them lapse; the last three arguments were not there before 10.30."""
        values = (reqId, contract, exerciseAction, exerciseQuantity, account, override)
        self._ibwire_send("exerciseOptions", *values, manualOrderTime, customerAccount, professionalCustomer)

    @same_signature(Requests.reqWshEventData)
    def reqWshEventData(self, reqId: int, wshEventData: Any, _unused: object = None, **_named: object) -> None:
        """Ask the event calendar; 10.30 had a third argument by mistake, which means nothing."""
        self._ibwire_send("reqWshEventData", reqId, wshEventData)
