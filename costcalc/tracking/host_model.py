"""Processors and memory where no counter tells of them: CodeCarbon's models, on the host's load.

CodeCarbon is asked in a process of its own; the load is known from the beginning, so that the
seconds before the answer are modelled as those after it.  Until it answers the processors' name
says what it would say.
"""

from __future__ import annotations

import functools
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from costcalc.tracking.codecarbon_probe import LIMIT, UNSET
from costcalc.tracking.guard import importing
from costcalc.tracking.metered import Part, Share, ticks
from costcalc.tracking.named_host import Named, by_name
from costcalc.tracking.records import Component, Energy

NAME = "CodeCarbon"
_CODE = (
    "import sys, json; sys.path[:] = json.loads(sys.argv[1]); "
    "from costcalc.tracking.codecarbon_probe import main; main()"
)


_EVERY = 1.0  # seconds, as CodeCarbon has it
_BY_NAME: tuple[tuple[Component, str], ...] = (
    ("cpu", "the CPU's load by its name"),
    ("memory", "the memory by its size"),
)
_being_asked: set[subprocess.Popen[bytes]] = set()


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
            # Ctrl-C is not for it.  In a session of its own Linux would give it next to nothing of
            # cores that a job of a higher priority takes (sched(7), autogroup).
            process_group=0,
        )
    except (OSError, ValueError) as error:
        raise ProbeError(f"no process can be begun for it: {error}") from None
    _being_asked.add(child)
    try:
        said, _ = child.communicate(timeout=LIMIT)
        found: dict[str, Any] = json.loads(said)
    except subprocess.TimeoutExpired:
        raise ProbeError(f"no answer within {LIMIT} s") from None
    except ValueError:
        raise ProbeError(f"its process ended with {child.returncode} and no answer") from None
    finally:
        _being_asked.discard(child)
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


def leave() -> None:
    """Nobody waits for an answer any more: what was begun for it ends."""
    for child in list(_being_asked):
        with suppress(Exception):
            os.killpg(child.pid, signal.SIGKILL) if hasattr(os, "killpg") else child.kill()


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


class Loads:
    """How many seconds a machine was how busy, in whole per cents: all that a model has to know.

    >>> loads = Loads()
    >>> loads.add(4.0, 20.5)
    >>> loads.seconds[20], loads.seconds[21], loads.joules([10.0] * 101)
    (2.0, 2.0, 40.0)
    """

    def __init__(self) -> None:
        self.seconds = [0.0] * 101

    def add(self, seconds: float, load: float) -> None:
        """A stretch of time; between two per cents it is some of each."""
        below = min(int(load), 99)
        self.seconds[below] += seconds * (below + 1 - load)
        self.seconds[below + 1] += seconds * (load - below)

    def joules(self, watts: Sequence[float]) -> float:
        """What they come to by a table of watts at each per cent."""
        return sum(a * b for a, b in zip(self.seconds, watts, strict=True))


class _Modelled:
    """What a model comes to over stretches of time of which the load is known."""

    def __init__(self, watts: Sequence[float], lock: threading.Lock, early: Loads) -> None:
        self._watts, self._lock = watts, lock
        self.loads = Loads()
        self.loads.seconds[:] = early.seconds

    def read(self) -> tuple[float, float]:
        """Joules of the stretches since the last call, and their seconds."""
        with self._lock:
            loads, self.loads = self.loads, Loads()
        return loads.joules(self._watts), sum(loads.seconds)


class HostModel:
    """CodeCarbon's models of this machine, of which ``share`` is the job's; ``cpu`` is its name."""

    name = NAME

    def __init__(self, boot: str, share: Share, began: float, cpu: str = "") -> None:
        self._boot, self._share, self._cpu = boot, share, cpu
        self._load: Load | None = None
        self._began = self._at = began  # the load before the first mark is taken to be as after it
        self._early = Loads()
        self._readers: list[_Modelled] = []
        self._named: Named | None = None
        self._lock = threading.Lock()

    def mark(self) -> None:
        """Take down the load since the last mark; nothing is waited for."""
        with self._lock:
            if self._load is None:
                self._load = Load()
                return
            now = ticks()
            lasted, load = now - self._at, self._load.since()
            self._at = now
            for loads in [reader.loads for reader in self._readers] or [self._early]:
                loads.add(lasted, load)

    def by_name(self, until: float) -> tuple[dict[str, Energy], str]:
        """What the host came to by its name, as long as CodeCarbon says nothing; and how."""
        if self._named is None:
            self._named = by_name(self._cpu)
        said, (mine, others) = self._named, self._share()
        with self._lock:
            seen = sum(self._early.seconds)
            joules = {
                "cpu": self._early.joules(said.cpu) if said.cpu else None,
                "memory": None if said.memory is None else seen * said.memory,
            }
        found = {
            f"{component}:{self._boot}": Energy(
                joules=drawn * mine,
                basis="modelled",
                meter=f"model of {what}, without CodeCarbon (costcalc)",
                component=component,
                gap=max(until - self._began - seen, 0.0),
                others=drawn * others,
            )
            for component, what in _BY_NAME
            if (drawn := joules[component]) is not None
        }
        return found, said.why

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
        models: list[tuple[Component, str, Sequence[float]]] = []
        if table:
            models.append(("cpu", f"model of the CPU's load ({said['mode']}) (CodeCarbon)", table))
        if watts:
            meter = "model of the memory's modules (CodeCarbon)"
            models.append(("memory", meter, [float(watts)] * 101))
        with self._lock:
            self._readers = [_Modelled(each, self._lock, self._early) for _, _, each in models]
        return [
            Part(
                key=f"{component}:{self._boot}",
                component=component,
                basis="modelled",
                meter=meter,
                reader=reader,
                began=began,
                share=self._share,
            )
            for (component, meter, _), reader in zip(models, self._readers, strict=True)
        ]

    @property
    def every(self) -> float | None:
        """Seconds after which :meth:`sample` is of use: power is no straight line of the load."""
        return _EVERY if self._readers else None

    def sample(self) -> None:
        """Take down the load between two readings."""
        self.mark()
