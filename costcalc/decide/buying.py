"""What limits buy: the hardware, and the region where no place is given, that compute the most."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from costcalc.base.errors import InputError, wrong
from costcalc.calculator.limits import LIMITED, most_of
from costcalc.catalog.region import CLOUDS, codes
from costcalc.decide.chance import Chance
from costcalc.decide.renting import absent
from costcalc.decide.sweep import section
from costcalc.resolve.batch import TUNED
from costcalc.throughput.placement import untold

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from costcalc.calculator.result import Estimate

    Array = NDArray[np.float64]

ONE = 1e21  # FLOP
COUNTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096)
# Where nothing is said of the hardware: data-centre devices that are rented out widely.
CANDIDATES = (
    "a100-sxm4-80",
    "h100-sxm5-80",
    "h200-sxm-141",
    "b200-sxm-180",
    "mi300x",
    "l40s",
    "tpu-v5e",
    "tpu-v6e",
)
NODE = 8
ENOUGH_MORE = 1.02  # more devices, or others, for less than 2 % more compute are not taken
ALIKE = 0.999  # regions that buy within 0.1 % as much are alike: the cleanest is taken


FLOPS: Mapping[str, object] = {"model": {"flops": f"{ONE:g} FLOP"}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bought:
    """The most compute that limits hold, and the run file's part that says on what and where."""

    flop: float
    limits: Mapping[str, float]  # in the units of a report
    run: Mapping[str, object]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Choice:
    accelerator: str | None  # None: as the run file says
    count: int | None
    share: float | None  # of a run of ONE FLOP
    binding: str
    region: str | None = None
    why: str = ""


def bought(
    raw: Mapping[str, object],
    unit: Mapping[str, object] = FLOPS,
    chance: Chance = Chance(),  # noqa: B008 - it is frozen
) -> Bought:
    """The most compute on the given hardware and place, or on the best of those tried.

    ``unit`` is the work that is bought many times over, as sections of a run file: by default bare
    FLOPs; a model of a given size is tried only where it fits.  Each limit is kept with the
    ``chance``.

    More than a node is taken only where time binds: that published runs on many devices use them
    better is which runs are published, no reason to take many.

    Raises:
        InputError: the run file has problems, or nothing can be judged by the limits.
    """
    asked = section(raw, "hardware")
    fixed = bool({"accelerator", "instance"} & set(asked))
    names: Sequence[str | None] = (None,) if fixed else CANDIDATES
    counts = (None,) if {"count", "nodes", "instance"} & set(asked) else counts_for(raw)
    notes = [] if fixed else [f"hardware: the most compute among {', '.join(CANDIDATES)}"]
    best = None
    if not placed(raw) and "instance" not in asked:
        best, most = _anywhere(raw, unit, names, counts, notes, chance)
    if best is None:
        raw, said = _priced(raw)
        notes += said
        best, most = _here(raw, unit, names, counts, chance)
    hardware = {
        **asked,
        **({"accelerator": best.accelerator} if best.accelerator else {}),
        **({"count": best.count} if best.count else {}),
    }
    notes += at_most(counts, best.count)
    run = {**raw, "hardware": hardware}
    if best.region is not None:
        run["site"] = {**section(raw, "site"), "region": best.region}
    return Bought(flop=(best.share or 0.0) * ONE, limits=most, run=run, notes=tuple(notes))


def at_most(tried: Sequence[object], *taken: object) -> list[str]:
    """A note where the most devices that are tried are taken: more were not looked at.

    >>> at_most((1, 2, 4), 4), at_most((1, 2, 4), 2), at_most((None,), None), at_most((8,), 8)
    (['4 devices are the most that are tried: hardware.count takes more'], [], [], [])
    """
    most = tried[-1]
    if len(tried) < 2 or most not in taken:
        return []
    return [f"{most:,} devices are the most that are tried: hardware.count takes more"]


def counts_for(raw: Mapping[str, object]) -> tuple[int, ...]:
    """The numbers of devices that are tried: in tuning, as many as a usual batch has sequences.

    >>> counts_for({"training": {"method": "lora"}})
    (1, 2, 4, 8, 16)
    """
    training = section(raw, "training")
    usual = TUNED.get(str(training.get("method")))
    if usual is None or "global_batch" in training:
        return COUNTS
    return tuple(count for count in COUNTS if count <= usual.size)


def placed(raw: Mapping[str, object]) -> bool:
    """Whether it is said where the run is, or whose prices hold."""
    site, price = section(raw, "site"), section(raw, "price")
    return bool(
        {"region", "grid"} & set(site)
        or {"provider", "device_hour", "instance_hour", "owned"} & set(price)
    )


def _priced(raw: Mapping[str, object]) -> tuple[Mapping[str, object], list[str]]:
    if placed(raw):
        return raw, []
    return (
        {**raw, "price": {**section(raw, "price"), "provider": "any"}},
        ["no place is given and no region tried has the prices: the median over providers"],
    )


def _here(
    raw: Mapping[str, object],
    unit: Mapping[str, object],
    names: Sequence[str | None],
    counts: Sequence[int | None],
    chance: Chance,
) -> tuple[_Choice, dict[str, float]]:
    """The best of the hardware, where the run file says it is."""
    limits = most_of(alone(_unit(raw, FLOPS, names[0], counts[0])))

    def judged(name: str | None, count: int | None) -> _Choice:
        try:
            with untold():
                found = chance.judged(_unit(raw, unit, name, count))
        except InputError as error:
            if unit is FLOPS or error.problems[0].key == "training.samples":
                raise  # no other hardware will make it right
            return _Choice(
                accelerator=name,
                count=count,
                share=None,
                binding="time",
                why=error.problems[0].message,
            )
        share, binding = found.share(limits)
        why = "" if share is not None else found.unknown(limits)
        return _Choice(accelerator=name, count=count, share=share, binding=binding, why=why)

    return _best(names, counts, judged), limits


def _best(
    names: Sequence[str | None],
    counts: Sequence[int | None],
    judged: Callable[[str | None, int | None], _Choice],
) -> _Choice:
    best: _Choice | None = None
    whys: list[str] = []
    for name in names:
        binding = "time"
        for count in counts:
            if count is not None and count > NODE and binding != "time":
                break
            one = judged(name, count)
            binding = one.binding
            if one.share is None:
                whys.append(one.why)
            elif best is None or one.share > (best.share or 0.0) * ENOUGH_MORE:
                best = one
    if best is None:
        raise nothing("; ".join(dict.fromkeys(whys)) or "no hardware can be judged")
    return best


def _unit(
    raw: Mapping[str, object], unit: Mapping[str, object], name: str | None, count: int | None
) -> dict[str, object]:
    hardware = {
        **section(raw, "hardware"),
        **({"accelerator": name} if name else {}),
        **({"count": count} if count else {}),
    }
    return {**raw, **unit, "hardware": hardware}


# --- the best place ------------------------------------------------------------------------------


def _anywhere(
    raw: Mapping[str, object],
    unit: Mapping[str, object],
    names: Sequence[str | None],
    counts: Sequence[int | None],
    notes: list[str],
    chance: Chance,
) -> tuple[_Choice | None, dict[str, float]]:
    """The best of hardware and region; None where no region can be judged."""
    from costcalc.decide.conventions import conventions
    from costcalc.resolve.names import look_up
    from costcalc.runfile.loading import load

    first = _unit(raw, unit, names[0], counts[0])
    limits = most_of(alone(_unit(raw, FLOPS, names[0], counts[0])))
    request = load(first, look_up)
    regions = [code for code in codes() if code.partition(":")[0] in CLOUDS]
    unranked, said = conventions(tuple(regions), request)
    if "carbon" in limits:  # else they are judged by what can be told of them
        regions = [name for name in regions if name not in unranked]
    ranked = np.array([name not in unranked for name in regions])
    own = section(first, "hardware")
    asked = request.parts[0].part.hardware  # where "1e3" and "8 GPUs" are numbers
    numbers = {count: count or (asked and asked.count) or 1 for count in counts}
    plan = str(section(raw, "price").get("plan") or "on-demand")

    @cache
    def there(name: str, *, far: bool) -> _There:
        alike = [number for number in numbers.values() if (number > NODE) == far]
        return _There.of(first, name, alike, regions, plan, limits, choosing=chance.choosing)

    def judged(name: str | None, count: int | None) -> _Choice:
        called, number = name or str(own["accelerator"]), numbers[count]
        found = there(called, far=number > NODE)
        at = found.counts.index(number)
        row, now = found.least[at], {key: values[at] for key, values in found.shares.items()}
        carbon = np.where(ranked, found.carbon[at], np.nan)
        share = float(row.max())
        if share > 0 and math.isfinite(share):
            best = _cleanest(row, carbon, share)
            placed = {"site": {**section(raw, "site"), "region": regions[best]}}
            needs = chance.judged({**_unit(raw, unit, name, count), **placed}).needs
            # What one place needs to be sure of its limits, the others need alike.
            now = {
                key: values / values[best] * limits[key] / (needs[key] or math.inf)
                for key, values in now.items()
            }
            row = np.where(row > 0, np.minimum.reduce(list(now.values())), row)
            share = float(np.nanmax(row))
        if not share > 0 or not math.isfinite(share):
            why = found.why.get(number, "")
            binding = "time" if why else ""
            return _Choice(accelerator=name, count=count, share=None, binding=binding, why=why)
        r = _cleanest(row, carbon, share)
        binding = min(now, key=lambda key: now[key][r])
        return _Choice(
            accelerator=name, count=count, share=share, binding=binding, region=regions[r]
        )

    try:
        best = _best(names, counts, judged)
    except InputError:
        return None, limits
    notes.append(
        f"no place is given: the most compute of {len(regions)} regions of "
        f"{', '.join(CLOUDS)}, where they rent it; the cleanest of those that buy as much"
    )
    notes += said if "carbon" in limits else said[:1]
    return best, limits


@dataclass(frozen=True, slots=True, kw_only=True)
class _There:
    """What one accelerator comes to in each region: counts × regions."""

    counts: Sequence[int]
    shares: Mapping[str, Array]  # how many times the run each limit holds
    least: Array  # the least of them; where nobody rents it, less than nothing
    carbon: Array
    why: Mapping[int, str]  # of the counts that cannot run it

    @classmethod
    def of(
        cls,
        run: Mapping[str, object],
        accelerator: str,
        counts: Sequence[int],
        regions: Sequence[str],
        plan: str,
        limits: Mapping[str, float],
        *,
        choosing: bool,
    ) -> _There:
        """It, by its central values; where one is ``choosing``, without what may not fit."""
        from costcalc.calculator.scenarios import scenarios

        with untold():
            found = scenarios(
                run, accelerators=[accelerator], counts=counts, regions=regions, plans=[plan]
            )
        shares = {
            key: limit / found.figures[LIMITED[key]][0, ..., 0] for key, limit in limits.items()
        }
        least = np.minimum.reduce([np.where(np.isnan(s), -np.inf, s) for s in shares.values()])
        doubts = {count: told for (_, count), told in found.doubtful.items() if choosing}
        least[[counts.index(count) for count in doubts]] = -np.inf
        return cls(
            counts=counts,
            shares=shares,
            least=np.where(_rented([accelerator], regions)[0], least, -np.inf),
            carbon=found.figures["carbon_total"][0, ..., 0],
            why={count: told for (_, count), told in found.why.items()} | doubts,
        )


def _rented(accelerators: Sequence[str], regions: Sequence[str]) -> NDArray[np.bool_]:
    """Whether a region's provider is known to rent an accelerator at all."""
    rented: NDArray[np.bool_] = ~absent({}, accelerators, regions)[:, :, 0]
    return rented


def _cleanest(shares: Array, carbon: Array, most: float) -> int:
    """Of the regions that buy about as much as the best, the one that emits least."""
    alike = np.flatnonzero(shares >= ALIKE * most)
    return int(alike[np.argmin(np.nan_to_num(carbon[alike], nan=np.inf))])


# --- one run against its limits ------------------------------------------------------------------


def alone(run: Mapping[str, object]) -> Estimate:
    """An estimate without ranges."""
    from costcalc.calculator.calculate import estimate

    return estimate(run, ranges=False)


class UnmetError(InputError):
    """Everything could be judged, and nothing that was tried keeps the limits."""


_NOTHING = "nothing keeps the limits: "


def nothing(why: str) -> InputError:
    """What is raised where nothing can be judged by the limits; ``why`` may say so already."""
    return wrong("plan", _NOTHING + why.removeprefix(_NOTHING))


def unmet(why: str) -> UnmetError:
    """What is raised where nothing keeps the limits."""
    return UnmetError(nothing(why).problems)
