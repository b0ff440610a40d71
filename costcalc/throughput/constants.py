"""Reads the calibrated constants of the time model from ``data/throughput.yaml``."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any

from costcalc.base import reading


@cache
def load() -> dict[str, Any]:
    """The constants as plain mappings; a copy in memory serves all later calls.

    Raises InputError if the file is damaged.
    """
    path = resources.files("costcalc") / "data" / "throughput.yaml"
    document = reading.read(path.read_text(encoding="utf-8"), "throughput.yaml")
    data: dict[str, Any] = document.data
    return data
