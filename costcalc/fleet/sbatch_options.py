"""The options of a submission as sbatch reads them: command line, environment, ``#SBATCH`` lines.

The command line goes before the environment, and that before the script; each component of a
heterogeneous job has its own of the first and the last, and all of the environment.
Source: Slurm's sbatch(1), its input environment variables, and heterogeneous_jobs.html.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from costcalc.base.errors import InputError, Problem


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_SHORT = {
    "A": "account", "a": "array", "B": "extra-node-info", "b": "begin", "C": "constraint",
    "c": "cpus-per-task", "D": "chdir", "d": "dependency", "e": "error", "F": "nodefile",
    "G": "gpus", "i": "input", "J": "job-name", "L": "licenses", "M": "clusters",
    "m": "distribution", "N": "nodes", "n": "ntasks", "o": "output", "p": "partition", "q": "qos",
    "S": "core-spec", "t": "time", "w": "nodelist", "x": "exclude",
    "H": "hold", "h": "help", "k": "no-kill", "O": "overcommit", "Q": "quiet",
    "s": "oversubscribe", "V": "version", "v": "verbose", "W": "wait",
}  # fmt: skip
_FLAGS = _names(
    "consolidate-segments contiguous external get-user-env help hold ignore-pbs no-requeue "
    "overcommit oversubscribe parsable quiet reboot spread-job spread-segments stepmgr test-only "
    "usage use-min-nodes verbose version wait"
)
#: a value of these stands behind an equals sign, or there is none
_OPTIONAL = _names("exclusive nice no-kill oom-kill-step propagate requeue resv-ports")
_VALUED = _names(
    "account acctg-freq array autocomplete batch bb bbf begin chdir cluster cluster-constraint "
    "clusters comment constraint container container-id context core-spec cores-per-socket "
    "cpu-freq cpus-per-gpu cpus-per-task deadline delay-boot dependency distribution error exclude "
    "export export-file extra extra-node-info gid gpu-bind gpu-freq gpus gpus-per-node "
    "gpus-per-socket gpus-per-task gres gres-flags hint input job-name kill-on-invalid-dep "
    "licenses mail-type mail-user mcs-label mem mem-bind mem-per-cpu mem-per-gpu mem-update "
    "mincpus network nodefile nodelist nodes ntasks ntasks-per-core ntasks-per-gpu "
    "ntasks-per-node ntasks-per-socket ntasks-per-tres open-mode output partition power prefer "
    "priority profile qos reservation resources runtime segment signal sockets-per-node switches "
    "tasks-per-node thread-spec threads-per-core time time-min tmp tres-bind tres-per-job "
    "tres-per-node tres-per-socket tres-per-task uid wait-all-nodes wckey wrap"
)
_ALIASES = {
    "tasks-per-node": "ntasks-per-node", "ntasks-per-tres": "ntasks-per-gpu",
    "cluster": "clusters",
}  # fmt: skip
#: variables whose option has another name than their own
_VARIABLES = {
    "SBATCH_ARRAY_INX": "array", "SBATCH_TIMELIMIT": "time", "SBATCH_MEM_PER_NODE": "mem",
    "SLURM_CLUSTERS": "clusters", "SLURM_HINT": "hint",
}  # fmt: skip
#: what no variable sets, though it would be called so
_UNSET = _names(
    "nodes ntasks cpus-per-task ntasks-per-node ntasks-per-gpu ntasks-per-core ntasks-per-socket "
    "time array mem nodelist nodefile mincpus extra-node-info sockets-per-node cores-per-socket "
    "tres-per-job tres-per-node tres-per-socket wrap external"
)
UNKNOWN = "unknown"  # under which options are kept that are not known here


@dataclass(slots=True)
class Words:
    """A command line of sbatch: the options of each component by their long names, the script."""

    components: list[dict[str, str]] = field(default_factory=lambda: [{}])
    script: str | None = None
    arguments: list[str] = field(default_factory=list)
    typed: list[str] = field(default_factory=list)  # as they stand there, without their values

    @property
    def wrapped(self) -> str | None:
        """The commands that ``--wrap`` has, of whichever component."""
        return next((one["wrap"] for one in self.components if "wrap" in one), None)


def words(given: Sequence[str]) -> Words:
    """The options and the script of an sbatch command line.

    >>> found = words(["-p", "gpu", "--time=1:00:00", "-N2", "train.sh", "--lr", "1"])
    >>> found.components, found.script, found.arguments
    ([{'partition': 'gpu', 'time': '1:00:00', 'nodes': '2'}], 'train.sh', ['--lr', '1'])
    >>> words(["-N1", ":", "--part", "gpu", "a.sh"]).components
    [{'nodes': '1'}, {'partition': 'gpu'}]
    """
    made, left = Words(), list(given)
    while left:
        word = left.pop(0)
        said = made.components[-1]
        if word == ":":
            made.components.append({})
        elif word == "--":
            made.script, made.arguments = (left[0], left[1:]) if left else (None, [])
            break
        elif not word.startswith("-") or word == "-":
            made.script, made.arguments = word, left
            break
        elif word.startswith("--"):
            made.typed.append(word.partition("=")[0])
            _long(word[2:], left, said)
        else:
            _letters(word[1:], left, said)
    return made


def _long(word: str, left: list[str], said: dict[str, str]) -> None:
    """One long option, which may be shortened as far as it stays one."""
    typed, equals, value = word.partition("=")
    known = _FLAGS | _OPTIONAL | _VALUED
    meant = [typed] if typed in known else [name for name in known if name.startswith(typed)]
    if len({_ALIASES.get(name, name) for name in meant}) != 1:
        if not equals or typed.startswith(("tres-", "gpu", "gres", "n")):
            said[UNKNOWN] = f"--{typed}"  # nor is it known whether the next word is its value
        if not equals and left and not left[0].startswith("-") and len(left) > 1:
            left.pop(0)
        return
    name = _ALIASES.get(meant[0], meant[0])
    if not equals and meant[0] in _VALUED:
        value = left.pop(0) if left else ""
    said.pop(name, None)
    said[name] = value


def _letters(word: str, left: list[str], said: dict[str, str]) -> None:
    """Short options, of which several without a value may stand together."""
    while word:
        letter, word = word[0], word[1:]
        name = _SHORT.get(letter)
        if name is None:
            said[UNKNOWN] = f"-{letter}"
            continue
        if name in _VALUED:
            said[name] = word or (left.pop(0) if left else "")
            return
        if name in _OPTIONAL:
            said[name] = word
            return
        said[name] = ""


def scripted(text: str, name: str = "script") -> list[dict[str, str]]:
    """The options of the ``#SBATCH`` lines of a script, of each component: up to the first command.

    Raises:
        InputError: a line that sbatch does not take either.

    >>> scripted("#!/bin/bash\\n#SBATCH -t 60 --gpus=4 # four\\nsrun x\\n#SBATCH -t 1")
    [{'time': '60', 'gpus': '4'}]
    >>> scripted("#SBATCH -N1\\n#SBATCH hetjob\\n#SBATCH -N2")
    [{'nodes': '1'}, {'nodes': '2'}]
    """
    parts: list[list[str]] = [[]]
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip() and not line.strip().startswith("#"):
            break
        found = re.match(r"#(SBATCH|SLURM)(?P<said>.*)", line)
        if found is None:
            continue
        said = found["said"].strip()
        if re.match(r"(het|pack)job(\s|$)", said, re.IGNORECASE):
            parts.append([])
            said = said[7:] if said[:1] in "pP" else said[6:]
        try:
            parts[-1] += shlex.split(said, comments=True)
        except ValueError:
            message = f"#SBATCH: a quotation mark stands alone: {said[:40]}"
            raise InputError(Problem(key="", message=message, file=name, line=number)) from None
    made = []
    for part in parts:
        read = words(part)
        if read.script is not None or len(read.components) > 1:
            message = f'#SBATCH: expected options; got "{read.script or ":"}"'
            raise InputError(Problem(key="", message=message, file=name))
        made += read.components
    return made


def of_environment(variables: Mapping[str, str]) -> dict[str, str]:
    """The options that variables such as ``SBATCH_TIMELIMIT`` set.

    >>> of_environment({"SBATCH_TIMELIMIT": "60", "SBATCH_WAIT": "0"})
    {'time': '60'}
    """
    found: dict[str, str] = {}
    for variable, value in sorted(variables.items()):  # SLURM_CLUSTERS comes after SBATCH_CLUSTERS
        name = _VARIABLES.get(variable)
        if name is None and variable.startswith("SBATCH_"):
            named = variable.removeprefix("SBATCH_").lower().replace("_", "-")
            if named in _FLAGS | _OPTIONAL | _VALUED and named not in _UNSET:
                name = named
        if name is None or (name in _FLAGS and not _true(value)):
            continue
        found[name] = value
    return found


def _true(value: str) -> bool:
    """Whether a variable of an option without a value sets it."""
    return value in ("", "yes") or (value.lstrip("+-").isdecimal() and int(value) != 0)


def components(
    text: str, given: Words, variables: Mapping[str, str], name: str = "script"
) -> list[dict[str, str]]:
    """The options of each component of a job: what holds of all that is said of it.

    Raises:
        InputError: a line of the script that sbatch does not take.
    """
    lines, set_ = scripted(text, name), of_environment(variables)
    made = []
    for number in range(max(len(lines), len(given.components))):
        script = lines[number] if number < len(lines) else {}
        typed = given.components[min(number, len(given.components) - 1)]
        made.append({**script, **set_, **typed})
    return made


def translated(text: str) -> str | None:
    """The lines of other schedulers that sbatch translates too, unless ``--ignore-pbs`` is said.

    >>> translated("#!/bin/sh\\n#PBS -l nodes=4\\n")
    '#PBS'
    """
    found = re.search(r"^#(?:BSUB|PBS)", text, re.MULTILINE)
    return found[0] if found else None
