"""What one writer notes of a job: who it is, and now and then how far it has got.

A record is a line of JSON.  ``start`` says who writes; ``sample`` and ``end`` are cumulative, so
that the last whole line tells all that came before it: a torn line or a kill loses one interval.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Literal, get_args

from pydantic import TypeAdapter, ValidationError

from costcalc.report import metered

SCHEMA = "costcalc/ledger/v1"

Basis = Literal["measured", "modelled", "assumed"]
Component = Literal["device", "cpu", "memory"]
COMPONENTS: tuple[Component, ...] = get_args(Component)  # in the order of a report
Status = metered.Status


def weakest(found: Iterable[Basis]) -> Basis:
    """What a sum may be called whose parts were had in these ways.

    >>> weakest(["measured", "modelled"])
    'modelled'
    """
    order: tuple[Basis, ...] = ("assumed", "modelled", "measured")
    return min(found, key=order.index)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a process stands in its job; ``source`` says who told.

    ``node`` is the node's number in the job and ``nodes`` how many there are, None where nobody
    says; ``job`` is the same for all processes and restarts, ``attempt`` counts restarts.
    """

    rank: int = 0
    local_rank: int = 0
    world: int = 1
    local_world: int | None = None
    node: int | None = None
    nodes: int | None = None
    job: str = ""
    attempt: str | None = None
    source: str = "none: a process of its own"
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A device of the job: ``uuid`` is the driver's, or the node's with a number."""

    uuid: str
    name: str
    index: int = 0
    share: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Energy:
    """Joules of one thing since its writer began, who says so, and how far to trust it.

    ``gap`` is how many seconds its meter missed, which the joules do not hold; ``others`` are the
    joules of it that other jobs took, which they do not hold either; ``doubt`` are those that they
    hold and that may be another job's.
    """

    joules: float
    basis: Basis
    meter: str
    component: Component
    gap: float = 0.0
    others: float = 0.0
    doubt: float = 0.0

    def plus(self, other: Energy) -> Energy:
        """Both together; called what the weaker of them may be called."""
        return Energy(
            joules=self.joules + other.joules,
            basis=weakest((self.basis, other.basis)),
            meter=self.meter,
            component=self.component,
            gap=self.gap + other.gap,
            others=self.others + other.others,
            doubt=self.doubt + other.doubt,
        )


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
    notes: tuple[str, ...] = ()
    pauses: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One launch of a job: when it began (s since the epoch), how long it held what, its counts.

    ``id`` is its first writer; ``kinds`` are its devices by name and ``held`` how many they are,
    as many a node on nodes without records; ``metered`` how many of them a meter saw.  The seconds
    for which no meter saw one are ``unseen``, of all devices together.  ``energy`` is by component
    and meter.  ``unmetered`` are the meters that said nothing, and why; ``hidden`` how many devices
    of its machines the job could not see, ``unanswered`` the drivers that did not say what there
    is; ``dark`` where none of its machines has any that did.  A checkpoint carries it without its
    ``devices`` and who is ``missing``.
    """

    id: str
    began: float
    elapsed: float
    writers: int
    world: int
    nodes: int
    status: str
    counts: Counts
    kinds: Mapping[str, int] = field(default_factory=dict)
    held: float = 0.0
    metered: int = 0
    unseen: float = 0.0
    energy: Mapping[str, Energy] = field(default_factory=dict)
    cpus: tuple[str, ...] = ()
    unmetered: Mapping[str, str] = field(default_factory=dict)
    hidden: int = 0
    unanswered: tuple[str, ...] = ()
    dark: bool = False
    devices: tuple[Device, ...] = ()
    nodes_expected: int | None = None
    missing: tuple[int, ...] = ()
    duplicate: tuple[int, ...] = ()

    @property
    def all_nodes(self) -> int:
        """The nodes of the attempt, those without records among them."""
        return self.nodes + len(self.missing)


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """The first line of a writer; written again when detection ends: the later one counts.

    ``machine`` holds what was detected (cpu, cores, host_share; the meters that are ``unmetered``
    and why, drivers that are ``unanswered``, how many ``hidden_devices`` there are), ``meters`` the
    keys that this writer meters, ``run`` (rank 0) the run file; ``clock`` is ``time`` by a clock
    that the machine never sets (seconds since its boot); ``earlier`` attempts came with a
    checkpoint.  ``wrapper`` is a ``costcalc track -- COMMAND``, ``training`` the output of one that
    it runs, which is ``reported`` once it stands there.
    """

    job: str
    writer: str
    time: float
    place: Place
    boot: str
    host: str
    devices: tuple[Device, ...] = ()
    meters: tuple[str, ...] = ()
    machine: Mapping[str, object] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    run: Mapping[str, object] = field(default_factory=dict)
    interval: float = 0.0
    pid: int = 0
    clock: float | None = None
    wrapper: bool = False
    training: str = ""
    reported: bool = False
    earlier: tuple[Attempt, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """How far a writer has got since its start.

    ``time`` is seconds since the epoch, ``elapsed`` seconds of a clock that never jumps;
    ``busy`` those of the ``timed`` steps, pauses and the first step left out, ``pauses`` those that
    were named; ``energy`` by ``gpu:<uuid>``, ``cpu:<boot>``, ``memory:<boot>``; ``gaps`` seconds
    that no meter saw.
    """

    time: float
    elapsed: float
    steps: int = 0
    timed: int = 0
    busy: float = 0.0
    tokens: float | None = None
    samples: float | None = None
    total_tokens: float | None = None
    energy: Mapping[str, Energy] = field(default_factory=dict)
    gaps: float = 0.0
    pauses: Mapping[str, float] = field(default_factory=dict)
    status: Status = "running"
    notes: tuple[str, ...] = ()


Record = Start | Sample


def to_line(record: Record) -> dict[str, object]:
    """A record as plain values for one line of JSON.

    >>> to_line(Sample(time=1.0, elapsed=2.0))["kind"]
    'sample'
    """
    if isinstance(record, Start):
        return {"kind": "start", "schema": SCHEMA, **asdict(record)}
    return {"kind": "sample" if record.status == "running" else "end", **asdict(record)}


def from_line(line: Mapping[str, object]) -> Record:
    """The record of a line; keys of a later version are passed over.

    Raises:
        ValueError: it is none of ours.

    >>> from_line(to_line(Sample(time=1.0, elapsed=2.0))).elapsed
    2.0
    """
    kind = line.get("kind")
    if kind == "start" and line.get("schema") != SCHEMA:
        raise ValueError(f"expected {SCHEMA}; got {line.get('schema')!r}")
    if kind not in ("start", "sample", "end"):
        raise ValueError(f"expected a line of kind start, sample or end; got {kind!r}")
    try:
        return _reader(kind == "start").validate_python(line)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(step) for step in first["loc"])
        raise ValueError(f"a line of kind {kind!r}: {where}: {first['msg']}") from None


def of_checkpoint(data: object) -> Attempt:
    """An attempt of a checkpoint.

    Raises:
        ValueError: it is none.
    """
    try:
        return _attempt_reader().validate_python(data)
    except ValidationError as error:
        raise ValueError(f"expected an attempt; got {error.error_count()} faults") from None


@functools.cache
def _attempt_reader() -> TypeAdapter[Attempt]:
    return TypeAdapter(Attempt)


@functools.cache
def _reader(is_start: bool) -> TypeAdapter[Record]:
    return TypeAdapter(Start if is_start else Sample)
