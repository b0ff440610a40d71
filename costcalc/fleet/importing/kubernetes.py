"""Completed Jobs and Pods of a cluster, of ``kubectl get pods -A -o json``: what they asked for.

A pod holds what its containers request under a name of a device plugin (``nvidia.com/gpu``,
``amd.com/gpu``, ``nvidia.com/mig-1g.10gb``) from its start to the end of its last container.  A Job
alone does not say for how long each of its pods ran, nor how many there were at once: it is taken
as all that may have been, and gives way to its pods (fleet/owning.py).
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
    for number, one in enumerate(items):
        if not isinstance(one, Mapping) or one.get("kind") not in ("Pod", "Job"):
            yield Refused(line=None, row=f"items[{number}]", why="neither a Pod nor a Job")
            continue
        try:
            yield from list(_one(one, number, cluster))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            why = f"not as kubectl writes it: {error}"
            yield Refused(line=None, row=f"items[{number}]", why=why)


def _one(item: Mapping[str, Any], number: int, cluster: str) -> Iterator[Facts | Refused]:
    meta, status = item.get("metadata") or {}, item.get("status") or {}
    label = f"{meta.get('namespace', 'default')}/{meta.get('name', f'items[{number}]')}"
    try:
        start, end, state = _times(item, status)
    except ValueError as error:
        yield Refused(line=None, row=label, why=f"a time that is none: {error}")
        return
    if start is None:
        return  # it never ran
    if end is None:
        yield Refused(line=None, row=label, why="it still runs: kubectl says no end of it")
        return
    if backwards(start, end, ROUNDED):
        yield Refused(line=None, row=label, why="it ends before it starts")
        return
    spec = item.get("spec") or {}
    copies = 1
    if item["kind"] == "Job":
        copies = _pods(spec, status)
        spec = (spec.get("template") or {}).get("spec") or {}
    held, kinds, why = _devices(spec)
    if item["kind"] == "Job" and held:
        of = f"{copies} at once" if copies > 1 else "one"
        why = f"a Job without its pods: {of}, for all of its time, are the most that may have been"
    labels = meta.get("labels") or {}
    owner: Mapping[str, Any] = next(iter(meta.get("ownerReferences") or ()), {})
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
        name=owner.get("name") or meta.get("name"),
        owner=named if of_job else None,
        account=next((labels[k] for k in _ACCOUNTS if k in labels), meta.get("namespace")),
        partition=str(spec.get("priorityClassName") or "") or None,
        model=labels.get("model") or (meta.get("annotations") or {}).get("costcalc/model"),
        submit=_time(meta.get("creationTimestamp")),
        devices=None if held is None else held * copies,
        kinds=kinds,
        nodes=1 if spec.get("nodeName") else None,
        node_list=spec.get("nodeName"),
        why=why,
    )


def _pods(spec: Mapping[str, Any], status: Mapping[str, Any]) -> int:
    """The most pods that a Job had at once: no more than it may have, needs, or has had."""
    counts = [spec.get("parallelism", 1), spec.get("completions")]
    counts.append((status.get("succeeded") or 0) + (status.get("failed") or 0) or None)
    said = [int(one) for one in counts if one is not None]
    return max(min(said), 1)


def _times(
    item: Mapping[str, Any], status: Mapping[str, Any]
) -> tuple[float | None, float | None, State]:
    if item["kind"] == "Job":
        ends = [c for c in status.get("conditions") or () if c.get("status") == "True"]
        failed = next((c for c in ends if c.get("type") == "Failed"), None)
        done = status.get("completionTime") or (failed or {}).get("lastTransitionTime")
        return _time(status.get("startTime")), _time(done), "failed" if failed else "completed"
    runs = [(c.get("state") or {}).get("terminated") for c in status.get("containerStatuses") or ()]
    over = [run for run in runs if run]
    starts = [t for run in over if (t := _time(run.get("startedAt"))) is not None]
    ends_ = [t for run in over if (t := _time(run.get("finishedAt"))) is not None]
    start = min(starts, default=None) if starts else _time(status.get("startTime"))
    end = max(ends_) if ends_ and len(over) == len(runs) else None
    if status.get("phase") == "Pending" and not starts:
        start = None
    evicted = status.get("reason") in ("Evicted", "Preempting", "NodeLost")
    failed_ = status.get("phase") == "Failed"
    return start, end, "requeued" if evicted else "failed" if failed_ else "completed"


def _time(text: object) -> float | None:
    if not text:
        return None
    return datetime.fromisoformat(str(text)).timestamp()


def _devices(spec: Mapping[str, Any]) -> tuple[float | None, tuple[str, ...], str]:
    """Devices of a pod's containers, a MIG instance as its share, and which they are."""
    held, kinds = 0.0, []
    containers: Sequence[Mapping[str, Any]] = spec.get("containers") or ()
    selected = spec.get("nodeSelector") or {}
    product = next((str(selected[key]) for key in _PRODUCT if key in selected), None)
    for one in containers:
        resources = one.get("resources") or {}
        asked = {**(resources.get("requests") or {}), **(resources.get("limits") or {})}
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
