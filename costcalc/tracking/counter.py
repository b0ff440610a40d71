"""The counts behind ``tracker.step``: no file, no system call but the clock, no exception.

What cannot be counted at once, such as a tensor on a device, whose value would have to be waited
for, is put aside for the thread that may wait.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from time import perf_counter
from typing import SupportsFloat

from costcalc.tracking.notes import Notes

PAUSE = 10.0  # a step of so many times the usual time holds a pause: evaluation, a checkpoint
_SMOOTH = 0.05
_LARGE = 2**63  # a greater whole number is no count, and may be no float
_ASIDE = 10_000  # values that wait to be counted; more are dropped, and told


class Counter:
    """Steps, tokens and samples of one process, and the time of its steps.

    >>> counter = Counter()
    >>> counter.step(tokens=512)
    >>> counter.step(tokens=512)
    >>> counter.steps, counter.tokens
    (2, 1024.0)
    """

    __slots__ = (
        "_aside",
        "_last",
        "_lock",
        "_usual",
        "busy",
        "notes",
        "samples",
        "steps",
        "timed",
        "tokens",
        "total_tokens",
    )

    def __init__(self) -> None:
        self.steps, self.timed, self.busy = 0, 0, 0.0
        self.tokens: float | None = None
        self.samples: float | None = None
        self.total_tokens: float | None = None
        self.notes = Notes()
        self._last: float | None = None
        self._usual = 0.0
        self._aside: deque[tuple[str, SupportsFloat]] = deque(maxlen=_ASIDE)
        self._lock = threading.Lock()

    def step(
        self,
        tokens: SupportsFloat | None = None,
        samples: SupportsFloat | None = None,
        total_tokens: SupportsFloat | None = None,
    ) -> None:
        """Count one step; called once an optimizer step, or once a batch: both add up."""
        now = perf_counter()
        with self._lock:
            self.steps += 1
            last, self._last = self._last, now
            if last is not None:
                self._time(now - last)
            for name, value in (
                ("tokens", tokens),
                ("samples", samples),
                ("total_tokens", total_tokens),
            ):
                if value is not None:
                    self._count(name, value)

    def _time(self, seconds: float) -> None:
        if self._usual and seconds > PAUSE * self._usual:
            return
        self._usual += (seconds - self._usual) * (_SMOOTH if self._usual else 1.0)
        self.timed += 1
        self.busy += seconds

    def _count(self, name: str, value: SupportsFloat) -> None:
        """A plain number is counted; what may have to be waited for is put aside."""
        if isinstance(value, float) or (type(value) is int and 0 <= value < _LARGE):
            self._add(name, value)
            return
        if len(self._aside) == _ASIDE:
            self._note(f"{name}: over {_ASIDE} values waited to be counted: some are lost")
        self._aside.append((name, value))

    def settle(self) -> None:
        """Count what was put aside; waits for devices, so never in the training loop."""
        while self._aside:
            name, value = self._aside.popleft()
            try:
                number = float(value)
            except Exception as error:  # noqa: BLE001  (whatever a stranger's type raises)
                self._note(f"{name}: expected a number; got {type(value).__name__} ({error})")
                continue
            with self._lock:
                self._add(name, number)

    def _add(self, name: str, number: float) -> None:
        if not (math.isfinite(number) and number >= 0):
            self._note(f"{name}: expected a number, 0 or more; got {number}")
            return
        setattr(self, name, number + (getattr(self, name) or 0.0))

    def _note(self, text: str) -> None:
        self.notes.add(text)
