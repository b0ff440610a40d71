"""What ships for a cluster's manager: templates, rules, a dashboard, scripts."""

from __future__ import annotations

from importlib.resources import files


def text(name: str) -> str:
    """The text of a file of ``costcalc/data/fleet``.

    >>> "budgets:" in text("fleet.yaml")
    True
    """
    return (files("costcalc") / "data" / "fleet" / name).read_text(encoding="utf-8")


def template() -> str:
    """A fleet.yaml to fill in; its first line names the schema where it is installed.

    >>> template().splitlines()[1][:6]
    'name: '
    """
    lines = text("fleet.yaml").splitlines(keepends=True)
    return "".join(lines[1:]) if lines[0].startswith("# yaml-language-server") else "".join(lines)
