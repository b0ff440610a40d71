"""One request's work: its name, body and options to an answer; what a worker process runs.

Nothing of a request is kept, and nothing of it is logged: of a bug the place is told, no value.
"""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable, Mapping

from costcalc.base.errors import CostcalcError
from costcalc.web import answer, api, checking, openapi, pages
from costcalc.web.answer import Answer

Work = Callable[[bytes, Mapping[str, str]], Answer]

WORKS: Mapping[str, Work] = {
    "estimate": api.estimate,
    "compare": api.compare,
    "plan": api.plan,
    "report/verify": api.verify,
    "report/render": api.render,
    "models": api.listed("models"),
    "hardware": api.listed("hardware"),
    "regions": api.listed("regions"),
    "peak": api.peak,
    "openapi.json": openapi.served,
    **{f"page/{name}": pages.got(name) for name in pages.ASKED},
    **{f"form/{name}": pages.sent(name) for name in pages.ASKED},
    "page/check": checking.got,
    "form/check": checking.sent,
    "page/api": pages.described,
    "report": pages.report,
}


def _fleet(name: str) -> Work:
    """A page of a ledger: what needs SQLAlchemy is loaded when it is first asked."""
    from costcalc.web import fleet_pages

    return fleet_pages.got(name)


def work(name: str, body: bytes, given: Mapping[str, str]) -> Answer:
    """The answer to a request; whatever is wrong with it is one too."""
    try:
        kind, _, rest = name.partition("/")
        found = _fleet(rest) if kind == "fleet" else WORKS[name]
        return found(body, given)
    except CostcalcError as error:
        return answer.of_error(error, answer.NOT_FOUND if name == "peak" else answer.BAD)
    except Exception as error:  # noqa: BLE001 - a bug of ours must not end the server
        sys.stderr.write(f"costcalc serve: a bug in {name}: {_place(error)}\n")
        return answer.problems(
            [answer.of_text("a bug of costcalc; the server's log says where")], answer.BUG
        )


def _place(error: Exception) -> str:
    """Kind and place of an error, without its words: they may hold what was sent."""
    frames = traceback.extract_tb(error.__traceback__)[-3:]
    return f"{type(error).__name__} at " + " < ".join(
        f"{frame.filename.rpartition('costcalc/')[2]}:{frame.lineno}" for frame in reversed(frames)
    )


def warm() -> None:
    """Load what the first request would wait for."""
    run = {
        "model": {"preset": "llama-3-8b"},
        "training": {"tokens": "1T"},
        "hardware": {"accelerator": "h100-sxm5-80", "count": 64},
        "site": {"region": "aws:us-east-1"},
    }
    work("estimate", json.dumps(run).encode(), {})
    work("page/calculate", b"", {})
