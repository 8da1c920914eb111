"""The bench's own C files, compiled when a benchmark starts and called through ctypes.

Built with plain ``-O3``, as the package's own extensions are: with ``-march=native`` a ratio would compare compilers'
flags, not programs.
"""

from __future__ import annotations

import ctypes
import os
import shlex
import subprocess
from pathlib import Path
from typing import Final

FLAGS: Final = ("-O3", "-std=gnu11", "-shared", "-fPIC", "-pthread", "-Wall", "-Wextra", "-Werror")


def compiler() -> list[str]:
    """The C compiler: environment variable CC, else ``cc``."""
    return shlex.split(os.environ.get("CC", "cc"))


def load(source: str, folder: Path, *defines: str) -> ctypes.CDLL:
    """Compile a file of this folder into a shared library in ``folder``, which must outlive the library.

    Raises
    ------
    subprocess.CalledProcessError
        The compiler failed.
    """
    here = Path(__file__).with_name(source)
    library = folder / ("_".join((here.stem, *defines)).lower() + ".so")
    flags = (*FLAGS, *(f"-D{name}" for name in defines))
    subprocess.run([*compiler(), *flags, "-o", str(library), str(here)], check=True)
    return ctypes.CDLL(str(library))
