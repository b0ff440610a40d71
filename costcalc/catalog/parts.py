"""Names that say a part or a number of a device: slices of TPUs, MIG instances.

Here stands what finds a device without reading its profile whole.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from costcalc.catalog.index import Head, index, plain
from costcalc.catalog.matching import refusal, shipped_as

SHIPPED = ("accelerators", "cpus")
KEY = "hardware.accelerator"
WAY_OUT = "costcalc hardware list has them all; profiles: takes a folder with one of your own"
MIG_SLICES = 7
"""Compute slices of a partitioned board (NVIDIA, Multi-Instance GPU User Guide)."""
MIG_SLICES_OF = {"a30": 4, "a30x": 4}
"""Boards that are cut otherwise (the same guide)."""

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


def slices_of(board: str) -> int:
    """Compute slices that a board of this id is cut into."""
    return MIG_SLICES_OF.get(board, MIG_SLICES)


def part_of(name: str) -> tuple[Head, float]:
    """What finds the device of a name among those that ship, and the share of it that is meant.

    Raises:
        NotFoundError: the name stands for none, or for several.

    >>> part_of("NVIDIA A100-SXM4-40GB MIG 1g.5gb")[0].id
    'a100-sxm4-40'
    """
    mig, chips = mig_of(name), slice_of(name)
    board = mig.board if mig else chips[0] if chips else name
    found = shipped_as(board, SHIPPED, by_words=True)
    if len(found) != 1:
        known = [head for kind in SHIPPED for head in index().heads(kind)]
        raise refusal(KEY, "accelerator", name, known, found, WAY_OUT)
    return found[0], mig.slices / slices_of(found[0].id) if mig else 1.0
