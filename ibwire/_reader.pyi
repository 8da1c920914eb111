"""The receive loop: socket to decoder, without the GIL from the first byte to the end of the connection."""

from typing import final

from ibwire._ring import EveryRing, LogRing, Region

REASONS: tuple[str, ...]
STAGE_NAMES: tuple[str, ...]

class Decoder:
    """What a reader feeds."""

    seq: int
    def check(self) -> None:
        """Raise why nothing more is taken, if so."""

@final
class StageTimes:
    """How long the stages of a receive took, in buckets."""

    def record(self, stage: str, ns: int) -> None:
        """Count one duration of a stage that is timed outside."""
    def buckets(self, stage: str) -> list[int]:
        """The counts of a stage, by bucket."""

def counters(region: Region) -> tuple[dict[str, int], dict[int, int]]:
    """What a region's counters say: (values by name, messages by wire id). Any thread, any process."""

def times(region: Region) -> tuple[int, int]:
    """(monotonic time of the newest receive, wall clock minus monotonic), ns; zeros before the first."""

def send_now(fd: int, data: bytes) -> tuple[int, int]:
    """Give the kernel what it takes at once, with the GIL: (bytes, 0 when its buffer is full; monotonic ns)."""

@final
class Reader:
    """Receives from one socket into one decoder."""

    reason: str
    errno: int
    kernel_times: bool
    def __init__(
        self,
        fd: int,
        decoder: Decoder,
        region: Region,
        *,
        orders: LogRing | None = None,
        control: LogRing | None = None,
        every: EveryRing | None = None,
        buffer_bytes: int = 262144,
        spin: bool = False,
        kernel_times: bool = False,
        times: StageTimes | None = None,
    ) -> None: ...
    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """Take bytes that were received already, as if they came now. The receiving thread only."""
    def run(self) -> str:
        """Receive until the end, without the GIL; returns the reason. Signals go to other threads meanwhile."""
    def receive(self, timeout_ms: float | None = 0) -> int:
        """Take what one receive brings; messages completed, or -1 when nothing came in time."""
    def stop(self) -> None:
        """End it, from any thread: a receive that is under way is the last, later ones do nothing."""
