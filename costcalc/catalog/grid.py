"""Grid carbon intensity: the figure that a place's emissions rest on, and the others beside it.

The default is lifecycle, annual, average and location-based.  Where a source gives only the mix of
generation, the figure is computed from it with IPCC AR5's lifecycle medians; where only a direct
figure is published it stands in, is named so, and its range is widened.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from costcalc.catalog.region_table import GridFactor, Table, cell, reason, sourced

if TYPE_CHECKING:
    from collections.abc import Mapping

_CONVENTION = ("basis", "flow", "signal", "accounting", "how")
STAND_IN = "only a direct figure is published: it stands in for a lifecycle one, its range widened"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """What is known of a place's grid: the default figure, or why there is none, and the others."""

    default: GridFactor | None
    others: tuple[GridFactor, ...]
    why: str


def mix_intensity(mix: Mapping[str, float], factors: Mapping[str, float]) -> float:
    """Emissions a kWh of a mix of generation: the mean of the fuels' factors, weighted by share.

    Shares may be in any unit and need not add up to 100: rounding is divided out.

    >>> mix_intensity({"hydro": 50, "coal": 50}, {"hydro": 24, "coal": 820})
    422.0
    """
    return sum(share * factors[fuel] for fuel, share in mix.items()) / sum(mix.values())


def grid(found: Table, code: str) -> Grid:
    """The grid of a place that stands in a table."""
    row = found.row(code)
    if row is None:
        raise KeyError(code)
    direct = factor(found, row, code, "direct")
    default = _computed(found, row, code) if "mix" in row else factor(found, row, code, "grid")
    others = tuple(other for other in (direct,) if other is not None)
    if default is None and direct is not None:
        default = _stand_in(found, row, code)
    elif default is not None and direct is not None:
        default = no_less(found, default, direct)
    return Grid(default=default, others=others, why="" if default else reason(found, row, "grid"))


def factor(
    found: Table, row: Mapping[str, Any], code: str, column: str, rule: str | None = None
) -> GridFactor | None:
    """A grid figure of a row: its default one (`grid`) or another convention (`direct`)."""
    given = cell(found, row, column)
    if given is None:
        return None
    if column == "grid":  # the row's own year, range and note are those of its default figure
        given = {**given, **_of_row(row)}
    return _factor(found, given, code, rule or column)


def _of_row(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: row[key] for key in ("year", "low", "high", "note") if key in row}


def _factor(found: Table, given: Mapping[str, Any], code: str, rule: str) -> GridFactor:
    figure = sourced(found, given, rule)
    return GridFactor(
        place=code,
        **{name: getattr(figure, name) for name in figure.__dataclass_fields__},
        **{name: given[name] for name in _CONVENTION},
    )


def _computed(found: Table, row: Mapping[str, Any], code: str) -> GridFactor:
    factors = found.section("factors")
    mix: Mapping[str, float] = row["mix"]
    value = mix_intensity(mix, {fuel: factors[fuel]["value"] for fuel in mix})
    given: dict[str, Any] = {**found.section("defaults")["grid"], "value": value}
    given |= _of_row(row)
    figure = _factor(found, given, code, "grid")
    names = list(dict.fromkeys(factors[fuel]["source"] for fuel in mix))
    shares = ", ".join(f"{fuel} {share:g} %" for fuel, share in mix.items())
    why = f"computed from the mix of generation with lifecycle medians: {shares}"
    return replace(
        figure,
        source="; ".join([figure.source, *(found.source(name)[0] for name in names)]),
        why=f"{why}; {figure.why}" if figure.why else why,
    )


def _stand_in(found: Table, row: Mapping[str, Any], code: str) -> GridFactor | None:
    figure = factor(found, row, code, "direct", rule="stand_in")
    return replace(figure, why=STAND_IN) if figure else None


def no_less(
    found: Table, default: GridFactor, direct: GridFactor, *, own: bool = False
) -> GridFactor:
    """A lifecycle figure that is not below the direct one of the same place.

    A grid emits more over its lifecycle than at its stacks alone.  Where the medians say otherwise,
    its plants are worse than the median ones: the direct figure times the least ratio of both is
    taken.  An operator's ``own`` figure is of what its site consumes, and of another convention:
    the range reaches to it, and the figure stays that of the grid.
    """
    rule = found.section("ranges").get("grid", {}).get("no_less_than")
    if not rule:
        return default
    least = rule["factor"] * direct.value
    if default.value < direct.value and not own:
        return _raised(default, direct, rule["factor"])
    low = min(default.low, direct.value) if own else default.low
    if least <= default.high and low == default.low:
        return default
    whose = "the operator's own direct figure" if own else "the direct figure"
    if least > default.high:
        why = f"raised to {rule['factor']:g} x {direct.value:g} g, {whose}"
    else:
        why = f"down to {direct.value:g} g, {whose}"
    why = f"{default.range_why}; {why}"
    return replace(default, low=low, high=max(default.high, least), range_why=why)


def _raised(default: GridFactor, direct: GridFactor, times: float) -> GridFactor:
    """A direct figure times the least ratio of lifecycle to direct, as the lifecycle one."""
    value = times * direct.value
    below = (
        f"the lifecycle figure of {default.place}, {default.value:.4g} g, is below the direct one, "
        f"{direct.value:.4g} g ({direct.source}): {times:g} times that is taken"
    )
    return replace(
        default,
        value=value,
        low=direct.low,
        high=max(default.high, value * default.high / default.value),
        year=direct.year,
        how="computed",
        source=f"{direct.source}; {default.source}",
        url=direct.url,
        why=f"{below}; {default.why}" if default.why else below,
        range_why=f"{default.range_why}; down to {direct.low:.4g} g, the direct one",
    )
