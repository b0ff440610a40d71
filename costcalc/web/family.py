"""Processes that do the work: the first loads everything, the others are forked from it.

So what is loaded is in memory once, and no process only stands by to be forked.
"""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

LOADING = 60.0
"""Seconds in which a process has to say that it is ready, on a machine that is very busy."""
_FORKS = hasattr(os, "fork")


@dataclass(slots=True)
class Process:
    """One process, seen from the server."""

    pipe: Connection
    _first: subprocess.Popen[bytes] | BaseProcess
    pid: int | None = None
    """Its own, once it has said that it is ready."""

    def ready(self) -> None:
        """Wait until it has everything loaded.

        Raises:
            EOFError, OSError: it has ended, or does not come to it.
        """
        if self.pid is None:
            if not self.pipe.poll(LOADING):
                raise TimeoutError
            self.pid = self.pipe.recv()

    def runs(self) -> bool:
        """Whether its end of the pipe is open; that of a process which has ended is not."""
        with contextlib.suppress(EOFError, OSError):
            while self.pipe.poll(0):  # that it is ready, an answer that came too late, its end
                said = self.pipe.recv()
                self.pid = said if self.pid is None else self.pid
            return True
        return False

    def end(self) -> None:
        """End it, whatever it does; what is not ready goes with the first, which forks it."""
        if self.pid in (None, self._first.pid):
            self._first.kill()
            self._first.wait() if isinstance(self._first, subprocess.Popen) else self._first.join()
        elif self.runs():
            with contextlib.suppress(OSError):
                os.kill(self.pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):  # ours only where the first has ended
                os.waitpid(self.pid, 0)
        self.pipe.close()


def started(number: int) -> list[Process]:
    """So many processes, begun; each says when it is ready."""
    if not _FORKS:
        return [_spawned() for _ in range(number)]
    pipes = [multiprocessing.Pipe() for _ in range(number)]
    theirs = [their.fileno() for _, their in pipes]
    command = (  # nothing of ours is imported before the path stands
        f"import sys; sys.path[:] = {sys.path!r}; from costcalc.web import family; "
        f"family.first({theirs})"
    )
    first = subprocess.Popen(  # noqa: S603 - this interpreter and this module
        [sys.executable, "-c", command],
        pass_fds=theirs,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},  # each has a core of its own
    )
    for _, their in pipes:
        their.close()
    return [Process(ours, first) for ours, _ in pipes]


def _spawned() -> Process:
    """One alone, where there are no forks."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=_loaded, args=(theirs,), daemon=True
    )
    process.start()
    theirs.close()
    return Process(ours, process)


def _loaded(pipe: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the server's to handle; it closes the pipes
    from costcalc.web.work import warm

    warm()
    _serve(pipe)


def first(handles: list[int]) -> None:
    """What the first process does: load, fork the others, and work as they do."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    from costcalc.web.work import warm

    warm()
    gc.collect()
    gc.freeze()  # what is loaded stays, and its pages stay shared
    own = next((handle for handle in handles[1:] if os.fork() == 0), handles[0])
    for handle in handles:
        if handle != own:
            os.close(handle)
    _serve(Connection(own))


def _serve(pipe: Connection) -> None:
    """Answer what comes through a pipe, until it closes."""
    from costcalc.web.work import work

    with contextlib.suppress(EOFError, OSError):
        pipe.send(os.getpid())
        while True:
            name, body, given = pipe.recv()
            pipe.send(work(name, body, given))
