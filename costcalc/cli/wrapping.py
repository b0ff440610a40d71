"""``costcalc track -- COMMAND``: a command measured from outside, and otherwise left as it is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Literal

from costcalc.cli.tree import Tree
from costcalc.tracking.options import LEDGER
from costcalc.tracking.tracker import Tracker
from costcalc.tracking.trainings import WRAPPED

NOT_FOUND, NOT_EXECUTABLE, STOPPED = 127, 126, 3
_GRACE = 30.0  # seconds between asking a command to end and ending it
_PATIENCE = 60.0  # seconds for the record to be ended: nothing of the user's waits for it
_LOOK = 0.5  # seconds between looks at the limits
_CAN_WAIT = hasattr(signal, "sigtimedwait")  # not on macOS: signals are caught there
# What exit codes of a command say of it, by a signal 128 and more; all others are a failure.
_STATUS: dict[int, Literal["completed", "interrupted"]] = {
    0: "completed",
    128 + signal.SIGINT: "interrupted",
}
_FROM_KERNEL = 0x80  # si_code SI_KERNEL (sigaction(2)): typed at the terminal

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
    "SIGTSTP",
)
# What a terminal tells all that is in front: there the command would have been told with its
# children.
_TO_ALL = ("SIGINT", "SIGQUIT", "SIGWINCH")


def wrap(words: Sequence[str], tracker: Tracker, *, job: str | None, ledger: str) -> int:
    """Run a command, measured; its exit code, 128 + signal if killed, 3 if a limit stopped it.

    The command's own ``costcalc.track`` writes into the same ledger: nothing counts twice.  It
    leads a session of its own, so that a signal reaches it by us, once, and all of it is found.

    Raises:
        InputError: the run file has faults; the command is not begun then.
    """
    tracker.check()
    named = {LEDGER: ledger, WRAPPED: "1", **({"COSTCALC_JOB": job} if job else {})}
    try:
        child = subprocess.Popen(  # noqa: S603  (what the user typed)
            list(words), env={**os.environ, **named}, start_new_session=True
        )
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
    waited = {*passed, signal.SIGCHLD} if _CAN_WAIT else set()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, waited)
    caught: list[int] = []
    handlers = {each: signal.signal(each, lambda n, _: caught.append(n)) for each in passed}
    try:
        tracker.start()
        stopped = _wait(child, waited, caught, tracker)
        code = child.returncode if child.returncode >= 0 else 128 - child.returncode
        tracker.stop(_STATUS.get(code, "exception"), patience=_PATIENCE)
    finally:
        for each, handler in handlers.items():
            signal.signal(each, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return STOPPED if stopped else code


def _wait(
    child: subprocess.Popen[bytes], waited: set[signal.Signals], caught: list[int], tracker: Tracker
) -> bool:
    """Wait for the command, pass signals on, stop it at a limit; whether a limit did."""
    asked: float | None = None
    killed, tree = False, Tree(child.pid)
    while child.poll() is None:
        if waited:
            found = signal.sigtimedwait(waited, _LOOK)
            if found is not None and found.si_signo != signal.SIGCHLD:
                _pass_on(child, found.si_signo, typed=found.si_code == _FROM_KERNEL)
        else:
            with suppress(subprocess.TimeoutExpired):
                child.wait(_LOOK)
        while caught:
            number = caught.pop(0)
            _pass_on(child, number, typed=_is_typed(number) and _in_front())
        if asked is None and tracker.should_stop:
            asked = time.monotonic()
            _ask_to_end(child, tree)
        elif asked is not None and not killed and time.monotonic() - asked > _GRACE:
            killed, below = True, tree.below()
            _tell_all(child, signal.SIGKILL, below)
            print(
                f"costcalc: not ended in {_GRACE:.0f} s: SIGKILL to the command and "
                f"{_processes(len(below))} of it",
                file=sys.stderr,
            )
    if asked is not None:
        _end_the_rest(tree, asked + _GRACE)
    return asked is not None


def _pass_on(child: subprocess.Popen[bytes], number: int, *, typed: bool) -> None:
    """Have the command told what we are told, once: all of it where a terminal would tell all."""
    if number == getattr(signal, "SIGTSTP", None):
        # In its own session nothing stops it but SIGSTOP; we stop with it, until the shell goes on.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGSTOP)
        os.kill(os.getpid(), signal.SIGSTOP)
        number, typed = signal.SIGCONT, True
    if typed or number == getattr(signal, "SIGCONT", None):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, number)
    else:
        child.send_signal(number)


def _ask_to_end(child: subprocess.Popen[bytes], tree: Tree) -> None:
    below = tree.below()
    print(
        f"costcalc: a limit is passed: SIGTERM to the command and {_processes(len(below))} of it, "
        f"SIGKILL in {_GRACE:.0f} s",
        file=sys.stderr,
    )
    _tell_all(child, signal.SIGTERM, below)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGCONT)  # one that is stopped would not hear of it


def _processes(number: int) -> str:
    return f"{number} process{'' if number == 1 else 'es'}"


def _end_the_rest(tree: Tree, until: float) -> None:
    """What the command began and left behind is ended as it was, and what still lives is told."""
    while (left := tree.below()) and time.monotonic() < until:
        time.sleep(_LOOK / 5)
    if left:
        print(
            f"costcalc: {_processes(len(left))} not ended in {_GRACE:.0f} s: SIGKILL",
            file=sys.stderr,
        )
        _tell(signal.SIGKILL, left)
        time.sleep(_LOOK)
    if left := tree.below():
        listed = ", ".join(map(str, sorted(left)))
        print(f"costcalc: still there, for the kernel to end: {listed}", file=sys.stderr)


def _tell_all(child: subprocess.Popen[bytes], number: signal.Signals, below: Sequence[int]) -> None:
    """Tell the command and what is ``below`` it, once; where none is found, all of its group."""
    if below:
        _tell(number, [child.pid, *below])
        return
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, number)


def _tell(number: signal.Signals, pids: Iterable[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def _is_typed(number: int) -> bool:
    """Whether a signal is one that a terminal tells all that is in front."""
    return any(number == getattr(signal, name, None) for name in _TO_ALL)


def _in_front() -> bool:
    """Whether what is typed at the terminal is told to us."""
    try:
        return os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
    except (OSError, ValueError):
        return False
