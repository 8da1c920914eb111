"""The simulated gateway's world: seeded, deterministic, with a clock that only moves when it is told to.

Reading order: `rng` (numbers that are the same on every machine), `clock` (virtual time), `reference`, `instruments`
and `universe` (what can be traded), `market` (quotes), `orders` (what goes into matching and what comes out), `checks`
(what is refused and with which code), `matching` and `workbench` (an order's life, from `working`, `book`, `triggers`,
`groups`, `opening` and `executions`), `forcing` (what a scenario can make happen), `account` (cash, positions, profit
and loss); then the gateway around it: `gateway` (clients, and who answers what), `client` (one client's session),
`on_market`, `on_contracts`, `on_orders` and `on_account` (the answers), `refusals` (what has none yet), `replies` (from
the world to messages). What happens on purpose: `vocabulary` (the words of a scenario), `scenario` (reading one),
`director` (obeying it, with `facts`, `acts` and `pacing`), `faults` (what happens to bytes). Around it all `peer` (one
client's bytes, no socket), and either `direct` (clients without sockets) or `server` (a loopback socket). Apart from it
stand `replay` (captured sessions, served again) and `firehose` (load).

Nothing here but `server` reads a wall clock, opens a socket or starts a thread; nothing at all imports the client's own
session and order code: the simulator must not share the client's opinions.
"""
