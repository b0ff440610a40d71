"""Parameter counts out of safetensors files, by their headers alone.

The format: 8 bytes little-endian give the length of a JSON header, which names each tensor with its
type and shape (https://github.com/huggingface/safetensors, "Format"; the library bounds the header
at 25 MB, as is done here).  No weights are read, and no library is needed.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

from costcalc.base.errors import InputError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

MAX_HEADER = 25_000_000
MAX_SHARDS = 10_000
FLOATS = ("F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2", "F8_E8M0")
INDEX = "model.safetensors.index.json"

# Tensors that a checkpoint stores and nothing learns: masks, frequencies, running statistics,
# routing biases that are set by rule, scales of quantised weights.
_BUFFERS = re.compile(
    r"(rotary_emb\.inv_freq|\.masked_bias|position_ids|num_batches_tracked|running_mean"
    r"|running_var|e_score_correction_bias|_scale_inv|weight_scale|input_scale)$"
)
_MASK = re.compile(r"\.(attn|attention)\.bias$")  # GPT-2's triangular mask, 4 dimensions
_HEADS = ("lm_head.weight", "embed_out.weight", "proj_out.weight")
_EXTRA = re.compile(r"(^|\.)(mtp|nextn)\b|\.eh_proj\.|\.enorm\.|\.hnorm\.")


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor of a header."""

    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def count(self) -> int:
        """Elements."""
        return prod(self.shape)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What the files of a model hold.

    ``parameters``: learnt elements, tied weights once; None where weights are packed into integers,
    which hold several each.  ``by_dtype``: all elements by type, buffers included.
    """

    parameters: int | None
    by_dtype: Mapping[str, int]
    notes: tuple[str, ...] = ()


def read_header(path: Path) -> list[Tensor]:
    """The tensors that a safetensors file lists.

    Raises:
        InputError: the file cannot be read, is cut off, or its header is none.
    """
    try:
        with path.open("rb") as file:
            head = file.read(8)
            length = int.from_bytes(head, "little")
            if len(head) < 8 or not 2 <= length <= MAX_HEADER:
                raise _fault(path, f"expected a header of 2 to {MAX_HEADER} bytes; got {length}")
            raw = file.read(length)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise _fault(path, f"cannot be read: {reason}") from None
    if len(raw) < length:
        raise _fault(path, f"ends in its header: {len(raw)} of {length} bytes are there")
    try:
        header = json.loads(raw)
    except (ValueError, RecursionError):
        raise _fault(path, "expected a safetensors header in JSON; got something else") from None
    if not isinstance(header, dict):
        raise _fault(path, "expected a safetensors header; got no mapping")
    return [_tensor(path, name, entry) for name, entry in header.items() if name != "__metadata__"]


def _tensor(path: Path, name: str, entry: Any) -> Tensor:
    dtype, shape = (entry.get("dtype"), entry.get("shape")) if isinstance(entry, dict) else (0, 0)
    sizes: list[Any] = shape if isinstance(shape, list) else [None]
    if not isinstance(dtype, str) or not all(
        isinstance(n, int) and not isinstance(n, bool) and 0 <= n < 2**48 for n in sizes
    ):
        found = str(entry)[:80]
        raise _fault(path, f"expected dtype and shape of the tensor {name[:80]}; got {found}")
    return Tensor(name, dtype, tuple(sizes))


def stored(path: Path, *, tied: bool = False) -> Stored | None:
    """What a safetensors file, or those of a folder, hold; None where a folder has none.

    ``tied``: the model has no output layer of its own, and a stored second copy is not counted.
    """
    files = [path] if path.is_file() else list(_files(path))
    if not files:
        return None
    tensors: dict[str, Tensor] = {}
    for file in files:
        for tensor in read_header(file):
            tensors.setdefault(tensor.name, tensor)
    return count(tensors.values(), tied=tied)


def count(tensors: Any, *, tied: bool = False) -> Stored:
    """The learnt elements among tensors.

    >>> count([Tensor("a.weight", "BF16", (3, 4)), Tensor("rotary_emb.inv_freq", "F32", (8,))])
    Stored(parameters=12, by_dtype={'BF16': 12, 'F32': 8}, notes=())
    """
    by_dtype: dict[str, int] = {}
    learnt, packed, extra = 0, False, 0
    for tensor in tensors:
        by_dtype[tensor.dtype] = by_dtype.get(tensor.dtype, 0) + tensor.count
        mask = _MASK.search(tensor.name) and len(tensor.shape) == 4
        if mask or _BUFFERS.search(tensor.name) or (tied and tensor.name in _HEADS):
            continue
        if tensor.dtype not in FLOATS:
            packed = packed or len(tensor.shape) > 1
            continue
        learnt += tensor.count
        extra += tensor.count * bool(_EXTRA.search(tensor.name))
    notes = []
    if packed:
        notes.append("weights are quantised and packed: their files do not tell the parameters")
    if extra:
        notes.append(f"{extra:,} of the stored parameters are layers that predict further tokens")
    return Stored(parameters=None if packed else learnt, by_dtype=by_dtype, notes=tuple(notes))


def _files(folder: Path) -> Iterator[Path]:
    """The files of one copy of the model: by its index, else model.safetensors, else the shards."""
    index = folder / INDEX
    if index.is_file():
        yield from (folder / name for name in _shards(index))
        return
    single = folder / "model.safetensors"
    if single.is_file():
        yield single
        return
    found = sorted(folder.glob("*.safetensors"))[: MAX_SHARDS + 1]
    shards = [file for file in found if re.search(r"-\d+-of-\d+\.safetensors$", file.name)]
    rest = [file for file in found if not file.name.startswith(("adapter_", "consolidated"))]
    yield from shards or rest[:1] if len(rest) <= 1 or shards else _ambiguous(folder, rest)


def _ambiguous(folder: Path, files: list[Path]) -> Iterator[Path]:
    names = ", ".join(file.name for file in files[:3])
    found = f"{len(files)} files ({names} …)"
    raise _fault(folder, f"expected {INDEX} or model.safetensors; got {found}")


def _shards(index: Path) -> list[str]:
    try:
        with index.open("rb") as file:
            raw = file.read(MAX_HEADER + 1)
        listed = json.loads(raw) if len(raw) <= MAX_HEADER else None
    except OSError as error:
        raise _fault(index, f"cannot be read: {error.strerror or type(error).__name__}") from None
    except (ValueError, RecursionError):
        raise _fault(index, "expected JSON; got something else") from None
    files = listed.get("weight_map") if isinstance(listed, dict) else None
    if not isinstance(files, dict) or not files:
        raise _fault(index, "expected a weight_map of tensors to files; got none")
    names = sorted({str(name) for name in files.values()})
    plain = re.compile(r"[\w][\w.-]*\.safetensors")
    bad = next((name for name in names if not plain.fullmatch(name)), None)
    if bad is not None or len(names) > MAX_SHARDS:
        raise _fault(index, f"expected names of safetensors files beside it; got {str(bad)[:80]}")
    missing = [name for name in names if not (index.parent / name).is_file()]
    if len(missing) == len(names):
        return []  # only the index was fetched: its bytes are no count
    if missing:
        lost = f"{len(missing)} of its {len(names)} files"
        raise _fault(index, f"{lost} are missing, first {missing[0]}")
    return names


def _fault(path: Path, message: str) -> InputError:
    return InputError(Problem(key="", message=message, file=str(path)))
