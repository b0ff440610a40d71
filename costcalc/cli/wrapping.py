"""``costcalc track -- COMMAND``: a command measured from outside, and otherwise left as it is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress

from costcalc.cli.tree import Tree
from costcalc.tracking.options import LEDGER
from costcalc.tracking.tracker import Tracker

NOT_FOUND, NOT_EXECUTABLE, STOPPED = 127, 126, 3
_GRACE = 30.0  # seconds between asking a command to end and ending it
_PATIENCE = 60.0  # seconds for the record to be ended: nothing of the user's waits for it
_LOOK = 0.5  # seconds between looks at the limits
_FROM_KERNEL = 0x80  # si_code SI_KERNEL (sigaction(2)): typed at the terminal, which told the child

# Signals that are passed on; the others do with us as they do with anyone.
_PASSED = (
    "SIGINT",
    "SIGTERM",
    "SIGHUP",
    "SIGQUIT",
    "SIGUSR1",
    "SIGUSR2",
    "SIGALRM",
    "SIGWINCH",
    "SIGCONT",
)


_TYPED = (signal.SIGINT, getattr(signal, "SIGQUIT", None))  # by a terminal, to all its group


def wrap(words: Sequence[str], tracker: Tracker, *, job: str | None, ledger: str) -> int:
    """Run a command, measured; its exit code, 128 + signal if killed, 3 if a limit stopped it.

    The command's own ``costcalc.track`` writes into the same ledger: nothing counts twice.

    Raises:
        InputError: the run file has faults; the command is not begun then.
    """
    tracker.check()
    env = {**os.environ, LEDGER: ledger, **({"COSTCALC_JOB": job} if job else {})}
    try:
        child = subprocess.Popen(list(words), env=env)  # noqa: S603  (what the user typed)
    except FileNotFoundError:
        print(f"costcalc: {words[0]}: command not found", file=sys.stderr)
        return NOT_FOUND
    except OSError as error:
        print(f"costcalc: {words[0]}: {error.strerror}", file=sys.stderr)
        return NOT_EXECUTABLE
    passed = {getattr(signal, name) for name in _PASSED if hasattr(signal, name)}
    # Blocked in every thread of ours from here on, and waited for below: the child is begun, and
    # has its signals as they were.  Threads that are there already (NumPy's) block nothing: what
    # reaches one of them is caught.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {*passed, signal.SIGCHLD})
    caught: list[int] = []
    handlers = {each: signal.signal(each, lambda n, _: caught.append(n)) for each in passed}
    try:
        tracker.start()
        stopped = _wait(child, passed, caught, tracker)
        code = child.returncode
        tracker.stop("completed" if code == 0 else "exception", patience=_PATIENCE)
    finally:
        for each, handler in handlers.items():
            signal.signal(each, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    if stopped:
        return STOPPED
    return 128 - code if code < 0 else code


def _wait(
    child: subprocess.Popen[bytes], passed: set[signal.Signals], caught: list[int], tracker: Tracker
) -> bool:
    """Wait for the command, pass signals on, stop it at a limit; whether a limit did."""
    asked: float | None = None
    tree = Tree(child.pid)
    while child.poll() is None:
        found = signal.sigtimedwait({*passed, signal.SIGCHLD}, _LOOK)
        if found is not None and found.si_signo != signal.SIGCHLD:
            typed = found.si_code == _FROM_KERNEL and _in_front()
            if not typed:
                child.send_signal(found.si_signo)
        while caught:
            number = caught.pop(0)
            if number not in _TYPED or not _in_front():
                child.send_signal(number)
        if asked is None and tracker.should_stop:
            asked = time.monotonic()
            below = tree.below()
            child.terminate()
            _tell(signal.SIGTERM, below)
        elif asked is not None and time.monotonic() - asked > _GRACE:
            print(f"costcalc: not ended in {_GRACE:.0f} s: killed", file=sys.stderr)
            below = tree.below()
            child.kill()
            _tell(signal.SIGKILL, below)
    if asked is not None:
        _end_the_rest(tree, asked + _GRACE)
    return asked is not None


def _end_the_rest(tree: Tree, until: float) -> None:
    """What the command began and left behind is ended as it was, and what still lives is told."""
    while (left := tree.below()) and time.monotonic() < until:
        time.sleep(_LOOK / 5)
    if left:
        print(f"costcalc: {len(left)} processes not ended in time: killed", file=sys.stderr)
        _tell(signal.SIGKILL, left)
        time.sleep(_LOOK)
    if left := tree.below():
        listed = ", ".join(map(str, sorted(left)))
        print(f"costcalc: still there, for the kernel to end: {listed}", file=sys.stderr)


def _tell(number: signal.Signals, pids: Iterable[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def _in_front() -> bool:
    """Whether a terminal tells our whole group, the child in it, what is typed."""
    try:
        return os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
    except (OSError, ValueError):
        return False
