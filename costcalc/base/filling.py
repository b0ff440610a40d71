"""How every template is read: in one place, by one set of rules."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import jinja2

from costcalc.base.human import number_of


def environment(
    folder: Path, finalize: Callable[[object], object] | None = None, *, html: bool = False
) -> jinja2.Environment:
    """How every template is read: what is not there is an error, a line of a block leaves none."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder, encoding="utf-8"),
        undefined=jinja2.StrictUndefined,
        autoescape=html,  # noqa: S701 - else finalize or filters escape, by each format
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters["number_of"] = number_of
    return made


def page(folder: Path, template: str, **values: object) -> str:
    """A page of HTML; all that it is given is escaped."""
    return _of_pages(folder).get_template(template).render(**values)


@functools.cache
def _of_pages(folder: Path) -> jinja2.Environment:
    return environment(folder, html=True)
