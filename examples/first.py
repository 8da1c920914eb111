"""A first program: a quote, an order, its life, the position. Runs against the simulated gateway; needs nothing."""

import ibwire
from ibwire import limit, stock

with ibwire.connect("sim", seed=7) as ib:  # "paper" or "live": you say which
    aapl = ib.qualify(stock("AAPL"))
    for quote in ib.quotes(aapl, timeout=10):  # ends with a typed error, never silence
        if quote.ask - quote.bid <= 0.03:
            break
    order = ib.orders.place(aapl, limit("BUY", 100, quote.ask))
    order.wait("done", timeout=30)  # events, not sleep; a time-out is no verdict
    for event in order.events:
        print(f"{event.ms:10.3f} ms  {event.state:<14} {event.meaning}")
    print(ib.positions()[aapl].size)
