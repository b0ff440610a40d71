"""Plain values to YAML and JSON text, their digest, and files written whole or not at all."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from costcalc.base.errors import InputError, Problem


def to_json(data: object) -> str:
    """Readable JSON; a value that JSON cannot say (infinity) is an error of ours, not written.

    >>> print(to_json({"flop": 7.2e23}))
    {
      "flop": 7.2e+23
    }
    """
    made = json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False)
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", made)


def to_yaml(data: object, *, first_line: str = "", escape: bool = False) -> str:
    """YAML whose floats every reader takes for numbers (``7.2e+23``); ``escape`` keeps to ASCII.

    >>> print(to_yaml({"flop": 7.2e23, "region": "NO"}), end="")
    flop: 7.2e+23
    region: 'NO'
    """
    import yaml

    text: str = yaml.dump(
        data, Dumper=_dumper(), sort_keys=False, allow_unicode=not escape, width=100
    )
    return f"{first_line}\n{text}" if first_line else text


# Characters that JSON may hold as they are, and YAML, which reads our JSON too, may not, or takes
# for ends of lines (U+0085, U+2028, U+2029).
_UNPRINTABLE = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")

# Text that YAML 1.2 takes for a number and PyYAML's YAML 1.1 does not quote: a commit 1234e5.
_LIKE_A_NUMBER = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", re.ASCII)


@functools.cache
def _dumper() -> Any:
    import yaml

    class Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
        """PyYAML's, without aliases, and with numbers and text told apart for every reader."""

        def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002
            return True

    def text(dumper: Any, data: str) -> Any:
        style = "'" if _LIKE_A_NUMBER.fullmatch(data) else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", data, style=style)

    Dumper.add_representer(str, text)
    Dumper.add_multi_representer(float, lambda dumper, data: dumper.represent_float(float(data)))
    return Dumper


def digest(data: Mapping[str, object]) -> str:
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

    A link stays and what it points to is written; a device such as /dev/stdout is written to.

    Raises:
        InputError: it exists and ``force`` is not said, or its folder cannot be written.
    """
    try:
        _save(text, Path(path), force=force)
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        reason = getattr(error, "strerror", None) or str(error)
        message = f"cannot be written: {reason}"
        raise InputError(Problem(key="", message=message, file=str(path))) from None
    return Path(path)


def _save(text: str, path: Path, *, force: bool) -> None:
    target = path.resolve() if path.is_symlink() else path
    if target.is_dir():
        raise IsADirectoryError(0, "it is a folder")
    if target.exists() and not target.is_file():
        target.write_text(text, encoding="utf-8", newline="\n")
        return
    if target.exists() and not force:
        message = "exists already; give --force (force=True) to overwrite it"
        raise InputError(Problem(key="", message=message, file=str(path)))
    _replace(text, target)


def _replace(text: str, target: Path) -> None:
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=".costcalc.", suffix=".tmp")
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
