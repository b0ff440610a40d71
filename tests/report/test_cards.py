"""A report written into a card of the Hub: its own lines change, every other byte stays."""

from __future__ import annotations

import pytest
from byhand import figure, report, results

from costcalc.report.renderings.model_card import END, START, into

TEMPLATE = """---
license: mit
# of the card
co2_eq_emissions: 5
# of the tags
tags:
- a
- b
---

# Model

## Environmental Impact

<!-- Total emissions -->

Carbon emissions can be estimated.

- **Hardware Type:** [More Information Needed]
- **Hours used:** 300, as we counted
- **Cloud Provider:** [More Information Needed]
- **Compute Region:** [More Information Needed]
- **Carbon Emitted:** [More Information Needed]

## Technical Specifications
"""
REPORT = report(results(carbon_operational=1.0, device_hours=figure(8.0, "device_hour")))


def test_bullets_that_the_template_left_open_are_replaced_and_a_filled_one_stays() -> None:
    made = into(TEMPLATE, REPORT)
    assert "More Information Needed" not in made
    assert "- **Hours used:** 300, as we counted\n" in made
    assert made.index("Carbon emissions can be estimated.") < made.index(START)
    assert made.index(END) < made.index("## Technical Specifications")
    assert into(made, REPORT) == made


def test_comments_and_lists_beside_the_entry_stay() -> None:
    made = into(TEMPLATE, REPORT)
    assert "# of the card\nco2_eq_emissions:\n  emissions: 1000\n" in made
    assert "\n# of the tags\ntags:\n- a\n- b\n---\n" in made
    listed = "---\nco2_eq_emissions:\n- old\n- older\ntags: [a]\n---\n"
    assert "old" not in into(listed, REPORT)
    assert "tags: [a]\n---\n" in into(listed, REPORT)


@pytest.mark.parametrize("start", ["", "\ufeff", "\n\n", "\ufeff\r\n\r\n"])
def test_marks_and_empty_lines_before_the_front_matter_stay(start: str) -> None:
    made = into(start + TEMPLATE, REPORT)
    assert made.startswith(f"{start}---\nlicense: mit\n")
    assert made.count("co2_eq_emissions") == 1


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_of_the_card_are_those_of_what_is_written(end: str) -> None:
    made = into(TEMPLATE.replace("\n", end), REPORT)
    assert made == into(TEMPLATE, REPORT).replace("\n", end)


def test_other_line_ends_stay_as_they_are() -> None:
    mixed = TEMPLATE.replace("# Model\n", "# Model\r\n").replace("- b\n", "- b\r\n")
    made = into(mixed, REPORT)
    assert made.count("\r\n") == 2
    before, _, rest = made.partition(START)
    front, _, old = before.partition("co2_eq_emissions:")
    assert front == mixed.partition("co2_eq_emissions:")[0]
    assert (
        old[old.index("# of the tags") :]
        == (mixed[mixed.index("# of the tags") : mixed.index("- **Hardware Type")])
    )
    assert rest.partition(END)[2] == (
        "\n- **Hours used:** 300, as we counted\n\n## Technical Specifications\n"
    )
