"""FLOPs of small models equal what FlopCounterMode counts when transformers runs them."""

from __future__ import annotations

import random

import pytest

from costcalc.workload import methods
from costcalc.workload.count import count
from costcalc.workload.counting import recompute_flops, tally
from costcalc.workload.families import build

pytestmark = [pytest.mark.frameworks, pytest.mark.filterwarnings("ignore")]
torch = pytest.importorskip("torch", reason="needs torch: pip install costcalc[frameworks]")
transformers = pytest.importorskip(
    "transformers", reason="needs transformers: pip install costcalc[frameworks]"
)
import test_against_transformers as helpers  # noqa: E402

LENGTH = 12
TEXT = [
    "llama", "mistral", "granite", "smollm3", "olmo", "olmo2", "cohere", "stablelm", "starcoder2",
    "qwen2", "qwen3", "gemma", "phi", "phi3", "gpt2", "gptj", "gpt_neox", "opt",
    "bloom", "falcon", "mpt", "bert", "roberta", "distilbert",
    "mixtral", "qwen3_moe", "olmoe", "deepseek_v2", "deepseek_v3",
]  # fmt: skip


def module(config, attention="eager"):
    keys = {key: value for key, value in config.items() if key != "model_type"}
    made = transformers.AutoConfig.for_model(config["model_type"], **keys)
    head = helpers.HEADS.get(config["model_type"], "AutoModelForCausalLM")
    return getattr(transformers, head).from_config(made, attn_implementation=attention)


def tokens(length=LENGTH, batch=1):
    return torch.ones(batch, length, dtype=torch.long)


@pytest.mark.parametrize("family", TEXT)
def test_text_models(family):
    config = helpers.randomised(family, random.Random(f"flops {family}"))
    if "sliding_window" in config:
        config["sliding_window"] = None  # the plain kernel multiplies beyond the window
    for key in ("intermediate_size", "moe_intermediate_size"):
        if key in config:
            config[key] = 32  # grouped products want rows of 16 bytes
    counted = count(module(config), {"input_ids": tokens()})
    one = tally(build(config), sequence_length=LENGTH, convention="full")
    assert one.forward == counted.forward_flops


def test_attention_on_the_cpu_counts_as_much_fused_as_plain():
    config = helpers.randomised("llama", random.Random("sdpa"))
    plain = count(module(config), {"input_ids": tokens()})
    fused = count(module(config, "sdpa"), {"input_ids": tokens()})
    assert fused.forward_flops == plain.forward_flops


def test_an_encoder_decoder():
    config = helpers.randomised("t5", random.Random("flops t5"))
    example = {"input_ids": tokens(20), "decoder_input_ids": tokens(7)}
    counted = count(module(config), example)
    one = tally(build(config), sequence_length=20, target_length=7, convention="full")
    assert one.forward == counted.forward_flops


def test_vision():
    for family in ("vit", "resnet"):
        config = helpers.randomised(family, random.Random(f"flops {family}"))
        side, channels = config.get("image_size", 224), config.get("num_channels", 3)
        counted = count(
            module(config, "eager"), {"pixel_values": torch.zeros(2, channels, side, side)}
        )
        assert tally(build(config)).forward == counted.forward_flops


def test_whisper():
    config = helpers.randomised("whisper", random.Random("flops whisper"))
    frames = torch.zeros(1, config["num_mel_bins"], 2 * config["max_source_positions"])
    counted = count(module(config), {"input_features": frames, "decoder_input_ids": tokens(9)})
    one = tally(build(config), target_length=9, convention="full")
    assert one.forward == counted.forward_flops


# -- training ------------------------------------------------------------------------------------

SMALL = {
    "model_type": "llama",
    "vocab_size": 64,
    "hidden_size": 48,
    "intermediate_size": 80,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}


def measured(made, example, before=lambda made: None):
    """FLOPs of forward and backward of a loss over all logits."""
    from torch.utils.flop_counter import FlopCounterMode

    before(made)
    with FlopCounterMode(display=False) as counter:
        made(**example).logits.float().sum().backward()
    return counter.get_total_flops()


def freeze(made):
    for parameter in made.parameters():
        parameter.requires_grad = False


def test_training_is_three_forwards():
    one = tally(build(SMALL), sequence_length=LENGTH, convention="full")
    assert measured(module(SMALL), {"input_ids": tokens()}) == methods.full(one).flops


def test_a_patch_embedding_has_no_input_gradient():
    config = helpers.randomised("vit", random.Random("training vit"))
    pixels = torch.zeros(1, config["num_channels"], config["image_size"], config["image_size"])
    one = tally(build(config))
    assert measured(module(config), {"pixel_values": pixels}) == one.training


def test_a_frozen_backbone():
    def before(made):
        freeze(made)
        made.lm_head.weight.requires_grad = True

    one = tally(build(SMALL), sequence_length=LENGTH, convention="full")
    assert measured(module(SMALL), {"input_ids": tokens()}, before) == methods.frozen(one).flops


def test_the_last_layer_and_the_head():
    def before(made):
        freeze(made)
        for part in (made.lm_head, made.model.layers[-1]):
            for parameter in part.parameters():
                parameter.requires_grad = True

    one = tally(build(SMALL), sequence_length=LENGTH, convention="full")
    expected = methods.frozen(one, last_layers=1, layers=3).flops
    assert measured(module(SMALL), {"input_ids": tokens()}, before) == expected


class Adapted(torch.nn.Module):
    """LoRA on one linear layer."""

    def __init__(self, base, rank):
        super().__init__()
        self.base = base
        self.a = torch.nn.Linear(base.in_features, rank, bias=False)
        self.b = torch.nn.Linear(rank, base.out_features, bias=False)

    def forward(self, x):
        return self.base(x) + self.b(self.a(x))


@pytest.mark.parametrize("targets", [("all",), ("attention",)])
@pytest.mark.parametrize("inputs", [True, False])
def test_lora(targets, inputs):
    """With the input gradient that checkpointing needs, and without."""
    rank = 4

    def before(made):
        freeze(made)
        for layer in made.model.layers:
            for part in (layer.self_attn, layer.mlp)[: 2 if targets == ("all",) else 1]:
                for name, child in list(part.named_children()):
                    if isinstance(child, torch.nn.Linear):
                        setattr(part, name, Adapted(child, rank))
        if inputs:
            made.enable_input_require_grads()

    architecture = build(SMALL)
    one = tally(architecture, sequence_length=LENGTH, convention="full")
    expected = methods.lora(one, architecture, rank, targets, sequence_length=LENGTH).flops
    if not inputs:  # of the first layer's q, k, v and of their adapters
        outputs = (4 + 2 + 2) * 12  # heads and key-value heads of 48 / 4 each
        expected -= 2 * (48 * outputs + 3 * rank * 48) * LENGTH
    assert measured(module(SMALL), {"input_ids": tokens()}, before) == expected


def test_full_recompute_stops_early_in_pytorch():
    def before(made):
        made.train()
        made.gradient_checkpointing_enable({"use_reentrant": False})

    one = tally(build(SMALL), sequence_length=LENGTH, convention="full")
    expected = one.training + recompute_flops(one, "full", early_stop=True)
    assert measured(module(SMALL), {"input_ids": tokens()}, before) == expected


def test_distillation():
    """3 forwards of the student, one of the teacher, and their product with the loss."""
    teacher = {**SMALL, "num_hidden_layers": 5}
    small, large = (
        tally(build(c), sequence_length=LENGTH, convention="full") for c in (SMALL, teacher)
    )
    alone = measured(module(SMALL), {"input_ids": tokens()})
    logits = count(module(teacher), {"input_ids": tokens()}).forward_flops
    assert methods.distill(small, large.forward, methods.full(small)).flops == alone + logits
