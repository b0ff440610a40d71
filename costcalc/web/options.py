"""What may stand in the address beside the run file that a request carries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from costcalc.base.errors import InputError, Problem, nearest
from costcalc.report.renderings import FORMATS
from costcalc.web.bounds import SCORES


class Options(BaseModel):
    """Options of a request; unknown ones are errors, as keys of a run file are."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", frozen=True)


class EstimateOptions(Options):
    """Of an estimate."""

    ranges: bool = Field(default=True, description="false: low and high equal the value")


class CompareOptions(Options):
    """Of a comparison; its axes stand in the run file's ``sweep``."""

    minimize: Literal["time", "cost", "carbon"] | None = Field(
        default=None, description="the least of it within the run's limits"
    )
    ranges: bool = Field(default=True, description="draw the front's ranges")
    interruptions: bool = Field(default=True, description="count those of spot instances")


class PlanOptions(Options):
    """Of a plan; its limits stand in the run file's ``limits``."""

    confidence: float = Field(
        default=0.8, gt=0, lt=1, description="the chance that each limit is kept with"
    )
    tokens_per_parameter: Annotated[float, Field(gt=0, lt=1e9, allow_inf_nan=False)] | None = Field(
        default=None, description="over-train, for cheap inference"
    )
    experts: bool = Field(default=False, description="the nearest mixture of experts")
    interruptions: bool = Field(default=True, description="count those of spot instances")
    scores: str | None = Field(
        default=None,
        max_length=20 * SCORES,
        pattern=r"^\s*-?[0-9.eE+]+(\s*,\s*-?[0-9.eE+-]+)*\s*$",
        description="of past trials, more is better: 0.71,0.74",
    )


class VerifyOptions(Options):
    """Of a verification: none."""


class RenderOptions(Options):
    """Of a rendering."""

    format: str = Field(
        description=f"one of {', '.join(FORMATS)}", json_schema_extra={"enum": [*FORMATS]}
    )


class ListOptions(Options):
    """Of a list of the catalogue."""

    search: str | None = Field(
        default=None, max_length=200, description="words that stand in an entry's names"
    )


class PeakOptions(Options):
    """Of a peak."""

    precision: str | None = Field(
        default=None, max_length=60, description="bf16, fp16, fp8, …; all if not said"
    )


O = TypeVar("O", bound=Options)  # noqa: E741


def read(kind: type[O], given: Mapping[str, str]) -> O:
    """The options in an address.

    Raises:
        InputError: an option is unknown, or its value is none.

    >>> read(ListOptions, {"search": "qwen"}).search
    'qwen'
    """
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
    known = [*kind.model_fields]
    raise InputError(
        Problem(
            key=".".join(str(part)[:60] for part in item["loc"]),
            message=_unknown(str(item["loc"][-1]), known)
            if item["type"] == "extra_forbidden"
            else f"missing: {kind.model_fields[str(item['loc'][0])].description}"
            if item["type"] == "missing"
            else item["msg"],
        )
        for item in found
    )


def _unknown(name: str, known: list[str]) -> str:
    near = nearest(name, known, at_most=1)
    hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(known) or 'none'}"
    return f"unknown option; {hint}"
