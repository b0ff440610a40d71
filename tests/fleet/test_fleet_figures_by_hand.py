"""A budget's forecast, a board's watts, what a report is read for, what a bound rests on."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from fleet_byhand import FLEET, cluster, imported, line, memory

from costcalc.base.assumption import Assumption, exact
from costcalc.fleet import bounding, budgets, job, kinds, summary
from costcalc.fleet.cluster import Partition
from costcalc.fleet.facts import Refused
from costcalc.fleet.importing import reports
from costcalc.fleet.metering import Reading
from costcalc.fleet.period import period
from costcalc.fleet.pricing import Pricing
from costcalc.fleet.scoping import Scope, scope_of
from costcalc.fleet.summary import ALSO, FIGURES, LOST
from costcalc.fleet.sums import Figure, Part
from costcalc.fleet.told import _group, _waste

DAY = 86_400.0

# --- budgets -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("figure", "known", "late", "left", "squares", "forecast"),
    [
        # 50 in 10 s, 10 s to come: 100; of late 2 a second: 50 + 20; its own ends double, too
        (Figure(50, 40, 60), 10, 2, 10, 0, Figure(100, 60, 120)),
        # of late 9 a second: 60 + 90 = 150 are more than the 120 of the upper end twice
        (Figure(50, 40, 60), 10, 9, 10, 0, Figure(100, 80, 150)),
        # half as long to come: 50 · 1.5, 40 + 5 and 60 · 1.5
        (Figure(50, 40, 60), 10, 1, 5, 0, Figure(75, 45, 90)),
        # four jobs of 10, as long again: ± 1.64485 · sqrt(400 · 1 · 2) = 46.523; what is used stays
        (Figure(40, 40, 40), 10, 4, 10, 400, Figure(80, 40, pytest.approx(126.523, abs=1e-3))),
        # twice as long: sqrt(400 · 2 · 3) · 1.64485 = 80.581
        (Figure(40, 40, 40), 10, 4, 20, 400, Figure(120, 40, pytest.approx(200.581, abs=1e-3))),
        (Figure(50, 40, 60, 3), 10, 2, 0, 0, Figure(50, 40, 60, 3)),  # it is over
        (Figure(0, 0, 0), 10, 2, 10, 0, Figure(0, 0, 20)),
        (Figure(50, 40, 60), 0, 2, 10, 0, None),  # nothing of it is known: no pace
    ],
)
def test_what_a_budget_comes_to(
    figure: Figure, known: float, late: float, left: float, squares: float, forecast: Figure | None
) -> None:
    pace = budgets._Pace(within=figure.value, squares=squares, known=known, late=late)
    assert budgets._forecast(figure, pace, left) == forecast


def test_a_pace_is_of_what_was_within() -> None:
    # 50 used, 20 of them in the 10 s that are known: 50 + 20 for 10 s more; of late 50 + 2 x 10
    pace = budgets._Pace(within=20.0, squares=0.0, known=10.0, late=2.0)
    assert budgets._forecast(Figure(50, 50, 50), pace, 10) == Figure(70, 70, 70)


def test_the_pace_of_late_is_of_the_last_seven_days() -> None:
    october = period("2026-10")
    end = datetime(2026, 10, 5, 12, tzinfo=UTC).timestamp()  # when the job ended
    with memory() as ledger:
        utc = cluster(FLEET.replace("Europe/Berlin", "UTC"))
        imported(ledger, utc, line(JobID="1"), line(JobID="2", Account="history"))

        def late(account: str | None, now: float, name: str = "cost") -> float:
            some = None if account is None else (account,)
            found = budgets._late(ledger, now, october, some)
            return sum(one[name] for one in found.values())

        # two jobs of 4 devices for 2 h at 2 USD: 16 USD each, in 4.5 days since the month began
        assert late(None, end) == pytest.approx(32 / (4.5 * DAY))
        assert late("history", end) == pytest.approx(16 / (4.5 * DAY))
        assert late("history", end, "device_hours") == pytest.approx(8 / (4.5 * DAY))
        # seven days of it at the most; of jobs of two hours the last half an hour is in them
        assert late(None, end + 6.5 * DAY) == pytest.approx(32 / (7 * DAY))
        assert late(None, end + 7 * DAY - 1800) == pytest.approx(32 / 4 / (7 * DAY))
        assert late(None, end + 7 * DAY) == 0.0
        assert late(None, end - 1) == 0.0
        assert late(None, october.start) == 0.0


def test_a_share_is_of_the_budget() -> None:
    used = budgets.Used(
        account=None, period="2026", of="cost", unit="USD", budget=80.0, elapsed=0.5,
        used=Figure(20.0, 20.0, 20.0), forecast=Figure(40.0, 40.0, 40.0),
    )  # fmt: skip
    assert used.share == 0.25


# --- kinds ---------------------------------------------------------------------------------------


def kind(scope: str | None = "node", basis: str = "profile", **values: float) -> kinds.Kind:
    known: dict[str, Assumption] = {
        name: exact(name, value, "W", basis=basis, source="x")  # type: ignore[arg-type]
        for name, value in values.items()
    }
    return kinds.Kind(digest="", run={}, known=known, scope=scope, hourly=False)  # type: ignore[arg-type]


def test_a_boards_watts_are_without_the_host() -> None:
    seconds = np.array([100.0])

    def watts(made: kinds.Kind, each: float) -> Any:
        found = made.board_watts(seconds, 100.0 * np.array([each]))
        return None if found is None else float(found[0])

    host = {"host_power": 100.0, "idle_power": 60.0, "billed": 1.5, "network_share": 0.25}
    # 1,000 W a device: less a quarter more for the network 800 W, less 1.5 hosts of 100 W, less
    # half a device that idles
    assert watts(kind(**host), 1000.0) == pytest.approx(1000 / 1.25 - 150 - 30)
    assert watts(kind(**host), 250.0) == 60.0  # 20 W are left: no less than when idle
    assert watts(kind(**host), 50.0) == 50.0  # but no more than was metered
    assert watts(kind("boards"), 700.0) == 700.0
    assert watts(kind(host_power=1.0), 700.0) is None


def test_how_far_a_board_is_from_idle_to_training() -> None:
    made = kind(idle_power=100.0, board_power=500.0)
    found = made.utilization(np.array([50.0, 100.0, 200.0, 500.0, 600.0]))
    assert found is not None
    assert found.tolist() == [0.0, 0.0, 0.25, 1.0, 1.0]
    assert kind(idle_power=100.0).utilization(np.array([1.0])) is None
    assert kind(board_power=100.0).utilization(np.array([1.0])) is None
    given = kind(basis="given", idle_power=100.0, board_power=500.0)
    assert given.utilization(np.array([1.0])) is None  # what it draws is not the user's to say


# --- what a report is read for -------------------------------------------------------------------


def report(**more: Any) -> dict[str, Any]:
    return {
        "details": {"tracking": {"job": "slurm:7"}},
        "results": {"wall_clock": {"value": 2.0}, "device_hours": {"value": 8.0},
                    "energy_it": {"value": 3.0, "basis": "measured"}},
        "run": {"model": {"preset": "org/small/"}, "hardware": {"accelerator": "h100"}},
        "measurement": {"gaps": 0.25},
        **more,
    }  # fmt: skip


def read(**more: Any) -> Reading | Refused:
    return reports._reading(report(**more), "a.yaml", 10_000.0)


def test_what_a_report_says_of_a_job() -> None:
    found = read()
    assert isinstance(found, Reading)
    assert (found.source, found.job, found.seconds, found.coverage) == ("report", "7", 7200.0, 0.75)
    assert (found.scope, found.joules, found.meter) == ("node", 3 * 3.6e6, "costcalc track")
    one = found.alone
    assert one is not None
    assert (one.start, one.end, one.seconds) == (10_000 - 7200, 10_000, 7200)
    assert (one.devices, one.kinds, one.model, one.state) == (4, ("h100",), "small", "completed")
    unmetered = read(results={"wall_clock": {"value": 2.0}, "energy_it": {"value": 3.0}})
    assert isinstance(unmetered, Reading)
    assert unmetered.alone is not None
    assert (unmetered.joules, unmetered.meter) == (None, "costcalc track (slurm)")
    assert unmetered.alone.devices is None
    named = read(details={"tracking": {"job": "mine"}}, measurement=None)
    assert isinstance(named, Reading)
    assert (named.job, named.coverage) == ("mine", 1.0)


def test_what_a_report_has_to_say() -> None:
    for more, why in (
        ({"details": None}, "no report of costcalc track"),
        ({"details": {"tracking": {"job": ""}}}, "no report of costcalc track"),
        ({"results": {}}, "it says no time"),
        ({"results": {"wall_clock": {"value": "2"}}}, "it says no time"),
    ):
        found = read(**more)
        assert isinstance(found, Refused)
        assert found.why == (
            why if more != {"details": {"tracking": {"job": ""}}} else
            "it names no job (costcalc track --identify does), and would be counted beside the "
            "scheduler's row of it"
        )  # fmt: skip


@pytest.mark.parametrize(
    ("measured", "modelled", "boards"),
    [(2.0, 2.0, True), (2.0, 2.1, False), (4.0, 0.0, True), (0.0, 4.0, False), (0.0, 0.0, False)],
)
def test_boards_count_as_metered_where_meters_saw_half(
    measured: float, modelled: float, boards: bool
) -> None:
    parts = [
        {"component": "device", "energy": measured, "basis": "measured", "meter": "nvml"},
        {"component": "device", "energy": modelled, "basis": "modelled"},
        {"component": "host", "energy": 9.0, "basis": "measured", "meter": "rapl"},
    ]
    found = reports._metered(report(measurement={"components": parts}))
    of_node = (3 * 3.6e6, "node", "costcalc track")
    whole = ((measured + modelled) * 3.6e6, "boards", "costcalc track: nvml")
    assert found == (whole if boards else of_node)


@pytest.mark.parametrize(
    ("more", "name"),
    [
        ({"run": {"model": {"config": "models/mine"}}}, "mine"),
        ({"run": {"model": "x"}, "subject": {"models": ["a", "b"]}}, "a"),
        ({"run": None, "subject": None}, None),
        ({"run": {"model": {"preset": "x" * 120}}}, "x" * 100),
        ({"run": None, "subject": {"models": ["y" * 120]}}, "y" * 100),
    ],
)
def test_the_model_of_a_report(more: dict[str, Any], name: str | None) -> None:
    assert reports._model(report(**more)) == name


# --- what a bound rests on -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cpus", "cores", "nodes", "of_node", "threads", "most"),
    [
        # 5 tasks of 3 processors: whole cores of two are 4 each, 20 in all
        ((5, 3, 0), False, 1, None, 2, 20.0),
        ((5, 3, 0), True, 1, None, 2, 5 * 3 * 2),  # each a core of its own
        ((1, 1, 7), False, 3, None, 2, 3 * 8),  # 7 of each of three nodes are 8
        ((5, 3, 0), False, 1, 16, 2, 16.0),  # no more than its nodes have
        ((5, 3, 0), False, 2, 16, 2, 20.0),
        ((4, 3, 0), False, 1, None, 1, 12.0),
        (None, False, 2, 16, 1, 32.0),
        (None, False, 2, None, 1, None),
    ],
)
def test_the_most_processors(
    cpus: Any, cores: bool, nodes: int, of_node: int | None, threads: int, most: float | None
) -> None:
    asked: Any = SimpleNamespace(cpus=cpus, cores=cores, nodes=nodes)
    partition = Partition.model_construct(cpus=of_node, threads=threads)
    assert bounding._processors(asked, partition) == most


def test_a_job_may_wait_for_the_month_of_the_highest_pue() -> None:
    made = Pricing(cluster("timezone: UTC\npue: {2026-07: 1.9, 2026-11: 1.3, 2026-12: 1.5}\n"))
    october = datetime(2026, 10, 5, tzinfo=UTC).timestamp()
    facts: Any = SimpleNamespace(start=october)
    december = datetime(2026, 12, 15, 12, tzinfo=UTC).timestamp()
    assert bounding._moments(made, facts) == [october, december]
    facts.start = december  # no later month is known, and July is over
    assert bounding._moments(made, facts) == [december]
    facts.start = None  # 1970
    assert bounding._moments(made, facts)[0] == 0.0


def test_where_a_job_may_run() -> None:
    text = "partitions: {a: {accelerator: h100-sxm5-80}, b: {per_node: 4}, c: {cpus: 64}, d: {}}\n"
    made = Pricing(cluster(text))

    def where(partitions: tuple[str, ...], tres: str) -> Any:
        asked: Any = SimpleNamespace(partitions=partitions, tres=tres)
        return bounding._partitions(made, asked)

    assert where((), "cpu=4") == ("a", "b", "c", "d")
    assert where((), "gres/gpu=4") == ("a", "b", "d")  # c has processors alone
    assert where(("c", "new"), "gres/gpu=4") == ("new",)
    assert where(("c",), "gres/gpu=4") == ("c",)  # as it is said
    assert bounding._partitions(Pricing(cluster("name: x\n")), SimpleNamespace(  # type: ignore[arg-type]
        partitions=(), tres="")) == (None,)  # fmt: skip


# --- who sees what, and what a job is told -------------------------------------------------------


def test_who_sees_which_accounts() -> None:
    def of(user: str | None, access: str = "", privacy: str = "") -> Scope:
        here = cluster(f"{FLEET}access: {{sees: own{access}}}\n{privacy}")
        with memory() as ledger:
            bo = line(JobID="2", User="bo", Account="b")
            own = line(JobID="3", User="anna", Account="a")
            imported(ledger, here, line(JobID="1"), bo, own, line(JobID="4", Account=""))
            return scope_of(ledger, here, user)

    assert of(None).accounts is None  # who has the server's token
    assert of("anna", ", managers: [anna]").accounts is None
    assert of("anna", ", accounts: {anna: [x, y]}").accounts == ("x", "y")
    assert of("anna").accounts == ("a", "chemistry")
    assert of("bo").accounts == ("b",)
    assert of("cy").accounts == ()
    assert of("anna", privacy="privacy: {users: hash}\n").accounts == ("a", "chemistry")
    assert of("anna", privacy="privacy: {users: drop}\n").accounts == ()
    everybody = cluster(FLEET + "access: {sees: all}\n")
    with memory() as ledger:
        assert scope_of(ledger, everybody, "bo") == Scope(user="bo", accounts=None)
    some = Scope(user="bo", accounts=("b",))
    assert (some.sees("b"), some.sees("a"), some.sees(None)) == (True, False, False)
    assert Scope(user=None, accounts=None).sees(None)


def row(**more: Any) -> Any:
    return {
        "mean_power": 300.0,
        "device_hours": 8.0,
        "device": "h100-sxm5-80",
        "part": None,
        "scope": "boards",
        "metered": 2.4,
        "kind": 1,
        **more,
    }


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        # 300 W for 8 and 600 W for 4 device-hours are 400 W, of a rating of 700 W
        ([row(), row(mean_power=600.0, device_hours=4.0)],
         " It drew 57 % of its boards' rating (400 W a device)."),
        ([row()], " It drew 43 % of its boards' rating (300 W a device): was it waiting for data?"),
        ([row(mean_power=350.0)], " It drew 50 % of its boards' rating (350 W a device)."),
        ([row(), row(device="a100-sxm4-80")], " Their boards drew 300 W in the mean."),
        ([row(device="nobody's")], " Its boards drew 300 W in the mean."),
        ([row(mean_power=None)], " No meter saw its power."),
        ([row(device_hours=None)], " No meter saw its power."),
        ([row(mean_power=None, part=0.5)],
         " It has its devices' part of its nodes' meter; what its own boards drew is not known."),
        # of a node's meter: 4.4 kWh in 8 device-hours are 550 W, 250 of them a host's; with 120 W
        # less of a host 420 and 320 of 700 W are 60 and 46 %
        ([row(scope="node", metered=4.4, mean_power=300.0)],
         " It drew about 43 % of its boards' rating (300 W a device, with 250 W of host a device "
         "assumed)."),
        ([row(scope="node", metered=3.6, mean_power=200.0)],
         " It drew about 29 % of its boards' rating (200 W a device, with 250 W of host a device "
         "assumed): was it waiting for data?"),
        ([row(scope="node", metered=4.4, device="nobody's")],
         " Its boards drew about 300 W in the mean, with 250 W of host a device assumed."),
    ],
)  # fmt: skip
def test_how_far_boards_were_used(rows: Any, said: str) -> None:
    assert job._power(rows, {1: 120.0}) == said


# --- sums ----------------------------------------------------------------------------------------


def test_a_part_of_a_group_in_figures() -> None:
    beside = ("carbon_annual", "carbon_market", "trained", "seen")
    names = dict.fromkeys((*FIGURES, *ALSO, *LOST, *beside))
    counts = {f"n_{name}": 0 for name in (*FIGURES, *LOST, "device_hours")}
    sums: Any = {**names, **counts, "energy": 6.0, "n_energy": 3, "energy_it": 5.0, "seen": 8.0,
                 "metered": 4.0, "trained": 2.0, "n_device_hours": 3}  # fmt: skip
    part = Part(group=("a",), kind=1, state="failed", jobs=4, hours=12.0, sums=sums)
    made = summary._as_group(part, "node")
    assert (made.jobs, made.device_hours, made.hours_unknown) == (4, 12.0, 1)
    assert made.figures["energy"] == Figure(6.0, 6.0, 6.0, 1)
    assert made.figures["cost"] == Figure(0.0, 0.0, 0.0, 4)  # known of none
    # 4 of the computers' 5 kWh: the meter was of boards alone
    assert (made.measured, made.seen, made.trained, made.utilization) == (4.0, 8.0, 2.0, 0.25)
    assert summary._as_group(part, None).measured == 0.0
    lost = made.waste["failed"]
    assert (lost["jobs"], lost["device_hours"], lost["energy"]) == (4, 12.0, 6.0)
    assert (lost["energy_jobs_unknown"], lost["cost_jobs_unknown"]) == (1, 4)
    fine = Part(group=("a",), kind=1, state="completed", jobs=4, hours=12.0, sums=sums)
    assert summary._as_group(fine, "node").waste == {}
    # of a sum of which nothing is known there is no value
    told = _waste(made)["failed"]
    assert (told["energy"], told["cost"]) == (6.0, None)
    month: Any = SimpleNamespace(currency="USD")
    plain = _group(made, None, month)
    assert plain["waste"]["idle allocation"] == {"device_hours": 8.0 - 2.0}  # type: ignore[index]
    assert plain["energy"] == {
        "value": 6.0, "low": 6.0, "high": 6.0, "unit": "kWh", "jobs_unknown": 1,
    }  # fmt: skip
    assert plain["cost"]["value"] is None  # type: ignore[index]
    assert plain["cost"]["unit"] == "USD"  # type: ignore[index]
    assert (plain["measured_share"], plain["idle_energy"]) == (4.0 / 5.0, None)
