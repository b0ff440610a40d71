"""A user's own measurements: the table that ``costcalc validate MY.csv`` reads.

``docs/validate.md`` lists the columns.  All faults are told at once, each with its line.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping, Sequence, Set
from typing import TextIO

from costcalc.base import numerals
from costcalc.base.errors import InputError, NotFoundError, Problem, nearest
from costcalc.base.vocabulary import AXES, OFFLOADS, RECOMPUTES, SHARDINGS
from costcalc.catalog import accelerator as accelerators
from costcalc.catalog import preset
from costcalc.throughput.coefficients import MACHINE_PRECISIONS
from costcalc.throughput.style import UPDATE
from costcalc.validate.measurements import COLUMNS, Row, models

#: what a table must have, and one of the rates (tokens or samples a second and device) beside
REQUIRED = ("accelerator", "devices", "precision")
RATES = ("tokens_per_s", "samples_per_s")
_NUMBERS = (
    "devices", *RATES, "parameters", "active", "sequence_length", *AXES, "micro_batch",
    "global_batch", "lora_rank", "scale_out", "domain",
)  # fmt: skip
_WORDS: Mapping[str, Sequence[str]] = {
    "precision": sorted(MACHINE_PRECISIONS),
    "sharding": (*SHARDINGS, "fsdp"),
    "recompute": tuple(RECOMPUTES),
    "attention": ("flash", "flash2", "standard"),
    "method": ("pretrain", "finetune", "lora", "frozen"),
    "base_precision": ("nf4", "int8", "bf16", "fp16", "fp32"),
    "optimizer": tuple(UPDATE["fp32"]),
    "offload": tuple(OFFLOADS),
    "compiled": ("0", "1"),
    "workload": ("llm", "bert", "cnn", "vit", "diffusion"),
}


def read(file: TextIO, name: str = "measurements") -> list[dict[str, str]]:
    """Rows of a table of measurements; lines that start with # are remarks.

    Columns that are not there are empty, a workload that is not said is that of the shape, else a
    language model's.
    Numbers may be written 8B or 15k.  Raises InputError with every fault.
    """
    lines = [(i, line) for i, line in enumerate(file, 1) if not line.startswith("#")]
    table = csv.DictReader((line for _, line in lines), skipinitialspace=True)
    try:
        found = [(lines[table.line_num - 1][0], row) for row in table]
    except csv.Error as error:
        message = f"expected comma-separated values; {error}"
        raise InputError(Problem(key="", message=message, file=name)) from None
    problems = list(_columns(table.fieldnames or (), name, lines[0][0] if lines else 1))
    if not problems and not found:
        problems.append(Problem(key="", message="expected rows under the header", file=name))
    rows = []
    for line, raw in found:
        cells = [(k.strip(), v.strip()) for k, v in raw.items() if k and isinstance(v, str)]
        row = dict.fromkeys(COLUMNS, "") | dict(cells)
        problems += [
            Problem(key=key, message=message, file=name, line=line)
            for key, message in _faults(row, there=set(raw))
        ]
        rows.append(row)
    if problems:
        raise InputError(problems)
    for number, row in enumerate(rows):
        row["workload"] = row["workload"] or _workload(row["shape"])
        row["id"] = row["id"] or str(number + 1)
    return rows


def _workload(shape: str) -> str:
    if shape in preset.names():
        return _OF_KIND.get(preset.find(shape).kind, "llm")
    return _OF_KIND.get(models()[shape]["kind"], "llm") if shape in models() else "llm"


#: workloads by kind of model; of all others it is llm
_OF_KIND = {
    "encoder": "bert", "cnn": "cnn", "detector": "cnn", "vit": "vit", "vision": "vit",
    "diffusion": "diffusion",
}  # fmt: skip


def _columns(names: Sequence[str], file: str, line: int) -> Iterator[Problem]:
    known = [name.strip() for name in names]
    if not known:
        yield Problem(key="", message="expected a header; the table is empty", file=file)
        return
    for name in known:
        if name not in COLUMNS:
            near = nearest(name, COLUMNS, at_most=1)
            message = "unknown column" + (f"; did you mean {near[0]}?" if near else "")
            yield Problem(key=name, message=message, file=file, line=line)
    for name in REQUIRED:
        if name not in known:
            message = "expected this column; the table has none"
            yield Problem(key=name, message=message, file=file)
    if not set(RATES) & set(known):
        message = "expected tokens_per_s or samples_per_s, a second and device; the table has none"
        yield Problem(key="tokens_per_s", message=message, file=file)


def _number(text: str) -> float:
    try:
        return numerals.number(text)
    except (ValueError, ZeroDivisionError, OverflowError):
        return math.nan


def _faults(row: dict[str, str], *, there: Set[str | None]) -> Iterator[tuple[str, str]]:
    """Key and message of each fault of a row; ``there`` are the columns of its table.

    Numbers that can be read are written in plain digits.
    """
    if None in there:  # where the csv module puts cells beyond the header
        yield "", "expected as many cells as the header has columns; got more"
    for key in filter(row.__getitem__, _NUMBERS):
        number = _number(row[key])
        if 0 < number < math.inf:
            row[key] = repr(number)
        else:
            yield key, f'expected a positive number; got "{row[key]}"'
    for key, words in _WORDS.items():
        if row[key] and row[key] not in words:
            near = nearest(row[key], words, at_most=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            yield key, f'expected one of {", ".join(words)}; got "{row[key]}"{hint}'
    for key in REQUIRED:
        if key in there and not row[key]:
            yield key, "expected a value; the cell is empty"
    rates = [key for key in RATES if key in there]
    if rates and not any(row[key] for key in rates):
        yield rates[0], f"expected a rate in {' or '.join(rates)}; got none"
    yield from _shape(row)
    yield from _chip(row["accelerator"])


def _shape(row: Row) -> Iterator[tuple[str, str]]:
    """Whether its shape is known: a preset, or one of ``models.csv``."""
    name = row["shape"]
    if not name or name in preset.names():
        return
    if name not in models():
        known = dict.fromkeys((*preset.names(), *models()))
        near = nearest(name, known)
        hint = f"; nearest: {', '.join(near)}" if near else ""
        yield "shape", f'no preset and no shape of measurements/models.csv "{name}"{hint}'
    elif models()[name]["kind"] == "vision" and not row["sequence_length"]:
        yield "sequence_length", "expected the tokens of an image (224 pixels by 16: 197)"


def _chip(name: str) -> Iterator[tuple[str, str]]:
    if not name:
        return
    try:
        accelerators.find(name)
    except NotFoundError as error:
        yield "accelerator", error.problems[0].message
