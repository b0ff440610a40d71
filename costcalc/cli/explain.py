"""``costcalc explain RUN.yaml``: where every number comes from."""

from __future__ import annotations

import sys

from costcalc.cli import options


def command(run: options.RunFile = None, set_: options.Set = None) -> None:
    """Print each result's formula with its numbers, their sources, and what drives its range."""
    from costcalc.calculator.calculate import estimate
    from costcalc.report.explain import explain

    made = estimate(str(run) if run else {}, changes=options.changes({"set": set_}))
    sys.stdout.write("\n".join(explain(made)) + "\n")
