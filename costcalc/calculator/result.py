"""What comes out: figures with ranges, and all that they rest on, in one shape for every output."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast, get_args, overload

from costcalc.base import units, writing
from costcalc.base.assumption import Assumption, Basis, Choice, Stated, stated

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from costcalc.calculator.report_schema import Details, Driver, Limit, Report

T = TypeVar("T")

SCHEMA = "costcalc/report/v1"
MODEL_VERSION = "2"  # of the formulas: figures of the same version and data can be recomputed
EARLIER: tuple[str, ...] = ()  # the releases before this one: 0.1.0 was never published

# Every result, in the order of the report, and the unit that it is written in.
UNITS = {
    "parameters": "1",
    "active_parameters": "1",
    "training_compute": "FLOP",
    "total_compute": "FLOP",
    "utilization": "1",
    "throughput": "token/s",
    "step_time": "s",
    "wall_clock": "h",
    "memory_per_device": "GiB",
    "device_hours": "device_hour",
    "cost": "USD",
    "energy": "kWh",
    "energy_it": "kWh",
    "water": "L",
    "carbon_operational": "kgCO2e",
    "carbon_embodied": "kgCO2e",
    "carbon_total": "kgCO2e",
    "sci": "gCO2e/EFLOP",
    "abiotic_depletion": "kgSbeq",
}
# What is told first, in the words that people have for it, in a line and at the head of one.
SAID = {"wall_clock": "time", "cost": "cost", "energy": "energy", "carbon_total": "CO2e"}
HEADLINE = {name: word[0].upper() + word[1:] for name, word in SAID.items()}
# Those that ways to run are compared by.
FigureName = Literal["wall_clock", "device_hours", "cost", "energy", "carbon_total"]
COMPARED: tuple[FigureName, ...] = get_args(FigureName)
# Of them, what grows as the run takes longer, ...
BY_TIME = (
    "wall_clock",
    "device_hours",
    "cost",
    "energy",
    "energy_it",
    "water",
    "carbon_operational",
    "carbon_embodied",
    "carbon_total",
    "abiotic_depletion",
)
# ... and what a run of stages has the sum of; the others are of one part.
SUMS = ("training_compute", "total_compute", *BY_TIME)


class WhenRead(Sequence[T]):
    """A list that is worked out when it is first read; most estimates are asked for figures only.

    >>> len(WhenRead(lambda: [{"of": "cost"}]))
    1
    """

    __slots__ = ("_made", "_make")

    def __init__(self, make: Callable[[], Sequence[T]]) -> None:
        self._make: Callable[[], Sequence[T]] | None = make
        self._made: Sequence[T] = ()

    def _read(self) -> Sequence[T]:
        if self._make is not None:
            self._made, self._make = self._make(), None
        return self._made

    @overload
    def __getitem__(self, at: int) -> T: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[T]: ...
    def __getitem__(self, at: int | slice) -> T | Sequence[T]:
        return self._read()[at]

    def __len__(self) -> int:
        return len(self._read())

    def __eq__(self, other: object) -> bool:
        return list(self) == list(other) if isinstance(other, Sequence) else NotImplemented

    def __hash__(self) -> int:
        return id(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One figure: ``value`` with its 5th and 95th percentile, in ``unit``; None with a ``why``.

    >>> energy = Result(value=2.0, low=1.5, high=3.0, unit="kWh", basis="modelled")
    >>> found = energy.to("MJ")
    >>> found.value, found.low, found.high, found.unit, found.basis
    (7.2, 5.4, 10.8, 'MJ', 'modelled')
    """

    value: float | None
    low: float | None
    high: float | None
    unit: str
    basis: Basis
    why: str = ""
    convention: str = ""
    per: Mapping[str, Mapping[str, object]] = field(default_factory=dict)  # other functional units

    @classmethod
    def of(cls, value: float, low: float, high: float, unit: str, basis: Basis) -> Result:
        """A figure from SI numbers; its range holds its value."""
        factor = units.unit(unit).factor
        shown = value / factor
        low, high = min(low / factor, shown), max(high / factor, shown)
        return cls(value=shown, low=low, high=high, unit=unit, basis=basis)

    @classmethod
    def exact(cls, value: float, unit: str, basis: Basis = "modelled") -> Result:
        """A figure without a range, in its unit."""
        return cls(value=value, low=value, high=value, unit=unit, basis=basis)

    def to(self, unit: str) -> Result:
        """The same figure in another unit.

        Raises:
            InputError: the unit is unknown, or of another dimension.
        """
        old, new = units.unit(self.unit), units.unit(unit)
        if old.dimension != new.dimension:
            raise units.wrong_dimension(self.unit, unit)
        if self.value is None or self.low is None or self.high is None:
            return replace(self, unit=unit)
        ratio = old.factor / new.factor
        return replace(
            self, value=self.value * ratio, low=self.low * ratio, high=self.high * ratio, unit=unit
        )

    def to_dict(self) -> dict[str, object]:
        """As the report says it."""
        made: dict[str, object] = {
            name: getattr(self, name) for name in ("value", "low", "high", "unit", "basis")
        }
        rest = ((name, getattr(self, name)) for name in ("why", "convention", "per"))
        return made | {name: said for name, said in rest if said}


def unknown(unit: str, why: str) -> Result:
    """A figure that cannot be had, and why."""
    return Result(value=None, low=None, high=None, unit=unit, basis="modelled", why=why)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Estimate:
    """The result of an estimate: figures, what they rest on, and the run that was asked for.

    ``stages`` are estimates of the parts where the run has several; ``breakdown`` says where the
    money, the energy, the carbon and the time of a step go.

    >>> from costcalc import estimate
    >>> made = estimate({"hardware": {"accelerator": "a100-sxm4-80", "count": 8},
    ...                  "measured": {"wall_clock": "3 h"}, "price": {"device_hour": "2 USD"}})
    >>> made.results["cost"].value, made.results["cost"].unit  # 8 × 3 h × 2 USD
    (48.0, 'USD')
    >>> made.within_limits  # there are none
    True
    """

    name: str
    results: Mapping[str, Result]
    inputs: Sequence[Assumption | Choice] = ()  # in SI
    drivers: Sequence[Driver] = ()
    warnings: Sequence[str] = ()
    notes: Sequence[str] = ()  # of the file that was read; a report does not hold them
    limits: Sequence[Limit] = ()
    breakdown: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    details: Details = field(default_factory=dict)  # type: ignore[assignment]  # total=False
    run: Mapping[str, object] = field(default_factory=dict)
    subject: Mapping[str, object] | None = None
    data: Mapping[str, str] = field(default_factory=dict)
    profiles: Mapping[str, Mapping[str, object]] = field(default_factory=dict)  # the author's own
    stages: Sequence[Estimate] = ()
    values: Mapping[str, float] = field(default_factory=dict)  # central, SI; not in the report
    measured: frozenset[str] = frozenset()  # figures that were measured rather than calculated

    @property
    def assumptions(self) -> tuple[Stated | Choice, ...]:
        """Every input that the figures rest on, in the unit that stands beside it."""
        return tuple(stated(i) if isinstance(i, Assumption) else i for i in self.inputs)

    @property
    def within_limits(self) -> bool:
        """Whether every limit is kept, judged on the value; one that cannot be judged is not."""
        return all(limit["passed"] is False for limit in self.limits)

    def __repr__(self) -> str:
        from costcalc.calculator import notebook

        return notebook.line(self)

    def _repr_html_(self) -> str:
        """What a notebook shows: the figures with their ranges drawn, and what they rest on."""
        from costcalc.calculator import notebook

        return notebook.table(self)

    def explain(self, figure: str | None = None) -> str:
        """How a figure comes about (cost, time, energy, carbon, memory, a key of results), or all.

        Raises:
            NotFoundError: there is no such figure.
        """
        from costcalc.calculator import explaining

        return explaining.figure(self, figure) if figure else "\n".join(explaining.explain(self))

    def plot(self) -> Figure:
        """The figures with their ranges, and where money, energy and carbon go, by matplotlib.

        Raises:
            MissingExtraError: matplotlib is not installed.
        """
        from costcalc.calculator import notebook

        return notebook.plot(self)

    def to_dict(self, *, identify: bool = False) -> dict[str, Any]:
        """The report: one shape for JSON, YAML and Python; plain values only.

        Unless ``identify`` is said, what the author typed is kept only as far as it names no
        person, host, path or job (:mod:`costcalc.base.blind`).
        """
        from costcalc import __version__
        from costcalc.base.blind import blinded
        from costcalc.calculator.document import own_profiles, sections

        made: dict[str, Any] = {"schema": SCHEMA, "name": self.name}
        if self.subject:
            made["subject"] = dict(self.subject)
        made["results"] = {name: result.to_dict() for name, result in self.results.items()}
        made["assumptions"] = [shown(item) for item in self.inputs]
        made["drivers"] = [dict(driver) for driver in self.drivers]
        made["warnings"] = list(self.warnings)
        if self.limits:
            made["limits"] = [dict(limit) for limit in self.limits]
        made["breakdown"] = {of: dict(parts) for of, parts in self.breakdown.items()}
        made["details"] = dict(self.details)
        made["run"] = dict(self.run)
        made["data"] = dict(self.data)
        made["stages"] = [stage.stage_dict() for stage in self.stages]
        made["costcalc_version"], made["model_version"] = __version__, MODEL_VERSION
        made = made if identify else blinded(made)
        made |= own_profiles(self.profiles, made["data"], identify=identify)
        made |= sections(cast("Report", made))
        made["digest"] = writing.digest(made)
        return made

    def stage_dict(self) -> dict[str, object]:
        """A stage as its report lists it."""
        return {
            "name": self.name,
            "results": {name: result.to_dict() for name, result in self.results.items()},
            "assumptions": [shown(item) for item in self.inputs],
            "warnings": list(self.warnings),
            "breakdown": {of: dict(parts) for of, parts in self.breakdown.items()},
            "details": dict(self.details),
        }

    def to_yaml(self, *, identify: bool = False) -> str:
        """The report as YAML."""
        first = f"# {SCHEMA}: written by costcalc"
        return writing.to_yaml(self.to_dict(identify=identify), first_line=first)

    def to_json(self, *, identify: bool = False) -> str:
        """The report as JSON."""
        return writing.to_json(self.to_dict(identify=identify))

    def save(
        self, path: str | os.PathLike[str], *, force: bool = False, identify: bool = False
    ) -> Path:
        """Write the report, as JSON where the name ends so, else YAML; whole or not at all.

        Raises:
            InputError: it exists and ``force`` is not said, or it cannot be written.
        """
        as_json = str(path).endswith(".json")
        made = self.to_json(identify=identify) if as_json else self.to_yaml(identify=identify)
        text = made + "\n" if as_json else made
        return writing.save(text, path, force=force)


def shown(item: Assumption | Choice) -> dict[str, object]:
    """An assumption as the report lists it: in its unit, without what it has not."""
    made: dict[str, object] = {"key": item.key, "value": item.value}
    if isinstance(item, Assumption):
        factor = units.unit(item.unit).factor
        made |= {name: getattr(item, name) / factor for name in ("value", "low", "high")}
        made["unit"] = item.unit
    made |= {"basis": item.basis, "source": item.source}
    if item.year is not None:
        made["year"] = item.year
    if item.why:
        made["why"] = item.why
    return made
