"""Fuzz the decoders: ``make fuzz`` runs this on a build with sanitizers; without one it works too and finds less.

Targets (tests/fuzz/targets.py): ``codec`` whole messages from either side, both twins; ``chunks`` the compiled stream
decoder, cut at random; ``twins`` the compiled stream decoder against the plain one. A decoder gives a message or a
ProtocolError; anything else, an input that takes longer than 10 s, or more memory than ``--max-mb`` is a finding.

Each target runs in a process of its own, with atheris (coverage-guided) where it is installed, and otherwise with a
small fuzzer of our own that keeps an input when it leads to something new: another error, another flag. The input
that is tried stands in a file that outlives the process, so that every way to die is repeated from its bytes::

    python tools/fuzz.py --target twins --repeat crash-twins-1a2b3c4d
"""

from __future__ import annotations

import argparse
import faulthandler
import hashlib
import importlib.util
import mmap
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SECONDS_PER_INPUT = 10
FINDING = 77
"""Exit code of a target process that found something."""


class Slot:
    """The input that is being tried, in a file shared with the parent: it is there however the process ends."""

    def __init__(self, path: Path) -> None:
        from tests.fuzz.inputs import MAX_INPUT_BYTES

        size = 16 + MAX_INPUT_BYTES
        if not path.exists() or path.stat().st_size != size:
            path.write_bytes(bytes(size))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), size)

    def put(self, data: bytes, count: int) -> None:
        self._map[:16] = len(data).to_bytes(8, "little") + count.to_bytes(8, "little")
        self._map[16 : 16 + len(data)] = data

    def get(self) -> tuple[bytes, int]:
        size = int.from_bytes(self._map[:8], "little")
        return bytes(self._map[16 : 16 + size]), int.from_bytes(self._map[8:16], "little")


class Runner:
    """Runs a target on inputs, within its bounds of time and memory."""

    def __init__(self, target: str, slot: Slot | None, max_mb: int) -> None:
        from tests.fuzz.targets import TARGETS

        self._target = TARGETS[target]
        self._slot = slot
        self._max_kb = max_mb * 1024
        self.count = 0

    def __call__(self, data: bytes) -> Any:
        self.count += 1
        if self._slot is not None:
            self._slot.put(data, self.count)
        signal.setitimer(signal.ITIMER_REAL, SECONDS_PER_INPUT)  # not caught: a hang ends the process
        found = self._target(data)
        signal.setitimer(signal.ITIMER_REAL, 0)
        if resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > self._max_kb:
            raise MemoryError(f"more than {self._max_kb // 1024} MB of memory")
        return found


def corpus(target: str, seed: int) -> list[bytes]:
    """Inputs to begin with: every row alone, and some in a row."""
    from ibwire.wire.codec import Role
    from tests.fuzz.inputs import pack, seeds
    from tests.fuzz.targets import AS_GATEWAY

    rng = random.Random(seed)
    found: dict[int, list[bytes]] = {}
    for version, payload in seeds(seed, Role.CLIENT):
        found.setdefault(version, []).append(payload)
    out = [pack(v, rng.randrange(4), [p]) for v, payloads in found.items() for p in payloads]
    out += [pack(v, rng.randrange(64), rng.sample(p, min(len(p), 8))) for v, p in found.items() for _ in range(2)]
    if target == "codec":
        out += [pack(version, AS_GATEWAY, [payload]) for version, payload in seeds(seed, Role.GATEWAY)]
    return out


def own_fuzzer(run: Runner, inputs: list[bytes], seconds: float, seed: int) -> None:
    """Mutate, run, keep what led to something new."""
    from tests.fuzz.inputs import mutate

    rng = random.Random(seed)
    seen = {run(data) for data in inputs}
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        # The newest inputs are tried more often: what they led to has been looked at least.
        pool = inputs if rng.random() < 0.5 else inputs[-200:]
        data = mutate(rng.choice(pool), rng)
        found = run(data)
        if found not in seen:
            seen.add(found)
            inputs.append(data)
    print(f"  {run.count:,} inputs, {len(seen):,} different outcomes", flush=True)


def atheris_fuzzer(run: Runner, inputs: list[bytes], seconds: float, seed: int, keep: Path) -> None:
    """Coverage-guided, over the instrumented plain modules; ends the process."""
    import atheris

    from tests.fuzz.inputs import MAX_INPUT_BYTES, mutate

    for number, data in enumerate(inputs):
        (keep / f"{number:05}").write_bytes(data)

    def custom(data: bytes, max_size: int, number: int) -> bytes:
        rng = random.Random(number)
        made = mutate(data, rng) if rng.random() < 0.8 else atheris.Mutate(data, max_size)
        return bytes(made)[:max_size]

    options = [f"-max_total_time={int(seconds)}", f"-seed={seed or 1}", f"-max_len={MAX_INPUT_BYTES}"]
    options += ["-rss_limit_mb=0", "-timeout=0", "-handle_segv=0", "-handle_abrt=0", "-verbosity=0"]

    def one(data: bytes) -> None:
        try:
            run(data)
        except BaseException:
            _finding()

    atheris.Setup([sys.argv[0], *options, str(keep)], one, custom_mutator=custom)
    atheris.Fuzz()


def _finding() -> None:
    traceback.print_exc()
    sys.stderr.flush()
    sys.stdout.flush()
    os._exit(FINDING)


def child(args: argparse.Namespace) -> int:
    """One target, in this process."""
    faulthandler.enable()
    if args.engine == "atheris":
        import atheris

        with atheris.instrument_imports(include=["ibwire"]):
            import tests.fuzz.targets  # noqa: F401
    run = Runner(args.target, Slot(Path(args.slot)), args.max_mb)
    inputs = corpus(args.target, args.seed)
    if args.engine == "atheris":
        with tempfile.TemporaryDirectory() as keep:
            atheris_fuzzer(run, inputs, args.seconds, args.seed, Path(keep))
        return 0
    try:
        own_fuzzer(run, inputs, args.seconds, args.seed)
    except BaseException:
        _finding()
    return 0


def fuzz(target: str, args: argparse.Namespace, seconds: float) -> bool:
    """Run a target; False if it found something, which is then written to a file."""
    slot_path = Path(tempfile.mkdtemp(prefix="fuzz-")) / "input"
    slot = Slot(slot_path)
    print(f"{target}: {args.engine}, {seconds:.0f} s, seed {args.seed}", flush=True)
    command = [sys.executable, __file__, "--target", target, "--child", "--slot", str(slot_path)]
    command += ["--seconds", str(seconds), "--seed", str(args.seed), "--engine", args.engine]
    command += ["--max-mb", str(args.max_mb)]
    log_path = slot_path.with_name("log")
    with log_path.open("wb") as log:
        try:
            status = subprocess.run(command, check=False, timeout=seconds * 2 + 300, stderr=log).returncode
        except subprocess.TimeoutExpired:
            status = -int(signal.SIGALRM)
    said = log_path.read_text(errors="replace").splitlines()
    data, count = slot.get()
    shutil.rmtree(slot_path.parent)
    if status == 0:
        print(f"  no finding in {count:,} inputs", flush=True)
        return True
    print("\n".join(said[-60:]))
    known = {FINDING: "raised", -int(signal.SIGALRM): f"took longer than {SECONDS_PER_INPUT} s"}
    how = known.get(status, f"status {status}")
    path = ROOT / f"crash-{target}-{hashlib.sha256(data).hexdigest()[:8]}"
    path.write_bytes(data)
    print(f"  FINDING ({how}) after {count:,} inputs, {len(data)} bytes: {path.name}")
    print(f"  repeat: python tools/fuzz.py --target {target} --repeat {path.name}", flush=True)
    return False


def main() -> int:
    """Parse the arguments and run; 0 without findings."""
    sys.path.append(str(ROOT))  # last: PYTHONPATH says which build is fuzzed
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=10, help="for all targets together (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--target", choices=("codec", "chunks", "twins"), help="only this one")
    parser.add_argument("--engine", choices=("auto", "atheris", "own"), default="auto")
    parser.add_argument("--max-mb", type=int, default=3000, help="most memory of a target (default: %(default)s)")
    parser.add_argument("--repeat", metavar="FILE", help="run the target once, on these bytes")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--slot", default="", help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, default=0, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.engine == "auto":
        args.engine = "atheris" if importlib.util.find_spec("atheris") else "own"
    if args.repeat:
        if not args.target:
            parser.error("--repeat needs --target")
        print(Runner(args.target, None, args.max_mb)(Path(args.repeat).read_bytes()))
        return 0
    if args.child:
        return child(args)
    targets = [args.target] if args.target else ["codec", "chunks", "twins"]
    good = [fuzz(target, args, args.minutes * 60 / len(targets)) for target in targets]
    print("no findings" if all(good) else f"{good.count(False)} findings")
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
