"""Names that say a part or a number of a device: slices of TPUs, MIG instances, virtual GPUs.

Here stands what finds a device without reading its profile whole.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

from costcalc.base.errors import InputError, NotFoundError, Problem
from costcalc.catalog.index import Head, index, plain
from costcalc.catalog.matching import SOLD, counted, refusal, shipped_as

SHIPPED = ("accelerators", "cpus")
KEY = "hardware.accelerator"
WAY_OUT = "costcalc hardware list has them all; profiles: takes a folder with one of your own"
_SLICE = re.compile(
    r"(?:google )?(?:cloud )?(?:tpu[- ]?)?(?:vm )?v?"
    r"(?P<version>2|3|4|5p|5e|5litepod|6e|7x)-(?P<number>[1-9][0-9]{0,5})",
    re.ASCII,
)
_CORES_A_CHIP = {"2": 2, "3": 2, "4": 2, "5p": 2, "7x": 2}  # names of the others count chips
_SPELT = {"5litepod": "5e", "7x": "7"}


def slice_of(name: str) -> tuple[str, int] | None:
    """The chip and the number of chips that the name of a TPU slice says; None for other names.

    Names of v2, v3, v4, v5p and 7x count TensorCores, two a chip; v5e and v6e count chips.
    Source: Google Cloud, TPU configurations, https://docs.cloud.google.com/tpu/docs.

    >>> slice_of("v4-128"), slice_of("v5litepod-16"), slice_of("Cloud TPU v3-8"), slice_of("h100")
    (('tpu-v4', 64), ('tpu-v5e', 16), ('tpu-v3', 4), None)
    """
    match = _SLICE.fullmatch(plain(name))
    if match is None or not re.search(r"v[2-6]|tpu", plain(name)):
        return None
    version, number = match["version"], int(match["number"])
    cores = _CORES_A_CHIP.get(version, 1)
    if number % cores:
        return None
    return f"tpu-v{_SPELT.get(version, version)}", number // cores


class Mig(NamedTuple):
    """An instance of a partitioned board, as its name says it: compute slices and memory in GB.

    No slices: a virtual GPU that has the whole chip for its share of the time.
    """

    board: str
    slices: int
    gigabytes: int

    @property
    def profile(self) -> str:
        """What nvidia-smi calls it: ``1g.10gb``."""
        return f"{self.slices}g.{self.gigabytes}gb"


class Part(NamedTuple):
    """What an instance has of its board, each as a share of the whole."""

    slices: float  # of the compute slices: what is allotted, and paid for
    compute: float  # of the multiprocessors: what it reaches of the peak
    memory: float  # of the memory, and so of its bandwidth
    why: str
    source: str = "NVIDIA, Multi-Instance GPU User Guide"


class Chip(NamedTuple):
    """How a chip is cut: the multiprocessors of a profile, by its slices of compute and memory."""

    multiprocessors: int
    cuts: Mapping[tuple[int, int], int]

    @property
    def whole(self) -> tuple[int, int]:
        """The slices of the whole board."""
        return max(self.cuts)


# Multiprocessors a profile. They are fewer than slices over seven where the chip has some that fill
# no slice (A100: 7 x 14 of 108). Which profiles there are: NVIDIA, Multi-Instance GPU User Guide,
# https://docs.nvidia.com/datacenter/tesla/mig-user-guide/supported-mig-profiles.html. Their
# multiprocessors: the same guide's lists by nvidia-smi, and NVIDIA/mig-parted's threads 120 (H200),
# 139 (GH200), 166 and 187 (B200), 227 (GB200), all as of 2026-11. What those threads were not read
# for, 3g and 4g of B200 and GB200, goes by H100: 4g is twice 2g, 3g a pair less than that.
_SEVEN = ((1, 1), (1, 2), (2, 2), (3, 4), (4, 4), (7, 8))
_FOUR = ((1, 1), (2, 2), (4, 4))
A100 = Chip(108, dict(zip(_SEVEN, (14, 14, 28, 42, 56, 98), strict=True)))
A30 = Chip(56, dict(zip(_FOUR, (14, 28, 56), strict=True)))
H100_PCIE = Chip(114, dict(zip(_SEVEN, (14, 14, 30, 46, 62, 114), strict=True)))
H100 = Chip(132, dict(zip(_SEVEN, (16, 26, 32, 60, 64, 132), strict=True)))
B200 = Chip(148, dict(zip(_SEVEN, (18, 30, 36, 70, 72, 148), strict=True)))
GB200 = Chip(152, dict(zip(_SEVEN, (18, 32, 38, 74, 76, 152), strict=True)))
RTX_PRO_6000 = Chip(188, dict(zip(_FOUR, (46, 94, 188), strict=True)))
# By board: its chip, and the GB that its profiles are named by, from the least memory up.
MIG: Mapping[str, tuple[Chip, tuple[int, ...]]] = {
    **dict.fromkeys(("a100-pcie-40", "a100-sxm4-40"), (A100, (5, 10, 20, 40))),
    **dict.fromkeys(("a100-pcie-80", "a100-sxm4-80", "a100x"), (A100, (10, 20, 40, 80))),
    **dict.fromkeys(("a30", "a30x"), (A30, (6, 12, 24))),
    "h100-pcie-80": (H100_PCIE, (10, 20, 40, 80)),
    "h100-sxm5-80": (H100, (10, 20, 40, 80)),
    **dict.fromkeys(("h100-nvl-94", "h100-sxm5-94"), (H100, (12, 24, 47, 94))),
    **dict.fromkeys(("h100-sxm5-96", "gh200-96"), (H100, (12, 24, 48, 96))),
    "gh200-144": (H100, (18, 36, 72, 144)),
    **dict.fromkeys(("h200-sxm-141", "h200-nvl-141"), (H100, (18, 35, 71, 141))),
    "b200-sxm-180": (B200, (23, 45, 90, 180)),
    "gb200": (GB200, (23, 47, 93, 186)),
    **dict.fromkeys(
        ("rtx-pro-6000-server", "rtx-pro-6000-ws", "rtx-pro-6000-max-q"),
        (RTX_PRO_6000, (24, 48, 96)),
    ),
}
# Schedulers join the words otherwise: ``a100_1g.5gb``, ``nvidia_a100-sxm4-40gb_mig_1g.5gb``.
_MIG = re.compile(
    r"(?P<board>.+?)(?:[ :._-]+mig)?[ :._-]+"
    r"(?P<slices>[1-7])g\.(?P<memory>\d{1,3})gb(?:[+._-][a-z.]+)?"
)
_SIZED = re.compile(r"(?<![a-z\d])\d{2,3}(?: ?gi?b)?(?![a-z\d])")  # a board says its own memory


# Boards that names of virtual GPUs say in their own way, and names that are others' otherwise.
# Source: NVIDIA, Virtual GPU Software User Guide, virtual GPU types,
# https://docs.nvidia.com/vgpu/latest/grid-vgpu-user-guide/, and its tables of peer-to-peer
# transfers for Hopper, as of 2026-11.
_VIRTUAL = {
    "a100": "a100-pcie-40", "a100x": "a100-sxm4-40", "a100d": "a100-pcie-80",
    "a100dx": "a100-sxm4-80", "a800": "a800-pcie-40", "a800d": "a800-pcie-80",
    "a800dx": "a800-sxm4-80", "a30x": "a30x", "h100": "h100-pcie-80", "h100xm": "h100-sxm5-80",
    "h100l": "h100-nvl-94", "h100xl": "h100-sxm5-94", "h100xs": "h100-sxm5-64",
    "h20": "h20-96", "h20x": "h20-141", "h800": "h800-pcie-80", "h800xm": "h800-sxm5-80",
    "h200": "h200-nvl-141", "h200x": "h200-sxm-141", "v100": "v100-pcie-16",
    "v100x": "v100-sxm2-16", "v100d": "v100-pcie-32", "v100dx": "v100-sxm2-32",
    "v100l": "v100-fhhl-16", "v100s": "v100s-pcie-32", "p100": "p100-pcie-16",
    "p100x": "p100-sxm2", "p100c": "p100-pcie-12", "rtx6000": "quadro-rtx-6000",
    "rtx6000p": "quadro-rtx-6000", "rtx8000": "quadro-rtx-8000", "rtx8000p": "quadro-rtx-8000",
    "rtxpro6000blackwelldc": "rtx-pro-6000-server",
}  # fmt: skip
_VGPU = re.compile(
    r"(?:nvidia |grid )*(?P<board>(?=[a-z])[a-z0-9 -]*?)"
    r"-(?:(?P<slices>[1-7])-)?(?P<memory>\d{1,3})[qcab]"
)


def mig_of(name: str) -> Mig | None:
    """The board and the part of it that a name says, of a MIG instance or a virtual GPU.

    None for other names.

    >>> mig_of("NVIDIA A100-SXM4-40GB MIG 1g.5gb")
    Mig(board='nvidia a100-sxm4-40gb', slices=1, gigabytes=5)
    >>> mig_of("GRID A100D-20C"), mig_of("NVIDIA A100-1-5C")  # by time; by compute slices
    (Mig(board='a100-pcie-80', slices=0, gigabytes=20), Mig(board='a100-pcie-40', slices=1, \
gigabytes=5))
    """
    match = _MIG.fullmatch(plain(name))
    board = match["board"] if match else ""
    if match is None:
        match = _VGPU.fullmatch(plain(name))
        if match is None or plain(name) in index().names(SHIPPED[0]):
            return None
        board = _VIRTUAL.get(re.sub("[ -]", "", match["board"]), match["board"])
    return Mig(board, int(match["slices"] or 0), int(match["memory"]))


def mig_part(mig: Mig, board: str) -> Part:
    """What a MIG instance has of the board of this id.

    Raises:
        NotFoundError: the board has no such profile; the message names those that it has.

    >>> round(mig_part(Mig("h100", 1, 10), "h100-sxm5-80").compute, 4)  # 16 of 132
    0.1212
    """
    if not mig.slices:
        return _in_time(mig, board)
    if board not in MIG:
        message = f"no MIG profiles of {board} are known: write {board}, and hardware.share"
        raise NotFoundError(Problem(key=KEY, message=message))
    cut = _profiles(board).get(mig.profile)
    if cut is not None:
        return _part(MIG[board][0], cut)
    message = f"no MIG profile {mig.profile} of {board}; it has {', '.join(_profiles(board))}"
    others = [] if _SIZED.search(mig.board) else _of_its_form(mig, board)
    message += f"; {' and '.join(others)} have it" if others else ""
    raise NotFoundError(Problem(key=KEY, message=message))


def board_with(mig: Mig, board: str) -> str:
    """The board that has a profile, where a name says no memory and its usual board has it not.

    >>> board_with(Mig("a100", 1, 5), "a100-sxm4-80")
    'a100-sxm4-40'
    """
    has = board in MIG and mig.profile in _profiles(board)
    if not mig.slices or has or _SIZED.search(mig.board):
        return board
    others = _of_its_form(mig, board)
    return others[0] if len(others) == 1 else board


def _of_its_form(mig: Mig, board: str) -> list[str]:
    """Boards with a profile of the same chip and form as a board: the id less its memory."""
    form = board.rpartition("-")[0]
    return [one for one in MIG if one.rpartition("-")[0] == form and mig.profile in _profiles(one)]


def _head(board: str) -> Head | None:
    """What finds the board of an id among those that ship."""
    heads = (head for kind in SHIPPED for head in index().heads(kind))
    return next((head for head in heads if head.id == board), None)


def _in_time(virtual: Mig, board: str) -> Part:
    """What a virtual GPU has of a board that several share by time: as much as of the memory."""
    head = _head(board)
    whole = None if head is None else head.gigabytes
    if whole is None or virtual.gigabytes > whole * SOLD:
        has = "" if whole is None else f", which has {whole:.0f} GB"
        message = f"no virtual GPU of {virtual.gigabytes} GB is known of {board}{has}"
        raise NotFoundError(Problem(key=KEY, message=message))
    parts = math.ceil(whole / virtual.gigabytes - 0.05)
    if parts == 1:
        return Part(1.0, 1.0, 1.0, "")
    why = (
        f"a virtual GPU of {virtual.gigabytes} GB is one of {parts} of its board: that share of "
        "the time and of what the board draws, as if others used the rest"
    )
    return Part(1 / parts, 1 / parts, 1 / parts, why, "NVIDIA, Virtual GPU Software User Guide")


def share_part(share: float, board: str) -> Part | None:
    """The MIG profile that a share of a board is, where it is one: 1/7 is its least of one slice.

    >>> share_part(1 / 7, "a100-sxm4-80").why, share_part(0.5, "a100-sxm4-80")
    ('1 of 7 compute slices: 14 of 108 multiprocessors, 1/8 of the memory', None)
    """
    if board not in MIG:
        return None
    chip, _ = MIG[board]
    cut = next((cut for cut in chip.cuts if abs(cut[0] / chip.whole[0] - share) < 1e-4), None)
    return None if cut is None or share >= 1 else _part(chip, cut)


def slices_of_profile(profile: str, named: str = "") -> int:
    """Compute slices of the boards that have a MIG profile; ``named`` tells them apart.

    Where boards differ that the name does not tell apart, seven, as most have.

    >>> slices_of_profile("1g.10gb"), slices_of_profile("2g.12gb"), slices_of_profile("9g.9gb")
    (7, 4, 7)
    """
    boards = [board for board in MIG if profile in _profiles(board)]
    meant = [board for board in boards if named and board.startswith(plain(named))] or boards
    wholes = {MIG[board][0].whole[0] for board in meant}
    return wholes.pop() if len(wholes) == 1 else 7


def _profiles(board: str) -> dict[str, tuple[int, int]]:
    chip, sizes = MIG[board]
    memories = sorted({memory for _, memory in chip.cuts})
    named = dict(zip(memories, sizes, strict=True))
    return {f"{cut[0]}g.{named[cut[1]]}gb": cut for cut in chip.cuts}


def _part(chip: Chip, cut: tuple[int, int]) -> Part:
    (slices, memory), (of_slices, of_memory) = cut, chip.whole
    processors = chip.cuts[cut]
    return Part(
        slices / of_slices,
        processors / chip.multiprocessors,
        memory / of_memory,
        f"{slices} of {of_slices} compute slices: {processors} of {chip.multiprocessors} "
        f"multiprocessors, {memory}/{of_memory} of the memory",
    )


def host_of(name: str, folders: Sequence[Path] = ()) -> str | None:
    """What to write where a name is that of a host or an instance; None where it is none.

    >>> host_of("DGX H100")
    '"DGX H100" is a host of 8 h100-sxm5-80: write hardware.instance: dgx-h100'
    """
    from costcalc.catalog import instances  # which reads accelerators for its own

    try:
        found = instances.find(name, folders)
    except InputError:
        return None
    holds = f" of {found.devices} {found.accelerator}" if found.accelerator else ""
    return f'"{name[:60]}" is a host{holds}: write hardware.instance: {found.id}'


def part_of(name: str) -> tuple[Head, Part | None]:
    """What finds the device of a name among those that ship, and which part of it the name says.

    Raises:
        NotFoundError: the name stands for none, or for several.

    >>> part_of("NVIDIA A100-SXM4-40GB MIG 1g.5gb")[0].id, part_of("h100")[1]
    ('a100-sxm4-40', None)
    """
    mig, chips = mig_of(name), slice_of(name)
    board = mig.board if mig else chips[0] if chips else name
    found = shipped_as(board, SHIPPED, by_words=True)
    if len(found) == 1:
        if mig is None:
            return found[0], None
        whole = _head(board_with(mig, found[0].id)) or found[0]
        return whole, mig_part(mig, whole.id)
    if not found and (told := more_than_one(name, shipped_unit)):
        raise NotFoundError(Problem(key=KEY, message=told))
    if not found and (host := host_of(name)) is not None:
        raise NotFoundError(Problem(key=KEY, message=host))
    known = [head for kind in SHIPPED for head in index().heads(kind)]
    raise refusal(KEY, "accelerator", name, known, found, WAY_OUT)


class Unit(NamedTuple):
    """What one of a board's ``count`` is, and the devices in it that software may see."""

    id: str
    name: str
    devices: int
    device: str | None


def unit_of(board: Head) -> Unit:
    """The unit of a board that ships."""
    told = cast("dict[str, Any]", index().data(board.file))
    seen = told.get("sub_devices") or {"count": 1, "name": None}
    return Unit(board.id, told.get("unit", "device"), seen["count"], seen["name"])


def shipped_unit(name: str) -> Unit | None:
    """The unit of the one board that ships under a name; None where none or several do.

    >>> shipped_unit("MI250X").device, shipped_unit("radeon")
    ('GCD', None)
    """
    found = shipped_as(name, SHIPPED, by_words=True)
    return unit_of(found[0]) if len(found) == 1 else None


_PIECE = re.compile(r"(.+?)[ (-]++(?:one |1 |single |half )?([a-z0-9-]+?)\)?", re.I)
_PIECES = {"die", "core", "gcd", "tile", "stack", "gpu", "chip", "half"}
_LONGEST = 120  # letters of a name, with all that tools print around it


def more_than_one(name: str, unit_named: Callable[[str], Unit | None]) -> str | None:
    """What to write for a name that says how many there are, or a piece of a device; else None.

    ``unit_named`` must not ask here in its turn: names in names would be gone through in all ways.

    >>> more_than_one("8xA100", shipped_unit)
    '"8xA100" says how many too: write a100-sxm4-80 here and count: 8'
    """
    if len(name) > _LONGEST:
        return None
    several = counted(name)
    whole = unit_named(several[1]) if several else None
    if several and whole:
        return f'"{name[:60]}" says how many too: write {whole.id} here and count: {several[0]}'
    piece = _PIECE.fullmatch(name.strip())
    unit = unit_named(piece[1]) if piece else None
    if piece and unit and unit.device and piece[2].lower() in _PIECES | {unit.device.lower()}:
        return (
            f'"{name[:60]}" is one of the {unit.devices} of {unit.id}: write {unit.id} (count '
            f"is of a {unit.name}), and hardware.share: 1/{unit.devices} for one"
        )
    return None
