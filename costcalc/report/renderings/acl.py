"""The answer to item C1 of the ACL Responsible NLP checklist.

Asked: parameters of the models, total computational budget, computing infrastructure.
Source: ACL Rolling Review, https://aclrollingreview.org/responsibleNLPresearch/.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from costcalc.report import view


def render(report: Mapping[str, Any]) -> str:
    """The three answers, and what they rest on."""
    parameters = view.text(report, "parameters")
    active, whole = view.value(report, "active_parameters"), view.value(report, "parameters")
    if active is not None and whole is not None and active < whole:
        parameters += f" ({view.text(report, 'active_parameters')} active a token)"
    return "\n".join(
        [
            (
                "C1. Did you report the number of parameters in the models used, the total "
                "computational budget (e.g., GPU hours), and computing infrastructure used?"
            ),
            "",
            "Yes.",
            f"Parameters: {parameters}.",
            (
                f"Computational budget: {view.text(report, 'device_hours')} on "
                f"{view.hardware(report)}; "
                f"{view.text(report, 'total_compute')} in all runs; {view.text(report, 'cost')} "
                f"({view.kind(report)})."
            ),
            (
                f"Computing infrastructure: {view.hardware(report)}; {view.place(report)}; "
                f"{view.text(report, 'energy')} of electricity, "
                f"{view.text(report, 'carbon_total')}."
            ),
            "",
        ]
    )
