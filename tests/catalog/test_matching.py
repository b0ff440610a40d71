"""Names of devices as people type them and drivers report them."""

import pytest

from costcalc.base.errors import NotFoundError
from costcalc.catalog.accelerator import find
from costcalc.catalog.index import Head
from costcalc.catalog.matching import compact, counted, entries, words
from costcalc.catalog.parts import Mig, mig_of, mig_part

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


@pytest.mark.parametrize(("asked", "found"), [
    ("K420", ["quadro-k420"]), ("420", []), ("K42", []), ("Titan", ["titan-v"]),
])  # fmt: skip
def test_a_name_of_four_letters_says_enough_and_of_three_too_little(asked, found):
    boards = (Head("k", "quadro-k420", ("Quadro K420",)), Head("j", "quadro-k42", ("Quadro K42",)),
              Head("t", "titan-v", ("Titan V",)))  # fmt: skip
    assert [head.id for head in entries(asked, boards, by_words=True)] == found


@pytest.mark.parametrize(("asked", "found"), [
    ("Nova 70 Ti", True),  # the word that makes another chip is asked for
    ("Nova 70", False),
    ("Nova 70 Ti Super", False),  # and one that the board has not
    ("Nova Ti", True),
])  # fmt: skip
def test_a_word_that_makes_another_chip_is_asked_for_or_the_board_is_not_meant(asked, found):
    board = Head("n", "nova-70-ti", ("Nova 70 Ti Founders",))
    assert bool(entries(asked, [board], by_words=True)) is found


@pytest.mark.parametrize(("size", "has"), [
    # 40 GB of which software sees 38: sold at up to 1.08 of it (41.04); a hundredth below is read
    ("37GB", False), ("38GB", True), ("39GB", True), ("40GB", True), ("41GB", True),
    ("42GB", False),
])  # fmt: skip
def test_a_size_is_of_a_board_that_has_it(size, has):
    board = Head("n", "nova-70", ("Nova 70",), gigabytes=38.0)
    assert bool(entries(f"Nova 70 {size}", [board], by_words=True)) is has
    assert not entries(f"Nova 70 {size}", [Head("n", "nova-70", ("Nova 70",))], by_words=True)


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
    assert find("gfx908:sramecc+:xnack-").id == "mi100"  # as torch and rocminfo print it
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
        ("MI385", "mi325x, mi350x, mi355x, mi308x"),
        ("Quadro X", "quadro-k420, quadro-k600, quadro-k620, quadro-m520-laptop"),
    ],
)
def test_a_name_that_is_none_is_told_those_like_it(name, near):
    with pytest.raises(NotFoundError) as caught:
        find(name)
    assert f"; nearest: {near}; " in str(caught.value)


@pytest.mark.parametrize(
    ("name", "mig", "board"),
    [
        # NVIDIA's virtual GPU types: D is twice the memory, X and XM the SXM boards
        ("GRID A100-10C", Mig("a100-pcie-40", 0, 10), "a100-pcie-40"),
        ("GRID A100DX-20C", Mig("a100-sxm4-80", 0, 20), "a100-sxm4-80"),
        ("NVIDIA H100XL-47C", Mig("h100-sxm5-94", 0, 47), "h100-sxm5-94"),
        ("H20-48C", Mig("h20-96", 0, 48), "h20-96"),
        ("H20X-141C", Mig("h20-141", 0, 141), "h20-141"),
        ("NVIDIA H100XM-80C", Mig("h100-sxm5-80", 0, 80), "h100-sxm5-80"),
        ("GRID V100D-8Q", Mig("v100-pcie-32", 0, 8), "v100-pcie-32"),
        ("NVIDIA A40-8Q", Mig("a40", 0, 8), "a40"),
        ("NVIDIA RTX6000-Ada-48Q", Mig("rtx6000-ada", 0, 48), "rtx-6000-ada"),
        ("GRID RTX6000-24Q", Mig("quadro-rtx-6000", 0, 24), "quadro-rtx-6000"),
        ("NVIDIA A100-1-5C", Mig("a100-pcie-40", 1, 5), "a100-pcie-40"),  # backed by MIG
    ],
)
def test_a_virtual_gpu_says_its_board_and_its_part(name, mig, board):
    assert mig_of(name) == mig
    assert find(name).id == board


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("NVIDIA A40-8Q", 6),  # 48 GB, of which software sees 45
        ("GRID T4-8C", 2),
        ("GRID M60-8Q", 2),  # a board has two chips of 8 GB
        ("NVIDIA A16-16Q", 4),  # and this one four of 16
        ("GRID A10-24C", 1),
        ("NVIDIA L40-48Q", 1),
    ],
)
def test_a_virtual_gpu_has_as_much_of_its_board_as_of_its_memory(name, parts):
    part = mig_part(mig_of(name), find(name).id)
    assert (part.slices, part.compute, part.memory) == pytest.approx((1 / parts,) * 3)
    assert ("virtual GPU" in part.why) == (parts > 1)


@pytest.mark.parametrize(("board", "slices", "memory"), [
    # NVIDIA MIG user guide, the largest profile of each: all of the board
    ("a100-pcie-40", 7, 40), ("a100-sxm4-80", 7, 80), ("a30", 4, 24), ("h100-pcie-80", 7, 80),
    ("h100-sxm5-80", 7, 80), ("h100-nvl-94", 7, 94), ("h100-sxm5-96", 7, 96), ("gh200-144", 7, 144),
    ("h200-sxm-141", 7, 141), ("b200-sxm-180", 7, 180), ("gb200", 7, 186),
    ("rtx-pro-6000-server", 4, 96),
])  # fmt: skip
def test_the_largest_instance_is_the_whole_board(board, slices, memory):
    part = mig_part(Mig(board, slices, memory), board)
    whole = 98 / 108 if board.startswith("a100") else 1.0  # seven of 14 SMs, of 108
    assert (part.compute, part.memory) == (pytest.approx(whole), 1.0)


def test_a_virtual_gpu_larger_than_its_board_is_refused():
    with pytest.raises(NotFoundError) as caught:
        find("GRID A100-80C")
    assert str(caught.value) == (
        "hardware.accelerator: no virtual GPU of 80 GB is known of a100-pcie-40, which has 40 GB"
    )


@pytest.mark.parametrize(
    ("written", "board"),
    [
        ("RTX 4090 24GB", "rtx-4090"),  # not the 4090 D, which has as much
        ("T4 16GB", "t4"),  # of which software sees 15
        ("L4 24 GB", "l4"),
        ("M2 Ultra 192GB", "m2-ultra"),
        ("RTX 3060 Laptop 6GB", "rtx-3060-laptop"),
        ("NVIDIA Jetson Nano Developer Kit", "jetson-nano"),  # never the Orin Nano
        ("Jetson Orin Nano Engineering Reference Developer Kit Super", "jetson-orin-nano-8"),
        ("GA102 [GeForce RTX 3060 Lite Hash Rate]", "rtx-3060-12"),
        ("Aldebaran/MI200 [Instinct MI210]", "mi210"),  # lspci
        ("GA104M [GeForce RTX 3070 Mobile / Max-Q]", "rtx-3070-laptop"),
        ("GH100 [H100 SXM5 80GB]", "h100-sxm5-80"),
        ("nvidia-tesla-a100", "a100-sxm4-40"),  # Google's, of 40 GB
        ("nvidia-a100-80gb", "a100-sxm4-80"),
        ("NVIDIA A100", "a100-sxm4-80"),
        ("NVIDIA T400 4GB", "t400-4"),
        ("cloud tpu v3", "tpu-v3"),
        ("TPU v5 lite", "tpu-v5e"),
        ("AMD_Instinct_MI325_OAM", "mi325x"),
    ],
)
def test_what_drivers_clouds_and_people_call_a_board(written, board):
    assert find(written).id == board


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("RTX 4090 48GB", "no accelerator RTX 4090 48GB; nearest: rtx-4090"),  # rebuilt by hand
        ("RTX 2080 Ti 22GB", "no accelerator RTX 2080 Ti 22GB; nearest: rtx-2080-ti"),
        (
            "Navi 31 [Radeon RX 7900 XT/7900 XTX]",
            '"Navi 31 [Radeon RX 7900 XT/7900 XTX]" may be rx-7900-xt, rx-7900-xtx: write which',
        ),
        ("gfx1103", '"gfx1103" may be radeon-740m, radeon-760m, radeon-780m: write which'),
        (
            "AMD Radeon Graphics",
            '"AMD Radeon Graphics" is what several chips are called: write the target that '
            "rocminfo prints (gfx1151), or the board's or processor's name; costcalc hardware list",
        ),
        ("cuda", '"cuda" is any device: write its name (nvidia-smi -L says it); costcalc'),
        ("nvidia.com/gpu", '"nvidia.com/gpu" is any device: write its name (nvidia-smi -L says'),
        ("mps", '"mps" is any device: write its name (About This Mac says it: M4 Max); '),
        ("DGX H100", '"DGX H100" is a host of 8 h100-sxm5-80: write hardware.instance: dgx-h100'),
        (
            "ct5lp-hightpu-4t",
            '"ct5lp-hightpu-4t" is a host of 4 tpu-v5e: write hardware.instance: ct5lp-hightpu-4t',
        ),
    ],
)
def test_what_is_no_one_board_is_refused_with_the_way_out(written, said):
    with pytest.raises(NotFoundError) as caught:
        find(written)
    assert str(caught.value).startswith(f"hardware.accelerator: {said}")


@pytest.mark.parametrize(("name", "chip"), [
    ("MacBook Pro M1", "m1"), ("MacBook Pro M1 Pro", "m1-pro"), ("Mac Studio M3 Ultra", "m3-ultra"),
    ("macbook pro m4 max", "m4-max"), ("Mac mini M4 Pro", "m4-pro"), ("iMac M1", "m1"),
    ("MacBook Air M2", "m2"),
])  # fmt: skip
def test_a_mac_is_called_by_its_chip(name, chip):
    assert find(name).id == chip


@pytest.mark.parametrize(("board", "precision", "low", "high"), [
    ("940m", "fp32", 0.9032e12, 1.124e12),  # 384 cores at 1,176 MHz to 512 at 1,098 MHz
    ("quadro-m3000m", "fp32", 1.892e12, 2.15e12),  # 1,024 cores at 924 to 1,050 MHz
    ("quadro-p3200-laptop", "fp32", 5.29e12, 5.53e12),  # 1,792 at 1,476 to 1,543 MHz
    ("arc-a370m", "bf16", 25.4e12, 33.59e12),  # 8 Xe cores at 1,550 to 2,050 MHz
])  # fmt: skip
def test_boards_of_which_sources_differ_have_a_range(board, precision, low, high):
    peak = getattr(find(board).peak, precision)
    assert (peak.si_low or peak.si, peak.si_high or peak.si) == pytest.approx((low, high))


@pytest.mark.parametrize(
    ("line", "board"),
    [
        ("GPU 0: NVIDIA A100-SXM4-80GB (UUID: GPU-5c89852c-d268-c3f3-1b07-005d5ae1dc3f)",
         "a100-sxm4-80"),  # nvidia-smi -L
        ("GPU[0]          : Card series: AMD Instinct MI250X", "mi250x"),  # rocm-smi
        ("01:00.0 3D controller: NVIDIA Corporation GH100 [H100 SXM5 80GB] (rev a1)",
         "h100-sxm5-80"),  # lspci
        ("0000:c1:00.0 VGA compatible controller [0300]: NVIDIA Corporation AD102 "
         "[GeForce RTX 4090] [10de:2684] (rev a1)", "rtx-4090"),  # lspci -nn
    ],
)  # fmt: skip
def test_a_line_that_a_tool_prints_is_its_board(line, board):
    assert find(line).id == board


def test_the_usual_940m_draws_33_watts_and_the_other_of_its_name_75():
    power = find("GeForce 940M").board_power
    assert (power.si, power.si_high) == (33, 75)
