"""Reads the calibrated constants of the time model from ``data/throughput.yaml``."""

from __future__ import annotations

from functools import cache
from typing import Any

from costcalc.catalog.region_table import table


@cache
def load() -> dict[str, Any]:
    """The constants as plain mappings; one copy in memory serves all calls.

    Raises InputError if the file is damaged.
    """
    return dict(table("throughput.yaml").data)
