"""The training scripts among the examples run as they are written, and their reports verify."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from costcalc.base.reading import read_file
from costcalc.report.check import verify

ROOT = Path(__file__).parents[2]
NEEDS = {
    "pytorch": ("torch",),
    "transformers": ("torch", "transformers", "accelerate"),
    "lightning": ("lightning",),
    "keras": ("keras", "torch"),
    "jax": ("jax",),
    "accelerate": ("torch", "accelerate"),
    "fabric": ("lightning",),
    "flax": ("jax", "flax", "optax"),
    "ray": ("ray", "torch"),
}
RANKS = {"ray": 2}

pytestmark = [pytest.mark.frameworks]


@pytest.mark.parametrize("name", NEEDS)
def test_a_training_example(name: str, tmp_path: Path) -> None:
    absent = [need for need in NEEDS[name] if importlib.util.find_spec(need) is None]
    if absent:
        pytest.skip(f"not installed: {', '.join(absent)}")
    script = ROOT / "examples" / f"train_{name}.py"
    done = subprocess.run(
        [sys.executable, str(script)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=580,  # Ray begins a cluster
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "KERAS_BACKEND": "torch",
            "JAX_PLATFORMS": "cpu",
            "RAY_USAGE_STATS_ENABLED": "0",
        },
    )
    assert done.returncode == 0, done.stderr
    if name != "ray":  # whose workers' last lines may be lost on their way
        assert "costcalc: report: " in done.stderr
    data = read_file(tmp_path / "costs.yaml", "costs.yaml").data
    (attempt,) = data["details"]["tracking"]["attempts"]
    assert (attempt["ranks"], attempt["status"]) == (RANKS.get(name, 1), "completed")
    verdict = verify(tmp_path / "costs.yaml")
    assert verdict.discrepancies == ()
    assert verdict.holds


def test_every_training_example_is_tested() -> None:
    found = {path.stem.removeprefix("train_") for path in (ROOT / "examples").glob("train_*.py")}
    assert found == set(NEEDS)


def test_the_slurm_script_is_a_shell_script() -> None:
    path = ROOT / "examples" / "slurm" / "train.sbatch"
    assert subprocess.run(["bash", "-n", str(path)], check=False).returncode == 0
