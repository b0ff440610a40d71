"""What a later import knows less is kept: ends, meters, names; and one attempt by two clocks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from fleet_byhand import FLEET, cluster, dump, imported, line, memory, read_dump, rows
from sqlalchemy import select, text

from costcalc.base.human import number_of
from costcalc.cli import OK, run
from costcalc.fleet import standing, tables
from costcalc.fleet.checking import check
from costcalc.fleet.facts import Facts, Refused
from costcalc.fleet.importing import lsf, pbs
from costcalc.fleet.importing.slurm import Reading, attempts
from costcalc.fleet.ledger import Ledger
from costcalc.fleet.metering import NodeDay, read_meters
from costcalc.fleet.metering import Reading as Meter
from costcalc.fleet.taking import Taken, take


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    with memory() as made:
        yield made


KEPT = "; what the ledger has is kept"
BATCH = line(JobID="1.batch", ConsumedEnergyRaw="18000000")
TWO_NODES = "gres/gpu=8,node=2"


# --- what a row leaves out -----------------------------------------------------------------------


def test_a_job_without_its_step_keeps_its_meter(ledger: Ledger) -> None:
    """5 kWh of 18 MJ by the batch step; the dump that was cut before that row says none."""
    imported(ledger, cluster(), line(), BATCH)
    taken = imported(ledger, cluster(), line())
    assert (taken.counted.known, taken.counted.corrected, taken.refused) == (1, 0, 0)
    assert taken.lines() == [
        "0 jobs added, 0 corrected, 1 known already, 0 rows refused",
        "left out by the source, and kept as the ledger had it: meter of 1",
    ]
    (row,) = rows(ledger)
    assert (row.meter, row.metered) == ("Slurm's energy plugin", pytest.approx(5.0))


def test_a_job_with_some_of_its_steps_keeps_the_sum_of_all(ledger: Ledger) -> None:
    """On two nodes steps add up: 18 + 3.6 MJ are 6 kWh; the dump that lacks one says 5."""
    nodes = {"AllocTRES": TWO_NODES, "NNodes": "2", "NodeList": "gpu[01-02]", "ElapsedRaw": "3600"}
    job = line(**{**nodes, "ElapsedRaw": "7200"})
    other = line(JobID="1.1", ConsumedEnergyRaw="18000000", **nodes)
    step = line(JobID="1.0", ConsumedEnergyRaw="3600000", Start="2026-10-05T11:00:00", **nodes)
    imported(ledger, cluster(), job, other, step)
    for lacking in (other, step):
        imported(ledger, cluster(), job, lacking)
        assert [(row.metered, row.why) for row in rows(ledger)] == [(pytest.approx(6.0), None)]
    # as many rows that say another thing are a correction
    imported(ledger, cluster(), job, other, step.replace("3600000", "7200000"))
    assert [row.metered for row in rows(ledger)] == [pytest.approx(7.0)]


def test_a_meter_that_was_wrong_is_not_kept(ledger: Ledger) -> None:
    """A counter that wrapped is read and refused: that is more than a row without one says."""
    imported(ledger, cluster(), line(), BATCH)
    imported(ledger, cluster(), line(ConsumedEnergyRaw=str(2**40)))  # 150 MW
    (row,) = rows(ledger)
    assert row.meter is None
    assert row.why == "the energy counter wrapped: more than any node draws"


def test_a_correction_of_other_fields_keeps_the_meter(ledger: Ledger) -> None:
    imported(ledger, cluster(), line(), BATCH)
    taken = imported(ledger, cluster(), line(Account="physics"))
    assert taken.counted.corrected == 1
    (row,) = rows(ledger)
    assert (row.account, row.metered, row.cost) == ("physics", pytest.approx(5.0), 8.0)


def test_columns_that_a_dump_lacks_take_nothing_back(ledger: Ledger) -> None:
    """8 device-hours at the account's dollar each: 8, also after a dump without the account."""
    imported(ledger, cluster(), line(Account="physics", Comment="model=llama"))
    taken = imported(
        ledger, cluster(),
        line(Account="", User="", Comment="", AllocTRES="", NodeList="", Partition=""),
    )  # fmt: skip
    assert taken.counted.known == 1
    assert taken.lines()[1:] == [
        "left out by the source, and kept as the ledger had it: account of 1, devices of 1, "
        "model of 1, node_list of 1, partition of 1, user of 1"
    ]
    (row,) = rows(ledger)
    assert (row.account, row.user, row.device_hours, row.cost) == ("physics", "anna", 8.0, 8.0)


def test_a_name_that_is_to_be_hashed_is_not_kept(ledger: Ledger) -> None:
    imported(ledger, cluster(), line())
    imported(ledger, cluster(FLEET + "privacy: {users: hash}\n"), line(User=""))
    assert [row.user for row in rows(ledger)] == [None]


def test_less_time_without_a_meter_is_not_more(ledger: Ledger) -> None:
    imported(ledger, cluster(), line(), BATCH)
    taken = imported(ledger, cluster(), line(ElapsedRaw="3600"))
    assert [one.why for one in taken.shown] == [
        "it says 3600 s and no energy, and the ledger 7200 s that were metered" + KEPT
    ]
    assert [row.metered for row in rows(ledger)] == [pytest.approx(5.0)]


# --- what is over --------------------------------------------------------------------------------

RUNNING = line(State="RUNNING", End="Unknown", ElapsedRaw="3600")


@pytest.mark.parametrize("state", ["COMPLETED", "FAILED", "CANCELLED by 0", "TIMEOUT"])
def test_what_has_ended_does_not_run_again(ledger: Ledger, state: str) -> None:
    imported(ledger, cluster(), line(State=state))
    (before,) = rows(ledger)
    for said in ("RUNNING", "SUSPENDED"):
        taken = imported(ledger, cluster(), RUNNING.replace("RUNNING", said))
        assert (taken.counted.corrected, taken.refused) == (0, 1)
        assert [(one.row, one.why) for one in taken.shown] == [
            ("1", f"it says {said.lower()}, and the ledger that it ended ({before.state}): "
                  f"an older dump?{KEPT}")
        ]  # fmt: skip
    assert rows(ledger) == [before]
    with ledger.reading() as connection:
        assert len(list(connection.execute(select(tables.refused)))) == 2


def test_two_dumps_put_together_the_newer_first(ledger: Ledger) -> None:
    taken = imported(ledger, cluster(), line(), RUNNING)
    assert (taken.counted.added, taken.refused) == (1, 1)
    assert [(row.state, row.seconds) for row in rows(ledger)] == [("completed", 7200.0)]


def test_what_runs_has_run_for_longer(ledger: Ledger) -> None:
    imported(ledger, cluster(), RUNNING.replace("|3600|", "|5400|"))
    taken = imported(ledger, cluster(), RUNNING)
    assert [one.why for one in taken.shown] == [
        f"it says 3600 s so far, and the ledger 5400 s: older?{KEPT}"
    ]
    later = imported(ledger, cluster(), line())
    assert (later.counted.corrected, later.refused) == (1, 0)


def test_another_attempt_of_a_job_that_ended_may_run(ledger: Ledger) -> None:
    imported(ledger, cluster(), line(State="NODE_FAIL"))
    imported(
        ledger, cluster(),
        line(State="RUNNING", Submit="2026-10-05T12:00:00", Start="2026-10-05T13:00:00", End=""),
    )  # fmt: skip
    assert [row.state for row in rows(ledger)] == ["node_fail", "running"]


# --- a file that was cut -------------------------------------------------------------------------


def test_a_file_that_ends_within_a_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """1 800 of 18 000 000 J: the last number is cut, and nothing else tells."""
    monkeypatch.chdir(tmp_path)
    Path("fleet.yaml").write_text(FLEET)
    told = dump(line(JobID="7"), line(JobID="8", ConsumedEnergyRaw="18000000"))
    whole = "\n".join(one.removesuffix("|Comment").removesuffix("|") for one in told) + "\n"
    assert run(["fleet", "init"]) == OK
    for name, told, refused, metered in (
        ("shorter", whole[:-5], 1, None),
        ("cut", whole[:-1], 1, None),
        ("whole", whole, 0, pytest.approx(5.0)),
        ("again", whole[:-4], 1, pytest.approx(5.0)),  # and the whole is not forgotten
        ("windows", whole.replace("\n", "\r\n"), 0, pytest.approx(5.0)),
    ):
        Path(name).write_text(told, newline="")
        capsys.readouterr()
        assert run(["fleet", "import", "slurm", name]) == OK
        said = capsys.readouterr().err
        assert f", {number_of(refused, 'row')} refused" in said
        assert refused == (
            "  line 3: 8: its line has no end: was the file cut off? its ConsumedEnergyRaw was "
            "left out, what stands before it counted" in said
        )
        with Ledger.open("sqlite:///fleet.db") as ledger:
            (_, eight) = rows(ledger)
        assert (eight.device_hours, eight.metered) == (8.0, metered)


def test_lines_of_a_list_have_no_ends(ledger: Ledger) -> None:
    assert not any(isinstance(one, Refused) for one in read_dump(line(JobID="7")))


PBS = """Job Id: 1.server
    job_state = F
    queue = gpu
    exec_vnode = (n1:ncpus=8:ngpus=4)
    stime = Mon Oct  5 10:00:00 2026
    Exit_status = 0
    resources_used.walltime = 02:00:0"""


def test_a_dump_of_pbs_that_ends_within_a_line(tmp_path: Path) -> None:
    file = tmp_path / "qstat.txt"
    file.write_text(PBS + "0\n")
    assert [type(one) for one in pbs.jobs(file, ZoneInfo("UTC"))] == [Facts]
    file.write_text(PBS)
    assert list(pbs.jobs(file, ZoneInfo("UTC"))) == [
        Refused(
            line=7,
            row="1.server",
            why="the file ends within it, without a line end: was it cut off? if it is whole, "
            "end the line",
        )
    ]


LSF = """Job <12>, User <anna>, Project <p>, Command <x>
Mon Oct  5 09:00:00 2026: Submitted from host <h>, Queue <gpu>;
Mon Oct  5 10:00:00 2026: Dispatched to <n1>;
Mon Oct  5 12:00:00 2026: Completed <exit>; TERM_RUNLIM"""


def test_a_dump_of_lsf_that_ends_within_a_line(tmp_path: Path) -> None:
    file = tmp_path / "bacct.txt"
    file.write_text(LSF + "IT\n")
    assert [one.state for one in lsf.jobs(file, ZoneInfo("UTC")) if isinstance(one, Facts)] == [
        "timeout"
    ]
    file.write_text(LSF)
    assert [(one.line, one.row) for one in lsf.jobs(file, ZoneInfo("UTC"))] == [(1, "12")]  # type: ignore[union-attr]


# --- one attempt by two clocks -------------------------------------------------------------------


def by_clock(ledger: Ledger, zone: str, *lines: str) -> Taken:
    found = attempts(dump(*lines), "x", Reading(zone=ZoneInfo(zone)))
    of = cluster(FLEET.replace("Europe/Berlin", zone))
    return take(ledger, of, found, source="slurm", name="x")


#: the same job as sacct prints it with SLURM_TIME_FORMAT=%s where it is two hours east: 10:00 CEST
SECONDS = line(Submit="1791183600", Start="1791187200", End="1791194400")


def starts(ledger: Ledger) -> Sequence[float]:
    return [row.start for row in rows(ledger)]


def test_a_zone_that_is_corrected_corrects_the_jobs(ledger: Ledger) -> None:
    """10:00 in UTC is 1791194400; in Berlin it is two hours earlier."""
    by_clock(ledger, "UTC", line(), line(JobID="2"), BATCH)
    for zone, start in (("Europe/Berlin", 1791187200.0), ("UTC", 1791194400.0)):
        taken = by_clock(ledger, zone, line(), line(JobID="2"))
        assert (taken.counted.added, taken.counted.corrected) == (0, 2)
        assert starts(ledger) == [start, start]
    assert by_clock(ledger, "UTC", line(), line(JobID="2")).counted.known == 2


def test_attempts_that_lie_as_far_apart_as_the_zones(ledger: Ledger) -> None:
    """The second starts when the first did by the other clock; they come one by one."""
    first = line(End="2026-10-05T11:00:00", ElapsedRaw="3600")
    second = line(Start="2026-10-05T12:00:00", End="2026-10-05T13:00:00", ElapsedRaw="3600")
    by_clock(ledger, "Europe/Berlin", first, second)
    assert starts(ledger) == [1791187200.0, 1791194400.0]
    by_clock(ledger, "UTC", first)
    assert sorted(starts(ledger)) == [1791194400.0, 1791194400.0]
    by_clock(ledger, "UTC", second)
    assert sorted(starts(ledger)) == [1791194400.0, 1791201600.0]


def test_sacct_itself_and_a_dump_tell_of_one_job(ledger: Ledger) -> None:
    by_clock(ledger, "Europe/Berlin", line())
    assert by_clock(ledger, "Europe/Berlin", SECONDS).counted.known == 1
    assert by_clock(ledger, "Europe/Berlin", line()).counted.known == 1


def test_absolute_times_win_over_a_wrong_zone(ledger: Ledger) -> None:
    by_clock(ledger, "UTC", line())
    assert by_clock(ledger, "UTC", SECONDS).counted.corrected == 1
    assert starts(ledger) == [1791187200.0]
    taken = by_clock(ledger, "UTC", line())
    assert [one.why for one in taken.shown] == [
        "it starts 2 h apart from what the ledger has in absolute time: is fleet.yaml's timezone "
        f"that of the dump?{KEPT}"
    ]
    assert starts(ledger) == [1791187200.0]


def test_a_wrong_zone_after_absolute_times(ledger: Ledger) -> None:
    by_clock(ledger, "UTC", SECONDS)
    taken = by_clock(ledger, "UTC", line())
    assert (taken.counted.added, taken.refused) == (0, 1)
    assert len(rows(ledger)) == 1


def test_summer_time_between_submission_and_start(ledger: Ledger) -> None:
    """Clocks go back on 25 October: by Berlin's the job was submitted at +2 h and ended at +1."""
    job = line(
        Submit="2026-10-24T23:00:00", Start="2026-10-25T01:00:00", End="2026-10-25T09:00:00",
        ElapsedRaw="28800",
    )  # fmt: skip
    seconds = line(Submit="1792882800", Start="1792890000", End="1792918800", ElapsedRaw="28800")
    by_clock(ledger, "UTC", seconds)
    assert by_clock(ledger, "Europe/Berlin", job).refused == 1
    assert len(rows(ledger)) == 1


def test_another_attempt_is_not_taken_for_another_clock(ledger: Ledger) -> None:
    """Two hours later to the second, and submitted when it was requeued: at no hour's distance."""
    by_clock(ledger, "UTC", SECONDS)
    again = line(
        Submit="2026-10-05T12:00:07", Start="2026-10-05T12:30:00", End="2026-10-05T14:30:00"
    )
    assert by_clock(ledger, "UTC", again).counted.added == 1


TEN = {"submit": 32400.0, "start": 36000.0, "end": 43200.0, "seconds": 7200.0}


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ((7200, 7200, 7200), {}, True),  # two hours west, and two hours east
        ((-7200, -7200, -7200), {}, True),
        ((0, 0, 0), {}, False),  # that is no other clock
        ((900, 900, 900), {}, True),  # zones are quarters of an hour apart
        ((899, 899, 899), {}, False),
        ((901, 901, 901), {}, False),
        ((93600, 93600, 93600), {}, True),  # from +14 to -12 are 26 h, and no zones are further
        ((94500, 94500, 94500), {}, False),
        ((-93600, -93600, -93600), {}, True),
        ((-94500, -94500, -94500), {}, False),
        ((7200, 7200, 3600), {}, True),  # summer time ended: an hour
        ((7200, 7200, 2700), {}, False),  # no summer time is 5/4 h
        ((-900, 1800, 1800), {}, True),  # 2700 s
        ((-1800, 2700, 2700), {}, False),  # 4500 s
        ((7200, 7200, None), {}, False),  # both have ended, and of one it is not known when
        ((7200, None, 7200), {}, False),
        ((None, 7200, 7200), {}, False),
        ((7200, 7200, 7200), {"seconds": 7201.0}, False),  # it took another time
        ((7200, 7200, None), {"seconds": 60.0, "state": "running"}, True),  # it goes on
        ((7200, 7200, 1), {"seconds": 60.0, "state": "suspended"}, True),
        ((7200, 7200, 7200), {"clock": "absolute"}, True),
        ((7200, 7200, 7200), {"clock": "absolute", "mine": "absolute"}, False),  # no zone in it
    ],
)
def test_what_is_as_far_apart_as_zones_is_one_attempt_by_two_clocks(
    one: tuple[float | None, ...], other: dict[str, Any], same: bool
) -> None:
    said: dict[str, Any] = {"source": "slurm", "cluster": "c", "job": "1", "attempt": "a"}
    there = Facts(**(said | TEN | {"state": "completed", "clock": other.pop("mine", "local")}))
    moved = {
        name: None if by is None else TEN[name] + by
        for name, by in zip(("start", "submit", "end"), one, strict=True)
    }
    here = Facts(**(said | TEN | {"state": "completed", "clock": "local"} | moved | other))
    assert standing._by_another_clock(here, there) is same
    assert standing._by_another_clock(there, here) is same


def test_a_ledger_of_before_knows_its_jobs_again(tmp_path: Path) -> None:
    """Version 3 named attempts by seconds, and knew neither clock nor steps."""
    file = str(tmp_path / "old.db")
    with Ledger.open(file, create=True) as ledger:
        by_clock(ledger, "UTC", line(), line(JobID="2"))
        with ledger.writing() as connection:
            connection.execute(text("UPDATE jobs SET attempt = '1791194400'"))
            connection.execute(text("ALTER TABLE jobs DROP COLUMN clock"))
            connection.execute(text("ALTER TABLE jobs DROP COLUMN steps"))
            connection.execute(text("DROP TABLE counters"))
            connection.execute(text("UPDATE about SET value = '3' WHERE key = 'version'"))
    with Ledger.open(file) as ledger:
        assert by_clock(ledger, "UTC", line()).counted.known == 1
        taken = by_clock(ledger, "Europe/Berlin", line(), line(JobID="2"))
        assert (taken.counted.added, taken.counted.corrected) == (0, 2)
        assert starts(ledger) == [1791187200.0, 1791187200.0]


def test_what_was_metered_over_other_times_is_let_go(ledger: Ledger) -> None:
    """Half a kilowatt a device over the hours that a wrong zone gave: asked for anew."""
    by_clock(ledger, "UTC", line())
    (before,) = rows(ledger)
    told = [
        Meter(
            source=source, cluster="c", job="1", attempt=before.attempt, meter=meter,
            scope="boards", joules=joules, seconds=7200.0,
        )
        for source, meter, joules in (
            ("prometheus", "DCGM (Prometheus, by job)", 4 * 500 * 7200.0),
        )
    ]  # fmt: skip
    read_meters(ledger, cluster(), iter(told), source="prometheus", name="x")
    assert [row.metered for row in rows(ledger)] == [pytest.approx(4.0)]
    by_clock(ledger, "Europe/Berlin", line())
    assert [(row.metered, row.meter) for row in rows(ledger)] == [(None, None)]


def test_starts_by_pbs_and_lsf_are_kept_as_they_stand(tmp_path: Path) -> None:
    (tmp_path / "q.txt").write_text(PBS + "0\n")
    (tmp_path / "b.txt").write_text(LSF + "IT\n")
    for zone in ("UTC", "Europe/Berlin"):
        found = [
            *pbs.jobs(tmp_path / "q.txt", ZoneInfo(zone)),
            *lsf.jobs(tmp_path / "b.txt", ZoneInfo(zone)),
        ]
        assert [one.attempt for one in found if isinstance(one, Facts)] == [
            "2026-10-05T10:00:00"
        ] * 2


# --- a cluster by two names ----------------------------------------------------------------------

UNNAMED = line(Cluster="")


def by_name(ledger: Ledger, name: str, *lines: str, said: bool = False) -> Taken:
    """A dump that names no cluster, and what fleet.yaml calls it; ``said``: by --cluster."""
    of = cluster(FLEET + (f"name: {name}\n" if name else ""))
    found = attempts(dump(*lines), "x", Reading(cluster=name, assumed=not said))
    return take(ledger, of, found, source="slurm", name="x")


def test_a_dump_that_names_no_cluster_is_of_the_jobs_that_are_there(ledger: Ledger) -> None:
    by_name(ledger, "hand", line())
    for name in ("hand", "", "another"):
        assert by_name(ledger, name, UNNAMED).counted.known == 1
    assert by_name(ledger, "hand", UNNAMED.replace("7200", "3600")).counted.added == 1


def test_a_name_that_fleet_yaml_gives_later(ledger: Ledger) -> None:
    by_name(ledger, "", UNNAMED)
    assert by_name(ledger, "hand", UNNAMED).counted.known == 1
    assert by_name(ledger, "hand", line()).counted.known == 1
    assert [row.cluster for row in rows(ledger)] == [""]


def test_clusters_of_a_federation_stay_apart(ledger: Ledger) -> None:
    """One number and even the same times, and both are named: by the table, or by --cluster."""
    by_name(ledger, "hand", line(Cluster="c"), line(Cluster="d"))
    assert len(rows(ledger)) == 2
    assert by_name(ledger, "e", UNNAMED, said=True).counted.added == 1
    assert by_name(ledger, "hand", line(Cluster="d"), line(Cluster="c")).counted.known == 2


@pytest.mark.parametrize(
    ("there", "told", "added"),
    [
        ({}, {"NodeList": "gpu02"}, 1),  # other nodes
        ({"JobName": "a"}, {"JobName": "b"}, 1),
        ({}, {"User": "bert"}, 1),
        ({}, {"NodeList": "", "JobName": "", "User": "bert"}, 1),
        # a number and times alone may be two clusters'
        ({"NodeList": "", "JobName": "a", "User": ""}, {"JobName": "", "NodeList": "gpu01"}, 1),
        ({"JobName": "a", "NodeList": ""}, {"JobName": "", "User": "anna"}, 0),  # one user
        ({"JobName": "a"}, {"JobName": "a", "NodeList": "", "User": ""}, 0),  # one name
    ],
)
def test_what_tells_a_job_of_an_unnamed_cluster_apart(
    ledger: Ledger, there: dict[str, str], told: dict[str, str], added: int
) -> None:
    by_name(ledger, "hand", line(**there))
    assert by_name(ledger, "hand", line(Cluster="", **told)).counted.added == added


def test_names_that_are_hashed_make_no_other_job(ledger: Ledger) -> None:
    by_name(ledger, "hand", line())
    of = cluster(FLEET + "name: hand\nprivacy: {users: hash, names: drop}\n")
    found = attempts(dump(UNNAMED), "x", Reading(cluster="hand"))
    assert take(ledger, of, found, source="slurm", name="x").counted.added == 0


# --- what a check says of it ---------------------------------------------------------------------


def test_attempts_of_one_job_at_the_same_time_are_named(ledger: Ledger) -> None:
    """10:00 to 12:00, and 10:30 to 12:30 of a row whose start was garbled: 8 + 8 device-hours."""
    imported(ledger, cluster(), line(), line(JobID="2"))
    said = "ran while another attempt of the same job did: one of both is not right"
    assert said not in "\n".join(check(ledger).lines())
    again = {"Submit": "2026-10-05T12:01:00", "Start": "2026-10-05T12:02:00"}
    imported(ledger, cluster(), line(State="COMPLETED", End="2026-10-05T14:02:00", **again))
    assert said not in "\n".join(check(ledger).lines())  # one after the other
    imported(ledger, cluster(), line(Start="2026-10-05T10:30:00", End="2026-10-05T12:30:00"))
    (found,) = [one for one in check(ledger).found if one.what == said]
    assert (found.jobs, found.device_hours) == (1, 8.0)


def test_an_import_that_was_made_again_is_finished(ledger: Ledger) -> None:
    def dying() -> Iterator[Facts | Refused]:
        yield from read_dump(line())
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        take(ledger, cluster(), dying(), source="slurm", name="a.txt")
    assert check(ledger).unfinished == ["a.txt"]
    take(ledger, cluster(), read_dump(line()), source="slurm", name="b.txt")
    assert check(ledger).unfinished == ["a.txt"]
    take(ledger, cluster(), read_dump(line()), source="slurm", name="a.txt")
    assert check(ledger).unfinished == []


# --- meters that saw less ------------------------------------------------------------------------


def report(joules: float | None, seconds: float) -> Iterator[Meter]:
    yield Meter(
        source="report", cluster="", job="1", meter="costcalc track: NVML", scope="boards",
        joules=joules, seconds=seconds,
    )  # fmt: skip


def test_a_report_that_saw_less_of_the_job_does_not_supersede(ledger: Ledger) -> None:
    """4 boards of 300 W for 2 h are 2.4 kWh; the report was written before, at 100 W after 1 h."""
    imported(ledger, cluster(), line())
    read_meters(ledger, cluster(), report(4 * 300 * 7200.0, 7200.0), source="reports", name="x")
    for joules, seconds, says in (
        (4 * 100 * 3600.0, 3600.0, "3600 s of it"),
        (None, 9.0, "no energy"),
    ):
        taken = read_meters(ledger, cluster(), report(joules, seconds), source="reports", name="x")
        assert [(one.row, one.why) for one in taken.shown] == [
            ("1", f"it says {says}, and the ledger has 7200 s by costcalc track: NVML, "
                  "which are kept")
        ]  # fmt: skip
        assert [row.metered for row in rows(ledger)] == [pytest.approx(2.4)]
    # as much of it is a correction
    read_meters(ledger, cluster(), report(4 * 200 * 7200.0, 7200.0), source="reports", name="x")
    assert [row.metered for row in rows(ledger)] == [pytest.approx(1.6)]


def test_a_day_of_which_a_server_has_let_go_a_part_is_kept(ledger: Ledger) -> None:
    """24 kWh of a day, then 12 of its half; and 25 of all of it again."""

    def day(joules: float, seconds: float) -> Iterator[NodeDay]:
        yield NodeDay(
            cluster="c", node="gpu01", partition="gpu", at=1_791_158_400.0, meter="ipmi",
            joules=joules * 3.6e6, given=0.0, seconds=seconds,
        )  # fmt: skip

    for joules, seconds, said in ((24, 86_400, "24.0"), (12, 43_200, "24.0"), (25, 86_400, "25.0")):
        read_meters(ledger, cluster(), day(joules, seconds), source="prometheus", name="x")
        assert check(ledger).nodes.startswith(f"meters of 1 node: {said} kWh")
