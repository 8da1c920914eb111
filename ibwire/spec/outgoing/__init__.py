"""Rows of the messages that a client sends, one file per domain."""
