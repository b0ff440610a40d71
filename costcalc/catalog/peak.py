"""The dense peak of a device, and the share of it that a training step reaches.

Nothing but the compiled index is read, and no package beyond costcalc's own imported: a training
loop may ask at every step.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, cast

from costcalc.base.errors import InputError, Problem, listing
from costcalc.base.units import to_si
from costcalc.catalog.index import Head, index
from costcalc.catalog.parts import part_of


@lru_cache(maxsize=256)
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
    board, share = part_of(name)
    rates = rates_of(board)
    if precision not in rates:
        message = f"{board.id} has no {precision}; its profile has {listing(sorted(rates))}"
        raise InputError(Problem(key="precision", message=message))
    return rates[precision] * share


def mfu(
    flops: float, seconds: float, name: str, devices: float = 1, precision: str = "bf16"
) -> float:
    """Model FLOPs utilization: ``flops`` over what ``devices`` could do in ``seconds``.

    Source: Chowdhery et al. 2022, PaLM, appendix B, https://arxiv.org/abs/2204.02311.

    Raises:
        InputError: as :func:`peak`; or seconds or devices are not above 0.

    >>> round(mfu(3.2e15, 8.1, "NVIDIA A100-SXM4-80GB", devices=8), 3)
    0.158
    """
    if not seconds > 0 or not devices > 0:
        message = f"expected seconds and devices above 0; got {seconds:g} and {devices:g}"
        raise InputError(Problem(key="mfu", message=message))
    return flops / (seconds * devices * peak(name, precision))


def rates_of(board: Head) -> dict[str, float]:
    """Dense peaks in FLOP/s by precision, as the board's profile gives them."""
    told = cast("dict[str, Any]", index().data(board.file))["peak"]
    return {name: to_si(one["value"], one["unit"]) for name, one in told.items() if one}
