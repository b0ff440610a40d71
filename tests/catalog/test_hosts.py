"""Hosts: every file against schema and physics; the choice of one where none is named."""

from __future__ import annotations

import json
import re

import pytest

from costcalc.base.errors import InputError, NotFoundError
from costcalc.catalog import accelerator, host
from costcalc.catalog.figure import figures
from costcalc.catalog.files import data_root

IDS = host.ids()

# (id, devices, scale-up domain, Gbit/s a device, node rating in W) from the vendors' documents.
STATED = [
    ("dgx-1-v100", 8, 8, 50, 3500),  # 4 x 100 Gbit/s EDR for 8 GPUs
    ("dgx-2", 16, 16, 50, 10_000),  # 8 x 100 Gbit/s for 16
    ("dgx-a100-80", 8, 8, 200, 6500),
    ("dgx-h100", 8, 8, 400, 10_200),
    ("dgx-b200", 8, 8, 400, 14_300),
    ("gb200-nvl72", 72, 72, 400, 120_000),
    ("p3dn.24xlarge", 8, 8, 12.5, None),  # 100 Gbit/s for 8
    ("p4d.24xlarge", 8, 8, 50, None),  # 400
    ("p5.48xlarge", 8, 8, 400, None),  # 3200
    ("p6-b300.48xlarge", 8, 8, 800, None),  # 6400
    ("g5.48xlarge", 8, 1, 12.5, None),  # 100, no NVLink
    ("trn1.32xlarge", 16, 16, 50, None),  # 800 for 16
    ("trn2.48xlarge", 16, 16, 200, None),  # 3200 for 16
    ("a3-highgpu-8g", 8, 8, 100, None),  # 4 x 200 for 8
    ("a3-megagpu-8g", 8, 8, 200, None),
    ("nd40rs-v2", 8, 8, 12.5, None),  # one 100 Gbit/s card for 8
    ("nd96asr-v4", 8, 8, 200, None),
    ("nd96isr-h100-v5", 8, 8, 400, None),
    ("tpu-v5e-host", 8, 256, 25, None),  # 6.4 Tbit/s a pod of 256
    ("lumi-g", 4, 4, 200, None),  # 25 GB/s a module
    ("leonardo", 4, 4, 100, None),  # 2 dual-port HDR cards for 4
    ("marenostrum-5", 4, 4, 200, None),  # 4 x NDR200
    ("jupiter", 4, 4, 200, None),  # 4 x NDR200
    ("isambard-ai", 4, 4, 200, None),  # 4 Slingshot-11 cards
    ("perlmutter", 4, 4, 200, None),  # 4 Slingshot-11 cards
    ("tsubame-4", 4, 4, 200, None),  # 4 x NDR200
    ("abci-3", 8, 8, 200, None),  # 8 x NDR200
]


@pytest.mark.parametrize("name", IDS)
def test_a_host_reads_and_holds_together(name: str) -> None:
    found = host.find(name)  # the schema: sources named and used, low <= value <= high
    assert found.id == name
    assert found.host_power.low is not None
    assert found.host_power.high is not None
    if found.accelerator is not None:
        chip = accelerator.find(found.accelerator)
        assert chip.id == found.accelerator  # by its id, not by an alias
        if found.max_power is not None and chip.board_power is not None:
            boards = found.devices * chip.board_power.si
            assert boards < found.max_power.si * 1.01
            # What the rating leaves beside full boards bounds what a host draws in training.
            assert found.host_power.si <= found.max_power.si - boards + 1
    for chip_id in found.default_for:
        assert accelerator.find(chip_id).id == chip_id


@pytest.mark.parametrize("name", IDS)
def test_what_is_derived_says_how(name: str) -> None:
    found = host.find(name)
    assert len(found.host_power.note or "") > 40
    for path, figure in figures(found):
        assert found.sources[figure.source].title, path


@pytest.mark.parametrize(("name", "devices", "domain", "gbit", "rating"), STATED)
def test_stated_figures(
    name: str, devices: int, domain: int, gbit: float, rating: float | None
) -> None:
    found = host.find(name)
    assert (found.devices, found.scale_up_domain) == (devices, domain)
    assert found.scale_out is not None
    assert found.scale_out.si == pytest.approx(gbit * 1e9 / 8)
    assert (found.max_power.si if found.max_power else None) == rating


def test_names_are_unique_over_all_hosts() -> None:
    owners: dict[str, str] = {}
    for name in IDS:
        for known in {alias.lower() for alias in (name, *host.find(name).aliases)}:
            assert owners.setdefault(known, name) == name


def test_an_accelerator_is_the_default_of_one_host_at_most() -> None:
    owners: dict[str, str] = {}
    for name in IDS:
        for chip in host.find(name).default_for:
            assert owners.setdefault(chip, name) == name


def test_h100_host_power_lies_between_the_measurements() -> None:
    power = host.find("dgx-h100").host_power
    # EcoLogits 1.2 kW; 8.48 kW peak less eight boards of 0.7 kW: 2.88 kW (Latif et al. 2025)
    assert power.si_low == 1200
    assert power.si_high == pytest.approx(8480 - 8 * 700, abs=30)
    # 76 % of 10.2 kW less eight boards at 0.68 kW: 2.31 kW (Newkirk et al. 2025)
    assert power.si == pytest.approx(0.76 * 10_200 - 8 * 680, rel=0.06)


def test_finding_by_instance_and_case() -> None:
    assert host.find("Standard_ND96isr_H100_v5").id == "nd96isr-h100-v5"
    assert host.find("P5.48XLARGE").accelerator == "h100-sxm5-80"


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("Leonardo", "leonardo"),
        ("LUMI", "lumi-g"),
        ("OLCF Frontier", "frontier"),
        ("Alps GH200", "gh200-node"),
        ("JUPITER", "jupiter"),
        ("MareNostrum 5", "marenostrum-5"),
        ("Isambard-AI", "isambard-ai"),
        ("NERSC Perlmutter", "perlmutter"),
        ("TSUBAME4.0", "tsubame-4"),
        ("ABCI 3.0", "abci-3"),
        ("Colab A100", "colab-a100"),
        ("Kaggle T4 x2", "kaggle-t4x2"),
    ],
)
def test_known_systems_by_their_names(name: str, found: str) -> None:
    assert host.find(name).id == found


def test_an_unknown_host_names_the_nearest() -> None:
    with pytest.raises(NotFoundError) as caught:
        host.find("p5en.48xlrge")
    assert str(caught.value) == (
        "hardware.instance: no host p5en.48xlrge; nearest: p5en.48xlarge, p5e.48xlarge,"
        " p5.48xlarge, p5.4xlarge; costcalc hardware list has them all"
    )


def test_nothing_is_matched_by_a_part_of_its_name() -> None:
    with pytest.raises(NotFoundError):
        host.find("48xlarge")


@pytest.mark.parametrize(
    ("chip", "provider", "per_node", "expected"),
    [
        ("h100-sxm5-80", None, None, "dgx-h100"),
        ("h100-sxm5-80", "aws", 8, "p5.48xlarge"),
        ("h100-sxm5-80", "aws", 1, "p5.4xlarge"),
        ("h100-sxm5-80", "nobody", None, "dgx-h100"),
        ("a100-sxm4-80", "lambda", None, "gpu_8x_a100_80gb_sxm4"),
        ("l4", "gcp", 2, "g2-standard-24"),
        ("rtx-4090", None, 2, "workstation"),
        ("tpu-v3", "gcp", None, "tpu-v3-host"),
        ("mi250x", None, None, "lumi-g"),
        ("h800-sxm5-80", None, None, "dgx-h100"),
        ("a100-sxm-64", None, None, "leonardo"),
        ("h100-sxm5-64", None, None, "marenostrum-5"),
        ("rtx-4060-laptop", None, None, "laptop"),
        ("jetson-agx-orin-64", None, None, "jetson"),
        ("gb10", None, None, "dgx-spark"),
        ("m4", None, None, "apple-mac"),
        ("wse-2", None, None, "server-8-gpu"),
    ],
)
def test_the_choice(chip: str, provider: str | None, per_node: int | None, expected: str) -> None:
    choice = host.choose(chip, provider=provider, per_node=per_node)
    assert choice.host.id == expected
    assert choice.host.name in choice.why


def test_a_host_is_shared_by_its_devices() -> None:
    choice = host.choose("h100-sxm5-80")
    assert choice.power_per_device() == 2200 / 8
    assert choice.power_per_device("low") == 1200 / 8
    assert choice.embodied_per_device() == pytest.approx(5_700_000 / 8)  # grams


def test_a_workstation_is_sized_by_its_cards() -> None:
    one, four = (host.choose("rtx-4090", per_node=n).power_per_device() for n in (1, 4))
    assert one == pytest.approx(90 + 35)
    assert four == pytest.approx(90 / 4 + 35)


HOST = """\
id: mine
name: My server
accelerator: a100-pcie-80
devices: 2
host_power: {value: 300, unit: W, source: meter}
scale_up_domain: 2
sources:
  meter: {title: A meter at the wall, publisher: me}
"""


def test_a_users_own_host(tmp_path) -> None:
    (tmp_path / "hosts").mkdir()
    (tmp_path / "hosts" / "mine.yaml").write_text(HOST)
    choice = host.choose("a100-pcie-80", provider=None, per_node=2, folders=[tmp_path])
    assert host.find("mine", [tmp_path]).devices == 2
    assert choice.host.id == "mine"
    assert choice.why == "no host named: My server, from your profiles"
    assert "mine" in host.ids([tmp_path])


@pytest.mark.parametrize(
    ("change", "line", "message"),
    [
        (("source: meter", "source: mter"), 5, "expected a name from sources; got 'mter'"),
        (("unit: W", "unit: GB"), 5, "expected a power"),
        (("devices: 2", "devices: 0"), 4, "got 0"),
        (("name: My", "nmae: My"), 2, "unknown key; did you mean name?"),
    ],
)
def test_a_faulty_host_is_told_at_its_line(tmp_path, change, line, message) -> None:
    (tmp_path / "hosts").mkdir()
    (tmp_path / "hosts" / "mine.yaml").write_text(HOST.replace(*change))
    with pytest.raises(InputError) as caught:
        host.find("mine", [tmp_path])
    assert re.search(rf"mine\.yaml:{line}:\d+: .*{re.escape(message)}", str(caught.value))


def test_the_schema_is_closed() -> None:
    schema = host.schema()
    assert schema["additionalProperties"] is False
    assert {"id", "devices", "host_power", "sources"} <= set(schema["required"])


def test_the_shipped_schema_is_the_codes_own() -> None:
    text = (data_root() / "schemas" / "host.schema.json").read_text(encoding="utf-8")
    assert json.loads(text) == host.schema()
