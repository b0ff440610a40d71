"""The answer to the compute item of the NeurIPS paper checklist (Experiments compute resources).

Asked: type of workers, memory, time of each run, the total, whether the project took more.
Source: NeurIPS Paper Checklist Guidelines, https://neurips.cc/public/guides/PaperChecklist.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from costcalc.base.human import human
from costcalc.report import view


def render(report: Mapping[str, Any]) -> str:
    """Question, answer, justification."""
    return "\n".join(
        [
            "Experiments compute resources",
            "",
            "Answer: [Yes]",
            "",
            "Justification: " + " ".join(_sentences(report)),
            "",
        ]
    )


def _sentences(report: Mapping[str, Any]) -> Iterator[str]:
    where = (
        "internal cluster or unknown" if view.provider(report) == "unknown" else "cloud provider"
    )
    yield (
        f"Workers: {view.hardware(report)}; {where}: {view.provider(report)}, {view.place(report)}."
    )
    memory = view.figure(report, "memory_per_device")
    if memory["value"] is not None:
        yield f"Memory: {view.text(report, 'memory_per_device')} a device ({memory['basis']})."
    for run in report.get("runs") or ():
        number = run.get("number") or 1
        each = human(run.get("hours"), "h")
        yield (
            f"Run {run.get('name') or run['id']} ({run['role']}, {number:g} of it): {each} each, "
            f"{human(run.get('device_hours'), 'device_hour')} in all."
        )
    yield (
        f"Total: {view.text(report, 'device_hours')}, {view.text(report, 'energy')}, "
        f"{view.text(report, 'cost')} ({view.kind(report)})."
    )
    ratio = (report.get("project") or {}).get("ratio")
    if ratio is None:
        yield "Whether the project took more than what is reported is not known."
    elif ratio > 1:
        yield (
            f"The whole project took {ratio:.3g} times the device-hours of the runs reported: "
            f"{report['project']['includes']}."
        )
    else:
        yield "The report counts one run; preliminary and failed runs are not in it."
