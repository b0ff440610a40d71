"""The shape of a report, ``costcalc/report/v1``, as a schema that anyone can check one against."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Basis = Literal["given", "measured", "profile", "modelled", "default"]


class Figure(BaseModel):
    """A figure with its 5th and 95th percentile; null with a reason where it cannot be had."""

    model_config = ConfigDict(extra="allow")

    value: float | None
    low: float | None
    high: float | None
    unit: str
    basis: Basis
    why: str | None = Field(None, description="why there is no value")
    convention: str | None = None


class Results(BaseModel):
    """Every figure, in the unit that the contract says; figures stand here and nowhere else."""

    model_config = ConfigDict(extra="allow")

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


class Assumed(BaseModel):
    """One number or word that the figures rest on."""

    model_config = ConfigDict(extra="allow")

    key: str
    value: Any
    low: float | None = None
    high: float | None = None
    unit: str | None = None
    basis: Basis
    source: str
    year: int | None = None
    why: str | None = None


class Driver(BaseModel):
    """How much of the variance of a result's logarithm goes with one assumption."""

    model_config = ConfigDict(extra="allow")

    of: str
    key: str
    share: float = Field(ge=0, le=1.05)


class Report(BaseModel):
    """What an estimate or a tracked run came to, and everything that it rests on."""

    model_config = ConfigDict(extra="allow")

    schema_: Literal["costcalc/report/v1"] = Field(alias="schema")
    name: str | None = None
    results: Results
    assumptions: list[Assumed]
    drivers: list[Driver]
    run: dict[str, Any]
    data: dict[str, str] = Field(description="sha256 of each data file used")
    model_version: str
    stages: list[dict[str, Any]]
    digest: str = Field(pattern=r"^sha256:[0-9a-f]{64}$")


def schema() -> dict[str, Any]:
    """The JSON Schema of a report.

    >>> schema()["title"]
    'costcalc report'
    """
    made = Report.model_json_schema(by_alias=True)
    made["title"] = "costcalc report"
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made}
