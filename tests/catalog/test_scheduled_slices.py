"""MIG instances as schedulers type them: the board that has the profile, and the part of it."""

from __future__ import annotations

import pytest

from costcalc.base.errors import NotFoundError
from costcalc.catalog.accelerator import find
from costcalc.catalog.parts import mig_of, mig_part, part_of


@pytest.mark.parametrize(
    ("name", "board", "slices"),
    [
        # an A100 unsaid is one of 80 GB, which has no profile of 5 GB: the SXM board of 40 GB has
        ("a100_1g.5gb", "a100-sxm4-40", 1 / 7),
        ("a100_1g.10gb", "a100-sxm4-80", 1 / 7),
        ("nvidia_a100_3g.20gb", "a100-sxm4-40", 3 / 7),
        ("nvidia_a100-sxm4-40gb_mig_1g.5gb", "a100-sxm4-40", 1 / 7),  # as NVML names it
        ("a100.mig.2g.20gb", "a100-sxm4-80", 2 / 7),
        ("a100-pcie_1g.5gb", "a100-pcie-40", 1 / 7),
        ("nvidia_h100_80gb_hbm3_1g.10gb", "h100-sxm5-80", 1 / 7),
        ("nvidia_a30_1g.6gb", "a30", 1 / 4),
        ("nvidia_rtx_pro_6000_blackwell_server_edition_1g.24gb", "rtx-pro-6000-server", 1 / 4),
        ("h200_3g.71gb", "h200-sxm-141", 3 / 7),
    ],
)
def test_types_of_slurm(name, board, slices):
    assert find(name).id == board
    mig = mig_of(name)
    assert mig_part(mig, find(name).id).slices == pytest.approx(slices)
    assert part_of(name)[0].id == board


@pytest.mark.parametrize(
    ("name", "message"),
    [
        # a board that says its memory is that board
        (
            "nvidia_a100-sxm4-80gb_1g.5gb",
            "no MIG profile 1g.5gb of a100-sxm4-80; it has 1g.10gb, 1g.20gb, 2g.20gb, 3g.40gb, "
            "4g.40gb, 7g.80gb",
        ),
        # two boards of its form have it
        (
            "h100_1g.12gb",
            "no MIG profile 1g.12gb of h100-sxm5-80; it has 1g.10gb, 1g.20gb, 2g.20gb, 3g.40gb, "
            "4g.40gb, 7g.80gb; h100-sxm5-94 and h100-sxm5-96 have it",
        ),
        ("a100_1g.9gb", "no MIG profile 1g.9gb of a100-sxm4-80; it has 1g.10gb, 1g.20gb, "),
    ],
)
def test_a_profile_that_none_or_several_boards_have(name, message):
    with pytest.raises(NotFoundError) as raised:
        find(name)
    assert message in str(raised.value)
    with pytest.raises(NotFoundError) as raised:
        part_of(name)
    assert message in str(raised.value)
