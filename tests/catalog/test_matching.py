"""Names of devices as people type them and drivers report them."""

import pytest

from costcalc.base.errors import NotFoundError
from costcalc.catalog.accelerator import find
from costcalc.catalog.index import Head
from costcalc.catalog.matching import compact, counted, entries, words
from costcalc.catalog.parts import Mig, mig_of

BOARDS = (
    Head("a", "rtx-4060-laptop", ("NVIDIA GeForce RTX 4060 Laptop GPU", "RTX 4060 Mobile")),
    Head("b", "l40s", ("NVIDIA L40S 48GB",)),
    Head("c", "a100-pcie-40", ("NVIDIA A100-PCIE-40GB",)),
    Head("d", "a100-sxm4-40", ("NVIDIA A100-SXM4-40GB",)),
)


@pytest.mark.parametrize(
    ("written", "ids"),
    [
        ("rtx4060laptop", ["rtx-4060-laptop"]),  # blanks and hyphens
        ("GeForce RTX 4060 Laptop", ["rtx-4060-laptop"]),  # the maker
        ("RTX 4060", []),  # the desktop's chip is another one
        ("4060", []),
        ("L40S 48 GB", ["l40s"]),
        ("A100 40GB", ["a100-pcie-40", "a100-sxm4-40"]),  # either
        ("A100 40GB PCIe", ["a100-pcie-40"]),
        ("A100 80GB", []),
        ("40", []),  # too short to say anything
    ],
)
def test_which_boards_a_name_may_stand_for(written, ids):
    assert [head.id for head in entries(written, BOARDS, by_words=True)] == ids


def test_a_name_of_several_is_refused_with_all_of_them():
    with pytest.raises(NotFoundError) as caught:
        find("V100 PCIe")
    assert str(caught.value) == (
        'hardware.accelerator: "V100 PCIe" may be v100-pcie-16, v100-pcie-32: write which'
    )


def test_xavier_is_two_modules():
    with pytest.raises(NotFoundError) as caught:
        find("Xavier")
    assert str(caught.value) == (
        'hardware.accelerator: "Xavier" may be jetson-agx-xavier, jetson-xavier-nx: write which'
    )


def test_a_target_of_rocm_is_its_boards():
    # AMD's GPU specifications: gfx908 is the MI100 alone, gfx942 the MI300 series
    assert find("gfx908").id == "mi100"
    with pytest.raises(NotFoundError) as caught:
        find("gfx942")
    assert str(caught.value) == (
        'hardware.accelerator: "gfx942" may be mi300a, mi300x, mi308x, mi325x: write which'
    )


@pytest.mark.parametrize("written", ["8xH100", "8 x H100", "8×H100", "H100 x8", "H100:8"])
def test_a_number_in_a_name_is_told_about_count(written):
    with pytest.raises(NotFoundError) as caught:
        find(written)
    assert str(caught.value) == (
        f'hardware.accelerator: "{written}" says how many too: write h100-sxm5-80 here and count: 8'
    )


def test_a_name_glued_together_says_no_more_than_one_apart():
    for written in ("RTX 6000", "RTX6000"):
        with pytest.raises(NotFoundError, match="may be quadro-rtx-6000, rtx-6000-ada, rtx-pro"):
            find(written)


def test_words_of_a_name():
    assert words("NVIDIA RTX 4500 Ada Generation") == ("rtx", "4500", "ada")
    assert words("Intel(R) Data Center GPU Max 1550") == ("data", "center", "max", "1550")
    assert compact("NVIDIA A100-SXM4-80GB") == compact("a100 sxm4 80 GiB") == "a100sxm480gb"
    assert counted("Max 1550") is None


def test_a_mig_instance_says_its_board_and_its_part():
    # NVIDIA MIG user guide: 3g.20gb of an A100 40 GB has 3 of 7 compute slices and 20 GB
    assert mig_of("NVIDIA A100-SXM4-40GB MIG 3g.20gb") == Mig("nvidia a100-sxm4-40gb", 3, 20)
    assert find("NVIDIA A100-SXM4-40GB MIG 3g.20gb").id == "a100-sxm4-40"
    assert mig_of("NVIDIA A100-SXM4-40GB") is None


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("A100 60GB", "a100-sxm-64, a100-sxm4-40, a100-sxm4-80, a100-pcie-80"),
        ("Gaudi4", "gaudi2, gaudi3"),
        ("MI355", "mi355x, mi325x, mi350x, mi455x"),
        ("Quadro X", "quadro-k620, quadro-p400, quadro-p600, quadro-p620"),
    ],
)
def test_a_name_that_is_none_is_told_those_like_it(name, near):
    with pytest.raises(NotFoundError) as caught:
        find(name)
    assert f"; nearest: {near}; " in str(caught.value)
