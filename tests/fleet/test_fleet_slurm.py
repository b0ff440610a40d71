"""`sacct -P -D` as a stream: what is an attempt, what it held, and what is refused, with why."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from fleet_byhand import FLEET, cluster, dump, imported, line, memory, read_dump, rows, told

from costcalc.base.errors import InputError
from costcalc.fleet.checking import check
from costcalc.fleet.facts import Facts, Refused
from costcalc.fleet.importing.slurm import Reading, attempts, running


def test_an_allocation_and_its_steps_are_one_attempt() -> None:
    (job,) = told(
        line(JobID="7", ConsumedEnergyRaw=""),
        line(JobID="7.1", ConsumedEnergyRaw="1000000", ElapsedRaw="3600"),
        line(JobID="7.extern", ConsumedEnergyRaw="900000000"),
        line(
            JobID="7.0", ConsumedEnergyRaw="8000000", ElapsedRaw="3600", Start="2026-10-05T11:00:00"
        ),
    )
    assert (job.job, job.devices, job.kinds, job.seconds) == ("7", 4.0, ("h100",), 7200.0)
    assert (job.joules, job.scope) == (9_000_000.0, "node")  # extern is not a part of the work
    assert (job.user, job.account, job.partition, job.state) == (
        "anna",
        "chemistry",
        "gpu",
        "completed",
    )
    assert job.start == 1791194400.0  # 2026-10-05T10:00 UTC: 20,731 days and 10 hours
    assert 1791194400 == (20_731 * 24 + 10) * 3600


TWO = {"AllocTRES": "gres/gpu=8,node=2", "NNodes": "2", "NodeList": "gpu[01-02]"}


@pytest.mark.parametrize(
    ("nodes", "steps", "joules", "why"),
    [
        # on one node the batch script's counter has metered its steps
        ({"AllocTRES": "gres/gpu=4,node=1"}, {"batch": 18e6, "0": 16e6}, 18e6, ""),
        # of two it is that of the first, which a step on both has metered too
        (TWO, {"batch": 18e6, "0": 32e6}, 32e6, ""),
        (TWO, {"batch": 18e6}, None, "the batch script's counter is of one node of 2"),
        (TWO, {"0": 32e6}, 32e6, ""),
        (TWO, {"0": 16e6, "1": 16e6}, None,
         "steps that ran at once on a node counted all of it each: it is in their sum twice"),
    ],
)  # fmt: skip
def test_a_counter_of_one_node_is_not_that_of_all_nor_counted_twice(
    nodes: dict[str, str], steps: dict[str, float], joules: float | None, why: str
) -> None:
    (job,) = told(
        line(JobID="7", ConsumedEnergyRaw="", **nodes),
        *(line(JobID=f"7.{s}", ConsumedEnergyRaw=f"{j:.0f}", **nodes) for s, j in steps.items()),
    )
    assert (job.joules, job.why or "") == (joules, why)


@pytest.mark.parametrize(
    ("nodes", "steps", "joules", "why"),
    [
        # 10:00 to 11:00 of 10:00 to 12:00
        ({}, [("10:00", 3600, {})], None,
         "its steps' counters cover 50 % of its time on its nodes"),
        # 10:00 to 11:54 are 6,840 of 7,200 s, 0.95: the rest as in these, 9 MJ / 0.95
        ({}, [("10:00", 6840, {})], 9e6 / 0.95, ""),
        # two steps, of one node each: all of the one and half of the other are 3/4
        (TWO, [("10:00", 7200, {"NNodes": "1", "NodeList": "gpu01"}),
               ("11:00", 3600, {"NNodes": "1", "NodeList": "gpu02"})], None,
         "its steps' counters cover 75 % of its time on its nodes"),
        # one after the other; and both on one node from 10:30 to 11:30
        ({}, [("10:00", 3600, {}), ("11:00", 3600, {})], 18e6, ""),
        ({}, [("10:00", 5400, {}), ("10:30", 5400, {})], None,
         "steps that ran at once on a node counted all of it each: it is in their sum twice"),
    ],
)  # fmt: skip
def test_steps_of_a_part_of_a_job_are_not_the_meter_of_all_of_it(
    nodes: dict[str, str],
    steps: list[tuple[str, int, dict[str, str]]],
    joules: float | None,
    why: str,
) -> None:
    (job,) = told(
        line(JobID="7", ConsumedEnergyRaw="", **nodes),
        *(
            line(
                JobID=f"7.{number}", ConsumedEnergyRaw="9000000", ElapsedRaw=str(seconds),
                **{**nodes, "Start": f"2026-10-05T{clock}:00", **own},
            )
            for number, (clock, seconds, own) in enumerate(steps)
        ),
    )  # fmt: skip
    assert (job.joules, job.why or "") == (joules and pytest.approx(joules), why)


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ("COMPLETED", "completed"),
        ("CANCELLED by 1000", "cancelled"),
        ("OUT_OF_MEMORY", "failed"),
        ("DEADLINE", "timeout"),
        ("PREEMPTED", "requeued"),
        ("NODE_FAIL", "node_fail"),
        ("RUNNING", "running"),
        ("SUSPENDED", "suspended"),
    ],
)
def test_states(said: str, state: str) -> None:
    assert told(line(State=said))[0].state == state


def test_attempts_of_a_requeued_job_are_told_apart_by_their_start() -> None:
    first, second = told(
        line(JobID="9", State="NODE_FAIL", Start="2026-10-05T10:00:00"),
        line(JobID="9", State="COMPLETED", Start="2026-10-05T14:00:00", End="2026-10-05T16:00:00"),
    )
    assert first.key[:2] == second.key[:2] == ("c", "9")
    assert (first.attempt, second.attempt) == ("2026-10-05T10:00:00", "2026-10-05T14:00:00")


def test_arrays_and_heterogeneous_jobs_are_rows_of_their_own() -> None:
    found = told(
        line(JobID="12_3", JobIDRaw="15"),
        line(JobID="20+0", JobIDRaw="20"),
        line(JobID="20+1", JobIDRaw="21", AllocTRES="cpu=4,node=1"),
    )
    assert [(one.job, one.raw, one.devices) for one in found] == [
        ("12_3", "15", 4.0),
        ("20+0", "20", 4.0),
        ("20+1", "21", 0.0),
    ]


def test_parts_of_devices() -> None:
    mig, shards = told(
        line(JobID="1", AllocTRES="cpu=1,gres/gpu:a100_2g.10gb=1,gres/gpu=1"),
        line(JobID="2", AllocTRES="cpu=1,gres/shard=3"),
    )
    assert mig.devices == pytest.approx(2 / 7)
    assert (shards.devices, shards.shards) == (None, 3.0)


def test_what_never_ran_or_ran_elsewhere_is_no_attempt() -> None:
    assert (
        told(
            line(JobID="1", State="PENDING", Start="Unknown", End="Unknown", ElapsedRaw="0"),
            line(JobID="2", State="CANCELLED by 0", AllocTRES="", Start="None", ElapsedRaw="0"),
            line(JobID="3", State="REVOKED"),  # the sibling of a federated job
            line(JobID="4_[1-9]", State="PENDING", ElapsedRaw="0"),
        )
        == []
    )


def test_a_clock_that_was_set_back_leaves_the_time_that_slurm_counted() -> None:
    (job,) = told(line(Start="2026-10-05T10:00:00", End="2026-10-05T09:00:00"))
    assert job.end is not None
    assert job.start is not None
    assert (job.seconds, job.end - job.start) == (7200.0, 7200.0)


@pytest.mark.parametrize(
    ("cells", "why"),
    [
        # 10:00 to 11:00 are 3,600 s, and clocks round to two; an hour more may be of another zone
        ({"ElapsedRaw": "36000"}, "it ran for 36,000 s, and from its start to its end are 3,600 s"),
        ({"ElapsedRaw": "7203"}, "it ran for 7,203 s, and from its start to its end are 3,600 s"),
        ({"ElapsedRaw": "3603"}, "it ran for 3,603 s, and from its start to its end are 3,600 s: "
         "is fleet.yaml's timezone that of the dump?"),
        ({"Start": "1791190800", "End": "1791194400", "ElapsedRaw": "3603"},
         "it ran for 3,603 s, and from its start to its end are 3,600 s"),
    ],
)  # fmt: skip
def test_a_row_that_ran_for_longer_than_it_was_there_is_refused(
    cells: dict[str, str], why: str
) -> None:
    (found,) = read_dump(line(**{"End": "2026-10-05T11:00:00", **cells}))
    assert found == Refused(line=2, row="1", why=why)
    (rounded,) = told(line(End="2026-10-05T11:00:00", ElapsedRaw="3602"))
    assert rounded.why == ""


@pytest.mark.parametrize("amount", ["-4", "nan", "inf", "", "4x"])
def test_devices_without_a_number_are_not_none(amount: str) -> None:
    (found,) = read_dump(line(AllocTRES=f"cpu=4,gres/gpu={amount},gres/gpumem=9G"))
    assert isinstance(found, Refused)
    assert found.why.startswith(
        f'AllocTRES: expected accelerators such as gres/gpu:a100=2, where "gres/gpu={amount}" '
    )


def test_counts_that_disagree_are_named() -> None:
    (job,) = told(line(AllocTRES="gres/gpu:h100=4,gres/gpu=2"))
    assert (job.devices, job.why) == (4.0, "its types of gpu are 4, and all of them 2")
    (job,) = told(line(NNodes="4"))
    assert job.why == "NNodes says 4, and NodeList names 1"
    (job,) = told(line(NNodes="3", NodeList="gpu[01-02],gpu07"))
    assert job.why == ""
    (job,) = told(line(NodeList="None assigned"))
    assert job.why == ""


def test_times_that_cannot_be_are_named_where_what_it_ran_for_is_known() -> None:
    backwards = "it ends before it starts: a clock was set? what it ran for is counted"
    (job,) = told(line(Start="2026-10-05T12:00:02"))  # to 12:00 are two seconds: clocks round
    assert job.why == ""
    (job,) = told(line(Start="2026-10-05T13:00:00"))
    assert (job.seconds, job.why) == (7200.0, backwards)
    # 10:00 to 18:00 are 28,800 s: 7,200 s and 6 hours of suspension, or of what?
    (job,) = told(line(End="2026-10-05T18:00:00", Suspended="06:00:00"))
    assert job.why == ""
    (job,) = told(line(End="2026-10-05T18:00:00", Suspended="00:00:00"))
    assert job.why == "it ran for less than from its start to its end, and was not suspended"


@pytest.mark.parametrize(
    ("start", "end", "seconds", "utc", "why"),
    [
        # 02:30 summer time, 00:30 UTC, to 02:10 winter time are 40 minutes
        ("02:30", "02:10", 2400, ("00:30", "01:10"), ""),
        # 02:00 to 02:30: half an hour in either, and an hour more where 02:30 is its second
        ("02:00", "02:30", 1800, ("00:00", "00:30"), ""),
        ("02:00", "02:30", 5400, ("00:00", "01:30"), ""),
        # 02:30 to 03:30: an hour from its second time, two from its first
        ("02:30", "03:30", 3600, ("01:30", "02:30"), ""),
        ("02:30", "03:30", 7200, ("00:30", "02:30"), ""),
        # 01:00 to 04:00 are four hours that night, whatever else a row says of it
        ("01:00", "04:00", 10800, ("23:00", "03:00"),
         "it ran for less than from its start to its end, and was not suspended"),
        ("01:00", "04:00", 18000, None, "it ran for 18,000 s, and from its start to its end are "
         "14,400 s: is fleet.yaml's timezone that of the dump?"),
    ],
)  # fmt: skip
def test_where_summer_time_ends_an_hour_is_there_twice(
    start: str, end: str, seconds: int, utc: tuple[str, str] | None, why: str
) -> None:
    day = "2026-10-25T"
    cells = {"Start": f"{day}{start}:00", "End": f"{day}{end}:00", "ElapsedRaw": f"{seconds}"}
    row = line(**cells, Suspended="00:00:00", Submit="2026-10-24T20:00:00")
    (job,) = attempts(dump(row), "x", Reading(zone=ZoneInfo("Europe/Berlin")))
    if utc is None:
        assert job == Refused(line=2, row="1", why=why)
        return
    assert isinstance(job, Facts)
    assert (job.seconds, job.why) == (float(seconds), why)
    clock = [
        datetime.fromtimestamp(at or 0.0, UTC).strftime("%H:%M") for at in (job.start, job.end)
    ]
    assert tuple(clock) == utc


def test_more_than_nodes_have_is_named() -> None:
    many = "cpu=32,gres/gpu=64,node=1"
    with memory() as ledger:
        imported(
            ledger, cluster(), line(AllocTRES=many, Partition="old"), line(JobID="2", NNodes="1")
        )
        # 64 devices for 2 h at 0.5 USD, on one node of four; 4 of 8 are none too many
        first, second = rows(ledger)
        assert (first.cost, first.why) == (
            pytest.approx(64.0), "more devices than its nodes have (partitions.old.per_node)",
        )  # fmt: skip
        assert second.why is None
        assert "because: 1 job, 94 % of the device-hours: more devices than its nodes have " in (
            "\n".join(check(ledger).lines())
        )
        imported(ledger, cluster(FLEET.replace("plugin: exclusive}", "cpus: 16}")), line(JobID="2"))
        found = next(row for row in rows(ledger) if row.job == "2")
        assert found.why == "more processors than its nodes have (partitions.gpu.cpus)"


def test_a_job_that_runs_ends_now_as_far_as_is_known() -> None:
    (job,) = told(line(State="RUNNING", End="Unknown", Suspended="01:00:00"))
    assert job.end is not None
    assert job.start is not None
    assert job.end - job.start == 7200.0 + 3600.0


def test_a_counter_that_wrapped_is_no_energy() -> None:
    (job,) = told(line(ConsumedEnergyRaw=str(7200 * 4 * 20_001)))
    assert job.joules is None
    assert job.why == "the energy counter wrapped: more than any node draws"
    (most,) = told(line(ConsumedEnergyRaw=str(7200 * 4 * 20_000)))
    assert most.joules == 7200 * 4 * 20_000


@pytest.mark.parametrize(
    ("cells", "why"),
    [
        ({"JobID": "abc"}, "no job id such as 123, 12_3 or 12+1"),
        ({"JobID": "8.0"}, "a step without its job's row before it"),
        ({"State": "WHAT"}, 'State: no state of Slurm: "WHAT"'),
        (
            {"ElapsedRaw": "soon"},
            'ElapsedRaw: expected a time, such as 3600 or 1-02:03:04; got "soon"',
        ),
        ({"ElapsedRaw": "999999999"}, "ElapsedRaw: 1e+09 s are more than ten years"),
        ({"Start": "yesterday"}, "Start: no time"),
        (
            {"ConsumedEnergyRaw": "much"},
            'ConsumedEnergyRaw: expected joules, such as 3600000 or 3.60M; got "much"',
        ),
        (
            {"Submit": "Unknown", "Start": "Unknown", "End": "Unknown"},
            "no time of Start, Submit or End: it stands in no month",
        ),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_line(cells: dict[str, str], why: str) -> None:
    found = read_dump(line(JobID="1"), line(**{"JobID": "2", **cells}))
    (bad,) = [one for one in found if isinstance(one, Refused)]
    assert len(found) == 2
    assert bad == Refused(line=3, row=cells.get("JobID", "2"), why=why)


def test_a_line_that_was_cut_off_and_one_with_a_bar_in_a_name() -> None:
    whole = line(JobID="5")
    found = read_dump(line(JobID="4", JobName="a|b"), whole, line(JobID="6")[:20])
    assert [one for one in found if isinstance(one, Refused)] == [
        Refused(line=2, row="4", why="20 cells, and the header has 19; a name with a | in it?"),
        Refused(line=4, row="6", why="6 cells, and the header has 19; cut off?"),
    ]
    assert len(found) == 3


def test_dumps_put_together_have_their_header_again() -> None:
    once = dump(line(JobID="1"))
    assert len(list(attempts([*once, *once], "x", Reading()))) == 2


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([], "x:1: expected a table of sacct -P with its header; it is empty"),
        (
            ["JobID|State"],
            "x:1: expected a table of sacct -P with its header; missing: AllocTRES, ElapsedRaw",
        ),
    ],
)
def test_what_is_no_table(lines: list[str], said: str) -> None:
    with pytest.raises(InputError) as error:
        list(attempts(lines, "x", Reading()))
    assert str(error.value) == f"{said}\n1 problem in x"


def test_the_reader_is_a_stream() -> None:
    """It asks for no line before it needs it: a dump of any length takes no more memory."""
    asked = 0

    def lines() -> object:
        nonlocal asked
        for text in dump(*(line(JobID=str(n)) for n in range(1, 100))):
            asked += 1
            yield text

    stream = attempts(lines(), "x", Reading())  # type: ignore[arg-type]
    next(stream)
    assert asked == 3  # the header, the job, and the next job, which ends the first


def sacct(folder: Path, body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sacct that does what ``body`` says; it knows the columns of an old Slurm."""
    (folder / "sacct").write_text(
        "#!/bin/bash\n"
        'if [ "$1" = --helpformat ]; then echo "JobID JobIDRaw State Start End ElapsedRaw"; '
        'echo "AllocTRES ConsumedEnergyRaw"; exit 0; fi\n'
        'printf "%s\\n" "$@" > words; echo "$SLURM_TIME_FORMAT" > format\n' + body
    )
    (folder / "sacct").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.chdir(folder)


def test_sacct_itself_is_asked_for_what_it_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = "JobID|State|Start|ElapsedRaw|AllocTRES\\n7|COMPLETED|1791194400|60|gres/gpu=1\\n"
    sacct(tmp_path, f'printf "{told}"\n', monkeypatch)
    with running("2026-10-01") as lines:
        (job,) = attempts(lines, "sacct", Reading())
    assert not isinstance(job, Refused)
    assert (job.start, job.devices) == (1791194400.0, 1.0)
    assert (tmp_path / "format").read_text() == "%s\n"
    assert (tmp_path / "words").read_text().split() == [
        "-a", "-P", "-D", "--noconvert",
        "--format=JobID,JobIDRaw,State,Start,End,ElapsedRaw,AllocTRES,ConsumedEnergyRaw",
        "--starttime=2026-10-01", "--endtime=now",
    ]  # fmt: skip


def test_a_sacct_that_fails_says_what_it_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sacct(tmp_path, "echo 'sacct: error: no slurmdbd' >&2; exit 1\n", monkeypatch)
    with pytest.raises(InputError) as error, running(None, "7") as lines:
        list(attempts(lines, "sacct", Reading()))
    assert str(error.value) == "sacct: ended with 1: sacct: error: no slurmdbd"
    assert "--jobs=7" in (tmp_path / "words").read_text()


def test_a_sacct_that_dies_in_the_middle_is_told_after_what_it_gave(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = "JobID|State|Start|ElapsedRaw|AllocTRES\\n7|COMPLETED|1791194400|60|gres/gpu=1\\n"
    sacct(tmp_path, f'printf "{told}"; echo "gone" >&2; exit 3\n', monkeypatch)
    found = []
    with pytest.raises(InputError, match="sacct: ended with 3: gone"), running("x") as lines:
        found += list(attempts(lines, "sacct", Reading()))
    assert len(found) == 1


def test_without_sacct(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="there is no sacct here; give a FILE"), running("x"):
        pass
