"""The dense peak of a device, and the share of it that a training step reaches.

Nothing but the compiled index is read, and no package beyond costcalc's own imported: a training
loop may ask at every step.
"""

from __future__ import annotations

import math
import re
from functools import lru_cache
from typing import Any, NamedTuple, SupportsFloat, cast

from costcalc.base.errors import listing, shown, wrong
from costcalc.base.human import number_of
from costcalc.base.units import to_si
from costcalc.base.vocabulary import PEAK_KEY
from costcalc.catalog.index import Head, index
from costcalc.catalog.parts import KEY, part_of, slice_of, unit_of


def peak(name: str, precision: str = "bf16") -> float:
    """Dense peak of one device in FLOP/s (OP/s for int8), as its vendor states it.

    ``name``: an id, an alias or what ``torch.cuda.get_device_name()`` says.  Sparsity is never
    counted; fp16 and bf16 are with fp32 accumulation.  A device is what the profile's ``unit``
    says: an MI250X has two that software sees, a TPU v3 chip two cores.

    Raises:
        InputError: no such device, several, or none of that precision.

    >>> peak("NVIDIA H100 80GB HBM3") / 1e12
    989.4
    """
    if not isinstance(name, str):
        raise wrong(KEY, f"expected the name of a device; got {shown(name)}")
    return _peak(name, str(getattr(precision, "__name__", precision)))


@lru_cache(maxsize=256)
def _peak(name: str, precision: str) -> float:
    board, part = part_of(name)
    rates = rates_of(board)
    key = _key(precision)
    if key not in rates:
        message = f"{board.id} has no {shown(precision)}; its profile has {listing(sorted(rates))}"
        raise wrong("precision", message)
    return rates[key] * (part.compute if part else 1.0)


_SPELT = {"float": "fp32", "half": "fp16", "double": "fp64", "tensorfloat32": "tf32"}
_BITS = re.compile(r"(?:bfloat(?=16)|float|fp|f)(\d{1,3})")


def _key(precision: str) -> str:
    """The key of a profile that a precision is spelt for: ``torch.bfloat16``, ``FP8_E4M3``.

    >>> [_key(each) for each in ("torch.bfloat16", "float16", "TF32", "fp8_e4m3fn", "int8")]
    ['bf16', 'fp16', 'tf32', 'fp8', 'int8']
    """
    text = precision.lower().rpartition(".")[2].replace("-", "_")  # a dtype of torch or numpy
    bare = text.partition("_")[0]
    if bare in _SPELT or text in PEAK_KEY:
        return _SPELT.get(bare) or PEAK_KEY[text]
    match = _BITS.fullmatch(bare)
    if match is None:
        return bare
    return f"{'bf' if bare.startswith('b') else 'fp'}{match[1]}"


def mfu(
    flops: float, seconds: float, name: str, devices: float = 1, precision: str = "bf16"
) -> float:
    """Model FLOPs utilization: ``flops`` over what ``devices`` could do in ``seconds``.

    Source: Chowdhery et al. 2022, PaLM, appendix B, https://arxiv.org/abs/2204.02311.

    Raises:
        InputError: as :func:`peak`; or seconds or devices are no numbers above 0, flops none of 0
            or more.

    >>> round(mfu(3.2e15, 8.1, "NVIDIA A100-SXM4-80GB", devices=8), 3)
    0.158
    """
    for key, value in (("seconds", seconds), ("devices", devices)):
        if not 0 < _number(value) < math.inf:
            raise wrong(key, f"expected a number above 0; got {shown(value)}")
    if not 0 <= _number(flops) < math.inf:
        raise wrong("flops", f"expected a number of 0 or more; got {shown(flops)}")
    return flops / (seconds * devices * peak(name, precision))


def _number(value: object) -> float:
    """A number of any library as Python's own, nan for what is none."""
    try:
        return math.nan if isinstance(value, str | bool) else float(cast("SupportsFloat", value))
    except (TypeError, ValueError):
        return math.nan


def rates_of(board: Head) -> dict[str, float]:
    """Dense peaks in FLOP/s by precision, as the board's profile gives them."""
    told = cast("dict[str, Any]", index().data(board.file))["peak"]
    return {name: to_si(one["value"], one["unit"]) for name, one in told.items() if one}


class Of(NamedTuple):
    """What a peak is of: one of a board's ``unit``, or the part of it that a name says."""

    board: Head
    unit: str  # "one module of 2 GCD"
    parts: int  # that software may see as a device each
    part: str | None  # what one of them is called; None where there is one
    why: str  # of a part: which; of a slice: how many chips it has


def of_what(name: str) -> Of:
    """What :func:`peak` is a peak of, for who divides by it.

    Raises:
        InputError: no such device, or several.

    >>> of_what("AMD Instinct MI250X")[1:]
    ('one module of 2 GCD', 2, 'GCD', '')
    >>> of_what("v4-128").why
    'v4-128 is 64 such chips'
    """
    board, part = part_of(name)
    unit, chips = unit_of(board), slice_of(name)
    if part is not None and part.why:
        return Of(board, f"a part of one {unit.name}", 1, None, part.why)
    why = f"{name.strip()} is {number_of(chips[1], f'such {unit.name}')}" if chips else ""
    return Of(board, f"one {unit.name}", unit.devices, unit.device, why)


def told(name: str, precision: str | None = None) -> dict[str, object]:
    """Peaks in FLOP/s by precision, and what they are of, as commands and the web give them.

    Raises:
        InputError: as :func:`peak`.

    >>> told("MI250X", "bf16")["peak"], told("MI250X")["sub_devices"]
    ({'bf16': 383000000000000.0}, {'count': 2, 'name': 'GCD'})
    """
    of = of_what(name)
    kinds = [precision] if precision else rates_of(of.board)
    return {
        "accelerator": of.board.id,
        "peak": {kind: peak(name, kind) for kind in kinds},
        "unit": "FLOP/s",
        "of": of.unit,
        **({"sub_devices": {"count": of.parts, "name": of.part}} if of.part else {}),
        **({"why": of.why} if of.why else {}),
    }
