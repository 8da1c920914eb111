"""Where what must survive the program is kept: journal, ids, kill file. Never the working directory."""

from __future__ import annotations

import os
from pathlib import Path

from ibwire.errors import ConfigError

__all__ = ["GIVEN_UP", "default_state_dir", "make_state_dir"]

GIVEN_UP = (
    "without a state_dir nothing survives this program: after a crash nobody can tell from here which orders were"
    " sent, and order ids start from what the gateway names"
)
"""What ``state_dir=None`` gives up, in words."""


def default_state_dir(host: str, port: int, client_id: int) -> Path:
    """``ibwire/HOST-PORT-ID`` below ``$XDG_STATE_HOME``, by default ``~/.local/state``."""
    base = os.environ.get("XDG_STATE_HOME", "")
    # The XDG specification: a relative path there counts as none.
    root = Path(base) if base and Path(base).is_absolute() else Path.home() / ".local" / "state"
    name = "".join(c if c.isalnum() or c in "._-" else "_" for c in host)
    return root / "ibwire" / f"{name}-{port}-{client_id}"


def make_state_dir(path: str | os.PathLike[str]) -> Path:
    """The directory, made where it is missing, for this user alone.

    Raises
    ------
    ConfigError : the path is relative, or the directory cannot be made or written.
    """
    found = Path(path).expanduser()
    if not found.is_absolute():
        problem = f"state_dir {str(path)!r} is relative: what it holds must not depend on the working directory"
        raise ConfigError(problem, hint="give a path that begins with / or ~, or None to keep it in memory")
    try:
        found.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"state_dir {found} cannot be made: {error.strerror}", hint="choose another") from error
    if not os.access(found, os.R_OK | os.W_OK | os.X_OK):
        raise ConfigError(f"state_dir {found} cannot be written", hint="choose another state_dir")
    return found
