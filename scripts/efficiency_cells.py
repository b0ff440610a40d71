"""Computes costcalc/data/efficiency.yaml from the shipped measurements.

    python scripts/efficiency_cells.py [-o FILE]

Every measured configuration becomes a model FLOP utilisation: FLOPs of a datum (no recompute,
attention causal for decoders) × data a second and device / dense peak of the precision.  Rows of
one configuration count once, by their median; then repeats over releases of one publisher (model,
accelerator, devices, precision, sequence) count once, too.  A cell's value is the median over its
configurations, its range their 5th and 95th percentile; a cell of fewer than MINIMUM configurations
is left to the coarser ones.
"""

from __future__ import annotations

import argparse
import statistics
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from measured_cases import side_of

from costcalc.base.vocabulary import PEAK_KEY
from costcalc.throughput.efficiency import SCALES, Key, chain, precision_class, scale_class
from costcalc.validate.measurements import Measured, all_measured

if TYPE_CHECKING:
    from collections.abc import Iterator

    from costcalc.calculator.calculate import HardwareSide

OUT = Path(__file__).resolve().parents[1] / "costcalc/data/efficiency.yaml"
MINIMUM = 6
IMPOSSIBLE = 0.95  # nothing measured comes near: the row ran in another precision than it says


def main() -> None:
    """Reads the measurements, writes the cells."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=OUT)
    output = parser.parse_args().output
    points = list(points_of(all_measured()))
    rows = list(cells(points))
    output.write_text(render(rows), encoding="utf-8")
    print(f"{len(points)} configurations, {len(rows)} cells -> {output}")


def points_of(measured: list[Measured]) -> Iterator[tuple[Key, float, str]]:
    """(cell, MFU, publisher) of every configuration that can be counted."""
    found: dict[tuple[str, ...], list[float]] = defaultdict(list)
    keys: dict[tuple[str, ...], Key] = {}
    for one in measured:
        counted = utilization(one)
        if counted is None:
            continue
        key, mfu = counted
        row = one.row
        name = (
            row["group"],
            row["shape"] or row["model"],
            row["accelerator"],
            row["devices"],
            row["precision"],
            row["sequence_length"],
        )
        found[name].append(mfu)
        keys[name] = key
    for name, values in found.items():
        yield keys[name], statistics.median(values), name[0]


def utilization(measured: Measured) -> tuple[Key, float] | None:
    """The cell of a configuration and its MFU; None where FLOPs or peak are not known."""
    row = measured.row
    side = side_of(measured) if measured.sized else None
    if row["method"] == "lora" or side is None:  # other FLOPs a token than a whole model's training
        return None
    machine = side.devices.machine
    peak = machine.peak[PEAK_KEY.get(row["precision"], row["precision"])]
    flops = flops_of(measured, side)
    key = (
        machine.generation,
        precision_class(row["precision"]),
        row["workload"],
        scale_class(machine.devices),
    )
    mfu = measured.rate * flops / peak
    return (key, mfu) if mfu < IMPOSSIBLE else None


def flops_of(measured: Measured, side: HardwareSide) -> float:
    """FLOPs of a token or of a sample, forward and backward, as its rate counts them."""
    work = side.trained.work
    assert work is not None
    per_datum = work.flops_per_datum or 0.0
    by_sequence = work.datum == "token" and not measured.row["tokens_per_s"]
    return per_datum * (work.sequence_length or 1) if by_sequence else per_datum


def cells(points: list[tuple[Key, float, str]]) -> Iterator[list[object]]:
    """Every cell that an answer may come from, `*` standing for all, if it holds enough."""
    groups: dict[Key, list[tuple[float, str]]] = defaultdict(list)
    for key, mfu, publisher in points:
        for cell, _ in chain(key):
            groups[cell].append((mfu, publisher))
    scales = ("*", *SCALES)
    for cell in sorted(groups, key=lambda c: (*c[:3], scales.index(c[3]))):
        values = np.array([mfu for mfu, _ in groups[cell]])
        if len(values) >= MINIMUM:
            low, middle, high = (float(f"{q:.3g}") for q in np.percentile(values, [5, 50, 95]))
            yield [*cell, middle, low, high, len(values), len({who for _, who in groups[cell]})]


HEADER = """\
# yaml-language-server: $schema=./schemas/efficiency.schema.json
# Written by scripts/efficiency_cells.py; do not edit.
# A row: accelerator generation, precision class, kind of workload, devices, then the model FLOP
# utilisation (median, 5th and 95th percentile; no recompute, attention causal for decoders, over
# the dense peak of the precision), the number of configurations, and that of their publishers.
sources:
  measurements:
    title: Measured training throughput (costcalc/data/measurements/throughput.csv, a source a row)
    publisher: costcalc
    url: null
    date: 2026-11-21
source: measurements
unit: "1"
columns: [generation, precision, workload, devices, value, low, high, n, publishers]
cells:
"""


def render(rows: list[list[object]]) -> str:
    """The YAML text."""
    lines = []
    for row in rows:
        words = [f'"{part}"' for part in row[:4]]
        lines.append(f"  - [{', '.join([*words, *(str(part) for part in row[4:])])}]\n")
    return HEADER + "".join(lines)


if __name__ == "__main__":
    main()
