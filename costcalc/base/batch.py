"""A step's batch: sequences (or samples), or tokens where its noun says so."""

from __future__ import annotations

from costcalc.base.errors import InputError, Problem


class Tokens(float):
    """A step's batch that was told in tokens: ``4M tokens``.

    It equals no bare number, so that what was worked out of one is not remembered as the other's.

    >>> Tokens(1000) == Tokens(1000.0), Tokens(1000) == 1000, 1000 != Tokens(1000)
    (True, False, True)
    """

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tokens) and float(self) == float(other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash((Tokens, float(self)))


def sequences(batch: float, datum: str, length: float) -> float:
    """Sequences (or samples) of a step's batch, whole ones where it was told in tokens.

    ``length``: tokens of a sequence.  ``datum``: what the data of the model are, token or sample.

    >>> sequences(1024, "token", 4096)
    1024
    >>> sequences(Tokens(4e6), "token", 4096)  # 976.6
    977.0

    Raises:
        InputError: tokens, where the data of the model are samples.
    """
    if not isinstance(batch, Tokens):
        return batch
    if datum != "token":
        told = f"{batch:,.0f} tokens"
        message = f"expected a number of samples, which the data of this model are; got {told}"
        raise InputError(Problem(key="training.global_batch", message=message))
    return float(max(round(batch / length), 1))


def data(batch: float, datum: str, length: float) -> float:
    """Data of a step (tokens, or samples): what ``sequences`` of its batch hold.

    >>> data(Tokens(4e6), "token", 4096), data(1024, "token", 4096), data(1024, "sample", 1)
    (4001792.0, 4194304, 1024)

    Raises:
        InputError: tokens, where the data of the model are samples.
    """
    return sequences(batch, datum, length) * (length if datum == "token" else 1)
