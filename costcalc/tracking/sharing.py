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
    own namespace; else jobs that track tell each other what they hold.  In a container that sees
    none of the others, the driver still counts processes, and ``computing`` says how many are ours
    (None: the numbers are ours too, and none of those is the job's).
    """

    def __init__(
        self,
        ours: Callable[[int], bool],
        signs: Signs | None,
        note: Callable[[str], None],
        computing: Callable[[], int | None] = lambda: None,
    ) -> None:
        self._ours, self._signs, self._note = ours, signs, note
        self._computing = computing
        self._unsure: dict[str, float] = {}

    def unsure(self, device: Device) -> float:
        """Of the share that counts as ours so much may be another job's, as of the last look."""
        return self._unsure.get(device.uuid, 0.0)

    def of(self, device: Device, users: Callable[[], Users]) -> tuple[float, float]:
        """The share of a device that counts as ours, and the share that others took."""
        if device.share < 1:  # a slice is nobody else's, and the driver lists those of all slices
            return device.share, 0.0
        mine, self._unsure[device.uuid] = 1.0, 0.0
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
        if not users.memory:
            return self._by_jobs(device)
        if not ours:
            return self._by_number(device, len(users.memory), self._computing() or 0)
        if len(ours) == len(users.memory):
            busy = sum(each > 0 for each in users.busy.values())
            inside = busy > len(ours) and self._computing() is not None
            return self._by_number(device, busy, len(ours)) if inside else 1.0
        share, how = split(users, ours)
        self._note(
            f"other processes compute on device {device.index} too: its energy is split by {how}"
        )
        return share

    def _by_number(self, device: Device, number: int, mine: int) -> float:
        """Our share of a device on which so many compute, of whom it is hidden which are ours.

        In a container the driver lists processes by the numbers of the host, or none but ours, and
        still counts what the others compute.
        """
        known = self._by_jobs(device)
        if known < 1 or number <= mine:
            return known
        if mine == 0:
            self._unsure[device.uuid] = 1.0
            self._note(
                f"{number} processes compute on device {device.index} and none is known to be this "
                "job's: its energy counts, and may be another's"
            )
            return 1.0
        self._note(
            f"{number} processes compute on device {device.index}, {mine} of them this job's, and "
            "a container hides which: its energy is split by their number"
        )
        return mine / number

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
    if busy > 0 and users.busy.keys() & users.memory.keys():  # else of another namespace
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
