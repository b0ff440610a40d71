"""Plain values to YAML and JSON text, their digest, and files that are written whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from costcalc.errors import InputError, Problem


def to_json(data: Any) -> str:
    """Readable JSON; a value that JSON cannot say (infinity) is an error of ours, not written.

    >>> print(to_json({"flop": 7.2e23}))
    {
      "flop": 7.2e+23
    }
    """
    return json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False)


def to_yaml(data: Any, *, first_line: str = "") -> str:
    """YAML whose floats every reader takes for numbers (``7.2e+23``).

    >>> print(to_yaml({"flop": 7.2e23, "region": "NO"}), end="")
    flop: 7.2e+23
    region: 'NO'
    """
    import yaml

    dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    text: str = yaml.dump(data, Dumper=dumper, sort_keys=False, allow_unicode=True, width=100)
    return f"{first_line}\n{text}" if first_line else text


def digest(data: Mapping[str, Any]) -> str:
    """``sha256:…`` of the canonical JSON of a report without its own digest.

    Canonical: keys sorted, no spaces, UTF-8.

    >>> digest({"b": 1, "a": 2}) == digest({"a": 2, "b": 1, "digest": "sha256:…"})
    True
    """
    rest = {key: value for key, value in data.items() if key != "digest"}
    text = json.dumps(
        rest, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return "sha256:" + hashlib.sha256(text.encode("utf-8")).hexdigest()


def save(text: str, path: str | os.PathLike[str], *, force: bool = False) -> Path:
    """Write a file whole, beside its place first, so that a kill leaves the old one or the new one.

    Raises:
        InputError: it exists and ``force`` is not said, or its folder cannot be written.
    """
    target = Path(path)
    if target.exists() and not force:
        raise InputError(Problem(
            key="", message="exists already; give --force (force=True) to overwrite it",
            file=str(path),
        ))
    try:
        _replace(text, target)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise InputError(
            Problem(key="", message=f"cannot be written: {reason}", file=str(path))
        ) from None
    return target


def _replace(text: str, target: Path) -> None:
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        mode = target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~_umask()
        Path(name).chmod(mode)
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
