"""Write a page of each catalogue into the docs: ``python scripts/catalogue_pages.py``.

``--check`` says whether the pages are what the data say now; CI asks it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from costcalc.base.human import digits
from costcalc.base.units import from_si
from costcalc.catalog import prices, region
from costcalc.catalog.accelerator import all_accelerators
from costcalc.catalog.figure import Figure
from costcalc.catalog.preset import all_presets
from costcalc.catalog.software import FACTS, all_software
from costcalc.cli.models import count
from costcalc.cli.prices import COLUMNS, cells
from costcalc.cli.software import said

DOCS = Path(__file__).parent.parent / "docs"
Rows = Iterable[Sequence[str]]


def shown(figure: Figure | None, unit: str) -> str:
    """A figure in a unit; empty where it is not known."""
    return digits(from_si(figure.si, unit)) if figure else ""


def page(title: str, command: str, heads: Sequence[str], rows: Rows) -> str:
    """A page with one table."""
    lines = [
        f"# {title}",
        "",
        f"Written by `scripts/catalogue_pages.py`; `{command}` shows one with its sources.",
        "",
        "| " + " | ".join(heads) + " |",
        "| " + " | ".join("---" for _ in heads) + " |",
        *("| " + " | ".join(cell.replace("|", "/") for cell in row) + " |" for row in rows),
    ]
    return "\n".join(lines) + "\n"


def pages() -> dict[str, str]:
    """Every page by its file."""
    boards = (
        (
            f"`{one.id}`",
            one.name,
            str(one.released),
            shown(one.peak.bf16 or one.peak.fp16, "TFLOP/s"),
            shown(one.memory, "GiB"),
            shown(one.memory_bandwidth, "GB/s"),
            shown(one.board_power, "W"),
        )
        for one in all_accelerators()
    )
    models = (
        (
            f"`{one.id}`",
            one.name,
            one.family,
            count(one.parameters),
            count(one.published.training_tokens.si) if one.published.training_tokens else "",
        )
        for one in all_presets()
    )
    places = (
        (
            f"`{one.code}`",
            one.label,
            f"{one.grid.value:g}" if one.grid else "unknown",
            one.grid.convention if one.grid else "",
            str(one.grid.year) if one.grid else "",
            f"{one.pue.value:g}" if one.kind == "cloud" else "",
        )
        for one in map(region.find, region.codes())
    )
    offers = (
        (f"`{one.accelerator}`", *cells(one)[1:])
        for board in all_accelerators()
        for one in prices.offers(board)
    )
    stacks = (
        (f"`{one.id}`", one.name, *(said(one, name) for name in FACTS)) for one in all_software()
    )
    return {
        "software.md": page(
            "Software",
            "costcalc software NAME",
            ("Id", "Name", *(name.replace("_", " ").capitalize() for name in FACTS)),
            stacks,
        ),
        "accelerators.md": page(
            "Accelerators",
            "costcalc hardware show NAME",
            ("Id", "Name", "Year", "16-bit TFLOP/s", "GiB", "GB/s", "W"),
            boards,
        ),
        "models.md": page(
            "Models",
            "costcalc models NAME",
            ("Id", "Model", "Family", "Parameters", "Tokens trained"),
            models,
        ),
        "regions.md": page(
            "Places",
            "costcalc regions show NAME",
            ("Code", "Where", "gCO2e/kWh", "Convention", "Year", "PUE"),
            places,
        ),
        "prices.md": page("Prices of a device-hour", "costcalc prices show NAME", COLUMNS, offers),
    }


def main() -> int:
    """Write the pages, or check them."""
    stale = []
    for name, text in pages().items():
        path = DOCS / "catalogue" / name
        if "--check" not in sys.argv:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
    if stale:
        print(f"not up to date: {', '.join(stale)}: python scripts/catalogue_pages.py")
    return bool(stale)


if __name__ == "__main__":
    sys.exit(main())
