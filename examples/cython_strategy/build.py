"""Build the strategy: ``python build.py [FOLDER]`` makes ``crossings`` importable from FOLDER (default: here).

Needs Cython, setuptools and a C compiler; ibwire brings its own headers.
"""

from __future__ import annotations

import sys
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

import ibwire

HERE = Path(__file__).resolve().parent


def main(folder: str) -> None:
    package = Path(ibwire.__file__).resolve().parent
    extension = Extension("crossings", [str(HERE / "crossings.pyx")], include_dirs=[str(package)])
    made = cythonize([extension], build_dir=f"{folder}/build", include_path=[str(package.parent)])
    arguments = ["--quiet", "build_ext", "--build-lib", folder, "--build-temp", f"{folder}/build"]
    setup(name="crossings", ext_modules=made, script_args=arguments)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else str(HERE))
