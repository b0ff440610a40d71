"""From limits to a run: what they buy, and the run file that keeps them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypedDict

from costcalc.base.errors import wrong
from costcalc.base.units import unit
from costcalc.calculator.limits import LIMITED, most_of
from costcalc.calculator.result import UNITS
from costcalc.calculator.room import doubtful
from costcalc.decide import interruptions, preempted, scaling, trials
from costcalc.decide.alternatives import alternatives
from costcalc.decide.architectures import FIRST, PROBED, Trained, filled, on_best
from costcalc.decide.buying import Bought, alone, bought
from costcalc.decide.chance import CONFIDENCE, Chance, Judged, checked
from costcalc.decide.money import Money, converted, money_of
from costcalc.decide.preempted import Spot
from costcalc.decide.sweep import ScenarioRow, section, split
from costcalc.resolve.names import folders, taken
from costcalc.runfile.loading import Source
from costcalc.runfile.schema import DATA_ONE_OF, Limits

if TYPE_CHECKING:
    from costcalc.calculator.result import Estimate

SCHEMA = "costcalc/plan/v1"
_LONG = 365.0 * 24.0  # hours: nobody waits for a run of more than a year by choice


class SpotCosts(TypedDict):
    """Expected billed hours and dollars on spot instances, against on-demand."""

    work_hours: float
    expected_hours: float
    factor: float
    interval_minutes: float
    interruptions: float
    without_checkpoints_hours: float | None
    usual: bool
    counted: bool
    spot_cost: float | None
    spot_cost_why: str | None
    on_demand_cost: float | None
    on_demand_cost_why: str | None
    cheaper: bool | None


class Search(TypedDict):
    """How many trials the limits hold, and the best score to expect of them."""

    trials: int
    each: dict[str, float]
    scores: int
    expected_best: float | None
    expected_best_of: int
    beyond: float | None
    beyond_why: str
    curve: list[trials.Trials]
    sequential: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A run that keeps its limits: its run file, its estimate, and what is left over."""

    run: Mapping[str, object]
    judged: Judged
    limits: Mapping[str, float]  # in the units of a report
    confidence: float
    currency: str = "USD"
    predicted: tuple[scaling.Predicted, ...] = ()  # the loss of this model on these tokens
    laws: tuple[scaling.Optimum, ...] = ()
    preset: str | None = None
    ways: Mapping[str, ScenarioRow] = field(default_factory=dict)  # of a fixed model
    spot: SpotCosts | None = None
    search: Search | None = None
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"<Planned {self.estimate!r}>"

    def _repr_html_(self) -> str:
        return self.estimate._repr_html_()

    @property
    def estimate(self) -> Estimate:
        """What it takes and costs, with ranges; interruptions of spot instances are counted."""
        return self.judged.estimate

    @property
    def chances(self) -> dict[str, float | None]:
        """The chance that each limit is kept."""
        return self.judged.chances

    @property
    def flop(self) -> float:
        """The compute of one run of it."""
        return _flop(self.estimate)

    @property
    def left(self) -> dict[str, float]:
        """What is left of each limit."""
        figures = self.estimate.results
        return {
            key: most - (figures[LIMITED[key]].value or 0.0) for key, most in self.limits.items()
        }

    @property
    def binding(self) -> str:
        """The limit that binds."""
        return self.judged.share(self.limits)[1]

    @property
    def sources(self) -> list[str]:
        """The papers that it rests on."""
        found = [f"{law['source']} {law['url']}" for law in self.laws]
        found += interruptions.SOURCES if self.spot else ()
        found += preempted.sources() if self.spot and self.spot["usual"] else ()
        return [*found, *(trials.SOURCES if self.search else ())]

    def to_dict(self) -> dict[str, object]:
        """Plain values."""
        return {
            "schema": SCHEMA,
            "training_compute": self.flop,
            "run": dict(self.run),
            "limits": dict(self.limits),
            "left": self.left,
            "confidence": self.confidence,
            "chances": self.chances,
            "binding": self.binding,
            "units": {
                key: self.currency if key == "cost" else UNITS[name]
                for key, name in LIMITED.items()
            },
            "predicted_loss": list(self.predicted),
            "scaling_laws": list(self.laws),
            "preset": self.preset,
            "ways": {name: dict(way) for name, way in self.ways.items()},
            "spot": self.spot,
            "search": self.search,
            "results": self.estimate.to_dict()["results"],
            "notes": list(self.notes),
            "sources": self.sources,
        }


def plan(
    source: Source | None = None,
    *,
    limits: Mapping[str, object] | None = None,
    changes: Mapping[str, object] | None = None,
    tokens_per_parameter: float | None = None,
    spot: Spot | None = None,
    scores: Sequence[float] | None = None,
    experts: bool = False,
    confidence: float = CONFIDENCE,
    interruptions: bool = True,
) -> Planned:
    """The run that limits buy: compute-optimal, over-trained, or a fixed model's best ways.

    ``source`` is a run file in which the model, its data and the hardware may be missing (a model
    without data gets as many tokens as the limits hold);
    ``limits`` (cost, time, energy, carbon) are laid over it, and each is kept with the chance
    ``confidence``, by the draws of the estimate; ``tokens_per_parameter`` over-trains.
    On spot instances ``interruptions`` are counted: at ``spot``'s rate, else the usual one.
    ``scores`` are past trials' scores, the larger the better.  Without a model ``experts`` takes
    the nearest mixture of experts, by its active parameters, in place of a dense decoder.

    Raises:
        InputError: no limits, or nothing that keeps them.

    >>> made = plan({"hardware": {"accelerator": "h100-sxm5-80", "count": 8}},
    ...             limits={"cost": "500 USD", "time": "7 d"})
    >>> made.estimate.results["cost"].value <= 500
    True
    """
    raw, _ = split(source if source is not None else {})
    raw = _changed(
        raw,
        {**(changes or {}), **{f"limits.{key}": value for key, value in (limits or {}).items()}},
    )
    if not any(most is not None for most in section(raw, "limits").values()):
        named = ", ".join(Limits.model_fields)
        raise wrong(
            "limits", f"nothing to plan with: give one or more of {named}, such as cost: 500 USD"
        )
    raw, money = money_of(raw)
    asked = (spot or Spot()) if interruptions else None
    chance = Chance(
        confidence=checked(confidence), spot=asked, choosing=not raw.get("model") or not _on(raw)
    )
    if not raw.get("model"):
        made = _free(raw, tokens_per_parameter, chance, experts=experts)
    elif set(DATA_ONE_OF) & section(raw, "training").keys():
        made = _fixed(raw, chance)
    else:
        made = _endless(raw, chance)
    made = _shown_in(money, made, chance)
    notes = [*made.notes, *taken({"hardware": section(raw, "hardware")}, folders(raw, None))]
    made = replace(made, notes=tuple(notes))
    if not chance.choosing:
        doubts = [doubtful(part.devices, part.timed) for part in made.judged.made.parts]
        made = replace(made, notes=(*made.notes, *filter(None, doubts)))
    on_spot = section(made.run, "price").get("plan") == preempted.PLAN
    if asked is not None and on_spot:
        made = replace(made, notes=(*made.notes, preempted.note(asked)))
    if "time" not in made.limits and (made.estimate.results["wall_clock"].value or 0.0) > _LONG:
        said = "no limit on time: more than a year; with one, such as 90 d, more devices"
        made = replace(made, notes=(*made.notes, f"{said} are taken"))
    told = spot if spot is not None else Spot() if on_spot and interruptions else None
    return replace(
        made,
        spot=None if told is None else _spot(made, told, counted=on_spot and interruptions),
        search=None if scores is None else _search(made, raw, scores),
    )


def _on(raw: Mapping[str, object]) -> bool:
    """Whether the hardware is all said, so that there is none to choose."""
    asked = section(raw, "hardware")
    return "instance" in asked or ("accelerator" in asked and bool({"count", "nodes"} & set(asked)))


def _shown_in(money: Money, made: Planned, chance: Chance) -> Planned:
    """The plan in the user's currency: it is made in dollars."""
    if money.name == "USD":
        return made
    run = _changed(made.run, {"price.currency": money.name})
    ways = {name: converted(row, money) for name, row in made.ways.items()}
    limits = {key: money.of(most) if key == "cost" else most for key, most in made.limits.items()}
    judged = chance.judged(run)
    return replace(made, run=run, judged=judged, limits=limits, ways=ways, currency=money.name)


def _changed(raw: Mapping[str, object], changes: Mapping[str, object]) -> dict[str, object]:
    made = dict(raw)
    for dotted, value in changes.items():
        first, _, rest = dotted.partition(".")
        made[first] = _changed(section(made, first), {rest: value}) if rest else value
    return made


def _free(raw: dict[str, object], ratio: float | None, chance: Chance, *, experts: bool) -> Planned:
    """The compute that the limits buy, the model that it should train, and the best real one."""
    if ratio is not None and not (math.isfinite(ratio) and ratio > 0):
        raise wrong("--tokens-per-parameter", f"expected a number above 0; got {ratio:g}")
    most, found = on_best(raw, ratio, chance, experts=experts)
    notes = list(most.notes)
    if experts:
        notes.append(
            "the laws are of dense decoders: the mixture of experts is matched by its "
            "active parameters, and its loss is not predicted"
        )
    elif ratio is None:
        notes.append(
            "the model is the dense one of least predicted loss (Besiroglu et al.) among those "
            "that the limits train; both fits are shown"
        )
    if found.left_out:
        notes.append(
            f"of the models that might have the least loss the {PROBED} most hopeful were looked "
            f"at, on each device; left out: {found.left_out}"
        )
    return _optimal(most, found, ratio, chance, notes, foretold=not experts)


def _flop(found: Estimate) -> float:
    return float(found.results["training_compute"].value or 0.0)


def _optimal(
    most: Bought,
    found: Trained,
    ratio: float | None,
    chance: Chance,
    notes: Sequence[str],
    *,
    foretold: bool,
) -> Planned:
    made = found.judged.estimate
    laws = tuple(scaling.shown(law, _flop(made), ratio) for law in scaling.laws())
    size, tokens = made.results["parameters"].value, section(found.run, "training").get("tokens")
    return Planned(
        run=found.run,
        judged=found.judged,
        limits=most.limits,
        confidence=chance.confidence,
        laws=laws,
        predicted=tuple(scaling.predicted(size, float(str(tokens)))) if foretold and size else (),
        preset=found.preset,
        notes=tuple(notes),
    )


def _endless(raw: dict[str, object], chance: Chance) -> Planned:
    """A given model and no size of its data: as many tokens as the limits hold."""
    model = section(raw, "model")
    unit = {"model": model, "training": {**section(raw, "training"), "tokens": FIRST}}
    most = bought(raw, unit, chance)
    found = filled(most, model, chance)
    notes = [*most.notes, "no size of the data is given: as many tokens as the limits hold"]
    known = found.judged.estimate.results
    dense = known["parameters"].value == known["active_parameters"].value
    whole = section(raw, "training").get("method", "pretrain") == "pretrain"
    return _optimal(most, found, None, chance, notes, foretold=dense and whole)


def _fixed(raw: dict[str, object], chance: Chance) -> Planned:
    """A given model: its best ways, and the estimate of the first."""
    run, judged, found, notes = alternatives(raw, chance)
    return Planned(
        run=run,
        judged=judged,
        limits=most_of(judged.estimate),
        confidence=chance.confidence,
        ways=found,
        notes=tuple(notes),
    )


# --- what is added -------------------------------------------------------------------------------


def _instances(found: Estimate) -> float:
    """The instances that one run is on."""
    return float(found.details.get("hardware", {}).get("nodes") or 1)


def _spot(made: Planned, asked: Spot, *, counted: bool) -> SpotCosts:
    """Expected billed hours and cost on spot instances, against on-demand."""
    hour = unit("h").factor
    on = {name: alone(_changed(made.run, {"price.plan": name})) for name in ("spot", "on-demand")}
    hours = on["spot"].results["wall_clock"].value or 0.0
    found = interruptions.interrupted(
        hours * hour,
        rate=asked.taken(_instances(on["spot"])).value,
        checkpoint=asked.checkpoint,
        restart=asked.restart,
        interval=asked.interval,
    )
    costs = {name: one.results["cost"] for name, one in on.items()}
    spot_cost = costs["spot"].value
    shown = None if spot_cost is None else spot_cost * found.factor
    demand = costs["on-demand"].value
    return {
        "work_hours": hours,
        "expected_hours": found.expected / hour,
        "factor": found.factor,
        "interval_minutes": found.interval / 60,
        "interruptions": found.interruptions,
        "without_checkpoints_hours": found.without / hour if math.isfinite(found.without) else None,
        "usual": asked.rate is None,
        "counted": counted,
        "spot_cost": shown,
        "spot_cost_why": costs["spot"].why,
        "on_demand_cost": demand,
        "on_demand_cost_why": costs["on-demand"].why,
        "cheaper": None if shown is None or demand is None else shown < demand,
    }


def _search(made: Planned, raw: Mapping[str, object], scores: Sequence[float]) -> Search:
    """How many trials like the run the limits hold, and the best score to expect of them."""
    runs = float(str(section(raw, "training").get("runs") or 1.0))
    each = {
        key: (made.estimate.results[LIMITED[key]].value or 0.0) / (1 if key == "time" else runs)
        for key in made.limits
    }
    held = min((int(made.limits[key] / value) for key, value in each.items() if value), default=0)
    most = min(held, len(scores))
    beyond = held > len(scores)
    return {
        "trials": held,
        "each": each,
        "scores": len(scores),
        "expected_best": trials.expected_best(scores, most) if most else None,
        "expected_best_of": most,
        "beyond": trials.plug_in(scores, held) if beyond else None,
        "beyond_why": ""
        if not beyond
        else f"{len(scores)} scores are given: the unbiased form ends there. Beyond it the "
        "plug-in form "
        "is shown, which no trial better than the best one seen can raise: biased low",
        "curve": trials.curve(scores, most, each),
        "sequential": "trials one after another; side by side only the money counts",
    }
