"""Hugging Face model card: ``co2_eq_emissions`` in decimal grams, Environmental Impact.

The Hub reads emissions by the pattern ``\\d+\\.\\d+|\\d+``, so that an exponent or a unit is
misread: plain decimals only.  Source: https://huggingface.co/docs/hub/model-cards-co2.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from costcalc.base import writing
from costcalc.base.errors import InputError, Problem
from costcalc.report import view
from costcalc.report.renderings.markdown import cell
from costcalc.report.renderings.spdx import FINETUNING, methods

START, END = "<!-- costcalc: start -->", "<!-- costcalc: end -->"
_FRONT = re.compile(r"\A---[ \t]*\r?\n(.*?)(?:\r?\n)?^---[ \t]*\r?$", re.DOTALL | re.MULTILINE)
LEFT_OUT = "# co2_eq_emissions is left out:"
_BLOCK = re.compile(
    rf"^(?:{LEFT_OUT}.*|co2_eq_emissions[ \t]*:.*(?:\n(?:[ \t]+.*|[ \t]*|-.*|#.*))*)", re.MULTILINE
)
_OURS = re.compile(re.escape(START) + r".*?" + re.escape(END), re.DOTALL)
_HEADING = re.compile(r"^##[ \t]+Environmental Impact[ \t]*$", re.MULTILINE | re.IGNORECASE)


def render(report: Mapping[str, Any]) -> str:
    """A card of its own: front matter and the section."""
    return f"---\n{front_matter(report)}\n---\n\n## Environmental Impact\n\n{section(report)}\n"


def front_matter(report: Mapping[str, Any]) -> str:
    """The lines of ``co2_eq_emissions``; of operational emissions, as the Hub's field means."""
    grams = view.value(report, "carbon_operational")
    if grams is None:
        why = view.figure(report, "carbon_operational").get("why") or "not known"
        plain = "".join(c if c.isprintable() else " " for c in str(why))
        return f"{LEFT_OUT} {' '.join(plain.split())}"
    made = {
        "source": f"{view.software(report)} ({view.kind(report)})",
        "training_type": _training_type(report),
        "geographical_location": view.place(report),
        "hardware_used": view.hardware(report),
    }
    lines = writing.to_yaml(made).splitlines()
    amount = view.plain(grams * 1000, 6)
    return "\n".join(["co2_eq_emissions:", f"  emissions: {amount}", *(f"  {x}" for x in lines)])


def _training_type(report: Mapping[str, Any]) -> str:
    found = {method in FINETUNING for method, _ in methods(report)}
    return "fine-tuning" if found == {True} else "pre-training"


def section(report: Mapping[str, Any]) -> str:
    """The Environmental Impact section, between marks that let it be replaced."""
    pairs = [
        ("Hardware Type", view.hardware(report)),
        ("Hours used", view.text(report, "device_hours")),
        ("Cloud Provider", view.provider(report)),
        ("Compute Region", view.place(report)),
        ("Carbon Emitted", _carbon(report)),
        ("Energy", view.text(report, "energy")),
        ("Water", view.text(report, "water")),
        ("Cost", view.text(report, "cost")),
        ("How", f"{view.kind(report)} by {view.software(report)}, report {report['digest']}"),
    ]
    return "\n".join([START, *(f"- **{key}:** {cell(text)}" for key, text in pairs), END])


def _carbon(report: Mapping[str, Any]) -> str:
    if view.value(report, "carbon_operational") is None:
        why = view.figure(report, "carbon_operational").get("why")
        return f"unknown: {why or 'no reason given'}"
    text = view.text(report, "carbon_operational")
    between = view.between(report, "carbon_operational")
    made = f"{text} of electricity, location-based" + (
        f" (90 % range {between})" if between else ""
    )
    return f"{made}; {view.text(report, 'carbon_total')} with a share of making the hardware"


def into(card: str, report: Mapping[str, Any]) -> str:
    """An existing README.md with the figures written in; the rest stays byte for byte.

    Raises:
        InputError: the front matter is opened and not closed.
    """
    crlf = "\r\n" in card
    text = card.replace("\r\n", "\n") if crlf else card
    made = _with_section(_with_front(text, front_matter(report)), section(report))
    return made.replace("\n", "\r\n") if crlf else made


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
