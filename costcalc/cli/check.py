"""``costcalc check``: run files are valid and within their limits; for pre-commit."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from costcalc.base.errors import InputError
from costcalc.base.human import number_of
from costcalc.cli import LIMIT, OK

#: what else is passed over is not in silence
_NONE = (
    "no run file is among them: one has model (or measured, or stages) and hardware (or defaults, "
    "the path of a partial run file), or holds both under costcalc:"
)


def command(
    paths: Annotated[list[str], typer.Argument(help="Run files, or folders of them.")],
) -> int:
    """Check that run files are valid and keep their limits.

    Files that hold no run are passed over.  Exit 3 where one does not.
    """
    from costcalc.calculator.calculate import estimated
    from costcalc.change.run_files import files
    from costcalc.resolve.names import look_up
    from costcalc.runfile.carried import run_in
    from costcalc.runfile.loading import check

    valid = bad = 0
    for path in files(paths):
        try:
            document = run_in(path, str(path))
            if document is None:
                continue
            made = estimated(check(document, path.parent, look_up))
        except InputError as error:
            print(error, file=sys.stderr)
            bad += 1
            continue
        for note in document.notes:
            print(f"{path}: {note}", file=sys.stderr)
        passed = [one["text"] for one in made.limits if one["passed"] is not False]
        for text in passed:
            print(f"{path}: {text}", file=sys.stderr)
        bad += bool(passed)
        valid += not passed
    if not valid and not bad:
        print(_NONE, file=sys.stderr)
    others = f", {bad} not" if bad else ""
    print(f"{number_of(valid, 'run file')} valid and within limits{others}")
    return LIMIT if bad else OK
