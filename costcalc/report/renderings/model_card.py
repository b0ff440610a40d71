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
_FRONT = re.compile(r"\A---[ \t]*\r?\n(.*?)(?:\r?\n)?^---[ \t]*\r?$", re.DOTALL | re.MULTILINE)
_BLOCK = re.compile(
    r"^(?:# co2_eq_emissions is left out:.*"
    r"|co2_eq_emissions[ \t]*:.*(?:\n(?:[ \t]+.*|[ \t]*|-.*|#.*))*)",
    re.MULTILINE,
)
_OURS = re.compile(re.escape(START) + r".*?" + re.escape(END), re.DOTALL)
_HEADING = re.compile(r"^##[ \t]+Environmental Impact[ \t]*$", re.MULTILINE | re.IGNORECASE)


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

    Raises:
        InputError: the front matter is opened and not closed.
    """
    start = card[: len(card) - len(card.lstrip("\ufeff\r\n \t"))]  # before the front matter
    rest = card[len(start) :]
    if not rest.startswith("---"):
        start, rest = "", card
    crlf = "\r\n" in rest
    text = rest.replace("\r\n", "\n") if crlf else rest
    front, section = _parts(View(report))
    made = _with_section(_with_front(text, front), section)
    return start + (made.replace("\n", "\r\n") if crlf else made)


def _with_front(card: str, block: str) -> str:
    found = _FRONT.match(card)
    if found is None:
        if card.startswith("---\n"):
            message = "the card's front matter is opened by --- and not closed"
            raise InputError(Problem(key="", message=message, file="card"))
        return f"---\n{block}\n---\n{card}"
    inner = found[1]
    old = _BLOCK.search(inner)
    if old is None:
        made = f"{inner}\n{block}" if inner else block
    else:
        kept = old[0][len(old[0].rstrip("\n")) :]
        made = inner[: old.start()] + block + kept + inner[old.end() :]
    return f"---\n{made}\n---" + card[found.end() :]


def _with_section(card: str, ours: str) -> str:
    if _OURS.search(card):
        return _OURS.sub(lambda _: ours, card, count=1)
    heading = _HEADING.search(card)
    if heading:
        return card[: heading.end()] + f"\n\n{ours}" + card[heading.end() :]
    gap = "" if card.endswith("\n\n") else "\n" if card.endswith("\n") else "\n\n"
    return f"{card}{gap}## Environmental Impact\n\n{ours}\n"
