"""LaTeX: a booktabs table, a paragraph with siunitx, BibTeX.  Compiles without shell escape."""

from __future__ import annotations

import re
import unicodedata

from costcalc.report.renderings.filling import fill
from costcalc.report.view import Shown, View, plain

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


def latex(view: View) -> str:
    """Table, paragraph and BibTeX, each between comments that say so."""
    return fill("latex.tex.j2", view, escape, {"number": number, "quantity": quantity})


def number(text: str) -> str:
    """Escaped, with powers of ten set as such and thin spaces between thousands."""
    made = escape(re.sub(r"(?<=\d),(?=\d{3})", " ", text)).replace(" -- ", "--")
    made = re.sub(r"(\d) (?=\d{3})", r"\1\\,", made)
    return re.sub(r"([\d.]+)e\+?(\{?-?\}?\d+)", r"$\1\\times 10^{\2}$", made)


def quantity(figure: Shown) -> str:
    r"""A figure with siunitx: ``\qty``'s older spelling ``\SI``, which every version reads."""
    value = figure.value
    if value is None:
        return "unknown"
    choices = _UNITS.get(figure.unit)
    if choices is None:  # a unit that no report of ours has
        return escape(figure.text)
    macro, factor = next((c for c in choices if value >= c[1]), choices[-1])
    unit, _, rest = macro.partition("{}")
    return f"\\SI{{{plain(value / factor)}}}{{{unit}}}" + (f"{{\\,{rest}}}" if rest else "")
