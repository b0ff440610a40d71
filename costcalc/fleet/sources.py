"""The sources that a ledger takes jobs from, by their names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from costcalc.base.errors import InputError, Problem, nearest
from costcalc.decide.clock import zone
from costcalc.fleet.cluster import Cluster
from costcalc.fleet.facts import Facts, Refused
from costcalc.fleet.importing import slurm

Stream = Iterator[Facts | Refused]
SOURCES = ("slurm",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What an import is asked for."""

    source: str
    file: Path | None = None
    since: str | None = None
    cluster: str | None = None


@contextmanager
def opened(asked: Asked, cluster: Cluster) -> Iterator[Stream]:
    """The stream of a source.

    Raises:
        InputError: there is no such source, or it cannot be read.
    """
    if asked.source not in SOURCES:
        near = nearest(asked.source, SOURCES, at_most=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        message = f'expected one of {", ".join(SOURCES)}; got "{asked.source}"{hint}'
        raise InputError(Problem(key="import", message=message))
    with _slurm(asked, cluster) as stream:
        yield stream


@contextmanager
def _slurm(asked: Asked, cluster: Cluster) -> Iterator[Stream]:
    reading = slurm.Reading(
        zone=zone(cluster.fleet.timezone), cluster=asked.cluster or cluster.fleet.name or ""
    )
    if asked.file is not None:
        with slurm.opened(asked.file) as lines:
            yield slurm.attempts(lines, str(asked.file), reading)
        return
    if asked.since is None:
        message = "give a FILE of sacct -P -D, or --since 2026-10-01 to ask sacct itself"
        raise InputError(Problem(key="import", message=message))
    with slurm.running(asked.since) as lines:
        yield slurm.attempts(lines, "sacct", reading)
