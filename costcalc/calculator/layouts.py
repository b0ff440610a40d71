"""The fastest layouts of a run: the whole space walked, for ``costcalc layout``."""

from __future__ import annotations

from collections.abc import Mapping

from costcalc.base.errors import InputError
from costcalc.calculator.calculate import hardware_side
from costcalc.resolve.names import look_up
from costcalc.resolve.place import region_of
from costcalc.resolve.time import fixed_by
from costcalc.runfile.loading import Source, load
from costcalc.throughput.constants import load as constants
from costcalc.throughput.footprint import footprint_of
from costcalc.throughput.placement import shape_for
from costcalc.throughput.search import Found, search


def layouts(
    source: Source, *, top: int = 10, full: bool = True, changes: Mapping[str, object] | None = None
) -> Found:
    """The ``top`` fastest layouts of a run that fit in memory, of the full space or a pruned one.

    Axes that ``hardware.layout`` fixes stay as they are.

    Raises:
        InputError: a bad run file, several stages, or a model without layers to lay out.

    >>> found = layouts({"model": {"preset": "llama-3-8b"}, "training": {"tokens": "1T"},
    ...                  "hardware": {"accelerator": "h100", "count": 64}}, top=3)
    >>> len(found.best), found.walked > 1000
    (3, True)
    """
    request = load(source, look_up, changes=changes)
    if len(request.parts) != 1:
        raise InputError(request.document.problem(("stages",), "one stage at a time, please"))
    given = request.parts[0]
    side = hardware_side(given, request, region_of(given))
    work, time = side.trained.work, side.timed
    shape = shape_for(work) if work is not None else None
    footprint = footprint_of(work) if work is not None else None
    if shape is None or footprint is None or time is None:
        message = "expected a model made of layers (a preset, a config, an architecture)"
        raise InputError(request.document.problem(("model",), message))
    return search(
        shape,
        side.devices.machine,
        time.recipe,
        footprint=footprint,
        constants=constants(),
        top=top,
        full=full,
        fixed=fixed_by(given),
    )
