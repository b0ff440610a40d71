"""What an estimate says, as a document: read, verified, merged, rendered."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from costcalc.report.check import verify as verify
    from costcalc.report.files import load as load
    from costcalc.report.project import merge as merge
    from costcalc.report.renderings import render as render

_HOMES = {"verify": "check", "load": "files", "merge": "project", "render": "renderings"}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'costcalc.report' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"costcalc.report.{_HOMES[name]}"), name)
