"""π0: a vision-language model that an action expert of its own width looks into.

Black et al. 2024 (arXiv:2410.24164).  A datum is one chunk of actions with what the robot sees:
images of ``CAMERAS``, an instruction of ``WORDS`` tokens, its state.  The expert's queries see the
keys of the vision-language model's layer, and their own.  Defaults: transformers 5.24.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from costcalc.workload.architecture import Architecture, Attention, Block, Operator, Stream
from costcalc.workload.families.common import beside, linear
from costcalc.workload.families.decoder import decoder
from costcalc.workload.families.fields import Fields
from costcalc.workload.families.table import DECODERS
from costcalc.workload.families.vit import tower
from costcalc.workload.families.vlm import GEMMA_2B, PAIRS

CAMERAS, WORDS = 3, 48  # of the paper's robots; no key of the configuration
EXPERT = {
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 18,
    "num_attention_heads": 8,
    "num_key_value_heads": 1,
    "head_dim": 256,
}
SIGLIP = {
    "hidden_size": 1152,
    "intermediate_size": 4304,
    "num_hidden_layers": 27,
    "num_attention_heads": 16,
    "patch_size": 14,
    "image_size": 224,
    "vision_use_head": False,
}


def pi0(c: Fields) -> Architecture:
    """π0, as its class in transformers builds it, with an embedding that the expert never reads."""
    whole = c.within("vlm_config")
    text, seen = _filled(whole, "text_config", GEMMA_2B), _filled(whole, "vision_config", SIGLIP)
    expert, vlm = _filled(c, "dit_config", EXPERT), decoder(text, "gemma", DECODERS["gemma"])
    expert.put("vocab_size", vlm.vocabulary)
    dit = decoder(expert, "gemma", DECODERS["gemma"])
    if dit.layers != vlm.layers:
        expert.problem("num_hidden_layers", f"expected the {vlm.layers} of vlm_config's text")
    patches = tower(seen, PAIRS["paligemma"].vision).patches
    apart = replace(PAIRS["paligemma"].vision, windows=lambda _, layers: [patches] * layers)
    eyes, width = tower(seen, apart), whole.integer("projection_dim", vlm.hidden)
    projector = (linear(eyes.shape.hidden, width, "other", "linear", bias=True),)
    blocks = (
        *eyes.blocks,
        beside("projector", projector, "patches"),
        *(_turned(b, "text") for b in vlm.blocks if b.name != "head"),
        *(_turned(b, "actions") for b in dit.blocks if b.name != "head"),
        *_ends(c, dit.hidden),
    )
    chunk = c.integer("chunk_size", 50)
    lengths = {"text": CAMERAS * patches + WORDS, "actions": chunk + 1, "chunk": chunk, "state": 1}
    streams = (
        *(Stream(name=name, length=length) for name, length in lengths.items()),
        *(Stream(name=name, length=CAMERAS * patches) for name in ("patches", "tokens")),
    )
    note = f"{CAMERAS} images and {WORDS} words a chunk of {chunk} actions"
    return replace(vlm, name="pi0", streams=streams, blocks=blocks, counts="sample", notes=(note,))


def _filled(c: Fields, key: str, usual: Mapping[str, object]) -> Fields:
    """A part of the configuration; what it does not say is as PI0Config has it."""
    inner = c.within(key)
    for name, value in usual.items():
        if name not in inner.config:
            inner.put(name, value)
    return inner


def _turned(block: Block, stream: str) -> Block:
    """A layer that sees its whole stream at once, and that of actions the text's beside it."""
    operators: list[Operator] = []
    for operator in block.operators:
        if isinstance(operator, Attention):
            operators.append(replace(operator, causal=False))
            if stream == "actions":
                operators.append(replace(operator, causal=False, over="text"))
        else:
            operators.append(operator)
    return replace(block, operators=tuple(operators), stream=stream)


def _ends(c: Fields, hidden: int) -> tuple[Block, ...]:
    """What brings state, actions and time in, and velocities out."""
    actions, state = c.integer("max_action_dim", 32), c.integer("max_state_dim", 32)
    into = (
        linear(actions, hidden, "other", "action_in_proj", bias=True),
        linear(2 * hidden, hidden, "other", "action_time_mlp_in", bias=True),
        linear(hidden, hidden, "other", "action_time_mlp_out", bias=True),
    )
    return (
        beside("state", (linear(state, hidden, "other", "state_proj", bias=True),), "state"),
        beside("actions in", into, "chunk"),
        beside("head", (linear(hidden, actions, "head", "action_out_proj", bias=True),), "chunk"),
    )
