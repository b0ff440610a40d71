"""Where the parameters of an operator lie, and what a layer keeps for its backward pass."""

from __future__ import annotations

from collections.abc import Iterator

from costcalc.workload.architecture import Attention, Block, Convolution, Linear, Operator, Weights


def copy_parameters(operator: Operator) -> int:
    """Parameters of one copy of an operator, whether or not another one stores them."""
    match operator:
        case Linear():
            return operator.n_out * (operator.n_in + operator.bias)
        case Convolution():
            per_output = operator.c_in // operator.groups * operator.kernel + operator.bias
            return operator.c_out * per_output
        case Weights():
            return operator.count
        case _:
            return 0


def places(block: Block, operator: Operator) -> Iterator[tuple[str, float]]:
    """The parameters of an operator, by the sum that they belong to."""
    size = copy_parameters(operator)
    where = "stored_dense" if block.layer else "stored_head"
    if isinstance(operator, Linear):
        size *= operator.copies
        if operator.tied:  # but for its bias
            size = operator.bias * operator.n_out * operator.copies
            yield "stored_tied", operator.n_in * operator.n_out * operator.copies
        elif operator.copies > operator.active and block.layer:
            where = "stored_experts"
    elif not block.layer and (
        isinstance(operator, Convolution) or getattr(operator, "part", "") == "embedding"
    ):
        where = "stored_embedding"
    yield where, size


def kept(block: Block, hidden: int, sizes: dict[str, int]) -> dict[str, float]:
    """Elements that one layer keeps of one sample for its backward pass.

    Every linear operator keeps its input, every non-linearity its own; for the blocks of GPT-3
    that is the 34·s·b·h bytes a layer of Korthikanti et al. 2022 (arXiv:2205.05198, equation 1)
    less their two dropout masks.
    """
    here = sizes[block.stream]
    whole, split, scores = 0.0, 0.0, 0.0
    linears = [op for op in block.operators if isinstance(op, Linear)]
    for place, op in enumerate(linears):
        before = linears[place - 1] if place else None
        after = linears[place + 1] if place + 1 < len(linears) else None
        starts = before is None or _group(before) != _group(op)
        ends = after is None or _group(after) != _group(op)
        if starts and op.part != "router":
            whole += hidden * here  # the block's input, which its norm keeps
        if starts or ends or before is None or before.n_in != op.n_in:  # q, k, v share theirs
            own = op.n_in * op.active * here
            whole, split = (
                (whole + own, split) if starts and op.active <= 1 else (whole, split + own)
            )
        if not ends or op.copies > op.active:
            split += op.n_out * op.active * here
    for other in block.operators:
        if isinstance(other, Attention):
            keys = sizes[other.over or block.stream]
            scores += other.heads * here * min(keys, other.window or keys)
        elif isinstance(other, Convolution):
            split += (other.c_in + other.c_out) * other.positions * here
    return {
        "kept_whole": whole,
        "kept_split": split,
        "kept_scores": scores,
        "kept_stream": hidden * here,
    }


def _group(operator: Linear) -> str:
    return "mlp" if operator.part == "expert" else operator.part
