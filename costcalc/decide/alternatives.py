"""The cheapest, fastest and cleanest way to train a given model within limits."""

from __future__ import annotations

from collections.abc import Mapping

from costcalc.catalog.region import CLOUDS
from costcalc.decide.buying import CANDIDATES, counts_for, nothing, placed
from costcalc.decide.comparing import compare
from costcalc.decide.sweep import ScenarioRow, section, single

AIMS = (("cheapest", "cost"), ("fastest", "time"), ("cleanest", "carbon"))


def alternatives(
    raw: Mapping[str, object],
) -> tuple[dict[str, object], dict[str, ScenarioRow], list[str]]:
    """The run of the first way, every way's row, and what is to be said.

    Raises:
        InputError: nothing that was tried trains it within the limits.
    """
    asked = section(raw, "hardware")
    region = section(raw, "site").get("region")
    anywhere = not placed(raw)
    devices = [asked["accelerator"]] if "accelerator" in asked else list(CANDIDATES)
    counts = [asked["count"]] if "count" in asked else list(counts_for(raw)[:11])
    regions = list(CLOUDS) if anywhere else [region or "world"]
    notes = []
    if anywhere:
        notes.append(f"no place is given: the regions of {', '.join(CLOUDS)} are tried")
    elif region is None:
        notes.append("no site.region: carbon is not compared")
    made = {}
    for name, aim in AIMS:
        if aim == "carbon" and region is None and not anywhere:
            continue
        found = compare(
            raw, accelerators=devices, counts=counts, regions=regions, minimize=aim, ranges=False
        )
        if found.best is not None:
            made[name] = found.best
    if not made:
        raise nothing("no hardware and count that were tried trains this model within them")
    run = single(raw, next(iter(made.values())))
    if region is None and not anywhere:  # the world stood for no place: its grid was not asked for
        run.pop("site", None)
        if raw.get("site"):
            run["site"] = raw["site"]
    return run, made, notes
