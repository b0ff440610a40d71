"""What the user asked of a tracker, and its check before training begins."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, SupportsFloat

from costcalc.base.errors import InputError, Problem
from costcalc.runfile.loading import Source
from costcalc.runfile.schema import Run
from costcalc.tracking.plan import Plan, prepare

LEDGER = "COSTCALC_LEDGER"  # where the records of a job go that does not say it

LONGEST = 3600.0  # seconds between samples at the most, whatever is asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The arguments of :func:`costcalc.track`; once :meth:`checked`, with the plan."""

    run: Source | None
    output: str | os.PathLike[str] | None
    ledger: str | os.PathLike[str] | None
    job: str | None
    stage: str | None
    changes: Mapping[str, object] | None
    on_limit: Literal["warn", "stop"]
    progress: bool | None
    callback: Callable[[dict[str, float]], object] | None
    interval: float
    identify: bool
    force: bool
    wrapper: bool = False  # around a command, which may track itself
    plan: Plan = field(default_factory=Plan)

    @property
    def folder(self) -> str | None:
        """The folder or URL of the ledger."""
        return None if self.ledger is None else os.fspath(self.ledger)

    def checked(self) -> Options:
        """The same with the run file read and its paths absolute: before training is the time.

        Raises:
            InputError: the run file or an argument has faults.
        """
        faults = [
            Problem(
                key=key, message=f"expected {expected}; got {getattr(self, key)!r}", file="track"
            )
            for key, expected, good in self._expected()
            if not good
        ]
        if faults:
            raise InputError(faults)
        output = None if self.output is None else Path(os.path.abspath(self.output))  # noqa: PTH100
        ledger = self.folder if self.ledger is not None else os.environ.get(LEDGER)
        if ledger is None and output is not None:
            ledger = str(output.with_suffix(".ledger"))
        if ledger is not None and "://" not in ledger:
            ledger = str(Path(ledger).absolute())
        run = self.run
        if isinstance(run, (str, os.PathLike)):  # read again, where a framework knows more of it
            run = os.path.abspath(run)  # noqa: PTH100
        return replace(
            self,
            run=run,
            output=output,
            ledger=ledger,
            interval=min(float(self.interval), LONGEST),
            plan=self.planned({}),
        )

    def _expected(self) -> Iterator[tuple[str, str, bool]]:
        """What each argument has to be, and whether it is."""
        nothing, path = type(None), (str, os.PathLike)
        source = (nothing, *path, Mapping, Run)
        yield "run", "a run file's path, or a mapping in its shape", isinstance(self.run, source)
        for key in ("output", "ledger"):
            yield key, "a path", isinstance(getattr(self, key), (nothing, *path))
        yield "job", "a name", isinstance(self.job, (nothing, str))
        yield "stage", "a name", isinstance(self.stage, (nothing, str))
        keys = isinstance(self.changes, Mapping) and all(isinstance(k, str) for k in self.changes)
        yield "changes", "a mapping of dotted keys", self.changes is None or keys
        yield "on_limit", "warn or stop", self.on_limit in ("warn", "stop")
        yield "interval", "a number of seconds above 0", _number(self.interval) > 0
        yield "callback", "a function", self.callback is None or callable(self.callback)

    def planned(self, found: Mapping[str, object]) -> Plan:
        """The run file with what was ``found`` of the job (dotted keys) laid over it.

        Raises:
            InputError: every problem of the file.
        """
        changes = {**(self.changes or {}), **found}
        source = self.run if self.run is not None else {} if found else None
        return prepare(source, changes=changes, stage=self.stage)


def _number(value: object) -> float:
    """A number of any kind; 0 for what is none."""
    return float(value) if isinstance(value, SupportsFloat) else 0.0
