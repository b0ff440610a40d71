"""Who does the work: processes, each ended and replaced when its time is up.

A thread cannot be ended; a request that found a slow path would hold it for good.  A process costs
a pipe's round trip, and gives every core its own interpreter.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from costcalc.web import answer, family
from costcalc.web.answer import Answer
from costcalc.web.bounds import SECONDS, WAITING
from costcalc.web.family import Process

_LATE = f"took longer than {SECONDS:g} s, which is all that a server gives; use the command line"
_BUSY = "too many requests are waiting; come again in a moment"


class Worker:
    """One process and the pipe to it; started when it is first asked, if it was not before."""

    def __init__(self) -> None:
        self._process: Process | None = None
        self._changing = threading.Lock()

    def take(self, process: Process) -> None:
        """Let a process that has been started do the work."""
        with self._changing:
            self._process = process

    def ask(self, name: str, body: bytes, given: Mapping[str, str]) -> Answer:
        """The answer to one request, or that it took too long."""
        process = self._running()
        try:
            process.ready()
            process.pipe.send((name, body, dict(given)))
            if process.pipe.poll(SECONDS):
                found = process.pipe.recv()
                return found if isinstance(found, Answer) else _late()
        except (EOFError, OSError):  # it was killed: memory, or a crash
            self.stop()
            return answer.problems([answer.of_text("the work was cut off")], answer.BUSY)
        self.stop()
        return _late()

    def _running(self) -> Process:
        with self._changing:
            if self._process is not None and not self._process.runs():
                self._process.end()
                self._process = None
            if self._process is None:
                [self._process] = family.started(1)
            return self._process

    def stop(self) -> None:
        """End the process, whatever it does."""
        with self._changing:
            if self._process is not None:
                self._process.end()
            self._process = None


def _late() -> Answer:
    return answer.problems([answer.of_text(_LATE)], answer.BUSY)


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
        started = await asyncio.to_thread(family.started, self._number)
        for worker, process in zip(self._all, started, strict=True):
            worker.take(process)

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
