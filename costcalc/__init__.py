"""costcalc: what training a model costs in time, money, energy and CO2e.

The flow goes one way, in six stages, each a function from record to record::

    run file --resolve--> Run
       --workload--> FLOPs --throughput--> seconds --energy--> kWh --price--> money
                                                         └──carbon──> CO2e, water
       --> Estimate --report--> YAML, JSON, tables

Every number that a result rests on is an :class:`~costcalc.base.assumption.Assumption` with a range
and a source.  Names are loaded on first use; importing this package reads no file.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as typing has it, whose import would double the time of this one
if TYPE_CHECKING:
    from typing import Any

    from costcalc.base.errors import CostcalcError as CostcalcError
    from costcalc.base.errors import InputError as InputError
    from costcalc.calculator.calculate import estimate as estimate
    from costcalc.calculator.result import Estimate as Estimate
    from costcalc.calculator.result import Result as Result
    from costcalc.decide.comparing import compare as compare
    from costcalc.decide.placing import place as place
    from costcalc.decide.planning import plan as plan
    from costcalc.decide.waiting import when as when
    from costcalc.runfile.schema import Run as Run
    from costcalc.tracking.tracker import track as track
    from costcalc.workload.count import count as count

__version__ = "0.1.0"

_PUBLIC = {
    "CostcalcError": "costcalc.base.errors",
    "Estimate": "costcalc.calculator.result",
    "InputError": "costcalc.base.errors",
    "Result": "costcalc.calculator.result",
    "Run": "costcalc.runfile.schema",
    "compare": "costcalc.decide.comparing",
    "count": "costcalc.workload.count",
    "estimate": "costcalc.calculator.calculate",
    "place": "costcalc.decide.placing",
    "plan": "costcalc.decide.planning",
    "track": "costcalc.tracking.tracker",
    "when": "costcalc.decide.waiting",
}

__all__ = [
    "CostcalcError",
    "Estimate",
    "InputError",
    "Result",
    "Run",
    "__version__",
    "compare",
    "count",
    "estimate",
    "place",
    "plan",
    "track",
    "when",
]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'costcalc' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
