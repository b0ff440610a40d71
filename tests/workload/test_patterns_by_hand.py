"""Which layers see a window and which have experts, layer by layer, from the keys of a file."""

from __future__ import annotations

from typing import Any

import pytest

from costcalc import InputError
from costcalc.workload.families import patterns as p
from costcalc.workload.families.fields import Fields


def windows(made: p.Windows, layers: int, **keys: Any) -> str:
    """A letter a layer: its window's first digit, or a point for none."""
    found = made(Fields(keys), layers)
    assert len(found) == layers
    return "".join("." if window is None else str(window)[0] for window in found)


@pytest.mark.parametrize(
    ("made", "layers", "keys", "seen"),
    [
        (p.everywhere(None), 3, {}, "..."),
        (p.everywhere(4096), 3, {}, "444"),
        (p.everywhere(None), 3, {"sliding_window": 512}, "555"),
        (p.everywhere(4096), 3, {"sliding_window": None}, "..."),
        # all but each second; but each second from the first; each third by a key; all
        (p.but_every(2, 4096), 5, {}, "4.4.4"),
        (p.but_every(2, 4096, first=True), 5, {}, ".4.4."),
        (p.but_every(2, 4096, key="every"), 6, {"every": 3}, "44.44."),
        (p.but_every(0, 4096), 3, {}, "444"),
        (p.gemma3_windows, 7, {}, "44444.4"),
        (p.gemma3_windows, 4, {"sliding_window_pattern": 2, "sliding_window": 512}, "5.5."),
        (p.exaone_windows, 9, {}, "444.444.4"),
        (p.flint_windows, 12, {}, "..555.555.5."),
        (p.flint_windows, 3, {"sliding_window": 64}, "..."),
        (p.flint_windows, 4, {"sliding_window": 64}, "..6."),
        (p.exaone_windows, 6, {"sliding_window_pattern": "LLG"}, "44.44."),
        (p.exaone_windows, 3, {"sliding_window_pattern": 0}, "..."),
        (p.exaone_windows, 3, {"sliding_window_pattern": 3}, "44."),
        (p.qwen_windows, 4, {"sliding_window": 512}, "...."),  # unless it is switched on
        (p.qwen_windows, 4, {"sliding_window": 512, "use_sliding_window": True,
                             "max_window_layers": 2}, "..55"),
        (p.qwen_windows, 4, {"sliding_window": 512, "use_sliding_window": True,
                             "max_window_layers": 0}, "5555"),
        (p.qwen_windows, 30, {"sliding_window": 512, "use_sliding_window": True}, "." * 28 + "55"),
        (p.qwen2_moe_windows, 6, {"sliding_window": 512, "use_sliding_window": True,
                                  "max_window_layers": 3}, "5.5..."),
        (p.smollm3_windows, 6, {"sliding_window": 512, "use_sliding_window": True}, "...5.."),
        (p.smollm3_windows, 3, {"sliding_window": 512, "use_sliding_window": True,
                                "no_rope_layers": [1, 0, 1]}, ".5."),
        (p.smollm3_windows, 4, {"sliding_window": 512, "use_sliding_window": True,
                                "no_rope_layer_interval": 2}, ".5.5"),
        (p.llama4_windows, 6, {}, "888.88"),
        (p.llama4_windows, 3, {"no_rope_layers": [0, 1, 1], "attention_chunk_size": 512}, ".55"),
        # the types of layers say it, whatever the pattern
        (p.but_every(2, 4096), 3, {"layer_types": ["full_attention", "sliding_attention",
                                                   "full_attention"]}, ".4."),
        (p.llama4_windows, 2, {"layer_types": ["full_attention", "chunked_attention"]}, ".8"),
    ],
)  # fmt: skip
def test_windows(made: p.Windows, layers: int, keys: dict[str, Any], seen: str) -> None:
    assert windows(made, layers, **keys) == seen


def test_a_list_that_is_too_short_is_told() -> None:
    fields = Fields({"no_rope_layers": [1, 0]})
    assert [window is None for window in p.llama4_windows(fields, 4)] == [False] * 3 + [True]
    with pytest.raises(InputError, match="no_rope_layers: expected 4 whole numbers; got 2"):
        fields.check()


@pytest.mark.parametrize(
    ("made", "layers", "keys", "sparse"),
    [
        (p.by_step, 4, {}, "xxxx"),
        (p.by_step, 4, {"decoder_sparse_step": 2}, ".x.x"),
        (p.by_step, 4, {"mlp_only_layers": [0, 2]}, ".x.x"),
        (lambda c, n: p.by_step(c, n, usual=(1,)), 4, {}, "x.xx"),
        (lambda c, n: p.by_step(c, n, usual=(1,)), 4, {"mlp_only_layers": []}, "xxxx"),
        (p.after(1), 3, {}, ".xx"),
        (p.after(1), 3, {"first_k_dense_replace": 2}, "..x"),
        (p.after(1, "dense"), 3, {"dense": 0}, "xxx"),
        (p.ernie_sparse, 4, {}, ".xxx"),
        (p.ernie_sparse, 5, {"moe_layer_end_index": 3, "moe_layer_start_index": 0}, "xxxx."),
        (p.ernie_sparse, 6, {"moe_layer_interval": 2}, ".x.x.x"),
        (p.interleaved, 4, {}, "xxxx"),
        (p.interleaved, 4, {"interleave_moe_layer_step": 2}, ".x.x"),
        (p.interleaved, 4, {"moe_layers": [0, 3]}, "x..x"),
    ],
)
def test_layers_of_experts(made: Any, layers: int, keys: dict[str, Any], sparse: str) -> None:
    assert "".join("x" if one else "." for one in made(Fields(keys), layers)) == sparse
