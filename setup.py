"""The extension modules; everything else stands in pyproject.toml.

Every ``ibwire/*.pyx`` is one module. Generated C goes to ``build/cython``, never beside the sources.

IBWIRE_SANITIZE=1       AddressSanitizer and UndefinedBehaviorSanitizer (``make fuzz``, in a directory of its own)
IBWIRE_SANITIZE=thread  ThreadSanitizer
"""

from __future__ import annotations

import os
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

PACKAGE = "ibwire"
HERE = Path(__file__).resolve().parent
JOBS = os.cpu_count() or 1

DIRECTIVES = {
    "language_level": 3,
    "boundscheck": False,
    "wraparound": False,
    "initializedcheck": False,
    "cdivision": True,
    "embedsignature": True,
}
# -ffp-contract=off: a fused multiply-add would round numbers differently on some processors.
OPTIMISE = ["-O3", "-fno-semantic-interposition", "-ffp-contract=off"]
SANITIZERS = {"1": "address,undefined", "thread": "thread"}


def flags() -> tuple[list[str], list[str]]:
    """Compiler and linker flags for the build that the environment asks for."""
    wanted = os.environ.get("IBWIRE_SANITIZE", "")
    if wanted in ("", "0"):
        return OPTIMISE, []
    if wanted not in SANITIZERS:
        raise SystemExit(f"IBWIRE_SANITIZE is {wanted!r}; it may be 1 (address, undefined behaviour) or thread")
    sanitize = f"-fsanitize={SANITIZERS[wanted]}"
    # -UNDEBUG: assertions in the C parts count in this build.
    compile_args = ["-O1", "-g", "-UNDEBUG", "-fno-omit-frame-pointer", "-ffp-contract=off", sanitize]
    return [*compile_args, "-fno-sanitize-recover=all"], [sanitize]


def extensions() -> list[Extension]:
    """One extension for each .pyx that lies directly in the package."""
    compile_args, link_args = flags()
    headers = [path.relative_to(HERE).as_posix() for path in sorted((HERE / PACKAGE).glob("*.h"))]
    return [
        Extension(
            f"{PACKAGE}.{source.stem}",
            sources=[source.relative_to(HERE).as_posix()],
            depends=headers,
            include_dirs=[PACKAGE],
            extra_compile_args=compile_args,
            extra_link_args=link_args,
        )
        for source in sorted((HERE / PACKAGE).glob("*.pyx"))
    ]


class CythonBuildExt(build_ext):
    """build_ext that translates at build time only, so that metadata and sdist need no Cython run."""

    def build_extensions(self) -> None:
        from Cython.Build import cythonize

        translated = cythonize(
            [Extension(ext.name, sources=list(ext.sources)) for ext in self.extensions],
            build_dir=os.path.join("build", "cython"),
            nthreads=JOBS if JOBS > 1 and len(self.extensions) > 1 else 0,
            compiler_directives=DIRECTIVES,
            force=bool(self.force),
        )
        c_sources = {ext.name: ext.sources for ext in translated}
        for ext in self.extensions:
            ext.depends = [*ext.depends, *ext.sources]
            ext.sources = c_sources[ext.name]
        super().build_extensions()


if __name__ == "__main__":  # Cython's worker processes may import this file
    setup(
        ext_modules=extensions(),
        cmdclass={"build_ext": CythonBuildExt},
        options={"build_ext": {"parallel": JOBS}},
    )
