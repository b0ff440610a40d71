"""The report is worked out once for all tests of the room: some thousand estimates."""

from __future__ import annotations

import pytest

from costcalc.validate import validate


@pytest.fixture(scope="session")
def report():
    return validate()
