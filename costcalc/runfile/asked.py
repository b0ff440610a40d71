"""The run of a report as it was asked for."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

_OWN_WORD = ("given", "measured")
#: the run file's own figure even where its basis is another, as of a year's mean for some hours
_OWN_FIGURE = ("site.grid", "run file")
#: listed where its name leaves several boards open, and in the run as it was asked for
_NEVER_FILLED = ("hardware.accelerator",)


def is_report(data: object) -> bool:
    """Whether a document is one of costcalc's reports.

    >>> is_report({"schema": "costcalc/report/v1"}), is_report({"model": {}})
    (True, False)
    """
    return isinstance(data, Mapping) and str(data.get("schema")).startswith("costcalc/report/")


def asked(run: Mapping[str, Any], assumptions: Sequence[Mapping[str, Any]]) -> dict[str, object]:
    """A report's run without the keys that costcalc filled in itself.

    >>> asked({"site": {"region": "FR", "pue": 1.3}}, [{"key": "site.pue", "basis": "default"}])
    {'site': {'region': 'FR'}}
    >>> asked({"hardware": {"accelerator": "v100"}},
    ...       [{"key": "hardware.accelerator", "basis": "default"}])
    {'hardware': {'accelerator': 'v100'}}
    """
    made = copy.deepcopy(dict(run))
    if made.get("stages"):
        return made  # written as it was read
    for item in assumptions:
        own = (item.get("key"), item.get("source")) == _OWN_FIGURE
        own = own or item.get("key") in _NEVER_FILLED
        if item.get("basis") not in _OWN_WORD and not own:
            *groups, last = str(item.get("key")).split(".")
            holder: object = made
            for group in groups:
                holder = holder.get(group) if isinstance(holder, dict) else None
            if isinstance(holder, dict):
                holder.pop(last, None)
    return {key: value for key, value in made.items() if value != {}}
