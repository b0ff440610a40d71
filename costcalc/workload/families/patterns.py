"""How layers differ within a model: which see a window, which have experts, what norms they own.

Each is a function that a row of the table names; keys and defaults are those of the configuration
classes of transformers 5.24.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from costcalc.workload.families.common import Shape
from costcalc.workload.families.decoder import Flag
from costcalc.workload.families.fields import Fields

BIAS: Flag = ("attention_bias", False)
MLP_BIAS: Flag = ("mlp_bias", False)
FUSED = ("query_key_value", "dense")
FOUR = ("dense_h_to_4h", "dense_4h_to_h")

# -- which layers see a window -------------------------------------------------------------------

Windows = Callable[[Fields, int], Sequence[int | None]]


def by_types(
    c: Fields, window: int | None, windowed: Sequence[bool], kind: str = "sliding_attention"
) -> Sequence[int | None]:
    """The window of each layer: by ``layer_types``, else by the family's own pattern."""
    kinds = c.words("layer_types", len(windowed), ("full_attention", kind))
    chosen = windowed if kinds is None else [each == kind for each in kinds]
    return [window if each else None for each in chosen]


def everywhere(default: int | None) -> Windows:
    """A window on every layer; None: none unless ``sliding_window`` says one."""
    return lambda c, layers: [c.optional("sliding_window", default)] * layers


def but_every(number: int, default: int, *, first: bool = False, key: str = "") -> Windows:
    """On all layers but each ``number``-th (0: on all), or with ``first`` the first of so many.

    ``key`` is that of the number, where there is one.
    """

    def windows(c: Fields, layers: int) -> Sequence[int | None]:
        window = c.optional("sliding_window", default)
        every = c.integer(key, number) if key else number
        last = 0 if first else 1
        windowed = [not every or (i + last) % every != 0 for i in range(layers)]
        return by_types(c, window, windowed)

    return windows


def gemma3_windows(c: Fields, layers: int) -> Sequence[int | None]:
    """Gemma 3: on all layers but each sixth, or as the pattern says."""
    number = c.integer("sliding_window_pattern", 6, "_sliding_window_pattern")
    return but_every(number, 4096)(c, layers)


def exaone_windows(c: Fields, layers: int) -> Sequence[int | None]:
    """EXAONE 4: on all layers but each fourth, or as the pattern says ("LLLG" is four)."""
    window, said = c.optional("sliding_window", 4096), c.config.get("sliding_window_pattern")
    number = len(said) if isinstance(said, str) else c.integer("sliding_window_pattern", 4, low=0)
    return by_types(c, window, [bool(number) and (i + 1) % number != 0 for i in range(layers)])


def flint_windows(c: Fields, layers: int) -> Sequence[int | None]:
    """Flint: on all layers but the first two, each fourth from the second on, and the last."""
    window = c.optional("sliding_window", 513)
    return by_types(c, window, [1 < i < layers - 1 and i % 4 != 1 for i in range(layers)])


def switched(c: Fields) -> int | None:
    """Qwen's window: where ``use_sliding_window`` is true."""
    return c.optional("sliding_window", None) if c.flag("use_sliding_window", False) else None


def qwen_windows(c: Fields, layers: int) -> Sequence[int | None]:
    """Qwen 2 and 3: from ``max_window_layers`` on."""
    window, first = switched(c), c.integer("max_window_layers", 28, low=0)
    return by_types(c, window, [i >= first for i in range(layers)])


def qwen2_moe_windows(c: Fields, layers: int) -> Sequence[int | None]:
    """Qwen2-MoE: on every other layer before ``max_window_layers``."""
    window, most = switched(c), c.integer("max_window_layers", 28, low=0)
    return by_types(c, window, [i % 2 == 0 and i < most for i in range(layers)])


def _rotary(c: Fields, layers: int, listed: Sequence[int] | None) -> Sequence[bool]:
    """Which layers have rotary positions: as ``no_rope_layers`` lists them (1), or by interval."""
    number = c.integer("no_rope_layer_interval", 4)
    return [bool(listed[i] if listed else (i + 1) % number) for i in range(layers)]


def smollm3_windows(c: Fields, layers: int) -> Sequence[int | None]:
    """SmolLM3: on the layers without rotary positions."""
    window, listed = switched(c), c.integers("no_rope_layers", layers)
    return by_types(c, window, [not rotary for rotary in _rotary(c, layers, listed)])


def llama4_windows(c: Fields, layers: int) -> Sequence[int | None]:
    """Llama 4: chunks on the layers with rotary positions."""
    chunk, listed = c.optional("attention_chunk_size", 8192), c.integers("no_rope_layers")
    if listed and len(listed) < layers:
        c.problem("no_rope_layers", f"expected {layers} whole numbers; got {len(listed)}")
        listed = None
    return by_types(c, chunk, _rotary(c, layers, listed), "chunked_attention")


# -- which layers have experts -------------------------------------------------------------------


def by_step(c: Fields, layers: int, usual: Sequence[int] = ()) -> Sequence[bool]:
    """Qwen: on each ``decoder_sparse_step``-th layer that is not listed as dense."""
    told = c.integers("mlp_only_layers")
    dense = usual if told is None else told
    step = c.integer("decoder_sparse_step", 1)
    return [i not in dense and (i + 1) % step == 0 for i in range(layers)]


def after(
    default: int, key: str = "first_k_dense_replace"
) -> Callable[[Fields, int], Sequence[bool]]:
    """On all layers but the first ones."""

    def sparse(c: Fields, layers: int) -> Sequence[bool]:
        dense = c.integer(key, default, low=0)
        return [i >= dense for i in range(layers)]

    return sparse


def ernie_sparse(c: Fields, layers: int) -> Sequence[bool]:
    """ERNIE 4.5: from one layer to another, each so-many-th."""
    start, step = c.integer("moe_layer_start_index", 1, low=0), c.integer("moe_layer_interval", 1)
    end = c.integer("moe_layer_end_index", -1, low=-1)
    end = layers - 1 if end == -1 else end
    return [start <= i <= end and (i + 1) % step == 0 for i in range(layers)]


def interleaved(c: Fields, layers: int) -> Sequence[bool]:
    """Llama 4: on each so-many-th layer, or as listed."""
    step, listed = c.integer("interleave_moe_layer_step", 1), c.integers("moe_layers")
    return [(i + 1) % step == 0 if listed is None else i in listed for i in range(layers)]


# -- norms of query and key, sinks ---------------------------------------------------------------


def each_head(s: Shape) -> int:
    """A norm over each head of query and key."""
    return 2 * s.head_dim


def all_heads(s: Shape) -> int:
    """A norm over the whole query and the whole key."""
    return (s.heads + s.kv_heads) * s.head_dim


def vectors(number: int) -> Callable[[Shape], int]:
    """So many vectors as wide as a head."""
    return lambda s: number * s.head_dim


def sinks(s: Shape) -> int:
    """A sink a head."""
    return s.heads


def olmoe_norms(s: Shape) -> int:
    """OLMoE: norms over the whole query and key, by the width of the model."""
    return s.hidden + s.hidden // s.heads * s.kv_heads


def phi_norms(s: Shape) -> int:
    """Phi: two norms with biases over each head."""
    return 4 * (s.hidden // s.heads)  # two norms with biases


def gate_of_width(_: Fields, s: Shape) -> int:
    """A gate on each element that attention puts out."""
    return s.heads * s.head_dim
