"""Chooses the interpreter once: compiled, or its plain twin with ``IBWIRE_PURE=1``. ``NAME`` says which."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from ibwire.wire import proto, text

NAME = "plain"
text_decode: Callable[..., tuple[list[Any], int]] = text.decode
proto_decode: Callable[..., tuple[list[Any], int]] = proto.decode
text_encode: Callable[..., None] = text.encode
proto_encode: Callable[..., None] = proto.encode
