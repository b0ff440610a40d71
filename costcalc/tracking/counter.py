"""The counts behind ``tracker.step``: no file, no system call but the clock, no exception.

A number that is there is read at once, since its owner may fill the buffer anew.  One on a device,
whose value would have to be waited for, is added up on the device, and read by the thread that may
wait.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from operator import index
from time import perf_counter
from typing import Protocol, SupportsFloat

from costcalc.tracking.notes import Notes
from costcalc.tracking.records import Sample

PAUSE = 10.0  # a step of so many times the usual time holds a pause: evaluation, a checkpoint
RARE = 0.02  # unless such steps are more than so many of all: then they are how the job goes
_SMOOTH = 0.05
_TOGETHER = 256  # values of one sum on a device: JAX counts with 32 bits, which end at 2e9
_ASIDE = 10_000  # values that wait to be counted; more are dropped, and told


_NAMES, _LENGTH, _REST = 30, 60, "other pauses"  # of pauses: each stands in every record


class _Torch(Protocol):
    """As much of a tensor on a device as is used: adding waits for nothing."""

    def __add__(self, other: object) -> _Torch: ...
    def __float__(self) -> float: ...
    def double(self) -> _Torch: ...
    def clone(self) -> _Torch: ...


class Counter:
    """Steps, tokens and samples of one process, and the time of its steps.

    >>> counter = Counter()
    >>> counter.step(tokens=512)
    >>> counter.step(tokens=512)
    >>> counter.steps, counter.tokens
    (2, 1024.0)
    """

    def __init__(self) -> None:
        self.steps = 0
        self.tokens: float | None = None
        self.samples: float | None = None
        self.total_tokens: float | None = None
        self.pauses: dict[str, float] = {}  # seconds, by the name that was given
        self.notes = Notes()
        self._last: float | None = None
        self._usual = 0.0
        # Steps and their seconds: as usual, and longer.
        self._short, self._short_seconds, self._long, self._long_seconds = 0, 0.0, 0, 0.0
        self._paused = 0.0  # seconds since the last step
        # Pauses that are under way, as they began: a second is of the one that began last.
        self._pausing: list[str] = []
        self._since = 0.0  # from when on their time is not in `_paused` yet
        self._sums: dict[tuple[str, str], _Torch] = {}
        self._added: dict[tuple[str, str], int] = {}  # values that each sum is of
        self._aside: deque[tuple[str, SupportsFloat]] = deque(maxlen=_ASIDE)
        # A signal's handler may count in the middle of a step, on the thread that holds it.
        self._lock = threading.RLock()

    @property
    def timed(self) -> int:
        """Steps whose time is known and holds no pause."""
        return self._short + (0 if self._long_are_pauses else self._long)

    @property
    def busy(self) -> float:
        """Seconds of the :attr:`timed` steps."""
        return self._short_seconds + (0.0 if self._long_are_pauses else self._long_seconds)

    @property
    def _long_are_pauses(self) -> bool:
        """Long steps are pauses as long as they are few: else a loss is read now and then."""
        return self._long <= max(1.0, RARE * (self._long + self._short))

    @property
    def pace(self) -> float:
        """Steps a second at the most, of late; 0 where none is known."""
        return max(
            1 / self._usual if self._usual else 0.0, self.timed / self.busy if self.busy else 0
        )

    def sample(self, elapsed: float, metered: Sample | None = None) -> Sample:
        """What was counted in ``elapsed`` seconds; no meter is read.

        What was ``metered`` before stands, and what came since is its gap.
        """
        missed = max(elapsed - metered.elapsed, 0.0) if metered else 0.0
        energy = metered.energy if metered else {}
        return Sample(
            time=time.time(),
            elapsed=elapsed,
            steps=self.steps,
            timed=self.timed,
            busy=self.busy,
            tokens=self.tokens,
            samples=self.samples,
            total_tokens=self.total_tokens,
            pauses=dict(self.pauses),
            energy={key: replace(one, gap=one.gap + missed) for key, one in energy.items()},
            gaps=metered.gaps + missed if metered else 0.0,
        )

    def step(
        self,
        tokens: SupportsFloat | None = None,
        samples: SupportsFloat | None = None,
        total_tokens: SupportsFloat | None = None,
        steps: int = 1,
    ) -> None:
        """Count one step; called once an optimizer step, or once a batch: both add up.

        ``steps``: so many at once, which took as long as one another; 0 is a part of the next.
        """
        if type(steps) is not int or steps < 0:
            steps = self._whole(steps)
        with self._lock:
            if steps:
                self._done(steps, perf_counter())
            if tokens is not None:
                self._count("tokens", tokens)
            if samples is not None:
                self._count("samples", samples)
            if total_tokens is not None:
                self._count("total_tokens", total_tokens)

    def _done(self, steps: int, now: float) -> None:
        """So many steps are done since the last of them."""
        self.steps += steps
        last, self._last = self._last, now
        if self._pausing:
            self._pause_until(now)
        if last is not None:
            self._time(max(now - last - self._paused, 0.0) / steps, steps)
        self._paused = 0.0

    def _whole(self, steps: object) -> int:
        """A number of steps that is no plain one; what is none at all is one step, and told."""
        try:
            number = index(steps)  # type: ignore[arg-type]
        except Exception:  # noqa: BLE001  (whatever a stranger's type raises)
            number = -1
        if number >= 0:
            return number
        self.notes.add(f"steps: expected a whole number, 0 or more; got {type(steps).__name__}")
        return 1

    @contextmanager
    def pause(self, name: str) -> Iterator[None]:
        """What is done within is no step's time; beyond so many names they are one.

        Of pauses within pauses, or at once on several threads, no second counts twice: it is of
        the one that began last.
        """
        name = _named(name)
        if name not in self.pauses and len(self.pauses) >= _NAMES:
            self.notes.add(f"pauses have over {_NAMES} names: the rest are {_REST}")
            name = _REST
        with self._lock:
            self._pause_until(perf_counter())
            self._pausing.append(name)
            self.pauses.setdefault(name, 0.0)
        try:
            yield
        finally:
            with self._lock:
                self._pause_until(perf_counter())
                self._pausing.reverse()  # the last of its name ends
                self._pausing.remove(name)
                self._pausing.reverse()

    def _pause_until(self, now: float) -> None:
        if self._pausing:
            self._paused += now - self._since
            self.pauses[self._pausing[-1]] += now - self._since
        self._since = now

    def _time(self, seconds: float, steps: int) -> None:
        if self._usual and seconds > PAUSE * self._usual:
            self._long += steps
            self._long_seconds += seconds * steps
            return
        self._usual += (seconds - self._usual) * (_SMOOTH if self._usual else 1.0)
        self._short += steps
        self._short_seconds += seconds * steps

    def _count(self, name: str, value: SupportsFloat) -> None:
        """A number that is there is counted; what has to be waited for is put aside."""
        kind = type(value)
        if kind is int or kind is float or not _on_a_device(value):
            try:
                number = float(value.item() if kind.__module__ == "numpy" else value)  # type: ignore[attr-defined]
            except Exception as error:  # noqa: BLE001  (whatever a stranger's type raises)
                self._no_number(name, value, error)
                return
            self._add(name, number)
            return
        try:
            self._add_on_device(name, value)
        except Exception:  # noqa: BLE001  (a device that cannot add so)
            self._put_aside(name, value)

    def _no_number(self, name: str, value: object, error: Exception) -> None:
        said = ""
        with suppress(Exception):  # whatever a stranger's error raises when it is asked what it is
            said = f" ({error})"
        self.notes.add(f"{name}: expected a number; got {type(value).__name__}{said}")

    def _put_aside(self, name: str, value: SupportsFloat) -> None:
        if len(self._aside) == _ASIDE:
            self.notes.add(f"{name}: over {_ASIDE} values waited to be counted: some are lost")
        self._aside.append((name, value))

    def _add_on_device(self, name: str, value: SupportsFloat) -> None:
        tensor: _Torch = value.detach() if hasattr(value, "detach") else value  # type: ignore[assignment]
        key = (name, str(getattr(value, "device", "")))
        held, added = self._sums.get(key), self._added.get(key, 0)
        if held is not None and added < _TOGETHER:
            self._sums[key], self._added[key] = held + tensor, added + 1
            return
        if held is not None:
            self._put_aside(name, held)
        self._sums[key], self._added[key] = _own(tensor), 1

    def settle(self) -> None:
        """Count what was put aside; waits for devices, so never in the training loop."""
        with self._lock:
            sums, self._sums = self._sums, {}
        waiting: list[tuple[str, SupportsFloat]] = [(name, sums[name, at]) for name, at in sums]
        while self._aside:
            waiting.append(self._aside.popleft())
        for name, value in waiting:
            try:
                number = float(value)
            except Exception as error:  # noqa: BLE001  (whatever a stranger's type raises)
                self._no_number(name, value, error)
                continue
            with self._lock:
                self._add(name, number)

    def _add(self, name: str, number: float) -> None:
        if not (math.isfinite(number) and number >= 0):
            self.notes.add(f"{name}: expected a number, 0 or more; got {number}")
            return
        setattr(self, name, number + (getattr(self, name) or 0.0))


def _named(name: object) -> str:
    """A pause's name in few letters, whatever it was given."""
    try:
        return str(name)[:_LENGTH]
    except Exception:  # noqa: BLE001  (whatever a stranger's type raises)
        return type(name).__name__


def _own(tensor: _Torch) -> _Torch:
    """A sum of one, which no later filling of its buffer changes; nothing is waited for."""
    if not hasattr(tensor, "clone"):
        return tensor + 0  # JAX, CuPy, TensorFlow: an array of its own
    with suppress(Exception):
        tensor = tensor.double()  # not on all devices
    return tensor.clone()


def _on_a_device(value: object) -> bool:
    """Whether reading a value may have to wait: it is no number, nor in the host's memory."""
    module = str(type(value).__module__).partition(".")[0]
    if module in ("numpy", "builtins", "decimal", "fractions"):
        return False
    try:
        where = getattr(value, "device", None)
        return bool(getattr(where, "type", None) != "cpu")  # torch
    except Exception:  # noqa: BLE001  (JAX: a buffer that was donated has no device)
        return True
