"""Completed Jobs and Pods of a cluster, of ``kubectl get pods -A -o json``: what they asked for.

A pod holds what its containers request under a name of a device plugin (``nvidia.com/gpu``,
``amd.com/gpu``, ``nvidia.com/mig-1g.10gb``) from the start of its first container to the end of its
last; where one was begun again, from the pod's own start, for of its runs the last is told.  A Job
alone does not say for how long each of its pods ran, nor how many there were at once: it is taken
as all that may have been, and gives way to its pods, but for those that are missing
(fleet/owning.py).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from costcalc.base.reading import read_text
from costcalc.catalog.parts import slices_of_profile
from costcalc.fleet.facts import Facts, Refused, State, named_by
from costcalc.fleet.importing.spans import ROUNDED, backwards
from costcalc.report.importing.cells import refuse

_DEVICE = re.compile(r"(nvidia\.com|amd\.com|habana\.ai|gpu\.intel\.com|google\.com)/(?P<name>.+)")
_MIG = re.compile(r"mig-(?P<profile>(?P<slices>[1-7])g\.\d+gb)")
_COUNTED = ("gpu", "gaudi", "i915", "xe", "tpu", "gpu.shared")
#: labels that name an account and a model, the first that is there
_ACCOUNTS = ("kueue.x-k8s.io/queue-name", "account", "team", "project")
_PRODUCT = (
    "nvidia.com/gpu.product",
    "amd.com/gpu.product-name",
    "cloud.google.com/gke-accelerator",
)


def pods(path: Path, cluster: str = "") -> Iterator[Facts | Refused]:
    """Every pod or job of a dump that has run.

    Raises:
        InputError: it is no list of kubectl.
    """
    name = str(path)
    try:
        data = json.loads(read_text(path, name))
    except ValueError as error:
        raise refuse(name, f"expected the JSON of kubectl get -o json: {error}") from None
    items = data.get("items") if isinstance(data, Mapping) else None
    if isinstance(data, Mapping) and data.get("kind") in ("Pod", "Job"):
        items = [data]
    if not isinstance(items, list):
        raise refuse(name, "expected the list of kubectl get pods -A -o json: it has no items")
    # a Job after its pods: what of them is missing is then known
    for number, one in sorted(enumerate(items), key=lambda pair: _is_job(pair[1])):
        if not isinstance(one, Mapping) or one.get("kind") not in ("Pod", "Job"):
            yield Refused(line=None, row=f"items[{number}]", why="neither a Pod nor a Job")
            continue
        try:
            yield from list(_one(one, number, cluster))
        except _MalformedError as error:
            yield Refused(line=None, row=_label(one, number), why=str(error))


def _is_job(item: object) -> bool:
    return isinstance(item, Mapping) and item.get("kind") == "Job"


# --- what kubectl writes, and what it cannot have ------------------------------------------------


class _MalformedError(Exception):
    """A place of an item that is not as kubectl writes it."""

    def __init__(self, where: str, expected: str, found: object) -> None:
        said = json.dumps(found)
        shown = said if len(said) <= 40 else f"{said[:37]}..."
        again = "write the file anew by kubectl get pods -A -o json"
        super().__init__(f"{where}: expected {expected}, found {shown}; {again}")


def _object(held: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    """What is at a place, named by its path, of whose last name ``held`` has the value."""
    value = held.get(where.rpartition(".")[2])
    if value is not None and not isinstance(value, Mapping):
        raise _MalformedError(where, "an object", value)
    return value or {}


def _objects(held: Mapping[str, Any], where: str) -> Sequence[Mapping[str, Any]]:
    value = held.get(where.rpartition(".")[2])
    if value is not None and not isinstance(value, list):
        raise _MalformedError(where, "a list", value)
    for number, one in enumerate(value or ()):
        if not isinstance(one, Mapping):
            raise _MalformedError(f"{where}[{number}]", "an object", one)
    return value or ()


def _text(held: Mapping[str, Any], where: str, key: str | None = None) -> str | None:
    """``key``: of a label, whose name has dots of its own."""
    value = held.get(where.rpartition(".")[2] if key is None else key)
    if value is not None and not isinstance(value, str):
        raise _MalformedError(where if key is None else f"{where}[{key}]", "a text", value)
    return value


def _number(held: Mapping[str, Any], where: str) -> int | None:
    value = held.get(where.rpartition(".")[2])
    if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
        raise _MalformedError(where, "a whole number", value)
    return value


def _time(held: Mapping[str, Any], where: str) -> float | None:
    value = held.get(where.rpartition(".")[2])
    if not value:
        return None
    try:
        return datetime.fromisoformat(str(value)).timestamp()
    except (ValueError, OverflowError):
        raise _MalformedError(where, "a time such as 2026-10-05T10:00:00Z", value) from None


def _label(item: Mapping[str, Any], number: int) -> str:
    """An item's name as far as it has one."""
    meta = item.get("metadata")
    if not isinstance(meta, Mapping):
        return f"items[{number}]"
    return f"{meta.get('namespace', 'default')}/{meta.get('name', f'items[{number}]')}"


# --- one of them ---------------------------------------------------------------------------------


def _one(item: Mapping[str, Any], number: int, cluster: str) -> Iterator[Facts | Refused]:
    meta, status = _object(item, "metadata"), _object(item, "status")
    label = _label(item, number)
    start, end, state = _times(item, status)
    if start is None:
        return  # it never ran
    if end is None:
        yield Refused(line=None, row=label, why="it still runs: kubectl says no end of it")
        return
    if backwards(start, end, ROUNDED):
        yield Refused(line=None, row=label, why="it ends before it starts")
        return
    spec, at = _object(item, "spec"), "spec"
    copies = 1
    if item["kind"] == "Job":
        copies, at = _pods(spec, status), "spec.template.spec"
        spec = _object(_object(spec, "spec.template"), at)
    held, kinds, why = _devices(spec, at)
    if item["kind"] == "Job" and held:
        of = f"{copies} at once" if copies > 1 else "one"
        why = f"a Job without its pods: {of}, for all of its time, are the most that may have been"
    labels = _object(meta, "metadata.labels")
    owner: Mapping[str, Any] = next(iter(_objects(meta, "metadata.ownerReferences")), {})
    of_job = item["kind"] == "Pod" and owner.get("kind") == "Job"
    named = f"{meta.get('namespace', 'default')}/{owner.get('name')}"
    named = named_by(named, str(owner.get("uid") or ""))
    yield Facts(
        source="kubernetes",
        cluster=cluster,
        job=label,
        raw=str(meta.get("uid") or ""),
        attempt=f"{start:.0f}",
        start=start,
        end=max(end, start),
        seconds=max(end - start, 0.0),
        state=state,
        name=_text(owner, "metadata.ownerReferences[0].name") or _text(meta, "metadata.name"),
        owner=named if of_job else None,
        had=_had(status) if item["kind"] == "Job" and held else None,
        at_once=copies,
        account=_account(meta, labels),
        partition=str(spec.get("priorityClassName") or "") or None,
        model=_model(meta, labels),
        submit=_time(meta, "metadata.creationTimestamp"),
        devices=None if held is None else held * copies,
        kinds=kinds,
        nodes=1 if spec.get("nodeName") else None,
        node_list=_text(spec, f"{at}.nodeName"),
        why=why,
    )


def _account(meta: Mapping[str, Any], labels: Mapping[str, Any]) -> str | None:
    said = next((key for key in _ACCOUNTS if key in labels), None)
    if said is None:
        return _text(meta, "metadata.namespace")
    return _text(labels, "metadata.labels", said)


def _model(meta: Mapping[str, Any], labels: Mapping[str, Any]) -> str | None:
    annotations = _object(meta, "metadata.annotations")
    return _text(labels, "metadata.labels", "model") or _text(
        annotations, "metadata.annotations", "costcalc/model"
    )


def _pods(spec: Mapping[str, Any], status: Mapping[str, Any]) -> int:
    """The most pods that a Job had at once: no more than it may have, needs, or has had."""
    parallel = _number(spec, "spec.parallelism") if "parallelism" in spec else 1
    counts = [parallel, _number(spec, "spec.completions"), _had(status)]
    return max(min((one for one in counts if one is not None), default=1), 1)


def _had(status: Mapping[str, Any]) -> int | None:
    """How many pods of a Job have ended; None: it does not say."""
    return sum(_number(status, f"status.{n}") or 0 for n in ("succeeded", "failed")) or None


def _times(
    item: Mapping[str, Any], status: Mapping[str, Any]
) -> tuple[float | None, float | None, State]:
    if item["kind"] == "Job":
        ends = [c for c in _objects(status, "status.conditions") if c.get("status") == "True"]
        failed = next((c for c in ends if c.get("type") == "Failed"), None)
        done = _time(status, "status.completionTime")
        if done is None and failed:
            done = _time(failed, "status.conditions.lastTransitionTime")
        return _time(status, "status.startTime"), done, "failed" if failed else "completed"
    at = "status.containerStatuses"
    containers = _objects(status, at)
    states = [_object(c, f"{at}.state") for c in containers]
    runs = [_object(one, f"{at}.state.terminated") for one in states]
    over, at = [run for run in runs if run], f"{at}.state.terminated"
    starts = [t for run in over if (t := _time(run, f"{at}.startedAt")) is not None]
    ends_ = [t for run in over if (t := _time(run, f"{at}.finishedAt")) is not None]
    # what a container that was begun again ran before is not told, and its pod held devices then
    again = any(_number(c, "status.containerStatuses.restartCount") for c in containers)
    start = min(starts) if starts and not again else _time(status, "status.startTime")
    if start is None:
        start = min(starts, default=None)
    end = max(ends_) if ends_ and len(over) == len(runs) else None
    if status.get("phase") == "Pending" and not starts:
        start = None
    evicted = status.get("reason") in ("Evicted", "Preempting", "NodeLost")
    failed_ = status.get("phase") == "Failed"
    return start, end, "requeued" if evicted else "failed" if failed_ else "completed"


def _devices(spec: Mapping[str, Any], at: str) -> tuple[float | None, tuple[str, ...], str]:
    """Devices of a pod's containers, a MIG instance as its share, and which they are."""
    held, kinds = 0.0, []
    selected = _object(spec, f"{at}.nodeSelector")
    product = next((str(selected[key]) for key in _PRODUCT if key in selected), None)
    at = f"{at}.containers"
    for one in _objects(spec, at):
        resources, of = _object(one, f"{at}.resources"), f"{at}.resources"
        asked = {**_object(resources, f"{of}.requests"), **_object(resources, f"{of}.limits")}
        for key, amount in asked.items():
            found = _DEVICE.fullmatch(str(key))
            if found is None:
                continue
            try:
                number = float(str(amount))
            except ValueError:
                return None, (), f"{key}: no number of devices: {str(amount)[:20]}"
            mig = _MIG.fullmatch(found["name"])
            if mig:
                held += number * int(mig["slices"]) / slices_of_profile(mig["profile"], "")
            elif found["name"] == "gpu.shared":
                return None, (), "shared devices (nvidia.com/gpu.shared) of an unknown share"
            elif found["name"] in _COUNTED:
                held += number
    if product:
        kinds.append(product.lower())
    return held, tuple(kinds), ""
