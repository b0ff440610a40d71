"""Published energy and CO2e, from the inputs that their own sources state.

``measurements/footprints.csv`` restates them: hours and watts (or kilowatt-hours), PUE, carbon
intensity, and what was printed.  Each row becomes a run file and goes through the calculator, so
that a pipeline that counted PUE twice would show here.  Where the watts are a rating, the row
tests arithmetic and nothing else: nobody measured it.  ``measurements/embodied.csv`` does the same
for the share of making the hardware.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from costcalc.base.units import from_si, to_si
from costcalc.calculator import calculate as calculator
from costcalc.calculator import formulas as pipeline
from costcalc.validate import rounding
from costcalc.validate.measurements import Row, shipped
from costcalc.validate.rounding import Printed
from costcalc.validate.score import Point

POUND = 453.59237  # g, the international pound (NIST SP 811, appendix B)
GRAMS = {"g": 1.0, "kg": 1e3, "t": 1e6, "lb": POUND}
#: how the power of a row came about, as the table names it
KINDS = {
    "measured": "energy, CO2e: power measured",
    "assumed": "energy, CO2e: power assumed",
    "rated": "energy, CO2e: rating x hours",
    "card": "energy, CO2e: rating, card factor",
}


def kind_of(row: Row) -> str:
    """How the row's power came about, and whether its source states the intensity.

    >>> kind_of({"power": "rated", "grid_from": "the card's total"})
    'energy, CO2e: rating, card factor'
    """
    stated = row["grid_from"] in {"", "stated"}
    return KINDS[row["power"] if stated or row["power"] != "rated" else "card"]


def run_of(row: Row) -> dict[str, Any]:
    """The run file of a row: its measured time and energy, its PUE and carbon intensity."""
    measured: dict[str, Any] = {}
    hours = device_hours(row)
    if hours is not None:
        measured["device_hours"] = hours.value
    if row["energy_mwh"]:
        measured["energy"] = f"{row['energy_mwh']} MWh"
    elif row["energy_it_mwh"]:
        measured["energy_it"] = f"{row['energy_it_mwh']} MWh"
    elif hours is not None:
        joules = pipeline.energy_it(
            device_hours=to_si(hours.value, "device_hour"), mean_power=watts(row),
            host_power=0.0, network_share=0.0,
        )  # fmt: skip
        measured["energy_it"] = f"{from_si(float(joules), 'kWh')!r} kWh"
    site: dict[str, Any] = {"pue": float(row["pue"])}
    if row["grid"]:
        site["grid"] = f"{float(row['grid']) * GRAMS[row['grid_unit']]!r} gCO2e/kWh"
    return {
        "measured": measured,
        "hardware": {"accelerator": row["accelerator"], "count": int(row["devices"] or 1)},
        "site": site,
    }


def device_hours(row: Row) -> Printed | None:
    """Device-hours as stated, or hours times devices; None where only energy is."""
    if row["device_hours"]:
        return rounding.read(row["device_hours"])
    if not row["hours"]:
        return None
    hours = rounding.read(row["hours"])
    return Printed(value=hours.value * int(row["devices"]), rounding=hours.rounding)


def watts(row: Row) -> float:
    """Watts a device; of a whole job where ``power_of`` says so."""
    power = rounding.read(row["power_w"]).value
    return power / int(row["devices"]) if row["power_of"] == "job" else power


def points() -> list[Point]:
    """Every printed figure against the calculator's from the same source's inputs."""
    return [point for row in shipped("footprints") for point in _of(row)] + embodied()


def _of(row: Row) -> Iterator[Point]:
    results = calculator.estimate(run_of(row), ranges=False).results
    inputs = [device_hours(row), *_stated(row, "power_w", "energy_it_mwh", "energy_mwh")]
    if row["printed_energy_mwh"]:
        text = rounding.read(row["printed_energy_mwh"])
        yield _point(
            row, "energy", "kWh", text.value * 1e3, results["energy"].value,
            rounding.tolerance(text, *inputs),
        )  # fmt: skip
    if row["printed_carbon"]:
        text = rounding.read(row["printed_carbon"])
        yield _point(
            row, "CO2e", "kgCO2e", text.value * GRAMS[row["carbon_unit"]] / 1e3,
            results["carbon_operational"].value, rounding.tolerance(text, *inputs),
        )  # fmt: skip


def _stated(row: Row, *names: str) -> list[Printed | None]:
    return [rounding.read(row[name]) if row[name] else None for name in names]


def embodied() -> list[Point]:
    """Published shares of making the hardware, through the pipeline's own formula."""
    return [_embodied(row) for row in shipped("embodied")]


def _embodied(row: Row) -> Point:
    text, hours = rounding.read(row["printed_t"]), rounding.read(row["device_hours"])
    made = pipeline.run({
        "device_hours": to_si(hours.value, "device_hour"),
        "embodied_device": to_si(float(row["device_kg"]), "kgCO2e"),
        "embodied_host": to_si(float(row["host_kg"]), "kgCO2e"),
        "lifetime": to_si(float(row["life_years"]) * 8760.0, "h"),
        "lifetime_utilization": float(row["life_share"]),
    })  # fmt: skip
    return _point(
        {**row, "power": "assumed", "grid_from": ""}, "embodied CO2e", "kgCO2e",
        text.value * 1e3, from_si(made["carbon_embodied"], "kgCO2e"),
        rounding.tolerance(text, hours),
    )  # fmt: skip


def _point(
    row: Mapping[str, str], figure: str, unit: str, measured: float, ours: float | None,
    within: float,
) -> Point:  # fmt: skip
    made = ours if ours is not None else float("nan")
    return Point(
        measured=measured, predicted=ours, low=made * (1.0 - within), high=made * (1.0 + within),
        source=row["source"], accelerator=row["accelerator"], precision="", workload=figure,
        devices=float(row.get("devices") or 1), name=row["run"], id=row["id"], unit=unit,
        kind=figure if figure == "embodied CO2e" else kind_of(row), note=row["note"],
    )  # fmt: skip
