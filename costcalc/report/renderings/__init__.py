"""Reports as what venues ask for: one file a format, each ``render(report) -> str``."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from costcalc.base.errors import InputError, Problem, nearest

FORMATS = {
    "latex": "a booktabs table, a paragraph with siunitx, BibTeX",
    "markdown": "tables of the figures and of the assumptions",
    "html": "one self-contained page with charts",
    "model-card": "Hugging Face co2_eq_emissions and the Environmental Impact section",
    "neurips": "the answer to the checklist's compute item",
    "acl": "the answer to item C1 of the Responsible NLP checklist",
    "annex-xi": "the EU's model documentation: FLOP, MWh, days",
    "cyclonedx": "a CycloneDX 1.6 ML-BOM",
    "spdx": "an SPDX 3.0.1 AI package",
    "csv": "one row a figure",
}


def render(report: Mapping[str, Any], shape: str) -> str:
    """The report in one of :data:`FORMATS`.

    Raises:
        InputError: there is no such format.
    """
    if shape not in FORMATS:
        near = nearest(shape, FORMATS, at_most=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        message = f'expected one of {", ".join(FORMATS)}; got "{shape}"{hint}'
        raise InputError(Problem(key="--format", message=message))
    module = importlib.import_module(f"costcalc.report.renderings.{shape.replace('-', '_')}")
    made: str = module.render(report)
    return made
