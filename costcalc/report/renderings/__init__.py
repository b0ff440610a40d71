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
    "annex-xi-json": "the same as the fields of the Model Documentation Form",
    "cyclonedx": "a CycloneDX 1.6 ML-BOM",
    "spdx": "an SPDX 3.0.1 AI package",
    "csv": "one row a figure",
}
_HOMES = {
    "markdown": "forms",
    "neurips": "forms",
    "acl": "forms",
    "annex-xi": "ai_act",
    "annex-xi-json": "ai_act",
    "cyclonedx": "bills",
    "spdx": "bills",
    "csv": "bills",
}


def render(report: Mapping[str, object], shape: str, *, columns: int = 2) -> str:
    """The report in one of :data:`FORMATS`; LaTeX with 1 of ``columns`` fits into one of two.

    Raises:
        InputError: there is no such format, or no such number of columns.

    >>> from costcalc import estimate
    >>> run = {"measured": {"device_hours": 8}, "price": {"device_hour": "2 USD"},
    ...        "hardware": {"accelerator": "h100-sxm5-80", "count": 8}}
    >>> render(estimate(run).to_dict(), "csv").splitlines()[0]
    'scope,figure,value,low,high,unit,basis,why'
    """
    if columns not in (1, 2):
        raise InputError(Problem(key="--columns", message=f"expected 1 or 2; got {columns}"))
    if shape not in FORMATS:
        near = nearest(shape, FORMATS, at_most=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        message = f'expected one of {", ".join(FORMATS)}; got "{shape}"{hint}'
        raise InputError(Problem(key="--format", message=message))
    name = shape.replace("-", "_")
    module = importlib.import_module(f"costcalc.report.renderings.{_HOMES.get(shape, name)}")
    view = View(report)
    if shape == "latex":
        return cast("Callable[[View, int], str]", getattr(module, name))(view, columns)
    return cast("Callable[[View], str]", getattr(module, name))(view)
