"""What a target error would take: power laws through what systems reached, and their price tag.

Source: Thompson, Greenewald, Lee and Manso 2022 (arXiv 2007.05558): log10 error falls on a line in
log10 compute.  Operations done and hardware burden (processors × peak × time) are fitted apart.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from typing import TypedDict

import numpy as np

from costcalc.base.errors import not_found, wrong
from costcalc.base.vocabulary import usual_precision
from costcalc.catalog import accelerator as accelerators
from costcalc.decide.history import THOMPSON, points
from costcalc.decide.statistics import Fit, bootstrap, line

OPERATIONS, BURDEN = "network_operations_flop", "hardware_burden_peak_flop"
QUANTITIES = {"operations": OPERATIONS, "burden": BURDEN}
MEANING = {
    OPERATIONS: "operations done: FLOP a pass × passes",
    BURDEN: "hardware burden: processors × peak rate × time, used or not",
}
LEAST_POINTS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Law:
    """error ~ compute^slope on one benchmark, vintage and quantity; slope with its 95 % interval.

    ``exponent`` is a of compute ~ error^-a, with its interval; None where the slope is not
    significant.
    """

    benchmark: str
    vintage: str
    quantity: str
    metric: str
    fit: Fit
    best_error: float

    @property
    def exponent(self) -> tuple[float, float, float] | None:
        """a of compute ~ error^-a: value, low, high."""
        if not self.fit.significant or self.fit.slope >= 0:
            return None
        return -1 / self.fit.slope, -1 / self.fit.low, -1 / self.fit.high

    @property
    def why(self) -> str:
        """Why there is no exponent."""
        if self.exponent is not None:
            return ""
        return (
            f"not significant: the slope's 95 % interval, {self.fit.low:.3f} to "
            f"{self.fit.high:+.3f}, holds 0 ({self.fit.n} points, R² {self.fit.r2:.2f})"
        )

    def to_dict(self) -> dict[str, object]:
        """Plain values."""
        found = self.exponent
        return {
            "benchmark": self.benchmark,
            "vintage": self.vintage,
            "quantity": self.quantity,
            "metric": self.metric,
            "n": self.fit.n,
            "r2": self.fit.r2,
            "slope": self.fit.slope,
            "slope_low": self.fit.low,
            "slope_high": self.fit.high,
            "intercept": self.fit.intercept,
            "exponent": found[0] if found else None,
            "exponent_low": found[1] if found else None,
            "exponent_high": found[2] if found else None,
            "why": self.why,
            "best_error": self.best_error,
            "source": THOMPSON,
        }


@cache
def law(benchmark: str, quantity: str = BURDEN, vintage: str = "2022") -> Law:
    """The power law of a benchmark.

    Raises:
        NotFoundError: no such benchmark, or no points of that quantity and vintage.

    >>> found = law("ImageNet", OPERATIONS)
    >>> round(found.fit.slope, 4), round(found.exponent[0], 1), found.fit.n
    (-0.0836, 12.0, 77)
    """
    known = sorted({point.benchmark for point in points()})
    if benchmark not in known:
        raise not_found("benchmark", "benchmark", benchmark, known)
    chosen = _chosen(benchmark, quantity, vintage)
    if len(chosen) < LEAST_POINTS:
        raise wrong(
            "quantity",
            f"{benchmark} has {len(chosen)} points of {quantity} in the {vintage} data: "
            f"fewer than {LEAST_POINTS} are not fitted",
        )
    x = np.log10([flop for flop, _ in chosen])
    y = np.log10([error for _, error in chosen])
    metric = next(
        p.metric
        for p in points()
        if p.benchmark == benchmark and p.vintage == vintage and p.quantity == quantity
    )
    return Law(
        benchmark=benchmark,
        vintage=vintage,
        quantity=quantity,
        metric=metric,
        fit=line(x, y),
        best_error=min(error for _, error in chosen),
    )


def _chosen(benchmark: str, quantity: str, vintage: str) -> list[tuple[float, float]]:
    return [
        (p.flop, p.error)
        for p in points()
        if (p.benchmark, p.quantity, p.vintage) == (benchmark, quantity, vintage)
    ]


def laws(vintage: str = "2022") -> list[Law]:
    """Every benchmark and quantity with points enough.

    >>> len(laws())
    7
    """
    kinds = sorted({(p.benchmark, p.quantity) for p in points() if p.vintage == vintage})
    return [law(*kind, vintage) for kind in kinds if len(_chosen(*kind, vintage)) >= LEAST_POINTS]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The compute that an error would take, 95 % interval by bootstrap of the points."""

    law: Law
    error: float
    flop: float | None
    low: float | None
    high: float | None
    why: str
    on: Priced | None

    def to_dict(self) -> dict[str, object]:
        """Plain values."""
        return {**asdict(self), "law": self.law.to_dict(), "on": dict(self.on or {})}


def target(
    found: Law,
    error: float,
    *,
    accelerator: str = "h100-sxm5-80",
    region: str | None = None,
    money: Mapping[str, object] | None = None,
) -> Target:
    """What reaching an error would take if the law went on, and what the calculator makes of it.

    ``error`` is a share (0.05).  With an accelerator the compute becomes device-hours, dollars
    (``money``: another currency and its rate) and CO2e; an operation is run at the predicted
    utilization, a burden at the peak that it counts.

    Raises:
        InputError: an error that is not between 0 and 1, or an unknown accelerator or region.
    """
    if not 0.0 < error < 1.0:
        raise wrong("--error", f"expected a share between 0 and 1, or 5%; got {error:g}")
    if found.exponent is None:
        return Target(
            law=found, error=error, flop=None, low=None, high=None, why=found.why, on=None
        )
    chosen = _chosen(found.benchmark, found.quantity, found.vintage)
    x = np.log10([flop for flop, _ in chosen])
    y = np.log10([reached for _, reached in chosen])
    logs = math.log10(error)
    at = (logs - found.fit.intercept) / found.fit.slope
    key = f"limits.{found.benchmark}.{found.quantity}.{found.vintage}"
    low, high = bootstrap(x, y, key, lambda s, i: np.where(s < 0, (logs - i) / s, np.inf))
    why = (
        ""
        if error >= found.best_error
        else (f"extrapolated: the best of the points reached {found.best_error:.3g}")
    )
    return Target(
        law=found,
        error=error,
        flop=_power(at),
        low=_power(min(low, at)),
        high=_power(max(high, at)),
        why=why,
        on=priced(_power(at), found.quantity, accelerator, region, money),
    )


def _power(exponent: float) -> float:
    return math.pow(10.0, min(exponent, 300.0))


_ONE = 1e21  # FLOP: everything on a fixed profile is proportional to the compute


class Amount(TypedDict):
    """A figure with its range and unit; ``why`` says why there is none."""

    value: float | None
    low: float | None
    high: float | None
    unit: str
    why: str | None


class Priced(TypedDict):
    """What a compute takes on one device type, and by which rule."""

    accelerator: str
    region: str | None
    rule: str
    figures: dict[str, Amount]


def priced(
    flop: float,
    quantity: str,
    accelerator: str,
    region: str | None = None,
    money: Mapping[str, object] | None = None,
) -> Priced:
    """Device-hours, dollars, kWh and kgCO2e of a compute on one device type, by the calculator.

    All are proportional to the compute, so that a compute beyond any run is scaled from 1e21 FLOP.
    """
    from costcalc.calculator.calculate import estimate

    profile = accelerators.find(accelerator)
    run: dict[str, object] = {
        "hardware": {"accelerator": profile.id, "count": 1},
        "price": {**(money or {}), "provider": "any"},
    }
    if region:
        run["site"] = {"region": region}
    if quantity == BURDEN:
        rates = profile.peak.rates()
        peak = rates[usual_precision(rates) or "fp32"]
        run["measured"] = {"device_hours": _ONE / peak / 3600.0}
        rule = "time = burden / peak: a burden counts peak rates, used or not"
    else:
        run["model"] = {"flops": f"{_ONE:g} FLOP"}
        rule = "time = operations / (peak × predicted utilization × goodput)"
    made = estimate(run)
    scale = flop / _ONE
    figures: dict[str, Amount] = {}
    for name in ("device_hours", "cost", "energy", "carbon_total"):
        one = made.results[name]
        figures[name] = {
            "value": one.value * scale if one.value is not None else None,
            "low": one.low * scale if one.low is not None else None,
            "high": one.high * scale if one.high is not None else None,
            "unit": one.unit,
            "why": one.why,
        }
    return {"accelerator": profile.id, "region": region, "rule": rule, "figures": figures}
