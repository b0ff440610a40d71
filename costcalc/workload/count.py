"""FLOPs and parameters of a PyTorch module, counted while it runs on an example.

A wrapper of ``torch.utils.flop_counter.FlopCounterMode`` that closes its known gaps or refuses:

* scaled-dot-product attention on the CPU has no formula there and counts zero: it gets one here;
* so do matrix-vector products, dot and outer products, and grouped and integer matrix products;
* fused LSTM, GRU and RNN kernels and pairwise distances (``torch.cdist``) get formulas too;
* the fused kernels of ``nn.TransformerEncoderLayer`` and ``nn.MultiheadAttention`` are switched
  off while counting, so that their products are seen;
* other operators that multiply matrices without a formula (quantised and sparse products, linear
  algebra, FFT) are refused by name, and so are operators of other libraries, of which nothing is
  known.

What bypasses PyTorch's dispatcher (hand-written CUDA called through pybind) cannot be seen by
anybody.  Attention counts in full, as FlopCounterMode counts it: not halved for a causal mask.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from types import ModuleType
from typing import TYPE_CHECKING

from costcalc.base.errors import InputError, MissingExtraError, Problem

if TYPE_CHECKING:
    from torch.nn import Module
    from torch.utils._python_dispatch import TorchDispatchMode

    Formulas = Mapping[object, Callable[..., int]]
    Size = Sequence[int]

# Operators of ATen whose names say that they multiply and that no formula covers.
_WORK = re.compile(
    r"rnn|lstm|gru|linalg|fft|dist|trilinear|triangular_solve|cholesky|lu_solve|ormqr|geqrf"
    r"|mkldnn|quantized|sparse|attention|_transformer|transform_bias_rescale"
    r"|conv|mm(_|$)|matmul|mv$|dot$|_linear|^linear$|addr$|^ger$|^outer$|_int4|_int8|histogramdd"
)
# … and those which such a name catches although they only move or convert.
_LIGHT = re.compile(
    r"^(_?to_(dense|mkldnn)|_convert|convert|_thnn_fused_(lstm|gru)_cell|dist$"
    r"|linalg_(vector_norm|cross)$)"
)
_LIBRARIES = ("aten", "prim", "prims", "profiler", "debugprims", "inductor", "quantized_decomposed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """What one sample costs a module.

    ``forward_flops``: of one sample, 2 a multiply-add; ``parameters``: all, shared ones once;
    ``by_operator``: the same FLOPs by operator; ``samples``: how many the example held.
    """

    forward_flops: float
    parameters: int
    trainable_parameters: int
    samples: int
    by_operator: Mapping[str, float]


def count(
    model: Module,
    example: object,
    *,
    samples: int | None = None,
    without_products: Collection[str] = (),
) -> Count:
    """FLOPs of one sample, forward, and parameters of a ``torch.nn.Module``.

    Args:
        model: the module; it runs once, in evaluation mode and without gradients, where its
            parameters are.  Built under ``torch.device("meta")`` it costs neither memory nor time.
        example: its input: a tensor, a tuple or list of arguments, or a mapping of keywords.
            Tensors are brought to the module's device.
        samples: how many samples the example holds; default: the first size of its first tensor.
        without_products: operators of other libraries (``"torchvision::nms"``) that you know to
            multiply no matrices.

    Raises:
        MissingExtraError: PyTorch is not installed.
        InputError: an operator whose work cannot be counted, or an example without a tensor.

    Example (needs PyTorch)::

        with torch.device("meta"):
            network = torch.nn.Sequential(torch.nn.Linear(512, 2048), torch.nn.Linear(2048, 512))
        counted = costcalc.count(network, torch.zeros(8, 512))
        counted.forward_flops  # 4194304.0: 2 × 2 × 512 × 2048; model.forward_flops of a run file
    """
    try:
        import torch
        import torch.utils.flop_counter
    except ImportError:
        raise MissingExtraError("costcalc.count", "PyTorch", "torch") from None
    if not isinstance(model, torch.nn.Module):
        raise _fault("model", f"expected a torch.nn.Module; got {type(model).__name__}")
    arguments, keywords = _placed(torch, model, example)
    number = samples if samples is not None else _samples(torch, (*arguments, *keywords.values()))
    if number < 1:
        raise _fault("samples", f"expected 1 or more; got {number}")
    total, unknown = _run(torch, model, arguments, keywords, frozenset(without_products))
    if unknown:
        named = ", ".join(sorted(unknown))
        raise _fault(
            "model",
            f"expected operators with a known number of FLOPs; got {named}. Register a formula "
            "(torch.utils.flop_counter.register_flop_formula), use the plain PyTorch form of that "
            "layer, or name it in without_products if it multiplies no matrices",
        )
    return Count(
        forward_flops=sum(total.values()) / number,
        parameters=sum(p.numel() for p in model.parameters()),
        trainable_parameters=sum(p.numel() for p in model.parameters() if p.requires_grad),
        samples=number,
        by_operator={name: flops / number for name, flops in total.items()},
    )


def _fault(key: str, message: str) -> InputError:
    return InputError(Problem(key=key, message=message))


# -- the example ---------------------------------------------------------------------------------


def _placed(
    torch: ModuleType, model: Module, example: object
) -> tuple[tuple[object, ...], dict[str, object]]:
    """Arguments and keywords, tensors on the module's device."""
    weight = next(model.parameters(), None)

    def move(value: object) -> object:
        if weight is None or not isinstance(value, torch.Tensor):
            return value
        return value.to(weight.device)

    if isinstance(example, Mapping):
        return (), {str(key): move(value) for key, value in example.items()}
    given = example if isinstance(example, tuple | list) else (example,)
    return tuple(move(value) for value in given), {}


def _samples(torch: ModuleType, given: Sequence[object]) -> int:
    for value in given:
        if isinstance(value, torch.Tensor) and value.dim():
            return int(value.shape[0])
    raise _fault("example", "expected a tensor whose first size is the samples; got none")


# -- the run -------------------------------------------------------------------------------------


def _run(
    torch: ModuleType,
    model: Module,
    arguments: Sequence[object],
    keywords: Mapping[str, object],
    vouched: frozenset[str],
) -> tuple[dict[str, int], set[str]]:
    """FLOPs by operator, and the operators whose work is not known."""
    from torch.utils.flop_counter import FlopCounterMode

    unknown: set[str] = set()
    counter = FlopCounterMode(display=False, custom_mapping=_formulas(torch))
    watch = _watch(counter.flop_registry, vouched, unknown)
    # The watch stands outside, so that it sees what the counter could not decompose further.
    with _evaluating(torch, model), torch.no_grad(), watch, counter:
        model(*arguments, **keywords)
    counted = counter.get_flop_counts().get("Global", {})
    return {str(name): int(flops) for name, flops in counted.items()}, unknown


@contextmanager
def _evaluating(torch: ModuleType, model: Module) -> Iterator[None]:
    """Evaluation mode with fused kernels off; everything as it was afterwards."""
    modes = [(module, module.training) for module in model.modules()]
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    model.eval()
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)
        for module, training in modes:
            module.training = training


def _watch(formulas: Formulas, vouched: frozenset[str], unknown: set[str]) -> TorchDispatchMode:
    """A dispatch mode that notes in ``unknown`` the operators whose FLOPs nobody counts."""
    from torch.utils._python_dispatch import TorchDispatchMode

    class Watch(TorchDispatchMode):  # type: ignore[misc]
        supports_higher_order_operators = True

        def __torch_dispatch__(
            self,
            func: Callable[..., object],
            types: object,
            args: Sequence[object] = (),
            kwargs: Mapping[str, object] | None = None,
        ) -> object:
            packet = getattr(func, "_overloadpacket", func)
            name = func.name().split(".")[0] if hasattr(func, "name") else str(func)
            if packet not in formulas and name not in vouched and uncounted(name):
                unknown.add(name)
            return func(*args, **(kwargs or {}))

    return Watch()


def uncounted(name: str) -> bool:
    """Whether an operator without a formula may multiply matrices.

    >>> uncounted("aten::relu"), uncounted("aten::mkldnn_rnn_layer"), uncounted("mine::gemm")
    (False, True, True)
    """
    library, _, operator = name.rpartition("::")
    if library not in _LIBRARIES:
        return True
    return bool(_WORK.search(operator)) and not _LIGHT.match(operator)


# -- formulas that PyTorch has not ---------------------------------------------------------------


def _formulas(torch: ModuleType) -> Formulas:
    """Formulas by operator; those of operators that this PyTorch has not are left out."""
    aten = torch.ops.aten
    wanted: dict[str, Callable[..., int]] = {
        "_scaled_dot_product_flash_attention_for_cpu": attention_flops,
        "_scaled_dot_product_fused_attention_overrideable": attention_flops,
        "_scaled_dot_product_attention_math_for_mps": attention_flops,
        "mv": product_flops, "addmv": lambda _, *shapes, **k: product_flops(*shapes, **k),
        "dot": product_flops, "vdot": product_flops,
        "addr": lambda _, a, b, *__, **___: 2 * prod(a) * prod(b),
        "ger": lambda a, b, **__: 2 * prod(a) * prod(b),
        "addbmm": lambda _, a, b, *__, **___: product_flops(a, b),
        "_int_mm": product_flops, "_grouped_mm": grouped_flops,
        "mkldnn_linear_pointwise": product_flops,
        "_addmm_activation": lambda _, a, b, *__, **___: product_flops(a, b),
        "mkldnn_rnn_layer": recurrent_flops, "_cudnn_rnn": recurrent_flops,
        "miopen_rnn": recurrent_flops,
        "_cdist_forward": distance_flops, "_euclidean_dist": distance_flops,
        "_pdist_forward": lambda x, *_, **__: x[0] * (x[0] - 1) * x[1],
    }  # fmt: skip
    return {getattr(aten, name): rule for name, rule in wanted.items() if hasattr(aten, name)}


def product_flops(a: Size, b: Size, *_: object, **__: object) -> int:
    """2·M·K·N of a product: every element of ``a`` meets each column of ``b``.

    >>> product_flops((4, 3), (3,)), product_flops((4, 3), (3, 5))
    (24, 120)
    """
    return int(2 * prod(a) * (b[-1] if len(b) > 1 else 1))


def grouped_flops(a: Size, b: Size, *_: object, **__: object) -> int:
    """2·M·K·N of a grouped product: each row of ``a`` meets the matrix of its own group.

    >>> grouped_flops((6, 3), (2, 3, 5))     # 6 rows, 2 groups of 3 x 5
    180
    """
    if len(a) == 2 and len(b) == 2:
        raise _fault("model", "expected groups of rows in a grouped product; got groups of columns")
    return int(2 * prod(a) * b[-1])


def attention_flops(query: Size, key: Size, value: Size, *_: object, **__: object) -> int:
    """2·b·h·q·k·(e_qk + e_v): scores and weighted sum, in full.

    >>> attention_flops((1, 2, 4, 8), (1, 2, 6, 8), (1, 2, 6, 16))   # 2·2·4·6·(8 + 16)
    2304
    """
    *batch, queries, width = query
    return int(2 * prod(batch) * queries * key[-2] * (width + value[-1]))


def recurrent_flops(given: Size, *weights: object, **_: object) -> int:
    """Every step of a sequence meets each matrix once: 2·steps·batch·Σ of their elements.

    Of the kernels' arguments, the matrices are the leading ones (CPU) or stand in a list (CUDA).

    >>> recurrent_flops((10, 1, 16), (128, 16), (128, 32), (128,), (128,))   # LSTM of 16 to 32
    122880
    """
    shapes = weights[0] if isinstance(weights[0], list) else weights
    matrices = 0
    for shape in shapes:
        if isinstance(shape, Sequence) and len(shape) == 2:
            matrices += prod(shape)
        elif not isinstance(weights[0], list):
            break  # biases and states follow
    return int(2 * prod(given[:-1]) * matrices)


def distance_flops(a: Size, b: Size, *_: object, **__: object) -> int:
    """Distances of all pairs: 2 FLOP a pair and dimension, as by a product of matrices.

    >>> distance_flops((1, 40, 5), (1, 40, 5))
    16000
    """
    return int(2 * prod(a) * b[-2])
