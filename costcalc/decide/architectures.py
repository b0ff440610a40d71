"""The real model nearest to what a compute should train, on as many tokens as limits hold."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING

from costcalc.base.errors import InputError
from costcalc.catalog import preset as presets
from costcalc.decide import scaling
from costcalc.decide.buying import Bought, alone, nothing, share_of, unknown
from costcalc.decide.sweep import section

if TYPE_CHECKING:
    from costcalc.calculator.result import Estimate

MARGIN = 0.999
FIRST = 1e9  # tokens, to start from: what they cost is all but proportional to them
SMALLEST = 5e6  # parameters: below it no other model will do either


def nearest(
    bought: Bought, ratio: float | None, *, experts: bool = False
) -> tuple[dict[str, object], Estimate, str]:
    """The run, its estimate and the preset: the model nearest to the optimum of the compute.

    ``ratio`` (tokens a parameter) over-trains.  With ``experts`` a mixture of experts is taken, by
    its active parameters: they are what a token's compute goes through.

    Raises:
        InputError: no model keeps the limits.
    """
    flop = bought.flop
    made: tuple[dict[str, object], Estimate, str] | None = None
    for _ in range(4):  # the real model's utilization changes what the limits buy
        before = made[2] if made else None
        made = _nearest(bought, flop, ratio, experts=experts)
        flop = float(made[1].results["training_compute"].value or 0.0)
        if made[2] == before:
            break
    assert made is not None
    return made


def filled(bought: Bought, model: Mapping[str, object]) -> tuple[dict[str, object], Estimate]:
    """A given model on as many tokens as the limits hold.

    Raises:
        InputError: the model takes no tokens, or none keep the limits.
    """
    run = {**bought.run, "model": dict(model), "training": section(bought.run, "training")}
    return _filled(run, FIRST, bought.limits)


def _wanted(flop: float, ratio: float | None) -> float:
    """Parameters: of the ratio, else of the later fit."""
    return scaling.by_ratio(flop, ratio)[0] if ratio else scaling.laws()[-1].optimum(flop)[0]


@cache
def _sizes(family: str) -> tuple[tuple[float, str], ...]:
    """Decoders of a family with the parameters that a token goes through."""
    found = [one for one in presets.all_presets() if (one.kind, one.family) == ("decoder", family)]
    if family == "dense":
        return tuple((float(one.parameters), one.id) for one in found)
    return tuple((_active(one.id), one.id) for one in found)


def _active(name: str) -> float:
    found = alone(
        {
            "model": {"preset": name},
            "training": {"tokens": 1e9},
            "hardware": {"accelerator": "h100-sxm5-80", "count": 1, "utilization": 0.4},
        }
    )
    return float(found.results["active_parameters"].value or math.inf)


def _by_size(wanted: float, *, experts: bool) -> Iterator[tuple[float, str]]:
    found = _sizes("moe" if experts else "dense")
    yield from sorted(found, key=lambda one: abs(math.log(one[0] / wanted)))


def _nearest(
    bought: Bought, flop: float, ratio: float | None, *, experts: bool
) -> tuple[dict[str, object], Estimate, str]:
    why = "no model is known"
    for parameters, preset in _by_size(_wanted(flop, ratio), experts=experts):
        tokens = flop / (6 * parameters)
        if ratio is not None:
            tokens = min(tokens, ratio * parameters)
        own = section(bought.run, "training")
        run = {**bought.run, "model": {"preset": preset}, "training": own}
        try:
            return (*_filled(run, tokens, bought.limits), preset)
        except InputError as error:
            why = error.problems[0].message
            if parameters < SMALLEST:
                break
    raise nothing(why)


def _filled(
    run: Mapping[str, object], tokens: float, most: Mapping[str, float]
) -> tuple[dict[str, object], Estimate]:
    """The run on as many tokens as its limits hold, estimated again until they are kept."""
    made: dict[str, object] = dict(run)
    found: Estimate | None = None
    for _ in range(8):
        made = {**run, "training": {**section(run, "training"), "tokens": float(f"{tokens:.6g}")}}
        found = alone(made)
        share, _ = share_of(found, most)
        if share is None:
            raise nothing(unknown(found, most))
        if share * MARGIN >= 0.99 and found.within_limits and share < 1.01:
            break
        tokens *= share * MARGIN
    if found is None or not found.within_limits:
        raise nothing("no number of tokens keeps them")
    return made, found
