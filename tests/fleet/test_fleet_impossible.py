"""Meters that cannot be right are refused and named: too low as well as too high, wherever from."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pytest
from fleet_byhand import FLEET, cluster, imported, line, memory, rows, told

from costcalc.fleet import by_prometheus
from costcalc.fleet.checking import check
from costcalc.fleet.holding import Holdings
from costcalc.fleet.ledger import Ledger
from costcalc.fleet.metering import Reading, read_meters
from costcalc.fleet.taking import Taken


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    with memory() as made:
        yield made


TEXT = """
partitions:
  gpu: {accelerator: a100-sxm4-80, per_node: 4, nodes: 4, cpus: 64, plugin: exclusive}
  shared: {accelerator: a100-sxm4-80, per_node: 4, nodes: 4, cpus: 64}
  amd: {accelerator: mi300x, per_node: 8, plugin: exclusive}
  cpu: {cpus: 64, cpu_hour: 0.02 USD}
  bare: {}
site: {region: DE, pue: 1.2, grid: 350 gCO2e/kWh}
price: {device_hour: 2 USD}
"""
OF = cluster(TEXT)
IDLE = " says less than a100-sxm4-80 draws when idle (52 W): taken as unknown"
START, HOUR = 1_791_194_400.0, 3_600.0  # 2026-10-05T10:00 UTC
HELD = {"AllocTRES": "cpu=64,gres/gpu=4,node=1", "NCPUS": "64"}


def ten_hours(joules: float, **cells: str) -> str:
    return line(**{
        **HELD, "Start": "2026-10-05T10:00:00", "End": "2026-10-05T20:00:00", "ElapsedRaw": "36000",
        "ConsumedEnergyRaw": f"{joules:.0f}", **cells,
    })  # fmt: skip


# --- Slurm's plugin ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("joules", "metered"),
    [
        (36_000, None),  # 0.25 W a board
        (6_739_000, None),  # 0.9 x 52 W x 4 boards x 36 000 s are 6 739 200 J
        (21_319_000, None),  # and 112.5 W of the host for each, 900 W of eight: 21 319 200 J
        (21_320_000, 21.32 / 3.6),
        (72_000_000, 20.0),
        (2_880_000_001, None),  # 20 kW x 4 x 36 000 s
    ],
)
def test_a_plugin_is_held_to_what_is_held(
    ledger: Ledger, joules: float, metered: float | None
) -> None:
    imported(ledger, OF, ten_hours(joules))
    (row,) = rows(ledger)
    assert row.metered == (None if metered is None else pytest.approx(metered))
    low = f"Slurm's energy plugin{IDLE}"
    high = "the energy counter wrapped: more than any node draws"
    part = (
        "Slurm's energy plugin says 148 W a device, less than a100-sxm4-80 draws when idle with "
        "its share of the host (164 W): a meter of a part of the node? taken as unknown"
    )
    assert row.why == (None if metered else low if joules < 1e7 else part if joules < 1e9 else high)
    assert row.energy_it > 0.1  # by the model, where no meter is
    found = [one for one in check(ledger).found if one.what == "unmetered"]
    assert len(found) == (metered is None)


def test_what_a_host_leaves_its_boards_is_no_less_than_they_draw_when_idle(ledger: Ledger) -> None:
    """Of 200 W a device 187.5 modelled for the host leave 12.5 W; an idle board draws 56."""
    imported(ledger, OF, ten_hours(28_800_000, JobID="1"), ten_hours(57_600_000, JobID="2"))
    low, more = rows(ledger)
    assert (low.metered, low.mean_power) == (pytest.approx(8.0), pytest.approx(56.0))
    assert more.mean_power == pytest.approx(400 - 187.5)


def test_the_host_that_fleet_yaml_says_is_the_one_that_counts(ledger: Ledger) -> None:
    """60 W a device are more than 52 and 1.25, of 5 W of a node of four; less than 52 and 112.5."""
    of = cluster(
        TEXT.replace("plugin: exclusive}", "plugin: exclusive, hardware: {host_power: 5 W}}", 1)
    )
    imported(ledger, of, ten_hours(8_640_000))
    (row,) = rows(ledger)
    assert (row.metered, row.mean_power) == (pytest.approx(2.4), pytest.approx(58.75))


def test_a_part_of_a_node_is_held_to_its_part(ledger: Ledger) -> None:
    """A quarter of the node's 5.04 MJ over 10 h is 35 W, and of 28.8 MJ 200 W, for one board."""
    one = {"AllocTRES": "cpu=16,gres/gpu=1,node=1", "Partition": "shared"}
    imported(
        ledger, OF, ten_hours(5_040_000, JobID="1", **one), ten_hours(28_800_000, JobID="2", **one)
    )
    low, enough = rows(ledger)
    assert (low.metered, low.part) == (None, None)
    assert enough.metered == pytest.approx(2.0)


def test_of_a_board_whose_idle_draw_nobody_measured_a_share_of_its_rating(ledger: Ledger) -> None:
    """0.033 x 750 W, less a tenth, are 22.3 W: of 4 boards for 10 h 3.2 MJ.

    With 162.5 W of the host for each, 1,300 W of eight, they are 168.5 W: 24.27 MJ.
    """
    imported(
        ledger, OF,
        ten_hours(3_200_000, JobID="1", Partition="amd", AllocTRES="gres/gpu=4,node=1"),
        ten_hours(24_300_000, JobID="2", Partition="amd", AllocTRES="gres/gpu=4,node=1"),
    )  # fmt: skip
    low, enough = rows(ledger)
    assert low.why.startswith(
        "Slurm's energy plugin says less than mi300x draws when idle (24.8 W): taken as unknown"
    )
    assert enough.metered == pytest.approx(24.3 / 3.6)


def test_no_profile_idles_below_the_share_that_stands_in() -> None:
    from costcalc.catalog import accelerator
    from costcalc.fleet.holding import LEAST_IDLE

    shares = [
        (one.idle_power.si_low or one.idle_power.si) / one.board_power.si
        for one in accelerator.all_accelerators(cpus=False)
        if one.idle_power and one.board_power and "wall" not in (one.idle_power.note or "")
    ]
    assert len(shares) > 20
    assert LEAST_IDLE <= min(shares) < 0.034


def test_a_whole_machine_at_the_wall_says_nothing_of_a_board() -> None:
    assert Holdings(OF).idle("m1-max") != 11.0
    assert Holdings(OF).idle("a100-sxm4-80") == 52.0
    assert Holdings(OF).idle(None) is None


def test_what_is_imported_again_loses_a_meter_that_was_believed(ledger: Ledger) -> None:
    """An earlier version took 10 Wh for 40 device-hours; its row is superseded."""
    from sqlalchemy import update

    from costcalc.fleet.tables import jobs

    imported(ledger, OF, ten_hours(72_000_000))
    with ledger.writing() as connection:
        connection.execute(update(jobs).values(metered=0.01, digest="of another version"))
    imported(ledger, OF, ten_hours(36_000))
    (row,) = rows(ledger)
    assert (row.meter, row.metered) == (None, None)


# --- jobs without devices ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("partition", "cpus", "metered", "why"),
    [
        ("cpu", 16, 5.0, None),  # a quarter of 20 kWh
        ("gpu", 16, 20.0, None),  # each job has its nodes to itself
        ("shared", 64, 20.0, None),  # all processors of the node: nobody is beside it
        ("shared", 16, None,
         "no accelerator, and its nodes' meter has their devices in it, which it did not hold: "
         "neither its power nor price is known"),
        ("bare", 16, None,
         "no accelerator, and its nodes' meter may have other jobs in it: give "
         "partitions.NAME.cpus, or plugin: neither its power nor price is known"),
    ],
)  # fmt: skip
def test_a_job_without_devices_and_its_nodes_meter(
    ledger: Ledger, partition: str, cpus: int, metered: float | None, why: str | None
) -> None:
    tres = f"cpu={cpus},node=1"
    row = ten_hours(72_000_000, Partition=partition, AllocTRES=tres, NCPUS=str(cpus))
    imported(ledger, OF, row)
    (made,) = rows(ledger)
    assert made.metered == (None if metered is None else pytest.approx(metered))
    assert made.meter == (None if metered is None else "Slurm's energy plugin")
    if why:
        assert made.why == why
    else:
        assert "no meter" not in (made.why or "")
        assert made.energy == pytest.approx(metered and 1.2 * metered)


# --- what a tracker says -------------------------------------------------------------------------


@pytest.mark.parametrize(("watts", "believed"), [(5.0, False), (40.0, False), (60.0, True)])
def test_a_report_is_held_to_it_too(ledger: Ledger, watts: float, believed: bool) -> None:
    imported(ledger, OF, ten_hours(0))
    told = Reading(
        source="report", cluster="", job="1", meter="costcalc track: NVML", scope="boards",
        joules=4 * watts * 36_000, seconds=36_000.0,
    )  # fmt: skip
    read_meters(ledger, OF, iter([told]), source="reports", name="x")
    (row,) = rows(ledger)
    assert (row.meter is not None) == believed
    assert believed or row.why == (f"costcalc track: NVML{IDLE}")


def test_a_meter_that_cannot_be_right_hides_none_that_can(ledger: Ledger) -> None:
    """20 kWh by Slurm's plugin; then a report of 5 W a board, and a Prometheus of 300 W: 12 kWh."""

    def told(source: str, meter: str, watts: float) -> None:
        one = Reading(
            source=source, cluster="c", job="1", meter=meter, scope="boards",
            joules=4 * watts * 36_000, seconds=36_000.0,
        )  # fmt: skip
        read_meters(ledger, OF, iter([one]), source=source, name="x")

    job = ten_hours(72_000_000)
    imported(ledger, OF, job)
    told("report", "costcalc track: NVML", 5.0)
    for _ in range(2):
        (row,) = rows(ledger)
        assert (row.meter, row.metered) == ("Slurm's energy plugin", pytest.approx(20.0))
        assert row.why == f"costcalc track: NVML{IDLE}"
        imported(ledger, OF, job)
    told("prometheus", "DCGM", 300.0)
    (row,) = rows(ledger)
    assert (row.meter, row.metered) == ("DCGM", pytest.approx(12.0))
    told("report", "costcalc track: NVML", 310.0)  # and one that can takes its place
    (row,) = rows(ledger)
    assert (row.meter, row.metered) == ("costcalc track: NVML", pytest.approx(12.4))
    assert row.why is None


# --- a Prometheus --------------------------------------------------------------------------------

Watts = Callable[[float], float]
DCGM, TOTAL = "DCGM_FI_DEV_POWER_USAGE", "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION"
IPMI = "ipmi_dcmi_power_consumption_watts"


class Fake:
    """Answers as a Prometheus does: series by name, node and board, each a function of time."""

    shown = "http://fake"

    def __init__(self, series: Mapping[tuple[str, str, str], Watts]) -> None:
        self.series = series

    def names(self) -> set[str]:
        return {name for name, _, _ in self.series}

    def ask(self, path: str, **values: Any) -> Any:
        query, result = values["query"], []
        times = np.arange(values["start"], values["end"] + 1, values["step"])
        for (name, node, board), watts in self.series.items():
            if not query.startswith(f"{name}{{") or "hpc_job" in query:
                continue
            if not re.search(rf"\({node}\)", query):
                continue
            labels = {"Hostname": node, "instance": node, "UUID": board}
            inside = [t for t in times if START <= t <= START + 10 * HOUR]
            points = [[float(t), str(watts(t))] for t in inside]
            result.append({"metric": labels, "values": points})
        return {"result": result}


def metered(ledger: Ledger, series: Mapping[tuple[str, str, str], Watts]) -> Taken:
    return by_prometheus.from_prometheus(ledger, OF, Fake(series), None)  # type: ignore[arg-type]


def boards(of: str, *watts: Watts) -> dict[tuple[str, str, str], Watts]:
    return {(of, "gpu01", f"GPU-{n}"): one for n, one in enumerate(watts)}


def full(_: float) -> float:
    return 350.0


def nothing(_: float) -> float:
    return 0.0


def every_other(at: float) -> float:
    return 400.0 if round((at - START) / 15) % 2 else 0.0


def now_and_then(at: float) -> float:
    return 0.0 if round((at - START) / 15) % 60 == 30 else 400.0


@pytest.mark.parametrize(
    ("last", "why"),
    [
        (nothing, "covers 0 % of its time; 2401 of 9604 samples say 0 W"),
        (every_other, "covers 0 % of its time; 1201 of 9604 samples say 0 W"),
        (lambda _: 20.0, "a board says 20 W, less than one draws when idle (52 W)"),
        (lambda _: 46.0, "a board says 46 W, less than one draws when idle (52 W)"),
        (lambda _: -5.0, "covers 0 % of its time; 2401 of 9604 samples say 0 W"),
        (lambda _: 30_000.0 * 4, "more watts than any device draws"),
    ],
)
def test_one_board_of_four_that_cannot_be_right(ledger: Ledger, last: Watts, why: str) -> None:
    """Ten hours of a sample each 15 s are 2 401 of each of four boards."""
    imported(ledger, OF, ten_hours(0))
    taken = metered(ledger, boards(DCGM, full, full, full, last))
    assert [one.why for one in taken.shown] == [f"{DCGM} by node: {why}"]
    assert [row.metered for row in rows(ledger)] == [None]


def test_a_check_says_why_a_series_was_refused(ledger: Ledger) -> None:
    imported(ledger, OF, ten_hours(0))
    metered(ledger, boards(DCGM, *[nothing] * 4))
    (job,) = [row.job for row in rows(ledger)]
    why = f"no meter of job {job}: Prometheus: {DCGM} by node: says 0 J, which no board draws"
    assert why in check(ledger).lines()
    metered(ledger, boards(DCGM, *[full] * 4))  # and no more when another is right
    assert not any("Prometheus" in one for one in check(ledger).lines())


def test_all_boards_at_nothing(ledger: Ledger) -> None:
    imported(ledger, OF, ten_hours(0))
    taken = metered(ledger, boards(DCGM, *[nothing] * 4))
    assert [one.why for one in taken.shown] == [f"{DCGM} by node: says 0 J, which no board draws"]


def test_single_samples_of_nothing_are_gaps(ledger: Ledger) -> None:
    """One of sixty: of 400 W x 10 h x 4 nothing is lost, for the rest tells of them."""
    imported(ledger, OF, ten_hours(0))
    metered(ledger, boards(DCGM, *[now_and_then] * 4))
    assert [row.metered for row in rows(ledger)] == [pytest.approx(16.0)]


def counter(watts: float, lost: bool = False) -> Watts:
    def joules(at: float) -> float:
        at_nothing = lost and round((at - START) / 15) % 2
        return 0.0 if at_nothing else 1e9 + watts * (at - START) * 1e3

    return joules


def test_a_counter_that_comes_and_goes_is_no_energy(ledger: Ledger) -> None:
    """From 0 to 1 MJ in 15 s would be 67 kW, each time that it comes back."""
    imported(ledger, OF, ten_hours(0))
    taken = metered(ledger, boards(TOTAL, *[counter(350.0, lost=True)] * 4))
    assert [one.why for one in taken.shown] == [f"{TOTAL} by node: covers 0 % of its time"]
    assert [row.metered for row in rows(ledger)] == [None]
    metered(ledger, boards(TOTAL, *[counter(350.0)] * 4))
    assert [row.metered for row in rows(ledger)] == [pytest.approx(14.0)]


def test_a_counter_that_stands(ledger: Ledger) -> None:
    imported(ledger, OF, ten_hours(0))
    taken = metered(ledger, boards(TOTAL, *[counter(350.0)] * 3, counter(0.0)))
    assert [one.why for one in taken.shown] == [
        f"{TOTAL} by node: a board says 0 W, less than one draws when idle (52 W)"
    ]


# --- nodes ---------------------------------------------------------------------------------------

SHARED = {"Partition": "shared"}


def test_a_node_below_its_boards_is_not_believed(ledger: Ledger) -> None:
    """Boards of 4 x 350 W are 14 kWh in 10 h; the node says 1 kW, 10 kWh: the boards are kept."""
    imported(ledger, OF, ten_hours(0))
    series = boards(DCGM, *[full] * 4) | {(IPMI, "gpu01", ""): lambda _: 1_000.0}
    for _ in range(2):
        taken = metered(ledger, series)
        assert [one.why for one in taken.shown] == [
            f"{IPMI} says 10.0 kWh of its nodes, and their boards 14.0 kWh: a node draws no less "
            "than its boards, whose meter is kept"
        ]
        (row,) = rows(ledger)
        assert (row.metered, row.scope) == (pytest.approx(14.0), "boards")
        assert row.meter == f"{DCGM} (Prometheus, by node)"
        assert check(ledger).nodes == ""  # and its days are not counted


def test_two_jobs_whose_boards_together_are_above_their_node(ledger: Ledger) -> None:
    """Half of the boards each: 7 kWh of 10 that the node says, and 14 together."""
    half = {**SHARED, "AllocTRES": "gres/gpu=2,node=1"}
    imported(
        ledger, OF, ten_hours(0, JobID="1", **half), ten_hours(0, JobID="2", **half),
        line(JobID="3", Partition="shared", AllocTRES="gres/gpu=1,node=1"),
    )  # fmt: skip
    told = [
        Reading(
            source="report", cluster="", job=job, meter="costcalc track: NVML", scope="boards",
            joules=2 * 350 * 36_000.0, seconds=36_000.0,
        )
        for job in ("1", "2")
    ]  # fmt: skip
    read_meters(ledger, OF, iter(told), source="reports", name="x")
    taken = metered(ledger, {(IPMI, "gpu01", ""): lambda _: 1_000.0})
    said = (
        f"{IPMI} says 10.0 kWh of its nodes, and their boards 14.0 kWh: a node draws no less than "
        "its boards, whose meter is kept"
    )
    assert sorted((one.row, one.why) for one in taken.shown) == [
        ("1", said), ("2", said),
        ("3", "its nodes' meter says less than the boards of job 1 drew"),
    ]  # fmt: skip
    found = sorted(rows(ledger), key=lambda row: row.job)
    assert [row.metered for row in found] == [pytest.approx(7.0), pytest.approx(7.0), None]


def test_a_node_that_is_a_little_below_its_boards_has_the_word(ledger: Ledger) -> None:
    """13 of 14 kWh, as meters of 5 % each may differ: no more than the node says."""
    imported(ledger, OF, ten_hours(0))
    series = boards(DCGM, *[full] * 4) | {(IPMI, "gpu01", ""): lambda _: 1_300.0}
    assert metered(ledger, series).refused == 0
    (row,) = rows(ledger)
    assert (row.scope, row.metered) == ("node", pytest.approx(13.0, rel=0.01))


def test_a_node_below_its_idle_boards_is_not_believed(ledger: Ledger) -> None:
    """4 x (52 + 112.5) W are 658 W, and 592 after a tenth; it says 590."""
    imported(ledger, OF, ten_hours(0))
    taken = metered(ledger, {(IPMI, "gpu01", ""): lambda _: 590.0})
    assert [(one.row, one.why) for one in taken.shown] == [
        ("gpu01, 2026-10-05",
         f"{IPMI} says 590 W, less than its 4 boards and their host draw when idle (658 W)"),
        ("1", "its nodes' meters cover 0 % of its time"),
    ]  # fmt: skip
    assert check(ledger).nodes == ""


def test_what_is_left_of_a_node_for_a_job_is_no_less_than_idle(ledger: Ledger) -> None:
    """A job's boards draw 350 W x 2 of the node's 800; the other's two have 50 each of what is
    left, and 400 modelled for the host leave them nothing."""
    half = {**SHARED, "AllocTRES": "gres/gpu=2,node=1"}
    imported(ledger, OF, ten_hours(0, JobID="1", **half), ten_hours(0, JobID="2", **half))
    told = Reading(
        source="report", cluster="", job="1", meter="costcalc track: NVML", scope="boards",
        joules=2 * 350 * 36_000.0, seconds=36_000.0,
    )  # fmt: skip
    read_meters(ledger, OF, iter([told]), source="reports", name="x")
    taken = metered(ledger, {(IPMI, "gpu01", ""): lambda _: 800.0})
    (refused,) = [one for one in taken.shown if one.row == "2"]
    assert refused.why == (
        "its nodes' meters leave 0 W to each of its devices, less than one draws when idle with "
        "its share of the host (164 W)"
    )


def test_samples_of_nothing_are_gaps_of_a_nodes_meter(ledger: Ledger) -> None:
    """By the minute every other sample is 0: no step has both its ends."""
    imported(ledger, OF, ten_hours(0))
    taken = metered(
        ledger, {(IPMI, "gpu01", ""): lambda at: 2_000.0 * (round((at - START) / 60) % 2)}
    )
    assert [one.why for one in taken.shown] == ["its nodes' meters cover 0 % of its time"]


def test_fleet_by_hand_is_not_touched_by_it(ledger: Ledger) -> None:
    """625 W a board."""
    imported(ledger, cluster(FLEET), line(ConsumedEnergyRaw="18000000"))
    assert [row.metered for row in rows(ledger)] == [pytest.approx(5.0)]


@pytest.mark.parametrize(
    ("kind", "devices", "board"),
    [
        ("a100_1g.5gb", {}, "a100-sxm4-40"),
        ("nvidia_a100-sxm4-40gb_mig_3g.20gb", {}, "a100-sxm4-40"),
        ("nvidia_h100_80gb_hbm3", {}, "h100-sxm5-80"),  # was "nvidia", which is no device
        ("a100_1g.5gb", {"a100": "a100-pcie-40"}, "a100-pcie-40"),
        ("nvidia_a100_1g.5gb", {"nvidia_a100": "a100-pcie-40"}, "a100-pcie-40"),
        ("big_1g.5gb", {"big": "a100-pcie-40"}, "a100-pcie-40"),
    ],
)
def test_the_board_of_a_schedulers_type(kind: str, devices: dict[str, str], board: str) -> None:
    says = f"partitions: {{bare: {{}}}}\ndevices: {json.dumps(devices)}\nsite: {{region: DE}}\n"
    known = Holdings(cluster(says))
    (job,) = told(line(AllocTRES=f"gres/gpu:{kind}=1", Partition="bare"))
    assert known.held(job).accelerator == board
