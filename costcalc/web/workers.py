"""Processes that do the work, each ended and replaced when its time is up.

A thread cannot be ended; a request that found a slow path would hold it for good.  A process costs
a pipe's round trip, and gives every core its own interpreter.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext, SpawnContext
from multiprocessing.process import BaseProcess

from costcalc.web import answer
from costcalc.web.answer import Answer
from costcalc.web.bounds import SECONDS, WAITING

_LATE = f"took longer than {SECONDS:g} s, which is all that a server gives; use the command line"
_BUSY = "too many requests are waiting; come again in a moment"


class Worker:
    """One process and the pipe to it; started when it is first asked."""

    def __init__(self) -> None:
        self._process: BaseProcess | None = None
        self._pipe: Connection | None = None
        self._changing = threading.Lock()

    def start(self) -> None:
        """Start the process, if none runs."""
        with self._changing:
            self._start()

    def _start(self) -> None:
        if self._process is not None and self._process.is_alive():
            return
        context = _context()
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()

    def ask(self, name: str, body: bytes, given: Mapping[str, str]) -> Answer:
        """The answer to one request, or that it took too long."""
        try:
            self.start()
            pipe = self._pipe
            if pipe is None:  # start() has made it
                return _late()
            pipe.send((name, body, dict(given)))
            if pipe.poll(SECONDS):
                found = pipe.recv()
                return found if isinstance(found, Answer) else _late()
        except (EOFError, OSError):  # it was killed: memory, or a crash
            self.stop()
            return answer.problems([answer.of_text("the work was cut off")], answer.BUSY)
        self.stop()
        return _late()

    def stop(self) -> None:
        """End the process, whatever it does."""
        with self._changing:
            if self._process is not None:
                self._process.kill()
                self._process.join()
            if self._pipe is not None:
                self._pipe.close()
            self._process = self._pipe = None


def _late() -> Answer:
    return answer.problems([answer.of_text(_LATE)], answer.BUSY)


def _context() -> SpawnContext | ForkServerContext:
    """Forked from a process that has everything loaded, where there are forks."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["costcalc.web.preloaded"])
    return context


def _serve(pipe: Connection) -> None:
    """What a worker does until its pipe closes."""
    from costcalc.web.work import work

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the server's to handle; it closes the pipe
    with contextlib.suppress(EOFError, OSError):
        while True:
            name, body, given = pipe.recv()
            pipe.send(work(name, body, given))


class Pool:
    """Workers, one request each at a time; who waits longest is served next."""

    def __init__(self, number: int | None = None) -> None:
        self._number = number or max(2, _cores())
        self._threads = ThreadPoolExecutor(self._number, thread_name_prefix="costcalc")
        self._free: asyncio.Queue[Worker] = asyncio.Queue()
        self._all = [Worker() for _ in range(self._number)]
        self._waiting = 0
        for worker in self._all:
            self._free.put_nowait(worker)

    async def start(self) -> None:
        """Start the processes; requests that come before they are ready wait."""
        loop = asyncio.get_running_loop()
        for worker in self._all:
            loop.run_in_executor(self._threads, worker.start)

    async def ask(self, name: str, body: bytes, given: Mapping[str, str]) -> Answer:
        """The answer of the next free worker."""
        if self._waiting >= WAITING:
            return answer.problems([answer.of_text(_BUSY)], answer.BUSY)
        self._waiting += 1
        try:
            worker = await self._free.get()
        finally:
            self._waiting -= 1
        loop = asyncio.get_running_loop()
        asked = loop.run_in_executor(self._threads, worker.ask, name, body, given)
        asked.add_done_callback(lambda _: self._free.put_nowait(worker))
        return await asyncio.shield(asked)  # who hangs up leaves the worker to end its work

    def stop(self) -> None:
        """End all processes."""
        for worker in self._all:
            worker.stop()
        self._threads.shutdown(wait=False, cancel_futures=True)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


class Inside:
    """Work in the server's own process, in a thread: for tests, and where no process can start."""

    async def start(self) -> None:
        """Nothing is started."""

    async def ask(self, name: str, body: bytes, given: Mapping[str, str]) -> Answer:
        """The answer, worked out in a thread."""
        from costcalc.web.work import work

        return await asyncio.to_thread(work, name, body, given)

    def stop(self) -> None:
        """Nothing is stopped."""
