"""What a table leaves out of a layout is filled in by what fits."""

import pytest

from costcalc.throughput.layout import Layout, Machine, Recipe
from costcalc.throughput.shape import decoder_shape
from costcalc.validate.rows import COLUMNS, Measured, case_for
from costcalc.validate.unsaid import filled

H100 = Machine(
    accelerator="h100-sxm5-80", generation="hopper", kind="gpu", devices=64, per_node=8,
    peak={"bf16": 989.4e12}, memory=80 * 2**30, memory_bandwidth=3.35e12,
)  # fmt: skip
RECIPE = Recipe(sequence_length=8192, global_batch=64, precision="bf16")
SMALL = decoder_shape(layers=32, hidden=4096, heads=32, kv_heads=8, ffn=14336, vocabulary=128256,
                      sequence_length=8192)  # fmt: skip
LARGE = decoder_shape(layers=80, hidden=8192, heads=64, kv_heads=8, ffn=28672, vocabulary=128256,
                      sequence_length=8192)  # fmt: skip


def kinds(axes: Layout) -> tuple[float, float, float]:
    return float(axes.zero), float(axes.selective), float(axes.full)


def test_optimizer_states_are_sharded_where_that_fits():
    # 8B: 4 bytes of weights and gradients a parameter are 30 GiB of 80
    found = filled(Layout(data=64.0), SMALL, H100, RECIPE, sharding=True, recompute=True)
    assert kinds(found) == (1.0, 0.0, 0.0)


def test_weights_are_sharded_where_they_do_not_fit():
    # 70B on one device each: 131 GiB of weights alone
    found = filled(Layout(data=64.0), LARGE, H100, RECIPE, sharding=True, recompute=True)
    assert found.zero == 3.0


def test_one_replica_shards_nothing():
    found = filled(Layout(tensor=8.0), SMALL, H100, RECIPE, sharding=True, recompute=True)
    assert found.zero == 0.0


def test_what_is_said_stays():
    said = Layout(data=64.0, zero=3.0, full=1.0)
    assert filled(said, LARGE, H100, RECIPE, sharding=False, recompute=False) == said
    found = filled(Layout(data=64.0, zero=1.0), LARGE, H100, RECIPE, sharding=False, recompute=True)
    assert kinds(found) == (1.0, 0.0, 1.0)  # nothing fits: the last that was tried


@pytest.mark.parametrize(("said", "zero"), [("", 3.0), ("none", 0.0), ("zero1", 1.0)])
def test_a_row_goes_by_it(said, zero):
    row = dict.fromkeys(COLUMNS, "") | {
        "workload": "llm", "shape": "llama-3-70b", "accelerator": "h100-sxm5-80", "devices": "64",
        "precision": "bf16", "sequence_length": "8192", "data": "64", "tensor": "1",
        "pipeline": "1", "micro_batch": "1", "sharding": said,
    }  # fmt: skip
    case = case_for(Measured(row=row, rate=900.0, repeats=(900.0,)))
    assert case is not None
    assert case.axes.zero == zero
