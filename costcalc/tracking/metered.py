"""One thing that is metered: joules by a counter, by power or by a model, and what was missed.

A counter tells what was drawn meanwhile also after it did not answer; power and models tell only
of the time that they were looked at.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter
from typing import Protocol

from costcalc.tracking.records import Basis, Component, Device, Energy

MOST = 1e5  # watts: more of one component is no reading
_FAR = 30.0  # seconds between two looks at power, beyond which nobody knows what was between


def ticks() -> float:
    """Seconds, by a clock that nobody sets."""
    return perf_counter()


class Reader(Protocol):
    """What a thing drew: each call tells of the time since the last that answered."""

    def read(self) -> tuple[float, float]:
        """Joules, and the seconds that they are of; raises where the meter does not answer."""


@dataclass(slots=True)
class Counter:
    """A counter of joules, which starts over at ``full`` (0: nobody says where)."""

    counted: Callable[[], float]
    full: float = 0.0
    clock: Callable[[], float] = ticks
    _last: float = field(init=False)
    _at: float = field(init=False)

    def __post_init__(self) -> None:
        self._last, self._at = self.counted(), self.clock()

    def read(self) -> tuple[float, float]:
        """Since the last answer; a counter that went back tells nothing of the time between."""
        value, now = self.counted(), self.clock()
        joules, seconds = value - self._last, now - self._at
        self._last, self._at = value, now
        if joules < 0 < self.full:
            joules += self.full
        return (joules, seconds) if 0 <= joules <= MOST * max(seconds, 1e-3) else (0.0, 0.0)


@dataclass(slots=True)
class Power:
    """Watts that are looked at now and then: their integral, by trapezoids."""

    watts: Callable[[], float]
    clock: Callable[[], float] = ticks
    _last: float = field(init=False)
    _at: float = field(init=False)
    _answers: bool = True
    _joules: float = 0.0
    _seconds: float = 0.0

    def __post_init__(self) -> None:
        self._last, self._at = self._looked(), self.clock()

    def sample(self) -> None:
        """Look once more; raises where the meter does not answer."""
        try:
            watts = self._looked()
        except Exception:
            self._answers = False
            raise
        now = self.clock()
        seconds = now - self._at
        if self._answers and 0 <= seconds <= _FAR:
            self._joules += (self._last + watts) / 2 * seconds
            self._seconds += seconds
        self._last, self._at, self._answers = watts, now, True

    def _looked(self) -> float:
        watts = float(self.watts())
        if not 0 <= watts <= MOST:
            raise ValueError(f"{watts:.3g} W is no reading")
        return watts

    def read(self) -> tuple[float, float]:
        """What the looks since the last call come to."""
        self.sample()
        found = self._joules, self._seconds
        self._joules = self._seconds = 0.0
        return found


# Of what a thing draws the share that counts as the job's, and the share that other jobs took.
Share = Callable[[], tuple[float, float]]


def all_of_it() -> tuple[float, float]:
    """Nobody else uses it."""
    return 1.0, 0.0


def none_of_it() -> float:
    """All that counts as the job's is known to be."""
    return 0.0


@dataclass(slots=True)
class Part:
    """One thing that is metered: what it came to since ``began``, of which so long was ``seen``.

    ``unsure`` says, after ``share``, how much of what counts as the job's may be another's.
    """

    key: str
    component: Component
    basis: Basis
    meter: str
    reader: Reader
    began: float
    share: Share = all_of_it
    device: Device | None = None
    unsure: Callable[[], float] = none_of_it
    joules: float = 0.0
    others: float = 0.0
    doubt: float = 0.0
    seen: float = 0.0

    def advance(self) -> None:
        """Add what was drawn since the last reading; raises where the meter does not answer."""
        joules, seconds = self.reader.read()
        mine, others = self.share()
        self.joules += joules * mine
        self.others += joules * others
        self.doubt += joules * mine * self.unsure()
        self.seen += seconds

    def energy(self, until: float) -> Energy:
        """What it came to as of the last reading; what was not seen until then is a gap."""
        return Energy(
            joules=self.joules,
            basis=self.basis,
            meter=self.meter,
            component=self.component,
            gap=max(until - self.began - self.seen, 0.0),
            others=self.others,
            doubt=self.doubt,
        )
