"""From the records of all writers to the totals of the job: everything once, nothing twice.

Writers (processes) form attempts (launches of the job); energy is counted by what drew it, tokens
by data-parallel replica, time by attempt.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod

from costcalc.tracking.ledger import Written
from costcalc.tracking.records import Basis, Component, Device, Energy, Sample


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What one attempt did, of all its ranks; ``busy`` are the seconds of the ``timed`` steps.

    ``gaps`` are the seconds that a meter missed at the most.
    """

    steps: int
    timed: int
    busy: float
    tokens: float | None
    samples: float | None
    gaps: float
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One launch of a job: when it began (s since the epoch), how long it held what, its counts."""

    began: float
    elapsed: float
    writers: int
    devices: tuple[Device, ...]
    world: int
    nodes: int
    nodes_expected: int | None
    missing: tuple[int, ...]
    duplicate: tuple[int, ...]
    status: str
    counts: Counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """A job, summed over its attempts; seconds, tokens, joules.

    ``tokens`` are of the whole job; ``energy`` is by what drew it; ``gaps`` are the seconds
    that a meter missed at the most; ``cpus`` are the kinds of processor of the hosts.
    """

    job: str
    attempts: tuple[Attempt, ...]
    elapsed: float
    steps: int
    timed: int
    busy: float
    tokens: float | None
    samples: float | None
    energy: Mapping[str, Energy]
    gaps: float
    cpus: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def devices(self) -> tuple[Device, ...]:
        """The devices of the last attempt; empty where none were detected."""
        return self.attempts[-1].devices

    @property
    def nodes(self) -> int:
        """The nodes of the last attempt."""
        return self.attempts[-1].nodes

    def device_seconds(self, otherwise: float) -> float:
        """Seconds times devices; ``otherwise`` is the number where none were detected."""
        return sum(a.elapsed * (len(a.devices) or otherwise) for a in self.attempts)

    def joules(self, component: Component | None = None) -> float | None:
        """Joules of one component, or of all; None where nothing of it was metered."""
        found = [e.joules for e in self.energy.values() if component in (None, e.component)]
        return sum(found) if found else None


def totals(written: Iterable[Written], *, layout: Mapping[str, int] | None = None) -> Totals:
    """The totals of one job.

    ``layout`` says how many ranks share a replica (tensor, pipeline, context); without one every
    rank is a replica.

    Raises:
        ValueError: there is no writer, or there are writers of several jobs.
    """
    writers = [w for w in written if w.last is not None]
    jobs = {w.start.job for w in writers}
    if len(jobs) != 1:
        raise ValueError(f"expected the records of one job; got {len(jobs)}")
    shared = prod((layout or {}).get(axis, 1) for axis in ("tensor", "pipeline", "context"))
    made = [_attempt(group, shared) for group in attempts(writers)]
    counts = [attempt.counts for attempt in made]
    notes = [note for w in writers for note in (*w.start.place.notes, *_last(w).notes, *w.faults)]
    notes += [note for count in counts for note in count.notes]
    return Totals(
        job=jobs.pop(),
        attempts=tuple(made),
        elapsed=sum(a.elapsed for a in made),
        steps=sum(c.steps for c in counts),
        timed=sum(c.timed for c in counts),
        busy=sum(c.busy for c in counts),
        tokens=_added(c.tokens for c in counts),
        samples=_added(c.samples for c in counts),
        energy=energy(writers),
        gaps=sum(c.gaps for c in counts),
        cpus=tuple(sorted({str(cpu) for w in writers if (cpu := w.start.machine.get("cpu"))})),
        notes=tuple(dict.fromkeys(notes)),
    )


def _last(writer: Written) -> Sample:
    return writer.last or Sample(time=writer.start.time, elapsed=0.0)


def _ends(writer: Written) -> float:
    """When a writer was last heard of, by the clock that it began with: a jump moves nothing."""
    return writer.start.time + _last(writer).elapsed


# --- attempts ------------------------------------------------------------------------------------


def attempts(writers: Sequence[Written]) -> list[list[Written]]:
    """Writers by launch: a rank that begins again, or a new count of restarts, begins a new one.

    A rank that begins while it runs is a tracker within a tracker, of the same launch.
    """
    groups: list[list[Written]] = []
    until: dict[tuple[str, int], float] = {}
    label: str | None = None
    for writer in sorted(writers, key=lambda w: (w.start.time, w.start.writer)):
        place = writer.start.place
        who = (writer.start.boot, place.rank)
        again = who in until and writer.start.time >= until[who]
        counted = None not in (place.attempt, label) and place.attempt != label
        if not groups or again or counted:
            groups.append([])
            until, label = {}, None
        label = place.attempt or label  # a tracker around the launcher knows of no restarts
        groups[-1].append(writer)
        until[who] = max(until.get(who, _ends(writer)), _ends(writer))
    return groups


def _attempt(group: Sequence[Written], shared: int) -> Attempt:
    began = min(w.start.time for w in group)
    boots = {w.start.boot for w in group}
    by_node: dict[int, set[str]] = {}
    for w in group:
        if w.start.place.node is not None:
            by_node.setdefault(w.start.place.node, set()).add(w.start.boot)
    expected = max((w.start.place.nodes or 0 for w in group), default=0) or None
    first = min(group, key=lambda w: (w.start.place.rank, w.start.time))
    return Attempt(
        began=began,
        elapsed=max(_ends(w) for w in group) - began,
        writers=len(group),
        devices=_devices(group),
        world=max(w.start.place.world for w in group),
        nodes=len(by_node) or len(boots),
        nodes_expected=expected,
        missing=tuple(n for n in range(expected or 0) if by_node and n not in by_node),
        duplicate=tuple(sorted(n for n, found in by_node.items() if len(found) > 1)),
        status=_last(first).status,
        counts=_counted(group, shared),
    )


def _devices(group: Sequence[Written]) -> tuple[Device, ...]:
    """Each device once, however many ranks see it."""
    found = {device.uuid: device for w in group for device in w.start.devices}
    return tuple(found[uuid] for uuid in sorted(found))


# --- what was done -------------------------------------------------------------------------------


def _counted(group: Sequence[Written], shared: int) -> Counts:
    """Tokens and steps of one attempt, from what its ranks counted."""
    first = min(group, key=lambda w: (w.start.place.rank, -_last(w).timed))
    tokens, notes = _whole("tokens", group, shared)
    samples, more = _whole("samples", group, shared)
    told = [t for w in group if (t := _last(w).total_tokens) is not None]
    return Counts(
        steps=max(_last(w).steps for w in group),
        timed=_last(first).timed,
        busy=_last(first).busy,
        tokens=max(told) if told else tokens,
        samples=samples,
        gaps=max(_last(w).gaps for w in group),
        notes=(*(() if told else notes), *more),
    )


def _whole(
    name: str, group: Sequence[Written], shared: int
) -> tuple[float | None, tuple[str, ...]]:
    """The job's count from those of its ranks: each replica once."""
    counted = [value for w in group if (value := getattr(_last(w), name)) is not None]
    world = max(w.start.place.world for w in group)
    if not counted:
        return None, ()
    if len(counted) >= world:
        return sum(counted) / min(shared, world), ()
    mean = sum(counted) / len(counted)
    note = (
        f"{name}: {len(counted)} of {world} ranks counted; the others are taken to have seen "
        "as many"
    )
    return mean * world / min(shared, world), (note,)


def _added(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


# --- energy --------------------------------------------------------------------------------------


def energy(writers: Sequence[Written]) -> dict[str, Energy]:
    """Joules by what drew them: writers that metered the same thing at once count once.

    Of those whose times overlap the one that saw most is taken; those apart in time add up.  What a
    meter missed is taken at the mean power of what it saw, where that was most of the time.
    """
    made: dict[str, Energy] = {}
    for key in sorted({key for w in writers for key in _last(w).energy}):
        spans = sorted(
            ((w.start.time, _ends(w), _filled(w, key)) for w in writers if key in _last(w).energy),
            key=lambda span: span[:2],
        )
        total, gap, most, until = 0.0, 0.0, spans[0][2], spans[0][1]
        for began, ended, found in spans[1:]:
            if began >= until:
                total, gap = total + most.joules, gap + most.gap
                most, until = found, ended
            else:
                most, until = max(most, found, key=lambda e: e.joules), max(until, ended)
        made[key] = replace(
            most,
            joules=total + most.joules,
            gap=gap + most.gap,
            basis=_weakest(s[2] for s in spans),
        )
    return made


def _filled(writer: Written, key: str) -> Energy:
    """What a writer metered, with what its meter missed at the mean power of the rest."""
    found, seconds = _last(writer).energy[key], _last(writer).elapsed
    if not 0 < found.gap <= seconds / 2:
        return found
    return replace(found, joules=found.joules * seconds / (seconds - found.gap))


def _weakest(found: Iterable[Energy]) -> Basis:
    """What a sum may be called whose parts were had in these ways."""
    order: tuple[Basis, ...] = ("assumed", "modelled", "measured")
    return min((item.basis for item in found), key=order.index)


def named(devices: Sequence[Device]) -> dict[str, int]:
    """How many there are of each name.

    >>> named([Device(uuid="a", name="NVIDIA H100"), Device(uuid="b", name="NVIDIA H100")])
    {'NVIDIA H100': 2}
    """
    return dict(Counter(device.name for device in devices))
