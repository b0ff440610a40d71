"""What a batch script asks of Slurm: devices, time limit, partition, account, tasks of an array.

``#SBATCH`` lines are read as sbatch reads them, up to the first command; the command line wins.
Source of the options and of their short forms: Slurm's sbatch(1).
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from costcalc.base.errors import InputError, Problem

_SHORT = {
    "A": "account", "a": "array", "c": "cpus-per-task", "G": "gpus", "J": "job-name",
    "N": "nodes", "n": "ntasks", "p": "partition", "q": "qos", "t": "time",
}  # fmt: skip
#: short options without a value; all others have one
_FLAGS = frozenset("hHIkOQsvVW")
_LONG_FLAGS = frozenset(
    {
        "contiguous", "exclusive", "get-user-env", "help", "hold", "ignore-pbs", "nice", "no-kill",
        "no-requeue", "overcommit", "oversubscribe", "parsable", "propagate", "quiet", "reboot",
        "requeue", "spread-job", "test-only", "usage", "use-min-nodes", "verbose", "version",
        "wait",
    }
)  # fmt: skip
_GRES = re.compile(r"(?:gres[/:])?gpu(?::(?P<kind>[\w.-]*[A-Za-z][\w.-]*))?(?:[:=](?P<n>\d+))?")
_GPUS = re.compile(r"(?:(?P<kind>[\w.-]*[A-Za-z][\w.-]*):)?(?P<n>\d+)")
_TRACKED = re.compile(r"costcalc\s+track\s+(?:[^\n]*?\s)?--run[=\s]\s*(?P<file>[^\s;&|]+)")
_NAMED = re.compile(r"^#\s*costcalc:\s*(?P<file>\S+)\s*$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked for, of one task of an array; None is not said.  ``seconds``: the limit."""

    devices: float
    kind: str | None
    seconds: float | None
    nodes: int
    partition: str | None
    account: str | None
    tasks: int = 1
    run_file: str | None = None


@dataclass(slots=True)
class Words:
    """A command line of sbatch: its options by their long names, the script, and its arguments."""

    options: dict[str, str] = field(default_factory=dict)
    script: str | None = None
    arguments: list[str] = field(default_factory=list)


def words(given: Sequence[str]) -> Words:
    """The options and the script of an sbatch command line.

    >>> found = words(["-p", "gpu", "--time=1:00:00", "-N2", "train.sh", "--lr", "1"])
    >>> found.options, found.script, found.arguments
    ({'partition': 'gpu', 'time': '1:00:00', 'nodes': '2'}, 'train.sh', ['--lr', '1'])
    """
    made, left = Words(), list(given)
    while left:
        word = left.pop(0)
        if not word.startswith("-") or word == "-":
            made.script, made.arguments = word, left
            break
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            if not equals and name not in _LONG_FLAGS:
                value = left.pop(0) if left else ""
        else:
            letter, value = word[1], word[2:]
            name = _SHORT.get(letter, letter)
            if letter not in _FLAGS and not value:
                value = left.pop(0) if left else ""
        made.options[name] = value
    return made


def directives(text: str) -> dict[str, str]:
    """The options of the ``#SBATCH`` lines of a script.

    >>> directives("#!/bin/bash\\n#SBATCH -t 60 --gpus=4 # four\\nsrun x\\n#SBATCH -t 1")
    {'time': '60', 'gpus': '4'}
    """
    found: dict[str, str] = {}
    for line in text.splitlines():
        bare = line.strip()
        if bare and not bare.startswith("#"):
            break
        if bare.startswith("#SBATCH"):
            try:
                said = shlex.split(bare.removeprefix("#SBATCH"), comments=True)
            except ValueError:
                continue
            found |= words(said).options
    return found


def request(text: str, options: Mapping[str, str], name: str = "script") -> Request:
    """What a script with the options of its command line asks for.

    Raises:
        InputError: an option that cannot be read.
    """
    said = {**directives(text), **options}
    faults: list[Problem] = []
    nodes = _number(said, "nodes", 1, name, faults)
    tasks = _number(said, "ntasks", 0, name, faults)
    if not tasks:
        tasks = nodes * _number(said, "ntasks-per-node", 1, name, faults)
    devices, kind = _devices(said, nodes, tasks, name, faults)
    seconds = None
    if "time" in said and said["time"].upper() not in ("UNLIMITED", "INFINITE", "0"):
        seconds = limit(said["time"])
        if seconds is None:
            faults.append(_fault("time", "a limit such as 90, 2:30:00 or 1-12", said, name))
    many = 1
    if "array" in said:
        many = array(said["array"]) or 0
        if not many:
            faults.append(_fault("array", "indices such as 0-15%4", said, name))
    if faults:
        raise InputError(faults)
    found = _TRACKED.search(text) or _NAMED.search(text)
    return Request(
        devices=float(devices),
        kind=kind,
        seconds=seconds,
        nodes=nodes,
        partition=said.get("partition"),
        account=said.get("account"),
        tasks=many,
        run_file=found["file"].strip("\"'") if found else None,
    )


def _fault(key: str, expected: str, said: Mapping[str, str], name: str) -> Problem:
    message = f'expected {expected}; got "{said[key][:40]}"'
    return Problem(key=f"--{key}", message=message, file=name)


def _number(said: Mapping[str, str], key: str, usual: int, name: str, faults: list[Problem]) -> int:
    """A count, of a range such as 2-4 its most."""
    if key not in said:
        return usual
    last = said[key].partition("-")[2] or said[key]
    if not last.isdecimal() or not int(last):
        faults.append(_fault(key, "a number, 1 or more", said, name))
        return usual
    return int(last)


def _devices(
    said: Mapping[str, str], nodes: int, tasks: int, name: str, faults: list[Problem]
) -> tuple[int, str | None]:
    """How many devices in all, and of which kind where it is said."""
    for key, times in (
        ("gpus", 1), ("gpus-per-node", nodes), ("gpus-per-task", tasks), ("gres", nodes),
    ):  # fmt: skip
        if key not in said:
            continue
        found = _counted(said[key].split(","), _GRES if key == "gres" else _GPUS)
        if found is None:
            if key != "gres":
                faults.append(_fault(key, "a number such as 4 or h100:4", said, name))
            continue
        return found[0] * times, found[1]
    return 0, None


def _counted(items: Iterable[str], shape: re.Pattern[str]) -> tuple[int, str | None] | None:
    total, kind = 0, None
    for item in items:
        match = shape.fullmatch(item.strip())
        if match:
            total += int(match["n"] or 1)
            kind = match["kind"] or kind
    return (total, kind) if total else None


def limit(text: str) -> float | None:
    """A time limit in seconds: minutes, minutes:seconds, hours:minutes:seconds, days-hours….

    >>> [limit(t) for t in ("90", "90:30", "2:00:00", "1-12", "1-12:30", "1-12:30:15", "soon")]
    [5400.0, 5430.0, 7200.0, 129600.0, 131400.0, 131415.0, None]
    """
    days, dash, rest = text.strip().partition("-")
    clock = (rest if dash else days).split(":")
    if not all(part.isdecimal() for part in clock) or len(clock) > 3:
        return None
    if dash and not days.isdecimal():
        return None
    numbers = [int(part) for part in clock]
    if dash:
        hours, minutes, seconds = (*numbers, 0, 0)[:3]
    elif len(numbers) == 3:
        hours, minutes, seconds = numbers
    else:
        hours, (minutes, seconds) = 0, (*numbers, 0)[:2]
    whole = int(days) if dash else 0
    return float(((whole * 24 + hours) * 60 + minutes) * 60 + seconds)


def array(text: str) -> int | None:
    """How many tasks an array has.

    >>> [array(t) for t in ("0-15%4", "1,3,5-9:2", "7", "x")]
    [16, 5, 1, None]
    """
    total = 0
    for item in text.partition("%")[0].split(","):
        match = re.fullmatch(r"(\d+)(?:-(\d+)(?::(\d+))?)?", item.strip())
        if match is None:
            return None
        first, last = int(match[1]), int(match[2] or match[1])
        total += max((last - first) // int(match[3] or 1) + 1, 0)
    return total or None
