"""Reports made by hand, small enough that each figure can be worked out beside them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from costcalc.base import writing
from costcalc.calculator.result import MODEL_VERSION, UNITS
from costcalc.report.files import text


def figure(
    value: float | None, unit: str, basis: str = "modelled", **more: float | str | None
) -> dict[str, Any]:
    """A figure whose range is its value, unless ``low`` and ``high`` say another."""
    why = {"why": "not said"} if value is None else {}
    return {
        "value": value,
        "low": value,
        "high": value,
        "unit": unit,
        "basis": basis,
        **why,
        **more,
    }


def results(**known: float | dict[str, Any]) -> dict[str, Any]:
    """Every figure; what is not given is null with a reason."""
    made = {name: figure(None, unit) for name, unit in UNITS.items()}
    for name, value in known.items():
        made[name] = value if isinstance(value, dict) else figure(value, UNITS[name])
    return made


def assumed(key: str, value: float | str, unit: str = "1", **more: Any) -> dict[str, Any]:
    return {"key": key, "value": value, "unit": unit, "basis": "given", "source": "x", **more}


def report(found: dict[str, Any], *listed: dict[str, Any], **sections: Any) -> dict[str, Any]:
    made: dict[str, Any] = {
        "schema": "costcalc/report/v1",
        "name": "by hand",
        "results": found,
        "assumptions": list(listed),
        "drivers": [],
        "run": {},
        "data": {},
        "model_version": MODEL_VERSION,
        "stages": [],
        **sections,
    }
    return made | {"digest": writing.digest(made)}


def saved(made: dict[str, Any], folder: Path) -> Path:
    """Written with its digest."""
    path = folder / "r.yaml"
    path.write_text(text(made | {"digest": writing.digest(made)}), encoding="utf-8")
    return path
