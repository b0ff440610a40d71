"""The end of a job: its report, written where the user asked, and what it comes to in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from costcalc.base import writing
from costcalc.base.errors import CostcalcError, InputError, Problem
from costcalc.base.human import human, span
from costcalc.base.reading import read_file
from costcalc.calculator.plausible import of_part
from costcalc.calculator.result import SAID, SCHEMA, Estimate
from costcalc.tracking import coverage
from costcalc.tracking.aside import Aside
from costcalc.tracking.follow import read
from costcalc.tracking.jobs import UNFINISHED, by_job
from costcalc.tracking.jobs import listed as listed_jobs
from costcalc.tracking.ledger import Written
from costcalc.tracking.merge import Totals, totals
from costcalc.tracking.options import Options
from costcalc.tracking.plan import predicted, prepare
from costcalc.tracking.reporting import report, run_id
from costcalc.tracking.trainings import listed

T = TypeVar("T")
_PATIENCE = 3.0  # seconds that writing the report may take
_IN_FOLDER = "costs.yaml"  # the report's name where the output is a folder
_OF_ENERGY = ("energy", "carbon_total")
_WORDS = SAID | {"utilization": "MFU"}


def conclude(
    written: Sequence[Written],
    options: Options,
    before: Estimate | None,
    why_not: str,
    note: Callable[[str], None],
    *,
    may_tell: Callable[[], bool],
) -> tuple[dict[str, Any], Path | None]:
    """Make the report, write it, and say on stderr what came of the job, if that ``may_tell``."""
    whole = totals(written, layout=options.plan.layout)
    parts = _trainings(written, options)
    made = report(
        whole,
        options.plan,
        before,
        identify=options.identify,
        why_not=why_not,
        trainings=list(parts.values()) if len(parts) > 1 else (),
    )
    lost = _lost(written, parts, made, options)
    path, failed = _save_in_time(made, options, parts, lost, note) if options.output else (None, "")
    if options.progress is not False and (options.progress or options.output) and may_tell():
        from costcalc.tracking.progress import Teller

        teller = Teller()
        for line in summary(made, path):
            teller.say(line)
        if failed:
            said = f"the report could not be written to {options.output}: {failed}"
            teller.say(f"{said}; its figures are those above", warn=True)
        for output in lost:
            teller.say(f"{output}: its script ended before it was written; made of its records")
    return made, path


def _trainings(written: Sequence[Written], options: Options) -> dict[str, Totals]:
    """What ran under a wrapper and has an output of its own, by that."""
    if not options.wrapper:
        return {}
    return {
        output: totals(found)
        for output, found in listed(written).items()
        if any(w.last is not None for w in found)
    }


def _lost(
    written: Sequence[Written], parts: Mapping[str, Totals], made: dict[str, Any], options: Options
) -> dict[str, dict[str, Any]]:
    """Reports that a wrapper's scripts owe, by output: made of their records.

    A script is not held at its end for longer than a few seconds, and may be killed before.
    """
    found = {}
    for output, writers in listed(written).items():
        first = [w for w in writers if w.start.place.rank == 0]
        if output not in parts or not first or first[-1].start.reported:
            continue
        if len(parts) == 1:
            found[output] = made
            continue
        with suppress(CostcalcError):  # a run file that does not hold here
            found[output], _ = _of_records(writers, identify=options.identify)
    return found


def _save_in_time(
    made: Mapping[str, Any],
    options: Options,
    parts: Mapping[str, Totals],
    lost: Mapping[str, Mapping[str, Any]],
    note: Callable[[str], None],
) -> tuple[Path | None, str]:
    """Write the report, where the disk answers: where it stands, or why it does not.

    One training under a wrapper is one job with it: the script's own report is the same then.
    """
    disk, found, failed = Aside("costcalc-report"), list[Path](), list[str]()

    def tried(write: Callable[..., T], *given: object) -> T | None:
        try:
            return write(*given)
        except Exception as error:  # noqa: BLE001  (a folder that may not be searched, an odd path)
            failed.append(_reason(error))
            return None

    def save_it() -> None:
        script = None
        if len(parts) == 1:
            ((output, part),) = parts.items()
            script = tried(_of_script, Path(output), run_id(part), output in lost)
        found.extend(path for path in [tried(_save, made, options, note, script)] if path)
        if found and script is not None and script != found[0]:
            tried(save, made, script)
        for output, one in lost.items():
            if one is not made:
                tried(_save_free, one, Path(output))

    disk.do("report", save_it)
    if not disk.wait(_PATIENCE):
        failed.append("the disk does not answer")
    for why in failed:
        note(f"the report cannot be written: {why}")
    return (found[0], "") if found else (None, "; ".join(failed))


def _reason(error: Exception) -> str:
    """Why a file cannot be written, without its name where that is said beside."""
    if isinstance(error, InputError):
        said = (each.message for each in error.problems)
        return "; ".join(message.removeprefix("cannot be written: ") for message in said)
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _of_script(output: Path, run: str, lost: bool) -> Path | None:
    """Where the report of a script stands, or is to stand if it is ``lost``."""
    if lost:
        return free(output, {"runs": [{"id": run}]}, force=False)
    return output if _is_of(output, run) else None


def _save(
    made: Mapping[str, Any], options: Options, note: Callable[[str], None], script: Path | None
) -> Path:
    wanted = Path(options.output or "")
    if wanted.is_dir():
        wanted /= _IN_FOLDER
    path = free(wanted, made, force=options.force or wanted == script)
    if path != wanted:
        note(f"{wanted.name} exists and is another's: written as {path.name}")
    return save(made, path)


def _save_free(made: Mapping[str, Any], path: Path) -> Path:
    return save(made, free(path, made, force=False))


def save(made: Mapping[str, object], path: Path) -> Path:
    """Write a report whole, over what stood there.

    Raises:
        InputError: it cannot be written.
    """
    json_ = path.suffix == ".json"
    text = (
        writing.to_json(made) + "\n"
        if json_
        else writing.to_yaml(made, first_line=f"# {SCHEMA}: written by costcalc")
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = "it is a file" if isinstance(error, FileExistsError) else error.strerror or error
        message = f"cannot be written: its folder {path.parent} cannot be made: {reason}"
        raise InputError(Problem(key="", message=message, file=str(path))) from None
    return writing.save(text, path, force=True)


def free(path: Path, made: Mapping[str, Any], *, force: bool) -> Path:
    """Where to write: the path, unless another's file stands there; then ``costs.2.yaml``."""
    run = made["runs"][0]["id"]
    if force or not path.exists() or not path.is_file() or _is_of(path, run):
        return path
    for number in range(2, 10_000):
        other = path.with_name(f"{path.stem}.{number}{path.suffix}")
        if not other.exists() or _is_of(other, run):
            return other
    return path.with_name(f"{path.stem}.{run}{path.suffix}")


def _is_of(path: Path, run: str) -> bool:
    """Whether a file is an earlier report of a run."""
    try:
        return bool(read_file(path, path.name).data["runs"][0]["id"] == run)
    except (CostcalcError, OSError, KeyError, TypeError, IndexError):
        return False


def summary(made: Mapping[str, Any], path: Path | None) -> list[str]:
    """What the job came to, beside what was predicted, in a few lines."""
    found = made["details"]["tracking"]
    measurement = made.get("measurement", {})
    lacking = coverage.lacks(measurement)
    rows = found["predicted"].get("figures", [])
    if rows:
        share = found["predicted"]["share_of_plan"]
        of = "" if share > 0.995 else f" (for the {share:.1%} of the plan that was done)"
        lines = ["; ".join(_row(row, lacking) for row in rows) + of]
    else:
        figures = made["results"]
        known = [
            f"{word} {_figure(figures[name], lacking if name in _OF_ENERGY else ())}"
            for name, word in _WORDS.items()
            if figures[name]["value"] is not None
        ]
        if figures["energy"]["value"] is None and figures["energy_it"]["value"] is not None:
            energy = _figure(figures["energy_it"], lacking)
            known.append(f"energy {energy}, without the facility's (no PUE known)")
        lines = ["; ".join(known)]
    if lacking:
        lines.append(f"the energy is without {', '.join(lacking)}")
    lines += [*_taken(made), *coverage.lines(measurement)]
    lines += of_part(made)
    lines += [note for note in found.get("notes", []) if note.startswith(UNFINISHED)]
    if "calibrate" in found:
        lines.append(f"to make the next estimate right: {found['calibrate']}")
    return [*lines, *([f"report: {path}"] if path else [])]


def _taken(made: Mapping[str, Any]) -> list[str]:
    """What is said where the run file's devices stand for those that no driver told of.

    They may be there (a TPU, a container without NVML), or this was a trial on another machine.
    """
    measurement, named = made.get("measurement", {}), made["details"].get("hardware") or {}
    dark = any(each["what"] == "accelerators" for each in measurement.get("unmetered") or ())
    stand = any(each["component"] == "accelerators" for each in measurement.get("components") or ())
    if not (dark and stand and named.get("count")):
        return []
    devices = f"{named['count']:g} × {named['name']}"
    said = f"no accelerator was seen: the figures are of the run file's {devices}"
    return [f"{said}, and say nothing of them if this machine has none"]


def _figure(figure: Mapping[str, Any], lacking: Sequence[str]) -> str:
    """A figure; ``at least`` its low end where something is not in it."""
    shown = human(figure["value"], figure["unit"])
    if not lacking:
        return shown
    low = human(figure["low"], figure["unit"])
    return f"at least {low}" + (f", likely {shown} or more" if low != shown else "")


def _row(row: Mapping[str, Any], lacking: Sequence[str]) -> str:
    between = span(row["low"], row["high"], row["predicted"], row["unit"])
    before = human(row["predicted"], row["unit"]) + (f" [{between}]" if between else "")
    least = "at least " if lacking and row["of"] in _OF_ENERGY else ""
    return f"{_WORDS[row['of']]} {least}{human(row['came'], row['unit'])}, predicted {before}"


def merged(
    folder: str, *, job: str | None = None, run: str | None = None, identify: bool = False
) -> tuple[dict[str, Any], list[str]]:
    """The report of a job from its records alone, and what is to be said of them.

    Raises:
        InputError: no records are there, or those of several jobs and none is picked.
    """
    try:
        written = read(folder, job=job)
    except OSError as error:
        message = f"cannot be read: {error.strerror or error}"
        raise InputError(Problem(key="", message=message, file=folder)) from None
    jobs = by_job(written)
    if not any(item.last for item in written):
        message = "expected the records of a job (*.jsonl); " + (
            "none has a sample yet" if written else f"none of {job or 'any job'} is there"
        )
        raise InputError(Problem(key="", message=message, file=folder))
    if len(jobs) > 1:
        message = f"holds the records of {len(jobs)} jobs; pick one with --job: {listed_jobs(jobs)}"
        raise InputError(Problem(key="", message=message, file=folder))
    made, whole = _of_records(written, run=run, identify=identify)
    return made, [*_counted(whole), *whole.notes]


def _of_records(
    written: Sequence[Written], *, run: str | None = None, identify: bool
) -> tuple[dict[str, Any], Totals]:
    """The report of what writers have left, by their run file unless one is given."""
    stored = next((dict(item.start.run) for item in written if item.start.run), None)
    plan = prepare(run or stored)
    before, why_not = predicted(plan)
    whole = totals(written, layout=plan.layout)
    return report(whole, plan, before, identify=identify, why_not=why_not), whole


def _counted(whole: Totals) -> list[str]:
    """Who is there, and who is not."""
    said = [f"{len(whole.attempts)} attempts" if len(whole.attempts) > 1 else "1 attempt"]
    for number, attempt in enumerate(whole.attempts, 1):
        if attempt.missing:
            listed = ", ".join(str(node) for node in attempt.missing)
            said.append(
                f"attempt {number}: no records of node {listed} of "
                f"{attempt.nodes_expected}: taken to have held as many devices as the others"
            )
        if attempt.duplicate:
            listed = ", ".join(str(node) for node in attempt.duplicate)
            said.append(
                f"attempt {number}: two machines say that they are node {listed}: both are counted"
            )
    return said
