"""Boards that a short name leaves open are said beside the one that is taken."""

import pytest

from costcalc.catalog.accelerator import find
from costcalc.catalog.twins import alternatives, twins

V100 = (
    "v100-dgxs-16", "v100-dgxs-32", "v100-fhhl-16", "v100-pcie-16", "v100-pcie-32",
    "v100-sxm2-32", "v100-sxm3-32",
)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "taken", "others"),
    [
        ("v100", "v100-sxm2-16", V100),
        ("Tesla V100", "v100-sxm2-16", V100),
        ("A100 80GB", "a100-sxm4-80", ("a100-pcie-80",)),
        ("NVIDIA GeForce RTX 3080", "rtx-3080-10", ("rtx-3080-12",)),  # so the driver calls both
        ("3080", "rtx-3080-10", ("rtx-3080-12",)),  # as with its line before it
        ("4060 Ti", "rtx-4060-ti-8", ("rtx-4060-ti-16",)),
        ("1060", "gtx-1060-6", ("gtx-1060-3",)),
        ("A770", "arc-a770", ("arc-a770-8",)),
        ("Pro 6000", "rtx-pro-6000-server", ("rtx-pro-6000-ws",)),
        ("NVIDIA GH200 480GB", "gh200-96", ()),  # the word is of the host's memory, and tells them
        ("H100 MIG 1g.10gb", "h100-sxm5-80", (
            "h100-nvl-94", "h100-pcie-80", "h100-sxm5-64", "h100-sxm5-94", "h100-sxm5-96")),
        ("v100-sxm2-16", "v100-sxm2-16", ()),
        ("Tesla V100-SXM2-16GB", "v100-sxm2-16", ()),
        ("NVIDIA A100-SXM4-80GB", "a100-sxm4-80", ()),
        ("nvidia-tesla-a100", "a100-sxm4-40", ()),  # a cloud's own word for one board
        ("GRID A100-40C", "a100-pcie-40", ()),  # vGPUs of the SXM board are A100X
        ("rtx4090", "rtx-4090", ()),  # the 4090 D is called by all of its name
        ("MI250", "mi250", ()),
        ("H200", "h200-sxm-141", ()),
        ("v4-128", "tpu-v4", ()),
    ],
)  # fmt: skip
def test_what_else_a_name_may_stand_for(name, taken, others):
    assert find(name).id == taken
    assert twins(name, taken) == others


def test_it_is_said_in_a_sentence():
    assert alternatives("nvidia h800", "h800-sxm5-80") == (
        "its commonest board; h800-pcie-80 is called so too: write which"
    )
    assert alternatives("gtx 1060", "gtx-1060-6").endswith(
        "gtx-1060-3 is called so too: write which"
    )
    assert alternatives("v100-16gb", "v100-sxm2-16") == (
        "its commonest board; v100-dgxs-16, v100-fhhl-16, v100-pcie-16 are called so too: write "
        "which"
    )
    assert alternatives("h800-sxm5-80", "h800-sxm5-80") == ""
