"""Write examples/fleet/sacct-2026-10.txt: a month of a small cluster, made up, always the same.

``--check`` writes nothing and fails where the file is not what this script writes.
"""

from __future__ import annotations

import argparse
import random
import sys
from datetime import datetime, timedelta
from pathlib import Path

FILE = Path(__file__).parent.parent / "examples" / "fleet" / "sacct-2026-10.txt"
COLUMNS = (
    "Cluster|JobID|JobIDRaw|JobName|User|Account|Partition|State|Submit|Start|End|ElapsedRaw|"
    "Suspended|AllocTRES|NNodes|NodeList|NCPUS|ConsumedEnergyRaw|Comment"
)
FIRST = datetime(2026, 10, 1)
USERS = {"physics": ("ada", "bela"), "vision": ("chen", "dora", "eli"), "guests": ("fay",)}
MODELS = {"physics": "neural-operator", "vision": "vit-l-16", "guests": "llama-3-8b"}
STATES = ("COMPLETED",) * 16 + ("FAILED", "CANCELLED by 1001", "TIMEOUT", "NODE_FAIL")
#: of each partition: nodes, devices in one, what Slurm calls them, watts of a node idle and at work
PARTITIONS = {"h100": (4, 8, "h100", 2_700, 8_200), "a100": (2, 4, "a100", 900, 2_300)}


def jobs(partition: str, generator: random.Random, first: int) -> list[list[str]]:
    """The rows of a partition: on each node one job after the other, to the month's end."""
    nodes, devices, kind, idle, work = PARTITIONS[partition]
    rows: list[list[str]] = []
    number = first
    for node in range(1, nodes + 1):
        at = FIRST + timedelta(minutes=generator.randint(5, 600))
        while True:
            account = generator.choices(list(USERS), weights=(4, 5, 1))[0]
            held = generator.choice((devices, devices, devices // 2))
            seconds = int(min(generator.lognormvariate(9.9, 1.0), 3 * 86_400))
            end = at + timedelta(seconds=seconds)
            if end > FIRST + timedelta(days=31):
                break
            share = held / devices
            busy = generator.choice((0.95, 0.85, 0.7, 0.25))
            # Slurm's plugin reads the whole node, also where the job has half of its devices
            joules = int(seconds * (idle + (work - idle) * busy * share))
            metered = str(joules) if partition == "h100" else "0"
            rows += row(number, partition, account, at, end, held, kind, node, metered, generator)
            number += 1
            at = end + timedelta(minutes=generator.randint(1, 500))
    return rows


def row(
    number: int, partition: str, account: str, start: datetime, end: datetime, held: int,
    kind: str, node: int, joules: str, generator: random.Random,
) -> list[list[str]]:  # fmt: skip
    """A job's row and that of its batch step, as sacct prints them."""
    user, state = generator.choice(USERS[account]), generator.choice(STATES)
    seconds = str(int((end - start).total_seconds()))
    times = [t.isoformat() for t in (start - timedelta(minutes=7), start, end)]
    tres = f"billing={held * 12},cpu={held * 12},gres/gpu:{kind}={held},gres/gpu={held},node=1"
    name, comment = f"train-{generator.randint(1, 30)}", f"model={MODELS[account]}"
    place = ["1", f"{partition}-{node:02d}", str(held * 12)]
    own = [user, account, partition, state, *times, seconds, "00:00:00", tres, *place]
    step = ["", account, "", state, *times, seconds, "00:00:00", tres, *place]
    job = str(number)
    return [
        ["marie", job, job, name, *own, "", comment],
        ["marie", f"{job}.batch", f"{job}.batch", "batch", *step, joules, ""],
    ]


def text() -> str:
    """The whole file."""
    generator = random.Random(20261001)  # no secret
    found = [
        row for n, name in enumerate(PARTITIONS) for row in jobs(name, generator, 1000 + 5000 * n)
    ]
    return "\n".join([COLUMNS, *("|".join(cells) for cells in found)]) + "\n"


def main() -> int:
    """Write the file, or check it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    if parser.parse_args().check:
        same = FILE.read_text(encoding="utf-8") == text()
        print("as written" if same else f"{FILE} is not what this script writes")
        return 0 if same else 1
    FILE.write_text(text(), encoding="utf-8")
    print(f"wrote {FILE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
