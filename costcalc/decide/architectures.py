"""The real model that limits train best, on as many tokens as they hold."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache

from costcalc.base.errors import InputError
from costcalc.catalog import preset as presets
from costcalc.decide import scaling
from costcalc.decide.buying import CANDIDATES, Bought, alone, bought, nothing, unmet
from costcalc.decide.chance import Chance, Judged
from costcalc.decide.sweep import section

FIRST = 1e9  # tokens, to start from: what they cost is all but proportional to them
CLOSE = 5e-4  # by so much more than a run the limits are left with
EXACT = 1e-6  # of the tokens, so that rounding passes no limit
BETTER = 1.15  # how many times the compute of the best model yet another is thought able to use
NEAR = 2e-3  # nats: models whose probes are so close to the best are planned whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A run that the limits hold, and how good a choice it is: less is better."""

    run: dict[str, object]
    judged: Judged
    preset: str | None
    badness: float = 0.0


def best(
    most_compute: Bought, ratio: float | None, chance: Chance, *, experts: bool = False
) -> Trained:
    """The model of least predicted loss among those that the limits train.

    With ``ratio`` the one whose tokens a parameter come nearest to it.  With ``experts`` a mixture
    of experts is taken, the nearest to the optimum by its active parameters: they are what a
    token's compute goes through, and the laws are not of them.

    Raises:
        InputError: no model keeps the limits.
    """
    flop = most = most_compute.flop
    sizes = sorted(
        _sizes("moe" if experts else "dense"),
        key=lambda one: abs(math.log(one[0] / _wanted(flop, ratio))),
    )
    probes: list[tuple[float, str, float]] = []
    why = "no model is known"
    for parameters, preset in sizes:
        # The best that it could come to; what is bought of bare FLOPs is a first guess only.
        hope = _badness(parameters, BETTER * most / (6 * parameters), ratio, experts=experts)
        if probes and ratio is None and not experts and hope > min(probes)[0] + NEAR:
            continue
        if probes and (ratio is not None or experts) and len(probes) >= _ENOUGH:
            break
        try:
            tokens, used = _probe(most_compute, preset, flop / (6 * parameters), chance)
        except InputError as error:
            why = error.problems[0].message
            continue
        most = max(used, most if probes else used)
        probes.append((_badness(parameters, tokens, ratio, experts=experts), preset, tokens))
    made: list[Trained] = []
    for badness, preset, tokens in sorted(probes):
        if made and badness > min(probes)[0] + NEAR:
            break
        try:
            made.append(_whole(most_compute, preset, tokens, ratio, chance, experts=experts))
        except InputError as error:
            why = error.problems[0].message
    if not made:
        raise nothing(why)
    return min(made, key=lambda one: one.badness)


def on_best(
    raw: Mapping[str, object], ratio: float | None, chance: Chance, *, experts: bool = False
) -> tuple[Bought, Trained]:
    """What the limits buy, and the best model of it; of several devices that of the best model.

    Raises:
        InputError: nothing can be judged by the limits, or nothing keeps them.
    """
    asked = section(raw, "hardware")
    given = bool({"accelerator", "instance"} & set(asked))
    if given or ratio is not None or experts:  # not ranked by a loss: the most compute
        most = bought(raw, chance=chance)
        return most, best(most, ratio, chance, experts=experts)
    listed: list[Bought] = []
    for name in CANDIDATES:
        try:
            listed.append(
                bought({**raw, "hardware": {**asked, "accelerator": name}}, chance=chance)
            )
        except InputError:
            continue
    if not listed:
        most = bought(raw, chance=chance)  # says why
        return most, best(most, ratio, chance)
    first = sorted(listed, key=lambda one: -one.flop)[:TRIED]
    made = [(most, best(most, ratio, chance)) for most in first]
    most, found = min(made, key=lambda one: one[1].badness)
    said = f"hardware: the least predicted loss, of the {len(first)} that compute most of "
    return replace(most, notes=(said + ", ".join(CANDIDATES), *most.notes)), found


TRIED = 2  # devices, by what is bought of bare FLOPs, whose models are looked at
_ENOUGH = 12  # models nearest to what is wanted: the others are further from it


def filled(bought: Bought, model: Mapping[str, object], chance: Chance) -> Trained:
    """A given model on as many tokens as the limits hold.

    Raises:
        InputError: the model takes no tokens, or none keep the limits.
    """
    run = {**bought.run, "model": dict(model), "training": section(bought.run, "training")}
    made, judged = _filled(run, FIRST, bought.limits, chance)
    preset = str(model["preset"]) if "preset" in model else None
    return Trained(run=made, judged=judged, preset=preset)


def _wanted(flop: float, ratio: float | None) -> float:
    """Parameters: of the ratio, else of the later fit."""
    return scaling.by_ratio(flop, ratio)[0] if ratio else scaling.laws()[-1].optimum(flop)[0]


def _badness(parameters: float, tokens: float, ratio: float | None, *, experts: bool) -> float:
    """The predicted loss; or how far the ratio, or the size that is optimal, is off."""
    if ratio is not None:
        return abs(math.log(tokens / parameters / ratio))
    if experts:
        return abs(math.log(parameters / _wanted(6 * parameters * tokens, None)))
    return scaling.laws()[-1].loss(parameters, tokens)


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


def _on(bought: Bought, preset: str) -> dict[str, object]:
    own = section(bought.run, "training")
    return {**bought.run, "model": {"preset": preset}, "training": own}


def _probe(bought: Bought, preset: str, tokens: float, chance: Chance) -> tuple[float, float]:
    """The tokens that the limits hold of a model, from one run of it, and their compute."""
    run = _on(bought, preset)
    run["training"] = {**section(run, "training"), "tokens": float(f"{tokens:.6g}")}
    found = chance.judged(run)
    share, _ = found.share(bought.limits)
    if share is None:
        raise nothing(found.unknown(bought.limits))
    flop = float(found.estimate.results["training_compute"].value or 0.0)
    return tokens * share, flop * share


def _whole(
    bought: Bought,
    preset: str,
    tokens: float,
    ratio: float | None,
    chance: Chance,
    *,
    experts: bool,
) -> Trained:
    run, judged = _filled(_on(bought, preset), tokens, bought.limits, chance)
    size = float(judged.estimate.results["active_parameters"].value or math.inf)
    badness = _badness(size, float(str(section(run, "training")["tokens"])), ratio, experts=experts)
    return Trained(run=run, judged=judged, preset=preset, badness=badness)


def _filled(
    run: Mapping[str, object], tokens: float, most: Mapping[str, float], chance: Chance
) -> tuple[dict[str, object], Judged]:
    """The run on as many tokens as its limits hold, estimated again until they are kept."""
    share: float | None = 0.0
    for _ in range(12):
        made = {**run, "training": {**section(run, "training"), "tokens": float(f"{tokens:.8g}")}}
        found = chance.judged(made)
        share, _ = found.share(most)
        if share is None:
            raise nothing(found.unknown(most))
        if 1.0 <= share < 1.0 + CLOSE:
            return made, found
        tokens *= share * (1.0 - EXACT if share < 1.0 else 1.0 - CLOSE / 2)
    if share and share >= 1.0:
        return made, found
    raise unmet("no number of tokens keeps them")
