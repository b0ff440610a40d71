"""The shipped tables of measurements, as they stand; repeats of one configuration count once.

``data/measurements/throughput.csv`` restates measured training throughput, a source a row;
``models.csv`` the shapes that its ``shape`` column names.  Sources of the form ``owner/repository
path`` are on github.com.  Rows of one ``group`` publish one another's figures, or measure with one
team's code on one team's machines: they are left out together.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from statistics import median
from typing import Any

from costcalc.base.reading import read as read_yaml
from costcalc.base.vocabulary import AXES
from costcalc.catalog.files import data_root
from costcalc.throughput.ranges import place_of
from costcalc.validate.score import USERS

Row = Mapping[str, str]

COLUMNS = (
    "id", "group", "source", "workload", "model", "shape", "parameters", "active", "accelerator",
    "devices", "precision", "sequence_length", *AXES, "sharding", "micro_batch", "global_batch",
    "recompute", "attention", "kernels", "method", "base_precision", "lora_rank", "lora_targets",
    "optimizer", "offload", "activations", "gradients", "software", "compiled", "states", "logits",
    "sequence_parallel", "scale_out", "domain", "overlap", "tokens_per_s", "samples_per_s", "note",
)  # fmt: skip
#: rows that agree in these measure one configuration
_SAME = (
    "group", "workload", "model", "shape", "accelerator", "devices", "precision",
    "sequence_length", *AXES, "sharding", "micro_batch", "global_batch", "recompute", "attention",
    "method", "base_precision", "lora_rank", "lora_targets", "optimizer", "offload",
    "activations", "gradients", "software", "compiled", "states", "logits",
)  # fmt: skip


#: those of them that a layout is
_LAYOUT = frozenset((*AXES, "sharding", "micro_batch", "recompute"))


#: what the software of a run says of its step: left out where it is not told
SOFTWARE = ("software", "compiled", "states", "logits", "gradients")
#: groups that tune and publish benchmarks of what they sell; all others ran for themselves
VENDORS = frozenset(
    ("amd-primus", "google-maxtext", "habana", "lambda", "mlperf", "mosaic", "mosaic-diffusion",
     "nvidia-examples", "nvidia-megatron")
)  # fmt: skip
_USERS = dict(zip(("one", "node", "cluster"), USERS, strict=False))


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One configuration and its measured rate; ``rate`` in tokens or samples a second and device.

    ``repeats`` are the rates of all rows of this configuration, ``rate`` their median.
    """

    row: Row
    rate: float
    repeats: tuple[float, ...]

    @property
    def group(self) -> str:
        """Who published it; groups are left out together."""
        return self.row["group"]

    @property
    def layout_given(self) -> bool:
        """Whether the source states the axes."""
        return bool(self.row["tensor"])

    @property
    def sized(self) -> bool:
        """Whether the source states a shape or a parameter count: without, nothing can be said."""
        return bool(self.row["shape"] or self.row["active"] or self.row["parameters"])


def shipped(name: str) -> list[dict[str, str]]:
    """A table that ships under ``data/measurements``."""
    path = data_root() / "measurements" / f"{name}.csv"
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@cache
def folds(name: str) -> dict[str, Any]:
    """Constants by what their fit left out: ``throughput`` by group, ``power`` by source."""
    path = data_root() / "measurements" / f"{name}_folds.yaml"
    data: dict[str, Any] = read_yaml(path.read_text(encoding="utf-8"), path.name).data
    return data


@cache
def models() -> dict[str, dict[str, str]]:
    """Shapes by name."""
    return {row["shape"]: row for row in shipped("models")}


def workload(row: Row) -> str:
    """What kind of language model's training a row is, as tables are split by it.

    >>> workload({"shape": "", "active": "3.7e10", "parameters": "6.71e11", "method": ""})
    'experts'
    """
    if row.get("method") == "lora":
        return "low-rank adapters"
    known = models().get(row.get("shape", ""))
    sparse = known["experts"] if known is not None else row["active"]
    return "experts" if sparse and sparse != row["parameters"] else "dense"


def user(row: Row) -> str:
    """Who runs such a thing, as tables are split by it: one of ``score.USERS``.

    >>> user({"group": "torchtune", "devices": "1"}), user({"group": "mlperf", "devices": "8"})
    ('one GPU', 'vendor benchmark')
    """
    if row["group"] in VENDORS:
        return "vendor benchmark"
    return _USERS[place_of(number(row, "devices", 1.0))]


def untold(row: Row) -> Row:
    """A row as of somebody who does not say what software runs the step."""
    return {**row, **dict.fromkeys(SOFTWARE, "")}


def number(row: Row, key: str, default: float = math.nan) -> float:
    """A column as a number; ``default`` where it is empty."""
    text = row.get(key) or ""
    return float(text) if text else default


def configurations(rows: Iterable[Row]) -> list[Measured]:
    """Rows with a rate, repeats of one configuration counted once by their median."""
    found: dict[tuple[str, ...], list[tuple[Row, float]]] = {}
    for row in rows:
        rate = number(row, "tokens_per_s", number(row, "samples_per_s"))
        if rate > 0:
            key = tuple(row.get(name, "") for name in _SAME)
            found.setdefault(key, []).append((row, rate))
    return [
        Measured(row=same[0][0], rate=median(rates), repeats=rates)
        for same in found.values()
        for rates in [tuple(rate for _, rate in same)]
    ]


def fastest(measured: Iterable[Measured]) -> list[Measured]:
    """Of configurations that differ in their layout alone the fastest.

    A layout that is left to the calculator is the fastest it finds; who measures a sweep of layouts
    runs the others to see how slow they are.
    """
    found: dict[tuple[str, ...], Measured] = {}
    for one in measured:
        key = tuple(one.row.get(name, "") for name in _SAME if name not in _LAYOUT)
        if key not in found or one.rate > found[key].rate:
            found[key] = one
    return list(found.values())


@cache
def rows() -> list[dict[str, str]]:
    """Every shipped row: benchmarks, then ordinary runs; a column that a table lacks is empty."""
    empty = dict.fromkeys(COLUMNS, "")
    return [empty | row for name in ("throughput", "ordinary") for row in shipped(name)]


def all_measured() -> list[Measured]:
    """The shipped configurations, repeats counted once."""
    return configurations(rows())
