"""Transformers' Trainer under FSDP and DeepSpeed: each rank counts what it saw, the job once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from costcalc.base.reading import read_file
from costcalc.tracking.follow import read
from costcalc.tracking.merge import totals

pytestmark = [pytest.mark.frameworks]
HERE = Path(__file__).parent


@pytest.mark.parametrize("stage", [None, 2, 3])
def test_a_trainer_that_shards_is_one_job_of_all_its_ranks(
    tmp_path: Path, stage: int | None
) -> None:
    """Two ranks, 6 steps of 4 rows of 16 tokens each: 768 tokens, and the model by its config."""
    for need in ("torch", "transformers", "accelerate", *(("deepspeed",) if stage else ())):
        pytest.importorskip(need, reason=f"{need} is not installed")
    script = [str(HERE / "sharded_trainer.py"), str(tmp_path), *([str(stage)] if stage else [])]
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", *script],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=560,
        env={**os.environ, "PYTHONPATH": str(HERE.parents[1]), "DS_ACCELERATOR": "cpu"},
    )
    assert done.returncode == 0, done.stderr
    sharded = [(tmp_path / f"sharded.{rank}").read_text(encoding="utf-8") for rank in range(2)]
    assert sharded == ["DeepSpeedEngine" if stage else "FSDPLlamaForCausalLM"] * 2
    whole = totals(read(tmp_path / "costs.ledger"))
    (attempt,) = whole.attempts
    assert (attempt.world, attempt.writers, attempt.nodes) == (2, 2, 1)
    assert attempt.status == "completed"
    assert (whole.steps, whole.tokens) == (6, 2 * 6 * 4 * 16)
    data = read_file(tmp_path / "costs.yaml", "costs.yaml").data
    assert data["run"]["model"]["config"]["hidden_size"] == 32
    assert data["run"]["training"]["global_batch"] == 2 * 4
    assert not [n for n in data["details"]["tracking"].get("notes", []) if "failed" in n]
