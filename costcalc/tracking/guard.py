"""The one place where faults of ours are kept from the user's training."""

from __future__ import annotations

import functools
import os
import sys
import threading
import traceback
import weakref
from collections.abc import Callable
from typing import ParamSpec, Protocol, TypeVar, cast

P = ParamSpec("P")
T = TypeVar("T")

_DEBUG = "COSTCALC_TRACK_DEBUG"


def never_raises(default: T) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Methods so marked raise nothing: a fault becomes a note of their object, and ``default``.

    What the user does (Ctrl-C, ``sys.exit``) is no fault and passes.
    """

    def wrap(method: Callable[P, T]) -> Callable[P, T]:
        @functools.wraps(method)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> T:
            try:
                return method(*args, **kwargs)
            except Exception as error:  # noqa: BLE001  (that is what this is for)
                _tell(cast("Noting", args[0]), method.__name__, error)
                return default

        return guarded

    return wrap


class Noting(Protocol):
    """Who remembers what is to be told in the report."""

    def note(self, text: str) -> None:
        """Remember something for the report."""


class Disarmed(Protocol):
    """Who is told, in a child that was forked, that it is no part of the job."""

    def disarm(self) -> None:
        """Do nothing from now on."""


def _tell(owner: Noting, where: str, error: Exception) -> None:
    try:
        owner.note(f"{where.strip('_')} failed: {type(error).__name__}: {error}")
        if os.environ.get(_DEBUG):
            traceback.print_exception(error, file=sys.stderr)
    except Exception:  # noqa: BLE001  (not even telling may harm)
        return


# --- forks ---------------------------------------------------------------------------------------

# Held while a thread of ours imports: a child forked in the middle of an import would wait for ever
# for a lock whose holder it does not have.  A fork waits for us, for so long at most, and not again
# for an import that it has waited for so long (of a library on a disk that hangs).
_IMPORTING = threading.Lock()
_PATIENCE = 2.0

_live: weakref.WeakSet[Disarmed] = weakref.WeakSet()
_registered = False
_held = 0  # the thread that holds the lock for its fork: several may fork at once
_hangs = False


def importing() -> threading.Lock:
    """The lock to hold while a thread of ours imports."""
    return _IMPORTING


def watch_forks(owner: Disarmed) -> None:
    """Have ``owner.disarm()`` called in every child that is forked from now on."""
    global _registered  # noqa: PLW0603  (forks are the process's)
    _live.add(owner)
    if not _registered and hasattr(os, "register_at_fork"):
        _registered = True
        os.register_at_fork(before=_before, after_in_parent=_after, after_in_child=_in_child)


def _before() -> None:
    global _held, _hangs  # noqa: PLW0603
    if not _live:
        return
    held = _IMPORTING.acquire(timeout=0.0 if _hangs else _PATIENCE)
    _hangs = not held
    if held:
        _held = threading.get_ident()


def _after() -> None:
    global _held  # noqa: PLW0603
    if _held == threading.get_ident():
        _held = 0
        _IMPORTING.release()


def _in_child() -> None:
    global _IMPORTING, _held, _hangs
    _IMPORTING, _held, _hangs = threading.Lock(), 0, False
    for owner in list(_live):
        owner.disarm()
    _live.clear()
