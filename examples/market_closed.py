"""An order placed while the market is closed: LIVE at once, and filled at the open.

A program that waits a second and takes PreSubmitted for a failure cancels an order that trades anyway, or forgets one
that lives. Here the state says what is known: the order is LIVE at the broker, and waiting is all there is to do. The
second time a governor is asked about each order before it is sent, when it is live and at every fill. It does not want
to see a market order filled at the open, and answers with an emergency cancel, whatever the program thinks: every order
of this client is cancelled, and no new one goes out until somebody releases the gate. What it asked is known, and so is
what came of it. A minute of the market takes two seconds here.
"""

import ibwire
from ibwire import RiskRejected, limit, market, stock
from ibwire.client.risk import Event
from ibwire.sim.clock import DEFAULT_START_NS  # the US stock market opens
from ibwire.sim.gateway import Gateway
from ibwire.sim.server import Server
from ibwire.trade.risk import ALLOW, Cancel, Reject

MINUTE_NS = 60_000_000_000


def story(governor=None):
    """Place a market order a minute before the open.

    Returns the order, the position that the client knows in the end, and that in the gateway's own book.
    """
    before_the_open = Gateway(seed=7, start_ns=DEFAULT_START_NS - MINUTE_NS)
    with Server(before_the_open, port=0, server_version=225, time_scale=30) as gateway:
        with ibwire.connect("paper", host=gateway.host, port=gateway.port, state_dir=None, governor=governor) as ib:
            aapl = ib.qualify(stock("AAPL"))
            order = ib.orders.place(aapl, market("BUY", 100)).wait("live", timeout=30)
            print(f"{order.wire_status}, {order.filled} filled: {order.meaning}")
            order.wait("done", timeout=60)  # events, not sleep; a time-out would be no verdict
            for event in order.events:
                print(f"    {event.ms:8.1f} ms  {event.state:<14} {event.meaning}")
            for report in ib.risk.reports:
                print(f"everything is cancelled: {report.kill.reason}")
                try:
                    ib.orders.place(aapl, limit("BUY", 100, 1.0))
                except RiskRejected as refusal:
                    print(f"refused: {refusal}")
            held = ib.positions().get(aapl)
            known = held.size if held else 0
            told = gateway.call(lambda book: book.account("").position(aapl.conId))
            print(f"{order.state.label}, position {known}, in the gateway's book {told}")
            return order, known, told


def no_market_orders_at_the_open(event, subject):
    """A governor. ``subject`` is a request before it is sent, an order when it is live and at its fills."""
    if event is Event.PRE_ORDER and subject.order.totalQuantity > 1000:
        return Reject("too much")
    if event is Event.ORDER_LIVE and subject.wire_status == "PreSubmitted" and subject.order.orderType == "MKT":
        return Cancel("a market order would be filled at the open, at any price")
    return ALLOW


if __name__ == "__main__":
    story()
    story(no_market_orders_at_the_open)
