"""The profiles that ship: each one held to the rules, and figures restated from their sources."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from costcalc.catalog import host
from costcalc.catalog.accelerator import (
    SHIPPED,
    Accelerator,
    all_accelerators,
    find,
    schema,
    slice_of,
)
from costcalc.catalog.check import check, check_names, unconfirmed
from costcalc.catalog.figure import figures
from costcalc.catalog.files import data_root, profiles_root
from costcalc.catalog.loading import load
from costcalc.catalog.prices import known as known_prices
from costcalc.catalog.prices import shipped

FILES = [
    (kind, path.name)
    for kind in SHIPPED
    for path in sorted((profiles_root() / kind).iterdir(), key=lambda path: path.name)
]
PROFILES = {profile.id: profile for profile in all_accelerators()}
ACCELERATORS = [profile for profile in PROFILES.values() if profile.kind != "cpu"]


# --- every file ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "name"), FILES, ids=lambda part: part)
def test_a_profile_holds_to_the_rules(kind: str, name: str) -> None:
    path = profiles_root() / kind / name
    first = path.read_text(encoding="utf-8").splitlines()[0]
    assert first == (
        "# yaml-language-server: $schema=../../costcalc/data/schemas/accelerator.schema.json"
    )
    profile = load(path, Accelerator, name)
    assert name == f"{profile.id}.yaml", "an id is looked up as the name of a file"
    assert [str(problem) for problem in check(profile)] == []
    assert unconfirmed(profile) == [], "a second source, a second road, or a range"
    assert (profile.kind == "cpu") == (kind == "cpus")


def test_names_are_unique_over_all_files() -> None:
    assert check_names(PROFILES.values()) == []


def test_there_are_at_least_a_hundred_and_eighty_accelerators_and_a_handful_of_processors() -> None:
    assert len(ACCELERATORS) >= 180
    assert len(PROFILES) - len(ACCELERATORS) >= 5


def test_the_folders_hold_profiles_only() -> None:
    """A Python file in there would break the editable install."""
    assert {Path(name).suffix for _, name in FILES} == {".yaml"}


def test_the_shipped_schema_is_the_generated_one() -> None:
    text = (data_root() / "schemas" / "accelerator.schema.json").read_text(encoding="utf-8")
    assert json.loads(text) == json.loads(json.dumps(schema()))


def test_the_profile_in_the_readme_is_one(tmp_path: Path) -> None:
    readme = (profiles_root() / "README.md").read_text(encoding="utf-8")
    block = re.search(r"```yaml\n(.*?)```", readme, re.DOTALL)
    assert block is not None
    path = tmp_path / "example-80.yaml"
    path.write_text(block[1])
    profile = load(path, Accelerator)
    assert check(profile) == []
    assert unconfirmed(profile) == []


def test_the_readme_lists_every_generation() -> None:
    readme = (profiles_root() / "README.md").read_text(encoding="utf-8")
    listed = readme.partition("## Generations in use")[2]
    for generation in {profile.generation for profile in ACCELERATORS}:
        if not generation.startswith("tpu-"):
            assert generation in listed


def test_every_source_can_be_looked_up() -> None:
    for profile in PROFILES.values():
        for name, source in profile.sources.items():
            assert source.title, (profile.id, name)
            assert source.publisher, (profile.id, name)
            assert source.url is not None, (profile.id, name)
            assert re.match(r"https?://[^ ]+$", source.url), (profile.id, name)


def test_what_is_no_published_figure_says_so() -> None:
    """A figure that was computed from others tells how; an estimate of power has a range."""
    for profile in PROFILES.values():
        for path, figure in figures(profile):
            if figure.derived_from:
                assert figure.note, (profile.id, path)
        power = profile.board_power
        if power is not None and power.note and "estimate" in power.note:
            assert power.low is not None, profile.id
            assert power.high is not None, profile.id


# --- peaks, restated by hand ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("profile", "precision", "tera"),
    [
        # NVIDIA datasheets; dense, so half of what the pages of Hopper and later headline
        ("v100-sxm2-32", "fp16", 125),
        ("v100-pcie-16", "fp16", 112),
        ("t4", "fp16", 65),
        ("a100-sxm4-80", "tf32", 156),
        ("a100-sxm4-80", "bf16", 312),
        ("a100-sxm4-80", "int8", 624),
        ("h100-sxm5-80", "bf16", 989.4),
        ("h100-sxm5-80", "fp8", 3957.8 / 2),
        ("h100-pcie-80", "bf16", 1513 / 2),
        ("h100-nvl-94", "bf16", 1671 / 2),
        ("h200-sxm-141", "fp8", 3957.8 / 2),
        ("l40s", "bf16", 724 / 2),
        ("l4", "bf16", 242 / 2),
        ("b200-sxm-180", "bf16", 36_000 / 2 / 8),
        ("b200-sxm-180", "fp8", 72_000 / 2 / 8),
        # a GB200 NVL72 of 72 GPUs: 360 PFLOP/s of bf16 with sparsity
        ("gb200", "bf16", 360_000 / 2 / 72),
        ("gb300", "fp8", 720_000 / 2 / 72),
        # fp32 accumulation: half of the fp16-accumulate rate on GeForce
        ("rtx-2080-ti", "fp16", 107.6 / 2),
        ("rtx-3090", "bf16", 142 / 2),
        ("rtx-4090", "bf16", 330.3 / 2),
        ("rtx-4090", "fp8", 660.6 / 2),
        ("rtx-5090", "bf16", 838 / 4),
        ("a10g", "bf16", 70),
        ("a10", "bf16", 125),
        # AMD: modules, not GCD; MI100 has half the fp16 rate in bf16
        ("mi250x", "bf16", 2 * 191.5),
        ("mi100", "fp16", 184.6),
        ("mi100", "bf16", 184.6 / 2),
        ("mi300x", "bf16", 1307.4),
        ("mi300x", "fp8", 2614.9),
        ("mi355x", "bf16", 2516.6),
        # Google: a chip; v6e has fp8 no faster than bf16
        ("tpu-v3", "bf16", 123),
        ("tpu-v4", "bf16", 275),
        ("tpu-v5e", "bf16", 197),
        ("tpu-v5p", "bf16", 459),
        ("tpu-v6e", "bf16", 918),
        ("tpu-v6e", "fp8", 918),
        ("tpu-v7", "bf16", 2307),
        # Intel: at the clock that Gaudi 3 ships with; AWS: dense
        ("gaudi2", "bf16", 432),
        ("gaudi3", "bf16", 1678),
        ("trainium1", "bf16", 190),
        ("trainium2", "fp8", 1299),
        ("trainium3", "bf16", 671),
    ],
)
def test_dense_peaks(profile: str, precision: str, tera: float) -> None:
    assert PROFILES[profile].peak.rates()[precision] == pytest.approx(tera * 1e12, rel=2e-3)


@pytest.mark.parametrize(
    ("profile", "precision", "terms"),
    [
        # units x clock in MHz x FLOP a clock, from the architecture papers
        ("v100-sxm2-16", "fp16", (80, 1530, 8 * 128)),  # 8 tensor cores of 64 FMA
        ("a100-sxm4-40", "bf16", (108, 1410, 4 * 512)),  # 4 of 256 FMA
        ("h100-sxm5-80", "bf16", (132, 1830, 4 * 1024)),  # 4 of 512 FMA
        ("t4", "fp16", (40, 1590, 8 * 128)),
        ("rtx-3090", "bf16", (82, 1695, 512)),
        ("mi300x", "bf16", (304, 2100, 2048)),
        ("mi250x", "bf16", (220, 1700, 1024)),
        ("tpu-v4", "bf16", (8, 1050, 2 * 128 * 128)),  # 8 systolic arrays of 128 x 128
        ("tpu-v3", "bf16", (4, 940, 2 * 128 * 128)),
        ("gaudi2", "bf16", (2, 1650, 2 * 256 * 256)),
        ("p100-sxm2", "fp32", (56, 1480, 2 * 64)),
    ],
)
def test_peaks_by_the_second_road(
    profile: str, precision: str, terms: tuple[int, float, float]
) -> None:
    units, megahertz, flop = terms
    expected = units * megahertz * 1e6 * flop
    assert PROFILES[profile].peak.rates()[precision] == pytest.approx(expected, rel=0.025)


@pytest.mark.parametrize(
    ("profile", "gigabytes_a_second", "watts"),
    [
        ("a100-sxm4-40", 1555, 400),
        ("a100-sxm4-80", 2039, 400),
        ("a100-pcie-40", 1555, 250),
        ("a100-pcie-80", 1935, 300),
        ("h100-sxm5-80", 3350, 700),
        ("h100-pcie-80", 2000, 350),
        ("h200-sxm-141", 4800, 700),
        ("b200-sxm-180", 8000, 1000),
        ("gb300", 8000, 1400),
        ("v100-sxm2-16", 900, 300),
        ("t4", 320, 70),
        ("rtx-4090", 1008, 450),
        ("rtx-5090", 1792, 575),
        ("mi250x", 3277, 560),
        ("mi300x", 5300, 750),
        ("mi355x", 8000, 1400),
        ("gaudi2", 2460, 600),
        ("gaudi3", 3700, 900),
        ("tpu-v3", 900, 262),
        ("tpu-v4", 1200, 192),
        ("k80", 2 * 240.6, 300),
        ("xeon-platinum-8480", 8 * 4.8 * 8, 350),
        ("epyc-9654", 12 * 4.8 * 8, 360),
    ],
)
def test_memory_bandwidth_and_board_power(
    profile: str, gigabytes_a_second: float, watts: float
) -> None:
    found = PROFILES[profile]
    assert found.memory_bandwidth.si == pytest.approx(gigabytes_a_second * 1e9, rel=2e-3)
    assert found.board_power is not None
    assert found.board_power.si == watts


@pytest.mark.parametrize(
    ("profile", "both_directions", "domain"),
    [
        # NVIDIA and Google print both directions added; a profile has one
        ("p100-sxm2", 160, 8),
        ("v100-sxm2-32", 300, 8),
        ("v100-sxm3-32", 300, 16),
        ("a100-sxm4-80", 600, 8),
        ("a800-sxm4-80", 400, 8),
        ("h100-sxm5-80", 900, 8),
        ("h800-sxm5-80", 400, 8),
        ("b200-sxm-180", 1800, 8),
        ("gb200", 1800, 72),
        ("gb300", 1800, 72),
        ("mi300x", 7 * 128, 8),
        ("mi355x", 7 * 153, 8),
        ("tpu-v5e", 400, 256),
        ("tpu-v5p", 1200, 8960),
        ("tpu-v6e", 800, 256),
        ("gaudi2", 2 * 21 * 12.5, 8),  # 21 ports of 100 Gbit/s
    ],
)
def test_links_are_each_way(profile: str, both_directions: float, domain: int) -> None:
    fabric = PROFILES[profile].scale_up
    assert fabric is not None
    assert fabric.bandwidth.si == pytest.approx(both_directions / 2 * 1e9)
    assert fabric.domain == domain


@pytest.mark.parametrize(
    ("profile", "unit", "parts"),
    [
        ("mi250x", "module of 2 GCD", 2),
        ("k80", "board of 2 GPUs", 2),
        ("tpu-v4", "chip", 2),
        ("tpu-v5e", "chip", 1),
        ("h100-sxm5-80", "GPU", 1),
        ("gb200", "GPU", 1),
        ("trainium2", "chip", 8),
    ],
)
def test_the_unit_of_count_is_stated(profile: str, unit: str, parts: int) -> None:
    assert PROFILES[profile].unit == unit
    assert PROFILES[profile].sub_devices.count == parts


def test_labels_of_memory_are_gib_but_where_a_driver_says_otherwise() -> None:
    assert PROFILES["a100-sxm4-80"].memory.si == 80 * 2**30
    assert PROFILES["b200-sxm-180"].memory.si == 183_359 * 2**20  # sold as 180 GB: 179.1 GiB
    assert PROFILES["b300-sxm"].memory.si == pytest.approx(288.4e9, rel=1e-3)  # sold as 288 GB


def test_measured_ceilings_are_shares_of_the_dense_peak() -> None:
    """TFLOP/s measured by the open book on ML engineering, over the peaks here."""
    for name, precision, measured in (
        ("a100-sxm4-80", "bf16", 271.2),
        ("h100-sxm5-80", "bf16", 794.5),
        ("h100-sxm5-80", "fp8", 1402.6),
        ("mi300x", "bf16", 668.4),
        ("mi355x", "bf16", 1565.0),
        ("gaudi3", "bf16", 1243.0),
        ("gb200", "bf16", 1822.0),
    ):
        profile = PROFILES[name]
        share = measured * 1e12 / profile.peak.rates()[precision]
        assert profile.matmul_ceiling[precision].si == pytest.approx(share, abs=1e-3)


# --- embodied carbon -----------------------------------------------------------------------------

# LLMCarbon: 1.8 kg/cm2 at 4 nm, 0.4 kg/GB; for the H100 8.14 cm2 x 1.8 + 80 GB x 0.4
H100_SUM = 8.14 * 1.8 + 80 * 0.4
NVIDIA_H100, BOAVIZTA_H100 = 164.0, 575.2


def test_the_h100_is_nvidias_own_figure_between_two_others() -> None:
    embodied = PROFILES["h100-sxm5-80"].embodied
    assert embodied is not None
    assert (embodied.value, embodied.unit) == (NVIDIA_H100, "kgCO2e")
    assert embodied.low == pytest.approx(H100_SUM, abs=0.1)
    assert embodied.high == pytest.approx(BOAVIZTA_H100, abs=0.5)
    assert embodied.value == pytest.approx(1312 / 8)  # an eighth of the board's footprint


def test_the_b200_is_nvidias_own_figure_and_agrees_with_its_intensity() -> None:
    embodied = PROFILES["b200-sxm-180"].embodied
    assert embodied is not None
    assert embodied.value == pytest.approx(2274 / 8, abs=0.5)
    # 0.50 against 0.66 gCO2e an exaFLOP of fp16, restated by NVIDIA apart from the footprint
    intensity = 0.50 / 0.66 * 2250 / 989.4
    assert embodied.value == pytest.approx(NVIDIA_H100 * intensity, rel=0.02)


@pytest.mark.parametrize(
    ("profile", "square_centimetres", "factor", "gigabytes"),
    [
        ("h200-sxm-141", 8.14, 1.8, 141),
        ("rtx-4090", 6.085, 1.8, 24),
        ("a30", 8.26, 1.6, 24),
        ("p100-sxm2", 6.10, 1.0, 16),
        ("mi250x", 14.48, 1.6, 128),
        ("tpu-v4", 6.0, 1.6, 32),
        ("gaudi2", 8.26, 1.6, 96),
        ("rtx-2080-ti", 7.54, 1.2, 11),
    ],
)
def test_derived_embodied_carbon(
    profile: str, square_centimetres: float, factor: float, gigabytes: float
) -> None:
    """low: dies and memory; value and high: as NVIDIA's and Boavizta's H100 over the same sum."""
    embodied = PROFILES[profile].embodied
    assert embodied is not None
    low = square_centimetres * factor + gigabytes * 0.4
    assert embodied.low == pytest.approx(low, abs=0.1)
    assert embodied.value == pytest.approx(low * NVIDIA_H100 / H100_SUM, abs=0.6)
    assert embodied.high == pytest.approx(low * BOAVIZTA_H100 / H100_SUM, abs=0.6)
    assert embodied.note is not None
    assert "without its server" in embodied.note


def test_one_method_in_the_column_of_embodied_carbon() -> None:
    """Dies by area and memory by size, times NVIDIA's H100 over the same sum, or NVIDIA's own."""
    own = {"hgx-h100-pcf", "hgx-b200-pcf"}
    for profile in PROFILES.values():
        embodied = profile.embodied
        assert embodied is not None
        assert embodied.source in {"llmcarbon", *own}, profile.id
        if embodied.source in own:
            continue
        (made,) = re.findall(r"make ([\d.]+) kg", embodied.note or "")
        expected = float(made) * NVIDIA_H100 / H100_SUM
        assert embodied.value == pytest.approx(expected, rel=0.03), profile.id


def test_tpu_machines_come_to_their_makers_own_study() -> None:
    # Schneider et al. 2025: kg a chip with its share of trays, host and rack
    for chip, kilograms in (("tpu-v5p", 1101), ("tpu-v6e", 692)):
        share = host.choose(chip).embodied_per_device()
        embodied = PROFILES[chip].embodied
        assert share is not None
        assert embodied is not None
        assert share / 1e3 + embodied.value == pytest.approx(kilograms, rel=0.005)


def test_every_accelerator_has_embodied_carbon_with_a_range() -> None:
    for profile in PROFILES.values():
        assert profile.embodied is not None, profile.id
        assert profile.embodied.low is not None, profile.id
        assert profile.embodied.high is not None, profile.id
        assert profile.embodied.low < profile.embodied.value < profile.embodied.high, profile.id


# --- power ---------------------------------------------------------------------------------------


def test_power_that_nobody_publishes_is_left_out_or_an_estimate() -> None:
    without = {profile.id for profile in PROFILES.values() if profile.board_power is None}
    assert without == {"ascend-910c", "inferentia2", "trainium1"}
    for name in ("tpu-v5e", "tpu-v5p", "tpu-v6e", "tpu-v7", "trainium2", "trainium3"):
        power = PROFILES[name].board_power
        assert power is not None
        assert power.note is not None
        assert "estimate" in power.note
        assert power.high is not None
        assert power.low is not None
        assert power.high / power.low >= 1.5


def test_idle_power_is_far_below_the_board_power() -> None:
    measured = [profile for profile in PROFILES.values() if profile.idle_power is not None]
    assert len(measured) >= 20
    for profile in measured:
        assert profile.idle_power is not None
        assert profile.board_power is not None
        assert profile.idle_power.si < 0.5 * profile.board_power.si, profile.id


# --- names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # NVML, as torch.cuda.get_device_name and nvidia-smi print them
        ("NVIDIA A100-SXM4-80GB", "a100-sxm4-80"),
        ("A100-SXM4-40GB", "a100-sxm4-40"),
        ("NVIDIA A100 80GB PCIe", "a100-pcie-80"),
        ("NVIDIA A100-PCIE-40GB", "a100-pcie-40"),
        ("NVIDIA H100 80GB HBM3", "h100-sxm5-80"),
        ("NVIDIA H100 PCIe", "h100-pcie-80"),
        ("NVIDIA H100 NVL", "h100-nvl-94"),
        ("NVIDIA H200", "h200-sxm-141"),
        ("NVIDIA GH200 480GB", "gh200-96"),
        ("NVIDIA B200", "b200-sxm-180"),
        ("NVIDIA B300 SXM6 AC", "b300-sxm"),
        ("NVIDIA GB200", "gb200"),
        ("NVIDIA H20", "h20-96"),
        ("NVIDIA GB300", "gb300"),
        ("NVIDIA L4", "l4"),
        ("NVIDIA L40S", "l40s"),
        ("NVIDIA L40", "l40"),
        ("NVIDIA A10G", "a10g"),
        ("NVIDIA A10", "a10"),
        ("NVIDIA GeForce RTX 4090", "rtx-4090"),
        ("NVIDIA GeForce RTX 3090", "rtx-3090"),
        ("NVIDIA GeForce RTX 5090", "rtx-5090"),
        ("GeForce RTX 2080 Ti", "rtx-2080-ti"),
        ("Tesla V100-SXM2-16GB", "v100-sxm2-16"),
        ("Tesla V100-SXM2-32GB", "v100-sxm2-32"),
        ("Tesla V100-PCIE-16GB", "v100-pcie-16"),
        ("Tesla V100S-PCIE-32GB", "v100s-pcie-32"),
        ("Tesla T4", "t4"),
        ("Tesla P100-PCIE-16GB", "p100-pcie-16"),
        ("Tesla K80", "k80"),
        ("NVIDIA RTX A6000", "rtx-a6000"),
        ("NVIDIA RTX A5000", "rtx-a5000"),
        # ROCm
        ("AMD Instinct MI250X", "mi250x"),
        ("AMD Instinct MI300X", "mi300x"),
        ("AMD Instinct MI210", "mi210"),
        ("AMD Radeon RX 7900 XTX", "rx-7900-xtx"),
        # jax.devices()[0].device_kind
        ("TPU v2", "tpu-v2"),
        ("TPU v3", "tpu-v3"),
        ("TPU v4", "tpu-v4"),
        ("TPU v5 lite", "tpu-v5e"),
        ("TPU v5", "tpu-v5p"),
        ("TPU v6 lite", "tpu-v6e"),
        ("TPU7x", "tpu-v7"),
        # what people write
        ("h100", "h100-sxm5-80"),
        ("4090", "rtx-4090"),
        ("a100-80gb", "a100-sxm4-80"),
        ("a100-40gb", "a100-sxm4-40"),
        ("v100", "v100-sxm2-16"),
        ("MI355X", "mi355x"),
        # labels of published measurements
        ("H100-80GB-SXM", "h100-sxm5-80"),
        ("A100-80GB-SXM", "a100-sxm4-80"),
        ("A100-40GB-SXM", "a100-sxm4-40"),
        ("V100-16GB-SXM2", "v100-sxm2-16"),
        ("V100-32GB-SXM3", "v100-sxm3-32"),
        ("H100-96GB-SXM", "h100-sxm5-96"),
        ("A100-80GB-PCIe", "a100-pcie-80"),
        ("TPU-v5e", "tpu-v5e"),
        ("Gaudi2", "gaudi2"),
        ("GTX580", "gtx-580"),
        ("TPUv4", "tpu-v4"),
        ("H800-80GB-SXM", "h800-sxm5-80"),
    ],
)
def test_names_that_drivers_clouds_and_people_use(name: str, expected: str) -> None:
    assert find(name).id == expected


def test_no_alias_reads_as_a_slice() -> None:
    """`v4-128` must say how many; an alias of that form would hide it."""
    for profile in PROFILES.values():
        for name in (profile.id, *profile.aliases):
            assert slice_of(name) is None


# --- prices --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("profile", "provider", "region", "plan", "instance_hour", "devices"),
    [
        # the undated snapshot: p5.48xlarge 55.04 USD an hour, 8 GPUs
        ("h100-sxm5-80", "aws", "us-east-1", "on-demand", 55.04, 8),
        # Vantage, 2023-11: the instance of 16 Trainium
        ("trainium1", "aws", "us-east-1", "on-demand", 21.50, 16),
        # p2.xlarge 0.90 for one GK210, half a board
        ("k80", "aws", "us-east-1", "on-demand", 0.90, 0.5),
        # Google, 2025-03-03: v6e in Iowa and Tokyo, a chip
        ("tpu-v6e", "gcp", "asia-northeast1", "on-demand", 3.24, 1),
        ("tpu-v6e", "gcp", "asia-northeast1", "reserved-3y", 1.46, 1),
    ],
)
def test_listed_prices(
    profile: str, provider: str, region: str, plan: str, instance_hour: float, devices: float
) -> None:
    found = known_prices(PROFILES[profile], provider, region, plan)
    per_device = {round(price.value, 3) for price in found if price.devices == devices}
    assert round(instance_hour / devices, 3) in per_device


def test_suspect_and_sentinel_prices_stay_out() -> None:
    """A commitment price listed as on-demand (4.20), one below its own spot, and 700."""
    for name, least in (("h100-sxm5-80", 5.0), ("a100-sxm4-80", 1.9)):
        listed = known_prices(PROFILES[name], "gcp", plan="on-demand")
        assert listed
        assert all(offer.value > least for offer in listed), name
    assert all(offer.value < 50.0 for offer in shipped().every())


def test_prices_state_their_host_and_date() -> None:
    listed = list(shipped().every())
    assert any(offer.date is None for offer in listed)  # unknown, and so said
    excluded = [offer for offer in listed if offer.host == "excluded"]
    assert excluded
    assert {offer.provider for offer in excluded} == {"gcp"}  # which lists the GPU alone
    assert {offer.plan for offer in listed} == {"on-demand", "spot", "reserved-1y", "reserved-3y"}
