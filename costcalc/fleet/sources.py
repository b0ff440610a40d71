"""The sources that a ledger takes jobs and meters from, by their names."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from costcalc.base.errors import InputError, Problem, nearest
from costcalc.decide.clock import zone
from costcalc.decide.series import instant
from costcalc.fleet.by_prometheus import from_prometheus
from costcalc.fleet.cluster import Cluster
from costcalc.fleet.facts import Facts, Refused
from costcalc.fleet.importing import kubernetes, lsf, pbs, prometheus, reports, slurm
from costcalc.fleet.ledger import Ledger
from costcalc.fleet.metering import read_meters
from costcalc.fleet.taking import Taken, take

Stream = Iterator[Facts | Refused]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What an import is asked for: of which source, and from where."""

    source: str
    where: str | None = None
    since: str | None = None
    cluster: str | None = None
    job: str | None = None

    @property
    def name(self) -> str:
        """What the ledger calls the import."""
        of = f"job {self.job}" if self.job else f"since {self.since}"
        return self.where or f"{self.source} {of}"


def import_from(ledger: Ledger, cluster: Cluster, asked: Asked) -> Taken:
    """Take what a source tells into the ledger.

    Raises:
        InputError: there is no such source, it cannot be read, or it breaks.
    """
    if asked.source not in SOURCES:
        near = nearest(asked.source, SOURCES, at_most=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        message = f'expected one of {", ".join(SOURCES)}; got "{asked.source[:40]}"{hint}'
        raise InputError(Problem(key="import", message=message))
    return SOURCES[asked.source](ledger, cluster, asked)


def _given(asked: Asked, what: str) -> str:
    if asked.where is None:
        raise InputError(Problem(key=f"import {asked.source}", message=f"give {what}"))
    return asked.where


def _named(asked: Asked, cluster: Cluster) -> str:
    return asked.cluster or cluster.fleet.name or ""


def _assumed(stream: Stream, asked: Asked) -> Stream:
    """The attempts of a source that does not name its cluster, as such."""
    for one in stream:
        unsaid = isinstance(one, Facts) and asked.cluster is None
        yield replace(one, assumed=True) if unsaid and isinstance(one, Facts) else one


def _slurm(ledger: Ledger, cluster: Cluster, asked: Asked) -> Taken:
    live = asked.where is None and asked.job is None
    until = time.time() if live else None  # before it is asked: what ends meanwhile may be missing
    with _sacct(asked, cluster) as stream:
        return take(ledger, cluster, stream, source="slurm", name=asked.name, until=until)


@contextmanager
def _sacct(asked: Asked, cluster: Cluster) -> Iterator[Stream]:
    reading = slurm.Reading(
        zone=zone(cluster.fleet.timezone),
        cluster=_named(asked, cluster),
        assumed=asked.cluster is None,
    )
    if asked.where is not None:
        with slurm.opened(Path(asked.where)) as lines:
            yield slurm.attempts(lines, asked.where, reading)
        return
    if asked.since is None and asked.job is None:
        message = "give a FILE of sacct -P -D, or --since 2026-10-01 to ask sacct itself"
        raise InputError(Problem(key="import slurm", message=message))
    with slurm.running(asked.since, asked.job) as lines:
        yield slurm.attempts(lines, "sacct", reading)


def _kubernetes(ledger: Ledger, cluster: Cluster, asked: Asked) -> Taken:
    path = Path(_given(asked, "the FILE of kubectl get pods -A -o json"))
    stream = kubernetes.pods(path, _named(asked, cluster))
    return take(ledger, cluster, _assumed(stream, asked), source="kubernetes", name=asked.name)


def _pbs(ledger: Ledger, cluster: Cluster, asked: Asked) -> Taken:
    path = Path(_given(asked, "the FILE of qstat -x -t -f -F json"))
    stream = pbs.jobs(path, zone(cluster.fleet.timezone), _named(asked, cluster))
    return take(ledger, cluster, _assumed(stream, asked), source="pbs", name=asked.name)


def _lsf(ledger: Ledger, cluster: Cluster, asked: Asked) -> Taken:
    path = Path(_given(asked, "the FILE of LSB_DISPLAY_YEAR=Y bacct -u all -l -gpu -UF"))
    stream = lsf.jobs(path, zone(cluster.fleet.timezone), _named(asked, cluster))
    return take(ledger, cluster, _assumed(stream, asked), source="lsf", name=asked.name)


def _reports(ledger: Ledger, cluster: Cluster, asked: Asked) -> Taken:
    folder = Path(_given(asked, "the FOLDER with the reports of costcalc track"))
    stream = reports.readings(folder)
    return read_meters(ledger, cluster, stream, source="reports", name=asked.name)


def _prometheus(ledger: Ledger, cluster: Cluster, asked: Asked) -> Taken:
    server = prometheus.Server(_given(asked, "the URL of a Prometheus: http://localhost:9090"))
    since = instant(asked.since, key="--since").timestamp() if asked.since else None
    return from_prometheus(ledger, cluster, server, since)


SOURCES: Mapping[str, Callable[[Ledger, Cluster, Asked], Taken]] = {
    "slurm": _slurm,
    "reports": _reports,
    "prometheus": _prometheus,
    "kubernetes": _kubernetes,
    "lsf": _lsf,
    "pbs": _pbs,
}
