"""The report is worked out once for all tests of the room: some thousand estimates."""

from __future__ import annotations

import pytest

from costcalc.validate import validate


@pytest.fixture(scope="session")
def report():
    return validate()


@pytest.fixture(scope="session")
def points_of(report):
    """The points of a category of the report, by its title."""
    return {category.title: category.points for category in report.categories}
