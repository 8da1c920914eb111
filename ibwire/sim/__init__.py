"""The simulated gateway's world: seeded, deterministic, with a clock that only moves when it is told to.

Reading order: `rng` (numbers that are the same on every machine), `clock` (virtual time), `reference`, `instruments`
and `universe` (what can be traded), `market` (quotes), `orders` (what goes into matching and what comes out), `checks`
(what is refused and with which code), `matching` (orders against the market), `account` (cash, positions, profit and
loss).

Nothing here reads a wall clock, opens a socket, starts a thread or imports the client's own session and order code:
the simulator must not share the client's opinions.
"""
