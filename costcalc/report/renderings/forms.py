"""Answers in words: Markdown tables, checklists of NeurIPS and ACL.

Sources: NeurIPS Paper Checklist Guidelines, https://neurips.cc/public/guides/PaperChecklist; ACL
Rolling Review, https://aclrollingreview.org/responsibleNLPresearch/.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from costcalc.base.errors import CostcalcError
from costcalc.catalog import accelerator
from costcalc.report.meters import section
from costcalc.report.renderings.filling import fill
from costcalc.report.tools import UNCOUNTED
from costcalc.report.view import KINDS, Shown, View, shown

if TYPE_CHECKING:
    from costcalc.calculator.report_schema import Report, Stage

_LISTED = 8  # runs that a checklist names one by one


def cell(text: str) -> str:
    """Text for a cell of a Markdown table: nothing in it is read as Markdown or HTML.

    >>> cell("a|b <script>")
    'a\\\\|b &lt;script&gt;'
    """
    made = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    for character in "\\`*_[]|":
        made = made.replace(character, f"\\{character}")
    return " ".join(made.split())


def markdown(view: View) -> str:
    """Tables of the figures and of the assumptions."""
    return fill("markdown.md.j2", view, cell)


def neurips(view: View) -> str:
    """Type of workers, memory, time of each run, the total, whether the project took more."""
    project = view.report.get("project")
    ratio = project["ratio"] if project else None
    more = _took_more(view, ratio)
    runs = view.runs
    asked = {
        "the workers": view.hardware != "unknown",
        "the time of each run": bool(runs) and all(run.hours != "unknown" for run in runs),
    }
    lacking = [*(name for name, known in asked.items() if not known), *view.lacking("device_hours")]
    named = [*lacking, *view.lacking("energy", "cost")]
    uncounted = [note for note in view.warnings if any(mark in note for mark in UNCOUNTED)]
    return fill(
        "neurips.txt.j2",
        view,
        answer=_answer(len(lacking) + (more is None), len(asked) + 2, [*named, *uncounted]),
        lacking=named,
        uncounted=uncounted,
        listed=bool(uncounted) or "parts" in view.details or "imported" in view.details,
        runs=runs if len(runs) <= _LISTED else [],
        several=len(runs) if len(runs) > _LISTED else 0,
        counted=_counted(view),
        memory=_memory(view),
        more=more,
        ratio=f"{ratio or 0:.3g}",
    )


def _memory(view: View) -> list[Shown]:
    """What a device held, where it has as much: of what ran, a model of more is wrong."""
    found = view.known("memory_per_device")
    try:
        held = accelerator.find(str(section(view.details, "hardware").get("id"))).memory.si
    except CostcalcError:
        return found
    ran = view.kind != KINDS["estimated"]
    return [one for one in found if not ran or (one.value or 0.0) * 2**30 <= held]


def _counted(view: View) -> str:
    """How many runs a report counts, in words."""
    number = sum(float(run.get("number") or 1) for run in view.report.get("runs") or ())
    return "one run" if number == 1 else f"{number:g} runs" if number else "no run by itself"


def _took_more(view: View, ratio: float | None) -> bool | None:
    """Whether the project took more than a run of each; None where nobody says that it did not."""
    if ratio is not None and ratio > 1:
        return True
    said = view.every("training.runs")
    none = ratio is not None and said and all(item["basis"] == "given" for item in said)
    return False if none else None


def _answer(lacking: int, asked: int, named: Sequence[str]) -> str:
    """Yes where nothing is named as not known, No where nothing of what is asked for is known."""
    if lacking >= asked:
        return "No"
    return "Partly" if lacking or named else "Yes"


def acl(view: View) -> str:
    """Parameters of the models, total computational budget, computing infrastructure."""
    models = list(_models(view))
    known = {"parameters": bool(models), "the infrastructure": view.hardware != "unknown"}
    lacking = [*(name for name, said in known.items() if not said), *view.lacking("device_hours")]
    named = [*lacking, *view.lacking("total_compute", "cost", "energy", "carbon_total")]
    answer = _answer(len(lacking), len(known) + 1, named)
    return fill("acl.txt.j2", view, answer=answer, models=models, lacking=named)


def _models(view: View) -> Iterator[str]:
    """The parameters of the model, or of each of several."""
    own = _parameters(view.report)
    if own:
        yield own
        return
    for stage in view.measured_parts:
        found = _parameters(stage)
        if found:
            yield f"{stage.get('name') or 'a stage'}: {found}"


def _parameters(part: Report | Stage) -> str:
    whole, active = (shown(part, key) for key in ("parameters", "active_parameters"))
    if whole.value is None:
        return ""
    sparse = active.value is not None and active.value < whole.value
    return f"{whole.text} ({active.text} active a token)" if sparse else whole.text
