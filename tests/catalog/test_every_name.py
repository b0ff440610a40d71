"""Every name that a list or a result shows can be typed, and finds what it was shown for."""

import pytest

from costcalc.catalog import accelerator, instances, preset, software
from costcalc.catalog.index import Head, index

FINDS = {
    "accelerators": accelerator.find,
    "cpus": accelerator.find,
    "hosts": instances.find,
    "presets": preset.find,
    "software": software.find,
}


@pytest.mark.parametrize("kind", FINDS)
def test_what_is_shown_can_be_typed(kind):
    heads = index().heads(kind)
    assert all(head.name for head in heads)
    shown = [(name, head.id) for head in heads for name in (head.id, head.name, *head.aliases)]
    found = [(name, FINDS[kind](name).id) for name, _ in shown]
    assert found == shown


def test_a_name_that_two_are_shown_by_is_neither():
    from costcalc.catalog.matching import entries

    twins = [Head("a", "a-1", name="One (of two)"), Head("b", "b-1", name="One (of two)")]
    assert entries("One (of two)", twins) == []
    assert entries("one (of  two)", twins[:1]) == twins[:1]
