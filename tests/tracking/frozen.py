"""A folder whose disk does not answer: whoever touches it waits, as in the kernel, for its release.

By the interpreter's audit events, so that no function of ours is replaced.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_EVENTS = {"open", "os.mkdir", "os.scandir", "os.listdir", "os.remove", "os.rename", "os.chmod"}
_frozen: dict[str, threading.Event] = {}
_hooked: list[bool] = []
LONGEST = 60.0  # seconds, so that a test ends which waits


def _audit(event: str, given: tuple[object, ...]) -> None:
    if event not in _EVENTS or not _frozen:
        return
    for folder, released in list(_frozen.items()):
        if any(str(path).startswith(folder) for path in given[:2]):
            released.wait(LONGEST)


@contextmanager
def frozen(folder: Path) -> Iterator[threading.Event]:
    """Nothing under a folder answers, until the event is set or the block is left."""
    if not _hooked:
        sys.addaudithook(_audit)
        _hooked.append(True)
    released = _frozen[os.fspath(folder)] = threading.Event()
    try:
        yield released
    finally:
        released.set()
        _frozen.pop(os.fspath(folder), None)
