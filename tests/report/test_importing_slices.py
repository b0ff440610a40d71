"""Types of Slurm that name a MIG profile: the slice of that board; a refusal shows the way out."""

from __future__ import annotations

import pytest

from costcalc.base.errors import InputError
from costcalc.report.importing import slurm
from costcalc.report.importing.costed import Costing
from costcalc.report.importing.tres import accelerators

HEAD = "JobID|State|AllocTRES|ElapsedRaw\n"
FRANCE = Costing(changes={"site.region": "FR", "price.device_hour": "2 USD"})


def test_a_dump_with_slices_is_costed():
    report = slurm.read(
        HEAD
        + "1|COMPLETED|cpu=8,gres/gpu:a100_1g.5gb=1,gres/gpu=1|25200\n"
        + "2|COMPLETED|cpu=8,gres/gpu:nvidia_a30_1g.6gb=2,gres/gpu=2|7200\n"
        + "3|COMPLETED|cpu=8,gres/gpu:a100=2,gres/gpu=2|3600\n",
        "jobs.txt",
        costing=FRANCE,
    )
    # 7 h of 1/7, 2 h of 2/4, 1 h of 2: 1 + 1 + 2 device-hours at 2 USD
    assert [run["device_hours"] for run in report["runs"]] == pytest.approx([1.0, 1.0, 2.0])
    assert report["results"]["cost"]["value"] == pytest.approx(8.0)


def test_the_share_is_that_of_the_board_that_the_type_names():
    # 1g.24gb: of four slices of an RTX PRO 6000, of seven of an H100 of 96 GB
    held = accelerators("gres/gpu:nvidia_rtx_pro_6000_blackwell_server_edition_1g.24gb=1")
    assert held.count == 1 / 4
    assert accelerators("gres/gpu:gh200_1g.24gb=1").count == pytest.approx(1 / 7)
    assert accelerators("gres/gpu:site_word_1g.6gb=1").count == 1 / 4  # only A30 has it


def test_what_is_no_name_is_refused_with_its_row_and_the_way_out():
    text = (
        HEAD
        + "1|COMPLETED|cpu=8,gres/gpu:a100=2|3600\n"
        + "1.0|COMPLETED|cpu=8,gres/gpu:a100=2|3600\n"
        + "2|COMPLETED|cpu=8,gres/gpu:1g.10gb=1|3600\n"
    )
    with pytest.raises(InputError) as raised:
        slurm.read(text, "jobs.txt", costing=FRANCE)
    assert str(raised.value.problems[0]) == (
        "jobs.txt:4: hardware.accelerator: job 2: no accelerator 1g.10gb; costcalc hardware list "
        "has them all; profiles: takes a folder with one of your own; or say which it is: "
        '--device "1g.10gb=NAME"'
    )
    told = Costing(changes=FRANCE.changes, devices={"1g.10gb": "h100-sxm5-80"})
    assert slurm.read(text, "jobs.txt", costing=told)["results"]["cost"]["value"] > 0
