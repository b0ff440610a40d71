"""Parameter counts out of safetensors files, by their headers alone.

The format: 8 bytes little-endian give the length of a JSON header, which names each tensor with its
type and shape (https://github.com/huggingface/safetensors, "Format"; the library bounds the header
at 25 MB, as is done here).  No weights are read, and no library is needed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import NoReturn

from costcalc.base.errors import InputError, Problem

MAX_HEADER = 25_000_000
MAX_SHARDS = 10_000
FLOATS = ("F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2", "F8_E8M0")
STEMS = ("model", "diffusion_pytorch_model")
INDEX = f"{STEMS[0]}.safetensors.index.json"

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What the files of a model hold.

    ``parameters``: learnt elements, tied weights once; None where weights are packed into integers,
    which hold several each.
    """

    parameters: int | None
    notes: tuple[str, ...] = ()


def read(path: Path, at_most: int) -> bytes:
    """The first bytes of a file; an InputError where it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(at_most)
    except OSError as error:
        refuse(path, f"cannot be read: {error.strerror or type(error).__name__}")


def refuse(path: Path, message: str) -> NoReturn:
    """Raise what is wrong with a file."""
    raise InputError(Problem(key="", message=message, file=str(path))) from None


def read_header(path: Path) -> list[Tensor]:
    """The tensors that a safetensors file lists.

    Raises:
        InputError: the file cannot be read, is cut off, or its header is none.
    """
    head = read(path, 8)
    length = int.from_bytes(head, "little")
    if len(head) < 8 or not 2 <= length <= MAX_HEADER:
        refuse(path, f"expected a header of 2 to {MAX_HEADER} bytes; got {length}")
    raw = read(path, 8 + length)[8:]
    if len(raw) < length:
        refuse(path, f"ends in its header: {len(raw)} of {length} bytes are there")
    header = _json(path, raw, "a safetensors header in JSON")
    if not isinstance(header, dict):
        refuse(path, "expected a safetensors header; got no mapping")
    return [_tensor(path, name, entry) for name, entry in header.items() if name != "__metadata__"]


def _json(path: Path, raw: bytes, expected: str) -> object:
    try:
        found: object = json.loads(raw)
    except (ValueError, RecursionError):
        refuse(path, f"expected {expected}; got something else")
    return found


def _tensor(path: Path, name: str, entry: object) -> Tensor:
    dtype, shape = (entry.get("dtype"), entry.get("shape")) if isinstance(entry, dict) else (0, 0)
    sizes = tuple(shape) if isinstance(shape, list) else (None,)
    whole = all(type(n) is int and 0 <= n < 2**48 for n in sizes)
    if not isinstance(dtype, str) or not whole:
        found = str(entry)[:80]
        refuse(path, f"expected dtype and shape of the tensor {name[:80]}; got {found}")
    return Tensor(name, dtype, sizes)


def stored(path: Path, *, tied: bool = False) -> Stored | None:
    """What a safetensors file, or those of a folder, hold; None where a folder has none.

    ``tied``: the model has no output layer of its own, and a stored second copy is not counted.
    """
    files = [path] if path.is_file() else _files(path)
    if not files:
        return None
    tensors: dict[str, Tensor] = {}
    for file in files:
        for tensor in read_header(file):
            tensors.setdefault(tensor.name, tensor)
    return count(tensors.values(), tied=tied)


def count(tensors: Iterable[Tensor], *, tied: bool = False) -> Stored:
    """The learnt elements among tensors.

    >>> count([Tensor("a.weight", "BF16", (3, 4)), Tensor("rotary_emb.inv_freq", "F32", (8,))])
    Stored(parameters=12, notes=())
    """
    learnt, packed, extra = 0, False, 0
    for tensor in tensors:
        name, elements = tensor.name, prod(tensor.shape)
        mask = _MASK.search(name) and len(tensor.shape) == 4
        if mask or _BUFFERS.search(name) or (tied and name in _HEADS):
            continue
        if tensor.dtype in FLOATS:
            learnt += elements
            extra += elements if _EXTRA.search(name) else 0
        else:
            packed = packed or len(tensor.shape) > 1
    notes = []
    if packed:
        notes.append("weights are quantised and packed: their files do not tell the parameters")
    if extra:
        notes.append(f"{extra:,} of the stored parameters are layers that predict further tokens")
    return Stored(parameters=None if packed else learnt, notes=tuple(notes))


def _files(folder: Path) -> Sequence[Path]:
    """The files of one copy of the model: by its index, else model.safetensors, else the shards."""
    for name in STEMS:
        index, single = folder / f"{name}.safetensors.index.json", folder / f"{name}.safetensors"
        if index.is_file():
            return [folder / name for name in _shards(index)]
        if single.is_file():
            return [single]
    found = sorted(folder.glob("*.safetensors"))[: MAX_SHARDS + 1]
    if shards := [file for file in found if re.search(r"-\d+-of-\d+\.safetensors$", file.name)]:
        return shards
    rest = [file for file in found if not file.name.startswith(("adapter_", "consolidated"))]
    if len(rest) > 1:
        names = ", ".join(file.name for file in rest[:3])
        several = f"{len(rest)} files ({names} …)"
        refuse(folder, f"expected {INDEX} or model.safetensors; got {several}")
    return rest


def _shards(index: Path) -> Sequence[str]:
    raw = read(index, MAX_HEADER + 1)
    listed = _json(index, raw, "JSON") if len(raw) <= MAX_HEADER else None
    files = listed.get("weight_map") if isinstance(listed, dict) else None
    if not isinstance(files, dict) or not files:
        refuse(index, "expected a weight_map of tensors to files; got none")
    names = sorted({str(name) for name in files.values()})
    plain = re.compile(r"[\w][\w.-]*\.safetensors")
    bad = next((name for name in names if not plain.fullmatch(name)), None)
    if bad is not None or len(names) > MAX_SHARDS:
        refuse(index, f"expected names of safetensors files beside it; got {str(bad)[:80]}")
    missing = [name for name in names if not (index.parent / name).is_file()]
    if len(missing) == len(names):
        return []  # only the index was fetched: its bytes are no count
    if missing:
        lost = f"{len(missing)} of its {len(names)} files"
        refuse(index, f"{lost} are missing, first {missing[0]}")
    return names
