"""The description of the API, made of the models that check what is sent and sent back."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Literal, NotRequired, cast

from pydantic import BaseModel, TypeAdapter
from typing_extensions import TypedDict

from costcalc import __version__
from costcalc.calculator.figure_schema import Figure
from costcalc.calculator.report_schema import Report
from costcalc.decide.comparing import SCHEMA as COMPARE
from costcalc.decide.planning import SCHEMA as PLAN
from costcalc.decide.sweep import ScenarioRow
from costcalc.report.renderings import FORMATS
from costcalc.runfile.schema import Run
from costcalc.web import answer, api, bounds, options
from costcalc.web.answer import Answer

Json = dict[str, object]
_Mode = Literal["validation", "serialization"]
_YAML = "application/yaml"


class Problem(TypedDict):
    """What is wrong: with which key, and, of YAML, where."""

    key: str
    message: str
    line: NotRequired[int]
    column: NotRequired[int | None]


class Problems(TypedDict):
    """All that is wrong with a request."""

    problems: list[Problem]


class Comparison(TypedDict):
    """The front of time, cost and carbon, and what comes next."""

    schema: Literal["costcalc/compare/v1"]
    name: str
    aims: list[str]
    units: dict[str, str]
    scenarios: int
    feasible: int
    front: list[ScenarioRow]
    rest: list[ScenarioRow]
    unpriced: list[ScenarioRow]
    minimize: str | None
    best: ScenarioRow | None
    limits: dict[str, float]
    wins: dict[str, list[list[float]]]
    why_not: dict[str, str]
    notes: list[str]
    sources: list[str]


class Plan(TypedDict):
    """The run that limits buy, and what it leaves of them."""

    schema: Literal["costcalc/plan/v1"]
    training_compute: float
    run: Json
    limits: dict[str, float]
    left: dict[str, float]
    confidence: float
    chances: dict[str, float | None]
    binding: str
    units: dict[str, str]
    results: dict[str, Figure]
    notes: list[str]
    sources: list[str]


class Step(TypedDict):
    """One step of a verification."""

    title: str
    said: str
    done: bool
    discrepancies: list[str]


class Verdict(TypedDict):
    """Whether a report holds, and what was checked."""

    holds: bool
    recomputed: bool
    steps: list[Step]
    lines: list[str]


class Model(TypedDict):
    """A model known by name."""

    id: str
    name: str
    family: str
    parameters: float


class Device(TypedDict):
    """An accelerator or a processor."""

    id: str
    name: str
    vendor: str
    unit: str


class Place(TypedDict):
    """A region and its grid's emissions; null: not known."""

    id: str
    name: str
    grid: float | None
    unit: str


class Models(TypedDict):
    """A list of models."""

    models: list[Model]


class Devices(TypedDict):
    """A list of hardware."""

    hardware: list[Device]


class Places(TypedDict):
    """A list of regions."""

    regions: list[Place]


class SubDevices(TypedDict):
    """The devices that software may see in one of ``of``."""

    count: int
    name: str


class Peak(TypedDict):
    """Dense peaks of one device by precision."""

    accelerator: str
    peak: dict[str, float]
    unit: str
    of: str
    sub_devices: NotRequired[SubDevices]
    why: NotRequired[str]


_BACK: tuple[type[object], ...] = (
    *(Report, Comparison, Plan, Verdict, Models, Devices, Places, Peak, Problems),
)
# path: (what is sent, options, what comes back, summary)
_POSTS: Mapping[str, tuple[str, type[options.Options], str, str]] = {
    "estimate": (
        "Run", options.EstimateOptions, "Report", "What a run costs, with ranges and sources",
    ),
    "compare": (
        "Run", options.CompareOptions, "Comparison",
        (
            f"A run over the axes of its sweep: {bounds.SCENARIOS:,} scenarios at most, of "
            f"{bounds.HARDWARE:,} accelerators × counts × precisions, in {bounds.SWEEP:g} s"
        ),
    ),
    "plan": ("Run", options.PlanOptions, "Plan", "What the limits of a run file buy"),
    "report/verify": (
        "Report", options.VerifyOptions, "Verdict",
        "Check a report: schema and digest, arithmetic, recomputation",
    ),
    "report/render": (
        "Report", options.RenderOptions, "", "A report as what a venue asks for",
    ),
}  # fmt: skip
_GETS: Mapping[str, tuple[type[options.Options], str, str]] = {
    "models": (options.ListOptions, "Models", "The models known by name"),
    "hardware": (options.ListOptions, "Devices", "The accelerators and processors known"),
    "regions": (options.ListOptions, "Places", "The places known"),
    "peak/{name}": (options.PeakOptions, "Peak", "The dense peak of a device, FLOP/s"),
}


@cache
def description() -> Json:
    """The OpenAPI document.

    >>> description()["openapi"]
    '3.1.0'
    """
    schemas, references = _schemas()
    paths: Json = {
        f"/{path}": {"post": _post(path, *row, references)} for path, row in _POSTS.items()
    }
    paths |= {f"/{path}": {"get": _get(path, *row, references)} for path, row in _GETS.items()}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "costcalc",
            "version": __version__,
            "summary": "What training a model costs in time, money, energy and CO2e",
            "description": "A body is a run file or a report, as JSON or YAML. No key of it may "
            "name a file: what stands in the file is given inline. An answer takes "
            f"{bounds.SECONDS:g} s at most.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/api/v1"}],
        "paths": paths,
        "components": {"schemas": schemas},
    }


def _schemas() -> tuple[Json, Mapping[tuple[str, str], Json]]:
    """Every schema by name, and a reference to that of each thing sent or sent back."""
    sent: list[tuple[str, _Mode, TypeAdapter[object]]] = [
        ("Run", "validation", TypeAdapter(Run)),
        ("Report", "validation", TypeAdapter(Report)),
    ]
    back: list[TypeAdapter[object]] = [TypeAdapter(kind) for kind in _BACK]
    named = [(kind.__name__, "serialization", one) for kind, one in zip(_BACK, back, strict=True)]
    references, shared = TypeAdapter.json_schemas(
        [*sent, *cast("list[tuple[str, _Mode, TypeAdapter[object]]]", named)],
        ref_template="#/components/schemas/{model}",
    )
    return cast("Json", shared["$defs"]), cast("Mapping[tuple[str, str], Json]", references)


def _post(
    path: str,
    sent: str,
    given: type[options.Options],
    back: str,
    summary: str,
    references: Mapping[tuple[str, str], Json],
) -> Json:
    schema = references[sent, "validation"]
    return {
        "operationId": path.replace("/", "_"),
        "summary": summary,
        "parameters": _parameters(given),
        "requestBody": {
            "required": True,
            "content": {answer.JSON: {"schema": schema}, _YAML: {"schema": schema}},
        },
        "responses": {"200": _done(back, references), **_errors(references, post=True)},
    }


def _get(
    path: str,
    given: type[options.Options],
    back: str,
    summary: str,
    references: Mapping[tuple[str, str], Json],
) -> Json:
    name = path.partition("/")[0]
    inside: list[Json] = []
    if path.endswith("}"):
        inside = [{"name": "name", "in": "path", "required": True, "schema": {"type": "string"}}]
    return {
        "operationId": f"get_{name}",
        "summary": summary,
        "parameters": [*inside, *_parameters(given)],
        "responses": {
            "200": _done(back, references),
            **_errors(references, post=False),
            **({"404": _said("nothing of that name", references)} if inside else {}),
        },
    }


def _done(back: str, references: Mapping[tuple[str, str], Json]) -> Json:
    if back:
        schema = references[back, "serialization"]
        return {"description": "done", "content": {answer.JSON: {"schema": schema}}}
    kinds = sorted({api.MEDIA.get(shape, answer.TEXT).partition(";")[0] for shape in FORMATS})
    return {"description": "done", "content": {kind: {} for kind in kinds}}


def _errors(references: Mapping[tuple[str, str], Json], *, post: bool) -> Json:
    made: Json = {"400": _said("what is wrong with the request", references)}
    if post:
        made["413"] = _said("the body is too large", references)
    return {**made, "503": _said("it took too long, or too many wait", references)}


def _said(what: str, references: Mapping[tuple[str, str], Json]) -> Json:
    schema = references["Problems", "serialization"]
    return {"description": what, "content": {answer.JSON: {"schema": schema}}}


def _parameters(given: type[BaseModel]) -> list[Json]:
    made: list[Json] = []
    schema = given.model_json_schema()
    for name, told in schema.get("properties", {}).items():
        schema_of = {key: value for key, value in told.items() if key != "description"}
        made.append(
            {
                "name": name,
                "in": "query",
                "required": name in schema.get("required", ()),
                "description": told.get("description", ""),
                "schema": schema_of,
            }
        )
    return made


def served(_: bytes, given: Mapping[str, str]) -> Answer:
    """The description as an answer."""
    options.read(options.VerifyOptions, given)
    return answer.data(description())


# Checked here, so that the schemas above name what is made.
assert (COMPARE, PLAN) == ("costcalc/compare/v1", "costcalc/plan/v1")
