"""What a batch script asks of Slurm, at most: nodes, devices, processors, time, tasks of an array.

Where Slurm has a choice (nodes of ``-N 2-4``, how tasks are spread) it is the most that it may
give.  Source of the options: Slurm's sbatch(1); that a job without a number of nodes has no more
of them than tasks: src/slurmctld/job_mgr.c of Slurm (JOB_IMPLICIT_MAX_NODES).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from costcalc.base.errors import InputError, Problem
from costcalc.fleet.sbatch_options import UNKNOWN, Words, components, translated
from costcalc.report.importing.nodes import MOST, expanded
from costcalc.report.importing.tres import OTHERS, SHARES

_MANY = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4, "p": 1024**5}
_ITEM = re.compile(
    rf"(?:gres[/:])?(?P<name>gpu|{'|'.join((*OTHERS, *SHARES))})"
    r"(?:[:/](?P<kind>[\w.-]*[A-Za-z][\w.-]*))?(?:[:=](?P<n>\d+)(?P<many>[kmgtpKMGTP]?))?"
)
_GPUS = re.compile(r"(?:(?P<kind>[\w.-]*[A-Za-z][\w.-]*)(?:[:=]|$))?(?P<n>\d*)")
_TRACKED = re.compile(r"costcalc\s+track\s+(?:[^\n]*?\s)?--run[=\s]\s*(?P<file>[^\s;&|]+)")
_NAMED = re.compile(r"^#\s*costcalc:\s*(?P<file>\S+)\s*$", re.MULTILINE)
_NO_LIMIT = ("UNLIMITED", "INFINITE", "-1")
#: with these Slurm may take more processors than tasks need (slurm.conf, MaxMemPerCPU; sbatch, -B)
_MORE_CPUS = (
    "mem", "mem-per-cpu", "extra-node-info", "sockets-per-node", "cores-per-socket",
)  # fmt: skip
#: with these each processor is a core of its own
_WHOLE_CORES = ("threads-per-core", "ntasks-per-core", "hint")

#: options that count devices of the whole job, and of each node
_OF_JOB = ("gpus", "tres-per-job")
_OF_NODES = ("gres", "gpus-per-node", "tres-per-node")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The most that one component asks for, of one task of an array; None is not said.

    ``tres``: its devices, as a scheduler would count them; ``cpus``: tasks, processors of each and
    the fewest of a node, None where only its nodes bound them, ``cores`` where each is a core of
    its own; ``whole``: nodes with all that is in them; ``seconds``: the limit; ``unbounded``: why
    no more can be told.  ``least`` devices of the job and ``of_node`` in each node are the fewest
    that it can run with, on ``least_nodes``.
    """

    tres: str
    nodes: int
    cpus: tuple[int, int, int] | None
    cores: bool
    whole: bool
    seconds: float | None
    partitions: tuple[str, ...]
    account: str | None
    clusters: str | None = None
    tasks: int = 1
    unbounded: str = ""
    least: int = 0
    of_node: int = 0
    least_nodes: int = 1


@dataclass(frozen=True, slots=True)
class Submission:
    """The components of a submission, mostly one, and the run file that its script names."""

    parts: tuple[Request, ...]
    run_file: str | None = None


def submission(
    text: str, given: Words, variables: Mapping[str, str], name: str = "script"
) -> Submission:
    """What a script asks for with its command line and the environment.

    Raises:
        InputError: options that cannot be read, all of them.
    """
    parts, faults = [], []
    said = components(text, given, variables, name)
    for one in said:
        try:
            parts.append(request(one, name))
        except InputError as error:
            faults += [problem for problem in error.problems if problem not in faults]
    if faults:
        raise InputError(faults)
    other = translated(text)
    if other and not any("ignore-pbs" in one for one in said):
        why = f"sbatch reads its {other} lines too; give --ignore-pbs"
        parts = [replace(one, unbounded=one.unbounded or why) for one in parts]
    found = _TRACKED.search(text) or _NAMED.search(text)
    return Submission(tuple(parts), found["file"].strip("\"'") if found else None)


def request(said: Mapping[str, str], name: str = "script") -> Request:
    """What the options of one component ask for.

    Raises:
        InputError: options that cannot be read.

    >>> found = request({"gres": "gpu:1", "ntasks": "16", "ntasks-per-node": "1", "time": "60"})
    >>> found.nodes, found.tres
    (16, 'gres/gpu=16')
    """
    of = _Options(said, name)
    nodes, tasks = of.shape()
    devices = of.devices(nodes, tasks)
    each = of.number("cpus-per-task") or of.of_tasks_cpus() or 1
    per_node = max(of.number("mincpus") or 1, (of.number("ntasks-per-node") or 1) * each)
    limit_, many = of.limit(), of.array()
    if of.faults:
        raise InputError(of.faults)
    exclusive = said.get("exclusive", "no").lower()
    whole = exclusive not in ("no", "user", "mcs", "oversubscribe")
    whole = whole or "core-spec" in said or "thread-spec" in said or "gpus-per-socket" in said
    whole = whole or "tres-per-socket" in said
    rounded = any(key in said for key in _MORE_CPUS)
    return Request(
        tres=devices,
        nodes=nodes,
        cpus=None if rounded else (max(tasks, nodes), each, per_node),
        cores=any(key in said for key in _WHOLE_CORES),
        whole=whole,
        seconds=limit_,
        partitions=tuple(p for p in said.get("partition", "").split(",") if p),
        account=said.get("account") or None,
        clusters=said.get("clusters") or None,
        tasks=many,
        unbounded=of.unbounded(exclusive),
        **of.least(),
    )


class _Options:
    """The options of a component; what cannot be read of them is kept in ``faults``."""

    def __init__(self, said: Mapping[str, str], name: str) -> None:
        self.said, self.name = said, name
        self.faults: list[Problem] = []

    def fault(self, key: str, expected: str) -> None:
        message = f'expected {expected}; got "{self.said[key][:40]}"'
        problem = Problem(key=f"--{key}", message=message, file=self.name)
        if problem not in self.faults:
            self.faults.append(problem)

    def number(self, key: str) -> int | None:
        """A count; None where it is not said."""
        if key not in self.said:
            return None
        text = self.said[key].strip()
        if not re.fullmatch(r"\+?\d+", text) or not int(text):
            self.fault(key, "a number, 1 or more")
            return None
        return int(text)

    def most_nodes(self) -> int | None:
        """The most nodes of ``--nodes``: 4, 2-4, 1-15:4, 1,5,9, 2k."""
        if "nodes" not in self.said:
            return None
        found = [
            re.fullmatch(r"(\d+)([kKmM]?)", one.strip())
            for one in re.split("[-,:]", self.said["nodes"])
        ]
        counts = [int(one[1]) * _MANY[one[2].lower()] for one in found if one]
        if len(counts) < len(found) or not max(counts):
            self.fault("nodes", "a number, 1 or more")
            return None
        return max(counts)

    def shape(self) -> tuple[int, int]:
        """The most nodes and tasks."""
        fixed, tasks = self.of_job(), self.number("ntasks")
        most = next(iter(fixed.values()))[1] if fixed else self.most_nodes()
        per_node, listed = self.number("ntasks-per-node"), self.listed()
        spread = self.layout()
        gpus = sum(n for key in _OF_JOB for _, n in self.items(key, quiet=True))
        if tasks is None and spread > 1:
            tasks = max(most or 1, listed) * spread
        per_gpu, per_task = self.number("ntasks-per-gpu"), self.per_task()
        if tasks is None and gpus and (per_gpu or per_task):
            tasks = gpus * per_gpu if per_gpu else math.ceil(gpus / (per_task or 1))
        if most is not None:
            nodes = max(most, listed)
        else:
            needed = tasks or 1
            if per_node and tasks and not self.scattered():
                needed = math.ceil(tasks / per_node)
            nodes = max(listed, needed, gpus)
        return nodes, tasks or nodes * (per_node or 1)

    def least(self) -> dict[str, int]:
        """The fewest devices and nodes that it can run with, and devices in each node."""
        first = self.said.get("nodes", "").partition(":")[0]
        counts = [int(n) for n in re.findall(r"(\d+)(?![\dkKmM])", first)]
        nodes = max(self.listed(), min(counts, default=1), 1)
        gpus = {
            key: sum(n for (name, _), n in self.items(key, quiet=True) if name == "gpu")
            for key in (*_OF_JOB, *_OF_NODES, "gpus-per-task", "tres-per-task")
        }
        of_node = max(gpus[key] for key in _OF_NODES)
        of_job = max(gpus[key] for key in _OF_JOB)
        of_tasks = max(gpus["gpus-per-task"], gpus["tres-per-task"]) * (self.number("ntasks") or 1)
        least = max(of_job, of_node * (1 if of_job else nodes), of_tasks)
        return {"least": least, "of_node": of_node, "least_nodes": nodes}

    def scattered(self) -> bool:
        """Whether nodes may get fewer tasks than ``--ntasks-per-node``."""
        keys = ("overcommit", "gpus", "gpus-per-task", "gpus-per-socket", "tres-per-task",
                "tres-per-job", "tres-per-socket")  # fmt: skip
        return any(key in self.said for key in keys)

    def layout(self) -> int:
        """How many tasks a node is taken to have where sockets, cores and threads are said (-B)."""
        keys = ("sockets-per-node", "cores-per-socket", "threads-per-core")
        if not {"extra-node-info", "nodes", "nodelist"} & self.said.keys():
            return 1
        parts = self.said.get("extra-node-info", "").split(":")
        counts = [int(one) for one in parts if one.isdecimal()]
        counts += [self.number(key) or 1 for key in keys]
        return math.prod(counts or [1])

    def listed(self) -> int:
        """How many nodes are named."""
        names = self.said.get("nodelist", "")
        return 0 if "/" in names or "{" in names or not names else len(set(expanded(names)))

    def per_task(self) -> int:
        counts = [n for key in ("gpus-per-task", "tres-per-task") for _, n in self.items(key, True)]
        return sum(counts)

    def of_tasks_cpus(self) -> int:
        """Processors a task, of ``--tres-per-task=cpu=4``."""
        found = re.search(r"(?:^|,)cpu[=:](\d+)", self.said.get("tres-per-task", ""))
        return int(found[1]) if found else 0

    def items(self, key: str, quiet: bool = False) -> list[tuple[tuple[str, str], int]]:
        """The devices that one option names: by resource and kind, and how many."""
        if key not in self.said:
            return []
        plain, made = key.startswith("gpus"), []
        for item in self.said[key].split(","):
            found = (_GPUS if plain else _ITEM).fullmatch(item.strip())
            if found is None or not item.strip():
                if not quiet and (plain or re.match(r"\s*(gres[/:])?gpu\b", item)):
                    self.fault(key, "a number such as 4 or h100:4" if plain else "gpu:h100:4")
                continue
            named = found.groupdict()
            number = int(named["n"] or 1) * _MANY[(named.get("many") or "").lower()]
            made.append(((named.get("name") or "gpu", named["kind"] or ""), number))
        return made

    def of_job(self) -> dict[tuple[str, str], tuple[int, int]]:
        """What is said of the whole job and of each node too: how many, and on how many nodes.

        Slurm holds both, and so has the job's number on as many nodes as have it; what is no
        multiple of a node's is refused (src/interfaces/gres.c, ``_test_gres_cnt``).
        """
        of_node: dict[tuple[str, str], int] = {}
        for option in _OF_NODES:
            for pair, number in self.items(option, quiet=True):
                of_node[pair] = max(of_node.get(pair, 0), number)
        of_all = [one for key in _OF_JOB for one in self.items(key, quiet=True)]
        return {
            pair: (number, number // of_node[pair])
            for pair, number in of_all
            if of_node.get(pair) and number and not number % of_node[pair]
        }

    def devices(self, nodes: int, tasks: int) -> str:
        """The devices of all options, as a scheduler counts what it gave."""
        fixed = self.of_job()
        found: dict[tuple[str, str], int] = {}
        sums: dict[str, int] = {}
        every = [
            ("gpus", 1), ("gpus-per-node", nodes), ("gpus-per-task", tasks), ("gres", nodes),
            ("tres-per-task", tasks), ("tres-per-job", 1), ("tres-per-node", nodes),
        ]  # fmt: skip
        for key, times in every:
            of_key: dict[str, int] = {}
            for (resource, kind), number in self.items(key):
                if key in _OF_NODES and (resource, kind) in fixed:
                    continue
                of_key[resource] = of_key.get(resource, 0) + number * times
                if kind:
                    pair = resource, kind
                    found[pair] = max(found.get(pair, 0), number * times)
            for resource, number in of_key.items():
                sums[resource] = max(sums.get(resource, 0), number)
        if not sums.get("gpu") and "ntasks-per-gpu" in self.said:
            sums["gpu"] = math.ceil(tasks / (self.number("ntasks-per-gpu") or 1))
        for resource, most in sums.items():  # several kinds, each as often as any option has it
            typed = sum(n for (name, _), n in found.items() if name == resource)
            sums[resource] = max(most, typed)
        texts = [f"gres/{name}:{kind}={n}" for (name, kind), n in found.items() if name == "gpu"]
        return ",".join([*texts, *(f"gres/{name}={number}" for name, number in sums.items())])

    def limit(self) -> float | None:
        """The time limit in seconds, up to the next minute as Slurm has it."""
        text = self.said.get("time", "").strip()
        if "time" not in self.said or text.upper() in _NO_LIMIT:
            return None
        seconds = limit(text)
        if seconds is None:
            self.fault("time", "a limit such as 90, 2:30:00 or 1-12")
            return None
        return math.ceil(seconds / 60) * 60.0 or None  # 0 asks for no limit

    def array(self) -> int:
        """How many tasks an array has; 1 where there is none."""
        if "array" not in self.said:
            return 1
        many = array(self.said["array"])
        if not many:
            self.fault("array", "indices such as 0-15%4")
        return many or 1

    def unbounded(self, exclusive: str) -> str:
        """Why it cannot be told what it asks for at most; empty where it can."""
        if UNKNOWN in self.said:
            return f"{self.said[UNKNOWN]} is no option of sbatch that is known here"
        if exclusive == "topo":
            return "--exclusive=topo takes more than the nodes that it asks for"
        if "nodefile" in self.said or re.search("[/{]", self.said.get("nodelist", "")):
            return "its nodes are not named in --nodelist itself"
        listed = self.said.get("nodelist", "")
        ranges = re.findall(r"(\d+)-(\d+)(?=[^\[]*\])", listed)
        if len(expanded(listed)) >= MOST or any(int(b) - int(a) >= MOST for a, b in ranges):
            return "--nodelist names more nodes than can be counted"
        return "--external takes what it does not name" if "external" in self.said else ""


def limit(text: str) -> float | None:
    """A time limit in seconds: minutes, minutes:seconds, hours:minutes:seconds, days-hours….

    >>> [limit(t) for t in ("90", "90:30", "2:00:00", "1-12", "1-12:30", "1-12:30:15", "soon")]
    [5400.0, 5430.0, 7200.0, 129600.0, 131400.0, 131415.0, None]
    """
    days, dash, rest = text.strip().partition("-")
    clock = (rest if dash else days).split(":")
    if not all(part.isdecimal() for part in clock) or len(clock) > 3:
        return None
    if dash and not days.isdecimal():
        return None
    numbers = [int(part) for part in clock]
    if dash:
        hours, minutes, seconds = (*numbers, 0, 0)[:3]
    elif len(numbers) == 3:
        hours, minutes, seconds = numbers
    else:
        hours, (minutes, seconds) = 0, (*numbers, 0)[:2]
    whole = int(days) if dash else 0
    return float(((whole * 24 + hours) * 60 + minutes) * 60 + seconds)


def array(text: str) -> int | None:
    """How many tasks an array has; how many of them run at once is no matter of what they cost.

    >>> [array(t) for t in ("0-15%4", "1,3,5-9:2", "7", "x", "1-9:0")]
    [16, 5, 1, None, None]
    """
    total = 0
    for item in text.strip().strip("[]").partition("%")[0].split(","):
        match = re.fullmatch(r"(\d+)(?:-(\d+)(?::(\d+))?)?", item.strip())
        if match is None or match[3] == "0" * len(match[3] or "x"):
            return None
        first, last = int(match[1]), int(match[2] or match[1])
        total += max((last - first) // int(match[3] or 1) + 1, 0)
    return total or None
