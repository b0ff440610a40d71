"""Many reports into one: runs, nodes or stages of a project, told apart by run id."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from costcalc.base import writing
from costcalc.base.errors import InputError, Problem
from costcalc.calculator.result import MODEL_VERSION, SCHEMA, UNITS
from costcalc.calculator.sections import kind, run_id
from costcalc.report.closure import SUMS

Report = Mapping[str, Any]


def merge(
    reports: Sequence[tuple[str, Report]], *, name: str, distinct: bool = False
) -> dict[str, Any]:
    """One project report of several; each pair is (file, report).

    Sums add; their ranges add end to end (as if all were high together), which is the wider choice.
    ``distinct`` says that reports with the same id are runs of their own, such as seeds that were
    estimated from equal inputs.

    Raises:
        InputError: a run id stands twice.
    """
    from costcalc import __version__

    runs, renamed = _runs(reports, distinct=distinct)
    stages = [
        stage
        for index, (_, report) in enumerate(reports)
        for stage in _stages(report, renamed[index])
    ]
    results = {key: total(key, [report["results"][key] for _, report in reports]) for key in UNITS}
    made: dict[str, Any] = {
        "schema": SCHEMA,
        "name": name,
        "results": results,
        "assumptions": [],
        "drivers": [],
        "warnings": list(dict.fromkeys(w for _, r in reports for w in r.get("warnings") or ())),
        "breakdown": _breakdown([report for _, report in reports]),
        "details": {"parts": _parts(reports, renamed)},
        "run": {},
        "data": {},
        "stages": stages,
        "costcalc_version": __version__,
        "model_version": MODEL_VERSION,
        "kind": kind(results),
        "runs": runs,
        **_sections([report for _, report in reports], results),
    }
    made["digest"] = writing.digest(made)
    return made


def runs_of(report: Report) -> list[dict[str, Any]]:
    """The runs of a report; a report without any is one run."""
    found = [dict(run) for run in report.get("runs") or ()]
    if found:
        return found
    results = report["results"]
    return [
        {
            "id": run_id(str(report.get("name")), report["run"]),
            "name": report.get("name"),
            "role": "unknown",
            "number": 1.0,
            "hours": results["wall_clock"]["value"],
            "devices": None,
            "device_hours": results["device_hours"]["value"],
            "energy": results["energy"]["value"],
            "measured_by": None,
            "why": "the report lists no runs",
        }
    ]


def _runs(
    reports: Sequence[tuple[str, Report]], *, distinct: bool
) -> tuple[list[dict[str, Any]], list[str]]:
    seen: dict[str, str] = {}
    listed: list[dict[str, Any]] = []
    suffixes: list[str] = []
    problems: list[Problem] = []
    for file, report in reports:
        mine = runs_of(report)
        suffix = ""
        if distinct:
            number = 1
            while any(run["id"] + suffix in seen for run in mine):
                number += 1
                suffix = f"-{number}"
        for run in mine:
            run["id"] += suffix
            if run["id"] in seen:
                message = (
                    f"run {run['id']} stands in {seen[run['id']]} already; --distinct if they "
                    "are runs of their own, such as seeds with equal inputs"
                )
                problems.append(Problem(key="runs", message=message, file=file))
            seen.setdefault(run["id"], file)
        listed += mine
        suffixes.append(suffix)
    if problems:
        raise InputError(problems)
    return listed, suffixes


def _stages(report: Report, suffix: str) -> list[dict[str, Any]]:
    """The parts of a report, each as a stage of the project."""
    shared = list(report["assumptions"])
    if report["stages"]:
        return [
            {
                **stage,
                "name": f"{stage.get('name') or 'stage'}{suffix}",
                "assumptions": [*shared, *_new(stage.get("assumptions") or (), shared)],
            }
            for stage in report["stages"]
        ]
    made = {
        "name": f"{report.get('name') or 'run'}{suffix}",
        "results": report["results"],
        "assumptions": shared,
        "run": report["run"],
    }
    made |= {key: report[key] for key in ("warnings", "breakdown", "details") if report.get(key)}
    return [made]


def _parts(reports: Sequence[tuple[str, Report]], renamed: Sequence[str]) -> list[dict[str, Any]]:
    """What each report brings along to be calculated again: its run, and which stages are its."""
    made: list[dict[str, Any]] = []
    first = 0
    for (_, report), suffix in zip(reports, renamed, strict=True):
        within = (report.get("details") or {}).get("parts")
        if not report["run"] and isinstance(within, list) and within:  # merged before
            made += [{**part, "first": part["first"] + first} for part in within]
        else:
            meters = (report.get("measurement") or {}).get("meters") or ()
            made.append(
                {
                    "name": f"{report.get('name') or 'run'}{suffix}",
                    "first": first,
                    "stages": len(report["stages"]),
                    **({"run": report["run"]} if report["stages"] else {}),
                    "data": report["data"],
                    "model_version": report["model_version"],
                    "costcalc_version": report.get("costcalc_version"),
                    "measured_by": ", ".join(str(m.get("name")) for m in meters) or None,
                }
            )
        first += len(report["stages"]) or 1
    return made


def _new(items: Iterable[Any], shared: Sequence[Any]) -> list[Any]:
    return [item for item in items if item not in shared]


def total(key: str, figures: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A result of several: the sum, else the common one, else null with the reason."""
    unit = UNITS[key]
    unknown = [figure for figure in figures if figure["value"] is None]
    if key not in SUMS:
        if all(dict(figure) == dict(figures[0]) for figure in figures):
            return dict(figures[0])
        return _null(unit, "differs from run to run: see stages")
    if unknown:
        reasons = list(dict.fromkeys(figure.get("why") or "no reason given" for figure in unknown))
        if len(unknown) == len(figures) and len(reasons) == 1:
            return _null(unit, str(reasons[0]))
        return _null(unit, f"unknown for {len(unknown)} of {len(figures)}: {reasons[0]}")
    measured = all(figure["basis"] == "measured" for figure in figures)
    made: dict[str, Any] = {
        part: sum(float(_part(figure, part)) for figure in figures)
        for part in ("value", "low", "high")
    }
    made |= {"unit": unit, "basis": "measured" if measured else "modelled"}
    conventions = dict.fromkeys(figure.get("convention") or "" for figure in figures)
    if len(conventions) > 1:
        made["convention"] = "differs: " + "; ".join(text or "not said" for text in conventions)
    elif any(conventions):
        made["convention"] = next(iter(conventions))
    return made


def _part(figure: Mapping[str, Any], part: str) -> Any:
    return figure["value"] if figure.get(part) is None else figure[part]


def _null(unit: str, why: str) -> dict[str, Any]:
    return {"value": None, "low": None, "high": None, "unit": unit, "basis": "modelled", "why": why}


def _breakdown(reports: Sequence[Report]) -> dict[str, dict[str, float]]:
    made: dict[str, dict[str, float]] = {}
    for of in ("cost", "energy", "carbon"):
        found = [(report.get("breakdown") or {}).get(of) for report in reports]
        if not all(found):
            continue
        total: dict[str, float] = {}
        for parts in found:
            for name, value in (parts or {}).items():
                total[name] = total.get(name, 0.0) + value
        made[of] = total
    return made


def _sections(reports: Sequence[Report], results: Report) -> dict[str, Any]:
    subjects = [report.get("subject") or {} for report in reports]
    subject: dict[str, Any] = {}
    for key in ("paper", "code", "commit"):
        said = {found.get(key) for found in subjects}
        subject[key] = said.pop() if len(said) == 1 else None
    subject["models"] = list(dict.fromkeys(m for s in subjects for m in s.get("models") or ()))
    lacking = [key for key in ("paper", "code", "commit") if subject[key] is None]
    if lacking:
        subject["why"] = f"{', '.join(lacking)}: not said, or not the same in all"
    boundaries = [report["boundary"] for report in reports if report.get("boundary")]
    made: dict[str, Any] = {"subject": subject}
    if boundaries and all(found == boundaries[0] for found in boundaries):
        made["boundary"] = boundaries[0]
    return made | {
        "project": _project(reports, results),
        "measurement": _measurement(reports),
        "software": [
            {"name": "costcalc", "version": version}
            for version in dict.fromkeys(report.get("costcalc_version") for report in reports)
        ],
    }


def _project(reports: Sequence[Report], results: Report) -> dict[str, Any]:
    """The runs whose role is final are what a paper reports; everything is the project."""
    final: float | None = 0.0
    for report in reports:
        for run in runs_of(report):
            if run["role"] not in ("final", "unknown"):
                continue
            hours = run.get("device_hours")
            share = None if hours is None else hours / (run.get("number") or 1.0)
            final = None if final is None or share is None else final + share
    total = results["device_hours"]["value"]
    made = {
        "reported_device_hours": final,
        "total_device_hours": total,
        "ratio": total / final if final and total is not None else None,
        "includes": "every run listed; reported are those whose role is final, each once",
    }
    return made if made["ratio"] is not None else made | {"why": "device-hours are not known"}


def _measurement(reports: Sequence[Report]) -> dict[str, Any]:
    found = [report.get("measurement") or {} for report in reports]
    meters = []
    for one in found:
        meters += [meter for meter in one.get("meters") or () if meter not in meters]
    gaps = [one.get("gaps") for one in found]
    known = [gap for gap in gaps if gap is not None]
    made: dict[str, Any] = {
        "meters": meters,
        "nodes": None,
        "gaps": sum(known) if len(known) == len(gaps) else None,
    }
    return made | {"why": "nodes: see the stages; gaps: not known of every run"}
