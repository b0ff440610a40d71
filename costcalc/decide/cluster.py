"""The chunks of a sweep on a Dask cluster: sent a few ahead, taken in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

from costcalc.base.errors import MissingExtraError
from costcalc.decide.chunk import Piece, Task, chunk
from costcalc.decide.sweep import Sweep

AHEAD = 3  # chunks a worker: bounds what is held anywhere


def _distributed() -> Any:
    import importlib

    try:
        return importlib.import_module("distributed")
    except ImportError as error:
        raise MissingExtraError("a sweep on a cluster", "dask.distributed", "dask") from error


def connect(address: str) -> Any:
    """A client of a running scheduler.

    Raises:
        MissingExtraError: dask.distributed is not installed.
    """
    return _distributed().Client(address)


def local(workers: int) -> Any:
    """A client of a cluster of processes on this machine, one thread each.

    Raises:
        MissingExtraError: dask.distributed is not installed.
    """
    made = _distributed()
    return made.Client(
        n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None
    )


def run(client: Any, task: Task, pieces: Iterable[Sweep]) -> Iterator[Piece]:
    """Each piece's result in order, while the next ones are under way."""
    most = max(len(client.scheduler_info()["workers"]), 1) * AHEAD
    waiting: deque[Any] = deque()
    for piece in pieces:
        waiting.append(client.submit(chunk, task, piece, pure=False))
        if len(waiting) >= most:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
