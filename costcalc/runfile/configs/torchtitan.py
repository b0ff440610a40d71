"""torchtitan: ``--job.config_file train.toml``.

Its defaults hold where a key is absent: 8 sequences a rank of 2,048 tokens, 10,000 steps, bf16,
selective recompute, and all ranks that no other axis takes sharding the weights.  Newer versions
call ``training.batch_size`` ``local_batch_size``; either is read.

Reference: https://github.com/pytorch/torchtitan, torchtitan/config/job_config.py at
000204a4a8bf3d0f31adc44fc29855fbb6ea13d8
"""

from __future__ import annotations

from costcalc.runfile.configs.taken import Config

NAME = "torchtitan"
#: name and flavor of torchtitan/models, and what the model is called elsewhere
_MODELS = {
    **{("llama3", size): f"llama-3.1-{size}" for size in ("8b", "70b", "405b")},
    **{("qwen3", s): f"qwen3-{s}" for s in ("0.6b", "1.7b", "4b", "8b", "14b", "32b", "30b-a3b",
                                            "235b-a22b")},
    ("llama4", "17bx16e"): "llama-4-scout",
    ("llama4", "17bx128e"): "llama-4-maverick",
    ("deepseek_v3", "16b"): "deepseek-v2-lite",
    ("deepseek_v3", "671b"): "deepseek-v3",
}  # fmt: skip
_BATCH = ("training.local_batch_size", "training.batch_size")
_AXES = ("tensor", "pipeline", "context")


def is_one(config: Config) -> bool:
    """Whether a config is one of torchtitan's."""
    return config.has("model.name") and config.has("model.flavor", "training.seq_len")


def read(config: Config) -> None:
    """The run of it.

    Raises:
        InputError: it is a run that cannot be told without the block of costcalc saying more.
    """
    config.put("training.software", "torchtitan", "model.name")
    _model(config)
    config.put("training.method", "pretrain", "model.name")
    length = config.get("training.seq_len")
    config.put("training.sequence_length", length or 2048, "training.seq_len")
    steps = config.get("training.steps")
    if not config.says("training", "tokens", "samples", "epochs"):
        config.put("training.steps", steps or 10_000, "training.steps")
    _batch(config, _layout(config))
    _precision(config)
    config.optimizer("optimizer.name")
    mode = config.text("activation_checkpoint.mode") or "selective"
    config.put("training.recompute", mode, "activation_checkpoint.mode")
    if config.is_on("compile.enable", "training.compile"):
        config.put("training.compiled", True, "compile.enable", "training.compile")
    if config.is_on("optimizer.early_step_in_backward"):
        config.put("training.gradients", "freed", "optimizer.early_step_in_backward")


def _model(config: Config) -> None:
    name, flavor = config.text("model.name"), config.text("model.flavor")
    known = _MODELS.get((name, flavor))
    if known is None and not config.said.get("model"):
        message = f"{name} {flavor} is not known: say model under costcalc"
        raise config.wrong("model.flavor" if flavor else "model.name", message)
    config.put("model.preset", known, "model.flavor")


def _layout(config: Config) -> int:
    """Devices that share a sequence; ``hardware.layout`` and ``count``, where they are said."""
    layout: dict[str, object] = {}
    model = 1
    for axis in _AXES:
        degree = config.whole(f"parallelism.{axis}_parallel_degree", default=1)
        layout[axis] = degree
        model *= degree
    expert = config.whole("parallelism.expert_parallel_degree", default=1)
    replicas = config.whole("parallelism.data_parallel_replicate_degree", default=1)
    shard = config.whole("parallelism.data_parallel_shard_degree", default=-1)
    if expert > 1:
        layout["expert"] = expert
    if shard > 0:
        config.put(
            "hardware.count", replicas * shard * model, "parallelism.data_parallel_shard_degree"
        )
    layout["sharding"] = "none" if shard == 1 else "hsdp" if replicas > 1 else "fsdp"
    if config.is_on("training.enable_cpu_offload"):
        layout["offload"] = "all"
    config.put("hardware.layout", layout, "parallelism.tensor_parallel_degree")
    return model


def _batch(config: Config, model: int) -> None:
    local = config.whole(*_BATCH, default=8)
    named = next((name for name in _BATCH if config.has(name)), _BATCH[0])
    whole = config.whole("training.global_batch_size", default=-1)
    if whole > 0:
        config.put("training.global_batch", whole, "training.global_batch_size")
    else:
        config.batch(local, 1, named, model=model)
    at_once = config.whole("parallelism.pipeline_parallel_microbatch_size", default=1)
    piped = config.whole("parallelism.pipeline_parallel_degree", default=1) > 1
    config.put("training.micro_batch", at_once if piped else local, named)


def _precision(config: Config) -> None:
    converters = str(config.get("model.converters") or "")
    if "float8" in converters:
        config.put("training.precision", "fp8", "model.converters")
    elif "mx" in converters:
        config.put("training.precision", "mxfp8", "model.converters")
    else:
        kind = config.text("training.mixed_precision_param") or "bfloat16"
        made = {"bfloat16": "bf16", "float32": "fp32"}.get(kind, kind)
        config.put("training.precision", made, "training.mixed_precision_param")
