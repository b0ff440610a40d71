"""What each tool takes, as pydantic models: their schemas are what an assistant is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, ClassVar, Literal, TypeVar, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from costcalc.base.document import Document
from costcalc.base.errors import InputError, Problem, shown
from costcalc.base.faults import translated
from costcalc.base.reading import read
from costcalc.runfile.schema import Run
from costcalc.runfile.values import expected, refused

_RUN = (
    "What is trained, on what, where: a mapping in the shape of a run file, as the tool estimate "
    "takes it; or the path of a run file in the folder that the server was given."
)


def _whole_or_named(what: str) -> BeforeValidator:
    """What is given whole or by its path, asked for in one sentence: pydantic has one a type.

    Some assistants write a mapping as the text of one.
    """

    def check(given: object) -> object:
        if not isinstance(given, (str, Mapping)):
            raise expected(what, given)
        return _mapping(given) if isinstance(given, str) and given.lstrip()[:1] == "{" else given

    return BeforeValidator(check)


def _mapping(text: str) -> object:
    try:
        return read(text, "").data
    except InputError as error:
        raise refused(
            f"expected a mapping; its text is none: {error.problems[0].message}"
        ) from None


def _values(given: object) -> object:
    """The values of an axis; what is wrong with them in one sentence too."""
    what = "a list of names or numbers, or one text"
    if not isinstance(given, (str, list)):
        raise expected(what, given)
    for value in given:
        if not isinstance(value, (str, int, float)):
            raise refused(f"expected {what}; got a list with {shown(value)} in it")
    return given


_ONE = _whole_or_named(
    "a mapping in the shape of a run file, or the path of a run file in the folder of the server"
)
RunLike = Annotated[dict[str, object] | str, _ONE, Field(description=_RUN)]
_CHANGES = 'Dotted keys laid over the run: {"training.tokens": "2T", "hardware.count": 16}.'
Axis = Annotated[list[str | int] | str, BeforeValidator(_values)] | None


class Arguments(BaseModel):
    """The base of all."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", frozen=True)


class OfARun(Arguments):
    """A run, and changes to it."""

    run: RunLike
    changes: dict[str, object] = Field(default_factory=dict, description=_CHANGES)


class Estimate(OfARun):
    """``estimate``: its schema is that of the whole run file."""


class MemoryFit(OfARun):
    """``memory_fit``."""


class Explain(OfARun):
    """``explain``."""

    figure: str = Field(
        description="cost, time, energy, carbon, memory, or a key of results such as step_time"
    )


class Compare(OfARun):
    """``compare``: axes left out are the run's own."""

    accelerators: Axis = Field(None, description='names, as ["h100", "a100-sxm4-80"]')
    counts: Axis = Field(None, description='numbers of devices: [8, 16] or "8..64", which doubles')
    regions: Axis = Field(None, description='places: ["FR", "aws:us-east-1"], or "aws"')
    plans: Axis = Field(None, description="on-demand, spot, reserved-1y, reserved-3y")
    precisions: Axis = Field(None, description="bf16, fp8, …")
    minimize: Literal["time", "cost", "carbon"] | None = Field(
        None, description="the least of it within the run's limits"
    )


class Plan(Arguments):
    """``plan``."""

    limits: dict[str, object] = Field(
        description='what must not be passed: {"cost": "500 USD", "time": "7 d", "energy": '
        '"200 kWh", "carbon": "80 kgCO2e"}'
    )
    run: Annotated[dict[str, object] | str, _ONE] | None = Field(
        None, description=f"{_RUN} Model, data and hardware may be missing."
    )
    confidence: float = Field(0.8, description="the chance with which each limit is kept")
    tokens_per_parameter: float | None = Field(None, description="more than the optimum's")


class Peak(Arguments):
    """``peak``."""

    name: str = Field(description="a device, as its driver or maker calls it")
    precision: str | None = Field(None, description="bf16, fp16, fp8, tf32, …; all if not said")


class Find(Arguments):
    """``find``."""

    kind: Literal["models", "hardware", "regions"]
    query: str = Field("", description="words that must all stand in it, as: qwen 7b")
    limit: int = Field(10, ge=1, le=50, description="how many at most")


class Verify(Arguments):
    """``verify``."""

    report: Annotated[
        dict[str, object] | str,
        _whole_or_named("a report as a mapping, or its path in the folder of the server"),
    ] = Field(description="a report as costcalc writes it, or its path in the folder of the server")


T = TypeVar("T", bound=Arguments)


def checked(model: type[T], given: Mapping[str, object]) -> T:
    """Arguments as their model has them.

    Raises:
        InputError: every one that is wrong.
    """
    try:
        return model.model_validate(given)
    except ValidationError as error:
        document = Document(dict(given), "arguments")
        found = [
            _with_choices(translated(item, document, model)[0], model)
            for item in error.errors(include_url=False)
        ]
    raise InputError(dict.fromkeys(found))


def _with_choices(problem: Problem, model: type[Arguments]) -> Problem:
    """A problem of a key that is missing, with the few words that it takes where it does."""
    field = model.model_fields.get(problem.key)
    if problem.message != "missing" or field is None:
        return problem
    choices = [str(choice) for choice in get_args(field.annotation) if isinstance(choice, str)]
    if not choices:
        return problem
    return replace(problem, message=f"missing: one of {', '.join(choices)}")


def schema_of(model: type[Arguments]) -> dict[str, object]:
    """The JSON Schema of a tool's arguments; that of ``estimate`` holds the whole run file's."""
    made = model.model_json_schema()
    if model is not Estimate:
        return _slim(made)
    whole = Run.model_json_schema()
    defs = whole.pop("$defs")
    whole.pop("title", None)
    run = {"anyOf": [{**whole, "description": _RUN}, {"type": "string", "description": _RUN}]}
    made["properties"]["run"] = run
    return _slim({**made, "$defs": defs})


def _slim(schema: object) -> dict[str, object]:
    """A schema without what only repeats: titles of keys, and null, which a missing key means."""
    made = _slimmed(schema)
    assert isinstance(made, dict)
    return made


def _slimmed(schema: object) -> object:
    if isinstance(schema, list):
        return [_slimmed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {
        key: {name: _slimmed(inner) for name, inner in value.items()}
        if key in ("properties", "$defs") and isinstance(value, dict)
        else _slimmed(value)
        for key, value in schema.items()
        if key != "title" and not (key == "default" and value is None)
    }
    options = kept.get("anyOf")
    if isinstance(options, list) and {"type": "null"} in options:
        rest = [option for option in options if option != {"type": "null"}]
        del kept["anyOf"]
        kept = {**rest[0], **kept} if len(rest) == 1 else {**kept, "anyOf": rest}
    return kept
