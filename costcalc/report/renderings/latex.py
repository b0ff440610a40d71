"""LaTeX: a booktabs table, a paragraph with siunitx, BibTeX.  Compiles without shell escape."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any

from costcalc.report import view

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "–": "--",
    "—": "---",
    "×": r"$\times$",
    "µ": r"$\mu$",
    "μ": r"$\mu$",
    "³": r"$^3$",
    "²": r"$^2$",
    "·": r"$\cdot$",
    "…": r"\ldots{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "'": r"\textquotesingle{}",
    "`": r"\textasciigrave{}",
    "“": "``",
    "”": "''",
    "‘": "`",
    "’": "'",
    "±": r"$\pm$",
    "≥": r"$\geq$",
    "≤": r"$\leq$",
    "ß": r"\ss{}",
    "ø": r"\o{}",
    "Ø": r"\O{}",
    "æ": r"\ae{}",
    "ł": r"\l{}",
    "°": r"\textdegree{}",
    "-": "{-}",
    "?": "{?}",
    "!": "{!}",
    "₂": r"\textsubscript{2}",
}
_ACCENTS = {
    "\u0300": "`",
    "\u0301": "'",
    "\u0302": "^",
    "\u0303": "~",
    "\u0308": '"',
    "\u030a": "r",
    "\u030c": "v",
    "\u0327": "c",
    "\u0304": "=",
    "\u0328": "k",
}

# SI prefixes by siunitx macros, largest first, for each unit of a result.
_UNITS = {
    "kWh": (
        ("\\giga\\watt\\hour", 1e6),
        ("\\mega\\watt\\hour", 1e3),
        ("\\kilo\\watt\\hour", 1.0),
        ("\\watt\\hour", 1e-3),
    ),
    "kgCO2e": (("\\tonne{}CO$_2$e", 1e3), ("\\kilogram{}CO$_2$e", 1.0), ("\\gram{}CO$_2$e", 1e-3)),
    "h": (("\\day", 24.0), ("\\hour", 1.0)),
}


def escape(text: str) -> str:
    """Text for LaTeX: every character either plain ASCII or a command of LaTeX itself.

    >>> escape("50 % & more_or less")
    '50 \\\\% \\\\& more\\\\_or less'
    """
    return "".join(_character(character) for character in " ".join(text.split()))


def _character(character: str) -> str:
    if character in _SPECIAL:
        return _SPECIAL[character]
    if " " <= character <= "~":
        return character
    parts = unicodedata.normalize("NFD", character)
    if len(parts) == 2 and parts[0].isascii() and parts[0].isalpha() and parts[1] in _ACCENTS:
        return f"\\{_ACCENTS[parts[1]]}{{{parts[0]}}}"
    return "?"


def render(report: Mapping[str, Any]) -> str:
    """Table, paragraph and BibTeX, each between comments that say so."""
    return "\n".join(
        [
            "% preamble: \\usepackage{booktabs} \\usepackage{siunitx} \\usepackage{textcomp}",
            "% \\usepackage[T1]{fontenc}",
            "",
            *_table(report),
            "",
            *_paragraph(report),
            "",
            *_bibtex(report),
            "",
        ]
    )


def _table(report: Mapping[str, Any]) -> Iterator[str]:
    yield "% --- table"
    yield from (
        r"\begin{tabular}{@{}lrr@{}}",
        r"\toprule",
        f"{escape(view.name(report))} & value & 90\\,\\% range \\\\",
        r"\midrule",
    )
    for label, value, between, _ in view.rows(report):
        yield f"{escape(label)} & {_number(value)} & {_number(between)} \\\\"
    yield from (r"\bottomrule", r"\end{tabular}", r"\par\medskip")


def _number(text: str) -> str:
    """Escaped, with powers of ten set as such and thin spaces between thousands."""
    made = escape(re.sub(r"(?<=\d),(?=\d{3})", " ", text)).replace(" -- ", "--")
    made = re.sub(r"(\d) (?=\d{3})", r"\1\\,", made)
    return re.sub(r"([\d.]+)e\+?(\{?-?\}?\d+)", r"$\1\\times 10^{\2}$", made)


def quantity(report: Mapping[str, Any], key: str) -> str:
    r"""A result with siunitx: ``\qty``'s older spelling ``\SI``, which every version reads."""
    found = view.figure(report, key)
    value = found["value"]
    if value is None:
        return "unknown"
    choices = _UNITS[found["unit"]]
    macro, factor = next((c for c in choices if value >= c[1]), choices[-1])
    unit, _, rest = macro.partition("{}")
    shown = view.plain(value / factor)
    tail = f"\\,{rest}" if rest else ""
    return (
        f"\\SI{{{shown}}}{{{unit}}}{tail}" if not rest else f"\\SI{{{shown}}}{{{unit}}}{{{tail}}}"
    )


def _paragraph(report: Mapping[str, Any]) -> Iterator[str]:
    yield "% --- paragraph"
    verb = {
        "estimated": "is estimated to take",
        "measured": "took",
        "partly measured": "took (partly measured)",
    }[view.kind(report)]
    yield f"Training {escape(view.name(report))} on {escape(view.hardware(report))} {verb}"
    hours = view.value(report, "device_hours")
    shown = "an unknown number of" if hours is None else f"\\num{{{view.plain(hours)}}}"
    yield f"{quantity(report, 'wall_clock')} of wall-clock time a run"
    yield f"and {shown} device-hours in all,"
    yield f"and {quantity(report, 'energy')} of electricity at the facility."
    pue, grid = view.assumption(report, "site.pue"), view.assumption(report, "site.grid")
    if pue and isinstance(pue["value"], (int, float)):
        basis = escape(str(pue["basis"]))
        yield f"The power usage effectiveness is \\num{{{view.plain(pue['value'])}}} ({basis})."
    if grid and isinstance(grid["value"], (int, float)):
        unit = escape(str(grid.get("unit") or ""))
        yield (
            f"At \\num{{{view.plain(grid['value'])}}}\\,{unit} in "
            f"{escape(view.place(report))} ({_source(grid)}), this is"
        )
        yield f"{quantity(report, 'carbon_operational')} (location-based);"
        yield f"with a share of making the hardware, {quantity(report, 'carbon_total')}."
    elif view.differs(report, "site.grid"):
        yield "At the carbon intensities of the electricity of each part, this is"
        yield f"{quantity(report, 'carbon_operational')} (location-based);"
        yield f"with a share of making the hardware, {quantity(report, 'carbon_total')}."
    else:
        yield "The carbon intensity of the electricity is not known."
    cost = view.value(report, "cost")
    if cost is not None:
        yield f"The cost is \\num{{{view.plain(cost)}}}\\,USD."
    yield f"Figures are by {escape(view.software(report))}~\\cite{{costcalc}};"
    yield "ranges are 5th to 95th percentiles."


def _source(item: Mapping[str, Any]) -> str:
    """Where a figure is from: what the run file says is the authors' own."""
    return "our own figure" if item["basis"] == "given" else escape(str(item["source"]))


def _bibtex(report: Mapping[str, Any]) -> Iterator[str]:
    yield "% --- BibTeX (into your .bib file, without the percent signs)"
    for line in (
        "@software{costcalc,",
        "  title = {costcalc: what training a model costs},",
        f"  version = {{{escape(str(report.get('costcalc_version') or 'unknown'))}}},",
        f"  note = {{report {escape(str(report['digest']))}}},",
        "}",
    ):
        yield f"% {line}"
