"""The schemas of the region, provider and equivalence files, for editors and for the tests.

Reading a region does not go through them: the files ship with costcalc and are proved against these
models by its tests, and importing pydantic would cost more than the reading.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from costcalc.catalog.figure import Source

Fuel = Literal["coal", "gas", "oil", "nuclear", "hydro", "wind", "solar", "biomass"]
Positive = Annotated[float, Field(gt=0)]


class _Part(BaseModel):
    model_config: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False
    )


class Meaning(_Part):
    """What a bare number of a column means: its unit, year, source and convention."""

    unit: str
    year: int = Field(ge=2000, le=2100)
    source: str
    basis: Literal["lifecycle", "direct"] | None = None
    flow: Literal["production", "consumption"] | None = None
    signal: Literal["average", "marginal"] | None = None
    accounting: Literal["location", "market"] | None = None
    how: Literal["taken", "computed"] | None = None


class Cell(_Part):
    """A number that differs from its column's meaning, or has its own range."""

    value: float = Field(ge=0)
    low: float | None = Field(None, ge=0)
    high: float | None = Field(None, ge=0)
    unit: str | None = None
    year: int | None = Field(None, ge=2000, le=2100)
    source: str | None = None
    flow: Literal["production", "consumption"] | None = None
    how: Literal["taken", "computed"] | None = None
    note: str | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Cell:
        low = self.value if self.low is None else self.low
        high = self.value if self.high is None else self.high
        if not low <= self.value <= high:
            raise ValueError(f"expected low <= value <= high; got {low}, {self.value}, {high}")
        return self


Number = Annotated[float, Field(ge=0)] | Cell | None


class End(_Part):
    """One end of a range: value x factor + plus."""

    factor: float = Field(gt=0)
    plus: float = 0


class AtLeast(_Part):
    """The high end is no less than a factor times another column."""

    column: Literal["direct"]
    factor: float = Field(gt=1)


class Rule(_Part):
    """How low and high follow from a value where its row gives none, and why so."""

    low: End | None = None
    high: End | None = None
    since: int | None = Field(None, description="figures older than this year get wider ranges")
    per_year: float | None = Field(None, ge=0, le=0.2)
    no_less_than: AtLeast | None = None
    why: str = Field(min_length=20)


class Row(_Part):
    """A country, state, province or zone."""

    name: str
    alpha3: str | None = Field(None, pattern=r"^[A-Z]{3}$")
    grid: Number = None
    direct: Number = None
    water: Number = None
    mix: dict[Fuel, Positive] | None = None
    year: int | None = Field(None, ge=2000, le=2100)
    low: float | None = None
    high: float | None = None
    note: str | None = None
    why: str | None = None


class CloudRow(_Part):
    """A cloud region: where it stands, on whose grid, and what is published of its sites."""

    location: str
    grid: str = Field(description="country, state, province or zone")
    geography: str | None = None
    pue: Number = None
    wue: Number = None
    direct: Number = None


class PlaceNames(_Part):
    """What a provider calls places, and which they are."""

    names: dict[str, str]
    source: str


class Site(_Part):
    """Mean PUE and WUE of a provider's sites, or of a geography's."""

    name: str | None = None
    aliases: list[str] = []
    sells: Literal["resold", "auction"] | None = None
    regions: PlaceNames | None = None
    pue: Number = None
    wue: Number = None
    why: str | None = None


class _File(_Part):
    sources: dict[str, Source]
    defaults: dict[Literal["grid", "direct", "water", "pue", "wue"], Meaning]
    ranges: dict[Literal["grid", "direct", "stand_in", "water", "pue", "wue"], Rule]
    reasons: dict[str, str] = {}
    notes: dict[str, str] = {}


class RegionsFile(_File):
    """`data/regions/{countries,us,ca,cn,nordic}.yaml`."""

    fallback: dict[Literal["water"], Cell] = {}
    factors: dict[Fuel, Cell] = {}
    also: dict[str, list[str]] = Field({}, description="other English names, by code")
    regions: dict[str, Row]


class CloudRegionsFile(_File):
    """`data/regions/{aws,azure,gcp}.yaml`."""

    provider: str
    location_source: str
    geographies: dict[str, Site] = {}
    regions: dict[str, CloudRow]


class ProvidersFile(_File):
    """`data/providers.yaml`."""

    survey: Site
    providers: dict[str, Site]


class PerOne(_Part):
    """How much carbon or energy one everyday thing stands for."""

    value: Positive
    low: Positive
    high: Positive
    unit: Literal["gCO2e/km", "kgCO2e", "kWh"]
    year: int = Field(ge=2000, le=2100)
    source: str
    note: str


class EquivalenceRow(_Part):
    """One everyday thing."""

    of: Literal["carbon", "energy"]
    one: str
    many: str
    about: str
    per_one: PerOne


class EquivalencesFile(_Part):
    """`data/equivalences.yaml`."""

    sources: dict[str, Source]
    equivalences: dict[str, EquivalenceRow]


class PriceSourcesFile(_Part):
    """`data/price_sources.yaml`."""

    sources: dict[str, Source]


FILES: dict[str, type[BaseModel]] = {
    "regions": RegionsFile,
    "cloud_regions": CloudRegionsFile,
    "providers": ProvidersFile,
    "equivalences": EquivalencesFile,
    "price_sources": PriceSourcesFile,
}
"""The name of each schema in `data/schemas`, and the model that it is generated from."""


def schema(name: str) -> dict[str, Any]:
    """The JSON Schema of one kind of file.

    >>> schema("providers")["properties"]["survey"]["$ref"]
    '#/$defs/Site'
    """
    made = FILES[name].model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made}


def named_sources(data: Any) -> Iterator[str]:
    """Every source that a file names, its own list of them left out."""
    if isinstance(data, Mapping):
        for key, value in data.items():
            if key in ("source", "location_source") and isinstance(value, str):
                yield value
            elif key != "sources":
                yield from named_sources(value)
    elif isinstance(data, list):
        for value in data:
            yield from named_sources(value)
