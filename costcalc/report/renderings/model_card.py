"""Hugging Face model card: ``co2_eq_emissions`` in decimal grams, Environmental Impact.

The Hub reads emissions by the pattern ``\\d+\\.\\d+|\\d+``, so that an exponent or a unit is
misread: plain decimals only.  Source: https://huggingface.co/docs/hub/model-cards-co2.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from costcalc.base import writing
from costcalc.base.errors import InputError, Problem
from costcalc.report.renderings.filling import fill
from costcalc.report.renderings.forms import cell
from costcalc.report.view import View, plain

START, END = "<!-- costcalc: start -->", "<!-- costcalc: end -->"
_LINE = r"(?:\r\n|\n|\r)"
_FRONT = re.compile(
    rf"\A---[ \t]*{_LINE}(?P<inner>(?:.*?{_LINE})??)---[ \t]*(?={_LINE}|\Z)", re.DOTALL
)
# The entry of old: its line, and what stands further in or, of a list, at a dash.
_BLOCK = re.compile(
    rf"(?:^|(?<=[\r\n]))(?:# co2_eq_emissions is left out:[^\r\n]*"
    rf"|[\"']?co2_eq_emissions[\"']?[ \t]*:[^\r\n]*"
    rf"(?:{_LINE}(?:[ \t]+\S[^\r\n]*|-[ \t][^\r\n]*|[ \t]*(?={_LINE}[ \t]+\S)))*)"
)
_OURS = re.compile(re.escape(START) + r".*?" + re.escape(END), re.DOTALL)
_HEADING = re.compile(
    r"(?:^|(?<=[\r\n]))##[ \t]+Environmental Impact[ \t]*(?=[\r\n]|\Z)", re.IGNORECASE
)
_NEXT = re.compile(r"[\r\n]#{1,6}[ \t]")
# What the Hub's template of a card leaves to be filled in; a line that somebody has filled stays.
_BULLET = re.compile(
    r"(?:^|(?<=[\r\n]))[-*][ \t]+\*\*(?:Hardware Type|Hours used|Cloud Provider|Compute Region"
    rf"|Carbon Emitted):\*\*[ \t]*(?:\[More Information Needed\])?[ \t]*(?:{_LINE}|\Z)",
    re.IGNORECASE,
)


def model_card(view: View) -> str:
    """A card of its own: front matter and the section."""
    front, section = _parts(view)
    return f"---\n{front}\n---\n\n## Environmental Impact\n\n{section}\n"


def _parts(view: View) -> tuple[str, str]:
    """Lines of ``co2_eq_emissions``, and the section between marks that let it be replaced."""
    used = view.figures["carbon_operational"]  # of operational emissions, as the Hub's field means
    front = fill(
        "model-card-front.yaml.j2",
        view,
        filters={"entry": _entry, "comment": _comment},
        grams=None if used.value is None else plain(used.value * 1000, 6),
    )
    lacking = view.lacking("device_hours", "energy", "water", "cost", "carbon_total")
    section = fill("model-card.md.j2", view, cell, lacking=lacking)
    return front.rstrip("\n"), section.rstrip("\n")


def _entry(text: str, key: str) -> str:
    """``key: text`` in YAML, set in by two spaces."""
    return "\n".join(f"  {line}" for line in writing.to_yaml({key: text}).splitlines())


def _comment(text: str) -> str:
    printable = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(printable.split())


def into(card: str, report: Mapping[str, object]) -> str:
    """An existing README.md with the figures written in; the rest stays byte for byte.

    What is written has the line ends of the card's first line.

    Raises:
        InputError: the front matter is opened and not closed.
    """
    start = card[: len(card) - len(card.lstrip("\ufeff\r\n \t"))]  # before the front matter
    rest = card[len(start) :]
    if not rest.startswith("---"):
        start, rest = card[: len(card) - len(card.lstrip("\ufeff"))], card.lstrip("\ufeff")
    first = re.search(_LINE, rest)
    end = first[0] if first else "\n"
    front, section = (text.replace("\n", end) for text in _parts(View(report)))
    return start + _with_section(_with_front(rest, front, end), section, end)


def _with_front(card: str, block: str, end: str) -> str:
    found = _FRONT.match(card)
    if found is None:
        if re.match(rf"---[ \t]*{_LINE}", card):
            message = "the card's front matter is opened by --- and not closed"
            raise InputError(Problem(key="", message=message, file="card"))
        return f"---{end}{block}{end}---{end}{card}"
    inner = found["inner"]
    old = _BLOCK.search(inner)
    made = f"{inner}{block}{end}"
    if old is not None:
        made = inner[: old.start()] + block + inner[old.end() :]
    return card[: found.start("inner")] + made + card[found.end("inner") :]


def _with_section(card: str, ours: str, end: str) -> str:
    if _OURS.search(card):
        return _OURS.sub(lambda _: ours, card, count=1)
    heading = _HEADING.search(card)
    if heading is None:
        gap = "" if card.endswith(2 * end) else end if card.endswith(end) else 2 * end
        return f"{card}{gap}## Environmental Impact{end}{end}{ours}{end}"
    following = _NEXT.search(card, heading.end())
    until = following.start() if following else len(card)
    section = card[heading.end() : until]
    bullet = _BULLET.search(section)
    if bullet is None:
        made = f"{end}{end}{ours}{section}"
    else:
        after = _BULLET.sub("", section[bullet.end() :])
        made = f"{section[: bullet.start()]}{ours}{end}{after}"
    return card[: heading.end()] + made + card[until:]
