"""Whose a device's energy is where processes of several jobs compute on it."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from costcalc.tracking.records import Device, Place


@dataclass(frozen=True, slots=True)
class Users:
    """Processes on a device: bytes that each holds (None: unknown), and how much it computed."""

    memory: Mapping[int, int | None]
    busy: Mapping[int, float]


class Signs(Protocol):
    """What jobs on one node tell each other."""

    def uses(self, uuid: str) -> None:
        """A process of ours computes on a device."""

    def device_share(self, uuid: str) -> float:
        """Our share of a device by jobs, where nobody says who computes on it."""


class Sharing:
    """Splits devices between jobs: by what each process computed, by its memory, or evenly.

    Processes are told apart by who began them, where NVML's numbers are those of this process's
    own namespace; else jobs that track tell each other what they hold.
    """

    def __init__(
        self, ours: Callable[[int], bool], signs: Signs | None, note: Callable[[str], None]
    ) -> None:
        self._ours, self._signs, self._note = ours, signs, note

    def of(self, device: Device, users: Callable[[], Users]) -> tuple[float, float]:
        """The share of a device that counts as ours, and the share that others took."""
        if device.share < 1:  # a slice is nobody else's, and the driver lists those of all slices
            return device.share, 0.0
        mine = 1.0
        try:
            mine = self._share(device, users())
        except Exception as error:  # noqa: BLE001  (a device that does not say who uses it)
            mine = self._by_jobs(device)
            self._note(f"who uses device {device.index} is not known: {type(error).__name__}")
        return mine, 1.0 - mine

    def _share(self, device: Device, users: Users) -> float:
        ours = {pid for pid in users.memory if self._ours(pid)}
        if ours and self._signs is not None:
            self._signs.uses(device.uuid)
        if not users.memory or len(ours) == len(users.memory):
            return 1.0 if ours else self._by_jobs(device)
        if not ours:
            return self._by_jobs(device)
        share, how = split(users, ours)
        self._note(
            f"other processes compute on device {device.index} too: its energy is split by {how}"
        )
        return share

    def _by_jobs(self, device: Device) -> float:
        share = 1.0 if self._signs is None else self._signs.device_share(device.uuid)
        if share < 1:
            self._note(
                f"other jobs hold device {device.index} too: its energy is split evenly between "
                "the jobs that track"
            )
        return share


def split(users: Users, ours: Collection[int]) -> tuple[float, str]:
    """Our share of what the processes use, and by what it was split.

    >>> split(Users(memory={1: 100, 2: 300}, busy={1: 60.0, 2: 20.0}), {1})
    (0.75, 'what each computed')
    >>> split(Users(memory={1: 100, 2: 300}, busy={}), {1})
    (0.25, 'the memory that each holds')
    >>> split(Users(memory={1: None, 2: 300}, busy={}), {1})
    (0.5, 'their number')
    """
    busy = sum(users.busy.values())
    if busy > 0:
        return sum(users.busy.get(pid, 0.0) for pid in ours) / busy, "what each computed"
    held = list(users.memory.values())
    known = [each for each in held if each is not None]
    if len(known) == len(held) and sum(known) > 0:
        own = sum(users.memory[pid] or 0 for pid in ours)
        return own / sum(known), "the memory that each holds"
    return len(ours) / len(held), "their number"


def of_the_job(place: Place, *, proc: Path = Path("/proc")) -> Callable[[int], bool]:
    """Whether a process is the job's: begun by this one, or by the launcher of its ranks."""
    roots = {os.getpid()}
    if (place.local_world or place.world) > 1 and os.getppid() > 1:
        roots.add(os.getppid())  # not a container's first process: it began everything

    def ours(pid: int) -> bool:
        above: set[int] = set()
        while pid > 0 and pid not in above:
            if pid in roots:
                return True
            above.add(pid)
            try:
                stat = (proc / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
                pid = int(stat.rpartition(")")[2].split()[1])
            except (OSError, ValueError, IndexError):
                return False
        return False

    return ours
