"""Modules that train whole beside an adapter, by hand."""

from costcalc.workload.adapter import adapter
from costcalc.workload.data import WorkloadInput
from costcalc.workload.families import build
from costcalc.workload.stage import workload

# 1 layer of width 8 over 10 words, 4 heads of 2, untied
MODEL = build({
    "model_type": "llama", "vocab_size": 10, "hidden_size": 8, "intermediate_size": 12,
    "num_hidden_layers": 1, "num_attention_heads": 4, "num_key_value_heads": 4,
})  # fmt: skip
WORDS = 10 * 8
ADAPTERS = 2 * (8 + 8)  # q_proj alone, of rank 2


def _work(*saved, model=MODEL, method="lora"):
    return workload(
        WorkloadInput(
            architecture=model, method=method, adapters=True, tokens=1e6, sequence_length=16,
            lora_rank=2, lora_targets=("q_proj",), lora_saved=saved,
        )
    )  # fmt: skip


def _said(work):
    return [note for note in work.notes if "modules_to_save" in note]


def test_the_embedding_and_the_head_learn_beside_the_adapters():
    bare, whole = _work(), _work("embed_tokens", "lm_head")
    assert bare.trainable_parameters == ADAPTERS
    assert whole.trainable_parameters == ADAPTERS + 2 * WORDS
    # the head's weights get their gradient, 2 FLOP a weight and token; words are looked up
    assert whole.flops_per_datum - bare.flops_per_datum == 2 * WORDS
    assert (bare.passes.head, whole.passes.head) == (1, 2)
    assert not _said(bare)
    assert _said(whole) == [
        "modules_to_save of the adapter train whole (embed_tokens, lm_head): 160 parameters, "
        "5 times the adapters"
    ]


def test_a_tied_head_is_copied_so_it_counts_for_itself():
    tied = build({
        "model_type": "llama", "vocab_size": 10, "hidden_size": 8, "intermediate_size": 12,
        "num_hidden_layers": 1, "num_attention_heads": 4, "num_key_value_heads": 4,
        "tie_word_embeddings": True,
    })  # fmt: skip
    assert _work("lm_head", model=tied).trainable_parameters == ADAPTERS + WORDS


def test_a_matrix_of_a_layer_takes_the_gradient_of_its_weights():
    bare, whole = _work(), _work("down_proj")  # 12 x 8
    assert whole.trainable_parameters == ADAPTERS + 96
    assert whole.flops_per_datum - bare.flops_per_datum == 2 * 96
    assert whole.passes.head == 1


def test_the_embedding_alone_costs_no_flop():
    assert _work("embed_tokens").flops_per_datum == _work().flops_per_datum


def test_a_module_that_the_model_has_not_is_told():
    assert _said(_work("classifier", "score")) == [
        "modules_to_save of the adapter is not read: classifier, score: no layer of llama"
    ]


def test_they_are_read_of_the_adapters_own_file():
    told = {"peft_type": "LORA", "r": 8, "target_modules": ["q_proj"]}
    saved = ["base_model.model.lm_head", "embed_tokens", "lm_head"]
    assert adapter({**told, "modules_to_save": saved}, "x").saved == ("lm_head", "embed_tokens")
    assert adapter({**told, "modules_to_save": None}, "x").saved == ()


def test_adapters_in_one_layer_of_four_are_a_quarter_of_them():
    four = build({
        "model_type": "llama", "vocab_size": 10, "hidden_size": 8, "intermediate_size": 12,
        "num_hidden_layers": 4, "num_attention_heads": 4, "num_key_value_heads": 4,
    })  # fmt: skip
    every, one = (
        workload(
            WorkloadInput(
                architecture=four, method="lora", adapters=True, tokens=1e6, sequence_length=16,
                lora_rank=2, lora_targets=("q_proj",), lora_layers=number,
            )
        )
        for number in (None, 1)
    )  # fmt: skip
    assert every.trainable_parameters == 4 * ADAPTERS
    assert one.trainable_parameters == ADAPTERS
    # an adapter's weight takes 6 FLOP a token, in three layers no more
    assert every.flops_per_datum - one.flops_per_datum == 3 * 6 * ADAPTERS
    assert (every.passes.adapted, one.passes.adapted) == (4, 1)
    assert one.passes.adapted_width == 16  # 8 in, 8 out
