"""Step 3 of verifying: everything that this release writes, made again and compared whole."""

from __future__ import annotations

import contextlib
import re
import tempfile
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from costcalc.base import writing
from costcalc.base.errors import CostcalcError, shown, wrong
from costcalc.calculator.document import sections
from costcalc.calculator.result import EARLIER, MODEL_VERSION
from costcalc.report import witnessed
from costcalc.report.agreeing import value_of
from costcalc.report.closure import close
from costcalc.report.metered import dressed, recorded
from costcalc.report.meters import section
from costcalc.report.project import merge, parts_of
from costcalc.report.ranks import LEFT_OUT
from costcalc.report.unprofiled import again as unprofiled
from costcalc.report.unprofiled import is_unprofiled
from costcalc.report.whole import differences, text
from costcalc.runfile.asked import asked as asked_for

if TYPE_CHECKING:
    from costcalc.calculator.report_schema import Report

#: what nobody but the author can know, and the seal, which has a step of its own
FREE = ("name", "subject", "software", "digest", "schema")
_VERSION = re.compile(r"\d{1,4}(\.\d{1,6}){1,3}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """What came of calculating again: parts done of how many, why not, what differs."""

    done: int
    of: int
    reasons: tuple[str, ...] = ()
    found: tuple[str, ...] = ()

    def said(self) -> str:
        """In one line."""
        parts = "" if self.of == 1 else f"{self.done} of {self.of} parts: "
        made = [f"{parts}every section as it was; values to 1e-9, ranges to 1e-6"]
        return "; ".join(
            (["differs"] if self.found else made * bool(self.done))
            + ["not recomputed here: " + "; ".join(self.reasons)] * bool(self.reasons)
        )


def recompute(report: Report) -> Again:
    """The whole of a report again; of a merged report each part, and what they come to."""
    merged = parts_of(report)
    if merged is None:
        reason, found = _one(report)
        said = [reason] if reason else []
        return Again(done=1 - len(said), of=1, reasons=tuple(said), found=tuple(found))
    why: dict[str, list[str]] = {}
    reason, differ = _version(report)
    for part in merged:
        name = str(part.get("name"))[:60]
        reason_of_part, found = _one(part)
        if reason_of_part:
            why.setdefault(reason_of_part, []).append(name)
        differ += [f"{name}: {line}" for line in found]
    if not reason:
        again = _merged_again(report, merged)
        differ += [*_authors(report, again), *differences(_held(report), _held(again))]
    reasons = tuple(f"{', '.join(names[:5])}: {reason}" for reason, names in why.items())
    done = len(merged) - sum(map(len, why.values()))
    all_reasons = (*([reason] if reason else []), *reasons)
    return Again(done=done, of=len(merged), reasons=all_reasons, found=tuple(differ))


def _merged_again(report: Report, parts: list[Report]) -> Report:
    named = [(str(part.get("name")), cast("Mapping[str, object]", part)) for part in parts]
    made = merge(named, name=str(report.get("name")), ranks="each")
    left_out = (report.get("details") or {}).get("left_out")
    kept = {run["id"] for run in made.get("runs") or ()}
    if isinstance(left_out, list) and left_out and all(_is_of_ranks(x, kept) for x in left_out):
        made["details"]["left_out"] = left_out  # which ranks these were nothing kept can tell
    return made


_RANK = re.compile(r"(run-[0-9a-f]{12}\S*) as (run-[0-9a-f]{12}\S*) of ")


def _is_of_ranks(note: object, kept: Collection[str]) -> bool:
    """Whether a note is of runs that were left out for others, which are there."""
    if not isinstance(note, str) or not note.startswith(f"{LEFT_OUT}: "):
        return False
    pairs = _RANK.findall(note)
    return bool(pairs) and all(out not in kept and own in kept for out, own in pairs)


def _held(report: Mapping[str, object] | Report) -> dict[str, object]:
    return {key: value for key, value in report.items() if key not in FREE}


def _one(report: Report) -> tuple[str, list[str]]:
    """Why it could not be recomputed (empty where it could), and what came out otherwise."""
    reason, found = _version(report)
    if reason and not found:
        found = list(_model_as_here(report))
    if reason or found:
        return reason, found
    if "imported" in (report.get("details") or {}) and not report["run"]:
        from costcalc.report.importing.build import again as imported

        return "", list(_compared(report, imported(report)))
    if not report["run"]:
        return "", ["run: empty; nothing shows how the figures came about"]
    outside = list(dict.fromkeys(_files(report["run"])))
    if outside:
        lacking = [f"data: lacks {name}, which run names" for name in _unlisted(report)]
        return f"it rests on files that it does not carry ({', '.join(outside)})", lacking
    return "", list(_run_again(report))


_OF_THE_MODEL = ("parameters", "active_parameters", "training_compute")


def _model_as_here(report: Report) -> Iterator[str]:
    """What another release says of a preset that is the same here, by the same model version."""
    files = [name for name in report["data"] if "presets/" in name]
    if report["model_version"] != MODEL_VERSION or report["stages"] or not files:
        return
    if _files(report["run"]):
        return
    from costcalc.calculator.calculate import estimate

    with contextlib.suppress(CostcalcError):
        made = estimate({**asked(report), "defaults": None}, ranges=False).to_dict()
        if any(made["data"].get(name) != report["data"][name] for name in files):
            return
        for name in _OF_THE_MODEL:
            said, again = (value_of(one, name) for one in (report, made))
            if said is None or again is None or not close(said, again):
                yield f"results.{name}: {text(said)}; of this model it is {text(again)}"


def _run_again(report: Report) -> Iterator[str]:
    try:
        made = unprofiled(report) if is_unprofiled(report) else _estimated(report)
    except CostcalcError as error:
        yield f"run: this costcalc refuses it: {str(error).splitlines()[0]}"
        return
    yield from _compared(report, made)


def _version(report: Report) -> tuple[str, list[str]]:
    """Why a report needs another release, or why there is none that it can be of."""
    from costcalc import __version__

    said = report.get("costcalc_version")
    if said == __version__:
        if report["model_version"] == MODEL_VERSION:
            return "", []
        line = f"model_version: {report['model_version']!r}; costcalc {said} has {MODEL_VERSION!r}"
        return "", [line]
    if not said or not _VERSION.fullmatch(said):
        return "", [f"costcalc_version: {str(said)[:40]!r} is no release of costcalc"]
    if _number(said) <= _number(__version__) and said not in EARLIER:
        return "", [f"costcalc_version: there is no release {said}"]
    return f"needs costcalc {said}", []


def _number(version: str) -> tuple[int, ...]:
    """The parts of a release's number, the zeros at its end left out: 0.2.0.0 is 0.2."""
    return tuple(int(part) for part in re.sub(r"(\.0+)+$", "", version).split("."))


def _estimated(report: Report) -> Report:
    """The report that this release makes of the run; profiles are those that it carries."""
    from costcalc.calculator.calculate import estimate

    run = {**asked(report), "defaults": None}
    folder_said = run.pop("profiles", None)  # a report carries what it used of that folder
    carried = report.get("profiles") or {}
    if not carried:
        made = estimate(run).to_dict(identify=True)
    else:
        with tempfile.TemporaryDirectory() as folder:
            for name, profile in carried.items():
                _placed(Path(folder), name, profile)
            made = estimate({**run, "profiles": folder}).to_dict(identify=True)
    if folder_said is not None or carried:
        made["run"]["profiles"] = report["run"].get("profiles")  # its folder, as it was
        made |= sections(cast("Report", made))
    return cast("Report", made)


_FILE_NAME = re.compile(r"[^/\\\x00-\x1f.][^/\\\x00-\x1f]{0,99}\.yaml")


def _placed(folder: Path, name: str, profile: Mapping[str, object]) -> None:
    """Write a profile that a report carries where it is looked for: a name, never a path."""
    if not _FILE_NAME.fullmatch(name):
        raise wrong("profiles", f"expected the name of a YAML file; got {shown(name)}")
    place = folder / ("accelerators" if "kind" in profile else "hosts")
    place.mkdir(exist_ok=True)
    (place / name).write_text(writing.to_yaml(profile), "utf-8")


# What a merged report keeps of each of its reports.
_KEPT = (
    *("results", "warnings", "breakdown", "details", "run", "data", "kind", "boundary"),
    *("measurement", "profiles", "stages", "runs"),
)


def _compared(report: Report, made: Report) -> Iterator[str]:
    told, details = cast("Mapping[str, object]", report), report.get("details") or {}
    yield from witnessed.discrepancies(report)
    if "tracking" in details:
        made = dressed(made, told)
    elif "imported" in details and report["run"]:
        made = recorded(made, told)
    said, again = _held(report), _held(made)
    if "part" in report:
        said, again = _of_a_part(report, made)
        yield from (line for line in witnessed.free(report) if not line.startswith("name"))
    else:
        yield from _authors(report, made)
    yield from differences(said, again)


def _authors(report: Report, made: Report) -> Iterator[str]:
    """What the author may say more of is there, with what costcalc says of it."""
    yield from witnessed.free(report)
    names = [section(one, "subject").get("models") for one in (report, made)]
    if names[1] and not names[0]:
        yield f"subject.models: none; the run is of {text(names[1])}"
    said = report.get("software") or []
    for one in made.get("software") or ():
        if one not in said:
            yield f"software: lacks {one['name']} {one['version'] or ''}".rstrip()


def _of_a_part(report: Report, made: Report) -> tuple[dict[str, object], dict[str, object]]:
    """A report and itself again, as far as a merged report keeps it."""
    keys = [*_KEPT, *(() if report["stages"] else ("assumptions",))]
    said, again = ({k: one[k] for k in keys if k in one} for one in (_held(report), _held(made)))
    said["runs"] = [{**run, "id": _plain(run, own)} for run, own in _pairs(report, made)]
    again["stages"] = [
        {**stage, "name": mine.get("name")}
        for stage, mine in zip(made["stages"], report["stages"], strict=False)
    ]
    return said, again


def _files(run: object) -> list[str]:
    """Keys of a run that name files: a stranger's report opens none."""
    if isinstance(run, list):
        return [name for item in run for name in _files(item)]
    if not isinstance(run, Mapping):
        return []
    found = [key for key in ("config", "calibration") if isinstance(run.get(key), str)]
    return found + [name for value in run.values() for name in _files(value)]


_OF_A_MODEL = ("config.json", "model_index.json", "adapter_config.json")  # of a folder of one


def _unlisted(report: Report) -> Iterator[str]:
    """Files of a model that the run names and ``data`` does not list."""
    listed = {name.rpartition("/")[2] for name in report["data"]}
    for name in _named(report["run"]):
        if not {name.rpartition("/")[2], *_OF_A_MODEL} & listed:
            yield name[:80]


def _named(run: object) -> Iterator[str]:
    items = run.values() if isinstance(run, Mapping) else run if isinstance(run, list) else ()
    if isinstance(run, Mapping) and isinstance(run.get("config"), str):
        yield run["config"]
    for item in items:
        yield from _named(item)


def _pairs(report: Report, made: Report) -> Iterator[tuple[dict[str, object], str]]:
    ours = made.get("runs") or []
    for index, run in enumerate(report.get("runs") or ()):
        yield dict(run), ours[index]["id"] if index < len(ours) else ""


def _plain(run: Mapping[str, object], own: str) -> str:
    """The id of a run without what merging added to tell it from a like one."""
    said = str(run.get("id"))
    return own if re.fullmatch(re.escape(own) + r"-\d{1,6}", said) else said


def asked(report: Report) -> dict[str, object]:
    """The run of a report as it was asked for."""
    return asked_for(report["run"], report["assumptions"])
