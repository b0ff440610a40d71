"""Trainings that fail are told to the callbacks that measure them, and fail as they would have."""

from __future__ import annotations

from typing import Any

import pytest

from costcalc.integrations.ending import tell_failures


class Ends:
    def __init__(self) -> None:
        self.told: list[str] = []

    def failed(self, status: str) -> None:
        self.told.append(status)


def trainer(error: BaseException | None) -> Any:
    class Trainer:
        def __init__(self) -> None:
            self.callbacks = [Ends()]

        def train(self, steps: int, *, rate: float = 0.1) -> tuple[int, float]:
            """Train."""
            if error is not None:
                raise error
            return steps, rate

    return Trainer


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ValueError("mine"), "exception"),
        (SystemExit(3), "exception"),
        (KeyboardInterrupt(), "interrupted"),
    ],
)
def test_what_is_raised_passes_as_it_is_and_is_told_once(error: BaseException, status: str) -> None:
    kind = trainer(error)
    for _ in range(2):  # two callbacks are made: the method is wrapped once
        tell_failures(kind, "train", lambda one: one.callbacks)
    made = kind()
    with pytest.raises(type(error)) as caught:
        made.train(3)
    assert caught.value is error
    assert made.callbacks[0].told == [status]


def test_what_ends_well_is_as_it_was() -> None:
    kind = trainer(None)
    tell_failures(kind, "train", lambda one: one.callbacks)
    made = kind()
    assert made.train(3, rate=0.5) == (3, 0.5)
    assert made.callbacks[0].told == []
    assert (kind.train.__name__, kind.train.__doc__) == ("train", "Train.")


def test_a_callback_that_fails_hides_nothing() -> None:
    kind = trainer(ValueError("mine"))

    def measuring(_: Any) -> Any:
        raise ZeroDivisionError

    tell_failures(kind, "train", measuring)
    with pytest.raises(ValueError, match="mine"):
        kind().train(3)
