"""Markdown: a table of the figures and one of the assumptions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from costcalc.report import view


def cell(text: str) -> str:
    """Text for a cell of a table: nothing in it is read as Markdown or HTML.

    >>> cell("a|b <script>")
    'a\\\\|b &lt;script&gt;'
    """
    made = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    for character in "\\`*_[]|":
        made = made.replace(character, f"\\{character}")
    return " ".join(made.split())


def render(report: Mapping[str, Any]) -> str:
    """The report as Markdown."""
    lines = [
        f"### {cell(view.name(report))}",
        "",
        f"{view.kind(report)}; {cell(view.hardware(report))}; {cell(view.place(report))}",
        "",
        "| | value | 90 % range |",
        "| --- | ---: | ---: |",
    ]
    for label, value, between, why in view.rows(report):
        lines.append(f"| {label} | {cell(value)} | {cell(between or why)} |")
    for part in [report, *report["stages"]]:
        lines += _assumptions(part)
    lines += ["", f"{cell(view.software(report))}, report `{report['digest']}`"]
    return "\n".join(lines) + "\n"


def _assumptions(part: Mapping[str, Any]) -> list[str]:
    listed = part.get("assumptions") or ()
    if not listed:
        return []
    lines = [
        "",
        f"| assumption of {cell(str(part.get('name') or 'the run'))} | value | basis | source |",
        "| --- | --- | --- | --- |",
    ]
    return lines + [
        f"| {cell(str(item['key']))} | {cell(view.assumed(item))} | {item['basis']} "
        f"| {cell(str(item['source']))} |"
        for item in listed
    ]
