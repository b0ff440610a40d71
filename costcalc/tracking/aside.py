"""Things done for a thread that must not wait: disks, loggers, whatever may hang."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from time import monotonic

# Seconds without a thing to do after which a thread ends: longer than an interval, so that a job
# keeps its threads, and those of a hundred trials in one process do not add up.
IDLE = 10.0


class Aside:
    """Does one thing after another on a daemon thread of its own, there as long as there is any.

    ``lasting``: on one and the same thread, until it is left.

    >>> done = []
    >>> aside = Aside("example")
    >>> aside.do("note", lambda: done.append(1))
    >>> aside.wait(10.0), done
    (True, [1])
    """

    def __init__(self, name: str, *, lasting: bool = False) -> None:
        self._name, self._lasting, self._left = name, lasting, False
        self._tasks: OrderedDict[str, Callable[[], object]] = OrderedDict()
        self._changed = threading.Condition()
        self._began: float | None = None
        self._thread: threading.Thread | None = None

    def do(self, what: str, task: Callable[[], object]) -> None:
        """Have a thing done; one of the same kind that still waits is done no more."""
        with self._changed:
            self._tasks.pop(what, None)
            self._tasks[what] = task
            if self._thread is None:
                thread = threading.Thread(target=self._work, name=self._name, daemon=True)
                with suppress(RuntimeError):  # no more threads here: with the next thing to do
                    thread.start()
                    self._thread = thread
            self._changed.notify_all()

    def wait(self, seconds: float) -> bool:
        """Wait until all is done, so long at most; whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._tasks and self._began is None, seconds)

    def leave(self) -> None:
        """Nothing more is to come: the thread ends when all is done."""
        with self._changed:
            self._left = True
            self._changed.notify_all()

    @property
    def taken(self) -> float:
        """Seconds that the thing being done has taken by now; 0 if there is none."""
        began = self._began
        return 0.0 if began is None else monotonic() - began

    def _work(self) -> None:
        while True:
            with self._changed:
                idle = None if self._lasting else IDLE
                self._changed.wait_for(lambda: bool(self._tasks) or self._left, idle)
                if not self._tasks:
                    self._thread = None
                    return
                _, task = self._tasks.popitem(last=False)
                self._began = monotonic()
            try:
                task()
            except Exception:  # noqa: BLE001, S110  (a task tells its own faults)
                pass
            finally:
                with self._changed:
                    self._began = None
                    self._changed.notify_all()
