"""LSF's bacct: one line an event or wrapped, GPUs by host and task, ends by their reasons."""

from __future__ import annotations

from datetime import UTC
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from fleet_byhand import cluster, memory, rows

from costcalc.base.errors import InputError
from costcalc.fleet.facts import Facts, Refused
from costcalc.fleet.importing import lsf
from costcalc.fleet.sources import Asked, import_from

HEAD = """
Accounting information about jobs that are:
  - submitted by all users.
------------------------------------------------------------------------------

"""
ONE = """Job <12[3]>, Job Name <tune, User <eve>, User <anna>, Project <chemistry>, Status <DONE>, \
Queue <gpu>, Command <python train.py --note "User <root>">, Share group charged </anna>
Mon Oct  5 09:00:00 2026: Submitted from host <login>, CWD <$HOME>;
Mon Oct  5 10:00:00 2026: Dispatched 4 Task(s) on Host(s) <n1> <n1> <n2> <n2>, Allocated 4 Slot(s) \
on Host(s) <2*n1> <n2> <n2>, Effective RES_REQ <select[ngpus>0] rusage[ngpus_physical=2.00/host] >;
Mon Oct  5 12:00:00 2026: Completed <done>.

GPU_ALLOCATION:
 HOST             TASK GPU_ID  GI_PLACEMENT/SIZE    MODEL        MTOTAL  FACTOR MRSV    SOCKET
 a-long-name-of-  0    0       -                    NVIDIAH100   79.6G   0.0    0M      0
                  1    0       -                    NVIDIAH100   79.6G   0.0    0M      0
                  1    1       -                    NVIDIAH100   79.6G   0.0    0M      0
 a-long-name-of-  0    0       -                    NVIDIAH100   79.6G   0.0    0M      0

Accounting information about this job:
     CPU_T     WAIT     TURNAROUND   STATUS     HOG_FACTOR    MEM    SWAP
      0.22     3600          10800     done         0.0060    11M      0M
------------------------------------------------------------------------------

"""
WRAPPED = """Job <13>, User <bob>, Project <bio>, Status <EXIT>, Queue <cpu>, Comma
                     nd <sleep 60>
Mon Oct  5 09:00:00 2026: Submitted from host <login>, CWD <$HOME>, Output File <l
                     sf.o%J>;
Mon Oct  5 10:00:00 2026: Dispatched to <n3>;
Mon Oct  5 10:30:00 2026: Completed <exit>; TERM_RUNLIMIT: job killed after reach
                     ing LSF run time limit.

Accounting information about this job:
     CPU_T     WAIT     TURNAROUND   STATUS     HOG_FACTOR    MEM    SWAP
      0.08     3600           5400     exit         0.0007     5M    222M
------------------------------------------------------------------------------

"""


def told(folder: Path, text: str) -> list[Facts | Refused]:
    path = folder / "bacct.txt"
    path.write_text(HEAD + text)
    return list(lsf.jobs(path, UTC, "c"))


def test_a_job_on_two_hosts(tmp_path: Path) -> None:
    (one,) = told(tmp_path, ONE)
    assert isinstance(one, Facts)
    assert (one.job, one.user, one.account, one.partition) == ("12[3]", "anna", "chemistry", "gpu")
    assert (one.seconds, one.state) == (7200.0, "completed")
    # of the first host the boards 0 and 1, of the second, whose name is cut off alike, board 0
    assert (one.devices, one.kinds) == (3.0, ("nvidiah100",))
    assert (one.nodes, one.node_list, one.cpus) == (2, "n1,n2", 4.0)


def test_a_time_that_the_clock_shows_twice_is_told_by_the_turnaround(tmp_path: Path) -> None:
    """Berlin, 2026-10-25: 02:00 to 02:30 are half an hour, or one and a half."""
    night = STARTED.replace("Thu Oct  1 00:00:00", "Sat Oct 24 22:00:00").replace(
        "Thu Oct  1 00:30:00", "Sun Oct 25 02:00:00").replace(
        "Thu Oct  1 03:00:00", "Sun Oct 25 02:30:00")  # fmt: skip
    path = tmp_path / "bacct.txt"
    for turned, seconds in ((16_200, 1800.0), (19_800, 5400.0)):  # 14,400 s of them it waited
        table = f"     CPU_T     WAIT     TURNAROUND   STATUS\n  0.2  14400  {turned}  done\n"
        path.write_text(HEAD + night.replace("<done>.\n", f"<done>.\n\n{table}"))
        (one,) = lsf.jobs(path, ZoneInfo("Europe/Berlin"), "c")
        assert isinstance(one, Facts)
        assert (one.seconds, one.why) == (seconds, "")


def test_what_its_accounting_does_not_say_is_said_of_a_job(tmp_path: Path) -> None:
    (one,) = told(tmp_path, ONE.replace("  3600          10800 ", "     1             36 "))
    assert isinstance(one, Facts)
    assert (one.seconds, one.why) == (
        7200.0, "its events are 7,200 s apart, which are counted, and its TURNAROUND less its WAIT "
        "is 35 s",
    )  # fmt: skip
    again = "Thu Oct  1 00:30:00 2026: [1] started on <n1>;\n"
    (twice,) = told(tmp_path, STARTED.replace(again, again + again.replace("00:30", "01:30")))
    assert isinstance(twice, Facts)
    assert (twice.seconds, twice.why) == (
        5400.0, "it was dispatched 2 times, of which the last alone is counted",
    )  # fmt: skip


STARTED = """Job <457>, Job Name <train>, User <ann>, Project <phys>, Status <DONE>, Queue <gpu>
Thu Oct  1 00:00:00 2026: Submitted from host <login>, CWD <$HOME>;
Thu Oct  1 00:30:00 2026: [1] started on <n1>;
Thu Oct  1 03:00:00 2026: Completed <done>.

"""


def test_an_array_task_that_started_on_a_host(tmp_path: Path) -> None:
    (one,) = told(tmp_path, STARTED)
    assert isinstance(one, Facts)
    assert (one.seconds, one.node_list, one.cpus) == (9000.0, "n1", 1.0)  # 00:30 to 03:00
    (two,) = told(tmp_path, STARTED.replace("[1] started on <n1>", "Started 2 Task(s) on Host(s) "
                  "<n1> <n2>, Allocated 2 Slot(s) on Host(s) <n1> <n2>"))  # fmt: skip
    assert isinstance(two, Facts)
    assert (two.seconds, two.nodes) == (9000.0, 2)


def test_a_finished_job_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    lacks = "no line says where and when it started"
    for text in (
        STARTED.replace("[1] started on <n1>", "[1] begun at <n1>"),
        STARTED.replace("[1] started on <n1>", "[1] begun").replace(
            "<done>.\n", "<exit>.\n\nGPU_ALLOCATION:\n"
        ),
    ):
        assert told(tmp_path, text) == [Refused(line=6, row="457", why=lacks)]
    # one that was killed while it waited held nothing
    assert (
        told(tmp_path, STARTED.replace("[1] started on <n1>", "x").replace("done>", "exit>")) == []
    )
    assert told(
        tmp_path,
        STARTED.replace("03:00:00", "00:00:00").replace("Thu Oct  1 00:30", "Thu Oct  1 02:30"),
    ) == [Refused(line=6, row="457", why="it ends before it starts")]


def test_wrapped_lines_and_a_time_limit(tmp_path: Path) -> None:
    (one,) = told(tmp_path, WRAPPED)
    assert isinstance(one, Facts)
    assert (one.state, one.devices, one.seconds) == ("timeout", 0.0, 1800.0)
    assert (one.user, one.partition, one.node_list) == ("bob", "cpu", "n3")


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        (" 2026:", ":", "its times have no year: run bacct with LSB_DISPLAY_YEAR=Y"),
        ("Completed <done>.", "Stopped;", "it has no line that it completed"),
    ],
)
def test_what_is_refused(tmp_path: Path, old: str, new: str, why: str) -> None:
    (one, two) = told(tmp_path, ONE.replace(old, new) + WRAPPED)
    assert one == Refused(line=6, row="12[3]", why=why)
    assert isinstance(two, Facts)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (ONE.partition("GPU_ALLOCATION")[0], "it asked for GPUs: run bacct with -gpu"),
        (
            ONE.replace("0    0       -  ", "0    0       0/3"),
            "MIG instances: bacct does not say which part of a device",
        ),
    ],
)
def test_devices_that_are_not_told(tmp_path: Path, text: str, why: str) -> None:
    (one,) = told(tmp_path, text)
    assert isinstance(one, Facts)
    assert (one.devices, one.why) == (None, why)


def test_what_never_ran_and_what_is_no_dump(tmp_path: Path) -> None:
    never = WRAPPED.replace("Mon Oct  5 10:00:00 2026: Dispatched to <n3>;\n", "")
    assert told(tmp_path, never) == []
    with pytest.raises(InputError, match="it has no Job <…>"):
        told(tmp_path, "nothing\n")


def test_into_a_ledger_and_again(tmp_path: Path) -> None:
    path = tmp_path / "bacct.txt"
    path.write_text(HEAD + ONE + WRAPPED)
    with memory() as ledger:
        asked = Asked(source="lsf", where=str(path))
        assert import_from(ledger, cluster(), asked).counted.added == 2
        assert import_from(ledger, cluster(), asked).counted.known == 2
        one, two = rows(ledger)
        # in Berlin's zone; 3 devices for 2 h at 2 USD
        assert (one.device, one.cost, one.device_hours) == ("h100-sxm5-80", 12.0, 6.0)
        assert two.why == "no accelerator, and no meter: neither its power nor price is known"
