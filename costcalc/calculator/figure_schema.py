"""The shape of the figures of a report: each with its range, or null with a reason."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired, TypeVar

from pydantic import BeforeValidator, ConfigDict, Field, with_config
from typing_extensions import TypedDict

Basis = Literal["given", "measured", "profile", "modelled", "default"]
T = TypeVar("T")
Null = Annotated[T | None, Field(default=None)]
open_ = with_config(ConfigDict(extra="allow"))  # keys may be added; none may change its meaning


def a_number(value: object) -> object:
    """A number is a number: neither text nor true."""
    if isinstance(value, (bool, str)):
        raise ValueError("expected a number")  # noqa: TRY004 - pydantic listens to ValueError
    return value


Number = Annotated[float, BeforeValidator(a_number)]


@open_
class Lacking(TypedDict):
    """Why a figure is not known of so many runs."""

    why: str
    runs: Number


@open_
class Known(TypedDict):
    """What is known of a sum that is null, because of some of its runs something is not known."""

    value: Number | None
    runs: Annotated[Number, Field(description="runs that the value is of")]
    of: Annotated[Number, Field(description="runs in all")]
    lacking: list[Lacking]
    bound: NotRequired[
        Annotated[Literal["lower"], Field(description="lower: a meter did not see all of it")]
    ]


@open_
class Figure(TypedDict):
    """A figure with its 5th and 95th percentile; null with a reason where it cannot be had."""

    value: Number | None
    low: Number | None
    high: Number | None
    unit: str
    basis: Basis
    why: NotRequired[Annotated[Null[str], Field(description="why there is no value")]]
    convention: NotRequired[Null[str]]
    known: NotRequired[Annotated[Known, Field(description="of a sum that is null")]]
    bound: NotRequired[
        Annotated[Literal["lower"], Field(description="lower: a meter did not see all of it")]
    ]


@open_
class Results(TypedDict):
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
    sci: NotRequired[
        Annotated[Figure, Field(description="Software Carbon Intensity for AI; per: other units")]
    ]
    abiotic_depletion: NotRequired[
        Annotated[Figure, Field(description="of making the devices, as antimony")]
    ]
    carbon_operational_market: NotRequired[
        Annotated[Null[Figure], Field(description="market-based; apart, never in a total")]
    ]
