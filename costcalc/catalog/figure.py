"""A number on disk: what it is, in which unit, who says so, and within which bounds.

Every data file of costcalc writes its numbers as `{value, unit, source}` and, where they are known,
`low` and `high` (5th and 95th percentile), `year`, `note` and `confirmed_by`. `source` and
`confirmed_by` name entries of the file's own `sources:` map.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from costcalc.base.errors import InputError
from costcalc.base.units import describe, name_of, to_si, unit


def _as_text(given: object) -> object:
    """A bare year is a number to YAML."""
    return str(given) if isinstance(given, int) and not isinstance(given, bool) else given


Date = Annotated[
    str,
    BeforeValidator(_as_text, json_schema_input_type=str | int),
    Field(pattern=r"^[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?$"),
]
"""A year, a month or a day in ISO 8601: `2023`, `2023-03`, `2023-03-22`."""


def _as_tuple(given: object) -> object:
    """One name where several may stand is a list of one."""
    return (given,) if isinstance(given, str) else given


Names = Annotated[
    tuple[str, ...], BeforeValidator(_as_tuple, json_schema_input_type=str | list[str])
]
"""One name or a list of names; a tuple once read."""


class Source(BaseModel):
    """Where a number can be looked up."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", frozen=True)

    title: str
    publisher: str
    url: str | None = None
    date: Date | None = Field(None, description="published, or the version's date, as far as known")
    checked: Date | None = Field(None, description="when somebody last looked it up")
    note: str | None = None


class Figure(BaseModel):
    """A sourced number; `si`, `si_low` and `si_high` give it in SI base units.

    >>> power = Figure(value=700, unit="W", source="datasheet", low=650, high=720)
    >>> power.si, power.si_low, power.si_high
    (700.0, 650.0, 720.0)
    >>> Figure(value=3.35, unit="TB/s", source="datasheet").si_low is None
    True
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False
    )

    value: float
    unit: str
    source: str
    low: float | None = Field(None, description="5th percentile, in the same unit")
    high: float | None = Field(None, description="95th percentile, in the same unit")
    year: int | None = Field(None, ge=1950, le=2100)
    note: str | None = None
    confirmed_by: Names = Field((), description="other sources that give the same figure")
    derived_from: Names = Field((), description="further sources that it was computed from")

    @model_validator(mode="after")
    def _ordered(self) -> Figure:
        if self.low is not None and self.low > self.value:
            raise ValueError(f"low {self.low:g} is above the value {self.value:g}")
        if self.high is not None and self.high < self.value:
            raise ValueError(f"high {self.high:g} is below the value {self.value:g}")
        return self

    @property
    def si(self) -> float:
        """The value in SI base units (byte, FLOP/s, byte/s, watt, gCO2e, USD, ...)."""
        return to_si(self.value, self.unit)

    @property
    def si_low(self) -> float | None:
        """The 5th percentile in SI base units; None where nobody has stated one."""
        return None if self.low is None else to_si(self.low, self.unit)

    @property
    def si_high(self) -> float | None:
        """The 95th percentile in SI base units; None where nobody has stated one."""
        return None if self.high is None else to_si(self.high, self.unit)


class _Measured:
    """A check that a figure is positive and of one dimension, made for one SI unit."""

    def __init__(self, si_unit: str) -> None:
        self.si_unit = si_unit

    def __call__(self, figure: Figure) -> Figure:
        wanted = unit(self.si_unit)
        try:
            got = unit(figure.unit)
        except InputError as error:
            raise ValueError(error.problems[0].message) from None
        if got.dimension != wanted.dimension:
            found = name_of(got.dimension)
            raise ValueError(
                f"expected {describe(self.si_unit)}; got {figure.unit}, which is {found}"
            )
        if figure.value <= 0:
            raise ValueError(f"expected more than 0; got {figure.value:g} {figure.unit}")
        return figure


Rate = Annotated[Figure, AfterValidator(_Measured("FLOP/s"))]
Bytes = Annotated[Figure, AfterValidator(_Measured("B"))]
Bandwidth = Annotated[Figure, AfterValidator(_Measured("B/s"))]
Power = Annotated[Figure, AfterValidator(_Measured("W"))]
Emission = Annotated[Figure, AfterValidator(_Measured("gCO2e"))]
Depletion = Annotated[Figure, AfterValidator(_Measured("gSbeq"))]
Money = Annotated[Figure, AfterValidator(_Measured("USD"))]
Share = Annotated[Figure, AfterValidator(_Measured("1"))]
Flops = Annotated[Figure, AfterValidator(_Measured("FLOP"))]
Tokens = Annotated[Figure, AfterValidator(_Measured("token"))]


def figures(item: object, path: str = "") -> Iterator[tuple[str, Figure]]:
    """Every figure inside a model, with its dotted path: `peak.bf16`, `prices.3`."""
    if isinstance(item, Figure):
        yield path, item
    elif isinstance(item, BaseModel):
        for name in type(item).model_fields:
            yield from figures(getattr(item, name), f"{path}.{name}" if path else name)
    elif isinstance(item, Mapping):
        for name, value in item.items():
            yield from figures(value, f"{path}.{name}")
    elif isinstance(item, tuple | list):
        for index, value in enumerate(item):
            yield from figures(value, f"{path}.{index}")


def source_faults(
    item: BaseModel, sources: Mapping[str, Any], also_used: Iterable[str] = ()
) -> list[tuple[str, str]]:
    """(path, fault) for each source that is named but not listed, or listed but not named."""
    faults: list[tuple[str, str]] = []
    used = set(also_used)
    for path, figure in figures(item):
        named = {
            "source": (figure.source,),
            "confirmed_by": figure.confirmed_by,
            "derived_from": figure.derived_from,
        }
        for key, names in named.items():
            used.update(names)
            faults += [
                (f"{path}.{key}", f"expected a name from sources; got {name!r}")
                for name in names
                if name not in sources
            ]
        if figure.source in figure.confirmed_by:
            faults.append((f"{path}.confirmed_by", "a source cannot confirm itself"))
    idle = [(f"sources.{name}", "no figure uses it") for name in sources if name not in used]
    return faults + idle
