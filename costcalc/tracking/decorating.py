"""A tracker around each call of a function, of whatever kind the function is."""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING, ParamSpec, TypeVar, cast

if TYPE_CHECKING:
    from costcalc.tracking.tracker import Tracker

P = ParamSpec("P")
T = TypeVar("T")


def decorated(function: Callable[P, T], new: Callable[[], Tracker]) -> Callable[P, T]:
    """The function with a ``new`` tracker around each call; ``tracker`` is given if it is taken."""
    wrapper = next((made for fits, made in _KINDS if fits(function)), _called)
    wants = _takes_a_tracker(function)

    def given(named: dict[str, object], tracker: Tracker) -> dict[str, object]:
        return {"tracker": tracker, **named} if wants else named

    made = wrapper(cast("_Function", function), new, given)
    return cast("Callable[P, T]", functools.update_wrapper(made, function))


_Function = Callable[..., object]  # type: ignore[explicit-any]
_Given = Callable[[dict[str, object], "Tracker"], dict[str, object]]


def _takes_a_tracker(function: _Function) -> bool:
    try:
        return "tracker" in inspect.signature(function).parameters
    except (TypeError, ValueError):  # one written in C says nothing of itself
        return False


def _called(function: _Function, new: Callable[[], Tracker], given: _Given) -> _Function:
    def called(*args: object, **named: object) -> object:
        with new() as tracker:
            return function(*args, **given(named, tracker))

    return called


def _awaited(function: _Function, new: Callable[[], Tracker], given: _Given) -> _Function:
    async def awaited(*args: object, **named: object) -> object:
        with new() as tracker:
            return await function(*args, **given(named, tracker))  # type: ignore[misc]

    return awaited


def _yielded(function: _Function, new: Callable[[], Tracker], given: _Given) -> _Function:
    def yielded(*args: object, **named: object) -> Iterator[object]:
        with new() as tracker:
            yield from cast("Iterator[object]", function(*args, **given(named, tracker)))

    return yielded


def _yielded_later(function: _Function, new: Callable[[], Tracker], given: _Given) -> _Function:
    async def yielded(*args: object, **named: object) -> AsyncIterator[object]:
        with new() as tracker:
            async for item in function(*args, **given(named, tracker)):  # type: ignore[attr-defined]
                yield item

    return yielded


_KINDS = (
    (inspect.isgeneratorfunction, _yielded),
    (inspect.isasyncgenfunction, _yielded_later),
    (inspect.iscoroutinefunction, _awaited),
)
