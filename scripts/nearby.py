"""Writes ``measurements/nearby.csv``: measured rates of language models that estimates are near to.

Run it after a change of the measured rows: ``python scripts/nearby.py``.  Parameters are those that
the calculator counts, active ones of a model with experts.
"""

from __future__ import annotations

import argparse
import csv
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
from costcalc.base.errors import InputError
from costcalc.calculator.calculate import estimate
from costcalc.calculator.nearby import Nearby, kind
from costcalc.catalog.files import data_root
from costcalc.validate.measurements import Measured, all_measured, number
from costcalc.validate.run_files import SEQUENCE, model_of


def run_of(one: Measured) -> Nearby | None:
    """A measured row as an estimate is compared with it; None where it has no size."""
    row = one.row
    if row["workload"] != "llm" or not row["tokens_per_s"] or not one.sized:
        return None
    if row["group"] == "nanotron" and row["devices"] == "512":
        return None  # two to three times behind all others: measurements/README.md
    training = {"tokens": 1e9, "precision": row["precision"].replace("nvfp4", "fp4")}
    hardware = {"accelerator": row["accelerator"], "count": 1, "throughput": "1000 token/s"}
    try:
        made = estimate(
            {"model": model_of(row), "training": training, "hardware": hardware}, ranges=False
        )
    except InputError:
        return None
    return Nearby(
        id=row["id"],
        model=row["model"],
        accelerator=row["accelerator"],
        devices=number(row, "devices", 1.0),
        parameters=float(f"{made.results['active_parameters'].value:.4g}"),
        sequence_length=number(row, "sequence_length", SEQUENCE),
        micro_batch=number(row, "micro_batch", 0.0),
        method=kind(row),
        precision=training["precision"],
        rate=float(f"{one.rate:.5g}"),
        source=row["source"].split(" ")[0].split("@")[0],
    )


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    path = data_root() / "measurements" / "nearby.csv"
    parser.add_argument("-o", "--output", type=Path, default=path)
    given = parser.parse_args()
    found = [run for one in all_measured() if (run := run_of(one)) is not None]
    with given.output.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(Nearby._fields)
        for run in found:
            table.writerow(f"{v:.10g}" if isinstance(v, float) else v for v in run)
    print(f"{len(found)} runs -> {given.output}")


if __name__ == "__main__":
    main()
