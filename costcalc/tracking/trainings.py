"""Trainings under ``costcalc track -- COMMAND``: one is one job with its wrapper, several a total.

What a script tracks itself goes into the wrapper's ledger under the wrapper's job.  A training with
an output of its own is told apart by it; the wrapper has the sum of all.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress

from costcalc.base.errors import CostcalcError
from costcalc.tracking.ledger import Written
from costcalc.tracking.plan import Plan, prepare

WRAPPED = "COSTCALC_WRAPPED"  # set for all that a wrapper runs

_SHARED = ("site", "price", "hardware", "profiles")  # what several trainings may say alike


def training_of(output: object, env: Mapping[str, str] | None = None) -> str:
    """What tells a training from others of its wrapper: its own output; nothing where it has none.

    >>> training_of("/a/costs.yaml", {}), training_of("/a/costs.yaml", {"COSTCALC_WRAPPED": "1"})
    ('', '/a/costs.yaml')
    """
    env = os.environ if env is None else env
    return str(output) if output is not None and env.get(WRAPPED) else ""


def seen_by(training: str, written: Sequence[Written]) -> list[Written]:
    """The writers of a training; of the wrapper, and of one without an output, all."""
    return [w for w in written if not training or w.start.training == training]


def listed(written: Sequence[Written]) -> dict[str, list[Written]]:
    """The writers of each training that has an output of its own, in the order of time."""
    found: dict[str, list[Written]] = {}
    for w in sorted(written, key=lambda w: w.start.time):
        if w.start.training:
            found.setdefault(w.start.training, []).append(w)
    return found


class TakenPlan:
    """The run file of a wrapper that was given none: that of what it runs."""

    def __init__(self) -> None:
        self._seen: tuple[str, ...] = ()

    def newer(self, written: Sequence[Written]) -> Plan | None:
        """What the run files of the trainings say by now, if new; of several what is common.

        A run file that does not hold here is passed over: its own tracker tells its faults.
        """
        texts = {
            json.dumps(w.start.run, sort_keys=True, default=str): w.start.run
            for w in written
            if w.start.run and not w.start.wrapper
        }
        if not texts or tuple(sorted(texts)) == self._seen:
            return None
        self._seen = tuple(sorted(texts))
        with suppress(CostcalcError):
            return prepare(_common(list(texts.values())))
        return None


def _common(runs: Sequence[Mapping[str, object]]) -> Mapping[str, object]:
    first, *others = runs
    if not others:
        return first
    return {
        key: first[key]
        for key in _SHARED
        if key in first and all(run.get(key) == first[key] for run in others)
    }
