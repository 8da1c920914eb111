"""Orders and risk: pure, no sockets, no clocks; time comes in as ``now_ns``."""
