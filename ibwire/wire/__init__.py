"""How bytes become values and values become bytes, sans-IO: framing, plans, the two dialects, the codec."""
