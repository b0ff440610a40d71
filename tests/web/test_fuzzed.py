"""Bodies changed at random: an answer or its problems, never a bug (FUZZ says how many)."""

from __future__ import annotations

import json
import os
from collections import Counter

import fuzzing
import pytest

from costcalc.web.work import work

NUMBER = int(os.environ.get("FUZZ", "300"))


@pytest.mark.parametrize(("kind", "number"), [("runs", NUMBER), ("reports", NUMBER // 10)])
def test_no_body_is_a_bug(kind: str, number: int, capfd: pytest.CaptureFixture[str]) -> None:
    seen: Counter[int] = Counter()
    for name, body, options in getattr(fuzzing, kind)(7, number):
        made = work(name, body, options)
        assert made.status in (200, 400), (name, options, body, capfd.readouterr().err)
        if made.status == 400:
            assert all(found["message"] for found in json.loads(made.body)["problems"])
        seen[made.status] += 1
    assert min(seen[200], seen[400]) > number // 20  # both do happen
