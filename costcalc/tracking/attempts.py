"""Launches of a job told apart, each machine by its own clock.

A machine's clock may be hours off another's, and may be set while the job waits; seconds since its
boot are never set.  So times of one machine are compared by those, times of two only by the way.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from costcalc.tracking.ledger import Written
from costcalc.tracking.records import Sample

K = TypeVar("K")
_SLACK = 5.0  # seconds that a clock may be set back between one process and the next
_LACKING = 100  # launches that are kept in mind for the ranks that they lack
_QUIET = 60.0  # seconds in which no writer of a machine lives, after which another launch begins
# Beyond the longest time of one machine, the job's may reach so far: as a share, and in seconds.
_STAGGER, _STAGGER_SECONDS = 0.1, 120.0


def last(writer: Written) -> Sample:
    """The farthest that a writer got."""
    return writer.last or Sample(time=writer.start.time, elapsed=0.0)


def ends(writer: Written) -> float:
    """When a writer was last heard of, by the clock that it began with: a jump moves nothing."""
    return writer.start.time + last(writer).elapsed


def begins_after(late: Written, early: Written) -> bool:
    """Whether a process began when another had ended, as far as their clocks tell."""
    if (
        late.start.boot == early.start.boot
        and late.start.clock is not None
        and early.start.clock is not None
    ):
        return late.start.clock >= early.start.clock + last(early).elapsed
    slack = min(_SLACK, last(early).elapsed / 2, last(late).elapsed / 2)
    return late.start.time >= ends(early) - slack


@dataclass(slots=True)
class _Launch:
    """The writers of one launch, as they are found."""

    writers: list[Written] = field(default_factory=list)
    by_rank: dict[int, Written] = field(default_factory=dict)
    by_boot: dict[str, Written] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    worlds: set[int] = field(default_factory=set)
    wrappers: dict[str, Written] = field(default_factory=dict)
    until: float = 0.0

    def add(self, writer: Written) -> None:
        place = writer.start.place
        self.writers.append(writer)
        _keep_latest(self.by_rank, place.rank, writer)
        _keep_latest(self.by_boot, writer.start.boot, writer)
        self.labels.update(_labels(place.attempt))
        self.worlds.add(place.world)
        if writer.start.wrapper:
            self.wrappers[writer.start.boot] = writer
        self.until = max(self.until, ends(writer))

    def is_over(self, writer: Written) -> bool:
        """Whether a writer, the next by time, is of another launch.

        A rank that begins again is, and a new count of restarts; a rank that begins while it runs
        is a tracker within a tracker.  So is one that begins on a machine of the launch, or in a
        world of another size, after a time in which nobody lived.
        """
        place = writer.start.place
        if not writer.start.wrapper and self._is_wrapped(writer):
            return False
        labels = _labels(place.attempt)
        if any(self.labels.get(key, value) != value for key, value in labels.items()):
            return True
        same = self.by_rank.get(place.rank)
        if same is not None and begins_after(writer, same):
            return True
        quiet = writer.start.time - self.until
        if quiet < max(_QUIET, 3 * writer.start.interval):
            return False
        here = self.by_boot.get(writer.start.boot)
        return place.world not in self.worlds or (here is not None and begins_after(writer, here))

    @property
    def lacks(self) -> bool:
        """Whether some of its ranks are not here."""
        return len(self.by_rank) < max(self.worlds)

    def fits(self, other: _Launch) -> bool:
        """Whether another launch may be the ranks that this one lacks, on machines of their own."""
        return (
            self.worlds == other.worlds
            and self.by_rank.keys().isdisjoint(other.by_rank)
            and self.by_boot.keys().isdisjoint(other.by_boot)
            and all(self.labels.get(key, value) == value for key, value in other.labels.items())
        )

    @property
    def began(self) -> float:
        """When its first rank began, by the clock of that one."""
        return self.by_rank[min(self.by_rank)].start.time

    def _is_wrapped(self, writer: Written) -> bool:
        """Whether it began while a wrapper ran its command there: of one launch, if at a retry."""
        around = self.wrappers.get(writer.start.boot)
        if around is None:
            return False
        if last(around).status != "running":
            return not begins_after(writer, around)
        return writer.start.time <= ends(around) + 3 * around.start.interval


def _keep_latest(known: dict[K, Written], key: K, writer: Written) -> None:
    if key not in known or ends(writer) > ends(known[key]):
        known[key] = writer


def _labels(attempt: str | None) -> Mapping[str, str]:
    """What counts restarts: ``slurm=1 torchrun=0``; of an earlier version a number alone."""
    if not attempt:
        return {}
    parts = [word.rpartition("=") for word in attempt.split()]
    return {name: value for name, _, value in parts}


def grouped(writers: Sequence[Written]) -> list[list[Written]]:
    """Writers by launch, in the order of time."""
    launches: list[_Launch] = []
    for writer in sorted(writers, key=lambda w: (w.start.time, w.start.writer)):
        if not launches or launches[-1].is_over(writer):
            launches.append(_Launch())
        launches[-1].add(writer)
    return [launch.writers for launch in _joined(launches)]


def _joined(launches: Sequence[_Launch]) -> list[_Launch]:
    """Launches without those that are the other ranks of one before.

    A node's clock may be further off than one launch is from the next: in the order of time its
    ranks then stand beside those of another launch, or alone.
    """
    made: list[_Launch] = []
    lacking: deque[_Launch] = deque(maxlen=_LACKING)
    for launch in launches:
        whole = next((one for one in lacking if one.fits(launch)), None)
        if whole is None:
            made.append(launch)
            if launch.lacks:
                lacking.append(launch)
            continue
        for writer in launch.writers:
            whole.add(writer)
        if not whole.lacks:
            lacking.remove(whole)
    return made if len(made) == len(launches) else sorted(made, key=lambda one: one.began)


def ranks_beside(writer: str, written: Sequence[Written]) -> set[int]:
    """The ranks of the launch that a writer is of, as far as they have been seen."""
    groups = (g for g in reversed(grouped(written)) if any(w.start.writer == writer for w in g))
    return {w.start.place.rank for w in next(groups, ())}


def span(group: Sequence[Written]) -> tuple[float, str]:
    """How long a launch held its machines (s), and a note where their clocks disagree."""
    by_boot: dict[str, tuple[float, float]] = {}
    for w in group:
        began, ended = by_boot.get(w.start.boot, (w.start.time, ends(w)))
        by_boot[w.start.boot] = (min(began, w.start.time), max(ended, ends(w)))
    whole = max(e for _, e in by_boot.values()) - min(b for b, _ in by_boot.values())
    longest = max(ended - began for began, ended in by_boot.values())
    if whole <= longest * (1 + _STAGGER) + _STAGGER_SECONDS:
        return whole, ""
    note = (
        f"the clocks of the nodes disagree by {(whole - longest) / 60:.0f} minutes: the job is "
        "taken to have lasted as long as its longest node"
    )
    return longest, note
