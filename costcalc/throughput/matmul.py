"""The time of matrix multiplications, by their size."""

from __future__ import annotations

from typing import Any

Number = Any  # float or NumPy array of floats


def matmul_time(
    flops: Number, moved: Number, count: Number, rate: Number, traffic: Number, start: Number
) -> Number:
    """Seconds of ``count`` matmuls of ``flops`` in all that move ``moved`` bytes.

    ``rate``: FLOP/s at large size.  ``traffic``: seconds a byte of their own memory traffic that
    stays exposed: F/(1/M + 1/N + 1/K) of arithmetic for each element moved is what makes a narrow
    matmul slower.  ``start``: seconds of ramp-up and tail a matmul; with F_half = rate·start this
    is the saturating efficiency e·F/(F + F_half) of the a-priori model.

    >>> matmul_time(2e12, 0.0, 1.0, 5e14, 0.0, 1e-3)
    0.005
    """
    return flops / rate + moved * traffic + count * start
