"""Published energy and CO2e, from the inputs that their own sources state.

``measurements/footprints.csv`` restates them: hours and watts (or kilowatt-hours), PUE, carbon
intensity, and what was printed.  Each row becomes a run file and goes through the calculator, so
that a pipeline that counted PUE twice would show here.  Where the watts are a rating, the row
tests arithmetic and nothing else: nobody measured it.  ``measurements/embodied.csv`` does the same
for the share of making the hardware.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
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
            idle_power=0.0, host_power=0.0, billed=1.0, network_share=0.0,
        )  # fmt: skip
        measured["energy_it"] = f"{from_si(float(joules), 'kWh')!r} kWh"
    site: dict[str, Any] = {"pue": float(row["pue"])}
    if row["grid"]:
        site["grid"] = f"{float(row['grid']) * GRAMS[row['grid_unit']]!r} gCO2e/kWh"
    # its device-hours are all that it held
    price = {"billed_share": 1}
    return {"measured": measured, "hardware": hardware_of(row), "site": site, "price": price}


def hardware_of(row: Row) -> dict[str, Any]:
    """What a row was computed on; one device where its source tells of device-hours alone."""
    return {"accelerator": row["accelerator"], "count": int(row["devices"] or 1)}


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
    footprints = [point for row in shipped("footprints") for point in _of(row)]
    return footprints + [_embodied(row) for row in shipped("embodied")]


def _of(row: Row) -> Iterator[Point]:
    results = calculator.estimate(run_of(row), ranges=False).results
    stated = ("power_w", "energy_it_mwh", "energy_mwh")
    inputs = [device_hours(row), *(rounding.read(row[name]) for name in stated if row[name])]
    figures = (
        ("energy", "kWh", "printed_energy_mwh", 1e3, "energy"),
        ("CO2e", "kgCO2e", "printed_carbon", GRAMS.get(row["carbon_unit"], 0.0) / 1e3,
         "carbon_operational"),
    )  # fmt: skip
    for figure, unit, column, factor, result in figures:
        if row[column]:
            text = rounding.read(row[column])
            yield figure_of(
                row, text.value * factor, results[result].value, workload=figure, unit=unit,
                kind=kind_of(row), within=rounding.tolerance(text, *inputs),
            )  # fmt: skip


def _embodied(row: Row) -> Point:
    text, hours = rounding.read(row["printed_t"]), rounding.read(row["device_hours"])
    run = {
        "measured": {"device_hours": hours.value},
        "hardware": hardware_of(row),
        "embodied": {
            "device": f"{row['device_kg']} kgCO2e",
            "host": f"{row['host_kg']} kgCO2e",
            "lifetime": f"{float(row['life_years']) * 8760.0} h",
            "utilization": float(row["life_share"]),
        },
    }
    made = calculator.estimate(run, ranges=False).results["carbon_embodied"]
    return figure_of(
        row, text.value * 1e3, made.value, workload="embodied CO2e", unit="kgCO2e",
        kind="embodied CO2e", within=rounding.tolerance(text, hours),
    )  # fmt: skip


def figure_of(
    row: Row, measured: float, ours: float | None, *, within: float, workload: str, unit: str,
    kind: str,
) -> Point:  # fmt: skip
    """A published figure and ours, which agree ``within`` a share."""
    made = math.nan if ours is None else ours
    return Point(
        measured=measured, predicted=ours, low=made * (1.0 - within), high=made * (1.0 + within),
        source=row["source"], accelerator=row["accelerator"], workload=workload, unit=unit,
        kind=kind, devices=float(row["devices"] or 1), name=row["run"], id=row["id"],
        note=row["note"],
    )  # fmt: skip
