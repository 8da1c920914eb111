"""Rows of the messages that a gateway sends, one file per domain."""
