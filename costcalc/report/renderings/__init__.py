"""Reports as what venues ask for; the documents are the templates in ``report/templates``."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import cast

from costcalc.base.errors import InputError, Problem, nearest
from costcalc.report.view import View

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
_HOMES = {
    "markdown": "forms",
    "neurips": "forms",
    "acl": "forms",
    "annex-xi": "forms",
    "cyclonedx": "bills",
    "spdx": "bills",
    "csv": "bills",
}


def render(report: Mapping[str, object], shape: str) -> str:
    """The report in one of :data:`FORMATS`.

    Raises:
        InputError: there is no such format.
    """
    if shape not in FORMATS:
        near = nearest(shape, FORMATS, at_most=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        message = f'expected one of {", ".join(FORMATS)}; got "{shape}"{hint}'
        raise InputError(Problem(key="--format", message=message))
    name = shape.replace("-", "_")
    module = importlib.import_module(f"costcalc.report.renderings.{_HOMES.get(shape, name)}")
    return cast("Callable[[View], str]", getattr(module, name))(View(report))
