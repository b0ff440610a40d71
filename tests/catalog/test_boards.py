"""Boards by the names that drivers report, and their figures restated from the makers' own pages.

The second table was written by hand from data sheets and white papers, not from the profiles: dense
rates with fp32 accumulation, where a page headlines sparsity half of what it says.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from test_accelerators import written

from costcalc.base.errors import NotFoundError
from costcalc.catalog import parts
from costcalc.catalog.accelerator import Accelerator, find
from costcalc.catalog.check import check
from costcalc.catalog.loading import load
from costcalc.catalog.parts import MIG, mig_of, mig_part
from costcalc.catalog.peak import peak

# What nvidia-smi, torch, rocm-smi, jax, npu-smi and macOS call a device, and its profile.
NAMES = {
    "Tesla K40m": "k40",
    "Tesla K80": "k80",
    "Tesla M40": "m40-12",
    "Tesla M60": "m60",
    "Tesla P4": "p4",
    "Tesla P40": "p40",
    "Tesla P100-PCIE-12GB": "p100-pcie-12",
    "Tesla P100-SXM2-16GB": "p100-sxm2",
    "Tesla V100-PCIE-32GB": "v100-pcie-32",
    "Tesla V100-SXM2-32GB": "v100-sxm2-32",
    "Tesla V100-SXM3-32GB": "v100-sxm3-32",
    "Tesla V100-DGXS-32GB": "v100-dgxs-32",
    "Tesla T4": "t4",
    "NVIDIA GeForce GTX 1060 6GB": "gtx-1060-6",
    "NVIDIA GeForce GTX 1080": "gtx-1080",
    "NVIDIA GeForce GTX 1650": "gtx-1650",
    "NVIDIA TITAN X (Pascal)": "titan-x-pascal",
    "NVIDIA TITAN V": "titan-v",
    "NVIDIA TITAN RTX": "titan-rtx",
    "NVIDIA GeForce RTX 2060": "rtx-2060",
    "NVIDIA GeForce RTX 2080": "rtx-2080",
    "NVIDIA GeForce RTX 2080 Ti": "rtx-2080-ti",
    "NVIDIA GeForce RTX 3060": "rtx-3060-12",
    "NVIDIA GeForce RTX 3060 Ti": "rtx-3060-ti",
    "NVIDIA GeForce RTX 3070 Laptop GPU": "rtx-3070-laptop",
    "NVIDIA GeForce RTX 3080": "rtx-3080-10",
    "NVIDIA GeForce RTX 3090": "rtx-3090",
    "NVIDIA GeForce RTX 4060": "rtx-4060",
    "NVIDIA GeForce RTX 4060 Laptop GPU": "rtx-4060-laptop",
    "NVIDIA GeForce RTX 4070 Ti SUPER": "rtx-4070-ti-super",
    "NVIDIA GeForce RTX 4080 SUPER": "rtx-4080-super",
    "NVIDIA GeForce RTX 4090 D": "rtx-4090-d",
    "NVIDIA GeForce RTX 5060 Ti": "rtx-5060-ti-16",
    "NVIDIA GeForce RTX 5070 Ti": "rtx-5070-ti",
    "NVIDIA GeForce RTX 5090": "rtx-5090",
    "NVIDIA GeForce RTX 5090 Laptop GPU": "rtx-5090-laptop",
    "Quadro RTX 6000": "quadro-rtx-6000",
    "Quadro RTX 5000": "quadro-rtx-5000",
    "NVIDIA RTX A2000 12GB": "rtx-a2000-12",
    "NVIDIA RTX A4500": "rtx-a4500",
    "NVIDIA RTX A5500": "rtx-a5500",
    "NVIDIA RTX 2000 Ada Generation": "rtx-2000-ada",
    "NVIDIA RTX 5000 Ada Generation": "rtx-5000-ada",
    "NVIDIA RTX PRO 6000 Blackwell Workstation Edition": "rtx-pro-6000-ws",
    "NVIDIA RTX PRO 6000 Blackwell Server Edition": "rtx-pro-6000-server",
    "NVIDIA RTX PRO 5000 Blackwell": "rtx-pro-5000",
    "NVIDIA A2": "a2",
    "NVIDIA A10": "a10",
    "NVIDIA A10G": "a10g",
    "NVIDIA A30": "a30",
    "NVIDIA A40": "a40",
    "NVIDIA A100-PCIE-40GB": "a100-pcie-40",
    "NVIDIA A100 80GB PCIe": "a100-pcie-80",
    "NVIDIA A100-SXM4-40GB": "a100-sxm4-40",
    "NVIDIA A100-SXM-64GB": "a100-sxm-64",
    "NVIDIA A100-SXM4-40GB MIG 1g.5gb": "a100-sxm4-40",
    "NVIDIA A800-SXM4-80GB": "a800-sxm4-80",
    "NVIDIA L4": "l4",
    "NVIDIA L40": "l40",
    "NVIDIA L40S": "l40s",
    "NVIDIA L20": "l20",
    "NVIDIA H100 PCIe": "h100-pcie-80",
    "NVIDIA H100 80GB HBM3": "h100-sxm5-80",
    "NVIDIA H100 64GB HBM2": "h100-sxm5-64",
    "NVIDIA H100 NVL": "h100-nvl-94",
    "NVIDIA H800": "h800-sxm5-80",
    "NVIDIA H20": "h20-96",
    "NVIDIA H20-3e": "h20-141",
    "NVIDIA H200": "h200-sxm-141",
    "NVIDIA H200 NVL": "h200-nvl-141",
    "NVIDIA GH200 120GB": "gh200-96",
    "NVIDIA GH200 480GB": "gh200-96",
    "NVIDIA GH200 144G HBM3e": "gh200-144",
    "NVIDIA B200": "b200-sxm-180",
    "NVIDIA B300 SXM6 AC": "b300-sxm",
    "NVIDIA GB200": "gb200",
    "NVIDIA GB300": "gb300",
    "NVIDIA GB10": "gb10",
    "Jetson AGX Orin": "jetson-agx-orin-64",
    "NVIDIA Thor": "jetson-thor-t5000",
    "Vera Rubin": "rubin",
    "AMD Instinct MI50": "mi50",
    "AMD Instinct MI100": "mi100",
    "AMD Instinct MI250X": "mi250x",
    "AMD Instinct MI250X/MI250": "mi250x",
    "AMD Instinct MI300A": "mi300a",
    "AMD Instinct MI300X VF": "mi300x",
    "AMD Instinct MI308X": "mi308x",
    "AMD Instinct MI350X": "mi350x",
    "AMD Instinct MI355X": "mi355x",
    "AMD Instinct MI455X": "mi455x",
    "AMD Radeon RX 7900 XTX": "rx-7900-xtx",
    "AMD Radeon RX 9070 XT": "rx-9070-xt",
    "AMD Radeon 8060S Graphics": "radeon-8060s",
    "Intel(R) Data Center GPU Max 1550": "max-1550",
    "Intel(R) Data Center GPU Max 1100": "max-1100",
    "Intel(R) Arc(TM) A770 Graphics": "arc-a770",
    "Intel(R) Arc(TM) B580 Graphics": "arc-b580",
    "Apple M1": "m1",
    "Apple M1 Max": "m1-max",
    "Apple M2": "m2",
    "Apple M2 Max": "m2-max",
    "Apple M3": "m3",
    "Apple M3 Max": "m3-max",
    "Apple M4": "m4",
    "Apple M4 Max": "m4-max",
    "Apple M5 Max": "m5-max",
    "TPU v2": "tpu-v2",
    "TPU v3": "tpu-v3",
    "TPU v4": "tpu-v4",
    "TPU v4 lite": "tpu-v4i",
    "TPU v5 lite": "tpu-v5e",
    "TPU v5p": "tpu-v5p",
    "TPU v6 lite": "tpu-v6e",
    "TPU7x": "tpu-v7",
    "trn1": "trainium1",
    "trn3": "trainium3",
    "Ascend 910B": "ascend-910b",
    "Ascend910B3": "ascend-910b3",
    "Ascend 910C": "ascend-910c",
    "Gaudi 3": "gaudi3",
    "Hygon K100": "hygon-k100",
    "K100_AI": "hygon-k100-ai",
}

# id: (fp32, fp16 or bf16 on tensor or matrix units; TFLOP/s), GB/s, W.  None: no page says it.
STATED: dict[str, tuple[float | None, float | None, float, float | None]] = {
    "k40": (5.04, None, 288, 235),  # 2880 cores at 875 MHz
    "p4": (5.5, None, 192, 75),
    "p100-pcie-12": (9.3, 18.7, 549, 250),
    "titan-v": (14.9, 119.2, 653, 250),  # 640 tensor cores at 1455 MHz
    "gtx-1080": (8.87, None, 320, 180),
    "rtx-2080-ti": (13.45, 53.8, 616, 250),  # 107.6 with fp16 accumulation
    "quadro-rtx-6000": (16.3, 130.5, 672, 260),
    "quadro-rtx-5000": (11.2, 89.2, 448, 230),
    "rtx-3060-12": (12.7, 25.5, 360, 170),
    "rtx-3070-ti": (21.7, 43.5, 608, 290),
    "rtx-3090": (35.6, 71.0, 936, 350),
    "rtx-3090-ti": (40.0, 80.0, 1008, 450),
    "rtx-a2000-12": (8.0, 31.9, 288, 70),
    "rtx-a4000": (19.2, 76.7, 448, 140),
    "rtx-a4500": (23.7, 94.6, 640, 200),
    "rtx-a5500": (34.1, 136.4, 768, 230),
    "a2": (4.5, 18.0, 200, 60),
    "a30": (10.3, 165, 933, 165),
    "a100-sxm-64": (22.4, 358, 1640, None),
    "rtx-4060": (15.1, 30.2, 272, 115),
    "rtx-4070-ti": (40.1, 80.2, 504, 285),
    "rtx-4090": (82.6, 165.2, 1008, 450),
    "rtx-4090-d": (73.5, 147.1, 1008, 425),
    "rtx-2000-ada": (12.0, 48.0, 224, 70),
    "rtx-4000-ada": (26.7, 106.9, 360, 130),
    "rtx-5000-ada": (65.3, 261.1, 576, 250),
    "rtx-6000-ada": (91.1, 364.2, 960, 300),
    "l4": (30.3, 121, 300, 72),
    "l40": (90.5, 181, 864, 300),
    "rtx-5070-ti": (43.9, 87.9, 896, 300),
    "rtx-5080": (56.3, 112.6, 960, 360),
    "rtx-5090": (104.8, 209.5, 1792, 575),
    "rtx-pro-6000-ws": (125, 500, 1792, 600),
    "jetson-agx-orin-64": (5.3, 42.6, 204.8, 60),
    "jetson-orin-nano-8": (2.1, 16.7, 102, 25),  # 67 TOPS of int8 with sparsity
    "mi50": (13.3, 26.5, 1024, 300),
    "mi60": (14.7, 29.5, 1024, 300),
    "rx-6900-xt": (23.0, 46.1, 512, 300),
    "rx-7900-xtx": (61.4, 122.8, 960, 355),
    "rx-9070-xt": (48.7, 195, 640, 304),
    "radeon-ai-pro-r9700": (47.8, 191, 640, 300),
    "arc-b580": (14.6, 116.7, 456, 190),  # 233 TOPS of int8
    "max-1100": (22.2, 355, 1229, 300),
    "m1": (2.6, 2.6, 68.3, None),
    "m1-ultra": (21.2, 21.2, 800, None),
    "m2-max": (13.6, 13.6, 400, None),
    "tpu-v4i": (None, 138, 614, 175),
    "ascend-910a": (None, 256, 1228, 310),
}


@pytest.mark.parametrize(("name", "profile"), NAMES.items())
def test_a_driver_s_name_finds_its_board(name: str, profile: str) -> None:
    assert find(name).id == profile


@pytest.mark.parametrize(("name", "stated"), STATED.items())
def test_figures_are_those_that_the_maker_states(
    name: str, stated: tuple[float | None, float | None, float, float | None]
) -> None:
    board = find(name)
    fp32, half, bandwidth, power = stated
    rates = board.peak.rates()
    if fp32 is not None:
        assert rates["fp32"] == pytest.approx(fp32 * 1e12, rel=0.03)
    if half is not None:
        assert rates.get("fp16", rates.get("bf16")) == pytest.approx(half * 1e12, rel=0.03)
    assert board.memory_bandwidth.si == pytest.approx(bandwidth * 1e9, rel=0.02)
    if power is not None:
        assert board.board_power is not None
        assert board.board_power.si == pytest.approx(power, rel=0.02)


# --- ratios of an architecture -------------------------------------------------------------------

BOARD = """\
id: mine
name: {name}
vendor: Me
kind: gpu
generation: {generation}
released: 2024
peak:
  {upper}: {{value: {value}, unit: TFLOP/s, source: sheet, low: 0.001}}
  {lower}: {{value: 10, unit: TFLOP/s, source: sheet, low: 0.001}}
memory: {{value: 16, unit: GiB, source: sheet}}
memory_bandwidth: {{value: 0.5, unit: TB/s, source: sheet, low: 0.4}}
sources:
  sheet: {{title: Sheet, publisher: Me, date: 2024}}
"""


def said(folder: Path, upper: str, lower: str, ratio: float, generation: str, name: str) -> str:
    """What the check says of a board with two rates in that ratio; nothing if it finds no fault."""
    text = BOARD.format(
        name=name, generation=generation, upper=upper, lower=lower, value=round(10 * ratio, 3)
    )
    faults = check(load(written(folder, text), Accelerator, "mine.yaml"))
    return "; ".join(str(fault).split(": ", 1)[1] for fault in faults)


@pytest.mark.parametrize(
    ("generation", "upper", "lower", "right", "wrong", "shown"),
    [
        ("ampere", "fp32", "fp64", (2, 64), (32, 128), "2 or 64 x fp64 on ampere"),
        ("turing", "fp32", "fp64", (32,), (64,), "32 x fp64 on turing"),
        ("rdna2", "fp32", "fp64", (16,), (32,), "16 x fp64 on rdna2"),
        ("ampere", "fp16", "fp32", (2, 4, 8, 16), (1, 32), "2 or 4 or 8 or 16 x fp32 on ampere"),
        ("hopper", "fp16", "fp32", (13.93, 3.36), (29.6, 7.4), "3.4 or 14.4 x fp32"),
        ("rdna3", "fp16", "fp32", (2,), (4, 1), "2 x fp32 on rdna3"),
        ("alchemist", "fp16", "fp32", (8,), (16,), "8 x fp32 on alchemist"),
    ],
)
def test_ratios_that_boards_of_an_architecture_have(
    tmp_path: Path,
    generation: str,
    upper: str,
    lower: str,
    right: tuple[float, ...],
    wrong: tuple[float, ...],
    shown: str,
) -> None:
    for ratio in right:
        assert said(tmp_path, upper, lower, ratio, generation, "Mine") == ""
        assert said(tmp_path, upper, lower, ratio * 1.079, generation, "Mine") == ""
    for ratio in wrong:
        assert f"peak.{upper}: expected {shown}" in said(
            tmp_path, upper, lower, ratio, generation, "Mine"
        )
    assert said(tmp_path, upper, lower, wrong[0], "of-my-own", "Mine") == ""


@pytest.mark.parametrize(
    ("generation", "most"), [("turing", 4), ("ampere", 2), ("ada", 2), ("blackwell-geforce", 2)]
)
def test_a_geforce_accumulates_in_fp32_at_half_rate(
    tmp_path: Path, generation: str, most: int
) -> None:
    name = "My GeForce RTX"
    assert said(tmp_path, "fp16", "fp32", most, generation, name) == ""
    assert said(tmp_path, "fp16", "fp32", 2 * most, generation, name) == (
        f"peak.fp16: expected at most {most} x fp32 on a GeForce, which accumulates in fp32 at "
        f"half rate; got {2 * most} x"
    )
    assert said(tmp_path, "fp16", "fp32", 2 * most, generation, "My RTX") == ""


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("NVIDIA A30 MIG 1g.5gb", "no MIG profile 1g.5gb of a30; it has 1g.6gb, 2g.12gb, 4g.24gb"),
        (
            "NVIDIA A100-SXM4-80GB MIG 5g.40gb",
            "no MIG profile 5g.40gb of a100-sxm4-80; it has 1g.10gb, 1g.20gb, 2g.20gb, 3g.40gb, "
            "4g.40gb, 7g.80gb",
        ),
        (
            "RTX 4090 MIG 1g.6gb",
            "no MIG profiles of rtx-4090 are known: write rtx-4090, and hardware.share",
        ),
    ],
)
def test_a_part_that_no_board_is_cut_into_is_refused(name: str, message: str) -> None:
    for ask in (find, peak):
        with pytest.raises(NotFoundError) as caught:
            ask(name)
        assert str(caught.value) == f"hardware.accelerator: {message}"


@pytest.mark.parametrize(
    ("name", "processors", "memory"),
    [  # nvidia-smi mig -lgip
        ("NVIDIA A100 80GB PCIe MIG 3g.40gb", 42 / 108, 4 / 8),
        ("NVIDIA H100 PCIe MIG 2g.20gb", 30 / 114, 2 / 8),
        ("NVIDIA H200 MIG 4g.71gb", 64 / 132, 4 / 8),
        ("NVIDIA B200 MIG 1g.45gb", 30 / 148, 2 / 8),
        ("NVIDIA GB200 MIG 2g.47gb", 38 / 152, 2 / 8),
        ("NVIDIA RTX PRO 6000 Blackwell Server Edition MIG 1g.24gb+me", 46 / 188, 1 / 4),
        ("NVIDIA A30 MIG 2g.12gb", 28 / 56, 2 / 4),
    ],
)
def test_what_a_part_has_of_its_board(name: str, processors: float, memory: float) -> None:
    mig = mig_of(name)
    assert mig is not None
    part = mig_part(mig, find(name).id)
    assert (part.compute, part.memory) == (pytest.approx(processors), pytest.approx(memory))


def test_every_board_that_is_cut_has_a_profile_and_names_that_fit_its_memory() -> None:
    for board, (chip, sizes) in MIG.items():
        whole = find(board).memory.si / 1e9
        assert sizes[-1] == pytest.approx(whole, rel=0.08)
        assert all(processors <= chip.multiprocessors for processors in chip.cuts.values())


def test_instances_of_a_chip_are_parts_of_its_multiprocessors() -> None:
    halves = {"A30": 56, "RTX_PRO_6000": 188}
    for name, whole in halves.items():
        chip = getattr(parts, name)
        # of four slices two are half of the chip, and four all of it
        assert (chip.multiprocessors, chip.cuts[2, 2], chip.cuts[4, 4]) == (
            whole, whole // 2, whole,
        )  # fmt: skip
    for name in ("A100", "H100", "B200", "GB200"):
        chip = getattr(parts, name)
        assert chip.cuts[4, 4] == 2 * chip.cuts[2, 2], name
    for name in ("A100", "A30", "H100_PCIE", "H100", "B200", "GB200", "RTX_PRO_6000"):
        chip = getattr(parts, name)
        sizes = [chip.cuts[key] for key in sorted(chip.cuts)]
        assert sizes == sorted(sizes), name  # more slices are no fewer multiprocessors
        full = sizes[-1]
        # seven slices of A100 leave some over: 7 · 14 of 108
        assert full == (7 * 14 if name == "A100" else chip.multiprocessors), name
        assert all(size % 2 == 0 for size in sizes), name  # they come in pairs
