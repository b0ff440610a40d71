"""What the meters of a job saw, where no profile describes its hardware."""

from __future__ import annotations

from costcalc.calculator.result import Estimate
from costcalc.calculator.unprofiled import DARK, Metered, unprofiled
from costcalc.tracking.achieved import Achieved
from costcalc.tracking.merge import Totals
from costcalc.tracking.plan import Plan


def estimated_without_profile(
    totals: Totals, plan: Plan, joules: tuple[float, float, float] | None, seen: Achieved
) -> Estimate:
    """What can be said of the job without a profile; ``joules`` with their low and high end."""
    dark = DARK[1] if joules is not None and totals.devices and totals.device_watts is None else ""
    names = sorted({device.name for device in totals.devices})
    cpus = [f"{name}, no accelerator" for name in totals.cpus]
    hardware = {
        "name": ", ".join(names or cpus) or None,
        "nodes": totals.nodes,
        "count": len(totals.devices) or (totals.nodes if cpus else None),
    }
    return unprofiled(
        plan.job,
        Metered(
            seconds=totals.elapsed,
            device_seconds=totals.device_seconds(0) if totals.devices else None,
            energy=None if dark else joules,
            by_meters=all(item.basis == "measured" for item in totals.energy.values()),
            dark=dark or DARK[0],
            amount=seen.amount,
            datum=seen.unit,
            rate=seen.rate,
            step_time=seen.step_time,
            hardware=hardware,
        ),
    )
