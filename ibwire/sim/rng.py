"""Random numbers for the simulator, in integers only, so that a seed means the same on every machine.

The generator is splitmix64: one 64-bit state word, full period, and a state that can be derived from any text. Streams
are named: `Rng.of(seed, "quotes", conId)` gives the same numbers whatever other streams exist or have drawn.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from decimal import Context, Decimal
from typing import TypeVar

_T = TypeVar("_T")
_MASK = (1 << 64) - 1
_GAMMA = 0x9E3779B97F4A7C15
_SEPARATOR = "\x1f"


def stable_hash(*parts: int | str) -> int:
    """Return a 64-bit hash of the parts that is the same in every process and on every machine."""
    text = _SEPARATOR.join(str(part) for part in parts)
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8"), digest_size=8).digest(), "big")


def _exponential_quantiles() -> tuple[int, ...]:
    # Decimal's ln is correctly rounded everywhere; math.log may differ in the last place between C libraries.
    context = Context(prec=12)
    thousand = Decimal(1000)
    quantiles = []
    for index in range(256):
        share = context.divide(Decimal(2 * index + 1), Decimal(512))
        quantiles.append(int(context.multiply(context.ln(share), thousand).copy_negate().to_integral_value()))
    return tuple(quantiles)


_EXPONENTIAL = _exponential_quantiles()


class Rng:
    """A splitmix64 stream.

    Parameters
    ----------
    state : int
        The 64-bit start state. Use `Rng.of` to derive it from a seed and a name.
    """

    __slots__ = ("_state",)

    def __init__(self, state: int) -> None:
        self._state = state & _MASK

    @classmethod
    def of(cls, seed: int, *name: int | str) -> Rng:
        """Return the stream called `name` of `seed`; equal arguments give equal streams."""
        return cls(stable_hash(seed, *name))

    def next_u64(self) -> int:
        """Return the next number, 0 <= n < 2**64."""
        self._state = state = (self._state + _GAMMA) & _MASK
        mixed = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
        return mixed ^ (mixed >> 31)

    def below(self, limit: int) -> int:
        """Return a number 0 <= n < `limit`, every value equally likely.

        Raises
        ------
        ValueError
            If `limit` is not in 1..2**64.
        """
        if not 0 < limit <= 1 << 64:
            raise ValueError(f"limit must be in 1..2**64, not {limit}")
        product = self.next_u64() * limit
        if product & _MASK < limit:
            threshold = (1 << 64) % limit
            while product & _MASK < threshold:
                product = self.next_u64() * limit
        return product >> 64

    def between(self, low: int, high: int) -> int:
        """Return a number low <= n <= high."""
        return low + self.below(high - low + 1)

    def chance(self, numerator: int, denominator: int) -> bool:
        """Return True with probability numerator / denominator."""
        return self.below(denominator) < numerator

    def choice(self, options: Sequence[_T]) -> _T:
        """Return one of `options`; they must not be empty."""
        return options[self.below(len(options))]

    def exponential(self, mean: int) -> int:
        """Return a waiting time >= 0 with about the given mean, exponentially distributed in 256 classes."""
        return mean * _EXPONENTIAL[self.next_u64() >> 56] // 1000
