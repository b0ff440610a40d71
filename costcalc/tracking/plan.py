"""What the run file says of a job that is going to be tracked: checked at once, estimated later."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from costcalc.base.errors import CostcalcError, InputError, Problem
from costcalc.calculator.calculate import estimated
from costcalc.calculator.result import Estimate
from costcalc.resolve.measured import JobRun
from costcalc.resolve.names import look_up
from costcalc.runfile.loading import Input, Request, Source, load
from costcalc.runfile.rules import Lacking
from costcalc.runfile.schema import DATA_ONE_OF, MODEL_ONE_OF, Part, Run, Training
from costcalc.runfile.workload import Inline

_DATA_KEYS = (*DATA_ONE_OF, "sample_tokens")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The run file of one job: its typed record and the file as written, its paths absolute.

    What is going to be detected or counted may be missing from it: ``lacks``.
    """

    job: JobRun = field(default_factory=lambda: JobRun(run=Run.model_construct(), written={}))
    lacks: frozenset[Lacking] = frozenset(Lacking)
    is_given: bool = False  # there is a run file, if an empty one

    @property
    def run(self) -> Run:
        """What the file says, checked."""
        return self.job.run

    @property
    def written(self) -> Mapping[str, object]:
        """The file as it was written."""
        return self.job.written

    @property
    def layout(self) -> dict[str, int]:
        """Tensor, pipeline and context of ``hardware.layout``; empty where none is given."""
        found = self.run.hardware.layout if self.run.hardware else None
        if found is None:
            return {}
        return {"tensor": found.tensor, "pipeline": found.pipeline, "context": found.context}

    def gives(self, key: str) -> bool:
        """Whether the run file says a dotted key, or another that takes its place.

        >>> plan = prepare({"model": {"preset": "gpt2"}, "training": {"epochs": 1,
        ...                 "dataset_tokens": "1e6"}})
        >>> plan.gives("model.config"), plan.gives("training.samples"), plan.gives("site.pue")
        (True, True, False)
        """
        section, _, name = key.partition(".")
        if section == "model":
            return Lacking.MODEL not in self.lacks
        if name in _DATA_KEYS:
            return Lacking.DATA not in self.lacks
        return getattr(getattr(self.run, section, None), name.partition(".")[0], None) is not None

    @property
    def sample_length(self) -> float | None:
        """Tokens of a sample, where the run file says them."""
        training = self.run.training or Training()
        found = training.sample_tokens or training.sequence_length
        return float(found) if found else None


def prepare(
    source: Source | None, *, changes: Mapping[str, object] | None = None, stage: str | None = None
) -> Plan:
    """Read and check a run file; model, data and hardware may be missing.

    Raises:
        InputError: every problem of the file; several stages and none picked.

    >>> plan = prepare({"model": {"preset": "gpt2"}, "hardware": {"layout": {"tensor": 2}}})
    >>> sorted(lack.value for lack in plan.lacks)
    ['the hardware', 'the size of the data']
    """
    if source is None:
        return Plan()
    request = load(source, look_up, changes=changes, may_lack=frozenset(Lacking))
    given = _stage(request, stage)
    lacks = frozenset(_lacks(given.part))
    written = {k: v for k, v in request.raw.items() if k not in ("stages", "sweep")}
    written |= {k: v for k, v in given.raw.items() if k != "name"}
    sections = {name: getattr(given.part, name) for name in Part.model_fields if name != "name"}
    run = request.run.model_copy(update={**sections, "stages": None, "sweep": None})
    job = _absolute(JobRun(run=run, written=written), given.folder)
    if Lacking.HARDWARE in lacks and run.hardware is not None:
        job = job.changed("hardware", without=("count", "nodes"))  # of devices that are not named
    empty = [name for name, value in job.written.items() if value == {}]
    return Plan(job=job.lacking(*empty), lacks=lacks, is_given=True)


def _stage(request: Request, stage: str | None) -> Input:
    if not request.run.stages:
        return request.parts[0]
    for part in request.parts:
        if part.name == stage:
            return part
    listed = ", ".join(part.name for part in request.parts)
    message = f"expected stage=, one of {listed}; got {stage or 'none'}"
    raise InputError(Problem(key="stages", message=message, file=request.document.name))


def _lacks(part: Part) -> list[Lacking]:
    one_of = {
        Lacking.MODEL: (part.model, MODEL_ONE_OF),
        Lacking.DATA: (part.training, DATA_ONE_OF),
        Lacking.HARDWARE: (part.hardware, ("accelerator", "instance")),
    }
    return [
        lack
        for lack, (section, names) in one_of.items()
        if all(getattr(section, name, None) is None for name in names)
    ]


def _absolute(job: JobRun, folder: Path | None) -> JobRun:
    """Paths of the file made absolute: the script may change its folder."""
    base = (folder or Path()).absolute()
    named = job.run.model.config if job.run.model is not None else None
    if named is not None and not isinstance(named, Inline):
        job = job.changed("model", config=str(base / named))
    if job.run.profiles is not None:
        profiles = str(base / job.run.profiles)
        run = job.run.model_copy(update={"profiles": profiles})
        job = JobRun(run=run, written={**job.written, "profiles": profiles})
    return job


def predicted(plan: Plan) -> tuple[Estimate | None, str]:
    """The estimate made before, of one run; else None and why there is none."""
    lacking = [lack.value for lack in Lacking if lack in plan.lacks]
    if lacking:
        return None, f"nothing was predicted: the run file does not say {', '.join(lacking)}"
    job = plan.job.lacking("measured", "limits").changed("training", without=("runs",))
    try:
        return estimated(job.request()), ""
    except CostcalcError as error:
        return None, f"nothing was predicted: {str(error).splitlines()[0]}"
