"""Ways to train: what each method computes for one sequence or sample, in passes of the model.

======== ================================================== ==========================
method   FLOPs of one sequence                              learns
======== ================================================== ==========================
pretrain 3F (less the first operator's input gradient)      everything
finetune the same                                           everything
lora     F + backward without weights + 3·adapters          the adapters
frozen   F + the head's weight gradient (+ last layers)     the head (+ last layers)
distill  L + F of the teacher                               the student
dpo      L + F of the reference, on chosen and rejected     the policy
ppo      F·(generate, reference, reward, value, old         actor and critic
         log-probabilities) + (3F + 3F) an inner epoch
grpo     F·(generate, reference, old log-probabilities      the policy
         beyond one inner epoch) + L an inner epoch
======== ================================================== ==========================

F is the forward pass, L that of what learns and back: 3F, or LoRA's where it is adapters that learn
(their base without them is then the reference: no model beside it).  LoRA: Hu et al. 2021
(arXiv:2106.09685); DPO: Rafailov et al. 2023 (arXiv:2305.18290); PPO on language models: Ouyang et
al. 2022 (arXiv:2203.02155); GRPO: Shao et al. 2024 (arXiv:2402.03300); distillation: Hinton et al.
2015 (arXiv:1503.02531).  Generating with a key-value cache multiplies the same matrices as a causal
forward pass, but is bound by memory: its time is never that of its FLOPs.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from costcalc.base.errors import InputError, Problem, listing, nearest
from costcalc.workload.architecture import Architecture, Block, Linear
from costcalc.workload.counting import lengths
from costcalc.workload.work import Passes, Tally

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


def full(one: Tally) -> Passes:
    """Everything learns: 3F, less the input gradient of the first operator.

    >>> one = Tally(forward=10, attention=2, scan=0, layers=9, head=1, first=1, last=3, tokens=1)
    >>> full(one).flops, full(one).recompute(one).full
    (29, 0.3103448275862069)
    """
    return Passes(flops=one.training)


# -- adapters ------------------------------------------------------------------------------------


def targeted(operator: Linear, targets: Sequence[str]) -> bool:
    """Whether LoRA adapts a layer.

    ``all``: attention, feed-forward and experts, not the head, the router or embeddings (as PEFT's
    ``all-linear``); ``attention``, ``mlp``: that part; else names of layers.
    """
    part = "mlp" if operator.part == "expert" else operator.part
    if part in ("attention", "mlp") and ("all" in targets or part in targets):
        return True
    of_state_space = operator.part == "other" and operator.name.endswith("_proj")
    return operator.name in targets or ("all" in targets and of_state_space)


def _linears(architecture: Architecture) -> Iterator[tuple[Block, Linear]]:
    for block in architecture.blocks:
        for operator in block.operators:
            if isinstance(operator, Linear):
                yield block, operator


def _adapted(architecture: Architecture, targets: Sequence[str]) -> Iterator[tuple[Block, Linear]]:
    return (found for found in _linears(architecture) if targeted(found[1], targets))


def check_targets(architecture: Architecture, targets: Sequence[str]) -> None:
    """A problem for each target that names no layer of the model."""
    if not any(_adapted(architecture, ("all",))):
        message = (
            f"no layer of {architecture.name} takes adapters, which stand beside the matrices of "
            "attention and feed-forwards: say method: finetune or frozen"
        )
        raise InputError(Problem(key="training.lora.targets", message=message))
    names = sorted({o.name for _, o in _linears(architecture) if o.name})
    problems = []
    for target in targets:
        if any(_adapted(architecture, (target,))):
            continue
        near = nearest(target, ["all", "attention", "mlp", *names])
        hint = f"did you mean {', '.join(near)}?" if near else f"it has {listing(names)}"
        message = f"no layer {target} in {architecture.name}; {hint}"
        problems.append(Problem(key="training.lora.targets", message=message))
    if problems:
        raise InputError(problems)


def lora_parameters(architecture: Architecture, rank: int, targets: Sequence[str]) -> int:
    """r·(n_in + n_out) for each adapted matrix, each expert its own.

    >>> from costcalc.workload.families import build
    >>> llama3 = build({"model_type": "llama", "intermediate_size": 14336,
    ...                 "num_key_value_heads": 8, "vocab_size": 128256})
    >>> lora_parameters(llama3, 16, ("all",))
    41943040
    """
    return sum(
        block.repeat * operator.copies * rank * (operator.n_in + operator.n_out)
        for block, operator in _adapted(architecture, targets)
    )


def lora_parameters_guessed(parameters: float, rank: int) -> float:
    """The adapters of all matrices where only a parameter count is known.

    Of 12·h² parameters a layer, with h = 128 · layers (as :mod:`costcalc.throughput.footprint` has
    it), adapters of four square matrices and two of h × 4h take 18·r·h.

    >>> round(lora_parameters_guessed(6.74e9, 16) / 1e6)  # LLaMA 7B has 40.0 million
    39
    """
    hidden: float = (parameters * 128 / 12) ** (1 / 3)
    return 1.5 * rank * parameters / hidden


def adapter_flops(
    architecture: Architecture, rank: int, targets: Sequence[str], sizes: dict[str, int]
) -> float:
    """Forward FLOPs of the adapters on one sequence."""
    return sum(
        2
        * rank
        * (operator.n_in + operator.n_out)
        * min(operator.active, operator.copies)
        * block.repeat
        * sizes[block.stream]
        for block, operator in _adapted(architecture, targets)
    )


def lora(
    one: Tally,
    architecture: Architecture | None,
    rank: int,
    targets: Sequence[str],
    *,
    sequence_length: int | None = None,
    target_length: int | None = None,
) -> Passes:
    """LoRA on a frozen base: a token takes 4·N_m + 6·N_lora + 3·A.

    Adapters save the weight gradients of the base, a third of the FLOPs, not orders of magnitude.
    The gradient of the first layer's input counts, as PEFT computes it where activations are
    recomputed: 0.2 % of Llama-3-8B.  A quantised base multiplies as much.
    """
    base = one.forward + one.input_gradient
    if architecture is None:
        return Passes(flops=base, weights=0, head=1)
    sizes = lengths(architecture, sequence_length, target_length)
    adapters = 3 * adapter_flops(architecture, rank, targets, sizes)
    found = [
        (block.repeat * min(operator.active, operator.copies), operator.n_in + operator.n_out)
        for block, operator in _adapted(architecture, targets)
    ]
    return Passes(
        flops=base + adapters, adapters=adapters, weights=0, head=1,
        adapted=sum(number for number, _ in found),
        adapted_width=sum(number * width for number, width in found),
    )  # fmt: skip


# -- the others ----------------------------------------------------------------------------------


def head_parameters(architecture: Architecture) -> int:
    """Weights and biases of the output head, which a frozen backbone leaves to learn."""
    return sum(
        block.repeat * operator.n_out * (operator.n_in + operator.bias)
        for block, operator in _linears(architecture)
        if operator.part == "head"
    )


def frozen(one: Tally, *, last_layers: int = 0, layers: int = 0) -> Passes:
    """A frozen backbone: 2·N_m + A + 2·d·V; with the last k layers, also k·(4·N_l + 2·A_l) + 2·d·V.

    >>> one = Tally(forward=10, attention=2, scan=0, layers=8, head=2, first=0, last=3, tokens=1)
    >>> frozen(one).flops, frozen(one, last_layers=2, layers=4).flops
    (12, 22.0)
    """
    if not last_layers:
        return Passes(flops=one.forward + one.head, backward=0, weights=0, head=1)
    share = min(1.0, last_layers / layers)
    flops = one.forward + 2 * share * one.layers + 2 * one.head
    return Passes(flops=flops, backward=share, weights=share)


def distill(one: Tally, teacher: float, learns: Passes) -> Passes:
    """A student that learns from a teacher's logits; ``teacher``: its forward FLOPs."""
    return replace(learns, flops=learns.flops + teacher, forward=1 + teacher / one.forward)


def dpo(one: Tally, learns: Passes) -> Passes:
    """One sequence of a pair: policy forward and backward, reference forward.

    ``learns``: :func:`full`, or :func:`lora`, whose base without its adapters is the reference
    (TRL, DPOTrainer: ``ref_model`` None beside ``peft_config``).
    """
    return replace(learns, flops=learns.flops + one.forward, forward=2)


def ppo(one: Tally, *, inner_epochs: int = 1, reference: bool = True) -> Passes:
    """Actor, critic, reference and reward model of one size: 11 forwards at one inner epoch.

    >>> one = Tally(forward=1, attention=0, scan=0, layers=1, head=0, first=0, last=0, tokens=1)
    >>> ppo(one).flops, grpo(one, full(one)).flops
    (11.0, 5.0)
    """
    # generate, reward, value, old log-probabilities
    return _reinforced(one, full(one), 4, 2 * inner_epochs, reference=reference)


def grpo(one: Tally, learns: Passes, *, inner_epochs: int = 1, reference: bool = True) -> Passes:
    """One policy; old log-probabilities are a pass of their own beyond one inner epoch.

    The reward is taken to be a rule (a verifier), not a model; ``learns`` as of :func:`dpo`.
    """
    return _reinforced(one, learns, 1 + (inner_epochs > 1), inner_epochs, reference=reference)


def _reinforced(
    one: Tally, learns: Passes, forwards: int, trained: int, *, reference: bool
) -> Passes:
    """``forwards``: those of the policy (generating is one), and of models beside it."""
    adapters = learns.adapters / 3.0  # of a forward pass; the reference has none
    return Passes(
        flops=forwards * (one.forward + adapters)
        + reference * one.forward
        + trained * learns.flops,
        generated=one.forward + adapters,
        adapters=(forwards - 1) * adapters + trained * learns.adapters,
        adapted=learns.adapted,
        adapted_width=learns.adapted_width,
        forward=forwards + reference - 1 + trained,
        backward=trained,
        weights=trained * learns.weights,
        head=trained * learns.head,
        updates=trained,
    )
