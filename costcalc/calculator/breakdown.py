"""Where money, energy, carbon and the seconds of a step go."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from costcalc.base.units import from_si

if TYPE_CHECKING:
    from costcalc.resolve.time import Timed


def breakdown(
    values: Mapping[str, float], time: Timed | None, measured: frozenset[str]
) -> dict[str, dict[str, float]]:
    """Where money (USD), energy (kWh), carbon (kgCO2e) and the seconds of a step go.

    What was measured as a whole is not split by a model.
    """
    made: dict[str, dict[str, float]] = {}
    if {"cost", "price", "device_hours"} <= values.keys() and "cost" not in measured:
        made["cost"] = _cost(values, lost="wall_clock" not in measured)
    if {"energy", "energy_it"} <= values.keys():
        if "energy_it" not in measured and {"mean_power", "device_hours"} <= values.keys():
            made["energy"] = _energy(values)
        elif "energy" not in measured:
            it = values["energy_it"]
            split = {"computers": it, "facility": values["energy"] - it}
            made["energy"] = {name: from_si(joules, "kWh") for name, joules in split.items()}
    if "carbon_total" in values:
        made["carbon"] = {
            "electricity": from_si(values["carbon_operational"], "kgCO2e"),
            "making the hardware": from_si(values["carbon_embodied"], "kgCO2e"),
        }
    if time is not None and time.throughput.breakdown:
        made["step"] = _step(values, time)
    return {of: {k: v for k, v in parts.items() if v > 0} for of, parts in made.items()}


def _step(values: Mapping[str, float], time: Timed) -> dict[str, float]:
    """Seconds of a step by cause: of the time that the run has, also where the run file says a
    part of it (how long is generated, how many FLOPs are trained) in place of the model."""
    made, speed = dict(time.throughput.breakdown), time.throughput
    if not {"training_time", "generation"} <= values.keys() or not speed.seconds:
        return made
    if math.isclose(values["training_time"], speed.seconds, rel_tol=1e-9):
        return made
    steps = speed.seconds / (speed.step_time or sum(made.values()))
    generated = values["generation"] / steps
    made.pop("generation", None)
    whole = sum(made.values())
    factor = (values["training_time"] / steps - generated) / whole if whole else 1.0
    made = {name: seconds * factor for name, seconds in made.items()}
    return {**made, "generation": generated} if generated else made


def _cost(values: Mapping[str, float], *, lost: bool) -> dict[str, float]:
    used = values["device_hours"] * values["price"]
    useful = used * values["goodput"] if lost else used
    return {
        "training": useful,
        "shortfall": used - useful,
        "unused devices": used * (values["billed"] - 1.0),
        "electricity": values.get("energy", 0.0) * values["electricity"],
    }


def _energy(values: Mapping[str, float]) -> dict[str, float]:
    time = values["device_hours"]
    boards = time * values["mean_power"]
    idle = time * values["idle_power"] * (values["billed"] - 1.0)
    hosts = time * values["host_power"] * values["billed"]
    made = {
        "accelerators": boards,
        "unused devices": idle,
        "hosts": hosts,
        "network": (boards + idle + hosts) * values["network_share"],
        "facility": values["energy"] - values["energy_it"],
    }
    return {name: from_si(joules, "kWh") for name, joules in made.items()}


def summed(found: Sequence[Mapping[str, Mapping[str, float]]]) -> dict[str, dict[str, float]]:
    """The breakdown of several stages: those parts that add up."""
    made: dict[str, dict[str, float]] = {}
    for of in ("cost", "energy", "carbon"):
        if all(of in one for one in found):
            made[of] = {}
            for one in found:
                for name, value in one[of].items():
                    made[of][name] = made[of].get(name, 0.0) + value
    return made
