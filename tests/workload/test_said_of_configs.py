"""What a configuration contradicts itself in, or adds, is told; other spellings are not."""

from costcalc.workload.counting import parameters
from costcalc.workload.families import build

SMALL = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
         "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 1000}  # fmt: skip
VISION = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1,
          "num_attention_heads": 2, "image_size": 28, "patch_size": 14}  # fmt: skip
HEAD = 1000 * 64


def _seen(family, vision=VISION, text="llama", *, whole=None, inner=None):
    said = {} if whole is None else {"tie_word_embeddings": whole}
    within = {} if inner is None else {"tie_word_embeddings": inner}
    return build({"model_type": family, "vision_config": vision, **said,
                  "text_config": {"model_type": text, **SMALL, **within}})  # fmt: skip


def _contradicting(model):
    return [note for note in model.notes if "tie_word_embeddings" in note]


def test_a_text_model_that_is_untied_in_a_whole_that_ties_is_told():
    told = _seen("mistral3", inner=False)  # Mistral3Config: tie_word_embeddings True
    assert _contradicting(told) == [
        "text_config.tie_word_embeddings: false is not what its class has it: counted tied, as "
        "transformers does; the weights may be otherwise"
    ]
    untied = _seen("mistral3", whole=False, inner=False)
    assert parameters(untied) == parameters(told) + HEAD
    assert not _contradicting(untied)
    assert not _contradicting(_seen("mistral3"))


def test_a_whole_that_says_it_wins_over_its_text_model():
    told = _seen("idefics3", whole=False, inner=True)
    assert parameters(told) == parameters(_seen("idefics3", whole=False))
    assert _contradicting(told) == [
        "text_config.tie_word_embeddings: true is not what the whole says: counted untied, as "
        "transformers does; the weights may be otherwise"
    ]


def test_classes_that_take_the_tying_of_their_text_model_are_tied_by_it():
    told = _seen("llava", inner=True)  # LlavaConfig: forwarded where its own is false
    assert parameters(told) == parameters(_seen("llava")) - HEAD
    assert not _contradicting(told)


def test_the_same_words_in_another_order_are_the_same_class():
    config = {"model_type": "hunyuan_v1_dense", **SMALL}
    mine = build({**config, "architectures": ["HunYuanDenseV1ForCausalLM"]})
    assert not [note for note in mine.notes if "no class of" in note]
    other = build({**config, "architectures": ["HunYuanMoEV1ForCausalLM"]})
    assert [note for note in other.notes if "no class of" in note]


def test_one_head_that_drafts_is_told_as_four_are():
    drafts = build({"model_type": "llama", **SMALL, "medusa_num_heads": 1, "medusa_num_layers": 1})
    assert drafts.notes == (
        "not read, and may change the model: medusa_num_heads, medusa_num_layers",
    )
