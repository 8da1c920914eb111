"""Benchmarks: ibwire between its ceiling (bare C) and its peer (the official client). Run from the project root."""
