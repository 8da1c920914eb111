"""The typed front door: :func:`connect` gives a :class:`Client`.

::

    with ibwire.connect("sim") as ib:
        aapl = ib.qualify(stock("AAPL"))
        for quote in ib.quotes(aapl, timeout=10):
            ...
"""

from __future__ import annotations

from ibwire.client.account import AccountValue, Position, Positions
from ibwire.client.attached import Attached, attach
from ibwire.client.facade import Client, connect
from ibwire.client.groups import BracketHandle, FamilyHandle, GroupHandle, GroupTurn, OcaHandle
from ibwire.client.listeners import Listener, Missed, OrderChange
from ibwire.client.modifying import Modify, ModifyOutcome, ModifyPending
from ibwire.client.order_handle import OrderHandle, Turn, TurningPoint
from ibwire.client.order_now import OrderNow
from ibwire.client.orders import Orders
from ibwire.client.quotes import Quote
from ibwire.client.stream import QuoteStream

__all__ = [
    "AccountValue",
    "Attached",
    "BracketHandle",
    "Client",
    "FamilyHandle",
    "GroupHandle",
    "GroupTurn",
    "Listener",
    "Missed",
    "Modify",
    "ModifyOutcome",
    "ModifyPending",
    "OcaHandle",
    "OrderChange",
    "OrderHandle",
    "OrderNow",
    "Orders",
    "Position",
    "Positions",
    "Quote",
    "QuoteStream",
    "Turn",
    "TurningPoint",
    "attach",
    "connect",
]
