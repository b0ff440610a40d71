"""The estimate as Markdown and as LaTeX, for a document: figures, ranges, and what they rest on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from costcalc.assumption import Assumption
from costcalc.human import human, span
from costcalc.report.table import value_of

if TYPE_CHECKING:
    from costcalc.results import Estimate

ROWS = (
    ("parameters", "Parameters"),
    ("training_compute", "Training compute"),
    ("total_compute", "Compute of all runs"),
    ("utilization", "Model FLOPs utilization"),
    ("wall_clock", "Wall-clock time of one run"),
    ("device_hours", "Device-hours"),
    ("cost", "Cost"),
    ("energy", "Energy"),
    ("water", "Water"),
    ("carbon_operational", "CO2e, electricity"),
    ("carbon_embodied", "CO2e, hardware"),
    ("carbon_total", "CO2e, total"),
)


def rows(estimate: Estimate) -> Iterator[tuple[str, str, str]]:
    """Label, value and 90 % range of each figure that a document shows."""
    for key, label in ROWS:
        result = estimate.results[key]
        value = human(result.value, result.unit)
        yield label, value, span(result.low, result.high, result.value, result.unit)


def markdown(estimate: Estimate) -> str:
    """A table of the figures and one of the assumptions, in Markdown."""
    lines = [f"### {_cell(estimate.name)}", "", "| | value | 90 % range |", "| --- | ---: | ---: |"]
    lines += [f"| {label} | {value} | {between} |" for label, value, between in rows(estimate)]
    lines += ["", "| assumption | value | basis | source |", "| --- | --- | --- | --- |"]
    for item in estimate.assumptions:
        value = value_of(item) if isinstance(item, Assumption) else str(item.value)
        lines.append(f"| `{item.key}` | {_cell(value)} | {item.basis} | {_cell(item.source)} |")
    return "\n".join(lines)


def _cell(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")
    return " ".join(escaped.split())


_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "–": "--", "×": r"$\times$", "µ": r"$\mu$", "³": r"$^3$", "·": r"$\cdot$",
}


def escape(text: str) -> str:
    """Text for LaTeX, every special character escaped.

    >>> escape("50 % & more_or less")
    '50 \\\\% \\\\& more\\\\_or less'
    """
    return "".join(_LATEX.get(character, character) for character in text)


def latex(estimate: Estimate) -> str:
    """A booktabs table of the figures."""
    lines = [
        r"% needs \usepackage{booktabs}",
        r"\begin{tabular}{lrr}", r"\toprule", r" & value & 90\,\% range \\", r"\midrule",
    ]
    for label, value, between in rows(estimate):
        lines.append(f"{escape(label)} & {escape(value)} & {escape(between)} \\\\")
    lines += [r"\bottomrule", r"\end{tabular}"]
    return "\n".join(lines)
