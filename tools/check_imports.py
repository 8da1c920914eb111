"""Hold the layers: imports go downward only.

    check_imports.py [ROOT]      exit code 1 and one line for each import that breaks a rule

Every import statement of every module in ``ibwire/`` counts: at the top, inside functions, under TYPE_CHECKING, and
``import_module("...")`` with a constant name. Sources are parsed, never run. The tables below are the rules; a new
package needs a line in LAYERS.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PACKAGE = "ibwire"

# Bottom first. A module may import what stands in a lower row, its own package, and what SIDEWAYS names.
LAYERS: tuple[tuple[str, ...], ...] = (
    ("errors", "spec"),
    ("types", "config"),
    ("_fastdecode", "_ring", "_reader", "_tracker", "_dispatch", "_journal", "_records", "_quotes", "_flat"),
    ("wire", "ring"),
    ("session", "trade", "sim"),
    ("io",),
    ("client", "compat", "aio", "services"),
    ("cli", "sim.server", "testing", "console"),
    ("", "__main__"),  # "" is ibwire/__init__.py, the public names
)
# Imports within a row that have a reason.
SIDEWAYS: frozenset[tuple[str, str]] = frozenset(
    {
        ("spec", "errors"),
        ("ring", "wire"),
        ("aio", "client"),
        ("services", "client"),
        ("compat", "client"),
        ("cli", "sim.server"),
        ("cli", "testing"),
        ("cli", "console"),
        ("cli", ""),  # the version and the public names
        ("testing", "sim.server"),
        ("testing", ""),
    }
)
# Imports that would go downward and are wrong all the same: {importer: {imported: why}}.
FORBIDDEN: dict[str, dict[str, str]] = {
    "session": {"wire": "the session is pure: it does not know the wire's bytes"},
    "trade": {"wire": "orders and risk are pure: they do not know the wire's bytes"},
}
COMPILED = frozenset(LAYERS[2])

# Standard modules that touch the world, and who may import them.
WORLD_MODULES = (
    *("socket", "_socket", "socketserver", "ssl", "select", "selectors"),
    *("threading", "_thread", "concurrent", "multiprocessing"),
    *("time", "random", "secrets"),
)
WORLD: dict[str, tuple[str, ...]] = dict.fromkeys(WORLD_MODULES, ("io", "sim.server", "cli", "testing"))
WORLD["asyncio"] = ("aio", "io", "sim.server", "cli", "testing")
# What is not in the standard library, and who may import it.
THIRD_PARTY: dict[str, tuple[str, ...]] = {
    "google": ("compat",),
    "numpy": ("ring",),
    "pytest": ("testing",),
}
# What Cython itself provides to cimport.
CYTHON = frozenset({"cython", "libc", "libcpp", "cpython", "posix"})


@dataclass(frozen=True, slots=True)
class Import:
    """One imported name: where it stands and what it means, as an absolute dotted name."""

    line: int
    name: str


@dataclass(frozen=True, slots=True)
class Violation:
    """One import that breaks a rule."""

    path: Path
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}"


# ---------------------------------------------------------------------------------------------- what a file imports


def absolute(module: str | None, level: int, package: str) -> str:
    """The absolute name of what ``from <level dots><module>`` names inside ``package``."""
    if level == 0:
        return module or ""
    parts = package.split(".")
    base = parts[: len(parts) - (level - 1)]
    return ".".join([*base, module] if module else base)


def from_import(line: int, base: str, names: list[str], root: Path) -> Iterator[Import]:
    """``from base import names``: a name that is a module of ours counts as that module."""
    for name in names:
        is_module = base.split(".")[0] == PACKAGE and exists(root, f"{base}.{name}")
        yield Import(line, f"{base}.{name}" if is_module else base)


def exists(root: Path, module: str) -> bool:
    path = root.joinpath(*module.split("."))
    return path.is_dir() or any(path.with_suffix(suffix).is_file() for suffix in (".py", ".pyx"))


def python_imports(source: str, package: str, root: Path) -> Iterator[Import]:
    """Imports of a Python module whose relative imports start at ``package``."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(node.lineno, alias.name)
        elif isinstance(node, ast.ImportFrom):
            base = absolute(node.module, node.level, package)
            yield from from_import(node.lineno, base, [alias.name for alias in node.names], root)
        elif isinstance(node, ast.Call) and (name := dynamic_import(node)):
            yield Import(node.lineno, absolute_dynamic(name, package))


def dynamic_import(node: ast.Call) -> str:
    """The constant name in ``import_module("x")`` or ``__import__("x")``, or an empty text."""
    function = node.func
    called = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    if called not in ("import_module", "__import__") or not node.args:
        return ""
    first = node.args[0]
    return first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else ""


def absolute_dynamic(name: str, package: str) -> str:
    rest = name.lstrip(".")
    return absolute(rest or None, len(name) - len(rest), package)


CYTHON_FROM = re.compile(r"^\s*from\s+(\.*)([\w.]*)\s+c?import\s+(\([^)]*\)|(?:[^\n#;\\]|\\\n)+)", re.MULTILINE)
CYTHON_IMPORT = re.compile(r"^\s*c?import\s+([\w., \t]+)", re.MULTILINE)
CYTHON_TEXTS = re.compile(r'"""[\s\S]*?"""|\'\'\'[\s\S]*?\'\'\'')


def cython_imports(source: str, package: str, root: Path) -> Iterator[Import]:
    """Imports and cimports of a Cython file; there is no parser for it in the standard library."""
    # Docstrings may hold example imports; their line breaks stay, so that line numbers do.
    source = CYTHON_TEXTS.sub(lambda match: "\n" * match.group().count("\n"), source)

    def line_of(match: re.Match[str]) -> int:
        start = match.start() + len(match.group()) - len(match.group().lstrip())
        return source.count("\n", 0, start) + 1

    for match in CYTHON_FROM.finditer(source):
        dots, module, names = match.groups()
        listed = re.sub(r"#[^\n]*|\\\n", "", names.strip("()"))
        wanted = [part.split()[0] for part in listed.split(",") if part.strip()]
        base = absolute(module or None, len(dots), package)
        yield from from_import(line_of(match), base, wanted, root)
    for match in CYTHON_IMPORT.finditer(source):
        for part in match.group(1).split(","):
            if part.strip():
                yield Import(line_of(match), part.split()[0])


# ---------------------------------------------------------------------------------------------- rules


def unit_of(module: str) -> str | None:
    """The row entry that a module of ours belongs to: the longest that fits; None if no row names it."""
    inside = module.removeprefix(PACKAGE).lstrip(".")
    parts = inside.split(".")
    for length in range(len(parts), 0, -1):
        candidate = ".".join(parts[:length])
        if any(candidate in row for row in LAYERS):
            return candidate
    return None


def layer_of(unit: str) -> int:
    return next(number for number, row in enumerate(LAYERS) if unit in row)


def judge(unit: str, imported: str) -> str:
    """What is wrong with ``unit`` importing the absolute name ``imported``; an empty text if nothing is."""
    top = imported.split(".")[0]
    if top == PACKAGE:
        return judge_own(unit, imported)
    if top in THIRD_PARTY or top not in sys.stdlib_module_names | CYTHON:
        allowed = THIRD_PARTY.get(top, ())
        if unit in allowed:
            return ""
        where = f"only {', '.join(allowed)} may" if allowed else "ibwire depends on numpy alone"
        return f"{unit or PACKAGE} imports {top}: {where}"
    if top in WORLD and unit not in WORLD[top]:
        return f"{unit or PACKAGE} imports {top}: only {', '.join(WORLD[top])} may"
    return ""


def judge_own(unit: str, imported: str) -> str:
    """The rule for imports within the package."""
    target = unit_of(imported)
    if target is None:
        return f"{unit or PACKAGE} imports {imported}, which has no layer: give it one in tools/check_imports.py"
    if target == unit:
        return ""
    if unit in COMPILED:
        return "" if target in COMPILED else f"{unit} imports {imported}: compiled modules import only each other"
    if why := FORBIDDEN.get(unit, {}).get(target):
        return f"{unit} imports {imported}: {why}"
    if layer_of(target) < layer_of(unit) or (unit, target) in SIDEWAYS or unit == "__main__":
        return ""
    direction = "sideways" if layer_of(target) == layer_of(unit) else "upward"
    return f"{unit or PACKAGE} imports {imported}: {direction}; imports go downward only"


def check_file(path: Path, root: Path) -> list[Violation]:
    """Violations of one source file below ``root``."""
    relative = path.relative_to(root)
    parts = list(relative.with_suffix("").parts)
    if path.suffix == ".pxi":  # a part of the module whose name begins its own
        parts[-1] = next((name for name in COMPILED if parts[-1].startswith(f"{name}_")), parts[-1])
    is_package = parts[-1] == "__init__"
    module = ".".join(parts[:-1] if is_package else parts)
    package = module if is_package else ".".join(parts[:-1])
    unit = unit_of(module)
    if unit is None:
        return [Violation(relative, 1, f"{module} has no layer: give it one in tools/check_imports.py")]
    source = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        imports = python_imports(source, package, root)
    else:
        imports = cython_imports(source, package, root)
    try:
        found = {(item.line, message) for item in imports if (message := judge(unit, item.name))}
    except SyntaxError as error:
        return [Violation(relative, error.lineno or 1, f"does not parse: {error.msg}")]
    return [Violation(relative, line, message) for line, message in sorted(found)]


def sources(root: Path) -> list[Path]:
    """Files with rules: modules and Cython sources. Stubs (.pyi) import nothing when the program runs."""
    return sorted(path for suffix in ("*.py", "*.pyx", "*.pxd", "*.pxi") for path in (root / PACKAGE).rglob(suffix))


def check(root: Path) -> list[Violation]:
    """All violations in ``root/ibwire``, in the order of files and lines."""
    return [violation for path in sources(root) for violation in check_file(path, root)]


def main(argv: list[str]) -> int:
    root = Path(argv[0]) if argv else Path(__file__).resolve().parent.parent
    files = sources(root)
    if not files:
        print(f"no sources in {root / PACKAGE}", file=sys.stderr)
        return 2
    violations = check(root)
    for violation in violations:
        print(violation)
    print(f"imports: {len(files)} files, " + (f"{len(violations)} rules broken" if violations else "every layer holds"))
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
