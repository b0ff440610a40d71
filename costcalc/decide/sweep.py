"""What is compared: the axes, from the command line or the ``sweep`` block of a run file."""

from __future__ import annotations

import copy
import math
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NotRequired, TypeVar

from typing_extensions import TypedDict  # which pydantic reads on every Python

from costcalc.base.document import Document
from costcalc.base.errors import InputError, NotFoundError, Problem, nearest, wrong
from costcalc.calculator.result import FigureName
from costcalc.catalog import accelerator as accelerators_
from costcalc.catalog import instances
from costcalc.catalog import region as regions_
from costcalc.resolve.names import folders, left_open
from costcalc.runfile.calibration import with_calibration
from costcalc.runfile.loading import Source, load
from costcalc.runfile.schema import PLANS, PRECISIONS, Run


class ScenarioRow(TypedDict):
    """One scenario: its axes, and its figures in the units of a report; None: not known."""

    precision: str | None
    accelerator: str
    count: int
    region: str
    plan: str
    wall_clock: float | None
    device_hours: float | None
    cost: float | None
    energy: float | None
    carbon_total: float | None
    within_limits: bool
    ranges: NotRequired[dict[FigureName, list[float]]]


T = TypeVar("T")
AXES = ("precisions", "accelerators", "counts", "regions", "plans")
MOST_IN_A_CHUNK = 250_000
MOST_COUNTS = 100_000


@dataclass(frozen=True, slots=True)
class Sweep:
    """The values of each axis; a precision of None is the run's own."""

    precisions: tuple[str | None, ...]
    accelerators: tuple[str, ...]
    counts: tuple[int, ...]
    regions: tuple[str, ...]
    plans: tuple[str, ...]
    left_open: tuple[str, ...] = ()  # what is said of names that several boards have

    @property
    def number(self) -> int:
        """How many scenarios."""
        return math.prod(len(getattr(self, axis)) for axis in AXES)

    def chunks(self, most: int = MOST_IN_A_CHUNK) -> Iterator[Sweep]:
        """The same sweep in pieces of at most ``most`` scenarios, each of one precision."""
        inner = len(self.regions) * len(self.plans)
        regions = max(min(len(self.regions), most // len(self.plans)), 1)
        counts = max(min(len(self.counts), most // inner), 1)
        devices = max(min(len(self.accelerators), most // (inner * len(self.counts))), 1)
        for precision in self.precisions:
            for names in _pieces(self.accelerators, devices):
                for some in _pieces(self.counts, counts):
                    for places in _pieces(self.regions, regions):
                        yield Sweep((precision,), names, some, places, self.plans)


def _pieces(values: Sequence[T], size: int) -> Iterator[tuple[T, ...]]:
    for start in range(0, len(values), size):
        yield tuple(values[start : start + size])


def read(
    source: Source, given: Mapping[str, object], changes: Mapping[str, object] | None = None
) -> tuple[dict[str, object], Sweep]:
    """The run as a mapping without its ``sweep`` block, and the sweep: options win over the block.

    Raises:
        InputError: the run file, or an axis, cannot be read.
    """
    raw, block = split(source)
    unknown = [key for key in block if key not in AXES]
    if unknown:
        near = nearest(unknown[0], AXES)
        hint = f"; did you mean {near[0]}?" if near else f"; expected {', '.join(AXES)}"
        raise wrong(f"sweep.{unknown[0]}", f"unknown key{hint}")
    asked = {**block, **{key: value for key, value in given.items() if value is not None}}
    defaults = _defaults(raw, changes or {})
    problems: list[Problem] = []

    def axis(
        name: str, own: str | None, values: Callable[[object], tuple[T, ...]]
    ) -> tuple[T, ...]:
        try:
            return values(asked.get(name, defaults[own] if own else None))
        except InputError as error:
            problems.extend(error.problems)
            return ()

    precisions = asked.get("precisions")
    made = Sweep(
        precisions=(None,)
        if precisions is None
        else axis("precisions", None, lambda said: _known(said, "precisions", PRECISIONS)),
        accelerators=axis("accelerators", "accelerator", lambda said: _accelerators(said, raw)),
        counts=axis("counts", "count", counts),
        regions=axis("regions", "region", _regions),
        plans=axis("plans", "plan", lambda said: _known(said, "plans", PLANS)),
    )
    if problems:
        raise InputError(problems)
    devices = asked.get("accelerators", defaults["accelerator"])
    return raw, replace(made, left_open=_left_open(devices, raw))


def split(source: Source) -> tuple[dict[str, object], dict[str, object]]:
    """A source as a mapping laid over its defaults, paths made absolute, and its ``sweep`` block.

    Raises:
        InputError: it cannot be read.
    """
    from costcalc.runfile import loading as request

    if isinstance(source, Run):
        return source.model_dump(exclude_none=True), {}
    document: Document
    document, folder = request.document_of(source)  # the file itself is checked when it is run
    data = document.data
    if not isinstance(data, Mapping):
        load(source, lambda _, __: ())  # says what is wrong, at its line
    else:
        document = request.with_defaults(document, folder)
        document = with_calibration(document, folder, request.document_of)
    raw = dict(document.data)
    block = raw.pop("sweep", None) or {}
    if not isinstance(block, Mapping):
        raise InputError(document.problem(("sweep",), "expected a mapping of axes"))
    return _absolute(raw, folder), dict(block)


def section(raw: Mapping[str, object], name: str) -> dict[str, object]:
    """A copy of one section of a run file; empty where there is none."""
    found = raw.get(name)
    return dict(found) if isinstance(found, Mapping) else {}


def _absolute(raw: dict[str, object], folder: Path | None) -> dict[str, object]:
    """Paths in the file are relative to it; the mapping has no file."""
    if folder is None:
        return raw
    model = raw.get("model")
    if isinstance(model, Mapping) and isinstance(model.get("config"), str):
        raw["model"] = {**model, "config": os.fspath((folder / str(model["config"])).absolute())}
    if isinstance(raw.get("profiles"), str):
        raw["profiles"] = os.fspath((folder / str(raw["profiles"])).absolute())
    return raw


def _defaults(raw: Mapping[str, object], changes: Mapping[str, object]) -> dict[str, object]:
    def of(section: str, key: str, otherwise: object | None = None) -> object:
        part = raw.get(section)
        own = part.get(key) if isinstance(part, Mapping) else None
        return changes.get(f"{section}.{key}", own if own is not None else otherwise)

    accelerator, count = of("hardware", "accelerator"), of("hardware", "count")
    instance, nodes = of("hardware", "instance"), of("hardware", "nodes", 1)
    if isinstance(instance, str) and str(nodes).isdecimal():  # else the run file's own check says
        host = instances.find(instance, folders(raw, None))
        accelerator = of("hardware", "accelerator", host.accelerator)
        count = int(str(nodes)) * host.devices
    return {
        "accelerator": accelerator,
        "count": count,
        "region": of("site", "region"),
        "plan": of("price", "plan", "on-demand" if of("price", "owned") is None else "owned"),
    }


def words(value: object, axis: str) -> list[str]:
    """``a,b`` or a list, as a list of words.

    >>> words("spot, on-demand", "plans")
    ['spot', 'on-demand']
    """
    if value is None:
        raise wrong(
            axis, f"nothing to compare over: give {axis}, as sweep.{axis}, or the run's own"
        )
    listed = (
        value.split(",")
        if isinstance(value, str)
        else (value if isinstance(value, Sequence) else [value])
    )
    made = list(dict.fromkeys(str(item).strip() for item in listed if str(item).strip()))
    if not made:
        raise wrong(axis, "expected at least one value; got none")
    return made


def counts(value: object) -> tuple[int, ...]:
    """``64..1024`` doubles, ``8..32:8`` steps, ``8,16`` lists.

    >>> counts("64..1024"), counts("8..32:8"), counts([8, 16])
    ((64, 128, 256, 512, 1024), (8, 16, 24, 32), (8, 16))
    """
    made: list[int] = []
    for word in words(value, "counts"):
        found = re.fullmatch(r"(\d+)(?:\.\.(\d+)(?::(\d+))?)?", word)
        if not found or int(found[1]) < 1 or (found[3] and int(found[3]) < 1):
            raise wrong("counts", f'expected counts as 64..1024, 8..32:8 or 8,16; got "{word}"')
        first, last = int(found[1]), int(found[2] or found[1])
        if last < first or last > 10_000_000:
            raise wrong(
                "counts", f'expected a range from less to more, to 10 million; got "{word}"'
            )
        if found[3]:
            step = int(found[3])
            if (last - first) // step >= MOST_COUNTS:
                raise wrong("counts", f'expected {MOST_COUNTS:,} counts at most; got "{word}"')
            made += range(first, last + 1, step)
            continue
        while first <= last:
            made.append(first)
            first *= 2
    return tuple(dict.fromkeys(made))


def _accelerators(value: object, raw: Mapping[str, object]) -> tuple[str, ...]:
    own = folders(raw, None)
    named = words(value, "accelerators")
    if named == ["all"]:
        found = accelerators_.all_accelerators(own, cpus=False)
        return tuple(sorted(one.id for one in found))
    return tuple(dict.fromkeys(_accelerator(name, own) for name in named))


def _accelerator(name: str, own: Sequence[Path]) -> str:
    try:
        return accelerators_.find(name, own).id
    except NotFoundError as error:
        raise wrong("accelerators", error.problems[0].message) from None


def _left_open(value: object, raw: Mapping[str, object]) -> tuple[str, ...]:
    own, named = folders(raw, None), words(value, "accelerators")
    if named == ["all"]:
        return ()
    notes = (left_open(name, accelerators_.find(name, own)) for name in named)
    return tuple(f"hardware.accelerator: {note}" for note in notes if note)


def _regions(value: object) -> tuple[str, ...]:
    made: list[str] = []
    for word in words(value, "regions"):
        if word == "all":
            made += regions_.codes()
        elif word in regions_.CLOUDS:
            made += [code for code in regions_.codes() if code.startswith(f"{word}:")]
        else:
            made.append(regions_.find(word, key="regions").code)
    return tuple(dict.fromkeys(made))


def _known(value: object, axis: str, known: Sequence[str]) -> tuple[str, ...]:
    made = list(known) if value == "all" else words(value, axis)
    for word in made:
        if word not in known:
            raise wrong(axis, f'expected {", ".join(known)}; got "{word}"')
    return tuple(made)


def single(run: Mapping[str, object], row: Mapping[str, object] | ScenarioRow) -> dict[str, object]:
    """The run file of one scenario: what :func:`costcalc.estimate` takes for the same figures."""
    made = copy.deepcopy(dict(run))
    hardware = section(made, "hardware")
    for key in ("instance", "nodes"):
        hardware.pop(key, None)
    made["hardware"] = {**hardware, "accelerator": row["accelerator"], "count": row["count"]}
    made["site"] = {**section(made, "site"), "region": row["region"]}
    made["price"] = {**section(made, "price"), "plan": row["plan"]}
    if row["precision"] is not None:
        made["training"] = {**section(made, "training"), "precision": row["precision"]}
    return made
