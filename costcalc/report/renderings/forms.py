"""Answers in words: Markdown tables, checklists of NeurIPS and ACL, the EU's model documentation.

Sources: NeurIPS Paper Checklist Guidelines, https://neurips.cc/public/guides/PaperChecklist; ACL
Rolling Review, https://aclrollingreview.org/responsibleNLPresearch/; Regulation (EU) 2024/1689,
Annex XI 1(2)(d), (e), https://artificialintelligenceact.eu/annex/11; Code of Practice, Model
Documentation Form, 2025.  The marks: 10^23 FLOP, general-purpose, Commission guidelines of
2025-07-18; 10^25 FLOP, systemic risk, Art. 51(2).
"""

from __future__ import annotations

from math import floor, log10

from costcalc.report.renderings.filling import fill
from costcalc.report.view import View, plain

GENERAL_PURPOSE, SYSTEMIC = 1e23, 1e25
_MONTH = 30.44  # days


def cell(text: str) -> str:
    """Text for a cell of a Markdown table: nothing in it is read as Markdown or HTML.

    >>> cell("a|b <script>")
    'a\\\\|b &lt;script&gt;'
    """
    made = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    for character in "\\`*_[]|":
        made = made.replace(character, f"\\{character}")
    return " ".join(made.split())


def markdown(view: View) -> str:
    """Tables of the figures and of the assumptions."""
    return fill("markdown.md.j2", view, cell)


def neurips(view: View) -> str:
    """Type of workers, memory, time of each run, the total, whether the project took more."""
    project = view.report.get("project")
    ratio = project["ratio"] if project else None
    more = None if ratio is None else ratio > 1
    return fill("neurips.txt.j2", view, more=more, ratio=f"{ratio or 0:.3g}")


def acl(view: View) -> str:
    """Parameters of the models, total computational budget, computing infrastructure."""
    active, whole = (view.figures[key].value for key in ("active_parameters", "parameters"))
    sparse = active is not None and whole is not None and active < whole
    return fill("acl.txt.j2", view, sparse=sparse)


def annex_xi(view: View) -> str:
    """Compute in FLOP, energy in MWh with two digits, days; N/A where a figure is not known."""
    compute, hours = view.figures["total_compute"].value, view.figures["wall_clock"].value
    days = None if hours is None else hours / 24
    months = 0.0 if days is None else days / _MONTH
    return fill(
        "annex-xi.txt.j2",
        view,
        filters={"two": lambda number: plain(number, 2)},
        days=days,
        band=sum(months >= start for start in (1, 3, 6)),
        device_days=_over(view.figures["device_hours"].value, 24),
        mwh=_over(view.figures["energy"].value, 1e3),
        flop=None if compute is None else f"{compute:.1e}",
        magnitude=floor(log10(compute)) if compute and compute > 0 else None,
        general_purpose=compute is not None and compute > GENERAL_PURPOSE,
        systemic=compute is not None and compute > SYSTEMIC,
    )


def _over(value: float | None, divisor: float) -> float | None:
    return None if value is None else value / divisor
