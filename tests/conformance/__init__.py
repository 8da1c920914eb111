"""Conformance: our bytes and callbacks judged by the official Python packages."""
