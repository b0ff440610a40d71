"""Step 3 of verifying: the whole calculation again, where model and data are the same."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from costcalc.base.errors import CostcalcError
from costcalc.calculator.result import MODEL_VERSION
from costcalc.report.closure import close

Report = Mapping[str, Any]
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
        made = f"{parts}every value to 1e-9, every range to 1e-6" if self.done else ""
        return "; ".join([made] * bool(made) + self._not())

    def _not(self) -> list[str]:
        return ["not recomputed here: " + "; ".join(self.reasons)] * bool(self.reasons)


def recompute(report: Report) -> Again:
    """The whole calculation again; of a merged report that of each part that carries its run."""
    parts = (report.get("details") or {}).get("parts")
    if report["run"] or not isinstance(parts, list) or not parts:
        reason, found = _one(report)
        said = [reason] if reason else []
        return Again(done=1 - len(said), of=1, reasons=tuple(said), found=tuple(found))
    why: dict[str, list[str]] = {}
    differ: list[str] = []
    done = 0
    for part in parts:
        reason, found = _one(_as_report(part, report))
        done += not reason
        if reason:
            why.setdefault(reason, []).append(str(part.get("name"))[:60])
        differ += [f"{str(part.get('name'))[:60]}: {line}" for line in found]
    reasons = tuple(f"{', '.join(names[:5])}: {reason}" for reason, names in why.items())
    return Again(done=done, of=len(parts), reasons=reasons, found=tuple(differ))


def _as_report(part: Report, report: Report) -> dict[str, Any]:
    """A part of a merged report, as it stood before."""
    first, number = int(part["first"]), int(part["stages"])
    stages = report["stages"][first : first + max(1, number)]
    made = {"data": part.get("data") or {}, "run": part.get("run") or stages[0].get("run") or {}}
    made |= {key: part.get(key) for key in ("model_version", "costcalc_version", "measured_by")}
    if number:
        return made | {"stages": stages, "assumptions": [], "results": None}
    return made | {
        "stages": [],
        "assumptions": stages[0]["assumptions"],
        "results": stages[0]["results"],
    }


def _one(report: Report) -> tuple[str, list[str]]:
    """Why it could not be recomputed (empty where it could), and what came out otherwise."""
    reason = _before(report)
    if reason:
        return reason, []
    from costcalc.calculator.calculate import estimate

    try:
        again = estimate(asked(report)).to_dict()
    except CostcalcError as error:
        first = str(error).splitlines()[0]
        return "", [f"run: this costcalc refuses it: {first}"]
    changed = [name for name, digest in again["data"].items() if report["data"].get(name) != digest]
    if changed:
        version = report.get("costcalc_version") or "of its time"
        listed = ", ".join(changed[:3]) + (" …" if len(changed) > 3 else "")
        return f"needs costcalc {version}: the data differ here ({listed})", []
    return "", list(_differences("", report, again))


def _before(report: Report) -> str:
    if not report["data"] or not report["run"]:
        by = report.get("measured_by") or _meters(report)
        if by:
            return f"{by} recorded it: there is nothing to calculate"
        return "it carries no run to calculate again"
    if report["model_version"] != MODEL_VERSION:
        return f"needs costcalc {report.get('costcalc_version') or '?'}: other formulas"
    outside = _files(report["run"])
    if outside:
        return f"it rests on files that it does not carry ({', '.join(outside)})"
    return ""


def _meters(report: Report) -> str:
    meters = (report.get("measurement") or {}).get("meters") or ()
    return ", ".join(str(meter.get("name"))[:60] for meter in meters)


def _files(run: Any) -> list[str]:
    """Keys of a run that name files: a stranger's report opens none."""
    if isinstance(run, list):
        return [name for item in run for name in _files(item)]
    if not isinstance(run, Mapping):
        return []
    found = [key for key in ("config", "profiles") if isinstance(run.get(key), str)]
    preset = run.get("preset")
    if isinstance(preset, str) and ("/" in preset or "\\" in preset):
        found.append("preset")
    return found + [name for value in run.values() for name in _files(value)]


def asked(report: Report) -> dict[str, Any]:
    """The run as it was asked for: without the keys that costcalc filled in itself.

    >>> asked({"run": {"site": {"region": "FR", "pue": 1.3}},
    ...        "assumptions": [{"key": "site.pue", "basis": "default"}]})
    {'site': {'region': 'FR'}}
    """
    run: dict[str, Any] = copy.deepcopy(dict(report["run"]))
    if run.get("stages"):
        return run  # written as it was read
    for item in report["assumptions"]:
        if item["basis"] not in ("given", "measured"):
            _drop(run, str(item["key"]).split("."))
    return {key: value for key, value in run.items() if value != {}}


def _drop(run: Any, steps: list[str]) -> None:
    for step in steps[:-1]:
        run = run.get(step)
        if not isinstance(run, dict):
            return
    run.pop(steps[-1], None)


def _differences(prefix: str, report: Report, again: Report) -> Iterator[str]:
    for name, figure in again["results"].items() if report["results"] is not None else ():
        stated = report["results"].get(name) or {}
        for part, tolerance in (("value", _VALUE), ("low", _RANGE), ("high", _RANGE)):
            if not _same(stated.get(part), figure[part], tolerance):
                yield (
                    f"{prefix}results.{name}.{part}: {_text(stated.get(part))} {figure['unit']}; "
                    f"recomputed {_text(figure[part])}"
                )
    mine = {item["key"]: item for item in report.get("assumptions", ())}
    for item in again["assumptions"] if report["results"] is not None else ():
        stated = mine.get(item["key"], {}).get("value")
        if not _same(stated, item["value"], _VALUE):
            yield (
                f"{prefix}assumptions {item['key']}: {_text(stated)}; "
                f"recomputed {_text(item['value'])}"
            )
    theirs = report.get("stages") or []
    if len(theirs) != len(again.get("stages") or []):
        yield f"{prefix}stages: {len(theirs)}; recomputed {len(again.get('stages') or [])}"
        return
    for index, stage in enumerate(again.get("stages") or []):
        yield from _differences(f"stages[{index}].", theirs[index], stage)


def _same(a: Any, b: Any, tolerance: float) -> bool:
    if isinstance(a, (int, float)) and isinstance(b, (int, float)):
        return close(float(a), float(b), tolerance)
    return bool(a == b)


def _text(value: Any) -> str:
    return f"{value:.10g}" if isinstance(value, (int, float)) else str(value)[:80]
