"""The peak that utilization divides by."""

import subprocess
import sys

import pytest

import costcalc
from costcalc import InputError


@pytest.mark.parametrize(
    ("name", "precision", "tflops"),
    [
        ("NVIDIA H100 80GB HBM3", "bf16", 989.4),  # datasheet: 1978.9 with sparsity
        ("NVIDIA A100-SXM4-80GB", "bf16", 312.0),
        ("Tesla V100-SXM2-32GB", "fp16", 125.0),
        ("NVIDIA A100-SXM4-40GB MIG 1g.5gb", "bf16", 312.0 * 14 / 108),  # 14 of 108 SMs
        ("NVIDIA H100 80GB HBM3 MIG 1g.20gb", "bf16", 989.4 * 26 / 132),
        ("h100", "fp8", 1978.9),
    ],
)
def test_a_dense_peak(name, precision, tflops):
    assert costcalc.peak(name, precision) == pytest.approx(tflops * 1e12, rel=1e-9)


def test_utilization_by_hand():
    # 3.2e15 FLOP in 8.1 s on 8 devices of 312e12 FLOP/s: 3.2e15 / (8.1 * 8 * 312e12)
    found = costcalc.mfu(3.2e15, 8.1, "NVIDIA A100-SXM4-80GB", devices=8)
    assert found == pytest.approx(3.2e15 / (8.1 * 8 * 312e12))


def test_what_it_has_not_is_said():
    with pytest.raises(InputError) as caught:
        costcalc.peak("Tesla V100-SXM2-32GB", "fp8")
    assert str(caught.value).startswith("precision: v100-sxm2-32 has no fp8; its profile has fp")
    with pytest.raises(InputError, match="expected seconds and devices above 0; got 0 and 8"):
        costcalc.mfu(1e15, 0, "h100", devices=8)


def test_nothing_beyond_our_own_is_imported():
    code = (
        "import sys, costcalc; costcalc.mfu(1e15, 2.0, 'NVIDIA H100 80GB HBM3');"
        "print(sorted({'numpy', 'pydantic', 'pint', 'yaml', 'rich'} & {*sys.modules}))"
    )
    costcalc.peak("h100")  # the index of a checkout is there
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout == "[]\n"
