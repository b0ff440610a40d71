"""The tools: arguments in, a short answer out; nothing here knows the protocol."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from costcalc.assistant import answers, arguments, finding
from costcalc.assistant.arguments import Arguments
from costcalc.base.document import Document
from costcalc.base.errors import InputError, Problem, nearest, shown, wrong
from costcalc.calculator import explaining
from costcalc.calculator.calculate import estimate
from costcalc.calculator.result import Estimate, Result
from costcalc.runfile.loading import document_of
from costcalc.runfile.paths import outside, within
from costcalc.runfile.schema import Part

#: scenarios that one call compares at most
MOST_SCENARIOS = 200_000
#: seconds that it searches at most: assistants give a call up after a minute
SECONDS = 30.0
FRONT, LINES = 8, 40
SUFFIXES, MOST_NAMES = (".yaml", ".yml", ".toml", ".json"), 1000


@dataclass(frozen=True, slots=True)
class Files:
    """The one folder whose files may be read; None: no file is."""

    folder: Path | None = None

    def path(self, name: str, key: str) -> Path:
        """A file of the folder, which an argument names.

        Raises:
            InputError: no folder was given, or it is not a file within.
        """
        if self.folder is None:
            message = "no file is read: give its content, or start costcalc mcp with --folder"
            raise wrong(key, message)
        path = self.folder / name
        if not within(path, self.folder):
            raise wrong(key, f'expected a path within the folder of the server; got "{name}"')
        if not os.path.isfile(path):  # noqa: PTH113  (Path.is_file raises where a name is too long)
            message = f"expected the path of a file in the folder of the server; got {shown(name)}"
            near = nearest(name, self._names(), at_most=1)
            raise wrong(key, message + (f"; nearest: {near[0]}" if near else ""))
        return path

    def _names(self) -> list[str]:
        """Files that stand in the folder itself, for a name that was mistyped."""
        assert self.folder is not None
        try:
            found = (path.name for path in self.folder.iterdir() if path.suffix in SUFFIXES)
            return list(islice(found, MOST_NAMES))
        except OSError:
            return []

    def named(self, problem: Problem) -> Problem:
        """A problem with the name of its file as the assistant gave it; without one of no file."""
        if problem.file is None or self.folder is None:
            return problem.at(None, None, None)
        path = Path(problem.file)
        if not path.is_relative_to(self.folder):
            return problem.at(None, None, None)
        name = path.relative_to(self.folder).as_posix()
        return problem.at(name, problem.line, problem.column)

    def run(self, given: Mapping[str, object] | str) -> Path | dict[str, object]:
        """A run that names no file outside of the folder.

        Raises:
            InputError: it does, or it cannot be read.
        """
        if isinstance(given, str):
            path = self.path(given, "run")
            self._checked(document_of(path)[0], path.parent)
            return path
        made = dict(given)
        self._checked(Document(made, "run"), self.base)
        return made

    @property
    def base(self) -> Path:
        """What paths of a run that is given whole are relative to."""
        return self.folder or Path()

    def _checked(self, document: Document, folder: Path) -> None:
        found = outside(document, folder, self.folder)
        if found:
            raise InputError(found)


def _estimated(files: Files, asked: arguments.OfARun) -> Estimate:
    return estimate(files.run(asked.run), changes=_safe(files, asked.changes))


def _safe(files: Files, changes: Mapping[str, object]) -> dict[str, object]:
    """Changes that name no file outside of the folder either."""
    from costcalc.runfile.laying import apply

    files.run(apply({}, changes))
    return dict(changes)


def _estimate(files: Files, asked: arguments.Estimate) -> dict[str, object]:
    return answers.estimate(_estimated(files, asked))


def _explain(files: Files, asked: arguments.Explain) -> dict[str, object]:
    made = _estimated(files, asked)
    return {"figure": asked.figure, "explanation": explaining.figure(made, asked.figure)}


def _memory_fit(files: Files, asked: arguments.MemoryFit) -> dict[str, object]:
    """Whether it fits; what does not is a refusal of estimate, which names the least that does."""
    from costcalc.catalog import accelerator
    from costcalc.resolve.names import folders, look_up
    from costcalc.runfile.loading import load

    run, changes = files.run(asked.run), _safe(files, asked.changes)
    part = load(run, look_up, changes=changes).parts[0].part
    least: dict[str, object] = {"hardware.utilization": 0.3}  # given, so that nothing is refused
    if part.training is None or part.training.micro_batch is None:
        least["training.micro_batch"] = 1  # a search fills the device with more
    given = estimate(run, changes={**changes, **least})
    needed = given.results["memory_per_device"]
    hardware = given.details.get("hardware")
    if needed.value is None or hardware is None:
        return {"fits": "unknown", "memory_per_device": answers.figure(needed)}
    own = folders(given.run, run.parent if isinstance(run, Path) else files.base)
    memory = accelerator.find(hardware["id"], own).memory.si / 2**30
    fits = _fits(needed, memory)
    quickest = answers.figure(needed)
    if (
        fits in ("perhaps", "unlikely")
        and given.details.get("layout", {}).get("chosen_by") == "auto"
    ):
        roomy = _roomy(run, {**changes, **least}, part)
        if roomy is not None and _fits(roomy.results["memory_per_device"], memory) == "yes":
            given, fits, needed = roomy, "yes", roomy.results["memory_per_device"]
    answer: dict[str, object] = {
        "fits": fits,
        "memory_per_device": answers.figure(needed),
        "device_memory": {"value": answers.rounded(memory), "unit": "GiB", "of": hardware["name"]},
        "count": hardware["count"],
        "micro_batch": "1, the least" if "training.micro_batch" in least else "as given",
    }
    layout = given.details.get("layout")
    if layout:
        answer["layout"] = layout
    if quickest["text"] != answers.figure(needed)["text"]:
        answer["quickest"] = f"takes {quickest['text']} and may not fit; this layout is slower"
    if fits == "no":
        try:
            estimate(run, changes=changes, ranges=False)
        except InputError as error:
            answer["why"] = [problem.message for problem in error.problems]
    return answer


def _fits(needed: Result, memory: float) -> str:
    """Whether what is needed (GiB) is there: yes and no at either end of its range.

    Between them the figure itself says which of the two is likelier.
    """
    low, high = needed.low or 0.0, needed.high or 0.0
    if low > memory or high <= memory:
        return "no" if low > memory else "yes"
    return "unlikely" if (needed.value or 0.0) > memory else "perhaps"


def _roomy(
    run: Path | dict[str, object], changes: Mapping[str, object], part: Part
) -> Estimate | None:
    """The run with what nobody has said of its layout chosen for room, not for speed."""
    more: dict[str, object] = {}
    if part.training is not None and part.training.recompute is None:
        more["training.recompute"] = "full"
    if part.hardware is not None and part.hardware.layout is None:
        more["hardware.layout"] = {"sharding": "zero3"}
    try:
        return estimate(run, changes={**changes, **more}) if more else None
    except InputError:  # the software cannot, or what is said speaks against it
        return None


def _compare(files: Files, asked: arguments.Compare) -> dict[str, object]:
    from costcalc.decide import ending
    from costcalc.decide.comparing import compare
    from costcalc.decide.sweep import read

    run, changes = files.run(asked.run), _safe(files, asked.changes)
    axes = {
        name: getattr(asked, name)
        for name in ("accelerators", "counts", "regions", "plans", "precisions")
    }
    sweep = read(run, axes, changes)[1]
    if sweep.number > MOST_SCENARIOS:
        message = f"expected {MOST_SCENARIOS:,} scenarios at most; got {sweep.number:,}"
        raise wrong("compare", f"{message}: fewer regions")
    made = compare(
        run,
        **axes,
        minimize=asked.minimize,
        changes=changes,
        progress=ending.within(SECONDS, "compare"),
        chunk_size=ending.piece(sweep),
    )
    told = made.to_dict()
    units = told["units"]
    assert isinstance(units, dict)
    return {
        "scenarios": made.number,
        "feasible": made.feasible,
        "front": [answers.row(one, units) for one in made.front[:FRONT]],
        "front_in_all": len(made.front),
        "best": answers.row(made.best, units) if made.best else None,
        "why_not": dict(list(made.why.items())[: answers.NOTES]),
        "notes": list(made.notes[: answers.NOTES]),
        "sources": list(made.sources[: answers.NOTES]),
    }


def _plan(files: Files, asked: arguments.Plan) -> dict[str, object]:
    from costcalc.decide.planning import plan

    made = plan(
        files.run(asked.run) if asked.run is not None else None,
        limits=asked.limits,
        tokens_per_parameter=asked.tokens_per_parameter,
        confidence=asked.confidence,
    )
    return {
        "run": dict(made.run),
        "preset": made.preset,
        "chances": made.chances,
        "binding": made.binding,
        "left": made.left,
        **answers.estimate(made.estimate),
        "notes": list(made.notes[: answers.NOTES]),
        "sources": made.sources[: answers.NOTES],
    }


def _peak(_: Files, asked: arguments.Peak) -> dict[str, object]:
    from costcalc.catalog.peak import of_what, told

    found = told(asked.name, asked.precision)
    return {
        "accelerator": found.pop("accelerator"),
        "dense_peak": found.pop("peak"),
        **found,
        "unit": "FLOP/s (int8: OP/s)",
        "sources": finding.sources_of_peak(of_what(asked.name).board),
    }


def _find(_: Files, asked: arguments.Find) -> dict[str, object]:
    return finding.found(asked.kind, asked.query, asked.limit)


def _verify(files: Files, asked: arguments.Verify) -> dict[str, object]:
    from costcalc.report.check import verify

    name = asked.report if isinstance(asked.report, str) else "report"
    if isinstance(asked.report, str):
        path = files.path(asked.report, "report")
        made = verify(path)
    else:
        with tempfile.TemporaryDirectory(prefix="costcalc-") as folder:
            path = Path(folder) / "report.json"
            path.write_text(json.dumps(asked.report), encoding="utf-8")
            made = verify(path)
    lines = [line.replace(str(path), name) for line in made.lines()[:LINES]]
    return {"holds": made.holds, "recomputed": made.recomputed, "lines": lines}


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool: what an assistant is told of it, and what it does."""

    name: str
    says: str
    takes: type[Arguments]
    does: Callable[[Files, object], dict[str, object]]

    def __call__(self, files: Files, given: Mapping[str, object]) -> dict[str, object]:
        """The answer.

        Raises:
            InputError: the arguments cannot be used; its problems say why.
        """
        return self.does(files, arguments.checked(self.takes, given))


def _tool(name: str, takes: type[Arguments], does: object, says: str) -> Tool:
    return Tool(name, says, takes, does)  # type: ignore[arg-type]  # takes what `takes` checks


TOOLS = {
    tool.name: tool
    for tool in (
        _tool("estimate", arguments.Estimate, _estimate,
              "What a training run will cost, or a finished one did: time, money, energy, CO2e, "
              "each with a 5 to 95 % range, how it comes about, and the sources it rests on."),
        _tool("explain", arguments.Explain, _explain,
              "How one figure of an estimate comes about: formula, every number and its source."),
        _tool("compare", arguments.Compare, _compare,
              "The same run on other accelerators, counts, places, price plans, precisions: what "
              "nothing beats in time, money and CO2e at once."),
        _tool("plan", arguments.Plan, _plan,
              "From limits (money, time, energy, CO2e) to the run that they buy."),
        _tool("memory_fit", arguments.MemoryFit, _memory_fit,
              "Whether a run fits into the memory of its devices: yes, perhaps, unlikely, no, and "
              "the least number of devices that does."),
        _tool("peak", arguments.Peak, _peak,
              "The dense peak of a device by precision, to divide by for a utilization (MFU)."),
        _tool("find", arguments.Find, _find,
              "Names that the other tools know: models, hardware, regions."),
        _tool("verify", arguments.Verify, _verify,
              "Whether a report is consistent: schema, arithmetic, recomputation."),
    )
}  # fmt: skip
