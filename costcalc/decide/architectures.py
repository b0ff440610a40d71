"""The real model that limits train best, on as many tokens as they hold."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache

from costcalc.base.errors import InputError
from costcalc.catalog import preset as presets
from costcalc.decide import scaling
from costcalc.decide.buying import CANDIDATES, Bought, UnmetError, alone, bought, nothing, unmet
from costcalc.decide.chance import Chance, Judged
from costcalc.decide.sweep import section
from costcalc.resolve.names import look_up
from costcalc.resolve.workload import trained
from costcalc.runfile.loading import load
from costcalc.throughput.placement import untold

FIRST = 1e9  # tokens, to start from: what they cost is all but proportional to them
CLOSE = 5e-4  # by so much more than a run the limits are left with
EXACT = 1e-6  # of the tokens, so that rounding passes no limit
BETTER = 1.4  # how many times the compute of the best model yet another is thought able to use
NEAR = 2e-3  # nats: models whose probes are so close to the best are planned whole
TUNED_AWAY = ("-embedding-", "-reranker-", "e5-", "gte-")  # in ids of presets that embed or rank


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A run that the limits hold, and how good a choice it is: less is better."""

    run: dict[str, object]
    judged: Judged
    preset: str | None
    badness: float = 0.0
    left_out: int = 0  # models that might be as good, and were not looked at


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
    look = _Look(most_compute, ratio, chance, experts)
    with untold():
        look.through(_sizes("moe" if experts else "dense"))
    made: list[Trained] = []
    for badness, preset, tokens in sorted(look.probes):
        if made and badness > min(look.probes)[0] + NEAR:
            break
        try:
            made.append(_whole(most_compute, preset, tokens, ratio, chance, experts=experts))
        except InputError as error:
            look.why, look.unmet = error.problems[0].message, isinstance(error, UnmetError)
    if not made:
        raise (unmet if look.unmet else nothing)(look.why)
    return replace(min(made, key=lambda one: one.badness), left_out=look.left_out)


@dataclass(slots=True)
class _Look:
    """Models probed on what is bought: how good each is, and how many were not looked at."""

    most_compute: Bought
    ratio: float | None
    chance: Chance
    experts: bool
    probes: list[tuple[float, str, float]] = field(default_factory=list)  # badness, id, tokens
    left_out: int = 0
    why: str = "no model is known"
    unmet: bool = False  # whether all could be judged, and nothing keeps the limits
    _most: float = 0.0  # compute that the best of them makes of it

    def through(self, known: Sequence[tuple[float, str]]) -> None:
        """Probe the models that may be best."""
        wanted = _wanted(self.most_compute.flop, self.ratio)
        sizes = sorted(known, key=lambda one: abs(math.log(one[0] / wanted)))
        self._most = self.most_compute.flop
        most = math.inf if self._probed(*sizes[0]) else SURELY * self._largest(known)
        listed = [one for one in sizes[1:] if one[0] <= most]
        if self.ratio is None and not self.experts:
            self._by_loss(listed)
            return
        for one in listed:
            if len(self.probes) >= ENOUGH:
                break
            self._probed(*one)

    def _by_loss(self, sizes: Sequence[tuple[float, str]]) -> None:
        """Probe those that could come to the least loss, the most hopeful first."""
        while sizes and not self.probes:
            self._probed(*sizes[0])
            sizes = sizes[1:]
        hopeful = []
        for parameters, preset in sizes:
            rough = self._badness(parameters, ROUGHLY * self._most / (6 * parameters))
            if rough <= min(self.probes)[0] + NEAR and (each := self._each(preset)):
                hopeful.append((self._badness(parameters, self._most / each), parameters, preset))
        for at, (_, parameters, preset) in enumerate(sorted(hopeful)):
            if at >= PROBED:
                self.left_out += self._may_be_best(parameters, preset)
            elif self._may_be_best(parameters, preset):
                self._probed(parameters, preset)

    def _may_be_best(self, parameters: float, preset: str) -> bool:
        hope = self._badness(parameters, BETTER * self._most / (self._each(preset) or math.inf))
        return hope <= min(self.probes)[0] + NEAR

    def _each(self, preset: str) -> float | None:
        """The compute of a token of a model; None where it cannot be trained so."""
        run = _on(self.most_compute, preset)
        run["training"] = {**section(run, "training"), "tokens": FIRST}
        try:
            work = trained(load(run, look_up).parts[0]).work
        except InputError as error:
            self.why = error.problems[0].message
            return None
        return work.model_flops / FIRST if work else None

    def _largest(self, known: Sequence[tuple[float, str]]) -> float:
        """The parameters of the largest model that can be trained, by halving: more take more."""
        found, above = 0, len(ordered := sorted(known))
        while found < above:
            middle = (found + above) // 2
            if self._probed(*ordered[middle], kept=False):
                found = middle + 1
            else:
                above = middle
        return ordered[found - 1][0] if found else ordered[0][0]

    def _probed(self, parameters: float, preset: str, *, kept: bool = True) -> bool:
        """Whether a model can be trained within the limits; ``kept``: note how well."""
        flop = self.most_compute.flop
        try:
            tokens, used = _probe(self.most_compute, preset, flop / (6 * parameters), self.chance)
        except InputError as error:
            self.why = error.problems[0].message
            return False
        if kept:
            self._most = max(used, self._most if self.probes else used)
            self.probes.append((self._badness(parameters, tokens), preset, tokens))
        return True

    def _badness(self, parameters: float, tokens: float) -> float:
        return _badness(parameters, tokens, self.ratio, experts=self.experts)


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
ENOUGH = 12  # models nearest to what is wanted: the others are further from it
PROBED = 96  # models that might be of least loss, on each of the devices: more are left out
ROUGHLY = 1.7  # times the compute of 6 FLOP a parameter and token that a model may make do with
SURELY = 1.25  # times the largest model that fits: what is larger still surely does not


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
    """Decoders of a family that write, with the parameters that a token goes through.

    What was tuned to embed or to rank is a copy of a model that writes, and nobody trains it anew.
    """
    found = [one for one in presets.listed() if (one.kind, one.family) == ("decoder", family)]
    found = [one for one in found if not any(word in one.id for word in TUNED_AWAY)]
    if family == "dense":
        return tuple((one.parameters, one.id) for one in found)
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
    return tokens * share, found.flop * share


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
