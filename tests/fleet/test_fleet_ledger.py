"""The ledger: twice is once, a correction supersedes, two importers do not tangle, versions."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from fleet_byhand import FLEET, cluster, imported, line, memory, read_dump, rows, told
from sqlalchemy import inspect, select, text

from costcalc.base.errors import InputError
from costcalc.fleet import tables
from costcalc.fleet.checking import check, refusals
from costcalc.fleet.facts import Facts, Refused
from costcalc.fleet.ledger import Ledger
from costcalc.fleet.taking import BATCH, take


def test_twice_is_once_and_a_correction_is_a_new_row() -> None:
    with memory() as ledger:
        first = imported(ledger, cluster(), line(JobID="1"), line(JobID="2", State="RUNNING"))
        assert (first.counted.added, first.counted.known) == (2, 0)
        again = imported(ledger, cluster(), line(JobID="1"), line(JobID="2", State="RUNNING"))
        assert (again.counted.added, again.counted.corrected, again.counted.known) == (0, 0, 2)
        later = imported(
            ledger, cluster(), line(JobID="2", ElapsedRaw="10800", End="2026-10-05T13:00:00")
        )
        assert (later.counted.added, later.counted.corrected) == (0, 1)
        assert [(row.job, row.state, row.revision) for row in rows(ledger)] == [
            ("1", "completed", 0),
            ("2", "completed", 1),
        ]
        assert len(rows(ledger, everything=True)) == 3


def test_another_price_is_a_correction_too() -> None:
    with memory() as ledger:
        imported(ledger, cluster(), line())
        dearer = imported(ledger, cluster(FLEET.replace("2 USD", "3 USD")), line())
        assert dearer.counted.corrected == 1
        (row,) = rows(ledger)
        assert row.cost == pytest.approx(8 * 3.0)


def test_what_is_refused_is_kept_with_its_reason() -> None:
    with memory() as ledger:
        taken = imported(ledger, cluster(), line(JobID="1"), line(JobID="2", State="ODD"))
        assert taken.lines() == [
            "1 job added, 0 corrected, 0 known already, 1 row refused",
            '  line 3: 2: State: no state of Slurm: "ODD"',
        ]
        with ledger.reading() as connection:
            (row,) = connection.execute(select(tables.refused))
        assert (row.line, row.row, row.why) == (3, "2", 'State: no state of Slurm: "ODD"')


def test_a_source_that_dies_leaves_what_came_before_and_goes_on_later() -> None:
    found = told(*(line(JobID=str(n)) for n in range(BATCH + 5)))

    def dying() -> Iterator[Facts | Refused]:
        yield from found[: BATCH + 2]
        raise InputError([])

    with memory() as ledger:
        with pytest.raises(InputError):
            take(ledger, cluster(), dying(), source="slurm", name="sacct")
        assert len(rows(ledger)) == BATCH  # whole batches
        with ledger.reading() as connection:
            (row,) = connection.execute(select(tables.imports))
        assert (row.ended, row.added) == (None, BATCH)
        whole = take(ledger, cluster(), iter(found), source="slurm", name="sacct")
        assert (whole.counted.added, whole.counted.known) == (5, BATCH)


def test_two_importers_at_once_count_each_job_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/fleet.db"
    Ledger.open(url, create=True).close()
    found = told(*(line(JobID=str(n)) for n in range(400)))
    counted: list[int] = []

    def work(part: list[Facts]) -> None:
        with Ledger.open(url) as own:
            for start in range(0, len(part), 40):
                some = iter(part[start : start + 40])
                counted.append(take(own, cluster(), some, source="slurm", name="x").counted.added)

    threads = [threading.Thread(target=work, args=(part,)) for part in (found, found[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with Ledger.open(url) as ledger:
        assert len(rows(ledger, everything=True)) == 400
    assert sum(counted) == 400


def test_garbage_does_not_touch_the_rest() -> None:
    lines = [line(JobID=str(n)) if n % 10 else f"\x00\xff|{'?' * n}" for n in range(1, 201)]
    with memory() as ledger:
        taken = imported(ledger, cluster(), *lines)
        assert (taken.counted.added, taken.refused) == (180, 20)
        assert {one.why for one in taken.shown} == {"2 cells, and the header has 19; cut off?"}


def test_names_are_hashed_with_the_secret_of_the_ledger() -> None:
    private = cluster(FLEET + "privacy: {users: hash}\n")
    with memory() as one, memory() as other:
        for ledger in (one, other):
            imported(ledger, private, line(JobID="1"), line(JobID="2"), line(JobID="3", User="bo"))
        a, b, c = (row.user for row in rows(one))
        assert a == b != c
        assert a.startswith("user-")
        assert rows(other)[0].user != a


def test_an_older_ledger_is_brought_up_and_a_newer_one_refused(tmp_path: Path) -> None:
    file = tmp_path / "old.db"
    with Ledger.open(f"sqlite:///{file}", create=True) as ledger, ledger.writing() as connection:
        connection.execute(text("DROP INDEX jobs_by_end"))
        connection.execute(text("DROP INDEX jobs_of_a_month_by_start"))
        connection.execute(text("CREATE INDEX jobs_of_a_month ON jobs (month)"))
        connection.execute(text("UPDATE about SET value = '1' WHERE key = 'version'"))
    with Ledger.open(str(file)) as ledger:
        assert ledger.about("version") == str(tables.VERSION)
        with ledger.reading() as connection:
            names = {one["name"] for one in inspect(connection).get_indexes("jobs")}
            assert {"jobs_by_end", "jobs_of_a_month_by_start"} <= names
            assert "jobs_of_a_month" not in names
        with ledger.writing() as connection:
            connection.execute(text("UPDATE about SET value = '99' WHERE key = 'version'"))
    with pytest.raises(InputError, match="the ledger is of version 99, and this costcalc knows"):
        Ledger.open(str(file))


def test_a_ledger_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        Ledger.open(f"sqlite:///{tmp_path}/no.db")
    assert "ledger: no ledger is there; costcalc fleet init makes one" in str(error.value)
    assert not (tmp_path / "no.db").exists()
    with pytest.raises(InputError) as error:
        Ledger.open("mysql://x/y")
    assert str(error.value) == (
        'ledger: expected sqlite:///FILE or postgresql://USER@HOST/NAME; got "mysql://x/y"'
    )


@pytest.mark.frameworks
def test_a_password_is_in_no_message() -> None:
    pytest.importorskip("psycopg")
    with pytest.raises(InputError) as error:
        Ledger.open("postgresql://me:hunter2@127.0.0.1:1/fleet")
    assert "hunter2" not in str(error.value)
    assert "the database does not do it" in str(error.value) or "psycopg" in str(error.value)


def test_half_of_a_dump_and_then_all_of_it() -> None:
    whole = [line(JobID=str(n)) for n in range(1, 11)]
    half = [*whole[:5], whole[5][:30]]
    with memory() as ledger:
        first = take(ledger, cluster(), read_dump(*half), source="slurm", name="x")
        assert (first.counted.added, first.refused) == (5, 1)
        second = take(ledger, cluster(), read_dump(*whole), source="slurm", name="x")
        assert (second.counted.added, second.counted.known) == (5, 5)


@pytest.mark.parametrize(
    ("table", "always"),
    [
        ("kinds", "digest id known run version"),
        ("imports", "added began corrected id known name refused source"),
        ("refused", "id import_id row why"),
        # a job is known by what it is of, from when and for how long; all else may be unknown
        (
            "jobs",
            "attempt cluster current digest id import_id job month revision seconds source state",
        ),
        ("readings", "attempt cluster current id import_id job meter rank revision scope"),
    ],
)
def test_what_a_row_cannot_be_without(table: str, always: str) -> None:
    columns = tables.metadata.tables[table].columns
    assert sorted(column.name for column in columns if not column.nullable) == always.split()


def test_names_that_fleet_yaml_does_not_know_are_said_at_import_and_by_check() -> None:
    with memory() as ledger:
        taken = imported(
            ledger, cluster(), line(JobID="1", Partition="gpus", Account="arts"),
            line(JobID="2", Account="arts"), line(JobID="3", Partition="gpu,gpus"),
        )  # fmt: skip
        said = [
            "account arts is not in fleet.yaml: it has its partition's price: 2 jobs",
            "partition gpus is not in fleet.yaml (did you mean gpu?): it has the cluster's price: "
            "1 job",
        ]
        told = taken.lines()[1:]  # of a partition without a board the scheduler's word is taken
        assert told[0].startswith('"h100" is taken as h100-sxm5-80 ')
        assert told[1:] == said
        # 4 devices for 2 h at 2 USD
        assert [row.cost for row in rows(ledger)] == [pytest.approx(16.0)] * 3
        assert check(ledger, None, cluster().fleet).unnamed == said
        assert check(ledger, None, cluster("{}").fleet).unnamed == []
        every = cluster(
            "partitions: {default: {accelerator: h100}}\naccounts: {arts: {}, chemistry: {}}"
        )
        assert check(ledger, None, every.fleet).unnamed == []


def test_a_device_whose_name_several_boards_have_is_said_at_import() -> None:
    of = cluster("partitions: {gpu: {accelerator: h800, per_node: 8}, old: {accelerator: l4}}")
    with memory() as ledger:
        taken = imported(ledger, of, line(JobID="1"), line(JobID="2", Partition="old"))
    assert taken.lines()[1:] == [
        '"h800" is taken as h800-sxm5-80 (NVIDIA H800 SXM5 80 GB), its commonest board; '
        "h800-pcie-80 is called so too: write which"
    ]


def test_what_is_no_text_is_marked() -> None:
    """PostgreSQL refuses NUL, and a terminal obeys ESC: a row of garbage ended the import there."""
    odd = line(JobName="ab\x1b[2J", User="ev\u202ee")
    with memory() as ledger:
        taken = imported(ledger, cluster(), odd, "\0\x1b[2J garbage")
        (row,) = rows(ledger)
        said = refusals(ledger)
    assert (row.name, row.user) == ("ab\ufffd[2J", "ev\ufffde")
    assert said == [
        "sacct.txt:3: \ufffd\ufffd[2J garbage: 1 cells, and the header has 19; cut off?"
    ]
    assert [one.row for one in taken.shown] == ["\ufffd\ufffd[2J garbage"]


def test_a_row_of_a_source_without_lines_has_none() -> None:
    with memory() as ledger:
        one = Refused(line=None, row="ml/train", why="it still runs")
        taken = take(ledger, cluster(), [one], source="kubernetes", name="pods.json")
        assert refusals(ledger) == ["pods.json: ml/train: it still runs"]
    assert taken.lines()[1] == "  ml/train: it still runs"


def test_a_ledger_without_jobs_is_not_said_to_be_known() -> None:
    with memory() as ledger:
        assert check(ledger).lines() == [
            "0 jobs, 0 device-hours",
            "nothing to check: no job is there",
        ]
