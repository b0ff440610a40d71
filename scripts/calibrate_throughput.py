"""Calibrates the step-time model on the shipped measurements and writes its constants.

    python scripts/calibrate_throughput.py             # everything
    python scripts/calibrate_throughput.py --goodput   # the goodput alone, of the constants kept
    python scripts/calibrate_throughput.py --check     # the fit to all rows, against what ships

``--check`` fits all rows again and names each constant that ships and is not near to that fit.
The three scales of encoders trade against one another: of them it asks that they do about as well
as the fit's own.  Ranges, ``auto`` and folds, which take a fit a group and a prediction a row, it
leaves alone.

The fit is in ``step_fit.py``.  The same fit without each group of sources gives the
constants that ``costcalc validate`` predicts that group with.  Needs scipy; the same input gives
the same output.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from calibrate_classes import known_by_flops, samples_of
from encoder_scales import cost, encoders_of, residuals_of
from measured_cases import case_of
from scipy.optimize import minimize
from scipy.stats import norm
from scipy.stats import t as student
from step_fit import ATTENTION, DEVIATION, NEWER, Fit, index

from costcalc.throughput.constants import shipped as shipped_constants
from costcalc.throughput.ranges import MOSTLY, WAITING, place_of
from costcalc.throughput.transfer import NAMES, shares_of
from costcalc.validate import published
from costcalc.validate.measurements import Measured, all_measured, fastest, untold, workload
from costcalc.validate.throughput import predicted

ROOT = Path(__file__).resolve().parents[1]
CONSTANTS = ROOT / "costcalc/data/throughput.yaml"
FOLDS = ROOT / "costcalc/data/measurements/throughput_folds.yaml"

MEANT = 4  # sources below which Student's t has no meaning


def report(name: str, e: np.ndarray) -> None:
    """A line of scores."""
    off = np.abs(np.expm1(e))
    print(f"{name:32} n {len(e):4}  median {np.median(off):6.1%}  p90 {np.quantile(off, 0.9):7.1%}"
          f"  bias {np.median(e):+.3f}")  # fmt: skip


def constants_of(fit: Fit, theta: np.ndarray, used: np.ndarray) -> dict[str, Any]:
    """What ``costcalc.throughput.constants`` reads: rounded, so that a rerun writes the same."""
    generations: dict[str, Any] = {}
    common = fit.constants(theta)
    deviation = np.exp(fit.part(theta, 1) * DEVIATION)
    attention = np.exp(fit.part(theta, 2) * ATTENTION) * common["attention"]
    for i, name in enumerate(fit.generations):
        here = (fit.generation == i) & used
        if here.any():
            own = {"attention": rounded(attention[i])}
            if name in NEWER:
                own["attention_older"] = rounded(common["attention_older"])
            groups = len(set(fit.group[here]))
            n = int(here.sum())
            generations[name] = {"n": n, "groups": groups, "own": own, "precisions": {}}
    for i, (name, precision) in enumerate(fit.cells):
        if ((fit.cell == i) & used).any():
            generations[name]["precisions"][precision] = rounded(deviation[i])
    common = {n: rounded(v) for n, v in common.items() if n != "attention_older"}
    return {"global": common, "generations": generations}


def rounded(value: float) -> float:
    """Four digits: what the measurements can tell."""
    return float(f"{value:.4g}")


def yaml(data: Any, indent: int = 0) -> str:
    """Plain YAML of nested mappings: leaves on one line."""
    lines = []
    for key, value in data.items():
        pad = "  " * indent
        if isinstance(value, dict) and any(isinstance(v, dict) for v in value.values()):
            lines.append(f"{pad}{key}:\n{yaml(value, indent + 1)}")
        elif isinstance(value, dict):
            inside = ", ".join(f"{k}: {v}" for k, v in value.items())
            lines.append(f"{pad}{key}: {{{inside}}}")
        else:
            lines.append(f"{pad}{key}: {value}")
    return "\n".join(lines)


HEADER = """\
# yaml-language-server: $schema=./schemas/throughput.schema.json
# Written by scripts/calibrate_throughput.py from measurements/throughput.csv; do not edit.
# global: constants of costcalc/throughput/coefficients.py (shares of 1, seconds, bytes).
# classes, samples: constants of costcalc/throughput/by_flops.py (scripts/calibrate_classes.py).
# models: scales of them for kinds of model whose measured software differs.
# precisions: what a generation keeps of its measured matmul ceiling, against `sustained`.
# auto: share of the throughput in the fastest layout found that runs in their own layouts reach.
# repeat: log of a measurement over the median of its configuration, 5th and 95th percentile.
# range: log of true over predicted throughput, 5th and 95th percentile, of predictions for groups
# of sources that the fit had not seen, widened by how few they are (Student's t); of a step that
# only computes. waiting: how many times wider the range of one is that only waits (`unevenness`).
sources:
  measurements:
    title: Measured training throughput (measurements/throughput.csv, a source a row)
    publisher: costcalc
    url: null
    date: 2026-11
  published_runs:
    title: Published training runs (measurements/published_runs.csv, a source a row)
    publisher: costcalc
    url: null
    date: 2026-11
source: measurements
"""
REMARK = HEADER.split("\n", 2)[1] + "\n"


def quantiles(e: np.ndarray, group: np.ndarray, *, widened: bool = True) -> dict[str, float]:
    """5th and 95th percentile of true over predicted (log), groups weighted by their root size."""
    order = np.argsort(-e)
    share = (np.maximum(np.bincount(group), 1) ** -0.5)[group][order]
    at = (np.cumsum(share) - share / 2) / share.sum()
    low, high = np.interp([0.05, 0.95], at, -e[order])
    sources = len(set(group.tolist()))
    wide = few(sources) if widened else 1.0
    if sources < MEANT and widened:
        # two or three sources do not tell to which side the next one will be off
        low, high = min(low, -high), max(high, -low)
    return {"low": rounded(min(low * wide, -0.1)), "high": rounded(max(high * wide, 0.1)),
            "n": len(e)}  # fmt: skip


def few(groups: int) -> float:
    """What widens a range for the next source, seen how few sources it comes from.

    The prediction interval of Student's t over the normal one, with the sources as sample:
    t(0.95, G-1)/z(0.95) * sqrt(1 + 1/G).
    """
    groups = max(groups, MEANT)
    return float(student.ppf(0.95, groups - 1) / norm.ppf(0.95) * np.sqrt(1.0 + 1.0 / groups))


CLASS_OF = {"bert": "encoder", "vit": "vision", "cnn": "cnn", "diffusion": "diffusion"}


@dataclass(frozen=True)
class Errors:
    """Log of predicted over measured, with the group of each and the shares its step waits."""

    off: np.ndarray
    groups: list[str]
    waits: np.ndarray  # a row a configuration, a column a name of WAITING

    def evened(self, waiting: dict[str, float]) -> np.ndarray:
        """What the errors would be, did nothing wait: each over its own unevenness."""
        return self.off / uneven(self.waits, [waiting[name] for name in WAITING])


def uneven(waits: np.ndarray, scales: Any) -> np.ndarray:
    """:func:`costcalc.throughput.ranges.unevenness` of many rows."""
    most = np.minimum(waits, MOSTLY)
    return np.sqrt(1.0 + np.square(most * np.asarray(scales)).sum(axis=1))


#: kinds of range whose rows no other kind repeats, and Student's t that their errors follow
APART = ("one", "node", "cluster", "encoder", "cnn", "vision", "diffusion")
TAIL = 4.0
#: before any fit: a step that only waits is known four times worse; how firmly, log
BEFORE, FIRMLY = 4.0, 1.0


def waiting(errors: dict[str, Errors], without: str | None = None) -> dict[str, float]:
    """The most likely scales of :func:`uneven`: Student's t, groups weighted by root size."""
    kinds = [errors[name] for name in APART if name in errors]
    off = np.concatenate([one.off for one in kinds])
    waits = np.concatenate([one.waits for one in kinds])
    names = [g for one in kinds for g in one.groups]
    kind = np.repeat(np.arange(len(kinds)), [len(one.off) for one in kinds])
    _, group = index(names)
    share = (np.bincount(group) ** -0.5)[group] * np.array([g != without for g in names])

    def unlikely(theta: np.ndarray) -> float:
        wide = np.exp(theta[len(WAITING) :])[kind] * uneven(waits, np.exp(theta[: len(WAITING)]))
        likely = student.logpdf(off / wide, TAIL) - np.log(wide)
        prior = np.square((theta[: len(WAITING)] - np.log(BEFORE)) / FIRMLY).sum() / 2.0
        return float(prior - share @ likely)

    start = np.log([BEFORE] * len(WAITING) + [0.2] * len(kinds))
    found = np.exp(minimize(unlikely, start, method="L-BFGS-B").x)
    return {name: rounded(v) for name, v in zip(WAITING, found[: len(WAITING)], strict=True)}


def held_out(
    measured: list[Measured], constants: dict[str, Any], shipped_ones: dict[str, Any]
) -> dict[str, Errors]:
    """Errors of every kind of range."""
    found: dict[str, list[tuple[float, str, list[float]]]] = {}
    asked_for = {one.row["id"] for one in fastest(measured)}
    for one in measured:
        own = {**constants.get(one.group, shipped_ones), "auto": {"value": 1.0}}
        kind, names = one.row["workload"], list[str]()
        if kind != "llm":
            names = [CLASS_OF[kind]]
        elif one.row["shape"]:
            names = ["hidden"] * (one.row["id"] in asked_for)
            if one.layout_given:
                place = place_of(float(one.row["devices"]))
                names += ["given", place, f"{place}_untold"]
                names += ["experts"] if workload(one.row) == "experts" else []
        for name in names:
            asked = replace(one, row=untold(one.row)) if name.endswith("_untold") else one
            point = predicted(asked, own, hidden=name == "hidden", ranges=False)
            if point.predicted is not None:
                error = float(np.log(point.predicted / one.rate))
                shares = dict(zip(NAMES, shares_of(point.breakdown), strict=True))
                waits = [shares[part] for part in WAITING]
                found.setdefault(name, []).append((error, one.group, waits))
    return {n: Errors(np.array([e for e, _, _ in v]), [g for _, g, _ in v],
                      np.array([w for _, _, w in v])) for n, v in found.items()}  # fmt: skip


def tuned(e: np.ndarray, groups: list[str], without: str | None = None) -> dict[str, Any]:
    """Median of true over predicted in the fastest layout, groups weighted by their root size."""
    keep = np.array([g != without for g in groups])
    _, group = index([g for g, k in zip(groups, keep, strict=True) if k])
    share = (np.bincount(group) ** -0.5)[group]
    order = np.argsort(-e[keep])
    at = (np.cumsum(share[order]) - share[order] / 2) / share.sum()
    middle = float(np.interp(0.5, at, -e[keep][order]))
    return {"value": rounded(min(np.exp(middle), 1.0)), "n": int(keep.sum())}


def ranges(errors: dict[str, Errors], without: str | None = None) -> dict[str, Any]:
    """Quantiles of the errors of each kind; of the other groups' alone where there are enough."""
    scales = waiting(errors, without)
    found: dict[str, Any] = {}
    for name, one in errors.items():
        keep = np.array([g != without for g in one.groups])
        if keep.sum() < 10:
            continue  # too few without this group: the range of the whole model serves
        _, group = index([g for g, k in zip(one.groups, keep, strict=True) if k])
        # experts: a further width, of one publisher but for two rows: not widened again
        found[name] = quantiles(one.evened(scales)[keep], group, widened=name != "experts")
    return found | {"waiting": scales}


def unseen_generations(fit: Fit, given: Errors) -> Errors:
    """Errors on every generation, predicted by a fit that saw none of its configurations.

    ``given``: those of the same rows, in the same order, whose steps wait as much.
    """
    e, start = np.zeros(len(fit.rate)), fit.solve(fit.weights())
    for i in range(len(fit.generations)):
        here = fit.generation == i
        theta = fit.solve(fit.weights() * ~here, start)
        e[here] = fit.errors(theta)[here]
    assert given.groups == [fit.groups[g] for g in fit.group]
    return replace(given, off=e)


def repeat(measured: list[Measured]) -> dict[str, Any]:
    """How far measurements of one configuration are from their median, logarithm."""
    e = np.array([np.log(rate / m.rate) for m in measured if m.row["workload"] == "llm"
                  and len(m.repeats) > 1 for rate in m.repeats])  # fmt: skip
    low, high = np.quantile(e, [0.05, 0.95])
    return {"low": rounded(low), "high": rounded(high), "n": len(e)}


def goodput(constants: dict[str, Any]) -> dict[str, Any]:
    """Goodput of published runs against the benchmarks' prediction."""
    found = published.goodput_of(published.goodputs(constants))
    values = {n: rounded(v) if n != "n" else int(v) for n, v in found.items()}
    why = (
        f"share of the allocated hours of {values['n']} published runs on more than a node that "
        "the predicted step takes (128 devices, a thousand and more; less of what promises more): "
        "restarts, evaluation, checkpoints, settings less than tuned"
    )
    return values | {"source": "published_runs", "why": f'"{why}"'}


def of_all(fit: Fit, theta: np.ndarray, cases: Any, by_flops: Any) -> dict[str, Any]:
    """The constants of a fit to every row, but for what its errors say."""
    made = constants_of(fit, theta, np.ones(len(fit.rate), dtype=bool))
    made |= samples_of(by_flops, made)
    made["models"] = {"encoder": encoders_of(cases, made, None)}
    return made


CLOSE = 0.02  # relative: where the optimizer stops hangs on the processor's rounding
AS_WELL = 1.05  # the loss of the encoders' scales, over the least


def apart(made: Any, kept: Any, name: str = "") -> Iterator[str]:
    """The leaves of what was made that are not close to what is kept, by their dotted names."""
    if isinstance(made, dict):
        for key, value in made.items():
            inner = kept.get(key) if isinstance(kept, dict) else None
            yield from apart(value, inner, f"{name}.{key}" if name else str(key))
    elif not isinstance(kept, (int, float)) or abs(made - kept) > CLOSE * abs(made):
        yield f"{name}: {kept} ships; the fit gives {made}"


def check(made: dict[str, Any], cases: Any) -> None:
    """Compare with what ships.

    Raises:
        SystemExit: some constants are not what the fit gives.
    """
    kept = dict(shipped_constants())
    fitted, ours = made.pop("models")["encoder"], kept["models"]["encoder"]
    found = list(apart(made, kept))
    residuals = residuals_of(cases, kept, None)
    ratio = cost(residuals, ours) / cost(residuals, fitted)
    if ratio > AS_WELL:
        found.append(f"models.encoder: {ours} ships, whose loss is {ratio:.3f} of that of {fitted}")
    if found:
        raise SystemExit("\n".join(found))
    print(f"{CONSTANTS.name}: its constants are those of the fit")


def main() -> None:
    """Fits, leaves each group out in turn, writes both files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=CONSTANTS)
    parser.add_argument("--folds", type=Path, default=FOLDS)
    parser.add_argument("--goodput", action="store_true", help="keep all but the goodput")
    parser.add_argument("--check", action="store_true", help="compare the fit with what ships")
    given = parser.parse_args()
    if given.goodput:
        kept, old, _ = CONSTANTS.read_text(encoding="utf-8").partition("goodput: {")
        assert old
        made = yaml({"goodput": goodput(dict(shipped_constants()))})
        given.output.write_text(f"{kept}{made}\n", encoding="utf-8")
        return
    everything, by_flops = all_measured(), known_by_flops()
    cases = [(m, case) for m in everything if (case := case_of(m)) is not None]
    fit = Fit([(m, case) for m, case in cases
               if m.layout_given and m.row["shape"] and m.row["workload"] == "llm"])  # fmt: skip
    theta = fit.solve(fit.weights())
    report("in-sample (no prediction)", fit.errors(theta))
    constants = of_all(fit, theta, cases, by_flops)
    if given.check:
        check(constants | {"repeat": repeat(everything)}, cases)
        return
    folds: dict[str, Any] = {}
    for name in sorted({m.group for m in everything}):
        used = np.array([fit.groups[g] != name for g in fit.group])
        without = fit.solve(fit.weights(name), theta) if name in fit.groups else theta
        folds[name] = constants_of(fit, without, used)
        folds[name] |= samples_of(by_flops, folds[name], name)
        scales = encoders_of(cases, folds[name], name)
        folds[name]["models"] = {"encoder": scales}
    errors = held_out(everything, folds, constants)
    errors["new"] = unseen_generations(fit, errors["given"])
    hidden = errors["hidden"]
    constants["auto"] = tuned(hidden.off, hidden.groups)
    for name, fold in folds.items():
        fold["auto"] = tuned(hidden.off, hidden.groups, without=name)
    shift = [np.log(folds[g]["auto"]["value"]) for g in hidden.groups]
    errors["hidden"] = replace(hidden, off=hidden.off + np.array(shift))
    for name, one in errors.items():
        report(f"held out: {name}", one.off)
    constants["range"] = ranges(errors)
    for name, fold in folds.items():
        fold["range"] = ranges(errors, name)
    constants["repeat"] = repeat(everything)
    constants["goodput"] = goodput(constants)
    given.output.write_text(HEADER + yaml(constants) + "\n", encoding="utf-8")
    given.folds.write_text(REMARK + yaml(folds) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
