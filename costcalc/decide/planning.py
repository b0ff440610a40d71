"""From limits to a run: what they buy, and the run file that keeps them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from costcalc.catalog import accelerator as accelerators_
from costcalc.catalog import preset as presets
from costcalc.catalog.region import CLOUDS
from costcalc.decide import interruptions, scaling, trials
from costcalc.decide.chunk import LIMITED
from costcalc.decide.sweep import split
from costcalc.errors import InputError, Problem
from costcalc.request import Source
from costcalc.results import UNITS
from costcalc.units import unit

if TYPE_CHECKING:
    from costcalc.results import Estimate

SCHEMA = "costcalc/plan/v1"
_ONE = 1e21  # FLOP
COUNTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096)
# Where nothing is said of the hardware: data-centre devices that are rented out widely.
CANDIDATES = ("a100-sxm4-80", "h100-sxm5-80", "h200-sxm-141", "b200-sxm-180", "mi300x",
              "l40s", "tpu-v5e", "tpu-v6e")
MARGIN = 0.999
NODE = 8
ENOUGH_MORE = 1.02  # more devices, or others, for less than 2 % more compute are not taken


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A run that keeps its limits: its run file, its estimate, and what is left over."""

    run: Mapping[str, Any]
    estimate: Estimate
    flop: float
    limits: Mapping[str, float]  # in the units of a report
    left: Mapping[str, float]
    binding: str
    laws: tuple[dict[str, Any], ...]
    preset: str | None
    ways: Mapping[str, dict[str, Any]]  # of a fixed model: cheapest, fastest, cleanest
    spot: Mapping[str, Any] | None
    search: Mapping[str, Any] | None
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        sources = [f"{law['source']} {law['url']}" for law in self.laws]
        sources += interruptions.SOURCES if self.spot else ()
        sources += trials.SOURCES if self.search else ()
        return {
            "schema": SCHEMA, "training_compute": self.flop, "run": dict(self.run),
            "limits": dict(self.limits), "left": dict(self.left), "binding": self.binding,
            "units": {key: UNITS[name] for key, name in LIMITED.items()},
            "scaling_laws": list(self.laws), "preset": self.preset,
            "ways": {name: dict(way) for name, way in self.ways.items()},
            "spot": dict(self.spot) if self.spot else None,
            "search": dict(self.search) if self.search else None,
            "results": self.estimate.to_dict()["results"], "notes": list(self.notes),
            "sources": sources,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """How often instances are taken (a second), and what saving and restarting take (seconds)."""

    rate: float
    checkpoint: float
    restart: float
    interval: float | None = None


def plan(
    source: Source | None = None, *, limits: Mapping[str, Any] | None = None,
    changes: Mapping[str, Any] | None = None, tokens_per_parameter: float | None = None,
    spot: Spot | None = None, scores: Sequence[float] | None = None,
) -> Plan:
    """The run that limits buy: compute-optimal, over-trained, or a fixed model's best ways.

    ``source`` is a run file in which the model, its data and the hardware may be missing;
    ``limits`` (cost, time, energy, carbon) are laid over it; ``tokens_per_parameter`` over-trains.
    ``scores`` are past trials' scores, the larger the better.

    Raises:
        InputError: no limits, or nothing that keeps them.

    >>> made = plan({"hardware": {"accelerator": "h100-sxm5-80", "count": 8}},
    ...             limits={"cost": "500 USD", "time": "7 d"})
    >>> made.estimate.results["cost"].value <= 500
    True
    """
    raw, _ = split(source if source is not None else {})
    raw = _changed(raw, {**(changes or {}),
                         **{f"limits.{key}": value for key, value in (limits or {}).items()}})
    if not raw.get("limits"):
        message = "nothing to plan with: give limits, as --limit cost=500USD"
        raise InputError(Problem(key="limits", message=message))
    notes: list[str] = []
    if not _placed(raw) and not raw.get("model"):
        raw = _changed(raw, {"price.provider": "any"})
        notes.append("no site and no provider: the median price over providers")
    made = _fixed(raw, notes) if raw.get("model") else _free(raw, tokens_per_parameter, notes)
    return _with(made, raw, spot, scores)


def _placed(raw: Mapping[str, Any]) -> bool:
    """Whether it is said where the run is, or whose prices hold."""
    site, price = raw.get("site") or {}, raw.get("price") or {}
    return bool({"region", "grid"} & set(site) or {"provider", "device_hour", "instance_hour",
                                                   "owned"} & set(price))


def _changed(raw: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    made = dict(raw)
    for dotted, value in changes.items():
        *path, last = dotted.split(".")
        place = made
        for name in path:
            place[name] = dict(place.get(name) or {})
            place = place[name]
        place[last] = value
    return made


# --- a free model --------------------------------------------------------------------------------


def _free(raw: dict[str, Any], ratio: float | None, notes: list[str]) -> Plan:
    """The compute that the limits buy, the model that it should train, and the nearest real one."""
    if ratio is not None and not (math.isfinite(ratio) and ratio > 0):
        message = f"expected a number above 0; got {ratio:g}"
        raise InputError(Problem(key="--tokens-per-parameter", message=message))
    most, flop, hardware = _best_hardware(raw, notes)
    base = {**raw, "hardware": hardware}
    made: tuple[dict[str, Any], Estimate, str] | None = None
    for _ in range(4):  # the real model's utilization changes what the limits buy
        wanted = _wanted(flop, ratio)
        before = made[2] if made else None
        made = _nearest(base, wanted, flop, most, ratio)
        flop = float(made[1].results["training_compute"].value or 0.0)
        if made[2] == before:
            break
    if made is None:
        raise _nothing("no preset fits the limits")
    run, found, preset = made
    laws = [scaling.shown(law, flop, ratio) for law in scaling.laws()]
    if ratio is None:
        notes.append("the model is the one nearest to what Besiroglu et al. make optimal; both fits"
                     " are shown")
    return _plan(run, found, flop, most, laws=tuple(laws), preset=preset, ways={}, notes=notes)


def _wanted(flop: float, ratio: float | None) -> float:
    """Parameters: of the ratio, else of the later fit."""
    return scaling.by_ratio(flop, ratio)[0] if ratio else scaling.laws()[-1].optimum(flop)[0]


def _best_hardware(
    raw: Mapping[str, Any], notes: list[str]
) -> tuple[dict[str, float], float, dict[str, Any]]:
    """The given hardware, or what buys the most compute of the candidates, on few devices.

    More than a node is taken only where time binds: that published runs on many devices use them
    better is which runs are published, no reason to take many.
    """
    asked = dict(raw.get("hardware") or {})
    fixed = "accelerator" in asked or "instance" in asked
    names = (None,) if fixed else CANDIDATES
    counts = (None,) if {"count", "nodes", "instance"} & set(asked) else COUNTS
    best: tuple[float, dict[str, Any], dict[str, float]] | None = None
    whys: list[str] = []
    for name in names:
        binding = "time"
        for count in counts:
            if count is not None and count > NODE and binding != "time":
                break
            hardware = {**asked, **({"accelerator": name} if name else {}),
                        **({"count": count} if count else {})}
            run = {**raw, "model": {"flops": f"{_ONE:g} FLOP"}, "hardware": hardware}
            found = _estimate(run)
            most = _most(found)
            share, binding = _share(found, most)
            if share is None:
                whys += [_unknown(found, most)]
                continue
            if best is None or share > best[0] * ENOUGH_MORE:
                best = share, hardware, most
    if best is None:
        raise _nothing("; ".join(dict.fromkeys(whys)) or "no hardware can be judged")
    if not fixed:
        notes.append(f"hardware: the most compute among {', '.join(CANDIDATES)}")
    return best[2], best[0] * _ONE, best[1]


def _estimate(run: Mapping[str, Any]) -> Estimate:
    from costcalc.calculator import estimate

    return estimate(run, ranges=False)


def _most(found: Estimate) -> dict[str, float]:
    """Each limit in the unit of its figure."""
    return {str(limit["key"]).partition(".")[2]: float(limit["limit"]) for limit in found.limits}


def _share(found: Estimate, most: Mapping[str, float]) -> tuple[float | None, str]:
    """How many times the run the limits hold, and which binds; None where one cannot be judged."""
    times = {}
    for key, limit in most.items():
        value = found.results[LIMITED[key]].value
        if value is None:
            return None, key
        times[key] = limit / value if value else math.inf
    binding = min(times, key=lambda key: times[key])
    return times[binding], binding


def _unknown(found: Estimate, most: Mapping[str, float]) -> str:
    _, key = _share(found, most)
    return f"limit {key} cannot be judged: {found.results[LIMITED[key]].why}"


def _nothing(why: str) -> InputError:
    return InputError(Problem(key="plan", message=f"nothing keeps the limits: {why}"))


def _architectures(wanted: float) -> Iterator[presets.Preset]:
    """Dense decoders, the nearest in size first."""
    found = [one for one in presets.all_presets()
             if (one.kind, one.family) == ("decoder", "dense")]
    yield from sorted(found, key=lambda one: abs(math.log(one.parameters / wanted)))


def _nearest(
    base: Mapping[str, Any], wanted: float, flop: float, most: Mapping[str, float],
    ratio: float | None,
) -> tuple[dict[str, Any], Estimate, str]:
    """The real architecture nearest in size that fits, on as many tokens as the limits hold."""
    why = ""
    for preset in _architectures(wanted):
        tokens = flop / (6 * preset.parameters)
        if ratio is not None:
            tokens = min(tokens, ratio * preset.parameters)
        own = dict(base.get("training") or {})
        run = {**base, "model": {"preset": preset.id}, "training": own}
        try:
            return (*_filled(run, tokens, most), preset.id)
        except InputError as error:
            why = error.problems[0].message
            if preset.parameters < 5e6:
                break
    raise _nothing(why)


def _filled(
    run: Mapping[str, Any], tokens: float, most: Mapping[str, float]
) -> tuple[dict[str, Any], Estimate]:
    """The run on as many tokens as its limits hold, estimated again until they are kept."""
    made: dict[str, Any] = dict(run)
    found: Estimate | None = None
    for _ in range(8):
        made = {**run, "training": {**run["training"], "tokens": float(f"{tokens:.6g}")}}
        found = _estimate(made)
        share, _ = _share(found, most)
        if share is None:
            raise _nothing(_unknown(found, most))
        if share * MARGIN >= 0.99 and found.within_limits and share < 1.01:
            break
        tokens *= share * MARGIN
    if found is None or not found.within_limits:
        raise _nothing("no number of tokens keeps them")
    return made, found


# --- a fixed model -------------------------------------------------------------------------------


def _fixed(raw: dict[str, Any], notes: list[str]) -> Plan:
    """The cheapest, fastest and cleanest way to train a given model within the limits."""
    from costcalc.decide.comparing import compare, single

    asked = raw.get("hardware") or {}
    region = (raw.get("site") or {}).get("region")
    anywhere = not _placed(raw)
    axes: dict[str, Any] = {
        "accelerators": [asked["accelerator"]] if "accelerator" in asked else list(CANDIDATES),
        "counts": [asked["count"]] if "count" in asked else list(COUNTS[:11]),
        "regions": list(CLOUDS) if anywhere else [region or "world"],
    }
    if anywhere:
        notes.append(f"no place is given: the regions of {', '.join(CLOUDS)} are tried")
    elif region is None:
        notes.append("no site.region: carbon is not compared")
    ways = {}
    for name, aim in (("cheapest", "cost"), ("fastest", "time"), ("cleanest", "carbon")):
        if aim == "carbon" and region is None and not anywhere:
            continue
        found = compare(raw, **axes, minimize=aim, ranges=False)
        if found.best is not None:
            ways[name] = found.best
    if not ways:
        raise _nothing("no hardware and count that were tried trains this model within them")
    run = single(raw, next(iter(ways.values())))
    if region is None and not anywhere:  # the world stood for no place: its grid was not asked for
        run.pop("site", None)
        if raw.get("site"):
            run["site"] = raw["site"]
    made = _estimate(run)
    return _plan(run, made, float(made.results["training_compute"].value or 0.0), _most(made),
                 laws=(), preset=None, ways=ways, notes=notes)


# --- what is added -------------------------------------------------------------------------------


def _plan(
    run: Mapping[str, Any], found: Estimate, flop: float, most: Mapping[str, float], *,
    laws: tuple[dict[str, Any], ...], preset: str | None, ways: Mapping[str, dict[str, Any]],
    notes: Sequence[str],
) -> Plan:
    left = {key: limit - (found.results[LIMITED[key]].value or 0.0) for key, limit in most.items()}
    return Plan(run=run, estimate=found, flop=flop, limits=most, left=left,
                binding=_share(found, most)[1], laws=laws, preset=preset, ways=ways, spot=None,
                search=None, notes=tuple(notes))


def _with(
    made: Plan, raw: Mapping[str, Any], spot: Spot | None, scores: Sequence[float] | None
) -> Plan:
    from dataclasses import replace

    if spot is not None:
        made = replace(made, spot=_spot(made, spot))
    if scores is not None:
        made = replace(made, search=_search(made, raw, scores))
    return made


def _spot(made: Plan, asked: Spot) -> dict[str, Any]:
    """Expected billed hours and cost on spot instances, against on-demand."""
    hour = unit("h").factor
    hours = made.estimate.results["wall_clock"].value or 0.0
    found = interruptions.interrupted(hours * hour, rate=asked.rate, checkpoint=asked.checkpoint,
                                      restart=asked.restart, interval=asked.interval)
    costs = {}
    for name in ("spot", "on-demand"):
        alone = _estimate(_changed(made.run, {"price.plan": name}))
        costs[name] = alone.results["cost"]
    spot_cost = costs["spot"].value
    shown = None if spot_cost is None else spot_cost * found.factor
    demand = costs["on-demand"].value
    return {
        "work_hours": hours, "expected_hours": found.expected / hour, "factor": found.factor,
        "interval_minutes": found.interval / 60, "interruptions": found.interruptions,
        "without_checkpoints_hours":
            found.without / hour if math.isfinite(found.without) else None,
        "spot_cost": shown, "spot_cost_why": costs["spot"].why, "on_demand_cost": demand,
        "on_demand_cost_why": costs["on-demand"].why,
        "cheaper": None if shown is None or demand is None else shown < demand,
    }


def _search(made: Plan, raw: Mapping[str, Any], scores: Sequence[float]) -> dict[str, Any]:
    """How many trials like the run the limits hold, and the best score to expect of them."""
    runs = float((raw.get("training") or {}).get("runs") or 1.0)
    each = {key: (made.estimate.results[LIMITED[key]].value or 0.0) / (1 if key == "time" else runs)
            for key in made.limits}
    held = min((int(made.limits[key] / value) for key, value in each.items() if value), default=0)
    most = min(held, len(scores))
    return {
        "trials": held, "each": each,
        "expected_best": trials.expected_best(scores, most) if most else None,
        "expected_best_why": "" if held <= len(scores) else
        f"of {most} trials: no more scores are given, and beyond them nothing is known",
        "curve": trials.curve(scores, most, each),
        "sequential": "trials one after another; side by side only the money counts",
    }


def hardware_names() -> list[str]:
    """The accelerators that are tried where none is given.

    >>> len(hardware_names()) == len(CANDIDATES)
    True
    """
    return [accelerators_.find(name).name for name in CANDIDATES]
