"""Tables as people have them: Slurm's devices and joules, CodeCarbon's ranks and tasks, by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from costcalc import cli
from costcalc.base.errors import InputError
from costcalc.base.writing import digest
from costcalc.report.check import verify
from costcalc.report.files import text
from costcalc.report.importing import codecarbon, read, slurm
from costcalc.report.importing.build import Recorded
from costcalc.report.importing.cells import Row
from costcalc.report.importing.costed import Costing, run_file
from costcalc.report.importing.tres import accelerators
from costcalc.report.project import merge
from costcalc.report.renderings import render

HEAD = "JobID|JobName|State|ElapsedRaw|AllocTRES|ConsumedEnergyRaw\n"


def jobs(*rows: str, head: str = HEAD, **said: Any) -> Any:
    return slurm.read(head + "\n".join(rows) + "\n", "sacct.txt", **said)


def value(report: Any, key: str) -> float | None:
    found: float | None = report["results"][key]["value"]
    return found


@pytest.mark.parametrize(
    ("tres", "count"),
    [
        ("billing=8,cpu=8,gres/gpu:a100=2,gres/gpu=2,mem=32G", 2.0),
        ("cpu=4,gres/gpu:tesla:v100=2,mem=1G", 2.0),
        ("cpu=4,gres/gpumem=20G,gres/gpuutil=90,gres/gpu=1,mem=1G", 1.0),
        ("cpu=4,gres/gpu_mem=2,gres/npu=8,mem=1G", 8.0),
        # MIG: one of the seven compute slices of an A100, and of the four of an A30
        ("gres/gpu:a100_1g.5gb=1,gres/gpu=1", 1 / 7),
        ("gres/gpu:3g.40gb=2,gres/gpu=2", 6 / 7),
        ("gres/gpu:a30_1g.6gb=1", 1 / 4),
        ("gres/gpu:2g.12gb=1", 2 / 4),
        # one whole device and one instance, of two that gres/gpu counts in all
        ("gres/gpu:a100_1g.5gb=1,gres/gpu=2", 1 + 1 / 7),
        # as requests and older releases write it: a colon before the number, none is one
        ("gres:gpu:2", 2.0),
        ("gres/gpu:a100:2", 2.0),
        ("gres/gpu:tesla:4", 4.0),
        ("gres/gpu:tesla:v100:4", 4.0),
        ("gpu:a100:8(S:0,1)", 8.0),
        ("gpu:2(IDX:0-1),craynetwork:1", 2.0),
        ("gres:gpu", 1.0),
        ("gres/gpu:a100", 1.0),
        ("gres/gpu:a100_1g.5gb:2", 2 / 7),
        ("gres/gpu:a100_1g.5gb", 1 / 7),
        ("gres:shard:4", None),
        ("gres:mps:50", None),
        ("cpu:4,mem:1G", None),
        ("cpu=4,mem=1G", None),
        ("cpu=4,gres/shard=2", None),
        ("cpu=4,gres/mps=50", None),
    ],
)
def test_devices_of_a_tres_string(tres: str, count: float | None) -> None:
    assert accelerators(tres).count == pytest.approx(count)


def test_requests_in_place_of_what_was_allocated_are_device_hours() -> None:
    # an hour of 2, of 2 and of 4 devices, and two hours of the 4 of a column of releases before
    # 20.11, whose AllocTRES names none: 2 + 2 + 4 + 8 = 16 device-hours
    head = HEAD.replace("AllocTRES", "AllocTRES|AllocGRES")
    made = jobs(
        "1|a|COMPLETED|3600|gres:gpu:2||",
        "2|b|COMPLETED|3600|gres/gpu:a100:2||",
        "3|c|COMPLETED|3600|gres/gpu:tesla:4||",
        "4|d|COMPLETED|7200|billing=8,cpu=8,node=1|gpu:tesla:4|",
        head=head,
    )
    assert value(made, "device_hours") == 16


def test_accelerators_that_cannot_be_read_are_problems_at_their_place() -> None:
    with pytest.raises(InputError) as caught:
        jobs("1|a|COMPLETED|3600|cpu=4,gres/gpu:a100=two|", "2|b|COMPLETED|3600|gres/gpu:4:a100|")
    assert str(caught.value).splitlines() == [
        "sacct.txt:2: AllocTRES: expected accelerators such as gres/gpu:a100=2, where "
        '"gres/gpu:a100=two" stands; got "cpu=4,gres/gpu:a100=two"',
        "sacct.txt:3: AllocTRES: expected accelerators such as gres/gpu:a100=2, where "
        '"gres/gpu:4:a100" stands; got "gres/gpu:4:a100"',
        "2 problems in sacct.txt",
    ]


@pytest.mark.parametrize("kind", ["shard", "mps"])
def test_a_share_of_unknown_size_is_unknown_and_said(kind: str) -> None:
    made = jobs(f"1|a|COMPLETED|3600|cpu=4,gres/{kind}=2|")
    why = f"Slurm counts shares of a device ({kind}) and not how many of them make one"
    assert value(made, "device_hours") is None
    assert made["results"]["device_hours"]["why"] == why
    assert f"{why}: 1 job" in made["warnings"]


@pytest.mark.parametrize(
    ("cell", "kwh"),
    # 10.16 M joules / 3.6e6 = 2.8222; sacct counts by thousands
    [("10.16M", 10.16 / 3.6), ("3600000", 1.0), ("3600K", 1.0), ("0.0036g", 1.0), ("0", None),
     ("", None)],
)  # fmt: skip
@pytest.mark.parametrize("column", ["ConsumedEnergyRaw", "ConsumedEnergy"])
def test_joules(cell: str, kwh: float | None, column: str) -> None:
    head = HEAD.replace("ConsumedEnergyRaw", column)
    made = jobs(f"1|a|COMPLETED|7200|gres/gpu=4|{cell}", head=head)
    assert value(made, "energy_it") == pytest.approx(kwh)


@pytest.mark.parametrize("cell", ["4294967294", "4294967295", "18446744073709551614"])
def test_slurms_sign_for_no_value_is_unknown(cell: str) -> None:
    assert value(jobs(f"1|a|COMPLETED|3600|gres/gpu=4|{cell}"), "energy_it") is None


def test_energy_that_no_node_can_draw_is_unknown_and_said() -> None:
    # 2.9e9 J in an hour over 4 devices: 201 kW each
    made = jobs("1|a|COMPLETED|3600|gres/gpu=4|2900000000")
    assert value(made, "energy_it") is None
    assert made["warnings"][0] == (
        "job 1: 806 kWh would be 201 kW a device; a counter that wrapped, taken as unknown"
    )


@pytest.mark.parametrize(
    ("joules", "kwh"), [(36_000, None), (6_739_000, None), (21_319_000, None), (21_320_000, 5.9222)]
)
def test_energy_that_boards_draw_when_idle_is_unknown_and_said(
    joules: int, kwh: float | None
) -> None:
    # 0.9 x 52 W x 4 boards x 36 000 s are 6 739 200 J; with 112.5 W of a host each 21 319 200
    made = jobs(f"1|a|COMPLETED|36000|gres/gpu:a100-sxm4-80=4,gres/gpu=4|{joules}")
    assert value(made, "energy_it") == (None if kwh is None else pytest.approx(kwh, rel=1e-3))
    said = [line for line in made["warnings"] if "idle" in line]
    assert len(said) == (kwh is None)
    if joules == 36_000:
        assert said == [
            "job 1: 0.01 kWh would be 1 W, and the boards that it held draw 208 W when idle; taken "
            "as unknown"
        ]
    if joules == 21_319_000:
        assert said == [
            "job 1: 5.92 kWh would be 592 W, and the boards that it held draw 658 W when idle with "
            "their host (a meter of a part of the node?); taken as unknown"
        ]


def test_cells_that_cannot_be_read_are_problems_at_their_place() -> None:
    with pytest.raises(InputError) as caught:
        jobs("1|a|COMPLETED|3600|gres/gpu=4|lots", "2|b|COMPLETED|soon|gres/gpu=4|")
    assert str(caught.value).splitlines() == [
        'sacct.txt:2: ConsumedEnergyRaw: expected joules, such as 3600000 or 3.60M; got "lots"',
        'sacct.txt:3: ElapsedRaw: expected a time, such as 3600 or 1-02:03:04; got "soon"',
        "2 problems in sacct.txt",
    ]


def test_other_heads_and_files_put_together() -> None:
    head = " jobidraw |state|elapsed|alloctres|consumedenergy\n"
    rows = ("7|COMPLETED|01:00:00|gres/gpu=1|3.60M", head.strip(), "8|PENDING|00:00:00||",
            "9|RUNNING|00:30:00|gres/gpu=2|")  # fmt: skip
    made = jobs(*rows, head=head)
    assert value(made, "device_hours") == 1 * 1 + 2 * 0.5
    assert "jobs that wait in the queue are not counted: 1" in made["warnings"]
    assert "jobs that still run are counted so far" in made["warnings"]


# --- CodeCarbon ----------------------------------------------------------------------------------

COLUMNS = (
    "timestamp,project_name,run_id,duration,emissions,energy_consumed,country_iso_code,"
    "cpu_model,gpu_count,gpu_model,tracking_mode,pue"
)
MACHINE = "DEU,AMD EPYC 7713,8,8 x NVIDIA A100-SXM4-80GB,machine,1.0"


def carbon(*rows: str, head: str = COLUMNS, **said: Any) -> Any:
    return codecarbon.read("\n".join([head, *rows]) + "\n", "emissions.csv", **said)


TWO = (
    f"2026-05-05T04:04:43,job,aaa,36000,20.0,33.725,{MACHINE}",
    f"2026-05-05T04:04:44,job,bbb,36001,20.0,33.725,{MACHINE}",
)


def test_ranks_that_metered_one_machine_are_refused_until_it_is_said() -> None:
    with pytest.raises(InputError) as caught:
        carbon(*TWO)
    assert str(caught.value).splitlines()[0] == (
        "emissions.csv:3: tracking_mode: rows of lines 2, 3 meter the same kind of machine at the "
        "same time: one machine's energy written by several ranks, or as many machines; say "
        "--ranks one or --ranks each"
    )
    once = carbon(*TWO, ranks="one")
    assert value(once, "energy_it") == 33.725
    assert value(once, "device_hours") == 80
    note = "rows of lines 3 meter a machine that another row counts already: left out"
    assert note in once["warnings"]
    assert value(carbon(*TWO, ranks="each"), "energy_it") == pytest.approx(67.45)


@pytest.mark.parametrize(
    ("began", "seconds", "other", "within"),
    [
        (0, 100, (0, 100), True),
        (10, 50, (0, 100), True),
        (0, 100, (10, 50), False),  # the other ended before
        (50, 100, (0, 100), False),  # half of it lies outside
        (5, 100, (0, 100), True),  # 95 of its 100 s: ranks begin and end that far apart
        (6, 100, (0, 100), False),  # 94 of them
        (-5, 100, (0, 100), True),
        (-6, 100, (0, 100), False),
        (1000, 100, (0, 100), False),
        (0, None, (0, 100), False),  # how long is not known, of one or the other
        (0, 100, (0, None), False),
    ],
)
def test_what_lies_within_a_ranks_time(
    began: int, seconds: int | None, other: tuple[int, int | None], within: bool
) -> None:
    def row(at: int, for_: int | None) -> Row:
        made = Row({"duration": "" if for_ is None else str(for_)})
        end = datetime(2026, 5, 5, tzinfo=UTC) + timedelta(seconds=at + (for_ or 0))
        return Row(made | {"timestamp": end.isoformat()})

    assert codecarbon._within(row(began, seconds), row(*other)) is within


@pytest.mark.parametrize(
    "other",
    [
        TWO[1].replace("2026-05-05", "2026-05-06"),  # another day
        TWO[1].replace("7713", "9654"),  # another processor
        TWO[1].replace("machine", "process"),  # its own processes alone, and no GPU's energy
        TWO[1].replace("33.725", "20.0"),  # another energy
    ],
)
def test_rows_of_their_own_are_added(other: str) -> None:
    assert len(carbon(TWO[0], other)["runs"]) == 2


def test_gpus_are_metered_whole_by_each_process_too() -> None:
    head = f"{COLUMNS},gpu_energy,cpu_energy"
    # of 1.0 kWh of the same GPUs each has all, and 0.1 and 0.3 kWh of its own processes
    own = MACHINE.replace("machine", "process")
    rows = (f"2026-05-05T10:00:00,job,aaa,7200,0.5,1.1,{own},1.0,0.1",
            f"2026-05-05T10:00:01,job,bbb,7200,0.6,1.3,{own},1.0,0.3")  # fmt: skip
    with pytest.raises(InputError, match="rows of lines 2, 3 meter the same kind of machine"):
        carbon(*rows, head=head)
    assert value(carbon(*rows, head=head, ranks="one"), "energy_it") == pytest.approx(1.1)
    assert value(carbon(*rows, head=head, ranks="each"), "energy_it") == pytest.approx(2.4)
    apart = (rows[0], rows[1].replace(",1.0,0.3", ",0.5,0.8"))  # other GPUs: half of the energy
    assert len(carbon(*apart, head=head)["runs"]) == 2


def test_tasks_of_a_run_add_up() -> None:
    head = f"task_name,{COLUMNS}"
    rows = (f"load,2026-05-05T01:00:00,job,aaa,600,1.0,2.0,{MACHINE}",
            f"train,2026-05-05T02:00:00,job,aaa,3000,4.0,8.0,{MACHINE}")  # fmt: skip
    made = carbon(*rows, head=head)
    assert len(made["runs"]) == 1
    assert value(made, "wall_clock") == 1.0
    assert value(made, "energy_it") == 10.0
    assert value(made, "carbon_operational") == 5.0


def test_heads_repeated_and_aligned() -> None:
    head = COLUMNS.replace(",", " , ")
    other = TWO[1].replace("2026-05-05", "2026-05-07")
    assert len(carbon(TWO[0], head, other, head=head)["runs"]) == 2


def test_a_cell_that_is_no_number() -> None:
    with pytest.raises(InputError) as caught:
        carbon(TWO[0].replace("33.725", "a lot"))
    assert str(caught.value).splitlines()[0] == (
        'emissions.csv:2: energy_consumed: expected a number; got "a lot"'
    )


# --- a place and a price beside what was recorded ---------------------------------------------


def test_recorded_jobs_are_costed(tmp_path: Path) -> None:
    costing = Costing(
        changes={"site.region": "DE", "site.pue": 1.2, "price.device_hour": "1.5 USD"},
        devices={"a100": "a100-sxm4-80"},
    )
    rows = ("1|a|COMPLETED|7200|gres/gpu:a100=4|10.08M", "2|b|FAILED|3600|gres/gpu:a100=2|1.44M",
            "3|c|COMPLETED|3600|cpu=16|1.80M")  # fmt: skip
    made = jobs(*rows, costing=costing)
    # 4 x 2 h + 2 x 1 h = 10 device-hours at 1.5 USD; 2.8 + 0.4 kWh metered, times PUE 1.2
    assert value(made, "device_hours") == pytest.approx(10)
    assert value(made, "energy_it") == pytest.approx(3.2 + 0.5)
    assert value(made, "energy") == pytest.approx(3.84 + 0.6)
    # what the processors cost that metered 1.8 MJ is not known, and so the sum is not
    cost: Any = made["results"]["cost"]
    assert cost["value"] is None
    assert cost["why"] == (
        "unknown for 1 of 3 runs: without an accelerator: price and making of its processors are "
        "not known; 15.0 USD of the other 2"
    )
    assert cost["known"]["value"] == pytest.approx(15)
    assert value(made, "carbon_operational")
    assert [run["role"] for run in made["runs"]] == ["unknown", "failed", "unknown"]
    assert {run["measured_by"] for run in made["runs"]} == {"Slurm accounting"}
    file = tmp_path / "report.yaml"
    file.write_text(text(made, file), encoding="utf-8")
    assert verify(file).holds, verify(file).lines()


DEARER = Costing(
    changes={"site.region": "DE", "price.device_hour": "1.5 USD"}, devices={"a100": "a100-sxm4-80"}
)
FOUR = "1|a|COMPLETED|7200|gres/gpu:a100=4|10.08M"
TWICE = "2|b|FAILED|3600|gres/gpu:a100=2|1.44M"


@pytest.mark.parametrize(
    ("run", "changes", "said"),
    [
        # 3 devices for 2 h, 5 kWh metered
        ({}, {}, {"measured": {"wall_clock": "2.0 h", "energy_it": "5.0 kWh"},
                  "hardware": {"count": 3, "accelerator": "a100"}}),
        ({"energy_it": None}, {}, {"measured": {"wall_clock": "2.0 h"},
                                   "hardware": {"count": 3, "accelerator": "a100"}}),
        # device-hours say more than hours do
        ({"device_hours": 7.5}, {}, {"measured": {"device_hours": 7.5, "energy_it": "5.0 kWh"},
                                     "hardware": {"count": 3, "accelerator": "a100"}}),
        ({"hours": None}, {}, {"measured": {"energy_it": "5.0 kWh"},
                               "hardware": {"count": 3, "accelerator": "a100"}}),
        # 2.5 devices are 3 of which 5/6 is used; a half is one; what rounding leaves is none
        ({"devices": 2.5}, {}, {"hardware": {"count": 3, "accelerator": "a100",
                                             "share": 2.5 / 3}}),
        ({"devices": 0.5}, {}, {"hardware": {"count": 1, "accelerator": "a100", "share": 0.5}}),
        ({"devices": 3 + 1e-12}, {}, {"hardware": {"count": 3, "accelerator": "a100"}}),
        # what the tool says of its place counts unless the user says another
        ({"pue": 1.3, "grid": 250.0}, {}, {"site": {"pue": 1.3, "grid": "250.0 gCO2e/kWh"}}),
        ({"pue": 1.3}, {}, {"site": {"pue": 1.3}}),
        ({"grid": 250.0}, {}, {"site": {"grid": "250.0 gCO2e/kWh"}}),
        ({"pue": 1.3, "grid": 250.0}, {"site.pue": 1.1},
         {"site": {"pue": 1.1, "grid": "250.0 gCO2e/kWh"}}),
        ({"pue": 1.3, "grid": 250.0}, {"site.region": "DE"},
         {"site": {"pue": 1.3, "region": "DE"}}),
        ({"pue": 1.3, "grid": 250.0}, {"site.grid": "9 gCO2e/kWh"},
         {"site": {"pue": 1.3, "grid": "9 gCO2e/kWh"}}),
        # 5 kWh of two runs are 2.5 of one
        ({"number": 2}, {}, {"training": {"runs": 2}, "measured": {
            "wall_clock": "2.0 h", "energy_it": "2.5 kWh"}}),
        ({"number": 2, "device_hours": 7.0, "energy_low": 4.0, "energy_high": 7.0}, {},
         {"training": {"runs": 2}, "measured": {
             "device_hours": 3.5, "energy_it": "2.5 kWh", "energy_it_low": "2.0 kWh",
             "energy_it_high": "3.5 kWh"}}),
        ({"number": 1}, {}, {}),
        # without devices nothing that is said of them goes with it
        ({"devices": 0.0}, {"hardware.count": 4, "price.device_hour": "1 USD", "site.pue": 1.2,
                            "embodied.lifetime": "4 yr"},
         {"hardware": None, "site": {"pue": 1.2}}),
        ({}, {"price.device_hour": "1 USD", "site.pue": 1.2},
         {"price": {"device_hour": "1 USD"}, "site": {"pue": 1.2}}),
        # how many is known to the user alone
        ({"devices": None}, {"hardware.count": 4, "hardware.accelerator": "h100"},
         {"hardware": {"count": 4, "accelerator": "h100"}}),
        ({"devices": None}, {"site.pue": 1.2}, {"hardware": None, "site": {"pue": 1.2}}),
    ],
)  # fmt: skip
def test_the_run_file_of_what_was_recorded(
    run: dict[str, Any], changes: dict[str, Any], said: dict[str, Any]
) -> None:
    recorded: dict[str, Any] = {"key": "k", "name": "job 7", "hours": 2.0, "devices": 3.0,
                                "energy_it": 5.0, "hardware": "a100"}  # fmt: skip
    made = run_file(Recorded(**(recorded | run)), Costing(changes=changes))
    plain = {"name": "job 7", "measured": {"wall_clock": "2.0 h", "energy_it": "5.0 kWh"},
             "hardware": {"count": 3, "accelerator": "a100"}}  # fmt: skip
    expected = {key: value for key, value in (plain | said).items() if value is not None}
    assert made == expected


def test_a_profile_is_meant_by_the_name_that_the_user_says() -> None:
    run = Recorded(key="k", name="job 7", hours=2.0, devices=3.0, hardware=" card ")
    made: Any = run_file(run, Costing(devices={"card": "a100-sxm4-80"}))
    assert made["hardware"] == {"count": 3, "accelerator": "a100-sxm4-80"}
    for none in (replace(run, hardware=" "), replace(run, devices=None, device_hours=6.0)):
        with pytest.raises(InputError) as caught:
            run_file(none, Costing())
        assert caught.value.problems[0].message == (
            "no device is recorded, so that its price and power are not known; give --set "
            "hardware.accelerator=NAME"
        )


def test_jobs_of_one_price_say_it() -> None:
    # 4 x 2 h + 2 x 1 h = 10 device-hours at 1.5 USD
    made = jobs(FOUR, TWICE, costing=DEARER)
    assert "15.0 USD (from prices: 1.50 USD a device-hour, yours)" in render(made, "neurips")


def test_parts_of_two_prices_say_none() -> None:
    cheaper = Costing(changes={**DEARER.changes, "price.device_hour": "1 USD"},
                      devices=DEARER.devices)  # fmt: skip
    parts = [("a", jobs(FOUR, costing=DEARER)), ("b", jobs(TWICE, costing=cheaper))]
    # 8 x 1.5 + 2 x 1 = 14 USD
    assert "14.0 USD (modelled)" in render(merge(parts, name="p"), "neurips")


@pytest.mark.parametrize(
    ("row", "note"),
    [
        ("3|c|PENDING|0|gres/gpu:a100=2|", "jobs that wait in the queue are not counted: 1"),
        ("3|c|RUNNING|3600|gres/gpu:a100=2|", "jobs that still run are counted so far"),
    ],
)  # fmt: skip
def test_a_checklist_names_the_runs_that_are_not_counted(row: str, note: str) -> None:
    said = render(jobs(FOUR, TWICE, row, costing=DEARER), "neurips")
    assert "Answer: [Partly]" in said
    assert f"Not all of the project is counted: {note}.\n" in said
    assert "The whole project took" not in said
    whole = render(jobs(FOUR, TWICE, costing=DEARER), "neurips")
    assert "is counted:" not in whole
    assert "The runs listed took 1.25 times" in whole  # 10 of 8 device-hours


def test_compute_of_jobs_without_a_model_says_why_it_is_not_known() -> None:
    said = render(jobs(FOUR, TWICE, costing=DEARER), "annex-xi")
    assert "Training compute: N/A: no model given\n" in said
    assert "merged" not in said


def test_a_tools_own_grid_and_pue_stand_unless_the_user_says_others() -> None:
    own = carbon(TWO[0], costing=Costing(changes={"price.device_hour": "1 USD"}))
    assert value(own, "cost") == pytest.approx(80)
    assert value(own, "carbon_operational") == pytest.approx(20.0)
    theirs = carbon(TWO[0], costing=Costing(changes={"site.grid": "100 gCO2e/kWh"}))
    assert value(theirs, "carbon_operational") == pytest.approx(33.725 * 0.1)


def test_a_device_that_no_profile_is_called_is_told_once() -> None:
    rows = [f"{i}|a|COMPLETED|3600|gres/gpu:bigcard=1|" for i in range(5)]
    with pytest.raises(InputError) as caught:
        jobs(*rows, costing=Costing(changes={"site.region": "DE"}))
    assert len(caught.value.problems) == 1
    assert "job 1: no accelerator bigcard" in str(caught.value)


def test_what_is_said_of_another_tool_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "sacct.txt"
    file.write_text(HEAD, encoding="utf-8")
    with pytest.raises(InputError, match="--ranks: goes with codecarbon, not slurm"):
        read("slurm", file, ranks="one")


def test_a_report_is_estimated_again_from_its_run(tmp_path: Path) -> None:
    import costcalc

    run = {"model": {"preset": "llama-3-8b"}, "training": {"tokens": "1B"},
           "hardware": {"accelerator": "h100", "count": 8}, "site": {"region": "FR"}}  # fmt: skip
    made = costcalc.estimate(run)
    made.save(tmp_path / "report.yaml")
    again = costcalc.estimate(tmp_path / "report.yaml", changes={"site.region": "SE"})
    assert again.results["energy"].value == made.results["energy"].value
    assert again.results["energy"].low == made.results["energy"].low
    assert again.results["carbon_operational"].value != made.results["carbon_operational"].value


def test_a_merged_report_has_no_run_to_estimate(tmp_path: Path) -> None:
    import costcalc

    file = tmp_path / "jobs.yaml"
    file.write_text(text(jobs("1|a|COMPLETED|3600|gres/gpu=4|"), file), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        costcalc.estimate(file)
    assert "run: this report holds no run of its own to estimate again" in str(caught.value)


# --- CodeCarbon's total and its parts; its place and its grid -------------------------------------

PARTS = (
    "run_id,duration,emissions,cpu_energy,gpu_energy,ram_energy,energy_consumed,country_name,"
    "gpu_count,gpu_model,pue,task_name\n"
)
FRANCE = Costing(changes={"site.region": "FR", "site.pue": 1.2, "price.device_hour": "2 USD"})


def ran(energies: str, *, run: str = "a", pue: str = "1.0", place: str = "Germany") -> str:
    """Two hours of four A100, energies of CPU, GPU, memory and all, at 0.4 kg/kWh of 3 kWh."""
    return f"{run},7200,1.2,{energies},{place},4,4 x NVIDIA A100-SXM4-80GB,{pue},\n"


def discrepancies(report: Any, folder: Path) -> tuple[str, ...]:
    file = folder / "r.yaml"
    file.write_text(text(report), encoding="utf-8")
    return verify(file).discrepancies


@pytest.mark.parametrize("costing", [None, FRANCE])
@pytest.mark.parametrize(
    ("energies", "pue", "line"),
    [
        ("0.2,2.4,0.04,2.64", "1.0", ""),
        ("0.2,2.4,0.04,2.65", "1.0", ""),  # rounded by hand
        ("0.4,4.8,0.08,5.28", "2.0", ""),  # each behind the PUE
        ("0.2,2.4,,9.64", "1.0", ""),  # the memory is not said
        ("0.2,2.4,0.04,9.64", "1.0", "cpu, gpu and ram sum to 2.64 kWh before PUE; the energy "
         "recorded is 9.64 kWh"),
        ("0.4,4.8,0.08,4.8", "2.0", "cpu, gpu and ram sum to 2.64 kWh before PUE; the energy "
         "recorded is 2.4 kWh"),
        (",3.0,,2.64", "1.0", "gpu sum to 3 kWh before PUE; the energy recorded is 2.64 kWh"),
    ],
)  # fmt: skip
def test_a_total_of_codecarbon_is_that_of_its_parts(
    energies: str, pue: str, line: str, costing: Costing | None, tmp_path: Path
) -> None:
    made = codecarbon.read(PARTS + ran(energies, pue=pue), "e.csv", costing=costing)
    warned = f"run 1: {line}; one of them is wrong"
    assert (warned in (made.get("warnings") or ())) is bool(line)
    found = discrepancies(made, tmp_path)
    assert found == ((f"runs[0].parts: {line}",) if line else ())


def test_the_parts_of_tasks_are_summed_as_their_energy_is(tmp_path: Path) -> None:
    rows = [
        f"a,600,0.1,{energies},Germany,1,1 x NVIDIA A100-SXM4-80GB,1.0,{task}\n"
        for task, energies in (("load", "0.01,0.05,0.01,0.07"), ("train", "0.01,0.05,0.01,0.07"))
    ]
    made: Any = codecarbon.read(PARTS + "".join(rows), "e.csv")
    assert made["runs"][0]["parts"] == {"cpu": 0.02, "gpu": 0.1, "ram": 0.02}
    assert discrepancies(made, tmp_path) == ()


def test_a_part_that_cannot_be_read_is_a_problem_at_its_cell() -> None:
    with pytest.raises(InputError) as caught:
        codecarbon.read(PARTS + ran("0.2,hot,0.04,2.64"), "e.csv")
    line = 'e.csv:2: gpu_energy: expected a number; got "hot"'
    assert str(caught.value).splitlines()[0] == line


def test_an_import_prints_what_is_warned_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nine rows that do not add up: five are named, the first eight notes are printed."""
    table, out = tmp_path / "e.csv", tmp_path / "r.yaml"
    rows = "".join(ran("0.2,2.4,0.04,3.5", run=f"r{n}") for n in range(9))
    table.write_text(PARTS + rows, encoding="utf-8")
    assert cli.run(["report", "import", "codecarbon", str(table), "-o", str(out)]) == 0
    notes = capsys.readouterr().err.splitlines()
    assert notes[0] == f"wrote {out}"
    said = "cpu, gpu and ram sum to 2.64 kWh before PUE; the energy recorded is 3.5 kWh"
    assert f"note: run 1: {said}; one of them is wrong" in notes
    assert "note: and 4 runs more likewise" in notes
    assert len(notes) <= 10


def test_the_place_is_that_of_the_rows(tmp_path: Path) -> None:
    rows = ran("0.2,2.4,0.04,2.64") + ran("0.2,2.4,0.04,2.64", run="b", place="Poland")
    made: Any = codecarbon.read(PARTS + rows, "e.csv")
    assert made["details"]["place"] == "Germany; Poland"
    made["details"]["place"] = "Sweden"
    made["digest"] = digest(made)
    line = "details.place: Sweden; recomputed Germany; Poland"
    assert discrepancies(made, tmp_path) == (line,)


@pytest.mark.parametrize("shape", ["model-card", "latex", "markdown"])
def test_a_grid_factor_of_another_place_is_said_to_be_one(shape: str) -> None:
    """1.2 kg over 2.64 kWh are 455 g/kWh: Germany has 344 (×1.5 its high end is 572), Sweden 36."""
    for place, said in (("Germany", False), ("Sweden", True)):
        made = codecarbon.read(PARTS + ran("0.2,2.4,0.04,2.64", place=place), "e.csv")
        shown = render(made, shape)
        assert "455" in shown
        assert ("costcalc has 35.8 gCO2e/kWh for Sweden" in shown) is said


@pytest.mark.parametrize(
    ("said", "grams", "own"),
    [
        ({"price.device_hour": "2 USD"}, 2 * 400.0, True),  # 0.8 kg over 2 kWh, of CodeCarbon
        ({"site.grid": "50 gCO2e/kWh"}, 2 * 50.0, False),
        ({"site.region": "SE", "site.grid": "30 gCO2e/kWh"}, 2 * 30.0, False),
    ],
)
def test_whose_grid_factor_counts_is_said_as_it_is(
    said: dict[str, object], grams: float, own: bool
) -> None:
    made = carbon(
        f"2026-05-05T04:04:43,job,aaa,3600,0.8,2.0,{MACHINE}", costing=Costing(changes=said)
    )
    kept = value(made, "carbon_operational")
    assert kept == pytest.approx(grams / 1000)
    note = "grid factor: CodeCarbon's own, emissions over energy as recorded"
    assert (note in made["warnings"]) is own
