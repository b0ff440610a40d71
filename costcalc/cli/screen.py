"""Where tables are printed: no markup, no coloured numbers, and an end of the pipe is no fault."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def screen() -> Console:
    """A console on stdout; rich is loaded only when something is printed."""
    from rich.console import Console

    class Screen(Console):
        def on_broken_pipe(self) -> None:  # rich would exit with 1, which is a bug's code
            raise BrokenPipeError

    return Screen(highlight=False, soft_wrap=False, markup=False)
