"""The JSON Schemas: generated from the code, shipped, named in each file's first line.

``python -m costcalc.base.schemas`` writes them to ``costcalc/data/schemas``; a test holds them
current.
"""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import cast

from costcalc.base.errors import InputError, Problem, nearest

# name: (module, arguments of its schema())
_MADE_BY: dict[str, tuple[str, tuple[str, ...]]] = {
    "run": ("costcalc.runfile.schema", ()),
    "fleet": ("costcalc.fleet.cluster", ()),
    "report": ("costcalc.calculator.report_schema", ()),
    "accelerator": ("costcalc.catalog.accelerator", ()),
    "host": ("costcalc.catalog.host", ()),
    "preset": ("costcalc.catalog.preset", ()),
    "software": ("costcalc.catalog.software", ()),
    "regions": ("costcalc.catalog.region_schema", ("regions",)),
    "cloud_regions": ("costcalc.catalog.region_schema", ("cloud_regions",)),
    "providers": ("costcalc.catalog.region_schema", ("providers",)),
    "equivalences": ("costcalc.catalog.region_schema", ("equivalences",)),
    "price_sources": ("costcalc.catalog.region_schema", ("price_sources",)),
}


def names() -> tuple[str, ...]:
    """The schemas there are.

    >>> "run" in names()
    True
    """
    return tuple(_MADE_BY)


def schema(name: str) -> dict[str, object]:
    """The JSON Schema of that name.

    Raises:
        InputError: there is none of that name.

    >>> schema("run")["title"]
    'costcalc run file'
    """
    if name not in _MADE_BY:
        near = nearest(name, _MADE_BY, at_most=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        message = f'expected one of {", ".join(_MADE_BY)}; got "{name}"{hint}'
        raise InputError(Problem(key="schema", message=message))
    module, arguments = _MADE_BY[name]
    return cast("dict[str, object]", importlib.import_module(module).schema(*arguments))


def text(name: str) -> str:
    """A schema as its file holds it."""
    return json.dumps(schema(name), indent=2, ensure_ascii=False) + "\n"


def write() -> None:
    """Write every schema to its file."""
    folder = Path(__file__).parents[1] / "data" / "schemas"
    for name in _MADE_BY:
        (folder / f"{name}.schema.json").write_text(text(name), encoding="utf-8")


if __name__ == "__main__":
    write()
