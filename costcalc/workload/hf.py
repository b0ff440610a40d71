"""A Hugging Face model on disk: ``config.json`` to an architecture, safetensors to exact counts."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from costcalc.base.errors import InputError, Problem
from costcalc.workload.counting import parameters
from costcalc.workload.families import build
from costcalc.workload.safetensors import stored

if TYPE_CHECKING:
    from collections.abc import Mapping

    from costcalc.workload.architecture import Architecture

MAX_BYTES = 4_000_000
MAX_DEPTH = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A model read from disk.

    ``parameters`` is what its weight files hold, if they are there and tell it, else what the
    architecture comes to (``basis``); ``notes`` say where the two differ and what was left out.
    """

    architecture: Architecture
    parameters: int
    built: int
    basis: str  # "weights" or "config"
    notes: tuple[str, ...] = ()

    @property
    def difference(self) -> int:
        """Parameters that the files hold beyond those of the architecture."""
        return self.parameters - self.built


def load(path: str | Path) -> Checkpoint:
    """The model of a ``config.json``, or of the folder that holds it.

    Raises:
        InputError: with file and line, for whatever is wrong with the file.
    """
    path = Path(path)
    folder = path if path.is_dir() else None
    if folder is not None:
        path = folder / "config.json"
        if not path.is_file() and (folder / "adapter_config.json").is_file():
            raise _fault(folder, "holds an adapter only; give its base model, and method: lora")
    text = _text(path)
    config = parse(text, str(path))
    try:
        architecture = build(config)
    except InputError as error:
        raise InputError(_placed(problem, text, str(path)) for problem in error.problems) from None
    architecture = replace(architecture, name=_name(config, architecture.name))
    built = parameters(architecture)
    notes = list(architecture.notes)
    found = stored(folder, tied=_tied(architecture)) if folder is not None else None
    if found is None or found.parameters is None:
        notes += found.notes if found else ()
        return Checkpoint(
            architecture=architecture,
            parameters=built,
            built=built,
            basis="config",
            notes=tuple(notes),
        )
    notes += found.notes
    if found.parameters != built:
        notes.append(
            f"the weight files hold {found.parameters:,} parameters, its configuration comes to "
            f"{built:,}; the files win"
        )
    return Checkpoint(
        architecture=architecture,
        parameters=found.parameters,
        built=built,
        basis="weights",
        notes=tuple(notes),
    )


def parse(text: str, name: str) -> Mapping[str, Any]:
    """The mapping in a JSON text; every fault with its line.

    >>> parse('{"a": 1}', "config.json")
    {'a': 1}
    >>> parse('{"a": ', "config.json")
    Traceback (most recent call last):
    costcalc.base.errors.InputError: config.json:1:7: expected JSON: Expecting value
    1 problem in config.json
    """
    if _depth(text) > MAX_DEPTH:
        raise InputError(Problem(key="", message=f"nested deeper than {MAX_DEPTH}", file=name))
    try:
        data = json.loads(text, object_pairs_hook=_once)
    except json.JSONDecodeError as error:
        raise InputError(
            Problem(
                key="",
                message=f"expected JSON: {error.msg}",
                file=name,
                line=error.lineno,
                column=error.colno,
            )
        ) from None
    except _DuplicateError as error:
        twice = Problem(key=str(error), message="the key stands twice")
        raise InputError(_placed(twice, text, name)) from None
    except ValueError:  # a number of thousands of digits
        message = "holds a number too long to read"
        raise InputError(Problem(key="", message=message, file=name)) from None
    if not isinstance(data, dict):
        message = "expected a mapping of keys, as in a config.json"
        raise InputError(Problem(key="", message=message, file=name, line=1, column=1))
    return data


class _DuplicateError(Exception):
    """A key that stands twice in one mapping."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made: dict[str, Any] = {}
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
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise _fault(path, f"cannot be read: {error.strerror or type(error).__name__}") from None
    if len(raw) > MAX_BYTES:
        raise _fault(path, f"larger than {MAX_BYTES // 1_000_000} MB, which no config.json is")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        byte = f"byte {raw[error.start]:#x} at {error.start}"
        raise _fault(path, f"expected UTF-8; got {byte}") from None


def _placed(problem: Problem, text: str, name: str) -> Problem:
    """The problem with the line of its key: the last key of ``text_config.hidden_size``, say."""
    start = 0
    place = None
    for part in problem.key.split(".") if problem.key else ():
        found = re.compile(rf'"{re.escape(part)}"\s*:\s*').search(text, start)
        if found is None:
            break
        place, start = found.end(), found.end()
    if place is None:
        return problem.at(name, None, None)
    line = text.count("\n", 0, place) + 1
    return problem.at(name, line, place - text.rfind("\n", 0, place))


def _name(config: Mapping[str, Any], family: str) -> str:
    name = config.get("_name_or_path")
    plain = isinstance(name, str) and re.fullmatch(r"[\w.-]+(/[\w.-]+)?", name) and len(name) < 100
    return str(name) if plain else family


def _tied(architecture: Architecture) -> bool:
    return any(
        getattr(operator, "part", None) == "head" and getattr(operator, "tied", False)
        for block in architecture.blocks
        for operator in block.operators
    )


def _fault(path: Path, message: str) -> InputError:
    return InputError(Problem(key="", message=message, file=str(path)))
