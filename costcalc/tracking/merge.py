"""From the records of all writers to the totals of the job: everything once, nothing twice.

Writers (processes) form attempts (launches of the job); energy is counted by what drew it, tokens
by data-parallel replica, time by attempt.  One pass over the writers, however many they are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod

from costcalc.tracking.attempts import grouped, last, span
from costcalc.tracking.drawn import Drawn, drawn
from costcalc.tracking.held import filled, note_of_silent, silent
from costcalc.tracking.ledger import Written
from costcalc.tracking.notes import Notes
from costcalc.tracking.records import Attempt, Component, Counts, Device, Energy, Sample

_NOTES = 60  # kinds of notes of a whole job


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """A job: its attempts, and the joules by what drew them; the rest follows."""

    job: str
    attempts: tuple[Attempt, ...]
    energy: Mapping[str, Energy]
    notes: tuple[str, ...]

    @property
    def elapsed(self) -> float:
        """Seconds of all attempts."""
        return sum(a.elapsed for a in self.attempts)

    @property
    def steps(self) -> int:
        """Steps of all attempts."""
        return sum(a.counts.steps for a in self.attempts)

    @property
    def timed(self) -> int:
        """The steps that were timed."""
        return sum(a.counts.timed for a in self.attempts)

    @property
    def busy(self) -> float:
        """Seconds of the timed steps."""
        return sum(a.counts.busy for a in self.attempts)

    @property
    def tokens(self) -> float | None:
        """Tokens of the whole job; None where none were counted."""
        return _added(a.counts.tokens for a in self.attempts)

    @property
    def samples(self) -> float | None:
        """Samples of the whole job; None where none were counted."""
        return _added(a.counts.samples for a in self.attempts)

    @property
    def gaps(self) -> float:
        """Seconds that a meter missed at the most."""
        return sum(a.counts.gaps for a in self.attempts)

    @property
    def cpus(self) -> tuple[str, ...]:
        """The kinds of processor of the hosts."""
        return tuple(sorted({cpu for a in self.attempts for cpu in a.cpus}))

    @property
    def others(self) -> dict[str, float]:
        """Joules that other jobs took of what this one shared with them, by component."""
        found: Counter[str] = Counter()
        for item in self.energy.values():
            if item.others > 0:
                found[item.component] += item.others  # type: ignore[assignment]
        return dict(found)

    @property
    def share_of_devices(self) -> float:
        """What the job had of its devices' energy where other jobs took some; all of it else."""
        own, others = self.joules("device"), self.others.get("device", 0.0)
        return own / (own + others) if own else 1.0

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
        return sum(a.elapsed * (a.held or otherwise) for a in self.attempts)

    @property
    def unseen(self) -> float:
        """Seconds times devices for which no meter saw one."""
        return sum(a.unseen for a in self.attempts)

    @property
    def device_watts(self) -> float | None:
        """The mean power of a device while a meter saw it; None where none did."""
        joules, seen = self.joules("device"), self.device_seconds(0.0) - self.unseen
        return joules / seen if joules is not None and self.devices_seen else None

    @property
    def devices_seen(self) -> bool:
        """Whether a meter saw the devices; other jobs may have had all that they drew."""
        seen = self.device_seconds(0.0) - self.unseen
        return seen > 0 and bool(self.joules("device") or self.others.get("device"))

    @property
    def pauses(self) -> dict[str, float]:
        """Seconds of the pauses that were named, by name."""
        found: Counter[str] = Counter()
        for attempt in self.attempts:
            found.update(attempt.counts.pauses)
        return dict(found)

    def joules(self, component: Component | None = None) -> float | None:
        """Joules of one component, or of all; None where nothing of it was metered."""
        found = [e.joules for e in self.energy.values() if component in (None, e.component)]
        return sum(found) if found else None

    def joules_of_all(self) -> float | None:
        """Joules with those of devices while no meter saw them, at the mean power of the rest.

        None where nothing was metered, or devices were held and none of them was.
        """
        joules, watts = self.joules(), self.device_watts
        if not self.devices or joules is None:
            return joules
        return None if watts is None else joules + watts * self.unseen

    @property
    def metered(self) -> bool:
        """Whether every device that was seen has a meter's reading."""
        return bool(self.devices) and all(a.metered >= sum(a.kinds.values()) for a in self.attempts)


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
    groups = grouped(writers)
    by_attempt = drawn(groups)
    made = filled(
        [
            *_carried(writers),
            *(_attempt(group, shared(layout), by_attempt[n]) for n, group in enumerate(groups)),
        ]
    )
    notes = Notes(most=_NOTES)
    for w in writers:
        for note in (*w.start.place.notes, *last(w).notes, *w.faults):
            notes.add(note)
    for attempt in made:
        for note in attempt.counts.notes:
            notes.add(note)
    return Totals(
        job=jobs.pop(), attempts=tuple(made), energy=_energy(made, by_attempt), notes=tuple(notes)
    )


def shared(layout: Mapping[str, int] | None) -> int:
    """How many ranks share a replica."""
    return prod((layout or {}).get(axis, 1) for axis in ("tensor", "pipeline", "context"))


def carried(attempt: Attempt) -> Attempt:
    """An attempt as a checkpoint carries it: as long however many nodes it had."""
    return replace(
        attempt, nodes=attempt.all_nodes, nodes_expected=None, devices=(), missing=(), duplicate=()
    )


def _carried(writers: Sequence[Written]) -> list[Attempt]:
    """Attempts that came with checkpoints and have no records here."""
    here = {w.start.writer for w in writers}
    found = {item.id: item for w in writers for item in w.start.earlier if item.id not in here}
    return sorted(found.values(), key=lambda item: item.began)


def _energy(made: Sequence[Attempt], by_attempt: Sequence[Drawn]) -> dict[str, Energy]:
    """Joules by what drew them, over all attempts."""
    found: dict[str, Energy] = {}
    for number, attempt in enumerate(made[: len(made) - len(by_attempt)]):
        for name, item in attempt.energy.items():
            found[f"{item.component}:earlier {number}: {name}"] = item
    for each in by_attempt:
        for key, item in each.energy.items():
            found[key] = found[key].plus(item) if key in found else item
    return dict(sorted(found.items()))


# --- one attempt ---------------------------------------------------------------------------------


def _attempt(group: Sequence[Written], parts: int, seen: Drawn) -> Attempt:
    by_node: dict[int, set[str]] = {}
    for w in group:
        if w.start.place.node is not None:
            by_node.setdefault(w.start.place.node, set()).add(w.start.boot)
    expected = max((w.start.place.nodes or 0 for w in group), default=0) or None
    first = min(group, key=lambda w: (w.start.place.rank, w.start.time))
    devices, nodes = _devices(group), len(by_node) or len({w.start.boot for w in group})
    missing = tuple(n for n in range(expected or 0) if by_node and n not in by_node)
    elapsed, *notes = span(group)
    machines, dark = len({w.start.boot for w in group}), len(silent(group))
    held = len(devices) * (nodes + len(missing)) / nodes
    if devices and dark:
        held *= machines / (machines - dark)
        notes.append(note_of_silent(dark, machines))
    return Attempt(
        id=first.start.writer,
        began=min(w.start.time for w in group),
        elapsed=elapsed,
        writers=len(group),
        devices=devices,
        kinds=named(devices),
        held=held,
        metered=sum(f"gpu:{device.uuid}" in seen.energy for device in devices),
        unseen=max(held * elapsed - seen.device_seconds, 0.0) if devices else 0.0,
        world=max(w.start.place.world for w in group),
        nodes=nodes,
        nodes_expected=expected,
        missing=missing,
        duplicate=tuple(sorted(n for n, found in by_node.items() if len(found) > 1)),
        status=last(first).status,
        counts=_counted(group, parts, notes),
        energy=seen.by_meter(),
        cpus=tuple(sorted({str(cpu) for w in group if (cpu := w.start.machine.get("cpu"))})),
        unmetered=_unmetered(group),
        hidden=sum(_whole_number(w.start.machine.get("hidden_devices")) for w in group),
        unanswered=_unanswered(group),
        dark=dark == machines,
    )


def _unmetered(group: Sequence[Written]) -> dict[str, str]:
    """The meters that said nothing anywhere, and why."""
    found: dict[str, str] = {}
    for w in group:
        said = w.start.machine.get("unmetered")
        found |= {str(k): str(v) for k, v in said.items()} if isinstance(said, Mapping) else {}
    return found


def _unanswered(group: Sequence[Written]) -> tuple[str, ...]:
    """The drivers that have not answered somewhere."""
    said = [w.start.machine.get("unanswered") for w in group]
    return tuple(
        sorted({str(name) for each in said if isinstance(each, (list, tuple)) for name in each})
    )


def _whole_number(value: object) -> int:
    return value if isinstance(value, int) else 0


def _devices(group: Sequence[Written]) -> tuple[Device, ...]:
    """Each device once, however many ranks see it."""
    found = {device.uuid: device for w in group for device in w.start.devices}
    return tuple(found[uuid] for uuid in sorted(found))


def _counted(group: Sequence[Written], parts: int, said: Iterable[str]) -> Counts:
    """Tokens and steps of one attempt, from what its ranks counted."""
    first = min(group, key=lambda w: (w.start.place.rank, -last(w).timed)).start
    firsts = [  # one after another
        last(w)
        for w in group
        if (w.start.place.rank, w.start.boot) == (first.place.rank, first.boot)
    ]
    tokens, notes = _whole("tokens", group, parts)
    samples, more = _whole("samples", group, parts)
    told = [t for w in group if (t := last(w).total_tokens) is not None]
    return Counts(
        steps=_steps(group),
        timed=sum(sample.timed for sample in firsts),
        busy=sum(sample.busy for sample in firsts),
        tokens=max(told) if told else tokens,
        samples=samples,
        gaps=max(last(w).gaps for w in group),
        notes=(*(() if told else notes), *more, *filter(None, said)),
        pauses=_pauses(firsts),
    )


def _steps(group: Sequence[Written]) -> int:
    """Of each training the steps of the rank that did the most, in all of its processes."""
    by_rank: Counter[tuple[str, int, str]] = Counter()
    for w in group:
        by_rank[w.start.training, w.start.place.rank, w.start.boot] += last(w).steps
    most: dict[str, int] = {}
    for (training, _, _), steps in by_rank.items():
        most[training] = max(steps, most.get(training, 0))
    return sum(most.values())


def _pauses(samples: Iterable[Sample]) -> dict[str, float]:
    found: Counter[str] = Counter()
    for sample in samples:
        found.update(sample.pauses)
    return dict(found)


def _whole(name: str, group: Sequence[Written], parts: int) -> tuple[float | None, tuple[str, ...]]:
    """The job's count from those of its ranks: each replica once."""
    counted = [value for w in group if (value := getattr(last(w), name)) is not None]
    world = max(w.start.place.world for w in group)
    if not counted:
        return None, ()
    if len(counted) >= world:
        return sum(counted) / min(parts, world), ()
    mean = sum(counted) / len(counted)
    note = (
        f"{name}: {len(counted)} of {world} ranks counted; the others are taken to have seen "
        "as many"
    )
    return mean * world / min(parts, world), (note,)


def _added(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def named(devices: Sequence[Device]) -> dict[str, int]:
    """How many there are of each name.

    >>> named([Device(uuid="a", name="NVIDIA H100"), Device(uuid="b", name="NVIDIA H100")])
    {'NVIDIA H100': 2}
    """
    return dict(Counter(device.name for device in devices))
