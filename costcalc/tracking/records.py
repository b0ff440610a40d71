"""What one writer notes of a job: who it is, and now and then how far it has got.

A record is a line of JSON.  ``start`` says who writes; ``sample`` and ``end`` are cumulative, so
that the last whole line tells all that came before it: a torn line or a kill loses one interval.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, TypeVar, get_args

SCHEMA = "costcalc/ledger/v1"

T = TypeVar("T")

Basis = Literal["measured", "modelled", "assumed"]
Component = Literal["device", "cpu", "memory"]
COMPONENTS: tuple[Component, ...] = get_args(Component)  # in the order of a report
Status = Literal["running", "completed", "exception", "interrupted", "stopped"]


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

    ``gap`` is how many seconds its meter missed, which the joules do not hold.
    """

    joules: float
    basis: Basis
    meter: str
    component: Component
    gap: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """The first line of a writer; written again when detection ends: the later one counts.

    ``machine`` holds what was detected (cpu, cores, host_share), ``meters`` the keys that this
    writer meters, ``run`` (rank 0) the run file.
    """

    job: str
    writer: str
    time: float
    place: Place
    boot: str
    host: str
    devices: tuple[Device, ...] = ()
    meters: tuple[str, ...] = ()
    machine: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    run: Mapping[str, Any] = field(default_factory=dict)
    interval: float = 0.0
    pid: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """How far a writer has got since its start.

    ``time`` is seconds since the epoch, ``elapsed`` seconds of a clock that never jumps;
    ``busy`` those of the ``timed`` steps, pauses and the first step left out; ``energy`` by
    ``gpu:<uuid>``, ``cpu:<boot>``, ``memory:<boot>``; ``gaps`` seconds that no meter saw.
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
    status: Status = "running"
    notes: tuple[str, ...] = ()


Record = Start | Sample


def to_line(record: Record) -> dict[str, Any]:
    """A record as plain values for one line of JSON.

    >>> to_line(Sample(time=1.0, elapsed=2.0))["kind"]
    'sample'
    """
    kind = "start" if isinstance(record, Start) else "end" if _ended(record) else "sample"
    return {"kind": kind, **({"schema": SCHEMA} if kind == "start" else {}), **asdict(record)}


def from_line(line: Mapping[str, Any]) -> Record:
    """The record of a line.

    Raises:
        ValueError: it is none of ours.

    >>> from_line(to_line(Sample(time=1.0, elapsed=2.0))).elapsed
    2.0
    """
    kind = line.get("kind")
    try:
        if kind == "start":
            if line.get("schema") != SCHEMA:
                raise ValueError(f"expected {SCHEMA}; got {line.get('schema')!r}")
            place = _Read(line["place"]).into(Place, notes=tuple)
            devices = tuple(_Read(item).into(Device) for item in line.get("devices", ()))
            return _Read(line).into(
                Start, place=lambda _: place, devices=lambda _: devices, meters=tuple
            )
        if kind in ("sample", "end"):
            energy = {key: _Read(item).into(Energy) for key, item in line["energy"].items()}
            return _Read(line).into(Sample, energy=lambda _: energy, notes=tuple)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"a line of kind {kind!r} that cannot be read: {error!r}") from None
    raise ValueError(f"expected a line of kind start, sample or end; got {kind!r}")


def _ended(record: Sample) -> bool:
    return record.status != "running"


class _Read:
    """A mapping read into a record: unknown keys, of a later version, are passed over."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.data = data

    def into(self, kind: type[T], **convert: Any) -> T:
        known = {item.name for item in fields(kind)}  # type: ignore[arg-type]
        given = {name: value for name, value in self.data.items() if name in known}
        return kind(**{name: convert.get(name, _same)(value) for name, value in given.items()})


def _same(value: Any) -> Any:
    return value
