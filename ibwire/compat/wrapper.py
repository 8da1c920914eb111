"""EWrapper: the callbacks. Subclass it and override what the program wants to hear."""

from __future__ import annotations

from typing import Any, Final

# Programs take these names from here too: ``from ibapi.wrapper import *``.
from ibwire.compat._objects import CommissionAndFeesReport as CommissionAndFeesReport
from ibwire.compat._objects import Contract as Contract
from ibwire.compat._objects import ContractDetails as ContractDetails
from ibwire.compat._objects import DeltaNeutralContract as DeltaNeutralContract
from ibwire.compat._objects import Execution as Execution
from ibwire.compat._objects import Order as Order
from ibwire.compat._objects import OrderState as OrderState
from ibwire.compat._proto_wrapper import TWINS, ProtoCallbacks
from ibwire.compat._wrapper import Callbacks
from ibwire.compat.common import *  # noqa: F403
from ibwire.compat.ticktype import TickType as TickType
from ibwire.compat.utils import current_fn_name as current_fn_name

_TWINS: Final = frozenset(TWINS.values())


def _error(
    self: object, reqId: int, errorTime: int, errorCode: int, errorString: str, advancedOrderRejectJson: str = ""
) -> None: ...


class EWrapper(Callbacks, ProtoCallbacks):
    """Every callback of the official class, each doing nothing until it is overridden.

    A message none of whose callbacks is overridden is not even decoded. Callbacks run on the thread that runs
    ``EClient.run``; objects that they get belong to the program, but for :class:`TickAttrib`: equal ones are one
    object, and must not be changed. The callbacks that end in ``ProtoBuf`` get the whole message before the ordinary
    ones, where it came in protobuf; to override one needs the extra ``ibwire[protobuf]``.
    """

    def error(self, reqId: int, *args: Any, **named: Any) -> None:
        """An error, warning or notice, from the gateway or from the client itself.

        Parameters
        ----------
        reqId : the request or order that it answers; -1 when it answers none.
        errorTime : epoch milliseconds; 0 where the gateway's version sends none. Not there before 10.37.
        errorCode, errorString : the code and its text.
        advancedOrderRejectJson : why an order was refused, as JSON, where the gateway says so. Not there in 9.81.

        Notes
        -----
        A program may override it with the parameters of any release. Not overridden, it logs at level ERROR, so that
        no error is lost in silence.
        """
        import logging

        names = ["errorTime", "errorCode", "errorString", "advancedOrderRejectJson"]
        older = "errorTime" not in named if len(args) < 2 else not isinstance(args[1], int)
        given: dict[str, Any] = dict.fromkeys(names, "")
        given.update(zip(names[older:], args, strict=False))
        given.update(named)
        logging.getLogger("ibwire.compat").error(
            "error %s for id %s: %s %s",
            *(given["errorCode"], reqId, given["errorString"], given["advancedOrderRejectJson"]),
        )

    error.__wrapped__ = _error  # type: ignore[attr-defined]


def overridden(wrapper: object, name: str) -> bool:
    """Whether a wrapper has a callback of its own: its class's, an instance's, or anything that is no EWrapper at all.

    The base class of an installed official package counts as a base too.
    """
    if name in getattr(wrapper, "__dict__", ()):
        return True
    for cls in type(wrapper).__mro__:
        if name in vars(cls):
            return name == "error" or not is_base(cls)
    return hasattr(wrapper, name)


def own_twins(wrapper: object) -> set[str]:
    """The callbacks that end in ``ProtoBuf`` which a wrapper defines.

    What it merely answers to (``__getattr__``) does not count: a catch-all shall not need google.protobuf.
    """
    classes = [vars(cls) for cls in type(wrapper).__mro__ if not is_base(cls)]
    return {n for names in (getattr(wrapper, "__dict__", ()), *classes) for n in names if n in _TWINS}


def is_base(cls: type) -> bool:
    """Whether a class only declares callbacks."""
    if cls in (Callbacks, ProtoCallbacks, EWrapper):
        return True
    return cls.__name__ == "EWrapper" and cls.__module__.split(".")[0] == "ibapi"
