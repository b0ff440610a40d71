"""The shape of a report, ``costcalc/report/v1``, as a schema that anyone can check one against.

Unknown is null with a reason, never 0.  Estimated, measured and mixed reports share the shape; the
sections after ``digest`` are additive, and a report without them is still one.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

Basis = Literal["given", "measured", "profile", "modelled", "default"]
Role = Literal["final", "sweep", "ablation", "preliminary", "failed", "unknown"]


def _number(value: Any) -> Any:
    """A number is a number: neither text nor true."""
    if isinstance(value, (bool, str)):
        raise ValueError("expected a number")  # noqa: TRY004 - pydantic listens to ValueError
    return value


Number = Annotated[float, BeforeValidator(_number)]


class Open(BaseModel):
    """Keys may be added; none may change its meaning."""

    model_config = ConfigDict(extra="allow", defer_build=True)


class Figure(Open):
    """A figure with its 5th and 95th percentile; null with a reason where it cannot be had."""

    value: Number | None
    low: Number | None
    high: Number | None
    unit: str
    basis: Basis
    why: str | None = Field(None, description="why there is no value")
    convention: str | None = None


class Results(Open):
    """Every figure, in the unit that the contract says; figures stand here and nowhere else."""

    parameters: Figure
    active_parameters: Figure
    training_compute: Figure
    total_compute: Figure
    utilization: Figure
    throughput: Figure
    step_time: Figure
    wall_clock: Figure
    memory_per_device: Figure
    device_hours: Figure
    cost: Figure
    energy: Figure
    energy_it: Figure
    water: Figure
    carbon_operational: Figure
    carbon_embodied: Figure
    carbon_total: Figure
    carbon_operational_market: Figure | None = Field(
        None, description="market-based; apart, never in a total"
    )


class Assumed(Open):
    """One number or word that the figures rest on."""

    key: str
    value: Any
    low: Number | None = None
    high: Number | None = None
    unit: str | None = None
    basis: Basis
    source: str
    year: int | None = None
    why: str | None = None


class Driver(Open):
    """How much of the variance of a result's logarithm goes with one assumption."""

    of: str
    key: str
    share: Number = Field(ge=0, le=1.05)


class Subject(Open):
    """What the figures belong to."""

    paper: str | None = Field(None, description="DOI, arXiv number or URL")
    code: str | None = Field(None, description="repository")
    commit: str | None = None
    models: list[str] = Field(default_factory=list, description="names of the models")
    why: str | None = Field(None, description="why something of this is null")


class FunctionalUnit(Open):
    """What the figures are for: R of ISO/IEC 21031 (SCI)."""

    name: str
    amount: Number = 1.0


class Component(Open):
    """A part of the world that is counted, or is not."""

    name: str
    counted: bool | None = Field(description="null: not known, with a reason")
    why: str | None = None


class Boundary(Open):
    """What is counted and what is not."""

    stages: list[Component]
    components: list[Component]
    functional_unit: FunctionalUnit


class RunEntry(Open):
    """One run, or a number of like runs, behind the figures."""

    id: str = Field(description="unique in a project: reports are merged by it")
    name: str | None = None
    role: Role
    number: Number = Field(1.0, description="how many like runs the entry stands for")
    hours: Number | None = Field(None, description="wall-clock hours of one of them")
    devices: Number | None = None
    device_hours: Number | None = Field(None, description="of all of them")
    energy: Number | None = Field(None, description="kWh of all of them")
    measured_by: str | None = Field(None, description="null: calculated, or not known")
    why: str | None = Field(None, description="why something of this is null")


class Quantity(Open):
    """A value in a unit; null with a reason."""

    value: Number | None
    unit: str
    why: str | None = None


class Work(Open):
    """Green AI's E × D × H: cost of an example, size of the data, number of runs."""

    E: Quantity
    D: Quantity
    H: Quantity


class Project(Open):
    """The whole project against what a paper reports: device-hours of all over those of one run."""

    reported_device_hours: Number | None
    total_device_hours: Number | None
    ratio: Number | None
    includes: str
    why: str | None = None


class Meter(Open):
    """Something that measured."""

    name: str
    version: str | None = None
    what: str | None = None


class Measurement(Open):
    """Meters, gaps, nodes."""

    meters: list[Meter]
    gaps: Number | None = Field(None, description="seconds that no meter saw")
    nodes: Number | None = None
    why: str | None = None


class Software(Open):
    """What wrote the report."""

    name: str
    version: str | None


class Report(Open):
    """What an estimate or a tracked run came to, and everything that it rests on."""

    schema_: Literal["costcalc/report/v1"] = Field(alias="schema")
    name: str | None = None
    results: Results
    assumptions: list[Assumed]
    drivers: list[Driver]
    run: dict[str, Any]
    data: dict[str, str] = Field(description="sha256 of each data file used")
    model_version: str
    costcalc_version: str | None = None
    stages: list[dict[str, Any]]
    warnings: list[str] = Field(default_factory=list)
    breakdown: dict[str, dict[str, Number]] = Field(
        default_factory=dict, description="cost USD, energy kWh, carbon kgCO2e, step s: by part"
    )
    details: dict[str, Any] = Field(default_factory=dict)
    limits: list[dict[str, Any]] = Field(default_factory=list)
    digest: str = Field(
        pattern=r"^sha256:[0-9a-f]{64}$",
        description="SHA-256 of the canonical JSON without this key: sorted keys, no spaces, UTF-8",
    )
    figures: Literal["exact", "rounded"] = Field(
        "exact", description="rounded: as published; arithmetic is held to 0.6 % instead of 1e-6"
    )
    kind: Literal["estimated", "measured", "mixed"] | None = None
    subject: Subject | None = None
    boundary: Boundary | None = None
    runs: list[RunEntry] = Field(default_factory=list)
    work: Work | None = None
    project: Project | None = None
    measurement: Measurement | None = None
    software: list[Software] = Field(default_factory=list)


def schema() -> dict[str, Any]:
    """The JSON Schema of a report.

    >>> schema()["title"]
    'costcalc report'
    """
    made = Report.model_json_schema(by_alias=True)
    made["title"] = "costcalc report"
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made}
