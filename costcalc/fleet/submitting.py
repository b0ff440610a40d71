"""What a submission can cost at most, and what the run file in it is estimated at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from time import time

from costcalc.base.errors import CostcalcError
from costcalc.base.human import digits, human
from costcalc.calculator.calculate import estimate
from costcalc.calculator.result import Estimate
from costcalc.fleet.cluster import Cluster
from costcalc.fleet.facts import Facts
from costcalc.fleet.pricing import Pricing, Row
from costcalc.fleet.requests import Request
from costcalc.fleet.sums import money


@dataclass(frozen=True, slots=True, kw_only=True)
class Quoted:
    """A request costed; money in ``currency``, of all tasks of an array.

    ``most``: what it can cost if it runs to its limit; None with ``why`` where that is not known.
    """

    request: Request
    currency: str
    most: float | None
    energy: float | None
    carbon: float | None
    device: str | None
    why: str = ""
    run_file: str | None = None
    estimated: Estimate | None = None
    not_estimated: str = ""

    def lines(self) -> list[str]:
        """What is said before it is submitted."""
        asked = self.request
        tasks = f"{asked.tasks} tasks of " if asked.tasks > 1 else ""
        held = f"{asked.devices:g} × {self.device or asked.kind or 'devices'}"
        limit = human(asked.seconds / 3600, "h") if asked.seconds else "no time limit"
        told = [f"asks for {tasks}{held if asked.devices else 'no accelerator'}, {limit}"]
        if self.most is None:
            told.append(f"can cost at most: unknown: {self.why}")
        else:
            parts = [money(self.most, self.currency)]
            parts += [human(self.energy, "kWh")] if self.energy is not None else []
            parts += [human(self.carbon, "kgCO2e")] if self.carbon is not None else []
            told.append(f"can cost at most: {', '.join(parts)}")
        told += self._estimated()
        return told

    def _estimated(self) -> list[str]:
        if self.not_estimated:
            return [f"{self.run_file}: not estimated: {self.not_estimated}"]
        if self.estimated is None:
            return []
        results = self.estimated.results
        parts = [human(results[key].value, results[key].unit) for key in _SHOWN]
        told = [f"{self.run_file}: estimated at {', '.join(parts)}"]
        wall = results["wall_clock"].value
        if wall is not None and self.request.seconds and wall * 3600 > self.request.seconds:
            told.append(f"note: it will not end within its limit: {human(wall, 'h')} are estimated")
        return told


_SHOWN = ("wall_clock", "cost", "energy", "carbon_total")


def quoted(cluster: Cluster, request: Request, folder: Path, run: Path | None = None) -> Quoted:
    """What a request can cost on this cluster; ``folder``: where its script stands."""
    pricing, now = Pricing(cluster), time()
    row, why = _at_most(pricing, request, now)
    made, lacking = _run_file(pricing, request, folder, run, now)
    times = float(request.tasks)

    def most(name: str) -> float | None:
        value = row.get(f"{name}_high") if row else None
        return value * times if isinstance(value, float) else None

    cost = most("cost")
    return Quoted(
        request=request,
        currency=cluster.fleet.currency,
        most=cost,
        energy=most("energy"),
        carbon=most("carbon_total"),
        device=str(row["device"]) if row and row["device"] else None,
        why=why if cost is None else "",
        run_file=str(run) if run else request.run_file,
        estimated=made,
        not_estimated=lacking,
    )


def _facts(request: Request, now: float) -> Facts:
    return Facts(
        source="slurm", cluster="", job="", attempt="", start=now, end=now,
        seconds=request.seconds or 1.0, state="running", account=request.account,
        partition=request.partition, devices=request.devices, nodes=request.nodes,
        kinds=(request.kind.lower(),) if request.kind else (),
    )  # fmt: skip


def _at_most(pricing: Pricing, request: Request, now: float) -> tuple[Row | None, str]:
    if not request.devices:
        return None, "it asks for no accelerator"
    if request.seconds is None:
        return None, "it has no time limit; give --time"
    row = pricing.rows([_facts(request, now)]).rows[0]
    return row, str(row["why"] or "")


def _run_file(
    pricing: Pricing, request: Request, folder: Path, run: Path | None, now: float
) -> tuple[Estimate | None, str]:
    """The estimate of the run file, with the cluster's place and price where it says none."""
    path = run or (folder / request.run_file if request.run_file else None)
    if path is None:
        return None, ""
    from costcalc.base.reading import read_file

    try:
        said = read_file(path).data
        held = said if isinstance(said, Mapping) else {}
        month = pricing.month(now)
        changes = {
            key: value
            for key, value in pricing.changes(_facts(request, now), month)
            if key.partition(".")[0] in ("site", "price") and key.partition(".")[0] not in held
        }
        return estimate(path, changes=changes), ""
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
