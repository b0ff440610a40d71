"""What each method computes, from a tally whose parts are round numbers, and what adapters add."""

from __future__ import annotations

import pytest

from costcalc import InputError
from costcalc.workload import methods
from costcalc.workload.counting import Tally
from costcalc.workload.families import build

ONE = Tally(forward=100, attention=10, scan=4, layers=80, head=20, first=3, last=7, tokens=2)
FULL = 3 * 100 - 3  # no input gradient of the first operator


@pytest.mark.parametrize(("passes", "flops", "backward", "generated"), [
    (methods.full(ONE), FULL, 1, 0),
    # forward; backward without weights: linears once, attention and scans twice
    (methods.lora(ONE, None, 16, ("all",)), 100 + (100 - 3 + 10 + 4), 1, 0),
    (methods.frozen(ONE), 100 + 20, 0, 0),
    (methods.frozen(ONE, last_layers=1, layers=4), 100 + 2 * 80 / 4 + 2 * 20, 1 / 4, 0),
    (methods.frozen(ONE, last_layers=9, layers=4), 100 + 2 * 80 + 2 * 20, 1, 0),
    (methods.distill(ONE, 50, methods.full(ONE)), FULL + 50, 1, 0),
    (methods.dpo(ONE, methods.full(ONE)), FULL + 100, 1, 0),
    # generate, reference, reward, value, old log-probabilities; actor and critic
    (methods.ppo(ONE), 5 * 100 + 2 * FULL, 2, 100),
    (methods.ppo(ONE, reference=False), 4 * 100 + 2 * FULL, 2, 100),
    (methods.ppo(ONE, inner_epochs=3), 5 * 100 + 2 * 3 * FULL, 6, 100),
    (methods.grpo(ONE, methods.full(ONE)), 2 * 100 + FULL, 1, 100),
    (methods.grpo(ONE, methods.full(ONE), reference=False), 100 + FULL, 1, 100),
    (methods.grpo(ONE, methods.full(ONE), inner_epochs=2), 3 * 100 + 2 * FULL, 2, 100),
])  # fmt: skip
def test_passes(passes, flops, backward, generated):
    assert (passes.flops, passes.backward, passes.generated) == (flops, backward, generated)
    share = passes.recompute(ONE)
    assert (share.none, share.selective, share.full) == (
        0, backward * 10 / flops, backward * 80 / flops,
    )  # fmt: skip


#: LoRA on ONE: forward, input gradients (111), and adapters of 30, 10 of them forward
ADAPTERS = methods.Passes(flops=211 + 30, adapters=30, weights=0, head=1, adapted=5,
                          adapted_width=7)  # fmt: skip


@pytest.mark.parametrize(("passes", "flops", "forward", "adapters", "generated", "trained"), [
    # the base without its adapters is the reference: 100
    (methods.dpo(ONE, ADAPTERS), 241 + 100, 2, 30, 0, 1),
    (methods.distill(ONE, 50, ADAPTERS), 241 + 50, 1.5, 30, 0, 1),
    # generating goes through the adapters, 100 + 10; the reference does not
    (methods.grpo(ONE, ADAPTERS), 110 + 100 + 241, 2, 30, 110, 1),
    (methods.grpo(ONE, ADAPTERS, reference=False), 110 + 241, 1, 30, 110, 1),
    # two epochs: old log-probabilities once, 110, and what learns twice
    (methods.grpo(ONE, ADAPTERS, inner_epochs=2), 2 * 110 + 100 + 2 * 241, 4, 10 + 60, 110, 2),
])  # fmt: skip
def test_adapters_that_learn_by_other_methods(passes, flops, forward, adapters, generated, trained):
    assert (passes.flops, passes.forward, passes.adapters) == (flops, forward, adapters)
    assert (passes.generated, passes.backward) == (generated, trained)
    # no gradients of weights, and of the head's input alone
    assert (passes.weights, passes.head) == (0, trained)
    assert (passes.adapted, passes.adapted_width) == (5, 7)


def test_nothing_computed_is_nothing_recomputed():
    assert methods.Passes(flops=0).recompute(ONE).full == 0


MIXTRAL = build({"model_type": "mixtral", "num_hidden_layers": 2, "vocab_size": 10})
ATTENTION = 2 * (2 * (4096 + 4096) + 2 * (4096 + 1024))
EXPERTS = 2 * 3 * (4096 + 14336)


@pytest.mark.parametrize(("targets", "attention", "experts"), [
    (("all",), 1, 1), (("attention",), 1, 0), (("mlp",), 0, 1), (("attention", "mlp"), 1, 1),
    (("q_proj", "k_proj", "v_proj", "o_proj"), 1, 0), (("gate_proj", "up_proj", "down_proj"), 0, 1),
    (("other",), 0, 0),
])  # fmt: skip
def test_adapters_of_a_mixture(targets, attention, experts):
    """Each of 8 experts has its own; a token passes those of 2: 2·r·(n_in + n_out) each."""
    rank, length = 4, 3
    stored = rank * (attention * ATTENTION + experts * 8 * EXPERTS)
    assert methods.lora_parameters(MIXTRAL, rank, targets) == stored
    flops = 2 * rank * (attention * ATTENTION + experts * 2 * EXPERTS) * length
    assert methods.adapter_flops(MIXTRAL, rank, targets, {"text": length}) == flops
    lora = methods.lora(ONE, MIXTRAL, rank, targets, sequence_length=length)
    assert lora.flops == 100 + (100 - 3 + 10 + 4) + 3 * flops
    assert lora.adapters == 3 * flops
    # those of two experts run: 2 layers of 4 projections, and of 2 · 3 matrices
    assert lora.adapted == 2 * (4 * attention + 2 * 3 * experts)
    assert lora.adapted_width == attention * ATTENTION + experts * 2 * EXPERTS


def test_adapters_of_a_state_space_model_and_of_two_streams():
    mamba = build({"model_type": "mamba", "num_hidden_layers": 1})
    into, x, dt, out = 768 + 3072, 1536 + 80, 48 + 1536, 1536 + 768
    assert methods.lora_parameters(mamba, 1, ("all",)) == into + x + dt + out
    assert methods.lora_parameters(mamba, 1, ("attention", "mlp")) == 0
    t5 = build({"model_type": "t5", "num_layers": 1})
    sizes = {"source": 7, "target": 2}
    # v of the encoder and of the cross attention over the source, v of the decoder's own
    expected = 2 * (512 + 512) * (7 + 7 + 2)
    assert methods.adapter_flops(t5, 1, ("v",), sizes) == expected


@pytest.mark.parametrize("target", ["all", "attention", "mlp", "q_proj", "router", "lm_head"])
def test_targets_that_a_mixture_has(target):
    methods.check_targets(MIXTRAL, (target,))


def test_targets_that_it_has_not():
    with pytest.raises(InputError) as caught:
        methods.check_targets(MIXTRAL, ("q_proj", "qproj", "zzz"))
    assert [problem.message for problem in caught.value.problems] == [
        "no layer qproj in mixtral; did you mean q_proj, k_proj, o_proj?",
        "no layer zzz in mixtral; it has down_proj, gate_proj, k_proj, lm_head, o_proj, q_proj, "
        "router, up_proj, v_proj",
    ]  # fmt: skip


def test_a_head_has_its_bias():
    assert methods.head_parameters(build({"model_type": "bert"})) == 768 * 30522 + 30522
    assert methods.head_parameters(MIXTRAL) == 4096 * 10
