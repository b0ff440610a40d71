"""Which processes compute, as far as a container shows it: those that hold a driver's file open.

In a container the driver names processes by the numbers of the host, which mean nothing there; how
many of one's own compute is known all the same.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

# What a process holds open as long as it computes: CUDA's unified memory, AMD's compute driver.
FILES = ("/dev/nvidia-uvm", "/dev/kfd")
_FIRST = "pid:[4026531836]"  # the namespace that a machine begins with (PROC_PID_INIT_INO)


def computing(ours: Callable[[int], bool], *, proc: Path = Path("/proc")) -> int | None:
    """How many processes of the job compute; None where the driver's numbers are ours too.

    >>> computing(lambda _: False) in (0, None)
    True
    """
    try:
        if str((proc / "self" / "ns" / "pid").readlink()) == _FIRST:
            return None
        holders = {pid for pid in _processes(proc) if ours(pid) and _holds(proc / str(pid))}
    except OSError:  # not Linux, or no such folder
        return None
    return sum(not _copied(pid, holders, proc) for pid in holders)


def _processes(proc: Path) -> Iterator[int]:
    with os.scandir(proc) as entries:
        yield from [int(entry.name) for entry in entries if entry.name.isdecimal()]


def _holds(process: Path) -> bool:
    try:
        with os.scandir(process / "fd") as entries:
            return any(str(Path(entry.path).readlink()) in FILES for entry in entries)
    except OSError:  # it has ended, or is another user's
        return False


def _copied(pid: int, holders: set[int], proc: Path) -> bool:
    """Whether a process holds the file only because it was forked (a data loader): no CUDA there.

    A fork has its parent's command line; what was spawned has another.
    """
    try:
        stat = (proc / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
        parent = int(stat.rpartition(")")[2].split()[1])
        said = [(proc / str(each) / "cmdline").read_bytes() for each in (pid, parent)]
    except (OSError, ValueError, IndexError):
        return False
    return parent in holders and said[0] == said[1]
