"""The shape of a report, ``costcalc/report/v1``: typed records here, a JSON Schema for everybody.

Unknown is null with a reason, never 0.  Estimated, measured and mixed reports share the shape; the
sections after ``digest`` are additive, and a report without them is still one.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Literal, NotRequired

from pydantic import BeforeValidator, Field, TypeAdapter
from typing_extensions import TypedDict

from costcalc.calculator.figure_schema import Basis, Null, Number, Results, a_number, open_

Role = Literal["final", "sweep", "ablation", "preliminary", "failed", "unknown"]


@open_
class Assumed(TypedDict):
    """One number or word that the figures rest on."""

    key: str
    value: object
    low: NotRequired[Null[Number]]
    high: NotRequired[Null[Number]]
    unit: NotRequired[Null[str]]
    basis: Basis
    source: str
    year: NotRequired[Null[int]]
    why: NotRequired[Null[str]]


@open_
class Driver(TypedDict):
    """How much of the variance of a result's logarithm goes with one assumption."""

    of: str
    key: str
    share: Annotated[float, Field(ge=0, le=1.05), BeforeValidator(a_number)]


@open_
class Subject(TypedDict):
    """What the figures belong to."""

    paper: NotRequired[Annotated[Null[str], Field(description="DOI, arXiv number or URL")]]
    code: NotRequired[Annotated[Null[str], Field(description="repository")]]
    commit: NotRequired[Null[str]]
    models: NotRequired[Annotated[list[str], Field(description="names of the models")]]
    why: NotRequired[Annotated[Null[str], Field(description="why something of this is null")]]


@open_
class FunctionalUnit(TypedDict):
    """What the figures are for: R of ISO/IEC 21031 (SCI)."""

    name: str
    amount: NotRequired[Annotated[Number, Field(default=1.0)]]


@open_
class Component(TypedDict):
    """A part of the world that is counted, or is not."""

    name: str
    counted: Annotated[bool | None, Field(description="null: not known, with a reason")]
    why: NotRequired[Null[str]]


@open_
class Boundary(TypedDict):
    """What is counted and what is not."""

    stages: list[Component]
    components: list[Component]
    functional_unit: FunctionalUnit


@open_
class RunEntry(TypedDict):
    """One run, or a number of like runs, behind the figures."""

    id: Annotated[str, Field(description="unique in a project: reports are merged by it")]
    name: NotRequired[Null[str]]
    role: Role
    number: NotRequired[
        Annotated[Number, Field(1.0, description="how many like runs the entry stands for")]
    ]
    hours: NotRequired[
        Annotated[Null[Number], Field(description="wall-clock hours of one of them")]
    ]
    devices: NotRequired[Null[Number]]
    device_hours: NotRequired[Annotated[Null[Number], Field(description="of all of them")]]
    energy: NotRequired[Annotated[Null[Number], Field(description="kWh of all of them")]]
    measured_by: NotRequired[
        Annotated[Null[str], Field(description="null: calculated, or not known")]
    ]
    state: NotRequired[
        Annotated[Null[str], Field(description="running: it was not over when it was recorded")]
    ]
    members: NotRequired[
        Annotated[Null[str], Field(description="hashes of the ids of runs that stand together")]
    ]
    why: NotRequired[Annotated[Null[str], Field(description="why something of this is null")]]


@open_
class Quantity(TypedDict):
    """A value in a unit; null with a reason."""

    value: Number | None
    unit: str
    why: NotRequired[Null[str]]


@open_
class Work(TypedDict):
    """Green AI's E × D × H: cost of an example, size of the data, number of runs."""

    E: Quantity
    D: Quantity
    H: Quantity


@open_
class Project(TypedDict):
    """The whole project against what a paper reports: device-hours of all over those of one run."""

    reported_device_hours: Number | None
    total_device_hours: Number | None
    ratio: Number | None
    includes: str
    why: NotRequired[Null[str]]


@open_
class Meter(TypedDict):
    """Something that measured."""

    name: str
    version: NotRequired[Null[str]]
    what: NotRequired[Null[str]]


@open_
class Measurement(TypedDict):
    """Meters, gaps, nodes."""

    meters: list[Meter]
    gaps: NotRequired[
        Annotated[
            Null[Number],
            Field(description="seconds that no meter saw; of an import the share of device-time"),
        ]
    ]
    nodes: NotRequired[Null[Number]]
    lower_bound: NotRequired[
        Annotated[bool, Field(description="of an import: its energy is a lower bound")]
    ]
    unsampled: NotRequired[
        Annotated[
            Null[dict[str, Number]],
            Field(description="merged: device_hours not sampled, of those of the logs"),
        ]
    ]
    unmetered: NotRequired[list[dict[str, str]]]  # what, why not, and by what it would be
    not_counted: NotRequired[list[str]]  # what the energy does not hold
    others: NotRequired[list[dict[str, str | float]]]  # what other jobs took, by component
    why: NotRequired[Null[str]]


@open_
class Software(TypedDict):
    """What wrote the report."""

    name: str
    version: str | None


Run = dict[str, object]
if TYPE_CHECKING:

    class Hardware(TypedDict, total=False):
        """The accelerators of a report's details."""

        id: str
        name: str
        count: float
        unit: str
        host: str
        nodes: float
        rated_power: float
        idle_power: float
        host_power: float

    class WorkDone(TypedDict, total=False):
        """On how much is trained; ``training_flops`` where generating has a time of its own."""

        data: float | None
        datum: str
        training_flops: float

    class ByRun(TypedDict, total=False):
        """Of which runs the time is, beside totals of all of them; ``longest`` of several (h)."""

        runs: float
        time: str
        hours: float | None
        device_hours: float | None
        longest: float | None

    class Details(TypedDict, total=False):
        """What a report may say beside its figures; nothing of it is checked when it is read."""

        hardware: Hardware
        place: str
        region: str
        precision: str
        price: str
        work: WorkDone
        steps: list[list[str]]
        by_run: ByRun
        left_out: list[str]
        notes: list[str]
        layout: dict[str, object]
        memory: dict[str, float]  # GiB on the fullest device, by what they hold
        parts: list[Part]
        achieved: dict[str, float]
        tracking: dict[str, object]
        imported: Tool

    class Tool(TypedDict):
        """What another tool's record is, and what has to be known of it."""

        name: str
        version: str | None
        what: str
        warnings: list[str]

    class Part(TypedDict):
        """What a merged report carries along to calculate one of its reports again."""

        name: str
        first: int
        stages: int
        runs: int
        data: dict[str, str]
        model_version: str
        costcalc_version: str | None

    class Stage(TypedDict, total=False):
        """A part of a report as estimates and merging write it; a stranger's may lack anything."""

        name: str | None
        results: Results
        assumptions: list[Assumed]
        warnings: list[str]
        breakdown: dict[str, dict[str, float]]
        details: Details
        run: Run

    class Limit(TypedDict, total=False):
        """A limit that was asked for, whether its figure passes it, and how likely that is."""

        key: str
        limit: float
        unit: str
        value: float | None
        passed: bool | None
        chance: float | None
        text: str

else:
    Details = Stage = Limit = Tool = dict[str, object]


@open_
class Report(TypedDict):
    """What an estimate or a tracked run came to, and everything that it rests on."""

    schema: Literal["costcalc/report/v1"]
    name: NotRequired[Null[str]]
    results: Results
    assumptions: list[Assumed]
    drivers: list[Driver]
    run: Run
    data: Annotated[dict[str, str], Field(description="sha256 of each data file used")]
    profiles: NotRequired[
        Annotated[
            dict[str, dict[str, object]],
            Field(description="profiles of the author's own that the run rests on, by their file"),
        ]
    ]
    model_version: str
    costcalc_version: NotRequired[Null[str]]
    stages: list[Stage]
    warnings: NotRequired[list[str]]
    breakdown: NotRequired[
        Annotated[
            dict[str, dict[str, Number]],
            Field(description="cost USD, energy kWh, carbon kgCO2e, step s: by part"),
        ]
    ]
    details: NotRequired[Details]
    limits: NotRequired[list[Limit]]
    digest: Annotated[
        str,
        Field(
            pattern=r"^sha256:[0-9a-f]{64}$",
            description="SHA-256 of the canonical JSON without this key: sorted keys, no spaces, "
            "UTF-8",
        ),
    ]
    figures: NotRequired[
        Annotated[
            Literal["exact", "rounded"],
            Field(
                default="exact",
                description="rounded: as published; arithmetic is held to 0.6 % instead of 1e-6",
            ),
        ]
    ]
    kind: NotRequired[Null[Literal["estimated", "measured", "mixed"]]]
    subject: NotRequired[Null[Subject]]
    boundary: NotRequired[Null[Boundary]]
    runs: NotRequired[list[RunEntry]]
    work: NotRequired[Null[Work]]
    project: NotRequired[Null[Project]]
    measurement: NotRequired[Null[Measurement]]
    software: NotRequired[list[Software]]


@functools.cache
def shape() -> TypeAdapter[Report]:
    """What checks a report: only whether it is one, its values stay as they were read."""
    return TypeAdapter(Report)


@functools.cache
def sections_of_a_stage() -> Mapping[str, TypeAdapter[object]]:
    """What checks the sections of a stage, of which all but its results may lack."""
    return {
        "name": TypeAdapter(str | None),
        "warnings": TypeAdapter(list[str]),
        "results": TypeAdapter(Results),
        "assumptions": TypeAdapter(list[Assumed]),
        "breakdown": TypeAdapter(dict[str, dict[str, Number]]),
        "details": TypeAdapter(dict[str, object]),
        "run": TypeAdapter(dict[str, object]),
    }


def schema() -> dict[str, object]:
    """The JSON Schema of a report.

    >>> schema()["title"]
    'costcalc report'
    """
    made = shape().json_schema(by_alias=True) | {"title": "costcalc report"}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made}
