"""The cells of measured efficiency: what is in them, and which one answers."""

import sys
from pathlib import Path

import pytest

from costcalc.catalog.files import data_root
from costcalc.throughput.efficiency import (
    ANY,
    SCALES,
    cells,
    chain,
    efficiency,
    precision_class,
    scale_class,
    workload_class,
)

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from efficiency_cells import MINIMUM, flops_of, points_of, render, utilization  # noqa: E402
from efficiency_cells import cells as cells_of  # noqa: E402
from measured_cases import side_of  # noqa: E402

from costcalc.validate.measurements import all_measured  # noqa: E402


@pytest.fixture(scope="module")
def measured():
    return all_measured()


@pytest.fixture(scope="module")
def points(measured):
    return list(points_of(measured))


def test_the_file_is_what_the_script_writes(points):
    shipped = (data_root() / "efficiency.yaml").read_text(encoding="utf-8")
    assert render(list(cells_of(points))) == shipped


def test_one_row_by_hand(measured):
    # MPT-70B on 512 H100 (mosaicml/llm-foundry, scripts/train/benchmarking/README.md): 1007 token/s
    # a device.  Matrices: 80·12·8192² and the head 8192·50368; 6 FLOP each; attention, causal:
    # 6·80·8192·2048.  The source prints an MFU of 0.4125 with attention in full and all parameters.
    row = next(one for one in measured if one.row["id"] == "T0001")
    per_token = 6 * (80 * 12 * 8192**2 + 8192 * 50368) + 6 * 80 * 8192 * 2048
    assert flops_of(row, side_of(row)) == pytest.approx(per_token)
    key, mfu = utilization(row)
    assert key == ("hopper", "16-bit", "llm", "65-1024")
    assert mfu == pytest.approx(1007 * per_token / 989.4e12, rel=1e-3)
    full = mfu * (per_token + 6 * 80 * 8192 * 2048) / per_token
    assert full == pytest.approx(0.4125, rel=0.01)


def test_every_cell_is_ordered_and_holds_enough():
    for cell, (value, low, high, n, publishers) in cells().items():
        assert 0 < low <= value <= high < 0.95, cell
        assert n >= max(MINIMUM, publishers), cell
        assert cell[3] in (*SCALES, ANY)


def test_a_cell_is_the_percentiles_of_its_configurations(points):
    values = sorted(mfu for key, mfu, _ in points if key == ("ampere", "16-bit", "llm", "2-8"))
    value, low, high, n, _ = cells()["ampere", "16-bit", "llm", "2-8"]
    assert n == len(values)
    assert sum(v < low * 0.999 for v in values) <= 0.05 * n + 1
    assert sum(v > high * 1.001 for v in values) <= 0.05 * n + 1
    assert abs(sum(v < value for v in values) - n / 2) <= 0.05 * n + 1


def test_all_measurements_answer_in_the_end():
    assert (ANY, ANY, ANY, ANY) in cells()
    found = efficiency("abacus", "int3", "riddle", 10**6)
    assert found.n == cells()[ANY, ANY, ANY, ANY][3]


def test_the_chain_goes_from_near_to_far():
    key = ("hopper", "16-bit", "llm", "9-64")
    steps = [cell for cell, _ in chain(key)]
    assert steps[0] == key
    assert steps[1] == ("hopper", "16-bit", "llm", ANY)
    assert steps[2] == (ANY, "16-bit", "llm", "9-64")
    assert steps[-1] == (ANY, ANY, ANY, ANY)
    assert len(set(steps)) == len(steps)


def test_a_near_cell_says_what_it_is():
    found = efficiency("hopper", "bf16", "decoder", 512)
    value, low, high, n, publishers = cells()["hopper", "16-bit", "llm", "65-1024"]
    assert (found.value, found.low, found.high, found.n) == (value, low, high, n)
    assert found.why == (
        f"median of {n} measured configurations by {publishers} publishers: "
        "hopper, 16-bit, llm, 65-1024 devices"
    )


def test_a_far_cell_says_what_was_too_few():
    found = efficiency("kepler", "fp32", "cnn", 1)
    assert found.why.endswith("any generation, fp32, cnn, 1 devices (too few for kepler)")


def test_fp16_and_bf16_share_cells_and_8_bit_has_its_own():
    assert efficiency("ampere", "fp16", "decoder", 8) == efficiency("ampere", "bf16", "decoder", 8)
    # over twice the peak a step is not twice as fast
    assert efficiency("hopper", "fp8", "decoder", 64).value < (
        efficiency("hopper", "bf16", "decoder", 64).value
    )


def test_convolutions_reach_less_than_decoders():
    assert efficiency("ampere", "bf16", "cnn", 8).value < (
        efficiency("ampere", "bf16", "decoder", 8).value
    )


@pytest.mark.parametrize(
    ("devices", "name"),
    [
        (1, "1"),
        (2, "2-8"),
        (8, "2-8"),
        (9, "9-64"),
        (64, "9-64"),
        (65, "65-1024"),
        (1024, "65-1024"),
        (1025, ">1024"),
    ],
)
def test_scales(devices, name):
    assert scale_class(devices) == name


def test_classes():
    assert [precision_class(p) for p in ("fp16", "mxfp8", "fp4", "tf32")] == [
        "16-bit",
        "8-bit",
        "4-bit",
        "tf32",
    ]
    assert [workload_class(k) for k in ("decoder", "encoder", "cnn", None)] == [
        "llm",
        "bert",
        "cnn",
        ANY,
    ]
