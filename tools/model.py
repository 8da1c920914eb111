"""Check the lock-free protocols of ibwire, state by state.

    model.py                     litmus tests, every protocol under both memories, every seeded bug
    model.py CASE ...            these protocols only; --list names them
    model.py --mutants [CASE ...]  the seeded bugs only; one that is not found is an error
    model.py --bug NAME CASE     the shortest interleaving in which that bug shows

Exit code 1 on any surprise. model_checker/ has the checker and the protocols; docs/ring/model.md explains them.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tools.model_checker.cases import CASES, MUTANTS, TOO_LARGE
from tools.model_checker.litmus import LITMUS, allowed
from tools.model_checker.memories import MEMORIES
from tools.model_checker.search import Result, explore


def check_litmus() -> int:
    wrong = 0
    for case in LITMUS:
        for mode, right in (("tso", case.tso), ("relaxed", case.relaxed)):
            if allowed(case, mode) != right:
                wrong += 1
                print(f"litmus  {mode:<8} {case.name}: {'forbidden' if right else 'allowed'}, and must not be")
    print(f"litmus  {len(LITMUS)} programs under {len(MEMORIES)} memories: {wrong} wrong")
    return wrong


def check_cases(names: list[str], modes: list[str]) -> int:
    wrong = total = 0
    for name in names:
        for mode in modes:
            if (name, mode) in TOO_LARGE:
                continue
            result = explore(CASES[name](), mode)
            total += result.states
            print(f"{name:<15} {mode:<8} {result.states:>8} states  {result.broken or 'holds'}", flush=True)
            wrong += bool(result.broken)
            show(result)
    print(f"protocols: {total} states, {wrong} broken")
    return wrong


def check_mutants(names: list[str], modes: list[str]) -> int:
    wrong = count = 0
    for mutant in MUTANTS:
        if mutant.case not in names:
            continue
        for mode in modes:
            if (mutant.case, mode) in TOO_LARGE:
                continue
            result = explore(CASES[mutant.case](mutant.bug), mode)
            expected = mode in mutant.found_by
            count += 1
            word = f"found in {len(result.trace)} steps" if result.broken else "not found"
            if bool(result.broken) != expected:
                wrong += 1
                word += ", AND SHOULD BE" if expected else ", AND SHOULD NOT BE"
            print(f"{mutant.case:<15} {mode:<8} {result.states:>8} states  {mutant.bug}: {word}", flush=True)
    print(f"seeded bugs: {count} explorations, {wrong} surprises")
    return wrong


def show(result: Result) -> None:
    for step in result.trace:
        print(f"    {step}")


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Check the lock-free protocols of ibwire, state by state.")
    parser.add_argument("case", nargs="*", help="protocols; all of them where none is named")
    parser.add_argument("--mutants", action="store_true", help="the seeded bugs only")
    parser.add_argument("--bug", default="", help="show the shortest interleaving in which this bug shows")
    parser.add_argument("--mode", choices=sorted(MEMORIES), help="one memory only")
    parser.add_argument("--list", action="store_true", help="name the protocols and the seeded bugs")
    chosen = parser.parse_args(argv)
    names = chosen.case or list(CASES)
    modes = [chosen.mode] if chosen.mode else list(MEMORIES)
    for name in names:
        if name not in CASES:
            parser.error(f"no protocol {name!r}; there are {', '.join(CASES)}")
    if chosen.list:
        for name in names:
            print(name)
            for mutant in MUTANTS:
                if mutant.case == name:
                    print(f"    {mutant.bug}   ({', '.join(mutant.found_by)})")
        return 0
    if chosen.bug:
        if not any(mutant.bug == chosen.bug and mutant.case in names for mutant in MUTANTS):
            parser.error(f"no bug {chosen.bug!r} in {', '.join(names)}; --list names them")
        for name in names:
            for mode in modes:
                result = explore(CASES[name](chosen.bug), mode)
                print(f"{name}, {mode}: {result.broken or 'holds'} ({result.states} states)")
                show(result)
        return 0
    if chosen.mutants:
        return int(check_mutants(names, modes) > 0)
    wrong = check_litmus() if not chosen.case else 0
    wrong += check_cases(names, modes)
    wrong += check_mutants(names, modes)
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
