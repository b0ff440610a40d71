"""costcalc: what training a model costs in time, money, energy and CO2e.

The flow goes one way, in six stages, each a function from record to record::

    run file --resolve--> Run
       --workload--> FLOPs --throughput--> seconds --energy--> kWh --price--> money
                                                         └──carbon──> CO2e, water
       --> Estimate --report--> YAML, JSON, tables

Every number that a result rests on is an :class:`Assumption` with a range and a source.  Names are
loaded on first use; importing this package reads no file.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as typing has it, whose import would double the time of this one
if TYPE_CHECKING:
    from costcalc import report as report
    from costcalc.base.assumption import Assumption as Assumption
    from costcalc.base.errors import CostcalcError as CostcalcError
    from costcalc.base.errors import InputError as InputError
    from costcalc.base.errors import MissingExtraError as MissingExtraError
    from costcalc.base.errors import NotFoundError as NotFoundError
    from costcalc.calculator.calculate import estimate as estimate
    from costcalc.calculator.calibrating import calibrate as calibrate
    from costcalc.calculator.layouts import layouts as layouts
    from costcalc.calculator.result import Estimate as Estimate
    from costcalc.calculator.result import Result as Result
    from costcalc.calculator.scenarios import Scenarios as Scenarios
    from costcalc.calculator.scenarios import scenarios as scenarios
    from costcalc.catalog.peak import mfu as mfu
    from costcalc.catalog.peak import peak as peak
    from costcalc.decide.comparing import compare as compare
    from costcalc.decide.placing import place as place
    from costcalc.decide.planning import plan as plan
    from costcalc.decide.series import Series as Series
    from costcalc.decide.waiting import when as when
    from costcalc.report.check import verify as verify
    from costcalc.report.files import load as load
    from costcalc.report.project import merge as merge
    from costcalc.report.renderings import render as render
    from costcalc.runfile.schema import Run as Run
    from costcalc.tracking.tracker import Tracker as Tracker
    from costcalc.tracking.tracker import track as track
    from costcalc.workload.count import count as count

__version__ = "0.2.0"

# Each public name and the module that holds it; a name that is a room of its own holds itself.
_PUBLIC = {
    "Assumption": "base.assumption",
    "CostcalcError": "base.errors",
    "Estimate": "calculator.result",
    "InputError": "base.errors",
    "MissingExtraError": "base.errors",
    "NotFoundError": "base.errors",
    "Result": "calculator.result",
    "Run": "runfile.schema",
    "Scenarios": "calculator.scenarios",
    "Series": "decide.series",
    "Tracker": "tracking.tracker",
    "calibrate": "calculator.calibrating",
    "compare": "decide.comparing",
    "count": "workload.count",
    "mfu": "catalog.peak",
    "peak": "catalog.peak",
    "estimate": "calculator.calculate",
    "layouts": "calculator.layouts",
    "load": "report.files",
    "merge": "report.project",
    "place": "decide.placing",
    "plan": "decide.planning",
    "render": "report.renderings",
    "report": "report",
    "scenarios": "calculator.scenarios",
    "track": "tracking.tracker",
    "verify": "report.check",
    "when": "decide.waiting",
}

__all__ = [
    "Assumption",
    "CostcalcError",
    "Estimate",
    "InputError",
    "MissingExtraError",
    "NotFoundError",
    "Result",
    "Run",
    "Scenarios",
    "Series",
    "Tracker",
    "__version__",
    "calibrate",
    "compare",
    "count",
    "estimate",
    "layouts",
    "load",
    "merge",
    "mfu",
    "peak",
    "place",
    "plan",
    "render",
    "report",
    "scenarios",
    "track",
    "verify",
    "when",
]


def __getattr__(name: str) -> object:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'costcalc' has no attribute {name!r}")
    import importlib

    module = importlib.import_module(f"costcalc.{_PUBLIC[name]}")
    return module if name == _PUBLIC[name] else getattr(module, name)


def __dir__() -> list[str]:
    return sorted(__all__)
