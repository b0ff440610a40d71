"""Profiles of accelerators and processors: what one device can do, draws, costs and embodies.

A user's own folders come first, then what ships; :mod:`costcalc.catalog.matching` says which
names find a profile.
"""

from __future__ import annotations

import contextlib
import functools
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from costcalc.base.errors import InputError, NotFoundError, Problem
from costcalc.catalog.figure import (
    Bandwidth,
    Bytes,
    Date,
    Emission,
    Figure,
    Money,
    Power,
    Rate,
    Share,
    Source,
)
from costcalc.catalog.index import Head, index, plain
from costcalc.catalog.loading import Record, head_of, named, own, shipped
from costcalc.catalog.matching import counted, entries, refusal, shipped_as

if TYPE_CHECKING:
    from collections.abc import Sequence

PRECISIONS = ("fp64", "fp32", "tf32", "fp16", "bf16", "fp8", "fp4", "int8")
SHIPPED = ("accelerators", "cpus")
KEY = "hardware.accelerator"
WAY_OUT = "costcalc hardware list has them all; profiles: takes a folder with one of your own"
Plan = Literal["on-demand", "spot", "reserved-1y", "reserved-3y"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


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
        return find(mig.board, folders)
    own_heads = [head_of(mine) for mine in own_ones]
    mine_too = entries(name, own_heads, by_words=True)
    candidates = [*mine_too, *shipped_as(name, SHIPPED, by_words=True)]
    if len(candidates) == 1:
        return own_ones[own_heads.index(mine_too[0])] if mine_too else _shipped(candidates[0])
    raise _refused(name, candidates, own_heads, folders)


def _shipped(head: Head) -> Accelerator:
    return shipped(head.file, Accelerator)


def _refused(
    name: str, candidates: list[Head], own_heads: list[Head], folders: Sequence[Path]
) -> NotFoundError:
    known = [*own_heads, *(head for kind in SHIPPED for head in index().heads(kind))]
    several = None if candidates else counted(name)
    if several is not None:
        with contextlib.suppress(InputError):
            meant = find(several[1], folders).id
            message = f'"{name[:60]}" says how many too: write {meant} here and count: {several[0]}'
            return NotFoundError(Problem(key=KEY, message=message))
    return refusal(KEY, "accelerator", name, known, candidates, WAY_OUT)


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


_SLICE = re.compile(r"(?:tpu[- ]?)?v(2|3|4|5p|5e|5litepod|6e)-([1-9][0-9]{0,5})", re.ASCII)
_CORES_A_CHIP = {"2": 2, "3": 2, "4": 2, "5p": 2}  # names of the others count chips


def slice_of(name: str) -> tuple[str, int] | None:
    """The chip and the number of chips that the name of a TPU slice says; None for other names.

    Names of v2, v3, v4 and v5p count TensorCores, two a chip; v5e and v6e count chips.
    Source: Google Cloud, TPU configurations, https://docs.cloud.google.com/tpu/docs.

    >>> slice_of("v4-128"), slice_of("v5litepod-16"), slice_of("h100")
    (('tpu-v4', 64), ('tpu-v5e', 16), None)
    """
    match = _SLICE.fullmatch(plain(name))
    if match is None:
        return None
    version, number = match[1], int(match[2])
    cores = _CORES_A_CHIP.get(version, 1)
    if number % cores:
        return None
    return f"tpu-v{version.replace('5litepod', '5e')}", number // cores


class Mig(NamedTuple):
    """An instance of a partitioned board: of its compute ``slices`` in seven, and memory in GB."""

    board: str
    slices: int
    gigabytes: float


_MIG = re.compile(r"(?P<board>.+?)[ -]+mig[ -]+(?P<slices>[1-7])g\.(?P<memory>\d+)gb(?:\+me)?")


def mig_of(name: str) -> Mig | None:
    """The board and the part of it that the name of a MIG instance says; None for other names.

    Source: NVIDIA, Multi-Instance GPU User Guide, https://docs.nvidia.com/datacenter/tesla/mig-user-guide.

    >>> mig_of("NVIDIA A100-SXM4-40GB MIG 1g.5gb")
    Mig(board='nvidia a100-sxm4-40gb', slices=1, gigabytes=5.0)
    """
    match = _MIG.fullmatch(plain(name))
    if match is None:
        return None
    return Mig(match["board"], int(match["slices"]), float(match["memory"]))


def schema() -> dict[str, Any]:
    """The JSON Schema of a profile."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "costcalc hardware profile",
        **Accelerator.model_json_schema(),
    }
