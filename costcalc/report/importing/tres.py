"""What Slurm's TRES strings say of accelerators: whole ones, MIG instances, shares of unknown size.

``gres/gpu=4`` counts devices, ``gres/gpu:a100=4`` says again which, also with colons in the type
(``gres/gpu:tesla:v100=2``); a MIG instance stands as a type of its own (``gres/gpu:a100_1g.5gb``).
The same in the words of other commands and older releases, with a colon before the number
(``gres:gpu:2``, ``gres/gpu:a100:2``, ``gpu:tesla:4(IDX:0-3)``), is read as that; a generic resource
without a number is one.  How many shards make one device, and how many per cent of ``mps``, is in
``gres.conf`` only (Slurm documentation, gres.html).  ``gpumem`` and ``gpuutil`` are what a job
used, no devices.
"""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from functools import lru_cache

from costcalc.base.errors import CostcalcError
from costcalc.catalog.accelerator import find
from costcalc.catalog.parts import mig_of, mig_part, slices_of_profile
from costcalc.report.importing.cells import number

#: generic resources that sites count accelerators by, other than gpu
OTHERS = ("npu", "tpu", "hpu", "xpu", "dcu", "mlu", "gcu", "ipu", "neuron")
SHARES = ("shard", "mps")
#: what of a GPU's own use Slurm accounts for, under names of sites too
_USED = re.compile(r"gres/gpu[_-]?(mem|util)")
#: ``gres/gpu`` of accounting, ``gres:gpu`` of a request, ``gpu`` of older releases' own columns
_GENERIC = re.compile(r"(?:gres[/:])?(?P<name>[A-Za-z_-]+)(?::(?P<kind>.*))?", re.IGNORECASE)
#: which devices of a node they are: ``gpu:2(IDX:0-1)``, ``gpu:a100:4(S:0,1)``
_WHICH = re.compile(r"\([^)]*\)")
_MIG = re.compile(r"(?:(?P<board>[\w.-]*?)[_:.-])?(?P<slices>[1-7])g\.(?P<memory>\d+)gb")


@dataclass(frozen=True, slots=True)
class Accelerators:
    """How many devices a job held, a MIG instance as its share of one; None with the reason.

    ``unread``: an item of accelerators whose number cannot be read.
    """

    count: float | None
    kinds: tuple[str, ...] = ()
    why: str = ""
    unread: str = ""


@lru_cache(4096)
def accelerators(tres: str) -> Accelerators:
    """The accelerators of a TRES string, none counted twice.

    >>> accelerators("cpu=64,gres/gpu:a100=4,gres/gpu=4,node=1").count
    4.0
    >>> round(accelerators("gres/gpu:a100_1g.5gb=1,gres/gpu=1").count, 4)
    0.1429
    >>> accelerators("gres/shard=2").why
    'Slurm counts shares of a device (shard) and not how many of them make one'
    """
    whole: float | None = None
    typed: dict[str, float] = {}
    others, shares, unread = 0.0, [], ""
    for item in _items(tres):
        name, kind, said = _parts(item)
        if name not in ("gpu", *OTHERS, *SHARES):
            continue
        value = number(said)
        if value is None:
            unread = unread or item
        elif name == "gpu" and kind:
            typed[kind] = typed.get(kind, 0.0) + value
        elif name == "gpu":
            whole = value
        elif name in OTHERS and not kind:
            others += value
        elif name in SHARES and value:
            shares.append(name)
    named = sum(typed.values())
    untyped = max((whole or 0.0) - named, 0.0)
    count = untyped + others + sum(n * _share(kind) for kind, n in typed.items())
    if count:
        return Accelerators(count, tuple(typed), unread=unread)
    if shares:
        told = " and ".join(dict.fromkeys(shares))
        why = f"Slurm counts shares of a device ({told}) and not how many of them make one"
        return Accelerators(None, (), why, unread)
    return Accelerators(None, unread=unread)


def _items(tres: str) -> list[str]:
    """The items between commas, without what stands in brackets of which devices they are."""
    return [item.strip() for item in _WHICH.sub("", tres).split(",")]


def _parts(item: str) -> tuple[str, str, str]:
    """Name, type and number of a generic resource; no name for memory, processors and the like.

    >>> _parts("gres/gpu:tesla:v100=2"), _parts("gres:gpu:a100:2"), _parts("gres/gpu")
    (('gpu', 'tesla:v100', '2'), ('gpu', 'a100', '2'), ('gpu', '', '1'))
    """
    key, equals, amount = item.partition("=")
    found = _GENERIC.fullmatch(key)
    if found is None or _USED.match(f"gres/{found['name'].lower()}"):
        return "", "", ""
    name, kind = found["name"].lower(), found["kind"] or ""
    if equals:
        return name, kind, amount.strip()
    first, _, last = kind.rpartition(":")
    if last[:1].isdecimal() and not _MIG.fullmatch(last.lower()):
        return name, first, last
    return name, kind, "" if first.isdecimal() or kind.isdecimal() else "1"


def disagreeing(tres: str) -> str:
    """How the types of accelerators are more than all of them; empty where they are not.

    >>> disagreeing("gres/gpu:a100=4,gres/gpu=2")
    'its types of gpu are 4, and all of them 2'
    """
    counts = [item.strip().partition("=") for item in tres.split(",")]
    whole = next((number(n) for key, _, n in counts if key == "gres/gpu"), None)
    typed = sum(number(n) or 0.0 for key, _, n in counts if key.startswith("gres/gpu:"))
    if whole is None or typed <= whole:
        return ""
    return f"its types of gpu are {typed:g}, and all of them {whole:g}"


def _share(kind: str) -> float:
    """What one of a type is of a device: all of it, or a MIG instance's share of its slices."""
    mig = mig_of(kind)
    if mig is not None:
        with contextlib.suppress(CostcalcError):  # of a board that the catalogue has
            return mig_part(mig, find(kind).id).slices
    found = _MIG.search(kind.lower())
    if found is None:
        return 1.0
    profile = f"{found['slices']}g.{found['memory']}gb"
    return int(found["slices"]) / slices_of_profile(profile, found["board"] or "")
