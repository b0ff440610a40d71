"""The ledger on a real PostgreSQL: the same answers, two importers, a server that goes away."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from fleet_byhand import FLEET, cluster, dump, imported, line, memory, rows, told, total

from costcalc.base.errors import InputError
from costcalc.fleet.facts import Facts
from costcalc.fleet.ledger import Ledger
from costcalc.fleet.month import of_period
from costcalc.fleet.summary import summed
from costcalc.fleet.taking import take
from costcalc.fleet.told import plain

pytestmark = pytest.mark.frameworks
NAMES = (
    "costcalc_one", "costcalc_two", "costcalc_three", "costcalc_four", "costcalc_old",
    "costcalc_counters", "costcalc_month",
)  # fmt: skip


def program(name: str) -> str | None:
    """A program of PostgreSQL, also where Debian puts it."""
    beside = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return shutil.which(name) or (str(beside[-1]) if beside else None)


class Server:
    """A server of its own in a folder, on loopback alone; PostgreSQL will not run as root."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as held:
            held.bind(("127.0.0.1", 0))
            self.port = held.getsockname()[1]
        self.user = "postgres" if os.getuid() == 0 else None
        if self.user:
            shutil.chown(folder, self.user)
        made = self.run("initdb", "-D", f"{folder}/data", "-U", "me", "--auth=trust", "-N")
        assert made, (folder / "said").read_text()

    def run(self, name: str, *words: str) -> bool:
        found = program(name)
        assert found is not None
        # To a file, not a pipe: the server that pg_ctl starts would hold a pipe open.
        with (self.folder / "said").open("w") as said:
            made = subprocess.run(
                [found, *words], check=False, cwd=self.folder, user=self.user, stdout=said,
                stderr=said, stdin=subprocess.DEVNULL,
                env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
            )  # fmt: skip
        return made.returncode == 0

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories="
        options += f"{self.folder} -c fsync=off"
        for _ in range(10):  # a backend that was cut off may still be ending
            if self.run("pg_ctl", "-D", f"{self.folder}/data", "-w", "-l", f"{self.folder}/log",
                        "-o", options, "start"):  # fmt: skip
                return
            time.sleep(1.0)
        raise AssertionError((self.folder / "log").read_text()[-2000:])

    def stop(self) -> None:
        self.run("pg_ctl", "-D", f"{self.folder}/data", "-w", "-m", "fast", "stop")

    def url(self, name: str) -> str:
        return f"postgresql://me@127.0.0.1:{self.port}/{name}"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    pytest.importorskip("psycopg")
    if program("initdb") is None:
        pytest.skip("no PostgreSQL here")
    # Not in pytest's folder, which every pytest that starts closes to other users.
    folder = Path(tempfile.mkdtemp(prefix="costcalc-"))
    made = Server(folder)
    try:
        made.start()
        import psycopg

        with psycopg.connect(made.url("postgres"), autocommit=True) as connection:
            for name in NAMES:
                connection.execute(f"CREATE DATABASE {name}")  # type: ignore[call-overload]
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder)


LINES = [
    line(
        JobID=str(n),
        Account=f"a{n % 3}",
        ElapsedRaw=str(100 + 119 * n),  # up to the two hours from start to end
        ConsumedEnergyRaw=str(n * 1_000_003 if n % 2 else 0),
        AllocTRES=f"gres/gpu={1 + n % 4},node=1",
    )
    for n in range(1, 60)
]


def test_it_answers_as_sqlite_does(server: Server) -> None:
    with memory() as one, Ledger.open(server.url("costcalc_one"), create=True) as other:
        for ledger in (one, other):
            out = imported(ledger, cluster(), *LINES, "\0 garbage")
            assert out.refused == 1  # what is no text is refused by PostgreSQL
            again = imported(
                ledger, cluster(), *LINES, line(JobID="2", Account="a1", ElapsedRaw="9")
            )
            assert (again.counted.known, again.counted.corrected) == (59, 1)
        sums = [summed(ledger, ["2026-10"], ("account", "state")) for ledger in (one, other)]
        assert len(sums[0].groups) == len(sums[1].groups) == 3
        for a, b in zip(sums[0].groups, sums[1].groups, strict=True):
            assert a.key == b.key
            for name, figure in a.figures.items():
                assert b.figures[name].value == pytest.approx(figure.value, rel=1e-9)
                assert b.figures[name].low == pytest.approx(figure.low, rel=1e-6)
        whole = sums[1].total.figures["cost"].value
        assert whole == pytest.approx(total(rows(other), "cost"), rel=1e-9)


def test_a_month_with_its_idle_nodes_is_that_of_sqlite(server: Server, tmp_path: Path) -> None:
    """Charges, the grid's hours and those that it lacks, a forecast: one answer, to 1e-9."""
    hours = "\n".join(f"2026-10-05T{hour:02d}:00Z,{100 + 40 * hour}" for hour in range(8, 12))
    (tmp_path / "grid.csv").write_text(f"time,carbon intensity (average)\n{hours}\n")
    text = (
        FLEET + "idle: {pays: shared, node_power: 1600 W}\n"
        "budgets: [{cost: 9 kUSD}, {account: chemistry, period: year, energy: 1 MWh}]\n"
        "grid: {hourly: grid.csv, market: 20 gCO2e/kWh}\n"
    )
    here = cluster(text, tmp_path)
    late = {"Start": "2026-10-06T10:00:00", "End": "2026-10-06T12:00:00"}
    edge = {"Start": "2026-09-30T20:00:00", "End": "2026-10-01T00:00:00", "ElapsedRaw": "14400"}
    with memory() as one, Ledger.open(server.url("costcalc_month"), create=True) as other:
        made = []
        for ledger in (one, other):
            imported(ledger, here, *LINES, line(JobID="99", **late), line(JobID="98", **edge))
            made.append(plain(of_period(ledger, here, "2026-10")))
    assert made[0]["total"]["carbon_by_grid_hours"]["jobs_by_year"] == 2.0  # type: ignore[index]
    assert made[0]["charges"]
    assert (made[0]["jobs_begun_before"], made[0]["device_hours_before"]) == (1, 8.0)
    assert list(_numbers(made[1])) == [pytest.approx(n, rel=1e-9) for n in _numbers(made[0])]


def _numbers(told: object) -> Iterator[float]:
    """Every number of a report, in its order."""
    if isinstance(told, Mapping):
        told = list(told.values())
    if isinstance(told, (list, tuple)):
        for item in told:
            yield from _numbers(item)
    elif isinstance(told, (int, float)):
        yield float(told)


def test_a_ledger_that_is_not_there(server: Server) -> None:
    with pytest.raises(InputError, match="no ledger is there; costcalc fleet init makes one"):
        Ledger.open(server.url("costcalc_two"))
    with pytest.raises(InputError, match='database "nothing" does not exist'):
        Ledger.open(server.url("nothing"))


def test_two_importers_at_once(server: Server) -> None:
    """Two threads, and two processes, with the same jobs in other orders: each counts once."""
    url = server.url("costcalc_three")
    Ledger.open(url, create=True).close()
    found = told(*(line(JobID=str(n)) for n in range(300)))
    counted: list[int] = []

    def work(part: list[Facts]) -> None:
        with Ledger.open(url) as own:
            for start in range(0, len(part), 30):
                some = iter(part[start : start + 30])
                counted.append(take(own, cluster(), some, source="slurm", name="x").counted.added)

    threads = [threading.Thread(target=work, args=(part,)) for part in (found, found[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with Ledger.open(url) as ledger:
        assert len(rows(ledger, everything=True)) == sum(counted) == 300


def test_two_processes_at_once(server: Server, tmp_path: Path) -> None:
    from fleet_byhand import FLEET, dump

    (tmp_path / "fleet.yaml").write_text(FLEET)
    lines = [line(JobID=str(n)) for n in range(200)]
    (tmp_path / "one.txt").write_text("\n".join(dump(*lines)))
    (tmp_path / "two.txt").write_text("\n".join(dump(*lines[::-1])))
    environment: Mapping[str, str] = {
        **os.environ, "COSTCALC_FLEET_LEDGER": server.url("costcalc_four"),
    }  # fmt: skip
    command = [sys.executable, "-m", "costcalc", "fleet"]
    subprocess.run([*command, "init"], cwd=tmp_path, env=environment, check=True)
    running = [
        subprocess.Popen([*command, "import", "slurm", name], cwd=tmp_path, env=environment)
        for name in ("one.txt", "two.txt")
    ]
    assert [one.wait() for one in running] == [0, 0]
    with Ledger.open(server.url("costcalc_four")) as ledger:
        assert len(rows(ledger, everything=True)) == 200


def test_a_server_that_goes_away_loses_nothing(server: Server) -> None:
    """Between two batches it stops: what came before stays, and the import goes on later."""
    from costcalc.fleet import taking

    with Ledger.open(server.url("costcalc_two"), create=True) as ledger:
        found = told(*(line(JobID=str(n)) for n in range(40)))

        def breaking() -> Iterator[Facts]:
            yield from found[:20]
            server.stop()
            yield from found[20:]

        batch, taking.BATCH = taking.BATCH, 10
        try:
            with pytest.raises(InputError, match="the database does not do it"):
                take(ledger, cluster(), breaking(), source="slurm", name="x")
            server.start()
            assert len(rows(ledger)) in (10, 20)
            whole = take(ledger, cluster(), iter(found), source="slurm", name="x")
        finally:
            taking.BATCH = batch
        assert whole.counted.added + whole.counted.known == 40
        assert len(rows(ledger, everything=True)) == 40


def test_a_ledger_of_before_is_brought_up_and_knows_its_jobs(server: Server) -> None:
    """Version 3 named attempts by seconds: 10:00 UTC is 1791194400, and in Berlin 1791187200."""
    from zoneinfo import ZoneInfo

    from sqlalchemy import text

    from costcalc.fleet.importing.slurm import Reading, attempts
    from costcalc.fleet.taking import take

    url = server.url("costcalc_old")
    with Ledger.open(url, create=True) as ledger:
        imported(ledger, cluster(), line(ConsumedEnergyRaw="18000000"))
        with ledger.writing() as connection:
            for said in (
                "UPDATE jobs SET attempt = '1791194400'", "ALTER TABLE jobs DROP COLUMN clock",
                "ALTER TABLE jobs DROP COLUMN steps", "DROP TABLE counters",
                "UPDATE about SET value = '3' WHERE key = 'version'",
            ):  # fmt: skip
                connection.execute(text(said))
    with Ledger.open(url) as ledger:
        for zone, counted, start in (
            ("UTC", (0, 0, 1), 1_791_194_400.0),
            ("Europe/Berlin", (0, 1, 0), 1_791_187_200.0),
            ("Europe/Berlin", (0, 0, 1), 1_791_187_200.0),
        ):
            told_ = attempts(dump(line()), "x", Reading(zone=ZoneInfo(zone)))
            taken = take(ledger, cluster(), told_, source="slurm", name="x").counted
            assert (taken.added, taken.corrected, taken.known) == counted
            assert [row.start for row in rows(ledger)] == [start]
            assert [row.metered for row in rows(ledger)] == [pytest.approx(5.0)]


def test_counters_of_two_exporters_at_once_do_not_fall(server: Server) -> None:
    """16 USD, corrected to 8: each shows 16, whoever has written it."""
    from costcalc.fleet.counting import count

    url = server.url("costcalc_counters")
    with Ledger.open(url, create=True) as ledger, Ledger.open(url) as other:
        imported(ledger, cluster(), line())
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(count, [ledger, other, ledger, other]))
        assert [[row["cost"] for row in one] for one in found] == [[16.0]] * 4
        imported(ledger, cluster(), line(ElapsedRaw="3600"))
        assert [row["cost"] for row in count(other)] == [16.0]
