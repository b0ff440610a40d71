"""fleet.yaml: every fault at its line, all at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from fleet_byhand import FLEET, cluster

from costcalc.base.errors import InputError
from costcalc.cli import OK, WRONG_USE, run
from costcalc.fleet.shipped import template
from costcalc.report.importing.nodes import expanded


def test_faults_are_told_together() -> None:
    with pytest.raises(InputError) as error:
        cluster("partitons: {}\nsite: {pue: 0.5}\nidle: {pays: nobody, node_power: 100}\n")
    assert str(error.value) == (
        "fleet.yaml:1:1: partitons: unknown key; did you mean partitions?\n"
        "fleet.yaml:2:13: site.pue: expected a power usage effectiveness, from 1 to 5; got 0.5\n"
        "fleet.yaml:3:34: idle.node_power: expected a power (W, kW, MW); got 100, "
        "which has no unit\n"
        "3 problems in fleet.yaml"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("currency: EUR", "fleet.yaml:1:11: currency: EUR needs rate: such as 1.08 USD/EUR"),
        (
            "timezone: Mars",
            "fleet.yaml:1:11: timezone: expected a time zone, such as Europe/Berlin or UTC; "
            'got "Mars"',
        ),
        (
            "pue: {2026-13: 1.2}",
            'fleet.yaml:1:16: pue.2026-13: expected a month such as 2026-07; got "2026-13"',
        ),
        (
            "budgets: [{account: a, cost: 5 EUR}]",
            "fleet.yaml:1:30: budgets[0].cost: expected USD, the ledger's currency; got EUR",
        ),
        (
            "budgets: [{account: a, cost: 5 USD}, {account: a, cost: 6 USD}]",
            "fleet.yaml:1:38: budgets[1]: stands twice: the same account, period and unit",
        ),
        (
            "partitions: {gpu: {}, low: {nodes_of: gpus}}",
            "fleet.yaml:1:39: partitions.low.nodes_of: expected another partition that stands "
            'here; got "gpus"; did you mean gpu?',
        ),
        (
            "partitions: {low: {nodes_of: low}}",
            "fleet.yaml:1:30: partitions.low.nodes_of: expected another partition that stands "
            'here; got "low"',
        ),
        (
            "partitions: {a: {}, b: {nodes_of: a}, c: {nodes_of: b}}",
            "fleet.yaml:1:53: partitions.c.nodes_of: b has its nodes of a: say that one here",
        ),
        (
            "partitions: {a: {}, b: {nodes_of: a, nodes: 2}}",
            "fleet.yaml:1:35: partitions.b.nodes_of: its nodes are those of a, and nodes says how "
            "many: leave one",
        ),
        (
            "budgets: [{account: a}]",
            "fleet.yaml:1:11: budgets[0]: expected one of cost, energy, carbon, device_hours",
        ),
    ],
)
def test_what_single_values_cannot_tell(text: str, said: str) -> None:
    with pytest.raises(InputError) as error:
        cluster(text)
    assert str(error.value) == f"{said}\n1 problem in fleet.yaml"


def test_the_template_is_a_cluster_also_with_its_comments_taken_off() -> None:
    assert cluster(template()).fleet.name == "my cluster"
    import re

    bare = re.sub(r"(?m)^# (?=[a-z]+:|  |- )", "", template().split("\n", 1)[1])
    bare = re.sub(r"(?m)^price: \{device_hour.*\n", "", bare)
    found = cluster(bare).fleet
    assert found.currency == "EUR"
    assert found.partitions["gpu"].nodes == 16
    assert len(found.budgets) == 2


def test_of_several_partitions_the_first_that_stands_here_else_the_default() -> None:
    fleet = cluster("partitions: {big: {per_node: 8}, default: {per_node: 4}}\n").fleet
    found = [fleet.partition(said).per_node for said in ("big", "new,big", "new", "", None)]
    assert found == [8, 8, 4, 4, 4]
    assert cluster("name: mine\n").fleet.partition("big").per_node is None


def test_names_of_nodes() -> None:
    assert expanded("a[08-10,3],b") == ("a08", "a09", "a10", "a3", "b")
    assert expanded("r[1-2]n[1-2]") == ("r1n1", "r1n2", "r2n1", "r2n2")


def test_init_writes_what_is_not_there(tmp_path, monkeypatch, capsys) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.chdir(tmp_path)
    assert run(["fleet", "init"]) == OK
    assert (tmp_path / "fleet.yaml").exists()
    assert (tmp_path / "fleet.db").exists()
    (tmp_path / "fleet.yaml").write_text("name: mine\n")
    assert run(["fleet", "init"]) == OK
    assert (tmp_path / "fleet.yaml").read_text() == "name: mine\n"
    capsys.readouterr()
    assert run(["fleet", "import", "slrm", "x"]) == WRONG_USE
    assert "did you mean slurm?" in capsys.readouterr().err


WITHOUT = """
import sys
class Without:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "sqlalchemy":
            raise ModuleNotFoundError(name, name=name)
sys.meta_path.insert(0, Without())
from costcalc.cli import run
sys.exit(run(sys.argv[1:]))
"""


def test_without_the_extra_it_says_what_to_install_and_sbatch_works(tmp_path: Path) -> None:
    (tmp_path / "a.sh").write_text("#!/bin/bash\n#SBATCH --gres=gpu:4 -t 60\n")
    said = [
        subprocess.run(
            [sys.executable, "-c", WITHOUT, *words],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        for words in (["fleet", "report"], ["sbatch", "--dry-run", "a.sh"])
    ]
    assert (said[0].returncode, said[0].stderr) == (
        WRONG_USE,
        'a ledger needs SQLAlchemy: pip install "costcalc[fleet]"\n',
    )
    assert said[1].returncode == OK
    assert "asks for 4 × devices, 1.00 hours" in said[1].stderr


@pytest.mark.frameworks
def test_a_month_as_parquet(tmp_path: Path) -> None:
    parquet_of = pytest.importorskip("pyarrow.parquet")
    from fleet_byhand import imported, line, memory

    from costcalc.fleet.month import of_period
    from costcalc.fleet.told import parquet

    with memory() as ledger:
        imported(ledger, cluster(FLEET), line(JobID="1"), line(JobID="2", Account="bio"))
        made = of_period(ledger, cluster(FLEET))
        parquet(made, tmp_path / "m.parquet")
        table = parquet_of.read_table(tmp_path / "m.parquet").to_pydict()
        assert table["account"] == ["bio", "chemistry"]
        assert table["cost"] == [16.0, 16.0]
        with pytest.raises(InputError, match="exists; --force overwrites it"):
            parquet(made, tmp_path / "m.parquet")
