"""Idle nodes: their money, who is charged, the grid's hours; and how far a month's data reach."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fleet_byhand import FLEET, cluster, dump, imported, line, memory, read_dump, rows

from costcalc.base.errors import InputError
from costcalc.fleet import sources
from costcalc.fleet.beside import grids, idles, named, tables
from costcalc.fleet.budgeted import lines as budgets
from costcalc.fleet.charging import Charge, Charges
from costcalc.fleet.checking import check
from costcalc.fleet.idle import Idle, IdleGrid, together
from costcalc.fleet.job import attempts, full, paragraph
from costcalc.fleet.ledger import Ledger
from costcalc.fleet.metering import NodeDay, read_meters
from costcalc.fleet.month import Month, of_period, split
from costcalc.fleet.summary import Sums, summed
from costcalc.fleet.sums import NONE, Figure
from costcalc.fleet.taking import take
from costcalc.fleet.told import csv_text, html, plain
from costcalc.report.check import verify

TEXT = """
timezone: UTC
site: {region: DE, pue: 1.2, grid: 350 gCO2e/kWh}
price:
  {owned: {purchase: 35064 USD, lifetime: 4 year, utilization: 0.5, electricity: 0.25 USD/kWh}}
partitions: {gpu: {accelerator: h100-sxm5-80, per_node: 8, nodes: 2, plugin: exclusive}}
idle: {node_power: 1600 W, pays: %s}
"""
SHARED = TEXT % "shared"
#: 4 devices for 2 h, 5 kWh; 4 for one of them, 2.5 kWh: 32 device-hours less 12 idle
JOBS = (
    line(JobID="1", ConsumedEnergyRaw="18000000"),
    line(JobID="2", Account="history", ConsumedEnergyRaw="9000000", ElapsedRaw="3600",
         End="2026-10-05T11:00:00", NodeList="gpu02"),
)  # fmt: skip


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    with memory() as made:
        yield made


def of(ledger: Ledger, text: str, *by: str, accounts: Iterable[str] | None = None) -> Month:
    mine = None if accounts is None else tuple(accounts)
    return of_period(ledger, cluster(text), "2026-10", by or ("account",), accounts=mine)


def costs(charges: Charges) -> dict[tuple[str | None, ...], tuple[float, float]]:
    def of_one(one: Charge) -> tuple[float, float]:
        return one.idle["cost"].value, one.whole["cost"].value

    assert charges.total is not None
    found = {one.key: of_one(one) for one in charges.groups}
    return found | {("all",): of_one(charges.total)}


def test_what_has_no_account_is_called_one_thing() -> None:
    """In the tables and in the counters: the word stands once in the room."""
    assert named((None, "a")) == [NONE, "a"]
    room = Path(sources.__file__).parent
    having = [path.name for path in room.rglob("*.py") if f'"{NONE}"' in path.read_text()]
    assert having == ["sums.py"]


# --- who pays ------------------------------------------------------------------------------------


def test_accounts_are_charged_for_idle_nodes_by_their_device_hours(ledger: Ledger) -> None:
    imported(ledger, cluster(SHARED), *JOBS)
    made = of(ledger, SHARED)
    (gpu,) = made.idle
    # 20 device-hours at 200 W: 4 kWh, 4.8 behind the PUE; 0.25 USD and 350 g each
    drew = {name: figure.value for name, figure in gpu.figures.items()}
    assert drew["energy"] == pytest.approx(4.8)
    assert drew["cost"] == pytest.approx(1.2)
    assert drew["carbon_operational"] == pytest.approx(1.68)
    # jobs: 8 h at 2 USD and 6 kWh at 0.25; 4 h and 3 kWh.  Of 12 device-hours they had 8 and 4
    assert costs(made.charges) == {
        ("chemistry",): (pytest.approx(0.8), pytest.approx(16 + 1.5 + 0.8)),
        ("history",): (pytest.approx(0.4), pytest.approx(8 + 0.75 + 0.4)),
        ("all",): (pytest.approx(1.2), pytest.approx(26.25 + 1.2)),
    }
    chemistry = made.charges.groups[0].whole
    jobs = made.sums.groups[0].figures
    assert chemistry["energy"].value == pytest.approx(6 + 3.2)
    assert chemistry["carbon_total"].value == pytest.approx(jobs["carbon_total"].value + 1.12)
    # the jobs' own sums stay those of their reports
    assert made.sums.total.figures["cost"].value == pytest.approx(26.25)


@pytest.mark.parametrize("pays", ["shared", "history", "operations"])
@pytest.mark.parametrize("by", [("account",), ("user",), ("account", "user"), ("partition",)])
def test_charges_add_up_to_the_jobs_and_what_idled(
    ledger: Ledger, pays: str, by: tuple[str, ...]
) -> None:
    imported(ledger, cluster(SHARED), *JOBS)
    made = of(ledger, TEXT % pays, *by)
    total = made.charges.total
    assert total is not None
    for name, figure in total.whole.items():
        added = sum(one.whole[name].value for one in made.charges.groups)
        assert added == pytest.approx(figure.value, rel=1e-12)
    assert total.whole["cost"].value == pytest.approx(26.25 + 1.2)
    # the same in a spreadsheet
    listed = list(csv.DictReader(io.StringIO(csv_text(made))))
    assert sum(float(row["charged_cost"]) for row in listed) == pytest.approx(27.45)
    assert sum(float(row["idle_energy"]) for row in listed) == pytest.approx(4.8)
    assert sum(float(row["cost"]) for row in listed) == pytest.approx(26.25)
    data = json.loads(json.dumps(plain(made), allow_nan=False))
    assert data["total"]["charged"]["cost"]["value"] == pytest.approx(27.45)
    assert sum(c["charged"]["cost"]["value"] for c in data["charges"]) == pytest.approx(27.45)


def test_one_account_pays_for_all_even_where_it_ran_no_job(ledger: Ledger) -> None:
    imported(ledger, cluster(SHARED), *JOBS)
    assert costs(of(ledger, TEXT % "history").charges) == {
        ("chemistry",): (0.0, pytest.approx(17.5)),
        ("history",): (pytest.approx(1.2), pytest.approx(8.75 + 1.2)),
        ("all",): (pytest.approx(1.2), pytest.approx(27.45)),
    }
    assert costs(of(ledger, TEXT % "operations").charges)["operations",] == (
        pytest.approx(1.2), pytest.approx(1.2),
    )  # fmt: skip
    # by user nothing says whose an account is: a line of its own
    assert costs(of(ledger, TEXT % "history", "user").charges) == {
        ("anna",): (0.0, pytest.approx(26.25)),
        ("(idle)",): (pytest.approx(1.2), pytest.approx(1.2)),
        ("all",): (pytest.approx(1.2), pytest.approx(27.45)),
    }


def test_nobody_pays(ledger: Ledger) -> None:
    imported(ledger, cluster(SHARED), *JOBS)
    made = of(ledger, TEXT % "nobody")
    assert made.charges == Charges()
    assert tables(made) == []
    assert "charged" not in plain(made)["total"]  # type: ignore[operator]


def test_who_sees_one_account_sees_its_part_of_what_idled(ledger: Ledger) -> None:
    """A third of it, as of everybody's device-hours; what idled in all is not shown."""
    imported(ledger, cluster(SHARED), *JOBS)
    made = of(ledger, SHARED, accounts=["history"])
    assert costs(made.charges) == {
        ("history",): (pytest.approx(0.4), pytest.approx(9.15)),
        ("all",): (pytest.approx(0.4), pytest.approx(9.15)),
    }
    assert made.idle == ()
    assert of(ledger, TEXT % "chemistry", accounts=["history"]).charges == Charges()
    other = split(ledger, made, ("partition",), ("history",))
    assert [one.key for one in other.sums.groups] == [("gpu",)]
    assert other.charges == Charges()


def test_rented_nodes_have_no_electricity_of_their_own(ledger: Ledger) -> None:
    text = FLEET.replace("Europe/Berlin", "UTC") + "idle: {pays: shared}\n"
    imported(ledger, cluster(text), line())
    made = of(ledger, text)
    assert "cost" not in made.idle[0].figures
    ((_, told), _) = idles(made)
    assert "(its electricity is in the price of the hours that jobs have)" in told
    (charged,) = tables(made)
    assert charged.title == "Charged, with idle nodes (shared by device-hours)"
    (key, cells) = charged.rows[0]
    assert (key, cells[0], cells[3].partition("\n")[0]) == (("chemistry",), "-", "16.0 USD")
    data = plain(made)["idle"][0]  # type: ignore[index]
    assert (data["cost"], data["cost_why"]) == (
        None, "its electricity is in the price of the hours that jobs have"
    )  # fmt: skip


def test_accountings_of_a_year_that_has_no_hours_are_two(ledger: Ledger) -> None:
    text = SHARED + "grid: {market: 20 gCO2e/kWh}\n"
    imported(ledger, cluster(text), JOBS[0])
    accountings = tables(of(ledger, text))[-1]
    assert accountings.head == ("by location", "market-based")
    assert accountings.total == ["2.10 kgCO2e", "120 gCO2e"]  # 6 kWh at 350 g and at 20


def test_what_is_charged_is_on_the_page(ledger: Ledger) -> None:
    imported(ledger, cluster(SHARED), *JOBS)
    page = html(of(ledger, SHARED))
    assert "Charged, with idle nodes (shared by device-hours)" in page
    assert "<td>18.3 USD</td>" in page
    assert "1.20 USD of electricity" in page


def test_a_word_that_is_all_but_shared_is_no_account() -> None:
    with pytest.raises(InputError) as error:
        cluster(TEXT % "share")
    assert str(error.value).splitlines()[0] == (
        'fleet.yaml:7:34: idle.pays: expected nobody, shared, or an account; got "share"; '
        "did you mean shared?"
    )
    cluster((TEXT % "share") + "accounts: {share: {}}\n")  # an account of that name


# --- the grid's hours ----------------------------------------------------------------------------


def hourly(folder: Path, *values: int) -> str:
    """The cluster with a file of so many hours from 10:00 on."""
    listed = [f"2026-10-05T{10 + n}:00Z,{value}" for n, value in enumerate(values)]
    text = "\n".join(["time,carbon intensity (average)", *listed, ""])
    (folder / "grid.csv").write_text(text)
    return SHARED + "grid: {hourly: grid.csv, market: 20 gCO2e/kWh}\n"


def test_idle_nodes_are_counted_by_the_hours_that_they_idled(
    ledger: Ledger, tmp_path: Path
) -> None:
    text = hourly(tmp_path, 100, 300)
    here = cluster(text, tmp_path)
    imported(
        ledger, here,
        line(JobID="1", AllocTRES="gres/gpu=8,node=1", ElapsedRaw="3600",
             End="2026-10-05T11:00:00"),
        line(JobID="2", Start="2026-10-05T11:00:00", ElapsedRaw="3600"),
    )  # fmt: skip
    made = of_period(ledger, here, "2026-10")
    (gpu,) = made.idle
    # 8 of 16 devices at 100 g, then 12 at 300: 4,400 / 20 = 220 g; 4.8 kWh
    assert gpu.grid is not None
    assert gpu.grid.mean == pytest.approx(220.0)
    assert gpu.figures["carbon_operational"].value == pytest.approx(4.8 * 0.220)
    assert gpu.carbon_annual == pytest.approx(4.8 * 0.350)
    assert gpu.carbon_market == pytest.approx(4.8 * 0.020)
    ((_, told),) = idles(made)
    assert "1.06 kgCO2e by the hours that they idled (1.68 kgCO2e by the year's mean)" in told
    assert "96.0 gCO2e market-based" in told


def test_hours_that_the_file_lacks_are_said_and_have_a_range(
    ledger: Ledger, tmp_path: Path
) -> None:
    text = hourly(tmp_path, 100, 300)
    here = cluster(text, tmp_path)
    later = {"Start": "2026-10-06T10:00:00", "End": "2026-10-06T12:00:00"}
    imported(ledger, here, JOBS[0], line(JobID="3", ConsumedEnergyRaw="18000000", **later))
    known, lacks = rows(ledger)
    assert (known.hourly, known.grid, known.carbon_operational) == (1.0, 200.0, pytest.approx(1.2))
    assert known.carbon_operational_low == known.carbon_operational_high == pytest.approx(1.2)
    # 6 kWh by the year's 350 g; the file's hours lie between 110 and 290 (5th to 95th percentile)
    assert (lacks.hourly, lacks.grid, lacks.carbon_operational) == (0.0, 350.0, pytest.approx(2.1))
    assert lacks.carbon_operational_low == pytest.approx(6 * 0.110, rel=0.02)
    assert lacks.carbon_operational_high == pytest.approx(2.1)
    made = of_period(ledger, here, "2026-10")
    assert grids(made) == [
        ("by the hour", "6.00 kWh, 50 % of all, 1.20 kgCO2e"),
        ("by the year's mean",
         "6.00 kWh, 50 % of all, 2.10 kgCO2e: grid.hourly lacks 2.00 hours of 1 job"),
    ]  # fmt: skip
    # three accountings, apart: 12 kWh at 350 g, and at 20
    accountings = tables(made)[-1]
    assert accountings.head == ("by location", "by the year's mean", "market-based")
    assert accountings.total == ["3.30 kgCO2e", "4.20 kgCO2e", "240 gCO2e"]
    page = html(made)
    for said in ("<td>240 gCO2e</td>", "grid.hourly lacks 2.00 hours of 1 job"):
        assert said in page
    assert plain(made)["total"]["carbon_by_grid_hours"] == {  # type: ignore[index]
        "energy_by_hours": pytest.approx(6.0), "carbon_by_hours": pytest.approx(1.2),
        "jobs_by_year": 1.0, "energy_by_year": pytest.approx(6.0),
        "carbon_by_year": pytest.approx(2.1), "hours_lacking": pytest.approx(2.0),
    }  # fmt: skip
    # 26 h since the first job, of which the file has 2
    (gpu,) = made.idle
    assert gpu.grid is not None
    assert (gpu.grid.mean, gpu.grid.lacks) == (None, pytest.approx(24.0))
    carbon = gpu.figures["carbon_operational"]
    assert carbon.low < 0.5 * carbon.value
    ((_, told),) = idles(made)
    assert "by the year's mean: grid.hourly lacks 24.0 of these hours" in told
    assert (
        "CO2e by the year's mean, as grid.hourly lacks their hours: 1 job, 50 % of the device-hours"
        in check(ledger).lines()
    )


def test_a_jobs_report_says_what_its_grid_is(ledger: Ledger, tmp_path: Path) -> None:
    here = cluster(hourly(tmp_path, 100, 300), tmp_path)
    later = {"Start": "2026-10-06T10:00:00", "End": "2026-10-06T12:00:00"}
    imported(ledger, here, JOBS[0], line(JobID="3", ConsumedEnergyRaw="18000000", **later))
    made = {number: full(ledger, attempts(ledger, number)) for number in ("1", "3")}
    grid = {
        number: next(a for a in one["assumptions"] if a["key"] == "site.grid")
        for number, one in made.items()
    }
    assert (grid["1"]["value"], grid["1"]["basis"]) == (pytest.approx(200.0), "profile")
    assert grid["1"]["why"].startswith("the mean over the hours of the run")
    ends = [grid["3"][end] for end in ("low", "value", "high")]
    assert (ends, grid["3"]["basis"]) == (pytest.approx([110.0, 350.0, 350.0]), "default")
    said = "grid.hourly lacks 2.00 of its 2.00 hours: its CO2e is by the year's mean of the grid"
    assert said in (made["3"].get("warnings") or [])
    assert f"G{said[1:]}." in paragraph(attempts(ledger, "3"), "USD")
    assert "hourly" not in paragraph(attempts(ledger, "1"), "USD")
    for number, one in made.items():
        path = tmp_path / f"{number}.json"
        path.write_text(json.dumps(one))
        verdict = verify(path)
        assert verdict.holds, verdict.lines()
        assert verdict.recomputed


def test_each_month_of_a_period_has_its_pue(ledger: Ledger) -> None:
    """8 devices at 200 W, a job in the last hour of July, another in the first of August."""
    text = SHARED.replace("nodes: 2", "nodes: 1") + "pue: {2026-07: 1.5}\n"
    hour = {"ElapsedRaw": "3600"}
    imported(
        ledger, cluster(text),
        line(JobID="1", Start="2026-07-31T23:00:00", End="2026-08-01T00:00:00", **hour),
        line(JobID="2", Start="2026-08-01T00:00:00", End="2026-08-01T01:00:00", **hour),
    )  # fmt: skip
    (gpu,) = of_period(ledger, cluster(text), "2026-Q3").idle
    assert (gpu.device_hours, gpu.held) == (8.0, 16.0)
    # four devices idled in each hour: 0.8 kWh, behind a PUE of 1.5 and of 1.2
    assert gpu.figures["energy"].value == pytest.approx(0.8 * 1.5 + 0.8 * 1.2)
    assert gpu.figures["cost"].value == pytest.approx(0.25 * 2.16)
    assert gpu.carbon_annual == pytest.approx(0.35 * 2.16)
    assert (gpu.start, gpu.end) == (at("2026-07-31T23:00"), at("2026-08-01T01:00"))


def test_a_month_that_the_file_lacks_is_said_beside_one_that_it_has(
    ledger: Ledger, tmp_path: Path
) -> None:
    """8 devices, 4 of them idle for an hour of September and one of October: 0.96 kWh each."""
    (tmp_path / "grid.csv").write_text(
        "time,carbon intensity (average)\n2026-09-30T22:00Z,200\n2026-09-30T23:00Z,100\n"
    )
    text = SHARED.replace("nodes: 2", "nodes: 1") + "grid: {hourly: grid.csv}\n"
    here = cluster(text, tmp_path)
    hour = {"ElapsedRaw": "3600"}
    imported(
        ledger, here,
        line(JobID="1", Start="2026-09-30T23:00:00", End="2026-10-01T00:00:00", **hour),
        line(JobID="2", Start="2026-10-01T00:00:00", End="2026-10-01T01:00:00", **hour),
    )  # fmt: skip
    made = of_period(ledger, here, "2026")
    (gpu,) = made.idle
    # 0.96 kWh at the hour's 100 g and 0.96 at the year's 350
    assert gpu.figures["carbon_operational"].value == pytest.approx(0.096 + 0.336)
    assert gpu.grid is not None
    assert (gpu.grid.mean, gpu.grid.lacks, gpu.grid.by_year) == (
        pytest.approx(100.0), pytest.approx(1.0), pytest.approx(0.336),
    )  # fmt: skip
    ((_, told),) = idles(made)
    assert ", 432 gCO2e (" in told
    assert (
        "336 gCO2e of it by the year's mean: grid.hourly lacks 1.00 of these hours; the rest by "
        "the hours that they idled (all by the year's mean: 672 gCO2e)"
    ) in told
    (data,) = plain(made)["idle"]  # type: ignore[misc]
    assert (data["carbon_by"], data["carbon_by_year"], data["grid_hours_lacking"]) == (  # type: ignore[index]
        "hours and year", pytest.approx(0.336), pytest.approx(1.0),
    )  # fmt: skip


def test_the_grid_of_several_months_is_the_mean_over_what_they_drew() -> None:
    """2 kWh at 100 g, which meters saw beyond what jobs have though no device idled; 6 at 300."""

    def of_hours(hours: float, kwh: float, mean: float) -> Idle:
        figures = {"energy": Figure(kwh, kwh, kwh)} if kwh else {}
        return Idle("gpu", hours, 16.0, figures, grid=IdleGrid(mean, 0.0))

    made = together([of_hours(0.0, 2.0, 100.0), of_hours(8.0, 6.0, 300.0)]).grid
    assert made == IdleGrid((2 * 100 + 6 * 300) / 8, 0.0)
    made = together([of_hours(0.0, 2.0, 100.0), of_hours(0.0, 2.0, 200.0)]).grid
    assert made == IdleGrid(150.0, 0.0)
    made = together([of_hours(0.0, 0.0, 100.0), of_hours(0.0, 0.0, 200.0)]).grid
    assert made == IdleGrid(150.0, 0.0)


def test_budgets_are_of_jobs_and_say_so_where_idle_nodes_are_paid(ledger: Ledger) -> None:
    """5 + 2.5 kWh of jobs are 9 of the facility, whoever pays for what idled."""
    imported(ledger, cluster(SHARED), *JOBS)
    for pays, said in (
        ("nobody", ""),
        ("shared", ", of jobs alone: idle nodes (shared by device-hours) are beside it"),
        ("history", ", of jobs alone: idle nodes (paid by history) are beside it"),
    ):
        limit = "budgets: [{energy: 10 kWh}, {device_hours: 24}]\n"
        made = of(ledger, TEXT % pays + limit)
        energy, hours = (told for _, told in budgets(made))
        assert energy.startswith("energy: 9.00 kWh of 10.0 kWh used (90 %)")
        assert said in energy
        assert ("jobs alone" in energy, "jobs alone" in hours) == (bool(said), False)
        assert [one["counts"] for one in plain(made)["budgets"]] == ["jobs", "jobs"]  # type: ignore[attr-defined]


def test_each_cluster_has_its_own_nodes(ledger: Ledger) -> None:
    """16 devices for 2 h are 32 device-hours; 4 for 2 h are one cluster's, 8 for 1 h another's."""
    jobs = (
        line(JobID="1"),
        line(Cluster="other", JobID="1", AllocTRES="gres/gpu=8,node=1", ElapsedRaw="3600",
             End="2026-10-05T11:00:00"),
    )  # fmt: skip
    imported(ledger, cluster(SHARED), *jobs)
    # fleet.yaml names none
    assert [(one.partition, one.why) for one in of(ledger, SHARED).idle] == [
        ("gpu", "its jobs are of c, other, each with nodes of its own: name in fleet.yaml says of "
         "which these are"),
    ]  # fmt: skip
    for name, idle in (("C", 32.0 - 8.0), ("other", 32.0 - 8.0)):
        first, second = of(ledger, SHARED + f"name: {name}\n").idle
        assert (first.partition, first.device_hours) == ("gpu", pytest.approx(idle))
        other = "other" if name == "C" else "c"
        assert (second.partition, second.device_hours, second.why) == (
            f"gpu of {other}", 0.0,
            f"its nodes are its own: those in fleet.yaml are of {name.lower()} (name)",
        )  # fmt: skip
    # and over several months
    assert [one.device_hours for one in of_period(ledger, cluster(SHARED), "2026").idle] == [0.0]


def test_what_one_month_lacks_is_said(ledger: Ledger) -> None:
    imported(ledger, cluster(SHARED), *JOBS)
    made = of(ledger, SHARED)
    (whole,) = made.idle
    part = {name: one for name, one in whole.figures.items() if name not in ("cost", "water")}
    lacks = replace(whole, figures=part, unpriced="no price of electricity is known")
    for parts in ([whole, lacks], [lacks, whole]):
        gpu = together(parts)
        assert sorted(gpu.figures) == ["carbon_operational", "energy", "energy_it"]
        assert gpu.figures["energy"].value == pytest.approx(9.6)
        ((_, told),) = idles(replace(made, idle=(gpu,)))
        assert "(no price of electricity is known in 1 of 2 months)" in told
        assert ", water not known in 1 of 2 months" in told
        (data,) = plain(replace(made, idle=(gpu,)))["idle"]  # type: ignore[misc]
        said = [data[name] for name in ("cost", "cost_why", "water", "water_why")]  # type: ignore[index]
        assert said == [
            None, "no price of electricity is known in 1 of 2 months",
            None, "not known in 1 of 2 months",
        ]  # fmt: skip
    assert together([lacks, lacks]).unpriced == "no price of electricity is known"


def _idled(ledger: Ledger, partitions: str, *jobs: str) -> dict[str, tuple[float, str]]:
    text = "timezone: UTC\nsite: {region: DE}\nprice: {device_hour: 2 USD}\n"
    text += f"partitions: {partitions}"
    imported(ledger, cluster(text), *jobs)
    return {one.partition: (one.device_hours, one.why) for one in of(ledger, text).idle}


NODES = "accelerator: h100-sxm5-80, per_node: 8, nodes: 2"
#: 4 devices for 2 h each, of 16 that are held: 32 device-hours
TWO = (line(JobID="1", Partition="gpu"), line(JobID="2", Partition="low,gpu", NodeList="gpu02"))


def test_jobs_of_partitions_that_are_not_named_are_on_the_nodes_of_the_default(
    ledger: Ledger,
) -> None:
    assert _idled(ledger, f"{{default: {{{NODES}}}}}", *TWO) == {"default": (16.0, "")}


def test_a_job_of_several_partitions_is_on_the_nodes_of_the_one_that_is_named(
    ledger: Ledger,
) -> None:
    assert _idled(ledger, f"{{gpu: {{{NODES}}}}}", *TWO) == {"gpu": (16.0, "")}


def test_nodes_of_processors_have_no_devices_to_idle(ledger: Ledger) -> None:
    made = _idled(ledger, f"{{gpu: {{{NODES}}}, cpu: {{cpus: 64, nodes: 4}}}}", *TWO)
    assert made == {"gpu": (16.0, ""), "cpu": (0.0, "its nodes have no devices to idle")}


def test_partitions_on_the_same_nodes_say_so(ledger: Ledger) -> None:
    on_both = (TWO[0], line(JobID="2", Partition="low", NodeList="gpu01"))
    low = "low: {accelerator: h100-sxm5-80, per_node: 8%s}"
    why = "jobs of low ran on its nodes too (gpu01): give partitions.low.nodes_of: gpu"
    assert _idled(ledger, f"{{gpu: {{{NODES}}}, {low % ''}}}", *on_both) == {"gpu": (0.0, why)}
    with memory() as other:
        made = _idled(other, f"{{gpu: {{{NODES}}}, {low % ', nodes_of: gpu'}}}", *on_both)
        assert made == {"gpu": (16.0, "")}


# --- how far the data reach ----------------------------------------------------------------------

UTC_ = FLEET.replace("Europe/Berlin", "UTC")
BUDGET = UTC_ + "budgets: [{cost: 1 kUSD}]\n"


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def test_a_sum_that_a_forecast_lacks_is_no_nought(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    imported(ledger, cluster(BUDGET), line())
    made = of(ledger, BUDGET.replace("{cost", "{account: history, cost"))
    # without a job there is nothing that could vary
    assert [one.forecast for one in made.budgets] == [Figure(0.0, 0.0, 0.0)]

    def without(*asked: Any, **how: Any) -> Sums:
        found = summed(*asked, **how)
        del found.total.also["cost_squares"]
        return found

    monkeypatch.setattr("costcalc.fleet.budgets.summed", without)
    with pytest.raises(KeyError, match="cost_squares"):
        of(ledger, BUDGET)


def test_a_forecast_has_a_range_and_says_until_when_it_knows(ledger: Ledger) -> None:
    imported(ledger, cluster(BUDGET), *(line(JobID=str(n)) for n in range(4)))
    made = of(ledger, BUDGET)
    (one,) = made.budgets
    # 64 USD in the 108 h to the last job's end, of 744; jobs of 16 USD, four of them:
    # 1.64485 x sqrt(4 x 16² x 5.889 x 6.889) = 335.3
    assert one.forecast is not None
    assert one.forecast.value == pytest.approx(64 * 744 / 108)
    assert one.forecast.low == pytest.approx(440.89 - 335.28, abs=0.05)
    assert one.forecast.high == pytest.approx(440.89 + 335.28, abs=0.05)
    ((_, told),) = budgets(made)
    assert told == (
        "cost: 64.0 USD of 1,000 USD used (6.4 %), 441 USD at its end at this pace "
        "(106 USD – 776 USD)"
    )
    reaching = (
        "What is known reaches to 2026-10-05 12:00, when the last job ended; of the 26.5 days "
        "from then on nothing is known"
    )
    assert made.reaching == reaching
    assert reaching in html(made)
    assert plain(made)["data_reach"] == reaching
    # four devices each of two nodes of eight
    told = "no device idled from 2026-10-05 10:00 to 2026-10-05 12:00; nobody pays"
    assert next(idles(made))[1] == told


def test_what_is_used_already_is_the_least(ledger: Ledger) -> None:
    imported(ledger, cluster(BUDGET), line(ConsumedEnergyRaw="18000000"))
    (one,) = of(ledger, BUDGET).budgets
    # one job says little of a pace: 16 x (1 +- 1.64485 x sqrt(5.889 x 6.889)) + what comes
    assert one.forecast is not None
    assert one.forecast.low == pytest.approx(16.0)
    assert one.forecast.high == pytest.approx(16 * 744 / 108 + 1.64485 * 16 * 6.3694, abs=0.01)


def test_a_scheduler_that_was_asked_says_until_when(ledger: Ledger) -> None:
    take(ledger, cluster(BUDGET), read_dump(line()), source="slurm", name="x",
         until=at("2026-10-20T00:00"))  # fmt: skip
    made = of(ledger, BUDGET)
    assert made.until == at("2026-10-20T00:00")
    assert made.reaching.startswith("What is known reaches to 2026-10-20 00:00, when it was asked")
    (one,) = made.budgets
    assert one.elapsed == pytest.approx(19 / 31)
    # two nodes of 8 from the first job's start, 14 days and 14 h, less its 8 device-hours
    assert made.idle[0].device_hours == pytest.approx(16 * (14 * 24 + 14) - 8)


def test_a_month_that_was_asked_for_when_it_was_over_is_whole(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def sacct(since: str | None, job: str | None = None) -> Iterator[list[str]]:
        yield dump(line())

    monkeypatch.setattr(sources.slurm, "running", sacct)
    monkeypatch.setattr(sources.time, "time", lambda: at("2026-11-03T00:00"))
    asked = sources.Asked(source="slurm", since="2026-10-01")
    sources.import_from(ledger, cluster(BUDGET), asked)
    made = of(ledger, BUDGET)
    assert made.reaching == ""
    ((_, told),) = budgets(made)
    assert told == "cost: 16.0 USD of 1,000 USD used (1.6 %)"
    assert made.idle[0].end == at("2026-11-01T00:00")
    # one job that is asked for tells nothing of the others
    with memory() as other:
        sources.import_from(other, cluster(BUDGET), sources.Asked(source="slurm", job="1"))
        assert of(other, BUDGET).until == at("2026-10-05T12:00")


def test_energy_of_nodes_that_did_not_idle_is_no_idle_time(ledger: Ledger) -> None:
    text = SHARED.replace("pue: 1.2", "pue: 1").replace("nodes: 2", "nodes: 1")
    imported(ledger, cluster(text), line(AllocTRES="gres/gpu=8,node=1"))
    # 10 kWh of the node, of which the job has all but 703 Wh
    day = NodeDay(
        cluster="c", node="gpu01", partition="gpu", at=at("2026-10-05T00:00"), meter="ipmi",
        joules=36e6, given=36e6 - 703 * 3600, seconds=7200.0,
    )  # fmt: skip
    read_meters(ledger, cluster(text), [day], source="prometheus", name="x")
    ((_, told),) = idles(of(ledger, text))
    assert told == (
        "no device idled from 2026-10-05 10:00 to 2026-10-05 12:00; 703 Wh are what the nodes' "
        "meters saw beyond what jobs have, 0.176 USD of electricity, 246 gCO2e; shared by "
        "device-hours"
    )


def test_a_ledger_from_before_the_grids_hours(tmp_path: Path) -> None:
    from sqlalchemy import text

    file = tmp_path / "old.db"
    with Ledger.open(f"sqlite:///{file}", create=True) as made:
        imported(made, cluster(UTC_), line())
        with made.writing() as connection:
            for said in (
                "ALTER TABLE jobs DROP COLUMN hourly",
                "ALTER TABLE imports DROP COLUMN until",
                "ALTER TABLE sums DROP COLUMN cost_squares",
                "UPDATE about SET value = '3' WHERE key = 'version'",
            ):
                connection.execute(text(said))
    with Ledger.open(str(file)) as made:
        assert of(made, UTC_).sums.total.figures["cost"].value == pytest.approx(16.0)
