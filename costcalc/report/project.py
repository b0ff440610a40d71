"""Many reports into one: runs, nodes or stages of a project, told apart by run id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

from costcalc.base import writing
from costcalc.base.errors import InputError, Problem
from costcalc.calculator.document import LETTERS, all_runs, kind, run_id
from costcalc.calculator.result import MODEL_VERSION, SCHEMA
from costcalc.report.metered import software
from costcalc.report.notes import of_parts
from costcalc.report.ranks import once
from costcalc.report.records import figures
from costcalc.report.totals import total

if TYPE_CHECKING:
    from costcalc.calculator.figure_schema import Figure, Results
    from costcalc.calculator.report_schema import (
        Measurement,
        Meter,
        Part,
        Project,
        Report,
        RunEntry,
        Stage,
        Subject,
    )


def merge(
    reports: Sequence[tuple[str, Mapping[str, object]]],
    *,
    name: str,
    distinct: bool = False,
    ranks: str | None = None,
) -> Report:
    """One project report of several; each pair is (file, report).

    Sums add; their ranges add end to end (as if all were high together), which is the wider choice.
    ``distinct`` says that reports with the same id are runs of their own, such as seeds that were
    estimated from equal inputs.  ``ranks``: see :func:`costcalc.report.ranks.once`.

    Raises:
        InputError: a run id stands twice, or runs may be one machine's energy several times.

    >>> from costcalc import estimate
    >>> run = {"measured": {"device_hours": 8}, "price": {"device_hour": "2 USD"},
    ...        "hardware": {"accelerator": "h100-sxm5-80", "count": 8}}
    >>> one, other = (estimate(run, changes={"measured.device_hours": h}) for h in (8, 16))
    >>> made = merge([("1.yaml", one.to_dict()), ("2.yaml", other.to_dict())], name="both")
    >>> made["results"]["cost"]["value"]
    48.0
    """
    pairs = [(file, part) for file, report in reports for part in _flat(cast("Report", report))]
    pairs, left_out = once(pairs, "each" if distinct and ranks is None else ranks)
    read = [report for _, report in pairs]
    runs, renamed = _runs([file for file, _ in pairs], read, distinct=distinct)
    results = total(
        [figures(report) for report in read],
        [_times(report) for report in read],
        [_number(report) for report in read],
    )
    by_run = all_runs(runs)
    told = [stage for i, report in enumerate(read) for stage in _stages(report, renamed[i])]
    boundaries = [report.get("boundary") for report in read if report.get("boundary")]
    alike = boundaries and all(found == boundaries[0] for found in boundaries)
    versions = dict.fromkeys(report.get("costcalc_version") for report in read)
    return assembled(
        name,
        results,
        told,
        warnings=of_parts(read, renamed),
        breakdown=_breakdown(read),
        details={
            "parts": _parts(read, renamed),
            **({"by_run": by_run} if by_run else {}),
            **({"left_out": left_out} if left_out else {}),
        },
        kind=_kind(read),
        runs=runs,
        subject=_subject(read),
        **({"boundary": boundaries[0]} if alike else {}),
        project=_project(read, results["device_hours"]["value"]),
        measurement=_measurement(read),
        software=software(versions, [tool for tool in map(_tool, read) if tool]),
    )


def _tool(report: Report) -> Mapping[str, str | None]:
    """The tool whose record a report is."""
    return cast("Mapping[str, str | None]", (report.get("details") or {}).get("imported") or {})


def _kind(reports: Sequence[Report]) -> str:
    """Mixed where a part was measured and another was not."""
    kinds = {report.get("kind") or kind(report["results"]) for report in reports}
    return kinds.pop() if len(kinds) == 1 else "mixed"


def _times(report: Report) -> float:
    """How many times the time of one run of each all the runs of a report take."""
    runs = runs_of(report)
    once, found = sum(run.get("hours") or 0.0 for run in runs), all_runs(runs)
    return found["hours"] / once if once > 0 and found and found["hours"] else 1.0


def _number(report: Report) -> float:
    """How many runs a report is of."""
    return sum(run.get("number") or 1.0 for run in runs_of(report))


def assembled(
    name: str, results: Mapping[str, Figure], stages: Sequence[Stage], **sections: object
) -> Report:
    """A report of figures that were not calculated here, with its digest."""
    from costcalc import __version__

    made = {
        "schema": SCHEMA,
        "name": name,
        "results": dict(results),
        "assumptions": [],
        "drivers": [],
        "warnings": [],
        "breakdown": {},
        "details": {},
        "run": {},
        "data": {},
        "stages": list(stages),
        "costcalc_version": __version__,
        "model_version": MODEL_VERSION,
        "kind": kind(cast("Results", results)),
        **sections,
    }
    return cast("Report", made | {"digest": writing.digest(made)})


def runs_of(report: Report) -> list[RunEntry]:
    """The runs of a report; a report without any is one run."""
    found = report.get("runs")
    if found:
        return [run.copy() for run in found]
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
    files: Sequence[str], reports: Sequence[Report], *, distinct: bool
) -> tuple[list[RunEntry], list[str]]:
    """Every run, and what was added to the ids and names of each report to tell it apart."""
    seen: dict[str, str] = {}
    listed: list[RunEntry] = []
    suffixes: list[str] = []
    problems: list[Problem] = []
    for file, report in zip(files, reports, strict=True):
        mine = runs_of(report)
        suffix, number = "", 1
        while distinct and any(one + suffix in seen for run in mine for one in _ids(run)):
            number += 1
            suffix = f"-{number}"
        for run in mine:
            twice = [f"{one}{suffix}" for one in _ids(run) if one + suffix in seen]
            if twice:
                some = f" and {len(twice) - 1:,} more" if len(twice) > 1 else ""
                message = (
                    f"run {twice[0]}{some} stands in {seen[twice[0]]} already; --distinct if they "
                    "are runs of their own, such as seeds with equal inputs"
                )
                problems.append(Problem(key="runs", message=message, file=file))
            seen |= {one + suffix: file for one in _ids(run) if one + suffix not in seen}
            run["id"] += suffix
        listed += mine
        suffixes.append(suffix)
    if problems:
        raise InputError(problems)
    return listed, suffixes


def _ids(run: Mapping[str, object]) -> list[str]:
    """The ids that a row of runs is of: its own, and those of the runs that stand together in it.

    >>> _ids({"id": "run-a", "members": "0123456789ab" "0123456789cd"})
    ['run-a', 'run-0123456789ab', 'run-0123456789cd']
    """
    members = str(run.get("members") or "")
    return [
        str(run["id"]),
        *(f"run-{members[at : at + LETTERS]}" for at in range(0, len(members), LETTERS)),
    ]


def _stages(report: Report, suffix: str) -> list[Stage]:
    """The parts of a report, each as a stage of the project."""
    shared = report["assumptions"]
    if report["stages"]:
        made: list[Stage] = []
        for stage in report["stages"]:
            own = stage.get("assumptions") or []
            common = [item for item in shared if item not in own]
            name = f"{stage.get('name') or 'stage'}{suffix}"
            made.append({**stage, "name": name, "assumptions": [*common, *own]})
        return made
    one = {
        "name": f"{report.get('name') or 'run'}{suffix}",
        "results": report["results"],
        "assumptions": list(shared),
        "run": report["run"],
    }
    kept = {key: report.get(key) for key in _OF_A_STAGE}
    return [cast("Stage", one | {key: value for key, value in kept.items() if value})]


# What a merged report keeps of each of its reports: as a stage, and under details.parts.
_OF_A_STAGE = ("warnings", "breakdown", "details")
_OF_A_PART = ("kind", "subject", "boundary", "measurement", "profiles")
_OF_STAGES = ("run", "results", *_OF_A_STAGE)


def _parts(reports: Sequence[Report], renamed: Sequence[str]) -> list[Part]:
    """What each report brings along to be calculated again: its run, and which stages are its."""
    made: list[Part] = []
    first = 0
    for report, suffix in zip(reports, renamed, strict=True):
        keys = (*_OF_A_PART, *(_OF_STAGES if report["stages"] else ()))
        kept = {key: report.get(key) for key in keys}
        part = {
            "name": f"{report.get('name') or 'run'}{suffix}",
            "first": first,
            "stages": len(report["stages"]),
            "runs": len(report.get("runs") or ()) or 1,
            "data": report["data"],
            "model_version": report["model_version"],
            "costcalc_version": report.get("costcalc_version"),
            **{key: value for key, value in kept.items() if value},
        }
        made.append(cast("Part", part))
        first += len(report["stages"]) or 1
    return made


def parts_of(report: Report) -> list[Report] | None:
    """The reports that a merged one was made of, as far as it keeps them; None of any other."""
    listed = (report.get("details") or {}).get("parts")
    if report["run"] or not isinstance(listed, list) or not listed:
        return None
    runs = runs_of(report)
    made: list[Report] = []
    row = 0
    for part in listed:
        own = runs[row : row + int(part["runs"])]
        made.append(_part(part, report["stages"], own, f"details.parts[{len(made)}]"))
        row += int(part["runs"])
    return made


def _part(part: Part, stages: Sequence[Stage], runs: Sequence[RunEntry], key: str) -> Report:
    first, number = int(part["first"]), int(part["stages"])
    own = stages[first : first + max(1, number)] if first >= 0 else []
    if not own:
        said = f"expected the number of one of the {len(stages)} stages; got {first}"
        raise InputError(Problem(key=f"{key}.first", message=said))
    held = {key: value for key, value in part.items() if key not in ("first", "stages", "runs")}
    made = {
        "warnings": [],
        "breakdown": {},
        "details": {},
        "drivers": [],
        **held,
        **({"assumptions": [], "stages": own} if number else {**own[0], "stages": []}),
        "name": part["name"],
        "runs": list(runs),
        "part": True,
    }
    return cast("Report", made)


def _flat(report: Report) -> list[Report]:
    """A report, or the reports that it was merged of."""
    return parts_of(report) or [report]


def _meters(report: Report) -> list[Meter]:
    measurement = report.get("measurement")
    return measurement["meters"] if measurement else []


def _breakdown(reports: Sequence[Report]) -> dict[str, dict[str, float]]:
    made: dict[str, dict[str, float]] = {}
    for of in ("cost", "energy", "carbon"):
        found = [(report.get("breakdown") or {}).get(of) or {} for report in reports]
        if all(found):
            made[of] = {}
            for name, value in (item for parts in found for item in parts.items()):
                made[of][name] = made[of].get(name, 0.0) + value
    return made


def _subject(reports: Sequence[Report]) -> Subject:
    subjects = [report.get("subject") or cast("Subject", {}) for report in reports]
    made: dict[str, object] = {}
    for key in ("paper", "code", "commit"):
        said = {subject.get(key) for subject in subjects}
        made[key] = said.pop() if len(said) == 1 else None
    lacking = [key for key, value in made.items() if value is None]
    made["models"] = list(dict.fromkeys(m for s in subjects for m in s.get("models") or ()))
    if lacking:
        made["why"] = f"{', '.join(lacking)}: not said, or not the same in all"
    return cast("Subject", made)


def _project(reports: Sequence[Report], total_hours: float | None) -> Project:
    """The runs whose role is final are what a paper reports; everything is the project."""
    final = [
        (run.get("device_hours"), run.get("number") or 1.0)
        for report in reports
        for run in runs_of(report)
        if run["role"] in ("final", "unknown")
    ]
    once = [hours / number for hours, number in final if hours is not None]
    reported = sum(once, 0.0) if len(once) == len(final) else None
    made: Project = {
        "reported_device_hours": reported,
        "total_device_hours": total_hours,
        "ratio": total_hours / reported if reported and total_hours is not None else None,
        "includes": "the runs listed, of which those are reported whose role is final or not "
        "known, each once; of others nothing is known",
    }
    if made["ratio"] is None:
        made["why"] = "device-hours are not known"
    return made


def _measurement(reports: Sequence[Report]) -> Measurement:
    meters: list[Meter] = []
    for report in reports:
        meters += [meter for meter in _meters(report) if meter not in meters]
    found = [report.get("measurement") or cast("Measurement", {}) for report in reports]
    logs = [_log(report) for report in reports]
    gaps = [one.get("gaps") for one in found]  # of an import a share of its time
    seconds = [None if g and _tool(one) else g for g, one in zip(gaps, reports, strict=True)]
    known = [gap for gap in seconds if gap is not None]
    made: Measurement = {
        "meters": meters,
        "nodes": None,
        "gaps": sum(known) if len(known) == len(seconds) else None,
        "why": "nodes: see the stages; gaps: not known in seconds of every run",
    }
    if any("lower_bound" in one for one in found):
        made["lower_bound"] = any(one.get("lower_bound") for one in found)
        listed = [log for log in logs if log]
        made["unsampled"] = (
            {"device_hours": sum(lost for lost, _ in listed), "of": sum(all_ for _, all_ in listed)}
            if listed
            else None
        )
    return made


def _log(report: Report) -> tuple[float, float] | None:
    """Of a log whose gaps are a share of its device-time: the hours of them, and all; else None."""
    measurement, hours = report.get("measurement"), report["results"]["device_hours"]["value"]
    gaps = measurement.get("gaps") if measurement else None
    if not _tool(report) or gaps is None or hours is None:
        return None
    return gaps * hours, hours
