"""LaTeX: a booktabs table, a paragraph with siunitx, BibTeX.  Compiles without shell escape.

Letters that pdflatex cannot set stand in a command that lualatex, with fontspec and a font that has
them, sets; without one it sets question marks.
"""

from __future__ import annotations

import re
import unicodedata
from itertools import groupby

from costcalc.report.renderings.filling import fill
from costcalc.report.said import other_grid, unsampled
from costcalc.report.view import ROWS, Shown, View, plain

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


YEAR = 2026  # of the release, as CITATION.cff has it
_SCRIPT = "\\costcalcscript"
#: a range whose ends have the same power of ten, which is set once: the table is narrower
_ALIKE = re.compile(r"([\d.]+)e\+?(\{?-?\}?\d+)--([\d.]+)e\+?\2(?!\d)")
_MARKS = {"measured": "m", "given": "g"}  # all else is estimated


def escape(text: str) -> str:
    """Text for LaTeX: plain ASCII or commands of LaTeX, letters of other scripts in our own.

    >>> escape("50 % & more_or less")
    '50 \\\\% \\\\& more\\\\_or less'
    >>> escape("漢字 x")
    '\\\\costcalcscript{\\\\symbol{"6F22}\\\\symbol{"5B57}}{??} x'
    """
    made = []
    for beyond, characters in groupby(" ".join(text.split()), _beyond_latin):
        run = list(characters)
        if beyond:
            symbols = "".join(f'\\symbol{{"{ord(letter):X}}}' for letter in run)
            made.append(f"{_SCRIPT}{{{symbols}}}{{{'?' * len(run)}}}")
        else:
            made += map(_character, run)
    return "".join(made)


def _beyond_latin(character: str) -> bool:
    """Whether a letter or a digit has no command of LaTeX."""
    plain_letter = unicodedata.category(character)[0] in "LMN" and not character.isascii()
    return plain_letter and character not in _SPECIAL and _character(character) == "?"


def _character(character: str) -> str:
    if character in _SPECIAL:
        return _SPECIAL[character]
    if " " <= character <= "~":
        return character
    parts = unicodedata.normalize("NFD", character)
    if len(parts) == 2 and parts[0].isascii() and parts[0].isalpha() and parts[1] in _ACCENTS:
        return f"\\{_ACCENTS[parts[1]]}{{{parts[0]}}}"
    return "?"


def latex(view: View, columns: int = 2) -> str:
    """Table, paragraph and BibTeX, each between comments that say so.

    The table is as wide as it is with ``columns`` 2, and fits into one of two columns with 1.
    """
    more = {
        "columns": columns,
        "unknown": view.lacking(*ROWS),
        "year": YEAR,
        "other_grid": other_grid(view),
        "unsampled": unsampled(view, "energy") or unsampled(view, "energy_it"),
    }

    def made(*, scripts: bool) -> str:
        return fill(
            "latex.tex.j2",
            view,
            escape,
            {"number": number, "quantity": quantity, "exact": exact, "mark": _mark},
            scripts=scripts,
            **more,
        )

    text = made(scripts=False)
    return made(scripts=True) if _SCRIPT in text else text


def exact(figure: Shown) -> str:
    """A number as plain decimals: with all its digits where it was counted, else with three."""
    value = figure.value or 0.0
    whole = figure.low == figure.high and value.is_integer() and value < 1e15
    return f"{value:.0f}" if whole else plain(value)


def _mark(basis: str) -> str:
    return _MARKS.get(basis, "e")


def number(text: str) -> str:
    """Escaped, with powers of ten set as such and thin spaces between thousands."""
    made = escape(re.sub(r"(?<=\d),(?=\d{3})", " ", text)).replace(" -- ", "--")
    made = re.sub(r"(\d) (?=\d{3})", r"\1\\,", made)
    made = _ALIKE.sub(r"$(\1\\mbox{--}\3)\\times 10^{\2}$", made)
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
