"""Energy of jobs from a Prometheus: series by job where there are, else by node and time.

A series that is wrong or missing is said, and is not zero: what is covered too little of a job's
time is refused with the share that was seen.
"""

from __future__ import annotations

import json
import math
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from costcalc.base.errors import InputError, Problem
from costcalc.calculator.plausible import BELOW_IDLE
from costcalc.fleet.facts import Refused, Scope
from costcalc.fleet.metering import Reading
from costcalc.report.importing.sacct import MOST_WATTS
from costcalc.report.importing.steps import ENOUGH

TIMEOUT = 30.0
#: Prometheus answers with no more points a series than this
_POINTS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """A series that a meter exports: its name, what it covers, its unit in J or W, its labels.

    ``job``: the label that names a job, ``node``: the one that names a node; ``counter``: joules
    that add up, else watts.  ``only``: a further matcher.
    """

    name: str
    scope: Scope
    factor: float
    counter: bool
    job: str | None
    node: str | None
    only: str = ""


#: the best first.  DCGM: NVIDIA/dcgm-exporter, energy in mJ.  AMD: ROCm/device-metrics-exporter,
#: docs/configuration/metricslist, energy in µJ.  IPMI: prometheus-community/ipmi_exporter,
#: docs/metrics.  Kepler: sustainable-computing-io/kepler, docs/user/metrics.
KNOWN: tuple[Series, ...] = (
    Series(name="DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", scope="boards", factor=1e-3, counter=True,
           job="hpc_job", node="Hostname"),
    Series(name="DCGM_FI_DEV_POWER_USAGE", scope="boards", factor=1.0, counter=False,
           job="hpc_job", node="Hostname"),
    Series(name="gpu_energy_consumed", scope="boards", factor=1e-6, counter=True, job="job_id",
           node="hostname"),
    Series(name="gpu_package_power", scope="boards", factor=1.0, counter=False, job="job_id",
           node="hostname"),
    Series(name="kepler_node_platform_joules_total", scope="node", factor=1.0, counter=True,
           job=None, node="instance"),
    Series(name="ipmi_dcmi_power_consumption_watts", scope="node", factor=1.0, counter=False,
           job=None, node="instance"),
    Series(name="redfish_power_powercontrol_power_consumed_watts", scope="node", factor=1.0,
           counter=False, job=None, node="instance"),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What is asked about: an attempt that the ledger has."""

    cluster: str
    job: str
    raw: str
    attempt: str
    start: float
    end: float
    devices: float
    nodes: Sequence[str]
    whole: bool  # whether it had its nodes to itself
    idle: float | None = None  # W that one of its devices draws at least


class Server:
    """A Prometheus, by its HTTP API.

    Raises:
        InputError: of each question: it does not answer, or not as a Prometheus does.
    """

    def __init__(self, url: str) -> None:
        parsed = urllib.parse.urlsplit(url)
        if parsed.scheme not in ("http", "https") or not parsed.netloc:
            message = f'expected a URL such as http://localhost:9090; got "{url[:60]}"'
            raise InputError(Problem(key="prometheus", message=message))
        self.url = url.rstrip("/")
        host = parsed.hostname or ""
        self.shown = f"{parsed.scheme}://{host}{f':{parsed.port}' if parsed.port else ''}"

    def ask(self, path: str, **values: object) -> Any:
        """The data of an answer."""
        body = urllib.parse.urlencode({k: str(v) for k, v in values.items()}).encode()
        request = urllib.request.Request(f"{self.url}/api/v1/{path}", data=body)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:  # noqa: S310
                data = json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                said = error.read(400).decode(errors="replace").strip()
            raise self._fault(f"{error.code}: {said}") from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            raise self._fault(f"does not answer: {reason}") from None
        if not isinstance(data, Mapping) or data.get("status") != "success":
            raise self._fault("does not answer as a Prometheus does")
        return data["data"]

    def names(self) -> set[str]:
        """The names of its series."""
        request = urllib.request.Request(f"{self.url}/api/v1/label/__name__/values")  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:  # noqa: S310
                data = json.load(answer)
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            raise self._fault(f"does not answer: {reason}") from None
        return set(data.get("data") or ()) if isinstance(data, Mapping) else set()

    def _fault(self, message: str) -> InputError:
        return InputError(Problem(key="prometheus", message=message, file=self.shown))


def readings(
    server: Server, jobs: Sequence[Job], known: Sequence[Series] = KNOWN
) -> Iterator[Reading | Refused]:
    """What the series of a server say of each job.

    Raises:
        InputError: the server fails, or has none of the series.
    """
    mine = there(server, known)
    for job in jobs:
        yield _best(server, job, mine)


def there(server: Server, known: Sequence[Series] = KNOWN) -> list[Series]:
    """Those of the series that a server has.

    Raises:
        InputError: the server fails, or has none of them.
    """
    names = server.names()
    mine = [one for one in known if one.name in names]
    if not mine:
        wanted = ", ".join(one.name for one in known)
        message = f"it has none of the series that are known: {wanted}"
        raise InputError(Problem(key="prometheus", message=message, file=server.shown))
    return mine


def _best(server: Server, job: Job, known: Sequence[Series]) -> Reading | Refused:
    """The first series that covers the job; else why none does."""
    whys: list[str] = []
    for series in known:
        for matcher, how in _matchers(series, job):
            found = _seen(server, series, matcher, job)
            if found is None:
                continue
            why = _unlike(series, job, found)
            if why:
                whys.append(f"{series.name} by {how}: {why}")
            else:
                return Reading(
                    source="prometheus",
                    cluster=job.cluster,
                    job=job.job,
                    attempt=job.attempt,
                    meter=f"{series.name} (Prometheus, by {how})",
                    scope=series.scope,
                    joules=found.joules,
                    seconds=job.end - job.start,
                    coverage=found.share,
                )
    why = "; ".join(whys) or "no series of it, by job or by node"
    return Refused(line=None, row=job.job, why=why)


def _unlike(series: Series, job: Job, found: _Seen) -> str:
    """Why what meters say is not what a job's devices drew; empty where it may be."""
    boards = series.scope == "boards"
    want = job.devices if boards else float(len(job.nodes))
    idle = (job.idle or 0.0) * (1.0 if boards else job.devices / max(len(job.nodes), 1))
    what = "a board" if boards else "a node"
    if found.meters < want - 1e-9:
        return f"{found.meters:g} of {want:g} meters"
    if found.nothing == found.samples:
        return f"says 0 J, which no {what.removeprefix('a ')} draws"
    if found.share < ENOUGH:
        said = f"covers {100 * found.share:.0f} % of its time"
        nothing = f"; {found.nothing} of {found.samples} samples say 0 W"
        return said + (nothing if found.nothing else "")
    if found.joules / (job.end - job.start) > MOST_WATTS * max(job.devices, 1.0):
        return "more watts than any device draws"
    if found.least <= BELOW_IDLE * idle:
        least = f"{what} says {found.least:.3g} W"
        return f"{least}, less than one draws when idle ({idle:.3g} W)" if idle else least
    return ""


def _matchers(series: Series, job: Job) -> Iterator[tuple[str, str]]:
    """How a job's series are found: by its number, or by its nodes if it had them to itself."""
    only = f",{series.only}" if series.only else ""
    if series.job is not None:
        names = "|".join(re.escape(name) for name in dict.fromkeys((job.job, job.raw)) if name)
        yield f'{{{series.job}=~"{_quoted(names)}"{only}}}', "job"
    if series.node is not None and job.nodes and job.whole:
        yield by_node(series, job.nodes), "node"


def by_node(series: Series, nodes: Sequence[str]) -> str:
    """The matcher of some nodes' series, by their names with or without domain and port."""
    names = "|".join(re.escape(name) for name in nodes)
    only = f",{series.only}" if series.only else ""
    return f'{{{series.node}=~"({_quoted(names)})([.:].*)?"{only}}}'


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


@dataclass(slots=True)
class _Seen:
    """What the meters of a series say of a job.

    ``share``: the least of its time that one covers; ``least``: mean W of the one that says least;
    ``nothing`` of ``samples`` say 0 W.
    """

    joules: float = 0.0
    share: float = 1.0
    meters: float = 0.0
    least: float = math.inf
    samples: int = 0
    nothing: int = 0


def _seen(server: Server, series: Series, matcher: str, job: Job) -> _Seen | None:
    """What a series says of a job; None where there is none of it."""
    step = max(15.0, math.ceil((job.end - job.start) / _POINTS))
    data = server.ask(
        "query_range", query=f"{series.name}{matcher}", start=job.start, end=job.end, step=step
    )
    found = data.get("result") if isinstance(data, Mapping) else None
    if not found:
        return None
    seen = _Seen()
    meters: dict[tuple[str, ...], dict[float, float]] = {}
    for one in found:  # a meter whose other labels changed, such as the driver's, is one meter
        labels = one["metric"]
        meter = labels.get("UUID") or labels.get("serial_number") or labels.get("gpu") or ""
        own_ = meters.setdefault((labels.get(series.node, ""), meter), {})
        values = {float(t): float(v) for t, v in one["values"] if math.isfinite(float(v))}
        seen.samples += len(values)
        if not series.counter:  # what is held draws something: a sample of 0 W is none
            drawn = {at: value for at, value in values.items() if value > 0}
            seen.nothing += len(values) - len(drawn)
            values = drawn
        own_.update(values)
    for points in meters.values():
        own, covered = _integral(sorted(points.items()), series, step)
        span = max(job.end - job.start - step, step)
        mean = own * series.factor / covered if covered else 0.0
        seen.joules += mean * (job.end - job.start)
        seen.share = min(seen.share, covered / span)
        seen.least = min(seen.least, mean)
    seen.meters = float(len(meters))
    return seen


def _integral(
    points: Sequence[tuple[float, float]], series: Series, step: float
) -> tuple[float, float]:
    """What a series adds up to over the time that it covers; gaps are left out, resets too."""
    total = covered = 0.0
    for (before, first), (after, last) in pairwise(points):
        if after - before > 1.5 * step:
            continue
        if series.counter:
            if last < first:  # the counter began again: what was counted before is lost
                continue
            if (last - first) * series.factor > MOST_WATTS * (after - before):
                continue  # it came back from a nothing that it never counted
            total += last - first
        else:
            total += (first + last) / 2 * (after - before)
        covered += after - before
    return total, covered
