"""Stages that remember: what was resolved once is not resolved again for the same question."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Concatenate, ParamSpec, TypeVar

from costcalc.runfile.loading import Input
from costcalc.runfile.rules import value_at
from costcalc.runfile.workload import Inline
from costcalc.throughput.constants import load

P = ParamSpec("P")
T = TypeVar("T")
Stage = Callable[Concatenate[Input, P], T]


@dataclass(frozen=True, slots=True)
class _Question:
    """A call of a stage, equal to another where all that the stage reads is equal.

    ``records`` keeps alive what ``read`` names by its identity.
    """

    read: tuple[object, ...]
    records: tuple[object, ...] = field(compare=False)
    answer: Callable[[], object] = field(compare=False)


def remembered(
    *keys: str, on: Callable[[], object] = load, most: int = 256
) -> Callable[[Stage[P, T]], Stage[P, T]]:
    """A stage that reads these keys of a part, and further records, which are never changed.

    Texts are compared by value, other records by identity.  To the question belong also where the
    values stand in the file, and the data that may be exchanged while a program runs: ``on`` gives
    them (the constants of the time model, or the catalogue of prices).  A part that names a file is
    read anew each time, and a fault is told anew each time.
    """
    paths = [tuple(key.split(".")) for key in keys]

    def of(stage: Stage[P, T]) -> Stage[P, T]:
        @functools.lru_cache(maxsize=most)
        def kept(question: _Question) -> T:
            return question.answer()  # type: ignore[return-value]

        def ask(given: Input, /, *others: P.args, **named: P.kwargs) -> T:
            answer = functools.partial(stage, given, *others, **named)
            if named or _names_a_file(given):
                return answer()
            data, document = on(), given.document
            read = (
                *[value_at(given.part, path) for path in paths],
                *[one if isinstance(one, str) else id(one) for one in others],
                id(data),
                *((given.own, document.name, *document.marks.items()) if document.marks else ()),
            )
            return kept(_Question(read, (data, *others), answer))

        vars(ask)["reads"] = keys
        return functools.update_wrapper(ask, stage)

    return of


def _names_a_file(given: Input) -> bool:
    model, training = given.part.model, given.part.training
    teacher = training.teacher if training else None
    named = [one.config for one in (model, teacher) if one is not None]
    return any(name is not None and not isinstance(name, Inline) for name in named)
