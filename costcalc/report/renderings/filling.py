"""Templates filled in: whatever a report says is escaped, unless a filter has made it itself.

A template is plain text of its format with ``{{ v.name }}`` and ``{% for row in v.rows %}``; LaTeX,
whose braces are its own, has ``<< v.name >>`` and ``<% for … %>``.  ``v`` is the
:class:`~costcalc.report.view.View` of the report; what else there is stands first in the template.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from markupsafe import Markup

from costcalc.base.filling import environment
from costcalc.report.view import View, plain

FOLDER = Path(__file__).parents[1] / "templates"
_LATEX = {
    "block_start_string": "<%",
    "block_end_string": "%>",
    "variable_start_string": "<<",
    "variable_end_string": ">>",
    "comment_start_string": "<#",
    "comment_end_string": "#>",
}


def fill(
    template: str,
    view: View,
    escape: Callable[[str], str] = str,
    filters: Mapping[str, Callable[..., str]] | None = None,
    **more: object,
) -> str:
    """The template of that name, with the view as ``v`` and what else is given.

    ``escape`` makes text harmless in the format; what ``filters`` return is taken as it is.
    """
    made = environment(
        FOLDER, finalize=lambda value: value if isinstance(value, Markup) else escape(str(value))
    )
    for name, mark in _LATEX.items() if template.endswith(".tex.j2") else ():
        setattr(made, name, mark)
    for name, one in {"plain": plain, **(filters or {})}.items():
        made.filters[name] = _raw(one)
    return made.get_template(template).render(v=view, **more)


def _raw(made: Callable[..., str]) -> Callable[..., Markup]:
    return lambda *arguments: Markup(made(*arguments))  # noqa: S704 - each filter escapes
