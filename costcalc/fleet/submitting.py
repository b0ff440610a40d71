"""What a submission can cost at most, and what the run file in it is estimated at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from time import time

from costcalc.base.errors import CostcalcError
from costcalc.base.human import digits, human, number_of
from costcalc.calculator.calculate import estimate
from costcalc.calculator.result import Estimate
from costcalc.fleet.bounding import Bound, bound
from costcalc.fleet.cluster import Cluster
from costcalc.fleet.facts import Facts
from costcalc.fleet.possible import never
from costcalc.fleet.pricing import Pricing
from costcalc.fleet.requests import Request, Submission
from costcalc.fleet.sums import money
from costcalc.report.importing import tres


@dataclass(frozen=True, slots=True)
class Otherwise:
    """That the run file is of other devices than are asked for, and what it comes to on these."""

    has: str
    asked: str
    estimated: Estimate | None
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quoted:
    """A submission costed; money in ``currency``, of all components and all tasks of arrays.

    ``most``: what it can cost if it runs to its limit; None with ``why`` where that is not known.
    ``never``: why it cannot run on what fleet.yaml says of the cluster.
    """

    parts: tuple[Request, ...]
    bounds: tuple[Bound, ...]
    currency: str
    run_file: str | None = None
    estimated: Estimate | None = None
    not_estimated: str = ""
    never: str = ""
    otherwise: Otherwise | None = None

    @property
    def most(self) -> float | None:
        """The money of all parts."""
        return self._sum("cost")

    @property
    def why(self) -> str:
        """Why the most is not known."""
        return next((one.why for one in self.bounds if one.why), "")

    def _sum(self, name: str) -> float | None:
        total = 0.0
        for asked, one in zip(self.parts, self.bounds, strict=True):
            value = getattr(one, name)
            if value is None:
                return None
            total += value * asked.tasks
        return total

    def lines(self) -> list[str]:
        """What is said before it is submitted."""
        told = [
            f"{'and ' if number else 'asks for '}{_held(*pair)}"
            for number, pair in enumerate(zip(self.parts, self.bounds, strict=True))
        ]
        if self.never:
            told.append(f"can never run, as fleet.yaml has it: {self.never}")
        if self.most is None:
            told.append(f"can cost at most: unknown: {self.why}")
        else:
            parts = [money(self.most, self.currency)]
            energy, carbon = self._sum("energy"), self._sum("carbon")
            parts += [human(energy, "kWh")] if energy is not None else []
            if carbon is not None:  # the upper end of a range of 90 %: the grid has no most
                parts.append(f"CO2e up to {human(carbon, 'kgCO2e')} (95th percentile, no maximum)")
            told.append(
                f"can cost at most: {', '.join(parts)}, and as much again if it is requeued"
            )
            notes = [note for one in self.bounds for note in one.notes]
            told += [f"note: {note}" for note in dict.fromkeys(notes)]
        return told + self._estimated()

    def _estimated(self) -> list[str]:
        if self.not_estimated:
            return [f"{self.run_file}: not estimated: {self.not_estimated}"]
        if self.estimated is None:
            return []
        results = self.estimated.results
        told = [f"{self.run_file}: estimated at {_figures(self.estimated)}"]
        other = self.otherwise
        if other is not None:
            told[0] += f" on {other.has}, but {other.asked} are asked for"
            if other.estimated is None:
                told.append(f"note: on these it is not estimated: {other.why}")
            else:
                told.append(f"{self.run_file} on these: {_figures(other.estimated)}")
                results = other.estimated.results
        wall = results["wall_clock"].value if other is None or other.estimated else None
        limit = self.parts[0].seconds
        if wall is not None and limit and wall * 3600 > limit:
            told.append(f"note: it will not end within its limit: {human(wall, 'h')} are estimated")
        return told


def _count(devices: float) -> str:
    """Devices, of which a MIG instance is a part of one."""
    return f"{devices:g}" if devices == int(devices) else digits(devices)


def _figures(made: Estimate) -> str:
    return ", ".join(human(made.results[k].value, made.results[k].unit) for k in _SHOWN)


_SHOWN = ("wall_clock", "cost", "energy", "carbon_total")


def _held(asked: Request, most: Bound) -> str:
    """What a component asks for, in words."""
    tasks = f"{asked.tasks} tasks of " if asked.tasks > 1 else ""
    if most.devices:
        held = f"{_count(most.devices)} × {most.device or 'devices'}"
    elif "gres/" in asked.tres:
        held = asked.tres
    else:
        cpus = f"up to {number_of(most.cpus, 'processor')}, " if most.cpus else ""
        held = f"{cpus}no accelerator"
    limit = human(asked.seconds / 3600, "h") if asked.seconds else "no time limit"
    return f"{tasks}{held}, {limit}"


def quoted(cluster: Cluster, asked: Submission, folder: Path, run: Path | None = None) -> Quoted:
    """What a submission can cost on this cluster; ``folder``: where its script stands."""
    pricing, now = Pricing(cluster), time()
    path = run or (folder / asked.run_file if asked.run_file else None)
    made, lacking = _run_file(pricing, asked, path, now)
    bounds = tuple(bound(pricing, one, now) for one in asked.parts)
    other = None
    if made is not None and path is not None and len(asked.parts) == 1:
        on = _otherwise(pricing, asked.parts[0], bounds[0], made)
        other = None if on is None else _on_these(pricing, asked, path, now, made, on)
    return Quoted(
        parts=asked.parts,
        bounds=bounds,
        otherwise=other,
        currency=cluster.fleet.currency,
        run_file=str(run) if run else asked.run_file,
        estimated=made,
        not_estimated=lacking,
        never="; ".join(why for one in asked.parts if (why := never(pricing, one))),
    )


def _facts(asked: Request, now: float) -> Facts:
    """What of the cluster holds for its run file: the place and price of the first component."""
    return Facts(
        source="slurm", cluster="", job="", attempt="", start=now, end=now, seconds=1.0,
        state="running", account=asked.account, partition=",".join(asked.partitions) or None,
    )  # fmt: skip


Devices = tuple[str, float]


def _otherwise(
    pricing: Pricing, asked: Request, most: Bound, made: Estimate
) -> tuple[Devices, Devices] | None:
    """The devices of a run file and those that are asked for, where they are others."""
    hardware = made.details.get("hardware")
    if not hardware or made.stages or most.device is None:
        return None
    has = str(hardware["id"]), float(hardware["count"])
    given = tres.accelerators(asked.tres).count  # as the scheduler counts them
    dies = pricing.holdings.dies(asked.partitions[0] if asked.partitions else None)
    wanted = most.devices if given is None else min(given / dies, most.devices)
    if has[0] == most.device and has[1] in (wanted, most.devices):  # whole nodes have more
        return None
    return has, (most.device, wanted)


def _on_these(
    pricing: Pricing, asked: Submission, path: Path, now: float, made: Estimate,
    on: tuple[Devices, Devices],
) -> Otherwise:  # fmt: skip
    """The run file estimated on the devices that are asked for."""
    has, wanted = (f"{_count(count)} × {device}" for device, count in on)
    device, count = on[1]
    if made.measured:
        return Otherwise(has, wanted, None, "it says what was measured on its own")
    if count != int(count):
        return Otherwise(has, wanted, None, "they are parts of a device")
    changes = {"hardware.accelerator": device, "hardware.count": int(count)}
    found, why = _run_file(pricing, asked, path, now, changes)
    return Otherwise(has, wanted, found, why)


def _run_file(
    pricing: Pricing,
    asked: Submission,
    path: Path | None,
    now: float,
    hardware: Mapping[str, object] | None = None,
) -> tuple[Estimate | None, str]:
    """The estimate of the run file, with the cluster's place and price where it says none."""
    if path is None:
        return None, ""
    from costcalc.base.reading import read_file

    try:
        said = read_file(path).data
        held = said if isinstance(said, Mapping) else {}
        month = pricing.month(now)
        changes = {
            key: value
            for key, value in pricing.changes(_facts(asked.parts[0], now), month)
            if key.partition(".")[0] in ("site", "price") and key.partition(".")[0] not in held
        }
        return estimate(path, changes={**changes, **(hardware or {})}), ""
    except CostcalcError as error:
        return None, str(error).splitlines()[0]


def over(found: Quoted, most: float) -> str:
    """Why a request may not be submitted under a limit of money; empty where it may.

    What is not known is not below a limit.
    """
    if found.most is None:
        return f"--max-cost cannot be judged: {found.why}"
    if found.most > most:
        return (
            f"--max-cost: {money(found.most, found.currency)} at most are more than "
            f"{digits(most)} {found.currency}"
        )
    return ""
