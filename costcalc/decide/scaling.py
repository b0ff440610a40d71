"""How large a model and how many tokens a compute should buy: two fits of one law, both shown."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NotRequired, TypedDict, cast

import numpy as np

from costcalc.base.ranges import normals
from costcalc.catalog.region_table import table

FILE = "scaling_laws.yaml"
_DRAWS = 4000
FIGURES = ("parameters", "tokens", "loss")
NO_SPREAD = "no interval of E, A and B is published: the loss has no spread"
Spread = dict[str, tuple[float, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalingLaw:
    """loss = E + A / N^a + B / D^b."""

    id: str
    name: str
    source: str
    url: str | None
    A: float
    B: float
    E: float
    a: float
    b: float
    errors: dict[str, float] | None
    exponents: tuple[tuple[float, float], ...] = ()  # published, of parameters ~ compute^value
    pivot: float = 0.0  # FLOP

    def optimum(self, flop: float) -> tuple[float, float]:
        """Parameters and tokens of least loss at 6 N D = ``flop``.

        Source: Hoffmann et al. 2022 (arXiv 2203.15556), equation 4.

        >>> [f"{value:.3g}" for value in laws()[1].optimum(5.76e23)]
        ['7.22e+10', '1.33e+12']
        """
        G = (self.a * self.A / (self.b * self.B)) ** (1 / (self.a + self.b))
        parameters = G * (flop / 6) ** (self.b / (self.a + self.b))
        return parameters, flop / 6 / parameters

    def loss(self, parameters: float, tokens: float) -> float:
        """The predicted loss, nats a token."""
        return float(self.E + self.A / parameters**self.a + self.B / tokens**self.b)


class Optimum(TypedDict):
    """What a law makes of a compute: each figure with its spread, and where that is from."""

    law: str
    source: str
    url: str | None
    spread: NotRequired[str]
    parameters: float
    parameters_low: float | None
    parameters_high: float | None
    tokens: float
    tokens_low: float | None
    tokens_high: float | None
    loss: float
    loss_low: float | None
    loss_high: float | None
    spread_why: NotRequired[str]


def laws() -> list[ScalingLaw]:
    """Hoffmann et al. and Besiroglu et al.

    >>> [law.id for law in laws()]
    ['hoffmann', 'besiroglu']
    """
    found = table(FILE)
    made = []
    for row in found.data["laws"]:
        source, url = found.source(row["source"])
        values = {
            name: row[name] if name in row else math.exp(row[f"log_{name}"])
            for name in ("A", "B", "E")
        }
        made.append(
            ScalingLaw(
                id=row["id"],
                name=row["name"],
                source=source,
                url=url,
                a=row["a"],
                b=row["b"],
                errors=row.get("se"),
                pivot=float(row.get("pivot", 0.0)),
                exponents=tuple((one["low"], one["high"]) for one in row.get("exponents", ())),
                **values,
            )
        )
    return made


class Predicted(TypedDict):
    """The loss that a law predicts of one model on so many tokens, nats a token."""

    law: str
    value: float
    low: float | None
    high: float | None
    why: NotRequired[str]


def predicted(parameters: float, tokens: float) -> list[Predicted]:
    """The loss of a model by each law; a range only where standard errors are published.

    >>> [round(one["value"], 3) for one in predicted(7e9, 140e9)]
    [2.154, 2.173]
    """
    made: list[Predicted] = []
    for law in laws():
        value = law.loss(parameters, tokens)
        one: Predicted = {"law": law.name, "value": value, "low": None, "high": None}
        if law.errors is None:
            one["why"] = NO_SPREAD
        else:
            drawn = np.array([each.loss(parameters, tokens) for each in _varied(law)])
            low, high = np.quantile(drawn, (0.05, 0.95))
            one["low"], one["high"] = min(float(low), value), max(float(high), value)
        made.append(one)
    return made


def shown(law: ScalingLaw, flop: float, tokens_per_parameter: float | None) -> Optimum:
    """What a law makes of a compute: parameters, tokens and loss, each with its spread.

    From standard errors of E, a and b where they are published: A and B go with a and b so that the
    law keeps its value in the middle of the experiments, for their errors are not independent.
    Else from published intervals of the exponent of the optimum; then the loss has none.
    """
    values = _at(law, flop, tokens_per_parameter)
    spread: Spread = {}
    said: dict[str, str] = {}
    if law.errors is not None:
        spread = _drawn(law, flop, tokens_per_parameter)
        said["spread"] = "5 – 95 %, from the standard errors of E, a and b"
    elif law.exponents and tokens_per_parameter is None:
        spread = _pivoted(law, flop)
        said["spread"] = (
            "10 – 90 % of the exponents alone, of all three approaches, bootstrapped by the "
            f"authors, laid through this fit at {law.pivot:.3g} FLOP, the middle of their budgets"
        )
    if "loss" not in spread:
        said["spread_why"] = NO_SPREAD
    figures: dict[str, float | None] = {}
    for name, value in zip(FIGURES, values, strict=True):
        low, high = spread.get(name, (None, None))
        figures[name] = value
        figures[f"{name}_low"] = None if low is None else min(low, value)
        figures[f"{name}_high"] = None if high is None else max(high, value)
    made = {"law": law.name, "source": law.source, "url": law.url, **said, **figures}
    return cast("Optimum", made)


def _drawn(law: ScalingLaw, flop: float, ratio: float | None) -> Spread:
    drawn = np.array([_at(one, flop, ratio) for one in _varied(law)])
    made = {}
    for at, name in enumerate(FIGURES):
        low, high = np.quantile(drawn[:, at], (0.05, 0.95))
        made[name] = (float(low), float(high))
    return made


def _pivoted(law: ScalingLaw, flop: float) -> Spread:
    """Parameters ~ compute^exponent through the law's optimum at the pivot."""
    here, _ = law.optimum(law.pivot)
    ends = [here * (flop / law.pivot) ** end for both in law.exponents for end in both]
    low, high = min(ends), max(ends)
    return {"parameters": (low, high), "tokens": (flop / 6 / high, flop / 6 / low)}


def _at(law: ScalingLaw, flop: float, ratio: float | None) -> tuple[float, float, float]:
    parameters, tokens = law.optimum(flop) if ratio is None else by_ratio(flop, ratio)
    return parameters, tokens, law.loss(parameters, tokens)


def by_ratio(flop: float, ratio: float) -> tuple[float, float]:
    """Parameters and tokens of a compute 6 N D at so many tokens a parameter.

    >>> by_ratio(6 * 20 * 1e9**2, 20.0)
    (1000000000.0, 20000000000.0)
    """
    parameters = math.sqrt(flop / (6 * ratio))
    return parameters, ratio * parameters


def _varied(law: ScalingLaw) -> list[ScalingLaw]:
    """The law at every draw of its constants."""
    key = repr(law)
    if key not in _DRAWN:
        _DRAWN[key] = _draw(law)
    return _DRAWN[key]


_DRAWN: dict[str, list[ScalingLaw]] = {}


def _draw(law: ScalingLaw) -> list[ScalingLaw]:
    from dataclasses import replace

    errors = law.errors or {}
    centre = table(FILE).data["centre"]
    drawn = {
        name: getattr(law, name) + errors[name] * normals(f"scaling.{law.id}.{name}", _DRAWS)
        for name in ("E", "a", "b")
    }
    made = []
    for e, a, b in zip(drawn["E"].tolist(), drawn["a"].tolist(), drawn["b"].tolist(), strict=True):
        made.append(
            replace(
                law,
                E=e,
                a=a,
                b=b,
                A=law.A * centre["parameters"] ** (a - law.a),
                B=law.B * centre["tokens"] ** (b - law.b),
            )
        )
    return made
