"""On which line of a TOML text each key stands; the standard parser does not tell.

For texts that `tomllib` has accepted: nothing is checked here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

Path = tuple[str | int, ...]
_TOKEN = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}|'  # strings over several lines
    r"'''[\s\S]*?'{3,5}|"
    r'"(?:\\.|[^"\\\n])*"|'
    r"'[^'\n]*'|"
    r"\#[^\n]*|"
    r"\n|[ \t\r]+|"
    r"[\[\]{},=.]|"
    r"[^\s\[\]{},=.\"'#]+",
    re.DOTALL,
)


def _tokens(text: str) -> Iterator[tuple[str, int]]:
    line = 1
    for match in _TOKEN.finditer(text):
        token = match[0]
        if token == "\n" or not (token[0] in " \t\r" or token[0] == "#"):
            yield token, line
        line += token.count("\n")


class _Scanner:
    def __init__(self, text: str) -> None:
        self.tokens = list(_tokens(text))
        self.at = 0
        self.found: dict[Path, int] = {}
        self.counts: dict[Path, int] = {}  # arrays of tables -> how many so far

    def peek(self) -> str:
        return self.tokens[self.at][0] if self.at < len(self.tokens) else ""

    def next(self) -> tuple[str, int]:
        self.at += 1
        return self.tokens[self.at - 1]

    def key(self, stop: str) -> tuple[Path, int]:
        """Read a (dotted) key up to and with `stop`."""
        names: list[str] = []
        line = 0
        while self.at < len(self.tokens):
            token, here = self.next()
            line = line or here
            if token == stop:
                break
            if token != ".":
                names.append(token.strip("\"'") if token[0] in "\"'" else token)
        return tuple(names), line

    def resolve(self, names: Path) -> Path:
        """The path of a header's names, inside the last element of every array of tables on the way."""
        path: Path = ()
        for name in names:
            path = (*path, name)
            if path in self.counts:
                path = (*path, self.counts[path] - 1)
        return path

    def document(self) -> dict[Path, int]:
        base: Path = ()
        while self.at < len(self.tokens):
            token = self.peek()
            if token == "\n":
                self.next()
            elif token == "[":
                base = self.header()
            else:
                self.pair(base)
        return self.found

    def header(self) -> Path:
        self.next()
        several = self.peek() == "["
        if several:
            self.next()
        names, line = self.key("]")
        if several:
            self.next()
            place = (*self.resolve(names[:-1]), names[-1])
            number = self.counts.get(place, 0)
            self.counts[place] = number + 1
            base: Path = (*place, number)
        else:
            base = self.resolve(names)
        for end in range(1, len(base) + 1):
            self.found.setdefault(base[:end], line)
        return base

    def pair(self, base: Path) -> None:
        names, line = self.key("=")
        path = base
        for name in names:
            path = (*path, name)
            self.found.setdefault(path, line)
        self.value(path)

    def value(self, path: Path) -> None:
        """Pass over a value, noting the keys inside."""
        if self.at >= len(self.tokens):
            return
        token, _ = self.next()
        if token == "{":
            while self.at < len(self.tokens) and self.peek() != "}":
                if self.peek() in (",", "\n"):
                    self.next()
                else:
                    self.pair(path)
            self.at += 1
        elif token == "[":
            number = 0
            while self.at < len(self.tokens) and self.peek() != "]":
                if self.peek() in (",", "\n"):
                    self.next()
                else:
                    self.found.setdefault((*path, number), self.tokens[self.at][1])
                    self.value((*path, number))
                    number += 1
            self.at += 1
        else:
            while self.peek() not in ("", ",", "}", "]", "\n"):  # 1.5 and dates are several tokens
                self.next()


def lines_of(text: str) -> dict[Path, int]:
    """Return path -> line (from 1) of every key, table and array element."""
    return _Scanner(text).document()
