"""An order placed while the market is closed: LIVE at once, and filled at the open.

A program that waits a second and takes PreSubmitted for a failure cancels an order that trades anyway, or forgets one
that lives. Here the state says what is known: the order is LIVE at the broker, and waiting is all there is to do. The
second time a governor looks at each order that becomes live, and cancels one that it does not want to see filled at
the open; what it asked is known, and so is what came of it. A minute of the market takes two seconds here.
"""

import ibwire
from ibwire import market, stock
from ibwire.sim.clock import DEFAULT_START_NS  # the US stock market opens
from ibwire.sim.gateway import Gateway
from ibwire.sim.server import Server

MINUTE_NS = 60_000_000_000


def story(governor=None):
    """Place a market order a minute before the open; returns the order and the position in the end."""
    before_the_open = Gateway(seed=7, start_ns=DEFAULT_START_NS - MINUTE_NS)
    with Server(before_the_open, port=0, server_version=225, time_scale=30) as gateway:
        with ibwire.connect("paper", host=gateway.host, port=gateway.port) as ib:
            aapl = ib.qualify(stock("AAPL"))
            order = ib.orders.place(aapl, market("BUY", 100)).wait("live", timeout=30)
            print(f"{order.wire_status}: {order.meaning}")
            if governor is not None:
                governor(order)
            order.wait("done", timeout=60)  # events, not sleep; a time-out would be no verdict
            for event in order.events:
                print(f"    {event.state:<14} {event.meaning}")
            held = ib.positions().get(aapl)
            position = held.size if held else 0
            print(f"{order.state.label}, position {position}")
            return order, position


def no_market_orders_at_the_open(order):
    """A governor: whatever is live and not limited is cancelled, at once and whatever the program thinks."""
    if order.is_live and order.order.orderType == "MKT":
        print("governor: cancelled")
        order.cancel()


if __name__ == "__main__":
    story()
    story(no_market_orders_at_the_open)
