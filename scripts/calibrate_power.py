"""Fits the constants of the power model to measured boards and systems.

    python scripts/calibrate_power.py            writes costcalc/data/power.yaml and, a minute
                                                 later, costcalc/data/measurements/power_folds.yaml
    python scripts/calibrate_power.py --check    exits 1 if the files are not what this writes

Every row of costcalc/data/measurements/power.csv counts once.  The errors are of rows that the
fit has not seen: one source is left out at a time; the traces of one source on several kinds of
device leave out one device at a time.  No row is made from a rating times hours.

The folds are what `costcalc validate` predicts with: for each source the constants fitted without
it, and a range from the errors of the other sources, each of which was left out of its fit as well;
and the same for teams that traced several devices, left out whole.
"""

from __future__ import annotations

import csv
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from costcalc.energy import board_power, busy_share

DATA = Path(__file__).parents[1] / "costcalc" / "data"
CLASSES = ("transformer", "convolution", "recurrent")
FAMILIES = ("pascal", "tpu")
START = {
    "ceiling.transformer": 0.85,
    "ceiling.convolution": 0.80,
    "ceiling.recurrent": 0.60,
    "family.pascal": 0.75,
    "family.tpu": 0.85,
    "full.transformer.tensor": 0.20,
    "full.transformer.vector": 0.40,
    "full.convolution.tensor": 0.03,
    "full.convolution.vector": 0.12,
}
TEAMS = ("zeus", "perseus")  # one team's traces on several devices
STEPS = np.exp(np.linspace(-0.5, 0.5, 41))
SWEEPS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One measurement; watts a device, None where a figure is unknown."""

    id: str
    source: str
    generation: str
    workload: str
    unit: str
    utilization: float | None
    host: float | None
    limit: float
    idle: float
    power: float
    accelerator: str

    @property
    def family(self) -> str:
        """What shares a factor on the ceiling."""
        return "tpu" if self.generation.startswith("tpu") else self.generation


def rows(priors: dict) -> list[Row]:
    """The measurements; an unknown idle power is the prior's share of the limit."""
    with (DATA / "measurements" / "power.csv").open(encoding="utf-8", newline="") as file:
        return [_row(raw, priors["idle"]) for raw in csv.DictReader(file)]


def _row(raw: dict[str, str], idle: dict) -> Row:
    limit = float(raw["limit_w"])
    kind = "tpu" if raw["generation"].startswith("tpu") else "gpu"
    return Row(
        id=raw["id"],
        source=raw["source"],
        generation=raw["generation"],
        unit=raw["unit"],
        workload=raw["workload"],
        accelerator=raw["accelerator"],
        limit=limit,
        utilization=float(raw["utilization"]) if raw["utilization"] else None,
        host=float(raw["host_w"]) if raw["host_w"] else None,
        idle=float(raw["idle_w"]) if raw["idle_w"] else limit * idle[kind]["value"],
        power=float(raw["power_w"]),
    )


def board(row: Row, p: dict[str, float]) -> float:
    """The model's board power; where utilization is unknown, that of a busy device."""
    ceiling = p[f"ceiling.{row.workload}"] * p.get(f"family.{row.family}", 1.0)
    full = p.get(f"full.{row.workload}.{row.unit}", 1.0)
    use = full if row.utilization is None else row.utilization
    return float(
        board_power(
            busy=busy_share(use, full), limit=row.limit, idle=row.idle, ceiling=min(ceiling, 1.0)
        )
    )


def predicted(row: Row, p: dict[str, float], seen: list[Row]) -> float | None:
    """Board plus host; an unknown host is the median of what others of the chip leave for it."""
    own = board(row, p)
    if row.host is not None:
        return own + row.host
    rest = [
        other.power - board(other, p)
        for other in seen
        if other.accelerator == row.accelerator and other.host is None and other.id != row.id
    ]
    return own + float(np.median(rest)) if rest else None


def loss(p: dict[str, float], seen: list[Row]) -> float:
    """Mean absolute error of the logarithm."""
    found = [(predicted(row, p, seen), row.power) for row in seen]
    return float(np.mean([abs(np.log(made / measured)) for made, measured in found if made]))


def fit(seen: list[Row]) -> dict[str, float]:
    """Coordinate descent from the priors, on a grid: the same rows give the same constants."""
    p = dict(START)
    if not any(row.workload == "convolution" and row.utilization is not None for row in seen):
        for unit in ("tensor", "vector"):  # nothing tells how convolutions ramp: as transformers
            p[f"full.convolution.{unit}"] = p[f"full.transformer.{unit}"]
    for _ in range(SWEEPS):
        for name in START:
            tried = [(loss({**p, name: p[name] * step}, seen), step) for step in STEPS]
            best = min(tried, key=lambda pair: (round(pair[0], 9), abs(np.log(pair[1]))))
            p[name] *= float(best[1])
            if name.startswith(("ceiling", "family")):
                p[name] = min(p[name], 1.0)
    return p


def held_out(all_rows: list[Row]) -> list[tuple[Row, float]]:
    """(row, model over measured) for each row, its source left out of the fit."""
    found: list[tuple[Row, float]] = []
    for source in sorted({row.source for row in all_rows}):
        p = fit([row for row in all_rows if row.source != source])
        inside = [row for row in all_rows if row.source == source]
        for row in inside:
            # A host's share is no constant of the fit: the chip's other rows tell it.
            made = predicted(row, p, all_rows)
            if made is not None:
                found.append((row, made / row.power))
    return found


def summary(found: list[tuple[Row, float]]) -> dict[str, float | int]:
    """Number, median and 90th percentile of the error, bias, and the spread of measured/model."""
    values = np.array([ratio for _, ratio in found])
    error = np.abs(values - 1.0)
    return {
        "n": len(values),
        "median_error": _r(np.median(error)),
        "p90_error": _r(np.percentile(error, 90)),
        "bias": _r(np.exp(np.median(np.log(values))) - 1.0),
        **spread([(row.source, 1.0 / ratio) for row, ratio in found]),
    }


def spread(found: list[tuple[str, float]]) -> dict[str, float]:
    """5th and 95th percentile of measured over model, each source counting once.

    For a source that is yet to come the share of n known ones to cover is (n + 1)/n times 0.95
    (split conformal prediction, Lei et al. 2018, arXiv:1604.04173, section 2): with fewer than 19
    sources that is all of them, and the range is from the lowest to the highest seen.
    """
    sources = [source for source, _ in found]
    share = min((len(set(sources)) + 1) / len(set(sources)) * 0.95, 1.0)
    order = np.argsort([ratio for _, ratio in found])
    ratios = np.array([ratio for _, ratio in found])[order]
    weights = np.array([1.0 / sources.count(source) for source in sources])[order]
    at = (np.cumsum(weights) - 0.5 * weights) / weights.sum()
    low, high = np.interp([1.0 - share, share], at, ratios)
    return {"low": _r(low), "high": _r(high)}


def _r(value: float) -> float:
    return float(f"{value:.3g}")


def build() -> str:
    """The text of power.yaml."""
    priors = yaml.safe_load((DATA / "measurements" / "power_priors.yaml").read_text("utf-8"))
    every = rows(priors)
    fitted = [row for row in every if row.workload in CLASSES]
    p = {name: _r(value) for name, value in fit(fitted).items()}
    ratios = held_out(fitted)
    known = [one for one in ratios if one[0].utilization is not None]
    unknown = [one for one in ratios if one[0].utilization is None]
    busy = [one for one in known if one[0].workload == "transformer"]
    out = {
        "ceiling": {name: p[f"ceiling.{name}"] for name in CLASSES},
        "family": {name: p[f"family.{name}"] for name in FAMILIES},
        "full": {
            name: {unit: p[f"full.{name}.{unit}"] for unit in ("tensor", "vector")}
            for name in ("transformer", "convolution")
        },
        "held_out": {
            "transformer": summary(busy),
            "known": summary(known),
            "unknown": summary(unknown),
            "all": summary(known + unknown),
        },
        "measured": sorted({row.generation for row in fitted}),
    }
    both = ("transformer", "convolution")
    out["ceiling"]["other"] = _r(np.mean([out["ceiling"][name] for name in both]))
    for name in ("recurrent", "other"):
        pair = [out["full"][other] for other in both]
        out["full"][name] = {
            unit: _r(float(np.sqrt(pair[0][unit] * pair[1][unit]))) for unit in ("tensor", "vector")
        }
    head = (
        "# yaml-language-server: $schema=schemas/power.schema.json\n"
        "# Written by scripts/calibrate_power.py from measurements/power.csv and"
        " measurements/power_priors.yaml.\n"
    )
    body = yaml.safe_dump({**out, **priors}, sort_keys=False, width=1000, allow_unicode=True)
    return head + body


def folds() -> str:
    """The text of power_folds.yaml: what may be known of each source without having seen it."""
    priors = yaml.safe_load((DATA / "measurements" / "power_priors.yaml").read_text("utf-8"))
    fitted = [row for row in rows(priors) if row.workload in CLASSES]
    fits: dict[frozenset[str], dict[str, float]] = {}

    def without(*out: str) -> dict[str, float]:
        key = frozenset(out)
        if key not in fits:
            fits[key] = fit([row for row in fitted if row.source not in key])
        return fits[key]

    def fold(*out: str) -> dict[str, object]:
        seen = [row for row in fitted if row.source not in out]
        errors: dict[str, list[tuple[str, float]]] = {"known": [], "unknown": []}
        for row in seen:
            made = predicted(row, without(*out, row.source), seen)
            if made is not None:
                name = "unknown" if row.utilization is None else "known"
                errors[name].append((row.source, row.power / made))
        ranges = {name: spread(ratios) for name, ratios in errors.items()}
        return {**{name: _r(v) for name, v in without(*out).items()}, **ranges}

    sources = sorted({row.source for row in fitted})
    found = {source: fold(source) for source in sources}
    for team in TEAMS:
        found[team] = fold(*(source for source in sources if source.startswith(team)))
    body = yaml.safe_dump(found, sort_keys=False, width=1000, default_flow_style=None)
    return "# Written by scripts/calibrate_power.py from power.csv; do not edit.\n" + body


def main() -> int:
    """Writes the files, or checks them."""
    files = {DATA / "power.yaml": build, DATA / "measurements" / "power_folds.yaml": folds}
    if "--check" in sys.argv[1:]:
        return int(any(path.read_text("utf-8") != make() for path, make in files.items()))
    for path, make in files.items():
        path.write_text(make(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
