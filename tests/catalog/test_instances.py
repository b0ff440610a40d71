"""Instances by their exact names."""

import pytest

import costcalc
from costcalc.base.errors import NotFoundError
from costcalc.catalog import host as hosts
from costcalc.catalog import instances
from costcalc.catalog.accelerator import find as accelerator


@pytest.mark.parametrize(
    ("name", "chip", "devices"),
    [
        ("p3.8xlarge", "v100-sxm2-16", 4),
        ("g5.24xlarge", "a10g", 4),
        ("G6E.12XLARGE", "l40s", 4),
        ("Standard_NC6s_v3", "v100-pcie-16", 1),
        ("NC80adis_H100_v5", "h100-nvl-94", 2),
        ("a3-highgpu-1g", "h100-sxm5-80", 1),
        ("ct5lp-hightpu-8t", "tpu-v5e", 8),
        ("g4-standard-384", "rtx-pro-6000-server", 8),
        ("g5g.16xlarge", "t4g", 2),
        ("inf1.6xlarge", "inferentia1", 4),
        ("tpu7x-standard-4t", "tpu-v7", 4),
        ("Standard_NCC40ads_H100_v5", "h100-nvl-94", 1),
        ("NC24s_v2", "p100-pcie-16", 4),
        ("Standard_NC288lds_xl_RTXPRO6000BSE_v6", "rtx-pro-6000-server", 2),
        ("ND96isrf_H200_v5", "h200-sxm-141", 8),
        ("Standard_ND128isrG5_GB300_v6", "gb300", 4),
        ("BM.GPU.H100.8", "h100-sxm5-80", 8),  # of the catalogue of prices
        ("p5.48xlarge", "h100-sxm5-80", 8),  # a host file
    ],
)
def test_an_instance_by_its_name(name, chip, devices):
    found = instances.find(name)
    assert (found.accelerator, found.devices) == (chip, devices)


def test_its_host_is_its_share_of_the_whole():
    whole, part = hosts.find("g5.48xlarge"), instances.find("g5.24xlarge")
    chosen = hosts.choose("a10g", provider="aws", per_node=4).host
    # 4 of the devices of the host that is taken for four
    assert part.host_power.si == pytest.approx(chosen.host_power.si * 4 / chosen.devices)
    assert part.host_power.si < whole.host_power.si
    assert part.scale_up_domain <= 4


@pytest.mark.parametrize(
    ("name", "whole"),
    [
        ("g6e.12xlarge", "g6e.48xlarge"),  # 4 of 8; the size of one device was nearer by its number
        ("a2-highgpu-2g", "a2-megagpu-16g"),
    ],
)
def test_a_size_between_others_is_a_part_of_the_largest(name, whole):
    part, largest = instances.find(name), hosts.find(whole)
    share = part.devices / largest.devices
    assert part.part_of == f"{part.devices} of {largest.devices} devices of {largest.name}"
    assert part.host_power.si == pytest.approx(largest.host_power.si * share)
    assert part.embodied.si == pytest.approx(largest.embodied.si * share)
    assert part.scale_out == largest.scale_out  # a device


def test_every_size_is_of_a_known_accelerator_and_hides_no_host_file():
    for size in instances.sizes().values():
        assert accelerator(size.accelerator).id == size.accelerator
        assert instances.find(size.name).accelerator is not None


def test_an_unknown_size_names_the_nearest():
    with pytest.raises(NotFoundError, match=r"no host g5\.3xlarge; nearest: "):
        instances.find("g5.3xlarge")


def test_an_estimate_on_an_instance_without_a_file():
    run = {
        "model": {"preset": "gpt2"},
        "training": {"tokens": "1B"},
        "hardware": {"instance": "g5.24xlarge"},
    }
    made = costcalc.estimate(run)
    told = {item.key: item for item in made.inputs}
    assert told["hardware.count"].value == 4
    assert made.results["energy"].value > 0
    # where its host comes from is said
    assert told["hardware.host"].why == (
        "aws g5.24xlarge, named in the run file; what it draws and embodies beside its devices:"
        " 4 of 4 devices of Amazon EC2 g5.12xlarge"
    )


@pytest.mark.parametrize(
    ("name", "dollars"),
    [
        ("Standard_NC6s_v3", 3.06),  # its own price, by another spelling of its name
        ("a2-highgpu-2g", 3.6731),  # Google prices the line by the device
        ("ct5lp-hightpu-4t", 1.32),  # TPUs by the chip
        ("g6.16xlarge", 3.3968),  # 64 processors beside one board
        ("g6.8xlarge", None),  # 32 beside one: no other size's price stands in
    ],
)
def test_the_price_of_an_instance_is_its_own_or_unknown(name, dollars):
    run = {
        "model": {"preset": "gpt2"},
        "training": {"tokens": "1B"},
        "hardware": {"instance": name},
    }
    made = costcalc.estimate(run)
    told = {item.key: item for item in made.inputs}.get("price.device_hour")
    if dollars is None:
        assert told is None
        assert made.results["cost"].why.startswith("no on-demand price of g6.8xlarge is known")
    else:
        assert told.value * 3600 == pytest.approx(dollars, rel=0.01)


@pytest.mark.parametrize(
    ("name", "accelerator", "part"),
    [("g6f.large", "l4", "1/8"), ("Standard_NV12ads_A10_v5", "a10", "1/3")],
)
def test_a_size_with_a_part_of_a_device_says_how_to_write_it(name, accelerator, part):
    with pytest.raises(NotFoundError) as caught:
        instances.find(name)
    assert str(caught.value) == (
        f"hardware.instance: {name.removeprefix('Standard_')} holds a part of one device: write "
        f"hardware.accelerator: {accelerator} and hardware.share: {part} in its place"
    )


@pytest.mark.parametrize(
    ("name", "said"),
    [
        # a K80 has two GPUs, and Azure's NC6 and Amazon's p2.xlarge one of them
        (
            "Standard_NC6",
            "NC6 holds a part of one device: write hardware.accelerator: k80 and hardware.share: "
            "1/2 in its place",
        ),
        (
            "n1-standard-8 --accelerator type=nvidia-tesla-t4,count=1",
            "n1-standard-8 --accelerator type=nvidia-tesla-t4,count=1 has what is attached to it: "
            "write that as hardware.accelerator and count, price.provider: gcp (its GPUs are "
            "billed apart from the machine)",
        ),
        (
            "m5.xlarge",
            "m5.xlarge holds no accelerator: write a processor as hardware.accelerator, and "
            "count: its sockets",
        ),
        (
            "ml.p4d.24xlarge",
            "ml.p4d.24xlarge is p4d.24xlarge by SageMaker, which asks more for it: write "
            "hardware.instance: p4d.24xlarge, and your price as price.instance_hour",
        ),
    ],
)
def test_a_name_that_is_no_whole_machine_says_what_to_write(name, said):
    with pytest.raises(NotFoundError) as caught:
        instances.find(name)
    assert str(caught.value) == f"hardware.instance: {said}"


@pytest.mark.parametrize(
    ("name", "accelerator", "devices"),
    [
        ("Standard_NC24r", "k80", 2),  # four GPUs on two boards
        ("g3.16xlarge", "m60", 2),
        ("Standard_ND96is_H200_v5", "h200-sxm-141", 8),
        ("Standard_ND128isr_GB300_v6", "gb300", 4),
        ("a4x-maxgpu-4g-metal", "gb300", 4),
        ("u-p6e-gb200x72", "gb200", 72),
        ("BM.GPU.H100-NC.8", "h100-sxm5-80", 8),
        ("gd-8xh100ib-i128", "h100-sxm5-80", 8),
        ("Alps", "gh200-96", 4),
    ],
)
def test_more_sizes_of_clouds_and_systems(name, accelerator, devices):
    found = instances.find(name)
    assert (found.accelerator, found.devices) == (accelerator, devices)


@pytest.mark.parametrize(
    ("name", "chip", "devices"),
    [
        ("H100-1-80G", "h100-pcie-80", 1),  # Scaleway's are PCIe, and its SXM say so
        ("H100-2-80G", "h100-pcie-80", 2),
        ("H100-SXM-8-80G", "h100-sxm5-80", 8),
        ("L40S-1-48G", "l40s", 1),
        ("L4-1-24G", "l4", 1),
        ("gpu-h100x8-640gb", "h100-sxm5-80", 8),  # 640 GB are those of eight
        ("l40s-180", "l40s", 2),
        ("ecs.gn8is-2x.8xlarge", "l20", 2),
        ("gx3d-160x1792x8h200", "h200-sxm-141", 8),
    ],
)
def test_sizes_of_smaller_clouds(name, chip, devices):
    found = instances.find(name)
    assert (found.accelerator, found.devices) == (chip, devices)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "trn3.48xlarge",
            "trn3.48xlarge holds trainium3, how many is not public yet: write "
            "hardware.accelerator: trainium3 and count",
        ),
        (
            "dl1.24xlarge",
            "dl1.24xlarge holds 8 Gaudi (HL-205, the first generation), which have no profile "
            "here: profiles: takes a folder with one of your own",
        ),
        (  # names of v5p and v4 count cores, two a chip; those of v5e and v6e chips
            "v5p-128",
            "v5p-128 is a slice of 64 tpu-v5p: write hardware.accelerator: v5p-128 in its place",
        ),
        (
            "v5litepod-16",
            "v5litepod-16 is a slice of 16 tpu-v5e: write hardware.accelerator: v5litepod-16 in "
            "its place",
        ),
        (
            "gx3-16x80x1l4",
            "no host gx3-16x80x1l4; it reads as l4: write hardware.accelerator: l4 and count: 1; "
            "costcalc hardware list has them all",
        ),
        (
            "GEX44",
            "no host GEX44; write hardware.accelerator and count in its place; costcalc "
            "hardware list has them all",
        ),
    ],
)
def test_a_machine_that_is_not_known_is_told_what_to_write(name, said):
    with pytest.raises(NotFoundError) as caught:
        instances.find(name)
    assert str(caught.value) == f"hardware.instance: {said}"
