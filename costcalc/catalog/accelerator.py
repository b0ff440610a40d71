"""Profiles of accelerators and processors: what one device can do, draws, costs and embodies.

A user's own folders come first, then what ships; :mod:`costcalc.catalog.matching` says which
names find a profile.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, cast

from pydantic import BaseModel, ConfigDict, Field

from costcalc.base.errors import NotFoundError, Problem
from costcalc.catalog.figure import (
    Bandwidth,
    Bytes,
    Date,
    Depletion,
    Emission,
    Figure,
    Money,
    Power,
    Rate,
    Share,
    Source,
)
from costcalc.catalog.index import Head, index
from costcalc.catalog.loading import Record, head_of, named, own, shipped
from costcalc.catalog.matching import entries, refusal, shipped_as
from costcalc.catalog.parts import (
    KEY,
    SHIPPED,
    WAY_OUT,
    Unit,
    board_with,
    host_of,
    mig_of,
    mig_part,
    more_than_one,
    slice_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

PRECISIONS = ("fp64", "fp32", "tf32", "fp16", "bf16", "fp8", "fp4", "int8")
Plan = Literal["on-demand", "spot", "reserved-1y", "reserved-3y"]


class _Part(BaseModel):
    model_config: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False
    )


class SubDevices(_Part):
    """The devices that software sees in one of the profile's unit: 2 GCD in an MI250X."""

    count: int = Field(1, ge=1)
    name: str | None = None


class Peak(_Part):
    """Dense peak rates: matrix rates with fp32 accumulation; vector rates for fp64 and fp32."""

    fp64: Rate | None = None
    fp32: Rate | None = None
    tf32: Rate | None = None
    fp16: Rate | None = None
    bf16: Rate | None = None
    fp8: Rate | None = None
    fp4: Rate | None = None
    int8: Rate | None = None

    def rates(self) -> dict[str, float]:
        """FLOP/s (OP/s for int8) by precision, of those that are known."""
        known = {name: getattr(self, name) for name in PRECISIONS}
        return {name: figure.si for name, figure in known.items() if figure is not None}


class ScaleUp(_Part):
    """The fast fabric: bandwidth each way a device, over all its links."""

    bandwidth: Bandwidth
    domain: int = Field(ge=1, description="devices in the fabric, at most")
    link: str
    topology: Literal["switch", "mesh", "bridge", "torus-2d", "torus-3d", "host"] = "switch"


class SecondRoad(_Part):
    """units x clock x FLOP a clock: a second way to a peak."""

    units: int = Field(ge=1)
    clock_mhz: float = Field(gt=0)
    flop_per_clock: float = Field(gt=0)
    precision: Literal["fp64", "fp32", "tf32", "fp16", "bf16", "fp8", "fp4", "int8"]
    source: str

    @property
    def rate(self) -> float:
        """FLOP/s."""
        return self.units * self.clock_mhz * 1e6 * self.flop_per_clock


class Price(Figure):
    """What one device costs for an hour, from whom, where, on which terms, and when."""

    provider: str
    region: str | None = Field(None, description="the provider's own name of it; null: not stated")
    instance: str | None = None
    devices: float = Field(gt=0, description="devices that one such instance has")
    plan: Plan
    date: Date | None = Field(description="when it was asked; null: not known, so old")
    host: Literal["included", "excluded"] = "included"


class Accelerator(Record):
    """One accelerator (or processor), in the unit that `count` counts."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9.+-]*$")
    name: str
    vendor: str
    kind: Literal["gpu", "tpu", "asic", "cpu"]
    generation: str = Field(description="the key of the calibration: hopper, tpu-v4, cdna3, ...")
    released: int = Field(ge=1990, le=2100)
    unit: str = Field("device", description="what one of `count` is: GPU, chip, module of 2 GCD")
    sub_devices: SubDevices = SubDevices(count=1, name=None)
    aliases: tuple[str, ...] = ()
    peak: Peak
    memory: Bytes = Field(description="what software can use; the vendor's label in the note")
    memory_bandwidth: Bandwidth
    scale_up: ScaleUp | None = None
    scale_out: Bandwidth | None = Field(None, description="to other hosts, a device, each way")
    host_link: Bandwidth | None = Field(None, description="to its host, a device, each way")
    board_power: Power | None = Field(None, description="rated maximum; null: never published")
    idle_power: Power | None = None
    matmul_ceiling: dict[str, Share] = Field(
        {}, description="measured share of the dense peak that a large matrix product reaches"
    )
    embodied: Emission | None = Field(None, description="a device, without its server")
    abiotic_depletion: Depletion | None = Field(
        None, description="minerals and metals that making a device depletes, as antimony"
    )
    purchase: Money | None = None
    check: SecondRoad | None = None
    prices: tuple[Price, ...] = ()
    sources: dict[str, Source]

    def source(self, name: str) -> Source:
        """The source of that name in this file."""
        return self.sources[name]


def find(name: str, folders: Sequence[Path] = ()) -> Accelerator:
    """The profile that a name stands for; `folders` of the user's own come first, earlier wins.

    A TPU slice (`v4-128`) finds its chip, :func:`slice_of` says how many; a MIG instance finds its
    board, :func:`mig_of` says which part.

    Raises:
        NotFoundError: the name stands for no profile, or for several, which the message names.
        InputError: the profile that was found has faults.

    >>> find("NVIDIA H100 80GB HBM3").id, find("rtx4090").id
    ('h100-sxm5-80', 'rtx-4090')
    >>> find("v4-128").id
    'tpu-v4'
    """
    return _found(name, folders) if folders else _of_ours(name, index())


@functools.lru_cache(maxsize=1024)
def _of_ours(name: str, _: object) -> Accelerator:
    return _found(name, ())


def _found(name: str, folders: Sequence[Path]) -> Accelerator:
    own_ones = [mine for folder in folders for mine in own(Path(folder), Accelerator, hosts=False)]
    exact = named(own_ones, name)
    if exact is not None:
        return exact
    part = slice_of(name)
    if part is not None:
        return find(part[0], folders)
    mig = mig_of(name)
    if mig is not None:
        board = find(mig.board, folders)
        other = board_with(mig, board.id)
        mig_part(mig, other)
        return board if other == board.id else find(other, folders)
    candidates = _meant(name, own_ones)
    if len(candidates) == 1:
        one = candidates[0]
        return one if isinstance(one, Accelerator) else _shipped(one)
    raise _refused(name, candidates, own_ones, folders)


def _meant(name: str, own_ones: Sequence[Accelerator]) -> list[Accelerator | Head]:
    """What a name may stand for: the user's own profiles, and what finds those that ship."""
    heads = [head_of(mine) for mine in own_ones]
    mine_too = [own_ones[heads.index(one)] for one in entries(name, heads, by_words=True)]
    return [*mine_too, *shipped_as(name, SHIPPED, by_words=True)]


def _shipped(head: Head) -> Accelerator:
    return shipped(head.file, Accelerator)


def _refused(
    name: str,
    found: Sequence[Accelerator | Head],
    own_ones: Sequence[Accelerator],
    folders: Sequence[Path],
) -> NotFoundError:
    candidates = [head_of(one) if isinstance(one, Accelerator) else one for one in found]
    own_heads = [head_of(mine) for mine in own_ones]
    known = [*own_heads, *(head for kind in SHIPPED for head in index().heads(kind))]
    told = None if candidates else more_than_one(name, lambda one: _unit(one, own_ones))
    if told is not None:
        return NotFoundError(Problem(key=KEY, message=told))
    host = None if candidates else host_of(name, folders)
    if host is not None:
        return NotFoundError(Problem(key=KEY, message=host))
    return refusal(KEY, "accelerator", name, known, candidates, WAY_OUT)


def _unit(name: str, own_ones: Sequence[Accelerator]) -> Unit | None:
    """The unit of the one board that a name stands for; None where none or several do."""
    exact = named(own_ones, name)
    found = [exact] if exact is not None else _meant(name, own_ones)
    if len(found) != 1:
        return None
    board = found[0] if isinstance(found[0], Accelerator) else _shipped(found[0])
    return Unit(board.id, board.unit, board.sub_devices.count, board.sub_devices.name)


def all_accelerators(folders: Sequence[Path] = (), *, cpus: bool = True) -> list[Accelerator]:
    """Every profile, the user's first, those of an id already seen left out.

    >>> len(all_accelerators()) >= 60
    True
    """
    found: dict[str, Accelerator] = {}
    for folder in folders:
        for mine in own(Path(folder), Accelerator, hosts=False):
            found.setdefault(mine.id, mine)
    for kind in SHIPPED if cpus else SHIPPED[:1]:
        for head in index().heads(kind):
            found.setdefault(head.id, shipped(head.file, Accelerator))
    return list(found.values())


class Listed(NamedTuple):
    """What finds an accelerator or a processor in a list."""

    id: str
    name: str
    vendor: str
    unit: str
    aliases: tuple[str, ...]


def listed() -> tuple[Listed, ...]:
    """Every profile that ships, accelerators first, without figures and sources: of little room.

    >>> [each.unit for each in listed() if each.id == "h100-sxm5-80"]
    ['GPU']
    """
    heads = (head for kind in SHIPPED for head in index().heads(kind))
    told = (cast("dict[str, Any]", index().data(head.file)) for head in heads)
    unit = Accelerator.model_fields["unit"].default
    return tuple(
        Listed(
            *(one["id"], one["name"], one["vendor"], one.get("unit", unit)),
            aliases=tuple(one.get("aliases", ())),
        )
        for one in told
    )


def schema() -> dict[str, Any]:
    """The JSON Schema of a profile."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "costcalc hardware profile",
        **Accelerator.model_json_schema(),
    }
