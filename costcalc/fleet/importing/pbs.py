"""Finished jobs of PBS Professional and OpenPBS: ``qstat -x -t -f -F json``, or without ``-F``.

Without ``-t`` qstat tells of an array and not of its subjobs, which is where it ran.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any

from costcalc.base.reading import read_text
from costcalc.fleet.facts import CUT, Facts, Refused, State
from costcalc.report.importing.cells import number, refuse
from costcalc.report.importing.sacct import seconds_of

#: a host may have several vnodes: gpu01[0], gpu01[1]
_NODES = re.compile(r"[(+]\(?([\w.-]+)(?:\[\d+\])?:")
#: the account of who names no project
_NO_PROJECT = "_pbs_project_default"
#: it is queued, held or waits, or is on its way to another server, or was moved there
_NOT_HERE = ("Q", "H", "W", "T", "M")
#: some sites' qstat prints seconds since 1970 and the time beside them
_BOTH = re.compile(r"(\d{9,11}) \(.*\)")
_FORMAT = "%a %b %d %H:%M:%S %Y"
_GPUS = re.compile(r"ngpus=(\d+)")


def jobs(path: Path, zone: tzinfo, cluster: str = "") -> Iterator[Facts | Refused]:
    """Every job of a dump that has run.

    Raises:
        InputError: it is no output of qstat -x -f.
    """
    name = str(path)
    text = read_text(path, name)
    found = _json(text, name) if text.lstrip().startswith("{") else _plain(text)
    if not found:
        raise refuse(name, "expected the output of qstat -x -f, with or without -F json")
    last = None if text.endswith("\n") or text.lstrip().startswith("{") else [*found][-1]
    for job, said in found.items():
        if job == last:
            yield Refused(line=len(text.splitlines()), row=job[:40], why=CUT)
        elif str(said.get("array", "")).lower() == "true":
            yield from _array(job, said, found)
        else:
            yield from _one(job, said, zone, cluster)


def _array(job: str, said: Mapping[str, Any], found: Mapping[str, object]) -> Iterator[Refused]:
    """An array has run as its subjobs; where they are not told, that is said of it."""
    number_, bracket, _ = job.partition("[")
    told = any(other.startswith(f"{number_}{bracket}") for other in found if other != job)
    if not told and said.get("job_state") not in _NOT_HERE:
        why = "an array without its subjobs, which are where it ran: run qstat with -t"
        yield Refused(line=None, row=job[:40], why=why)


def _json(text: str, name: str) -> Mapping[str, Mapping[str, Any]]:
    try:
        data = json.loads(text)
    except ValueError as error:
        raise refuse(name, f"expected the JSON of qstat -x -f -F json: {error}") from None
    listed = data.get("Jobs") if isinstance(data, Mapping) else None
    if not isinstance(listed, Mapping):
        raise refuse(name, "expected the JSON of qstat -x -f -F json: it has no Jobs")
    return {str(k): v for k, v in listed.items() if isinstance(v, Mapping)}


def _plain(text: str) -> Mapping[str, Mapping[str, Any]]:
    """``Job Id: 12.server`` and indented ``key = value`` lines; a line with a tab goes on."""
    found: dict[str, dict[str, Any]] = {}
    own: dict[str, Any] | None = None
    last = ""
    for line in text.splitlines():
        if line.startswith("Job Id:"):
            own = found.setdefault(line.partition(":")[2].strip(), {})
        elif own is not None and line.startswith("\t") and last:
            _lay(own, last, _held(own, last) + line.strip())
        elif own is not None and " = " in line:
            last, _, value = line.strip().partition(" = ")
            _lay(own, last, value)
    return found


def _lay(own: dict[str, Any], key: str, value: str) -> None:
    section, _, name = key.partition(".")
    if name:
        own.setdefault(section, {})[name] = value
    else:
        own[key] = value


def _held(own: Mapping[str, Any], key: str) -> str:
    section, _, name = key.partition(".")
    return str(own[section][name] if name else own[key])


def _one(
    job: str, said: Mapping[str, Any], zone: tzinfo, cluster: str
) -> Iterator[Facts | Refused]:
    used, asked = said.get("resources_used") or {}, said.get("Resource_List") or {}
    letter = said.get("job_state")
    if letter in _NOT_HERE or (letter in ("F", "X") and not used):
        return  # it waits, or was taken back before it ran
    state = _state(said)
    if state is None:
        why = f'job_state: no state of PBS Professional: "{str(letter)[:20]}"'
        yield Refused(line=None, row=job[:40], why=why)
        return
    seconds = seconds_of(str(used.get("walltime") or ""))
    start = _time(said.get("stime"), zone)
    if seconds is None or start is None:
        lacks = "resources_used.walltime" if seconds is None else "stime"
        yield Refused(line=None, row=job[:40], why=f"{lacks}: not there, or no time")
        return
    printed = _printed(said.get("stime"))
    held = str(said.get("exec_vnode") or "")
    counts = [int(n) for n in _GPUS.findall(held)]
    devices = float(sum(counts)) if counts else number(str(asked.get("ngpus", "0"))) or 0.0
    nodes = list(dict.fromkeys(_NODES.findall(held)))
    identifier, _, server = job.partition(".")
    project = said.get("project") if said.get("project") != _NO_PROJECT else None
    runs = number(str(said.get("run_count", "1"))) or 1.0
    lacks = f"it ran {runs:.0f} times, of which PBS tells the last alone" if runs > 1 else ""
    yield Facts(
        source="pbs",
        cluster=cluster or server,
        job=identifier,
        raw=job,
        attempt=printed or f"{start:.0f}",
        clock="local" if printed else "absolute",
        start=start,
        end=start + seconds,
        seconds=seconds,
        state=state,
        name=said.get("Job_Name"),
        user=str(said.get("Job_Owner") or "").partition("@")[0] or None,
        account=said.get("Account_Name") or project,
        partition=said.get("queue"),
        submit=_time(said.get("ctime"), zone),
        devices=devices,
        kinds=(str(asked["accelerator_model"]).lower(),) if asked.get("accelerator_model") else (),
        nodes=len(nodes) or None,
        node_list=",".join(nodes) or None,
        cpus=number(str(used.get("ncpus", asked.get("ncpus", "")))),
        why=lacks,
    )


def _state(said: Mapping[str, Any]) -> State | None:
    """F is finished, X a subjob that is; R runs, E ends; S is suspended, U by who sits at the host.

    Exit_status above 256 is a signal of PBS's own.
    """
    letter = said.get("job_state")
    if letter in ("R", "E"):
        return "running"
    if letter in ("S", "U"):
        return "suspended"
    if letter not in ("F", "X"):
        return None
    code = said.get("Exit_status")
    if code is None or not str(code).lstrip("-").isdecimal():
        return "cancelled"
    number_ = int(str(code))
    if number_ == 0:
        return "completed"
    return {271: "cancelled", 265: "cancelled", -29: "timeout"}.get(number_, "failed")  # type: ignore[return-value]


def _time(text: object, zone: tzinfo) -> float | None:
    """``Wed Apr 26 13:40:10 2023``, or seconds since 1970, which some print with it."""
    both = _BOTH.fullmatch(str(text or "").strip())
    bare = both[1] if both else str(text or "").strip()
    if bare.isdecimal():
        return float(bare)
    printed = _printed(bare)
    found = printed and datetime.fromisoformat(printed).replace(tzinfo=zone).timestamp()
    return found or None


def _printed(text: object) -> str | None:
    """A time as it stands, which says no zone."""
    try:
        return datetime.strptime(str(text or "").strip(), _FORMAT).isoformat()
    except ValueError:
        return None
