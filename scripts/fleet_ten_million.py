"""Ten million jobs of years on PostgreSQL: how long a ledger's sums take, and that they are right.

    python scripts/fleet_ten_million.py postgresql://me@127.0.0.1/empty [jobs] [--parquet FOLDER]

Forty thousand jobs are made up, imported and costed as any are; SQL copies them over sixty months,
each month's a little dearer than the one before.  The ledger's sums by account, of a month and of
all, are then set against what PostgreSQL adds up of the rows themselves and, with ``--parquet``
(needs duckdb), against DuckDB over the rows as Parquet files: to 1e-9.  Run by hand: it fills an
empty database with some ten gigabytes.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import func, select, text

sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))
from fleet import FLEET, lines

from costcalc.base.reading import read
from costcalc.fleet.cluster import checked
from costcalc.fleet.freshening import freshen
from costcalc.fleet.importing.slurm import Reading, attempts
from costcalc.fleet.ledger import Ledger
from costcalc.fleet.summary import summed
from costcalc.fleet.tables import FIGURES, jobs
from costcalc.fleet.taking import take

SEED = 40_000
MONTHS = 60
NEAR = 1e-9
SUMMED = ("device_hours", *FIGURES)


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Print how long it took."""
    start = time.monotonic()
    yield
    print(f"{what:58} {time.monotonic() - start:8.2f} s", flush=True)


def months() -> list[str]:
    """Sixty months, the last of them October 2026."""
    return [f"{2021 + (n + 10) // 12}-{(n + 10) % 12 + 1:02d}" for n in range(MONTHS)]


def grow(ledger: Ledger, wanted: int) -> None:
    """Copies of the seed, so many in each month, dearer by a thousandth from month to month."""
    names = [column.name for column in jobs.columns if column.name != "id"]
    scaled = {f"{name}{end}" for name in FIGURES for end in ("", "_low", "_high")}
    scaled |= {"device_hours", "metered", "seconds", "carbon_annual"}
    copies = -(-wanted // (SEED * MONTHS))
    for place, month in enumerate(months()):
        with ledger.writing() as connection:
            for copy in range(copies):
                factor = 1 + place / 1000 + copy / 100
                taken = [
                    f"job || '-{place}-{copy}'" if name == "job"
                    else f"'{month}'" if name == "month"
                    else f'"{name}" * {factor!r}' if name in scaled
                    else f'"{name}"'
                    for name in names
                ]  # fmt: skip
                quoted = ", ".join(f'"{name}"' for name in names)
                connection.execute(
                    text(
                        f"INSERT INTO jobs ({quoted}) SELECT {', '.join(taken)} FROM jobs "
                        "WHERE month = 'seed'"
                    )
                )
    with ledger.writing() as connection:
        connection.execute(text("DELETE FROM jobs WHERE month = 'seed'"))
        connection.execute(text("DELETE FROM fresh"))
    with ledger.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE jobs"))


def far(found: Mapping[str, float], wanted: Mapping[str, float]) -> float:
    """The largest relative distance of two sets of sums."""
    assert found.keys() == wanted.keys()
    return max(abs(found[k] - wanted[k]) / max(abs(wanted[k]), 1e-300) for k in wanted)


def of_rows(ledger: Ledger) -> dict[str, float]:
    """What the database adds up of the rows, by account and figure."""
    asked = select(jobs.c.account, *[func.sum(jobs.c[n]) for n in SUMMED]).where(jobs.c.current)
    with ledger.reading() as connection:
        rows = connection.execute(asked.group_by(jobs.c.account)).all()
    return {f"{row[0]} {n}": float(v) for row in rows for n, v in zip(SUMMED, row[1:], strict=True)}


def of_ledger(ledger: Ledger) -> dict[str, float]:
    """What the ledger says of all months, by account and figure."""
    made: dict[str, float] = {}
    for group in summed(ledger, months(), ("account",)).groups:
        made[f"{group.key[0]} device_hours"] = group.device_hours
        made |= {f"{group.key[0]} {n}": f.value for n, f in group.figures.items()}
    return made


def of_parquet(ledger: Ledger, folder: Path) -> dict[str, float]:
    """What DuckDB adds up of the rows as Parquet files, one a year."""
    import duckdb

    folder.mkdir(parents=True, exist_ok=True)
    columns = ", ".join(f'"{name}"' for name in ("month", "account", *SUMMED))
    with timed("  rows as Parquet files"), ledger.reading() as connection:
        raw = connection.connection.driver_connection
        for year in sorted({month[:4] for month in months()}):
            part = folder / f"{year}.csv"
            asked = f"SELECT {columns} FROM jobs WHERE current AND month LIKE '{year}-%'"
            copy = f"COPY ({asked}) TO STDOUT (FORMAT csv, HEADER)"
            with raw.cursor() as cursor, part.open("wb") as file, cursor.copy(copy) as copied:
                for piece in copied:
                    file.write(piece)
            duckdb.sql(
                f"COPY (FROM read_csv('{part}')) TO '{folder}/{year}.parquet' (FORMAT parquet)"
            )
            part.unlink()
    added = ", ".join(f"sum({name})" for name in SUMMED)
    with timed("  DuckDB sums them by account"):
        asked = f"SELECT account, {added} FROM '{folder}/*.parquet' GROUP BY account"
        rows = duckdb.sql(asked).fetchall()
    return {f"{row[0]} {n}": v for row in rows for n, v in zip(SUMMED, row[1:], strict=True)}


def main() -> int:
    """Fill, sum, compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("jobs", nargs="?", type=int, default=10_000_000)
    parser.add_argument("--parquet", type=Path)
    said = parser.parse_args()
    cluster = checked(read(FLEET, "fleet.yaml"))
    with Ledger.open(said.url, create=True) as ledger:
        with timed(f"{SEED:,} jobs imported"):
            told = attempts(lines(SEED), "made up", Reading())
            take(ledger, cluster, told, source="slurm", name="made up")
        with ledger.writing() as connection:
            connection.execute(text("UPDATE jobs SET month = 'seed'"))
        with timed("copied over sixty months"):
            grow(ledger, said.jobs)
        with ledger.reading() as connection:
            print(f"{connection.execute(select(func.count()).select_from(jobs)).scalar():,} jobs")
        with timed("one month summed anew"):
            freshen(ledger, months()[-1:])
        with timed("that month by account, with ranges"):
            summed(ledger, months()[-1:], ("account",))
        with timed("all other months summed anew"):
            freshen(ledger, months())
        with timed("all sixty by account, with ranges"):
            found = of_ledger(ledger)
        with timed("PostgreSQL adds up the rows themselves"):
            wanted = of_rows(ledger)
        distances = {"PostgreSQL": far(found, wanted)}
        if said.parquet:
            distances["DuckDB over Parquet"] = far(found, of_parquet(ledger, said.parquet))
    for name, distance in distances.items():
        print(f"the ledger's sums against {name}: {distance:.1e} apart, relatively")
    return 0 if max(distances.values()) <= NEAR else 1


if __name__ == "__main__":
    sys.exit(main())
