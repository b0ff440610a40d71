"""Processors and memory by their names alone, for as long as CodeCarbon has not said its models.

A job that takes all cores leaves none for CodeCarbon, which may answer after the job's end, or
never.  Nothing of it is imported here: its table of ratings is a file, its models a few numbers
(https://docs.codecarbon.io/latest/explanation/methodology/).
"""

from __future__ import annotations

import csv
import importlib.util
import math
import os
import platform
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from costcalc.tracking.guard import importing

# CodeCarbon 3: of the rated power a tenth at rest, the rest with the cube of the load; of a
# processor that its table does not list so many watts a thread.
_REST, _POWER, _A_THREAD = 0.1, 3, 4.0
# CodeCarbon 3: the modules that so many gigabytes at the most are taken to be, and those that more
# are made of, of which there are 8 to 32; watts of a module, ARM's less; and the share of them that
# each of the first 4, 8, 16, 32 draws.
_FEW = ((16.0, 2), (64.0, 4), (128.0, 8))
_SIZES, _LEAST, _MOST = (128, 64, 32, 16), 8, 32
_A_MODULE, _ARMS = 5.0, 1.5
_SHARES = ((4, 1.0), (8, 0.9), (16, 0.8), (_MOST, 0.7))
_GB = 2**30
_TABLE = ("data", "hardware", "cpu_power.csv")
_CPUINFO = Path("/proc/cpuinfo")


@dataclass(frozen=True, slots=True)
class Named:
    """Watts of the processors at each per cent of load, and of the memory; how they are known."""

    cpu: tuple[float, ...] = ()
    memory: float | None = None
    why: str = "nothing is known of it"


def by_name(cpu: str) -> Named:
    """What CodeCarbon would say of a host with such processors; what fails is left out."""
    found = Named()
    with suppress(Exception):
        watts, why = _rating(cpu)
        rest = watts * _REST
        table = tuple(rest + (watts - rest) * (load / 100) ** _POWER for load in range(101))
        found = replace(found, cpu=table, why=why)
    with suppress(Exception):
        with importing():
            import psutil
        found = replace(found, memory=memory(psutil.virtual_memory().total / _GB))
    return found


def model_name() -> str:
    """What Linux calls the processors; empty where it does not say."""
    with suppress(OSError):
        for line in _CPUINFO.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return ""


def memory(size: float) -> float:
    """Watts of the modules that hold so many gigabytes: 503 are 16 of 32, a server's 512.

    >>> memory(23.5), memory(503.0)
    (20.0, 70.0)
    """
    number = next((number for most, number in _FEW if size <= most), None)
    if number is None:
        largest = next(one for one in _SIZES if one <= size / _LEAST)
        number = min(math.ceil(size / largest), _MOST)
    shares = (next(share for most, share in _SHARES if nth < most) for nth in range(number))
    arm = any(name in platform.machine().lower() for name in ("arm", "aarch"))
    return (_ARMS if arm else _A_MODULE) * math.fsum(shares)


def _rating(cpu: str) -> tuple[float, str]:
    """Watts of all processors of the machine, and where they are from."""
    listed = rated(cpu, _listed())
    if listed is not None:
        number = _sockets()
        return listed * number, f"{number} × {listed:g} W by CodeCarbon's table"
    threads = os.cpu_count() or 1
    return threads * _A_THREAD, f"{threads} threads of {_A_THREAD:g} W: its table does not list it"


def rated(cpu: str, table: Iterable[tuple[str, float]]) -> float | None:
    """Watts of the row whose words are most of a name's; None where rows disagree or none is.

    >>> rows = [("AMD EPYC 7763", 280.0), ("AMD EPYC 776", 99.0), ("Intel Xeon", 1.0)]
    >>> rated("AMD EPYC 7763 64-Core Processor", rows), rated("Intel(R) Xeon(R) Processor", rows)
    (280.0, None)
    """
    words = _words(cpu)
    found: dict[int, set[float]] = {}
    for name, watts in table:
        row = _words(name)
        if row <= words and any(_is_model(word) for word in row):
            found.setdefault(len(row), set()).add(watts)
    most = found.get(max(found, default=0), set())
    return most.pop() if len(most) == 1 else None


def _words(name: str) -> set[str]:
    plain = re.sub(r"\((?:r|tm)\)|@.*", " ", name.lower())
    return set(re.findall(r"[a-z0-9.+-]+", plain))


def _is_model(word: str) -> bool:
    return any(letter.isdigit() for letter in word) and not word.endswith("-core")


def _listed() -> Iterator[tuple[str, float]]:
    """The rows of CodeCarbon's table, without importing it."""
    spec = importlib.util.find_spec("codecarbon")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        with Path(folder, *_TABLE).open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                with suppress(ValueError):  # of two processors in one row
                    yield row["Name"], float(row["TDP"])


def _sockets() -> int:
    """Processors of the machine, as Linux tells; else one."""
    try:
        lines = _CPUINFO.read_text(encoding="utf-8").splitlines()
    except OSError:
        return 1
    return len({line.partition(":")[2] for line in lines if line.startswith("physical id")}) or 1
