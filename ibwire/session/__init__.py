"""One connection's life, pure: handshake, session, readiness. No sockets, no clocks, no message bytes."""
