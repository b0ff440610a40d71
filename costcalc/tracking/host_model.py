"""Processors and memory where no counter tells of them: CodeCarbon's models, on the host's load.

CodeCarbon is asked once, in a process of its own; the load is known from the beginning, so that the
seconds before the answer are modelled as those after it.
"""

from __future__ import annotations

import functools
import json
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from costcalc.tracking.codecarbon_probe import LIMIT, UNSET
from costcalc.tracking.guard import importing
from costcalc.tracking.metered import Part, Share, ticks
from costcalc.tracking.records import Component

NAME = "CodeCarbon"
_CODE = (
    "import sys, json; sys.path[:] = json.loads(sys.argv[1]); "
    "from costcalc.tracking.codecarbon_probe import main; main()"
)


_EVERY = 1.0  # seconds, as CodeCarbon has it
_EARLY = 100  # stretches that are kept until CodeCarbon answers
_Stretch = tuple[float, float]  # seconds, and the load in them in per cent


class ProbeError(Exception):
    """CodeCarbon cannot be asked, or does not answer."""


@functools.cache
def asked() -> dict[str, Any]:
    """What CodeCarbon says of this host, asked once in a process; waits for it.

    Raises:
        ProbeError: it fails, or takes longer than its limit; it is asked again.
    """
    return ask()


def ask() -> dict[str, Any]:
    """What CodeCarbon says of this host; waits for it.

    Raises:
        ProbeError: it fails, or takes longer than its limit.
    """
    paths = json.dumps([os.path.abspath(path) for path in sys.path])  # noqa: PTH100
    env = {
        key: value
        for key, value in os.environ.items()
        if key not in UNSET and not key.startswith("CODECARBON_")
    }
    try:
        child = subprocess.Popen(  # noqa: S603  (ourselves)
            [sys.executable, "-I", "-c", _CODE, paths],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=os.sep,  # no configuration file of the user's folder
            env=env,
            start_new_session=True,  # Ctrl-C is not for it
        )
    except (OSError, ValueError) as error:
        raise ProbeError(f"no process can be begun for it: {error}") from None
    try:
        said, _ = child.communicate(timeout=LIMIT)
        found: dict[str, Any] = json.loads(said)
    except subprocess.TimeoutExpired:
        raise ProbeError(f"no answer within {LIMIT} s") from None
    except ValueError:
        raise ProbeError(f"its process ended with {child.returncode} and no answer") from None
    finally:
        _end(child)
    if "error" in found:
        raise ProbeError(str(found["error"]))
    return found


def _end(child: subprocess.Popen[bytes]) -> None:
    """End the process and what it has begun: a command may hang and hold its output open."""
    with suppress(Exception):
        if child.returncode is None and hasattr(os, "killpg"):
            os.killpg(child.pid, signal.SIGKILL)
        elif child.returncode is None:
            child.kill()
        if child.stdout:
            child.stdout.close()
        child.wait(1.0)


class Load:
    """How busy the whole machine was between two looks."""

    def __init__(self) -> None:
        with importing():
            import psutil
        self._times: Callable[[], Any] = psutil.cpu_times
        self._last = self._times()

    def since(self) -> float:
        """Per cent of the time since the last look; as in CodeCarbon waiting for disks is none."""
        last, now = self._last, self._times()
        self._last = now
        every = _all(now) - _all(last)
        idle = now.idle + getattr(now, "iowait", 0.0) - last.idle - getattr(last, "iowait", 0.0)
        return min(max(100.0 * (every - idle) / every, 0.0), 100.0) if every > 0 else 0.0


def _all(times: Any) -> float:
    """Seconds of all kinds; those of guests are within those of users."""
    guests = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)
    return float(sum(times)) - guests


class _Modelled:
    """What a model comes to over stretches of time of which the load is known."""

    def __init__(self, watts: Callable[[float], float]) -> None:
        self.waiting: deque[_Stretch] = deque()
        self._watts = watts

    def read(self) -> tuple[float, float]:
        """Joules of the stretches since the last call, and their seconds."""
        joules = seconds = 0.0
        while self.waiting:
            lasted, load = self.waiting.popleft()
            joules += self._watts(load) * lasted
            seconds += lasted
        return joules, seconds


class HostModel:
    """CodeCarbon's models of this machine, of which ``share`` is the job's."""

    name = NAME

    def __init__(self, boot: str, share: Share, began: float) -> None:
        self._boot, self._share = boot, share
        self._load: Load | None = None
        self._at = began  # the load before the first mark is taken to be that after it
        self._early: deque[_Stretch] = deque(maxlen=_EARLY)
        self._readers: list[_Modelled] = []
        self._lock = threading.Lock()

    def mark(self) -> None:
        """Take down the load since the last mark; nothing is waited for."""
        with self._lock:
            if self._load is None:
                self._load = Load()
                return
            now = ticks()
            stretch = (now - self._at, self._load.since())
            self._at = now
            for waiting in [reader.waiting for reader in self._readers] or [self._early]:
                waiting.append(stretch)

    def open(self, began: float) -> list[Part]:
        """Ask CodeCarbon.

        Raises:
            ProbeError: it does not answer.
        """
        said = asked()
        if said.get("reads"):
            from costcalc.tracking.by_codecarbon import parts

            return parts(self._boot, self._share, began)
        table, watts = said.get("cpu"), said.get("memory")
        made = []
        if table:
            meter = f"model of the CPU's load ({said['mode']}) (CodeCarbon)"
            made.append(self._part("cpu", meter, lambda load: interpolated(table, load), began))
        if watts:
            meter = "model of the memory's modules (CodeCarbon)"
            made.append(self._part("memory", meter, lambda _: float(watts), began))
        with self._lock:
            self._readers = [reader for _, reader in made]
            for reader in self._readers:
                reader.waiting.extend(self._early)
            self._early.clear()
        return [part for part, _ in made]

    @property
    def every(self) -> float | None:
        """Seconds after which :meth:`sample` is of use: power is no straight line of the load."""
        return _EVERY if self._readers else None

    def sample(self) -> None:
        """Take down the load between two readings."""
        self.mark()

    def _part(
        self, component: Component, meter: str, watts: Callable[[float], float], began: float
    ) -> tuple[Part, _Modelled]:
        reader = _Modelled(watts)
        part = Part(
            key=f"{component}:{self._boot}",
            component=component,
            basis="modelled",
            meter=meter,
            reader=reader,
            began=began,
            share=self._share,
        )
        return part, reader


def interpolated(table: Sequence[float], load: float) -> float:
    """The value at a load of a table of all whole per cents.

    >>> interpolated([10.0, 20.0, 40.0], 1.5)
    30.0
    """
    below = min(int(load), len(table) - 2)
    return table[below] + (load - below) * (table[below + 1] - table[below])
