"""A month's sums: equal to the rows, ranges drawn jointly, waste, idle nodes, budgets, formats."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fleet_byhand import FLEET, cluster, imported, line, memory, read_dump, rows, told, total

from costcalc.base.errors import InputError, Problem
from costcalc.base.writing import digest
from costcalc.cli import OK, WRONG_USE, run
from costcalc.cli.fleet_screen import show
from costcalc.fleet.budgeted import lines as budgets
from costcalc.fleet.charging import Charges
from costcalc.fleet.checking import check, refusals
from costcalc.fleet.facts import Facts, Refused
from costcalc.fleet.job import attempts, differs, full, hosts, not_reported, paragraph, parts
from costcalc.fleet.ledger import Ledger
from costcalc.fleet.month import months, of_period
from costcalc.fleet.summary import fields, summed
from costcalc.fleet.taking import take
from costcalc.fleet.told import csv_text, html, plain, wastes
from costcalc.report.check import verify

OCTOBER = ["2026-10"]


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    with memory() as made:
        yield made


def test_sums_are_those_of_the_rows(ledger: Ledger) -> None:
    lines = [
        line(
            JobID=str(n),
            Account=f"a{n % 3}",
            User=f"u{n % 7}",
            ElapsedRaw=str(600 + 137 * n),
            End="2026-10-05T13:00:00",
            ConsumedEnergyRaw=str(n * 1_000_003 if n % 2 else 0),
            Partition="old" if n % 5 == 0 else "gpu",
            AllocTRES=f"gres/gpu={1 + n % 4},node=1",
        )
        for n in range(1, 60)
    ]
    imported(ledger, cluster(), *lines)
    found = rows(ledger)
    for by in (("account",), ("user", "partition"), ("state",)):
        sums = summed(ledger, OCTOBER, by)
        for name in ("cost", "energy", "carbon_total", "water"):
            assert sums.total.figures[name].value == pytest.approx(total(found, name), rel=1e-9)
            for group in sums.groups:
                mine = [r for r in found if tuple(getattr(r, b) for b in by) == group.key]
                assert group.figures[name].value == pytest.approx(total(mine, name), rel=1e-9)
        assert sum(group.jobs for group in sums.groups) == len(found) == 59


def test_what_jobs_share_does_not_average_out(ledger: Ledger) -> None:
    """A hundred jobs of one kind are as unsure as one of them, not a tenth of it."""
    imported(ledger, cluster(), *(line(JobID=str(n)) for n in range(100)))
    one = rows(ledger)[0]
    whole = summed(ledger, OCTOBER).total.figures["energy"]
    assert whole.value == pytest.approx(100 * one.energy)
    assert whole.low == pytest.approx(100 * one.energy_low)
    assert whole.high == pytest.approx(100 * one.energy_high)
    assert one.energy_low < 0.9 * one.energy


def test_the_range_of_all_lies_within_the_ranges_ends(ledger: Ledger) -> None:
    """Two kinds share the host's and the board's doubts in part: neither all nor none of it."""
    imported(
        ledger,
        cluster(),
        line(JobID="1"),
        line(JobID="2", Partition="old", AllocTRES="gres/gpu=4,node=1"),
    )
    sums = summed(ledger, OCTOBER, ("partition",))
    figures = [group.figures["energy"] for group in sums.groups]
    whole = sums.total.figures["energy"]
    alone = math.hypot(*(figure.value - figure.low for figure in figures))
    assert alone < whole.value - whole.low <= sum(f.value - f.low for f in figures) * (1 + 1e-9)


def test_a_metered_month_is_sure_of_its_energy(ledger: Ledger) -> None:
    imported(ledger, cluster(), *(line(JobID=str(n), ConsumedEnergyRaw="18000000") for n in "123"))
    figures = summed(ledger, OCTOBER).total.figures
    assert figures["energy"].low == figures["energy"].value == pytest.approx(18.0)  # 3 x 5 x 1.2
    assert figures["cost"].high == figures["cost"].value == pytest.approx(48.0)
    assert figures["carbon_embodied"].low < figures["carbon_embodied"].value


def test_unknown_jobs_are_counted_and_are_not_nothing(ledger: Ledger) -> None:
    imported(ledger, cluster(), line(JobID="1"), line(JobID="2", AllocTRES="cpu=4,node=1"))
    whole = summed(ledger, OCTOBER).total
    assert (whole.figures["cost"].value, whole.figures["cost"].unknown) == (16.0, 1)


def test_waste_by_kind_and_use_by_power(ledger: Ledger) -> None:
    # 8 device-hours each; the host's part of a device is 275 W, idle 71 W, training 609.424 W
    half = (71 + 609.424) / 2
    imported(
        ledger,
        cluster(),
        line(JobID="1", ConsumedEnergyRaw=f"{(275 + half) * 28_800:.0f}"),
        line(JobID="2", ConsumedEnergyRaw=f"{(275 + 71) * 28_800:.0f}", State="FAILED"),
        line(JobID="3", State="CANCELLED by 5"),
    )
    whole = summed(ledger, OCTOBER).total
    assert whole.waste["failed"]["device_hours"] == 8.0
    assert whole.waste["cancelled"]["cost"] == 16.0
    assert whole.utilization == pytest.approx((0.5 + 0.0) / 2, abs=1e-3)
    assert whole.seen == 16.0  # of the third no meter says anything
    energies = [row.energy_it for row in rows(ledger)]
    assert whole.measured_share == pytest.approx(sum(energies[:2]) / sum(energies))


def test_what_an_attempt_for_nothing_cost_may_not_be_known(ledger: Ledger) -> None:
    text = FLEET.replace("price: {device_hour: 2 USD}", "").replace(
        "accounts:\n  physics: {price: {device_hour: 1 USD}}\n  chemistry: {}\n", ""
    )
    failed = {"State": "FAILED", "ConsumedEnergyRaw": "18000000"}
    imported(ledger, cluster(text), line(JobID="1", **failed))
    made = of_period(ledger, cluster(text))
    told = dict(wastes(made.sums.total, "USD"))
    assert told["failed"] == "8.00 device-hours in 1 job, its cost is not known, 6.00 kWh"
    waste = plain(made)["total"]["waste"]["failed"]  # type: ignore[index]
    assert (waste["cost"], waste["cost_jobs_unknown"], waste["energy"]) == (
        None, 1.0, pytest.approx(6.0)
    )  # fmt: skip
    # one whose price is known beside it: a sum that lacks one
    imported(ledger, cluster(), line(JobID="2", **failed))
    told = dict(wastes(of_period(ledger, cluster()).sums.total, "USD"))
    assert told["failed"] == "16.0 device-hours in 2 jobs, 16.0 USD + ?, 12.0 kWh"


def test_idle_nodes_are_named(ledger: Ledger) -> None:
    text = FLEET + "idle: {node_power: 1600 W, pays: shared}\n"
    # from 10:00 to 12:00 two nodes of 8 devices are 32 device-hours, of which the job had 8
    imported(ledger, cluster(text), line())
    made = of_period(ledger, cluster(text), "2026-10")
    gpu = next(one for one in made.idle if one.partition == "gpu")
    assert (gpu.device_hours, gpu.held) == (24.0, 32.0)
    # 1,600 W a node are 200 W a device: 24 x 0.2 kWh x 1.2
    assert gpu.figures["energy"].value == pytest.approx(5.76)
    old = next(one for one in made.idle if one.partition == "old")
    assert old.device_hours == 8.0  # one node of 4 for 2 h
    nobody = of_period(ledger, cluster(), "2026-10")
    assert nobody.charges == Charges()
    # at 71 W a board and 275 W of the host: 24 x 0.346 x 1.2
    assert nobody.idle[0].figures["energy"].value == pytest.approx(9.9648)


def test_more_than_the_nodes_hold_is_said(ledger: Ledger) -> None:
    imported(ledger, cluster(), line(AllocTRES="gres/gpu=32,node=4", NNodes="4"))
    (gpu, _) = of_period(ledger, cluster(), "2026-10").idle
    assert gpu.why == "jobs had 2 times what its 2 nodes hold"
    assert gpu.figures == {}


def test_a_job_over_midnight_of_a_month_idles_no_node_twice(ledger: Ledger) -> None:
    """Its device-hours are of the month that it ended in; of idle nodes, of each its part."""
    imported(
        ledger,
        cluster(FLEET.replace("Europe/Berlin", "UTC")),
        line(Start="2026-09-30T23:00:00", End="2026-10-01T01:00:00"),
    )
    utc = cluster(FLEET.replace("Europe/Berlin", "UTC"))
    made = of_period(ledger, utc, "2026-10")
    assert made.sums.total.device_hours == 8.0
    # the hour of October: 16 device-hours, 4 of them the job's
    assert made.idle[0].device_hours == pytest.approx(12.0)
    # which add up to the 16 that were held with the job's, less what is said to be before
    said = (
        "Jobs are counted whole in the month in which they ended: 4.00 device-hours of 1 job "
        "were before 2026-10-01 00:00"
    )
    assert said in made.limits
    assert said in html(made)
    assert (plain(made)["jobs_begun_before"], plain(made)["device_hours_before"]) == (1, 4.0)
    # nor has September the 4 that were in it: of 16 for the hour that the ledger knows of it
    imported(ledger, utc, line(JobID="2", Start="2026-09-30T23:00:00", End="2026-09-30T23:30:00",
                               ElapsedRaw="1800"))  # fmt: skip
    september = of_period(ledger, utc, "2026-09")
    assert (
        "Jobs are counted whole in the month in which they ended: 4.00 device-hours of 1 job "
        "that ended later are in none of the sums"
    ) in september.limits
    assert september.sums.total.device_hours == 2.0
    assert september.idle[0].device_hours == pytest.approx(16 - 2 - 4)
    assert [plain(september)[n] for n in ("jobs_ended_after", "device_hours_of_later_jobs")] == [
        1, 4.0,
    ]  # fmt: skip


def test_budgets_and_their_forecast(ledger: Ledger) -> None:
    text = FLEET + (
        "budgets:\n"
        "  - {account: chemistry, cost: 20 USD}\n"
        "  - {account: physics, period: quarter, device_hours: 100}\n"
        "  - {period: year, energy: 1 MWh}\n"
    )
    imported(ledger, cluster(text), line())
    chemistry, physics, everybody = of_period(ledger, cluster(text), "2026-10").budgets
    assert (chemistry.used.value, chemistry.budget, chemistry.share) == (16.0, 20.0, 0.8)
    # to 12:00 UTC on October 5, 14:00 in Berlin: 4 days and 14 h of 31 days and an hour
    elapsed = (4 * 24 + 14) / (31 * 24 + 1)
    assert chemistry.elapsed == pytest.approx(elapsed)
    assert chemistry.forecast is not None
    assert chemistry.forecast.value == pytest.approx(16 / elapsed)
    assert (physics.period, physics.used.value) == ("2026-Q4", 0.0)
    assert (everybody.period, everybody.unit, everybody.budget) == ("2026", "kWh", 1000.0)


PERIODS = FLEET.replace("Europe/Berlin", "UTC") + (
    "budgets:\n"
    "  - {account: chemistry, cost: 20 USD}\n"
    "  - {period: quarter, device_hours: 100}\n"
    "  - {account: chemistry, period: year, cost: 1 kUSD}\n"
)


def test_a_report_of_several_periods_has_the_budget_of_each(ledger: Ledger) -> None:
    of_ = cluster(PERIODS)
    # 16 USD a job: two in October, one in December, none in November
    october = {"Start": "2025-10-05T10:00:00", "End": "2025-10-05T12:00:00"}
    imported(
        ledger, of_, line(JobID="1", **october), line(JobID="2", **october),
        line(JobID="3", Start="2025-12-05T10:00:00", End="2025-12-05T12:00:00"),
    )  # fmt: skip

    def shown(period: str) -> list[tuple[str | None, str, float]]:
        made = of_period(ledger, of_, period)
        found = [(one.account, one.period, one.used.value) for one in made.budgets]
        # every format says the same
        assert [name for name, _ in budgets(made)] == [
            f"{account or 'all accounts'}, {over}" for account, over, _ in found
        ]
        listed: Any = plain(made)["budgets"]
        assert [(o["account"], o["period"], o["used"]["value"]) for o in listed] == found
        assert all(f"<dt>{name}</dt>" in html(made) for name, _ in budgets(made))
        return found

    quarter = [
        ("chemistry", "2025-10", 32.0),
        ("chemistry", "2025-11", 0.0),
        ("chemistry", "2025-12", 16.0),
        (None, "2025-Q4", 24.0),
        ("chemistry", "2025", 48.0),
    ]
    assert shown("2025-Q4") == quarter
    # months before the ledger's first are not known, and no quarter but the last is
    assert shown("2025") == quarter
    assert shown("2025-10") == [quarter[0], *quarter[3:]]
    assert "OVER BUDGET" in dict(budgets(of_period(ledger, of_, "2025")))["chemistry, 2025-10"]


def test_budgets_as_a_table_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COSTCALC_FLEET_LEDGER", raising=False)
    (tmp_path / "fleet.yaml").write_text(PERIODS)
    with Ledger.open(create=True) as made:
        imported(made, cluster(PERIODS), line(Start="2025-10-05T10:00:00",
                                              End="2025-10-05T12:00:00"))  # fmt: skip
    asked = ["fleet", "report", "--month", "2025-Q4"]
    assert run([*asked, "--budgets", "-f", "csv"]) == OK
    out, err = capsys.readouterr()
    assert err == ""
    listed = list(csv.DictReader(io.StringIO(out)))
    assert [(one["account"], one["period"], one["of"], one["unit"]) for one in listed] == [
        ("chemistry", "2025-10", "cost", "USD"), ("", "2025-Q4", "device_hours", "device_hour"),
        ("chemistry", "2025", "cost", "USD"),
    ]  # fmt: skip
    first = listed[0]
    # 16 of 20 USD, 108 h after the month's beginning of 744
    assert (first["budget"], first["used"], first["over"]) == ("20.0", "16.0", "False")
    assert float(first["elapsed"]) == pytest.approx(108 / 744)
    assert float(first["forecast"]) == pytest.approx(16 * 744 / 108)
    assert run([*asked, "--account", "chemisty"]) == WRONG_USE
    said = '--account: no job of the ledger is of "chemisty"; did you mean chemistry?\n'
    assert capsys.readouterr().err == said
    # the groups have none of them, which is said
    assert run([*asked, "-f", "csv"]) == OK
    out, err = capsys.readouterr()
    assert out.startswith("period,account,jobs,")
    assert err == "the budgets are not in it: --budgets gives them as a file\n"
    assert run([*asked, "--budgets"]) == WRONG_USE
    said = "--budgets: goes with --format csv or parquet; table has them\n"
    assert capsys.readouterr().err == said
    pq = pytest.importorskip("pyarrow.parquet")
    assert run([*asked, "--budgets", "-f", "parquet", "-o", "b.parquet"]) == OK
    table = pq.read_table(tmp_path / "b.parquet").to_pylist()
    assert [one["used"] for one in table] == [16.0, 8.0, 16.0]


def test_a_budget_says_of_how_many_jobs_it_does_not_know(ledger: Ledger) -> None:
    # of the second neither price nor devices' kind, of the third not how many devices
    text = UNPRICED + "budgets: [{cost: 100 USD}, {device_hours: 100}]\n"
    imported(
        ledger, cluster(text), line(JobID="1"),
        line(JobID="2", Partition="new", AllocTRES="gres/gpu=1"),
        line(JobID="3", AllocTRES="gres/mps=50"),
    )  # fmt: skip
    cost, hours = (said for _, said in budgets(of_period(ledger, cluster(text), "2026-10")))
    assert cost.startswith("cost: 16.0 USD + ? of 100 USD used (16 %)")
    assert ", without 2 jobs of which it is not known" in cost
    assert hours.startswith("device-hours: 10.0 device-hours + ? of 100 device-hours used (10 %)")
    assert ", without 1 job of which it is not known" in hours


UNPRICED = """
site: {region: DE, pue: 1.2}
price: {device_hour: 2 USD}
partitions: {gpu: {accelerator: h100-sxm5-80, per_node: 8}}
"""


def test_months_that_have_not_begun_have_no_budget_yet(ledger: Ledger) -> None:
    of_ = cluster(PERIODS)
    imported(
        ledger, of_,
        line(Start="2025-10-05T10:00:00", End="2025-10-05T12:00:00"),
        line(JobID="2", Start="2025-11-05T10:00:00", End="2025-11-05T12:00:00"),
    )  # fmt: skip
    made = of_period(ledger, of_, "2025-Q4").budgets
    assert [one.period for one in made] == ["2025-10", "2025-11", "2025-Q4", "2025"]


@pytest.mark.parametrize("length", ["month", "quarter", "year"])
def test_of_a_job_over_the_edge_the_pace_has_its_part_within(ledger: Ledger, length: str) -> None:
    text = FLEET.replace("Europe/Berlin", "UTC").replace("nodes: 2", "nodes: 8")
    text += f"budgets: [{{period: {length}, device_hours: 50000}}]\n"
    imported(
        ledger,
        cluster(text),
        line(Start="2025-09-01T10:00:00", End="2025-09-01T12:00:00"),
        line(
            JobID="2", Start="2025-12-31T22:00:00", End="2026-01-01T02:00:00", ElapsedRaw="14400",
            AllocTRES="gres/gpu=64", NNodes="8", NodeList="gpu[01-08]",
        ),
    )  # fmt: skip
    (one,) = of_period(ledger, cluster(text), "2026-01").budgets
    hours = {"month": 31, "quarter": 90, "year": 365}[length] * 24
    # 64 devices for 4 h are counted in January; 2 h of them were in it: 64 an hour, of late too
    assert one.used.value == 256.0
    assert one.forecast is not None
    assert one.forecast.value == pytest.approx(256.0 + 64.0 * (hours - 2))
    # of one job, 128 within: 1.64485 x 128 x sqrt(r + r^2), r = (hours - 2) / 2
    beyond = 1.64485 * 128.0 * math.sqrt((hours - 2) / 2 * hours / 2)
    assert one.forecast.high == pytest.approx(one.forecast.value + beyond, rel=1e-5)


def test_a_correction_changes_the_sums(ledger: Ledger) -> None:
    imported(ledger, cluster(), line(JobID="1"), line(JobID="2"))
    assert summed(ledger, OCTOBER).total.figures["cost"].value == 32.0
    imported(ledger, cluster(), line(JobID="2", ElapsedRaw="3600"))
    assert summed(ledger, OCTOBER).total.figures["cost"].value == 24.0
    imported(ledger, cluster(), line(JobID="2", ElapsedRaw="3600", End="2026-11-05T12:00:00"))
    assert summed(ledger, OCTOBER).total.figures["cost"].value == 16.0
    assert summed(ledger, ["2026-11"]).total.figures["cost"].value == 8.0


def test_what_is_asked_of_a_report() -> None:
    with pytest.raises(InputError) as error:
        fields("acount")
    assert str(error.value) == (
        "--by: expected of month, account, user, partition, model, device, state, cluster, meter; "
        'got "acount"; did you mean account?'
    )


def test_a_month_without_jobs(ledger: Ledger) -> None:
    with pytest.raises(InputError, match="the ledger has no job yet"):
        of_period(ledger, cluster())
    imported(ledger, cluster(), line())
    with pytest.raises(InputError) as error:
        of_period(ledger, cluster(), "2025")
    assert "no job ended in 2025; the ledger has 2026-10 to 2026-10" in str(error.value)


# --- one job -------------------------------------------------------------------------------------


@pytest.mark.parametrize("joules", ["", "18000000"])
def test_a_job_is_a_report_that_verifies_and_equals_its_row(
    ledger: Ledger, joules: str, tmp_path: Path
) -> None:
    imported(ledger, cluster(), line(JobID="7", ConsumedEnergyRaw=joules))
    found = attempts(ledger, "7")
    made = full(ledger, found)
    path = tmp_path / "job.json"
    path.write_text(json.dumps(made))
    verdict = verify(path)
    assert verdict.holds, verdict.lines()
    assert verdict.recomputed
    (row,) = rows(ledger)
    for name in ("device_hours", "cost", "energy", "carbon_total", "water"):
        assert made["results"][name]["value"] == pytest.approx(getattr(row, name), rel=1e-9)
    assert "anna" not in json.dumps(made)
    made["details"]["imported"]["what"] = "the plug, as auditors read it"
    made["digest"] = digest(made)
    path.write_text(json.dumps(made))
    assert "the plug, as auditors read it; a ledger says which meter it is" in (
        "\n".join(verify(path).lines())
    )
    assert made["runs"][0]["role"] == "unknown"


def test_the_ledger_is_the_sum_of_its_jobs_reports(ledger: Ledger) -> None:
    lines = [
        line(JobID=str(n), ElapsedRaw=str(1000 + n), ConsumedEnergyRaw="9000000" if n % 2 else "")
        for n in range(6)
    ]
    imported(ledger, cluster(), *lines, line(JobID="3", Start="2026-10-06T10:00:00", State="FAILED",
                                             End="2026-10-06T12:00:00"))  # fmt: skip
    sums = summed(ledger, OCTOBER).total.figures
    reports = [full(ledger, attempts(ledger, str(n))) for n in range(6)]
    for name in ("cost", "energy", "carbon_total", "water"):
        added = sum(float(str(one["results"][name]["value"])) for one in reports)
        assert added == pytest.approx(sums[name].value, rel=1e-9)
    assert [run_["role"] for run_ in reports[3]["runs"]] == ["unknown", "failed"]


def test_a_job_in_words(ledger: Ledger) -> None:
    # 625 W a device, 350 of it the board's: half of its rating of 700 W
    imported(ledger, cluster(), line(JobID="7", ConsumedEnergyRaw="18000000"))
    assert paragraph(attempts(ledger, "7"), "USD") == (
        "This job held 4.00 × h100-sxm5-80 for 2.00 hours (8.00 device-hours); 16.0 USD; "
        "6.00 kWh (metered); 2.30 kg CO2e. "
        "It drew about 50 % of its boards' rating (350 W a device, with 275 W of host a device "
        "assumed)."
    )
    imported(ledger, cluster(), line(JobID="8", AllocTRES="cpu=4,node=1"))
    assert paragraph(attempts(ledger, "8"), "USD") == (
        "This job held 32 processors for 2.00 hours; cost unknown; energy unknown; CO2e unknown. "
        "No meter saw its power."
    )


def test_whether_it_waited_is_asked_only_where_even_the_high_end_is_low(ledger: Ledger) -> None:
    # 600, 490 and 420 W a device by the node's meter; the host is 275 W, and 150 W at the least
    for job, watts in (("1", 600), ("2", 490), ("3", 420)):
        imported(ledger, cluster(), line(JobID=job, ConsumedEnergyRaw=str(4 * watts * 7200)))

    def said(job: str) -> str:
        found = attempts(ledger, job)
        return paragraph(found, "USD", hosts(ledger, found)).partition("CO2e. ")[2]

    (row,) = attempts(ledger, "1")
    (less,) = hosts(ledger, [row]).values()
    assert less == pytest.approx(275 - 150)
    # 325 + 125 of 700 W are 64 %, 215 + 125 are 49 %
    beside = "with 275 W of host a device assumed)"
    assert said("1") == f"It drew about 46 % of its boards' rating (325 W a device, {beside}."
    asked = ": was it waiting for data?"
    assert said("2") == (
        f"It drew about 31 % of its boards' rating (215 W a device, {beside}{asked}"
    )
    assert said("3").endswith(f"(145 W a device, {beside}{asked}")
    # where the host's least is not known it may be nothing
    assert "waiting" not in paragraph(attempts(ledger, "2"), "USD")


def test_a_budget_of_an_account_that_nobody_has_is_named(ledger: Ledger) -> None:
    text = FLEET + (
        "budgets: [{account: chemsitry, cost: 1 USD}, {account: physics, cost: 1 USD},\n"
        "  {account: biology, cost: 1 USD}, {cost: 1 USD}]\n"
    )
    why = (
        "a budget is of account chemsitry, which no job is of and accounts of fleet.yaml has not "
        "(did you mean chemistry?): it is never passed"
    )
    taken = imported(ledger, cluster(text), line(), line(JobID="2", Account="biology"))
    assert [note for note in taken.notes if "budget" in note] == [why]
    assert why in check(ledger, None, cluster(text).fleet).lines()
    assert why in of_period(ledger, cluster(text), "2026-10").limits
    some = of_period(ledger, cluster(text), "2026-10", accounts=("chemistry",))
    assert why not in some.limits  # others' budgets are none of their business


BOARDS = FLEET.replace("plugin: exclusive}", "plugin: boards}", 1)


def test_a_meter_of_boards_saw_no_host(ledger: Ledger) -> None:
    # 4 boards of 500 W for 2 h are 4 kWh; beside each the host's part of 275 W: 2.2 kWh modelled
    imported(ledger, cluster(BOARDS), line(JobID="7", ConsumedEnergyRaw=str(4 * 500 * 7200)))
    (row,) = rows(ledger)
    assert (row.metered, row.energy_it) == (pytest.approx(4.0), pytest.approx(6.2))
    assert summed(ledger, OCTOBER).total.measured_share == pytest.approx(4.0 / 6.2)
    made = of_period(ledger, cluster(BOARDS), "2026-10")
    assert plain(made)["total"]["measured_share"] == pytest.approx(4.0 / 6.2)  # type: ignore[index]
    # with the PUE of 1.2 7.44 kWh
    assert "; 7.44 kWh (4.00 kWh of it metered, the rest modelled); " in paragraph(
        attempts(ledger, "7"), "USD"
    )


def test_a_budget_whose_period_has_not_begun_has_no_forecast(ledger: Ledger) -> None:
    text = FLEET + "budgets: [{account: chemistry, device_hours: 100}]\n"
    held = {"Start": "2026-10-31T21:00:00", "End": "2026-11-01T00:00:00", "ElapsedRaw": "10800"}
    imported(ledger, cluster(text.replace("Europe/Berlin", "UTC")), line(**held))
    made = of_period(ledger, cluster(text.replace("Europe/Berlin", "UTC")), "2026-11")
    (one,) = made.budgets
    # it is counted in the month in which it ended, of which no second is over
    assert (one.used.value, one.elapsed, one.forecast) == (12.0, 0.0, None)
    assert list(budgets(made)) == [(
        "chemistry, 2026-11",
        "device-hours: 12.0 device-hours of 100 device-hours used (12 %), its end not known: "
        "nothing of the period is, that a pace could be of",
    )]  # fmt: skip
    head, row = csv.reader(io.StringIO(csv_text(made, of_budgets=True)))
    cells = dict(zip(head, row, strict=True))
    assert [cells[n] for n in ("used", "forecast", "forecast_low", "over")] == [
        "12.0", "", "", "False",
    ]  # fmt: skip
    assert plain(made)["budgets"][0]["forecast"] is None  # type: ignore[index]


def test_a_heterogeneous_job_is_the_sum_of_its_components(
    ledger: Ledger, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    thin = "cpu=4,node=1"
    imported(
        ledger, cluster(),
        line(JobID="93+0", JobIDRaw="93"),  # 4 devices for 2 h at 2 USD: 8 device-hours, 16 USD
        line(JobID="93+1", JobIDRaw="94", Partition="old", AllocTRES="gres/gpu=2,node=1"),  # 2 USD
        line(JobID="93+2", JobIDRaw="95", AllocTRES=thin),
        line(JobID="930", JobIDRaw="930"), line(JobID="93", Cluster="d"),
    )  # fmt: skip
    found = attempts(ledger, "93", "c")
    assert parts(found) == ["93+0", "93+1", "93+2"]
    said = paragraph(found, "USD")
    assert said.startswith(
        "The 3 parts of this job (93+0, 93+1, 93+2) held 12.0 device-hours of h100-sxm5-80, "
        "a100-sxm4-40; 18.0 USD without 1 of 3, where it is unknown; "
    )
    made = full(ledger, found)
    assert made["results"]["cost"]["value"] == pytest.approx(18.0)
    assert made["results"]["device_hours"]["value"] == pytest.approx(12.0)
    assert not_reported(found) == [
        "93+2: no accelerator, and no meter: neither its power nor price is known"
    ]
    # a component by its own name or number is that component, and says so
    for asked in ("93+1", "94"):
        (one,) = attempts(ledger, asked)
        assert paragraph([one], "USD").startswith(
            "This part of a job, 93+1, held 2.00 × a100-sxm4-40 for 2.00 hours "
            "(4.00 device-hours); 2.00 USD; "
        )


@pytest.mark.parametrize("plugin", ["exclusive", "boards"])
def test_a_report_of_very_many_tasks_can_be_read(
    ledger: Ledger, plugin: str, tmp_path: Path
) -> None:
    """Tasks that differ in time alone are one run of it; its sums are the ledger's."""
    of = cluster(FLEET.replace("nodes: 2, plugin: exclusive", f"nodes: 2, plugin: {plugin}"))
    lines = [
        line(JobID=f"10_{n}", JobIDRaw=str(10 + n), ElapsedRaw=str(3600 + n),
             State="FAILED" if n % 3 == 0 else "COMPLETED",
             ConsumedEnergyRaw=str(7_200_000 + 1000 * n) if n % 2 else "")
        for n in range(120)
    ]  # fmt: skip
    imported(ledger, of, *lines)
    found = attempts(ledger, "10")
    made = full(ledger, found)
    assert len(made["runs"]) == 4  # failed or not, metered or not
    assert "40 attempts that differ in time alone are one run" in " ".join(made["warnings"])
    for name in ("device_hours", "cost", "energy", "carbon_total", "water"):
        whole = sum(row[name] for row in found)
        assert made["results"][name]["value"] == pytest.approx(whole, rel=1e-9)
    assert differs(made, found) == []
    path = tmp_path / "job.json"
    path.write_text(json.dumps(made))
    assert verify(path).holds


def test_what_is_odd_of_a_job_is_in_its_report(ledger: Ledger, tmp_path: Path) -> None:
    imported(ledger, cluster(), line(JobID="7", AllocTRES="gres/gpu=64,node=1"))
    made = full(ledger, attempts(ledger, "7"))
    assert "more devices than its nodes have (partitions.gpu.per_node)" in made["warnings"]
    assert paragraph(attempts(ledger, "7"), "USD").endswith(
        " It is said to have held more devices than its nodes have (partitions.gpu.per_node): one "
        "of both is wrong, and so may be its figures."
    )
    path = tmp_path / "job.json"
    path.write_text(json.dumps(made))
    assert verify(path).holds


def test_what_is_more_than_nodes_have_is_marked_in_the_month(ledger: Ledger) -> None:
    # 64 devices for two hours on a node of eight; and 4, which are none too many
    imported(
        ledger,
        cluster(),
        line(JobID="7", AllocTRES="gres/gpu=64,node=1", Account="physics"),
        line(),
    )
    made = of_period(ledger, cluster(), "2026-10")
    said = (
        "1 job held more than the nodes have by fleet.yaml, of which one is wrong: 128 "
        "device-hours; fleet check says by which key"
    )
    assert said in made.limits
    assert said in html(made)
    data: Any = plain(made)
    assert (
        data["total"]["jobs_beyond_their_nodes"], data["total"]["device_hours_beyond_their_nodes"]
    ) == (1, 128.0)  # fmt: skip
    assert [
        (row["account"], float(row["device_hours_beyond_their_nodes"]))
        for row in csv.DictReader(io.StringIO(csv_text(made)))
    ] == [("physics", 128.0), ("chemistry", 0.0)]
    # what a meter says beside does not hide it
    imported(
        ledger, cluster(), line(JobID="7", AllocTRES="gres/gpu=64,node=1", ConsumedEnergyRaw="1")
    )
    (found,) = attempts(ledger, "7")
    assert found["why"].endswith("; more devices than its nodes have (partitions.gpu.per_node)")
    assert "1 job held more" in "".join(of_period(ledger, cluster(), "2026-10").limits)


def test_names_are_no_formulas_of_a_spreadsheet(ledger: Ledger) -> None:
    names = ["=cmd|'/c calc'!A0", "+1", "-1", "@SUM(A1)", "physics"]
    imported(ledger, cluster(), *[
        line(JobID=str(n), User=name.replace("|", "!")) for n, name in enumerate(names)
    ])  # fmt: skip
    made = of_period(ledger, cluster(), "2026-10", ("user",))
    told = {row["user"] for row in csv.DictReader(io.StringIO(csv_text(made)))}
    assert told == {"'=cmd!'/c calc'!A0", "'+1", "'-1", "'@SUM(A1)", "physics"}


def test_lines_in_a_pipe_end_without_blanks(
    ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    imported(ledger, cluster(), line())
    show(of_period(ledger, cluster(), "2026-10"))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 5
    assert all(one == one.rstrip() for one in lines)


def test_an_array_is_the_sum_of_its_tasks(ledger: Ledger) -> None:
    # the array's own number is that of its last task; 1, 2 and 3 h of a device at 2 USD
    lines = [
        line(JobID=f"10_{task}", JobIDRaw=str(raw), ElapsedRaw=str(3600 * task),
             End=f"2026-10-05T1{task}:00:00", AllocTRES="gres/gpu=1,node=1")
        for task, raw in ((1, 11), (2, 12), (3, 10))
    ]  # fmt: skip
    imported(ledger, cluster(), *lines, line(JobID="101_1", JobIDRaw="101"))
    found = attempts(ledger, "10")
    assert paragraph(found, "USD").startswith(
        "The 3 parts of this job (10_1, 10_2, 10_3) held 6.00 device-hours of h100-sxm5-80; "
        "12.0 USD; "
    )
    assert full(ledger, found)["results"]["cost"]["value"] == pytest.approx(12.0)
    assert full(ledger, found, identify=True)["name"] == "job 10_1 and 2 other parts"
    assert parts(attempts(ledger, "10_3")) == ["10_3"]
    more = [line(JobID=f"20_{n}", JobIDRaw=str(30 + n)) for n in range(7)]
    imported(ledger, cluster(), *more)
    assert "The 7 parts of this job (20_0, 20_1, 20_2, 20_3 and 3 more) held" in (
        paragraph(attempts(ledger, "20"), "USD")
    )


def test_a_job_that_waited(ledger: Ledger) -> None:
    imported(ledger, cluster(), line(JobID="7", ConsumedEnergyRaw=str((275 + 217) * 28_800)))
    found = attempts(ledger, "7")
    assert paragraph(found, "USD", hosts(ledger, found)).endswith(
        "It drew about 31 % of its boards' rating (217 W a device, with 275 W of host a device "
        "assumed): was it waiting for data?"
    )


def test_jobs_that_are_not_there_or_have_no_report(ledger: Ledger) -> None:
    imported(ledger, cluster(), line(JobID="1"), line(JobID="1", Cluster="d"),
             line(JobID="2", AllocTRES="cpu=1,node=1"))  # fmt: skip
    with pytest.raises(InputError, match="the ledger has no job 9"):
        attempts(ledger, "9")
    with pytest.raises(InputError, match="1 is a job of several clusters; give --cluster: c, d"):
        attempts(ledger, "1")
    assert len(attempts(ledger, "1", "d")) == 1
    with pytest.raises(InputError, match="there is no report of it: no accelerator, and no meter"):
        full(ledger, attempts(ledger, "2"))


# --- formats, and the command --------------------------------------------------------------------


def test_the_page_escapes_what_the_ledger_says(ledger: Ledger) -> None:
    imported(ledger, cluster(), line(Account="<script>alert(1)</script>"))
    page = html(of_period(ledger, cluster()))
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    from fleet_byhand import dump

    Path("fleet.yaml").write_text(FLEET + "budgets: [{account: chemistry, cost: 10 USD}]\n")
    Path("sacct.txt").write_text("\n".join(dump(line(JobID="1"), line(JobID="2", Account="bio"))))
    assert run(["fleet", "init"]) == OK
    assert run(["fleet", "import", "slurm", "sacct.txt"]) == OK
    capsys.readouterr()
    assert run(["fleet", "report"]) == OK
    table = capsys.readouterr().out
    assert "chemistry" in table
    assert "16.0 USD of 10.0 USD used (160 %)" in table
    assert "OVER BUDGET" in table
    assert run(["fleet", "report", "-f", "csv"]) == OK
    listed = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [(row["account"], float(row["cost"])) for row in listed] == [
        ("bio", 16),
        ("chemistry", 16),
    ]
    assert run(["fleet", "report", "-f", "json", "--account", "bio"]) == OK
    data = json.loads(capsys.readouterr().out)
    assert data["schema"] == "costcalc/fleet/v1"
    assert data["total"]["jobs"] == 1
    assert data["groups"][0]["key"] == {"account": "bio"}
    assert run(["fleet", "report", "-f", "html", "-o", "r.html"]) == OK
    assert run(["fleet", "report", "-f", "html", "-o", "r.html"]) == WRONG_USE  # not overwritten
    assert run(["fleet", "report", "-f", "tabel"]) == WRONG_USE
    assert "did you mean table?" in capsys.readouterr().err
    assert run(["fleet", "job", "1", "-o", "job.yaml"]) == OK
    assert run(["report", "verify", "job.yaml"]) == OK
    capsys.readouterr()
    assert run(["fleet", "check"]) == OK
    assert capsys.readouterr().out.splitlines()[:2] == [
        "2 jobs, 16 device-hours",
        "unmetered: 2 jobs, 100 % of the device-hours",
    ]


def test_plain_data_are_json(ledger: Ledger) -> None:
    imported(ledger, cluster(), line(AllocTRES="cpu=1,node=1"))
    data = plain(of_period(ledger, cluster()))
    json.dumps(data, allow_nan=False)
    cost = data["total"]["cost"]  # type: ignore[index]
    assert (cost["value"], cost["low"], cost["jobs_unknown"]) == (None, None, 1)


# --- numbers that would look sure ----------------------------------------------------------------


def test_a_year_of_which_the_ledger_has_a_month(ledger: Ledger) -> None:
    """Ten months before the ledger began are not a pace of nothing."""
    text = FLEET.replace("Europe/Berlin", "UTC") + "budgets: [{period: year, cost: 100 USD}]\n"
    imported(ledger, cluster(text), line(End="2026-10-31T00:00:00", Start="2026-10-30T22:00:00"))
    (year,) = of_period(ledger, cluster(text), "2026-10").budgets
    # 16 USD in 30 days, and 62 of the year are left
    assert year.forecast is not None
    assert year.forecast.value == pytest.approx(16 * (1 + 62 / 30))


def test_a_clock_that_was_years_ahead_is_not_the_last_month(ledger: Ledger) -> None:
    imported(ledger, cluster(), line(JobID="1", Start="2025-01-05T10:00:00",
                                     End="2025-01-05T12:00:00"))  # fmt: skip
    ahead = {"Start": "2236-10-05T10:00:00", "End": "2236-10-05T12:00:00"}
    imported(ledger, cluster(), line(JobID="2", **ahead))
    assert of_period(ledger, cluster()).over.name == "2025-01"
    assert months(ledger) == ["2025-01"]
    assert "ended after now: 1 job, 50 % of the device-hours" in check(ledger).lines()
    assert of_period(ledger, cluster(), "2236-10").sums.total.jobs == 1


EUROS = FLEET.replace("price: {device_hour: 2 USD}", "price: {device_hour: 3 EUR}") + (
    "currency: EUR\nrate: 1.08 USD/EUR\n"
)
NOT_MIXED = (
    "its jobs are costed in USD, and fleet.yaml's currency is EUR: give currency: USD there, or "
    "make another ledger and import into it"
)


def test_money_of_another_currency_is_not_mixed(ledger: Ledger) -> None:
    imported(ledger, cluster(), line())
    with pytest.raises(InputError) as error:
        imported(ledger, cluster(EUROS), line())
    assert error.value.problems[0].message == NOT_MIXED
    # what idles, and budgets, would be in euros
    for text in (EUROS, EUROS.replace("nodes: ", "cpus: ") + "budgets: [{cost: 10 EUR}]\n"):
        with pytest.raises(InputError, match="its jobs are costed in USD"):
            of_period(ledger, cluster(text))
    assert ledger.about("currency") == "USD"


def test_a_ledger_without_a_job_takes_another_currency(ledger: Ledger) -> None:
    ledger.counts_in("EUR")
    assert ledger.about("currency") == "USD"  # as long as nothing is written
    imported(ledger, cluster(EUROS), line())
    made = of_period(ledger, cluster(EUROS))
    # four devices for two hours at 3 EUR
    assert (made.currency, made.sums.total.figures["cost"].value) == ("EUR", pytest.approx(24.0))
    with pytest.raises(InputError, match="its jobs are costed in EUR"):
        imported(ledger, cluster(), line(JobID="2"))


def test_init_again_after_the_currency_was_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COSTCALC_FLEET_LEDGER", raising=False)
    assert run(["fleet", "init"]) == OK
    (tmp_path / "fleet.yaml").write_text(EUROS)
    assert run(["fleet", "init"]) == OK
    with Ledger.open() as made:
        assert made.about("currency") == "EUR"
        imported(made, cluster(EUROS), line())
    (tmp_path / "fleet.yaml").write_text(FLEET)
    capsys.readouterr()
    assert run(["fleet", "init"]) == WRONG_USE
    assert "its jobs are costed in EUR, and fleet.yaml's currency is USD" in capsys.readouterr().err


def test_a_row_refused_twice_is_one(ledger: Ledger) -> None:
    for _ in range(2):
        imported(ledger, cluster(), line(JobID="1"), "c|2|cut off")
    assert check(ledger).refused == 1
    assert len(refusals(ledger)) == 1


def test_shards_that_fleet_yaml_counts_are_no_riddle(ledger: Ledger) -> None:
    text = FLEET.replace("nodes: 2,", "nodes: 2, shards: 4,")
    imported(ledger, cluster(text), line(AllocTRES="gres/shard=2,node=1"))
    (row,) = rows(ledger)
    assert (row.devices, row.why) == (0.5, None)


@pytest.mark.parametrize("source", ["slurm", "lsf", "pbs", "kubernetes"])
@pytest.mark.parametrize("joules", ["", "18000000"])
def test_a_report_of_each_scheduler_verifies(tmp_path: Path, source: str, joules: str) -> None:
    """Also one of a half of its node's meter."""
    of = cluster(FLEET.replace(", plugin: exclusive", ""))
    with memory() as made:
        facts = [replace(one, source=source) for one in told(line(ConsumedEnergyRaw=joules))]
        take(made, of, facts, source=source, name="x")
        report = full(made, attempts(made, "1"))
    path = tmp_path / "job.json"
    path.write_text(json.dumps(report))
    verdict = verify(path)
    assert verdict.holds, verdict.lines()


def test_what_sums_lack_stands_at_their_head() -> None:
    """A job that still ran, and an import that broke: the sums were told as if they were whole."""

    def breaks() -> Iterator[Facts | Refused]:
        yield from read_dump(line(JobID="1"))
        raise InputError(Problem(key="", message="it breaks"))

    with memory() as ledger:
        with pytest.raises(InputError, match="it breaks"):
            take(ledger, cluster(), breaks(), source="slurm", name="half.txt")
        running = line(JobID="2", State="RUNNING", End="Unknown", ElapsedRaw="3600")
        imported(ledger, cluster(), line(JobID="1"), running)
        made = of_period(ledger, cluster(), "2026-10")
        mine = of_period(ledger, cluster(), "2026-10", accounts=["chemistry"])
        words = paragraph(attempts(ledger, "2"), "USD")
        whole = paragraph(attempts(ledger, "1"), "USD")
    runs = "1 job had not ended when last asked for: what was held until then is in the sums"
    assert made.limits == [
        made.reaching,
        runs,
        "an import has not come to its end, and what it would tell is missing: half.txt",
    ]
    assert mine.limits == [mine.reaching, runs]  # a file's name is the managers'
    said = plain(made)
    assert (said["jobs_not_ended"], said["imports_not_ended"]) == (1, ["half.txt"])
    assert runs in html(made)
    assert (
        "; it had not ended when last asked for, and this is what it came to until then." in words
    )
    assert "had not ended" not in whole


def test_a_budget_may_be_passed_where_the_range_reaches_below_it() -> None:
    """16 USD in the first five days: 10 of them are left of 26, and one job tells no pace."""
    text = (
        FLEET + "budgets: [{account: chemistry, cost: 20 USD}, {account: chemistry, period: year,\n"
        "  cost: 15 USD}]\n"
    )
    with memory() as ledger:
        imported(ledger, cluster(), line())
        month, year = budgets(of_period(ledger, cluster(text), "2026-10"))
    assert month[1].endswith("; may pass it at this pace")
    assert year[1].endswith("; OVER BUDGET")
