"""Step 3 of verifying: the whole calculation again, where model and data are the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from costcalc.base.errors import CostcalcError
from costcalc.calculator.result import MODEL_VERSION
from costcalc.report.closure import same
from costcalc.report.view import figures
from costcalc.runfile.asked import asked as asked_for

if TYPE_CHECKING:
    from costcalc.calculator.report_schema import Part, Report, Stage

_VALUE, _RANGE = 1e-9, 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """What came of calculating again: parts done of how many, why not, what differs."""

    done: int
    of: int
    reasons: tuple[str, ...] = ()
    found: tuple[str, ...] = ()

    def said(self) -> str:
        """In one line."""
        if self.found:
            return "differs"
        parts = "" if self.of == 1 else f"{self.done} of {self.of} parts: "
        made = [f"{parts}every value to 1e-9, every range to 1e-6"] * bool(self.done)
        return "; ".join(
            made + ["not recomputed here: " + "; ".join(self.reasons)] * bool(self.reasons)
        )


def recompute(report: Report) -> Again:
    """The whole calculation again; of a merged report that of each part that carries its run."""
    parts = (report.get("details") or {}).get("parts")
    if report["run"] or not isinstance(parts, list) or not parts:
        reason, found = _one(report)
        said = [reason] if reason else []
        return Again(done=1 - len(said), of=1, reasons=tuple(said), found=tuple(found))
    why: dict[str, list[str]] = {}
    differ: list[str] = []
    for part in parts:
        reason, found = _one(_as_report(part, report))
        if reason:
            why.setdefault(reason, []).append(str(part.get("name"))[:60])
        differ += [f"{str(part.get('name'))[:60]}: {line}" for line in found]
    reasons = tuple(f"{', '.join(names[:5])}: {reason}" for reason, names in why.items())
    done = len(parts) - sum(map(len, why.values()))
    return Again(done=done, of=len(parts), reasons=reasons, found=tuple(differ))


def _as_report(part: Part, report: Report) -> Report:
    """A part of a merged report, as it stood before; without results where it had stages."""
    first, number = int(part["first"]), int(part["stages"])
    stages = report["stages"][first : first + max(1, number)]
    one = {"stages": [], "assumptions": stages[0].get("assumptions"), **_results(stages[0])}
    made = {
        **{key: part.get(key) for key in ("model_version", "costcalc_version", "measured_by")},
        "data": part.get("data") or {},
        "run": part.get("run") or stages[0].get("run") or {},
        **({"stages": stages, "assumptions": []} if number else one),
    }
    return cast("Report", made)


def _results(stage: Stage) -> dict[str, object]:
    return {"results": stage["results"]}


def _one(report: Report) -> tuple[str, list[str]]:
    """Why it could not be recomputed (empty where it could), and what came out otherwise."""
    reason = _before(report)
    if reason:
        return reason, []
    from costcalc.calculator.calculate import estimate

    try:
        again = cast("Report", estimate({**asked(report), "defaults": None}).to_dict())
    except CostcalcError as error:
        return "", [f"run: this costcalc refuses it: {str(error).splitlines()[0]}"]
    changed = [name for name, digest in again["data"].items() if report["data"].get(name) != digest]
    if changed:
        version = report.get("costcalc_version") or "of its time"
        listed = ", ".join(changed[:3]) + (" …" if len(changed) > 3 else "")
        return f"needs costcalc {version}: the data differ here ({listed})", []
    return "", list(_differences("", report, again))


def _before(report: Report) -> str:
    if not report["data"] or not report["run"]:
        measurement = report.get("measurement")
        meters = measurement["meters"] if measurement else ()
        named = ", ".join(meter["name"][:60] for meter in meters)
        by = report.get("measured_by") or named
        if by:
            return f"{by} recorded it: there is nothing to calculate"
        return "it carries no run to calculate again"
    if report["model_version"] != MODEL_VERSION:
        return f"needs costcalc {report.get('costcalc_version') or '?'}: other formulas"
    outside = _files(report["run"])
    if outside:
        return f"it rests on files that it does not carry ({', '.join(outside)})"
    return ""


def _files(run: object) -> list[str]:
    """Keys of a run that name files: a stranger's report opens none."""
    if isinstance(run, list):
        return [name for item in run for name in _files(item)]
    if not isinstance(run, Mapping):
        return []
    found = [key for key in ("config", "profiles") if isinstance(run.get(key), str)]
    return found + [name for value in run.values() for name in _files(value)]


def asked(report: Report) -> dict[str, object]:
    """The run of a report as it was asked for."""
    return asked_for(report["run"], report["assumptions"])


def _differences(prefix: str, report: Report | Stage, again: Report | Stage) -> Iterator[str]:
    if report.get("results"):
        yield from _figures(prefix, report, again)
    theirs, ours = (cast("list[Stage]", part.get("stages") or []) for part in (report, again))
    if len(theirs) != len(ours):
        yield f"{prefix}stages: {len(theirs)}; recomputed {len(ours)}"
        return
    for index, (stage, made) in enumerate(zip(theirs, ours, strict=True)):
        yield from _differences(f"stages[{index}].", stage, made)


def _figures(prefix: str, report: Report | Stage, again: Report | Stage) -> Iterator[str]:
    mine = figures(report)
    for name, made in figures(again).items():
        stated: Mapping[str, object] = mine.get(name) or {}
        for part, tolerance in (("value", _VALUE), ("low", _RANGE), ("high", _RANGE)):
            said, found = stated.get(part), cast("Mapping[str, object]", made)[part]
            if not same(said, found, tolerance):
                yield (
                    f"{prefix}results.{name}.{part}: {_text(said)} {made['unit']}; "
                    f"recomputed {_text(found)}"
                )
    listed = {item["key"]: item.get("value") for item in report.get("assumptions", ())}
    for item in again["assumptions"]:
        said = listed.get(item["key"])
        if not same(said, item["value"], _VALUE):
            key = f"{prefix}assumptions {item['key']}"
            yield f"{key}: {_text(said)}; recomputed {_text(item['value'])}"


def _text(value: object) -> str:
    return f"{value:.10g}" if isinstance(value, (int, float)) else str(value)[:80]
