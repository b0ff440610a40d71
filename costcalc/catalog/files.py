"""Finds the data that ships with costcalc: in a wheel, in a zipped wheel and in a checkout.

Everything goes through `importlib.resources`, so that nothing here needs a real file system.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

PACKAGE = "costcalc"
PROFILES = "hardware_profiles"


@cache
def profiles_root() -> Traversable:
    """The folder `hardware_profiles`: inside the installed package, or beside it in a checkout.

    Raises FileNotFoundError, naming both places, if neither is there.

    >>> profiles_root().joinpath("accelerators").is_dir()
    True
    """
    inside = files(PACKAGE) / PROFILES
    if installed():
        return inside
    beside = Path(__file__).resolve().parents[2] / PROFILES
    if beside.is_dir():
        return beside
    raise FileNotFoundError(f"no {PROFILES} at {inside} nor at {beside}: reinstall costcalc")


@cache
def installed() -> bool:
    """Whether the profiles stand inside the package, as a wheel has them; a checkout has not."""
    return (files(PACKAGE) / PROFILES).is_dir()


@cache
def data_root() -> Traversable:
    """The folder `costcalc/data` of the installed package.

    >>> data_root().name
    'data'
    """
    return files(PACKAGE) / "data"
