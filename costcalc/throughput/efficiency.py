"""Efficiency where no model of the step applies: the measured share of the peak of runs like it.

The cells of ``data/efficiency.yaml`` hold the median and the 5th and 95th percentile of the model
FLOP utilisation (MFU, Chowdhery et al. 2022, arXiv:2204.02311, appendix B) of measured runs, by
generation of accelerator, precision, kind of workload and number of devices.  Where a cell holds
too few, a coarser one answers, and says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from costcalc.base.human import plural
from costcalc.catalog.region_table import table

Key = tuple[str, str, str, str]

ANY = "*"
SCALES = ("1", "2-8", "9-64", "65-1024", ">1024")
_BOUNDS = (1, 8, 64, 1024)
_CLASSES = {
    "fp16": "16-bit",
    "bf16": "16-bit",
    "fp8": "8-bit",
    "mxfp8": "8-bit",
    "fp4": "4-bit",
    "nvfp4": "4-bit",
    "tf32": "tf32",
    "fp32": "fp32",
}
_WORKLOADS = {
    "decoder": "llm",
    "ssm": "llm",
    "encoder": "bert",
    "encoder-decoder": "t5",
    "vision": "vit",
    "diffusion": "diffusion",
    "speech": "speech",
}
_NAMES = ("generation", "precision", "workload", "scale")


@dataclass(frozen=True, slots=True, kw_only=True)
class Efficiency:
    """Model FLOP utilisation over the dense peak of the precision: median, 5th, 95th percentile.

    ``n``: configurations behind it; ``publishers``: who measured them; ``why``: which cell.
    """

    value: float
    low: float
    high: float
    n: int
    publishers: int
    why: str


def precision_class(precision: str) -> str:
    """Precisions that share a rate: ``16-bit`` for fp16 and bf16.

    >>> precision_class("bf16"), precision_class("mxfp8")
    ('16-bit', '8-bit')
    """
    return _CLASSES.get(precision, precision)


def scale_class(devices: float) -> str:
    """The bucket of a number of devices.

    >>> [scale_class(n) for n in (1, 8, 64, 512, 2048)]
    ['1', '2-8', '9-64', '65-1024', '>1024']
    """
    return next(
        (name for name, most in zip(SCALES, _BOUNDS, strict=False) if devices <= most), SCALES[-1]
    )


def workload_class(kind: str | None) -> str:
    """The kind of workload that the cells know for a kind of architecture; ``*`` if unknown."""
    return _WORKLOADS.get(kind or "", kind or ANY)


@cache
def _cells() -> dict[Key, tuple[float, float, float, int, int]]:
    rows = table("efficiency.yaml").data["cells"]
    return {(row[0], row[1], row[2], row[3]): tuple(row[4:]) for row in rows}


# Which parts of the cell are dropped, nearest first.  The kind of workload matters most (a CNN gets
# a third of what a decoder does), then the precision, whose peak the share is of, then the chip.
_DROPPED = (
    (),
    ("scale",),
    ("generation",),
    ("generation", "scale"),
    ("generation", "precision"),
    ("generation", "precision", "scale"),
    ("workload",),
    ("workload", "scale"),
    ("workload", "generation"),
    ("workload", "generation", "scale"),
    ("workload", "generation", "precision", "scale"),
)


def chain(key: Key) -> Iterator[tuple[Key, tuple[str, ...]]]:
    """The cells that may answer, nearest first, and what each leaves out."""
    for dropped in _DROPPED:
        parts = tuple(
            ANY if name in dropped else part for name, part in zip(_NAMES, key, strict=True)
        )
        yield (parts[0], parts[1], parts[2], parts[3]), dropped


def efficiency(generation: str, precision: str, kind: str | None, devices: float) -> Efficiency:
    """MFU of measured runs like this one, from the nearest cell that holds enough of them.

    ``kind``: of the architecture (decoder, encoder, vision, ...), or a workload of the cells (cnn);
    None where it is not known: all kinds then.

    >>> found = efficiency("hopper", "bf16", "decoder", 1024)
    >>> found.low < found.value < found.high
    True
    """
    key = (generation, precision_class(precision), workload_class(kind), scale_class(devices))
    known = _cells()
    for cell, dropped in chain(key):
        if cell in known:
            value, low, high, n, publishers = known[cell]
            return Efficiency(
                value=value,
                low=low,
                high=high,
                n=n,
                publishers=publishers,
                why=_why(key, cell, dropped, n, publishers),
            )
    raise LookupError("no cell holds all measurements: run scripts/efficiency_cells.py")


def _why(key: Key, cell: Key, dropped: tuple[str, ...], n: int, publishers: int) -> str:
    named = [
        "any " + name if part == ANY else part + (" devices" if name == "scale" else "")
        for name, part in zip(_NAMES, cell, strict=True)
    ]
    text = (
        f"median of {n} measured configurations by {publishers} "
        f"{plural('publisher', publishers)}: {', '.join(named)}"
    )
    lost = [part for name, part in zip(_NAMES, key, strict=True) if name in dropped and part != ANY]
    return f"{text} (too few for {', '.join(lost)})" if lost else text


def cells() -> dict[Key, tuple[float, float, float, int, int]]:
    """Every cell: (value, low, high, configurations, publishers) by its four parts."""
    return dict(_cells())
