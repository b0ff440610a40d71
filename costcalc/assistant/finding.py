"""``find``: names of models, hardware and places that a word stands in, in a line each."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from costcalc.base.human import human
from costcalc.catalog import accelerator, preset, region
from costcalc.catalog.index import Head

Row = dict[str, object]


def found(kind: str, query: str, limit: int) -> dict[str, object]:
    """The ``limit`` nearest of a kind in which every word of the query stands, and how many do.

    >>> [one["id"] for one in found("models", "llama-3 405b", 5)["found"]]
    ['llama-3.1-405b']
    """
    words = query.lower().split()
    rows = [row for row, text in _KINDS[kind]() if all(word in text.lower() for word in words)]
    if words:
        rows.sort(key=lambda row: _far(row, words))
    return {"kind": kind, "found": rows[:limit], "of": len(rows)}


def _far(row: Row, words: Sequence[str]) -> tuple[bool, bool, int]:
    """How far an id is from what was asked: not the same, begun otherwise, words within words.

    >>> _far({"id": "qwen2.5-7b"}, ["qwen", "7b"]) < _far({"id": "gte-qwen2-7b"}, ["qwen", "7b"])
    True
    """
    name = str(row.get("id", row.get("region"))).lower()
    parts = re.split(r"[-:_/ ]", name)
    within = sum(word not in parts for word in words)
    return name != "-".join(words), not name.startswith(words[0]), within


def _models() -> Iterator[tuple[Row, str]]:
    for one in preset.all_presets():
        row: Row = {
            "id": one.id,
            "name": one.name,
            "family": one.family,
            "parameters": human(one.parameters, "1"),
            "organisation": one.organisation,
            "source": one.sources[one.tested_parameters.source].title,
        }
        yield row, " ".join((one.id, one.name, one.family, one.organisation, *one.aliases))


def _hardware() -> Iterator[tuple[Row, str]]:
    for one in accelerator.all_accelerators(()):
        peak = one.peak.bf16 or one.peak.fp16 or one.peak.fp32
        row: Row = {
            "id": one.id,
            "name": one.name,
            "unit": one.unit,
            "memory": human(one.memory.si / 2**30, "GiB"),
            "peak_16_bit": f"{peak.si / 1e12:,.5g} TFLOP/s dense" if peak else "unknown",
            "board_power": human(one.board_power.si, "W") if one.board_power else "unknown",
            "source": one.sources[(peak or one.memory).source].title,
        }
        yield row, " ".join((one.id, one.name, one.generation, one.vendor, *one.aliases))


def _regions() -> Iterator[tuple[Row, str]]:
    for code in region.codes():
        one = region.find(code)
        row: Row = {"region": one.code, "place": one.label, "grid_zone": one.grid_zone}
        grid = one.grid
        if grid is not None:
            row["grid"] = f"{grid.value:,.3g} {grid.unit} ({grid.basis}, {grid.year})"
            row["source"] = grid.source
        row["pue"] = one.pue.value
        yield row, f"{one.code} {one.label} {one.grid_zone}"


_KINDS = {"models": _models, "hardware": _hardware, "regions": _regions}


def sources_of_peak(board: Head) -> list[str]:
    """Where the peaks of a device are from: title and address."""
    found = accelerator.find(board.id, ())
    figures = [getattr(found.peak, name) for name in found.peak.rates()]
    keys = dict.fromkeys(figure.source for figure in figures)
    return [f"{found.sources[key].title}, {found.sources[key].url}" for key in keys]
