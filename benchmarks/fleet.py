"""A ledger: a hundred thousand jobs imported, a million summed by account, and what that takes.

Run: python benchmarks/fleet.py [jobs imported] [jobs summed].  The reference of the import's ratio
is parting the same lines into cells, in the same run.  The sums are held to the rows' own.
"""

from __future__ import annotations

import random
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import func, select, text

from costcalc.base.reading import read
from costcalc.fleet.cluster import checked
from costcalc.fleet.freshening import freshen
from costcalc.fleet.importing.slurm import Reading, attempts
from costcalc.fleet.ledger import Ledger
from costcalc.fleet.summary import summed
from costcalc.fleet.tables import jobs
from costcalc.fleet.taking import take

FLEET = """
site: {region: DE, pue: 1.2}
price: {device_hour: 2 USD}
partitions: {gpu: {accelerator: h100-sxm5-80, per_node: 8}}
"""
HEAD = (
    "Cluster|JobID|User|Account|Partition|State|Start|End|ElapsedRaw|AllocTRES|NNodes|"
    "ConsumedEnergyRaw"
)


def lines(number: int) -> Iterator[str]:
    """A dump of so many jobs of a month, each with two steps."""
    generator = random.Random(1)
    yield HEAD
    for n in range(number):
        devices, seconds = generator.choice((1, 2, 4, 8, 8, 16)), generator.randint(60, 200_000)
        start = datetime(2026, 10, 1) + timedelta(seconds=generator.randint(0, 26 * 86_400))
        end = start + timedelta(seconds=seconds)
        joules = generator.choice((0, generator.randint(300, 900) * devices * seconds))
        state = generator.choice(("COMPLETED", "COMPLETED", "COMPLETED", "FAILED"))
        rest = f"{state}|{start.isoformat()}|{end.isoformat()}|{seconds}|gres/gpu={devices}|1"
        yield f"c|{n}|u{n % 40}|a{n % 12}|gpu|{rest}|"
        yield f"c|{n}.batch||a{n % 12}||{rest}|0"
        yield f"c|{n}.0||a{n % 12}||{rest}|{joules}"


def grown(ledger: Ledger, wanted: int) -> int:
    """The rows of the ledger again and again under other numbers, to so many or a few more."""
    names = [f'"{column.name}"' for column in jobs.columns if column.name != "id"]
    with ledger.reading() as connection:
        there = int(connection.execute(select(func.count()).select_from(jobs)).scalar() or 0)
    times = -(-wanted // there)
    for n in range(1, times):
        taken = [f"job || '-{n}'" if name == '"job"' else name for name in names]
        with ledger.writing() as connection:
            connection.execute(
                text(
                    f"INSERT INTO jobs ({', '.join(names)}) SELECT {', '.join(taken)} FROM jobs "
                    f"WHERE job NOT LIKE '%-%'"
                )
            )
            connection.execute(text("DELETE FROM fresh"))
    return there * times


def main(number: int, many: int) -> None:
    """Import and sum."""
    cluster = checked(read(FLEET, "fleet.yaml"))
    with tempfile.TemporaryDirectory() as folder:
        dump = Path(folder) / "sacct.txt"
        dump.write_text("\n".join(lines(number)) + "\n", encoding="utf-8")
        began = time.process_time()
        with dump.open(encoding="utf-8") as file:
            cells = sum(len(line.rstrip("\n").split("|")) for line in file)
        reference = time.process_time() - began
        with Ledger.open(f"sqlite:///{folder}/fleet.db", create=True) as ledger:
            began = time.process_time()
            with dump.open(encoding="utf-8") as file:
                take(ledger, cluster, attempts(file, "x", Reading()), source="slurm", name="x")
            taken = time.process_time() - began
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(
                f"{number:,} jobs imported in {taken:.1f} s of one core ({taken / reference:.0f} "
                f"times parting {cells:,} cells), {memory:.0f} MiB at most"
            )
            whole = grown(ledger, many)
            began = time.process_time()
            freshen(ledger)
            fresh = time.process_time() - began
            began = time.process_time()
            sums = summed(ledger, ["2026-10", "2026-11"], ("account",))
            asked = time.process_time() - began
            with ledger.reading() as connection:
                rows = connection.execute(
                    select(func.sum(jobs.c.cost), func.sum(jobs.c.energy))
                ).one()
            figures = sums.total.figures
            for name, value in zip(("cost", "energy"), rows, strict=True):
                assert abs(figures[name].value - value) <= 1e-9 * value, name
            print(
                f"{whole:,} jobs by account in {asked:.2f} s with ranges, once their month's sums "
                f"are made ({fresh:.1f} s after an import); equal to the rows' own to 1e-9"
            )


if __name__ == "__main__":
    given = [int(float(word)) for word in sys.argv[1:]]
    main(given[0] if given else 100_000, given[1] if len(given) > 1 else 1_000_000)
