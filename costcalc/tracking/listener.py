"""The user's callback: it may raise, hang or leave, and touches nothing but itself."""

from __future__ import annotations

from collections.abc import Callable

from costcalc.tracking.aside import Aside

PATIENCE = 30.0  # seconds after which a callback that has not returned is told of


class Listener:
    """Gives metrics to a callback on a thread of its own, and tells what it does wrong.

    >>> told, notes = [], []
    >>> listener = Listener(told.append, notes.append)
    >>> listener.tell({"costcalc/hours": 1.0})
    >>> listener.wait(10.0)
    >>> told, notes
    ([{'costcalc/hours': 1.0}], [])
    """

    def __init__(
        self, callback: Callable[[dict[str, float]], object] | None, note: Callable[[str], None]
    ) -> None:
        self._callback, self._note = callback, note
        self._thread = Aside("costcalc-callback", lasting=True)  # connections may be a thread's own

    def tell(self, metrics: dict[str, float]) -> None:
        """Hand the newest figures over; those that still wait are replaced by them."""
        callback = self._callback
        if callback is None:
            return
        if self._thread.taken > PATIENCE:
            self._note(f"the callback does not return for {PATIENCE:.0f} s: it is not waited for")

        def call() -> None:
            try:
                callback(metrics)
            except BaseException as error:  # noqa: BLE001  (it is the user's: sys.exit too)
                self._note(f"the callback failed: {type(error).__name__}: {error}")

        self._thread.do("metrics", call)

    def wait(self, seconds: float) -> None:
        """Let it take the last figures, so long at most; there are no more."""
        if self._callback is not None:
            self._thread.wait(seconds)
            self._thread.leave()
