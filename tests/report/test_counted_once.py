"""One machine metered by several ranks, a job on several clusters, steps apart from their job."""

from __future__ import annotations

from typing import Any

import pytest

from costcalc.base.errors import InputError
from costcalc.report.closure import discrepancies
from costcalc.report.compare import show
from costcalc.report.importing import codecarbon, nvidia_smi, slurm
from costcalc.report.importing.costed import Costing
from costcalc.report.project import merge
from costcalc.report.recompute import recompute

HEAD = (
    "timestamp,run_id,duration,emissions,energy_consumed,cpu_model,gpu_count,gpu_model,"
    "country_iso_code,tracking_mode,pue\n"
)


def rank(run: str, end: str, energy: float = 30.0, **more: str) -> dict[str, Any]:
    """A rank of ten hours on eight A100 that drew so many kWh."""
    told = {"mode": "machine", "gpu": "8 x A100", **more}
    row = f"{end},{run},36000,9.0,{energy},EPYC,8,{told['gpu']},DEU,{told['mode']},1.0\n"
    return dict(codecarbon.read(HEAD + row, f"{run}.csv"))


A = rank("a", "2026-05-05T04:04:43")
B = rank("b", "2026-05-05T04:04:50")


def test_ranks_of_one_machine_are_refused_with_their_rows_named() -> None:
    with pytest.raises(InputError) as caught:
        merge([("a.yaml", A), ("b.yaml", B)], name="p")
    assert str(caught.value).splitlines()[0] == (
        f"b.yaml: runs: meters the same kind of machine at the same time: {B['runs'][0]['id']} as "
        f"{A['runs'][0]['id']} of a.yaml; one machine's energy written by several ranks, or as "
        "many machines: say --ranks one or --ranks each"
    )


def test_ranks_of_one_machine_count_once_where_that_is_said() -> None:
    one = merge([("a", A), ("b", B)], name="p", ranks="one")
    assert one["results"]["energy"]["value"] == 30.0
    assert one["details"]["left_out"][0] == (
        f"left out, as another rank metered the same machine: {B['runs'][0]['id']} as "
        f"{A['runs'][0]['id']} of a"
    )
    each = merge([("a", A), ("b", B)], name="p", ranks="each")
    assert each["results"]["energy"]["value"] == 60.0
    for made in (one, each):
        assert list(discrepancies(made)) == []
        assert recompute(made).found == ()
    assert "note: left out, as another rank" in "\n".join(show(one))


@pytest.mark.parametrize(
    "other",
    [
        rank("c", "2026-05-06T04:04:43"),  # a day later
        rank("c", "2026-05-05T04:04:43", energy=20.0),  # another load
        rank("c", "2026-05-05T04:04:43", gpu="8 x H100"),
        rank("c", "2026-05-05T04:04:43", mode="process"),  # its own part of the machine only
    ],
    ids=["later", "load", "board", "process"],
)
def test_other_times_and_machines_are_runs_of_their_own(other: dict[str, Any]) -> None:
    made = merge([("a", A), ("c", other)], name="p")
    assert made["results"]["energy"]["value"] == pytest.approx(
        30.0 + other["results"]["energy"]["value"]
    )


def test_a_job_of_a_federation_counts_on_the_cluster_that_ran_it() -> None:
    """Two jobs of an hour on one GPU; the sibling of the first was revoked on the other cluster."""
    table = (
        "JobID|Cluster|State|ElapsedRaw|AllocTRES|Start\n"
        "7|east|COMPLETED|3600|gres/gpu=1|2026-05-05T04:00:00\n"
        "7|west|REVOKED|3600|gres/gpu=1|2026-05-05T04:00:00\n"
        "8|east|RUNNING|3600|gres/gpu=1|2026-05-05T04:00:00\n"
        "8|west|COMPLETED|3600|gres/gpu=1|2026-05-05T04:00:00\n"
    )
    made = slurm.read(table, "jobs.txt")
    assert made["results"]["device_hours"]["value"] == 3.0
    assert len({run["id"] for run in made["runs"]}) == 3
    assert "rows of jobs that another cluster of the federation ran: 1" in made["warnings"]
    assert "jobs that still run are counted so far" in made["warnings"]


def test_steps_count_with_their_job_wherever_they_stand() -> None:
    """3.6 MJ of a step before its job's row and 3.6 MJ after another job's: 2 kWh, once."""
    table = (
        "JobID|State|ElapsedRaw|AllocTRES|ConsumedEnergyRaw\n"
        "1.0|COMPLETED|1800|gres/gpu=1|3600000\n"
        "1|COMPLETED|3600|gres/gpu=1|7200000\n"
        "2|COMPLETED|3600|gres/gpu=1|0\n"
        "1.1|COMPLETED|1800|gres/gpu=1|3600000\n"
    )
    made = slurm.read(table, "jobs.txt")
    assert [run["energy_it"] for run in made["runs"]] == [2.0, None]
    assert made["results"]["device_hours"]["value"] == 2.0


@pytest.mark.parametrize(
    ("end", "told"),
    [
        ("2026-05-05T04:34:00", "say --ranks one or"),  # ten hours each, 9.5 of them together: 0.95
        ("2026-05-05T04:35:30", "in part, so that"),  # 9.49
        ("2026-05-05T08:04:00", "in part, so that"),  # 6 of 10
        ("2026-05-05T08:05:00", None),  # 5.98
    ],
)
def test_a_rank_runs_beside_another_for_much_of_its_time(end: str, told: str | None) -> None:
    early = rank("a", "2026-05-05T04:04:00")
    late = rank("b", end)
    pairs = [("a", early), ("b", late)]
    if told:
        with pytest.raises(InputError, match=told):
            merge(pairs, name="p")
    else:
        assert merge(pairs, name="p")["results"]["energy"]["value"] == 60.0


def _rows(*rows: tuple[str, str, int, float]) -> str:
    """CodeCarbon's rows: end, run, minutes, kWh of one kind of machine."""
    return HEAD + "".join(
        f"2026-05-05T{end},{run},{60 * minutes},1.0,{energy},EPYC,8,8 x A100,DEU,machine,1.0\n"
        for end, run, minutes, energy in rows
    )


def test_ranks_that_begin_minutes_apart_are_no_two_machines() -> None:
    # 60 min at 1.5 kW and its last 55 at as much: 55 of 60 min are together
    late = _rows(("05:00:00", "a", 60, 1.5), ("05:00:00", "b", 55, 1.375))
    with pytest.raises(InputError, match="rows of lines 2, 3 meter the same kind of machine"):
        codecarbon.read(late, "c.csv")
    one = codecarbon.read(late, "c.csv", ranks="one")
    assert one["results"]["energy"]["value"] == 1.5
    each = codecarbon.read(late, "c.csv", ranks="each")
    assert each["results"]["energy"]["value"] == 2.875
    # two of which each has ten minutes of its own: 50 of 60, and one of them would lose ten
    apart = _rows(("05:00:00", "a", 60, 1.5), ("05:10:00", "b", 60, 1.5))
    with pytest.raises(InputError, match="say --ranks one or --ranks each"):
        codecarbon.read(apart, "c.csv")
    with pytest.raises(InputError, match="rows of lines 2, 3 share a part of their time alone"):
        codecarbon.read(apart, "c.csv", ranks="one")
    # a third of the longer, or another power: two runs
    for rows in (
        _rows(("05:00:00", "a", 60, 1.5), ("05:40:00", "b", 60, 1.5)),
        _rows(("05:00:00", "a", 60, 1.5), ("05:00:00", "b", 55, 1.1)),
    ):
        made = codecarbon.read(rows, "c.csv")
        assert made["results"]["energy"]["value"] == pytest.approx(
            sum(run["energy"] for run in made["runs"])
        )


def test_reports_of_ranks_that_begin_minutes_apart_are_refused() -> None:
    a, b = (
        codecarbon.read(_rows((end, run, 60, 1.5)), f"{run}.csv")
        for end, run in (("05:00:00", "a"), ("05:10:00", "b"))
    )
    with pytest.raises(InputError, match="in part, so that what both logs hold counts twice"):
        merge([("a", a), ("b", b)], name="p")
    both = merge([("a", a), ("b", b)], name="p", ranks="each")
    assert both["results"]["energy"]["value"] == 3.0


def _log(day: str = "2026/05/05", board: str = "NVIDIA A100-SXM4-80GB", count: int = 8) -> Any:
    """An hour of so many boards at 300 W, 18:00 to 19:00."""
    stamps = [f"{day} {18 + m // 60}:{m % 60:02}:00.000" for m in range(61)]
    rows = "".join(f"{stamp}, {n}, {board}, 300.00 W\n" for stamp in stamps for n in range(count))
    head = "timestamp, index, name, power.draw [W]\n"
    return nvidia_smi.read(head + rows, "gpu.csv")


def _beside(seconds: int = 3600, end: str = "2026-05-05T19:00:00", **more: Any) -> Any:
    return codecarbon.read(
        "timestamp,run_id,duration,emissions,energy_consumed,cpu_model,gpu_count,gpu_model,"
        f"tracking_mode\n{end},a,{seconds},1,3.0,EPYC,8,8 x NVIDIA A100-SXM4-80GB,machine\n",
        "emissions.csv",
        **more,
    )


@pytest.mark.parametrize("costing", [None, Costing(changes={"site.region": "FR"})])
def test_two_tools_that_read_the_same_boards_are_asked_about(costing: Costing | None) -> None:
    """8 boards at 300 W for an hour are 2.4 kWh; CodeCarbon's 3.0 of the machine hold them."""
    pairs = [("cc", _beside(costing=costing)), ("smi", _log())]
    with pytest.raises(InputError) as caught:
        merge(pairs, name="p")
    first = str(caught.value).splitlines()[0]
    assert "of cc; one machine's energy read by several tools, or as many machines: say " in first
    assert first.endswith("--ranks one or --ranks each")
    one = merge(pairs, name="p", ranks="one")
    assert one["results"]["energy_it"]["value"] == pytest.approx(3.0)
    assert recompute(one).found == ()
    each = merge(pairs, name="p", ranks="each")
    assert each["results"]["device_hours"]["value"] == pytest.approx(16.0)


@pytest.mark.parametrize(
    ("log", "said"),
    [
        ({"day": "2026/05/06"}, None),
        ({"board": "NVIDIA H100 80GB HBM3"}, None),
        ({"count": 4}, None),
        ({}, "in part, so that"),  # one hour of CodeCarbon's two
    ],
)
def test_two_tools_at_other_times_or_of_other_boards_are_apart(
    log: dict[str, Any], said: str | None
) -> None:
    pairs = [("cc", _beside(7200)), ("smi", _log(**log))]
    if said is None:
        assert len(merge(pairs, name="p")["runs"]) == 2
        return
    with pytest.raises(InputError, match=said):
        merge(pairs, name="p")
