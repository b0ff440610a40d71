"""Trainings that fail, where a framework tells its callbacks only of those that end well.

The framework's own method is wrapped once, when the first callback of ours is made: what it raises
passes on as it is, and the callbacks that measure it are told.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, Literal, Protocol


class Told(Protocol):
    """A callback that ends its record when training fails."""

    def failed(self, status: Literal["exception", "interrupted"]) -> None:
        """The training is over."""


def tell_failures(owner: type, name: str, measuring: Callable[[Any], Iterable[Told]]) -> None:
    """Have ``failed`` called on the callbacks that are ``measuring`` an object whose method raises.

    >>> class Trainer:
    ...     callbacks = []
    ...     def train(self): raise KeyboardInterrupt
    >>> class Callback:
    ...     def failed(self, status): print(status)
    >>> tell_failures(Trainer, "train", lambda trainer: trainer.callbacks)
    >>> Trainer.callbacks.append(Callback())
    >>> try: Trainer().train()
    ... except KeyboardInterrupt: print("passes on")
    interrupted
    passes on
    """
    original = getattr(owner, name)
    if getattr(original, "_tells_costcalc", False):
        return

    @functools.wraps(original)
    def telling(self: object, *args: object, **named: object) -> object:
        try:
            return original(self, *args, **named)
        except BaseException as error:
            interrupted = isinstance(error, KeyboardInterrupt)
            with suppress(Exception):
                for callback in measuring(self):
                    callback.failed("interrupted" if interrupted else "exception")
            raise

    telling._tells_costcalc = True  # type: ignore[attr-defined]
    setattr(owner, name, telling)
