"""A Hugging Face model on disk: ``config.json`` to an architecture, safetensors to exact counts."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from costcalc.base.errors import InputError, Problem
from costcalc.workload.adapter import FILE, Adapter, adapter, base_precision, folder_of
from costcalc.workload.architecture import Architecture, Linear
from costcalc.workload.counting import parameters
from costcalc.workload.families import build
from costcalc.workload.safetensors import read, refuse, stored

MAX_BYTES = 4_000_000
MAX_DEPTH = 100
PIPELINE = "model_index.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A model read from disk.

    ``parameters`` is what its weight files hold, if they are there and tell it, else what the
    architecture comes to (``basis``); ``notes`` say where the two differ, beside what the
    architecture's own say.
    """

    architecture: Architecture
    parameters: int
    basis: Literal["weights", "config"]
    base_precision: str | None = None  # what its weights are quantised to
    notes: tuple[str, ...] = ()


def load(path: str | Path, *, head: str | None = None, labels: int | None = None) -> Checkpoint:
    """The model of a ``config.json``, or of the folder that holds it; ``head`` as in ``build``.

    Raises:
        InputError: with file and line, for whatever is wrong with the file.
    """
    path = Path(path)
    folder = path if path.is_dir() else None
    if folder is not None:
        path = folder / "config.json"
        if not path.is_file() and (folder / PIPELINE).is_file():
            return _pipeline(folder)
        if not path.is_file() and (folder / FILE).is_file():
            refuse(folder, "holds an adapter only; its base is another folder")
    return load_text(_text(path), str(path), folder, head=head, labels=labels)


def load_text(
    text: str,
    name: str = "model.config",
    folder: Path | None = None,
    *,
    head: str | None = None,
    labels: int | None = None,
) -> Checkpoint:
    """The model that a ``config.json`` says; ``folder`` is where its weights may lie.

    Raises:
        InputError: with the line of ``name``, for whatever is wrong with the text.
    """
    config = parse(text, name)
    try:
        architecture = build(config, head=head, labels=labels)
    except InputError as error:
        raise InputError(_placed(problem, text, name) for problem in error.problems) from None
    architecture = replace(architecture, name=_name(config, architecture.name))
    built = parameters(architecture)
    found = stored(folder, tied=_tied(architecture)) if folder is not None else None
    precision, told = base_precision(config)
    notes = told + (found.notes if found is not None else ())
    if found is None or found.parameters is None:
        return Checkpoint(
            architecture=architecture,
            parameters=built,
            basis="config",
            base_precision=precision,
            notes=notes,
        )
    if found.parameters != built:
        hold = f"the weight files hold {found.parameters:,} parameters"
        notes += (f"{hold}, its configuration comes to {built:,}; the files win",)
    return Checkpoint(
        architecture=architecture,
        parameters=found.parameters,
        basis="weights",
        base_precision=precision,
        notes=notes,
    )


def carried(
    path: Path, checkpoint: Checkpoint | None, *, head: str | None, labels: int | None
) -> tuple[Mapping[str, object] | None, dict[str, str]]:
    """What stands in the config.json, where it alone says the model; else the file's digest."""
    file = path / "config.json" if path.is_dir() else path
    if not file.is_file():
        return None, _of_pipeline(path)
    text = _text(file)
    if load_text(text, str(file), head=head, labels=labels) == checkpoint:
        return parse(text, str(file)), {}
    return None, digests(file)


def digests(*files: Path) -> dict[str, str]:
    """The digest of each file's text, as the data of a report list it."""
    texts = {str(file): _text(file) for file in files}
    return {
        name: f"sha256:{hashlib.sha256(text.encode()).hexdigest()}" for name, text in texts.items()
    }


def _of_pipeline(folder: Path) -> dict[str, str]:
    """What a pipeline of diffusers is known by: its index, and the shape of what is trained."""
    part = _denoiser(folder)
    return digests(folder / PIPELINE, folder / str(part) / "config.json")


def _denoiser(folder: Path) -> str | None:
    index = parse(_text(folder / PIPELINE), str(folder / PIPELINE))
    return next((name for name in ("transformer", "unet") if name in index), None)


def _pipeline(folder: Path) -> Checkpoint:
    """The part of a pipeline of diffusers that is trained: its denoiser."""
    part = _denoiser(folder)
    if part is None or not (folder / part / "config.json").is_file():
        wanted = part or "transformer or unet"
        refuse(folder, f"expected {wanted}/config.json of this pipeline of diffusers; got none")
    found = load(folder / part)
    note = f"of the pipeline, its {part} is trained; all else is frozen and not counted"
    return replace(found, notes=(note, *found.notes))


def load_adapter(path: str | Path) -> Adapter | None:
    """The adapter of a folder (or of an ``adapter_config.json``), None where it has none."""
    file = folder_of(Path(path))
    return None if file is None else adapter(parse(_text(file), str(file)), str(file))


def parse(text: str, name: str) -> Mapping[str, object]:
    """The mapping in a JSON text; every fault with its line.

    >>> parse('{"a": 1}', "config.json")
    {'a': 1}
    >>> parse('{"a": ', "config.json")
    Traceback (most recent call last):
    costcalc.base.errors.InputError: config.json:1:7: expected JSON: Expecting value
    1 problem in config.json
    """
    if _depth(text) > MAX_DEPTH:
        refuse(Path(name), f"nested deeper than {MAX_DEPTH}")
    try:
        data = json.loads(text, object_pairs_hook=_once)
    except json.JSONDecodeError as error:
        problem = Problem(key="", message=f"expected JSON: {error.msg}")
        raise InputError(problem.at(name, error.lineno, error.colno)) from None
    except _DuplicateError as error:
        twice = Problem(key=str(error), message="the key stands twice")
        raise InputError(_placed(twice, text, name)) from None
    except ValueError:  # a number of thousands of digits
        refuse(Path(name), "holds a number too long to read")
    if not isinstance(data, dict):
        problem = Problem(key="", message="expected a mapping of keys, as in a config.json")
        raise InputError(problem.at(name, 1, 1))
    return data


class _DuplicateError(Exception):
    """A key that stands twice in one mapping."""


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    made: dict[str, object] = {}
    for key, value in pairs:
        if key in made:
            raise _DuplicateError(key)
        made[key] = value
    return made


def _depth(text: str) -> int:
    """The deepest nesting, brackets within strings left out."""
    deepest = depth = 0
    for mark in re.findall(r'"(?:[^"\\]|\\.)*+"|[\[\]{}]', text):
        if mark in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif mark in "]}":
            depth -= 1
    return deepest


def _text(path: Path) -> str:
    raw = read(path, MAX_BYTES + 1)
    if len(raw) > MAX_BYTES:
        refuse(path, f"larger than {MAX_BYTES // 1_000_000} MB, which no config.json is")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        refuse(path, f"expected UTF-8; got byte {raw[error.start]:#x} at {error.start}")


def _placed(problem: Problem, text: str, name: str) -> Problem:
    """The problem with the line of its key: the last key of ``text_config.hidden_size``, say."""
    place = 0
    for part in problem.key.split(".") if problem.key else ():
        found = re.compile(rf'"{re.escape(part)}"\s*:\s*').search(text, place)
        if found is None:
            break
        place = found.end()
    if not place:
        return problem.at(name, None, None)
    line = text.count("\n", 0, place) + 1
    return problem.at(name, line, place - text.rfind("\n", 0, place))


def _name(config: Mapping[str, object], family: str) -> str:
    name = config.get("_name_or_path")
    if isinstance(name, str) and len(name) < 100 and re.fullmatch(r"[\w.-]+(/[\w.-]+)?", name):
        return name
    return family


def _tied(architecture: Architecture) -> bool:
    return any(
        isinstance(operator, Linear) and operator.part == "head" and operator.tied
        for block in architecture.blocks
        for operator in block.operators
    )
