"""What FSDP or DeepSpeed share among the devices: ``hardware.layout`` of the keys of a trainer.

DeepSpeed's configuration is another file, which is not opened: its stage is read from the mapping
where it stands in the config, or from its name, as Axolotl and LLaMA-Factory name those that they
ship (``zero3_bf16.json``, ``ds_z2_offload_config.json``), and that is told.

References: https://huggingface.co/docs/transformers/main_classes/trainer (fsdp, deepspeed),
https://github.com/axolotl-ai-cloud/axolotl/tree/main/deepspeed_configs,
https://github.com/hiyouga/LLaMA-Factory/tree/main/examples/deepspeed
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from costcalc.runfile.configs.taken import Config

_FSDP = {"full_shard": "fsdp", "shard_grad_op": "zero2", "hybrid_shard": "hsdp", "no_shard": "none"}
_STAGE = re.compile(r"(?:zero|stage|z)[_-]?([0-3])(?![0-9])")


def read(config: Config) -> None:
    """Put ``hardware.layout`` where the config says what is shared, and no layout is said yet."""
    if "sharding" in _layout(config):
        return
    _fsdp(config)
    if "sharding" not in _layout(config):
        _deepspeed(config)


def _layout(config: Config) -> dict[str, object]:
    """The axes that were read already."""
    made = config.run.get("hardware", {}).get("layout")
    return dict(made) if isinstance(made, dict) else {}


def _fsdp(config: Config) -> None:
    two = config.has("fsdp_version") and config.has("fsdp_config")
    if not two and config.text("fsdp") in ("false", "[]", ""):
        return
    said = config.get("fsdp")
    listed = said if isinstance(said, (list, tuple)) else str(said or "").split()
    words = [str(word).lower() for word in listed]
    kind = next((_FSDP[word] for word in words if word in _FSDP), "")
    again = config.text(
        "fsdp_config.reshard_after_forward", "fsdp_config.fsdp_reshard_after_forward"
    )
    if not kind:  # FSDP2: the weights are gathered again for the backward pass, unless it says not
        kind = {"false": "zero2", "shard_grad_op": "zero2", "hybrid_shard": "hsdp"}.get(
            again, "fsdp"
        )
    layout: dict[str, object] = {"sharding": kind}
    if "offload" in words or config.is_on(
        "fsdp_config.offload_params", "fsdp_config.fsdp_offload_params"
    ):
        layout["offload"] = "all"
    config.put("hardware.layout", {**_layout(config), **layout}, "fsdp", "fsdp_version")


def _deepspeed(config: Config) -> None:
    said = config.get("deepspeed")
    if said is None or said is False:
        return
    if isinstance(said, Mapping):
        zero = said.get("zero_optimization")
        own = zero if isinstance(zero, Mapping) else {}
        stage = str(own.get("stage", 0))
        host = [name for name in ("offload_optimizer", "offload_param") if _to_host(own.get(name))]
        offload = "all" if "offload_param" in host and stage == "3" else "optimizer" if host else ""
    else:
        name = str(said).replace("\\", "/").rsplit("/", 1)[-1].lower()
        found = _STAGE.search(name)
        if found is None:
            config.told.append(
                f"deepspeed: {said} is not opened: say its stage as hardware.layout under "
                "costcalc, such as {sharding: zero3}; the fastest layout that fits is taken"
            )
            return
        stage = found[1]
        offload = _offload(name, stage)
        away = f" with {offload} on the host" if offload else ""
        config.told.append(f"deepspeed: stage {stage}{away} by the name of {said}, not opened")
    if stage in ("0", "1", "2", "3"):
        layout = _layout(config)
        layout["sharding"] = f"zero{stage}" if stage != "0" else "none"
        if offload:
            layout["offload"] = offload
        config.put("hardware.layout", layout, "deepspeed")


def _offload(name: str, stage: str) -> str:
    """What the files that the tools ship keep on the host, by their names."""
    if "offload" not in name or "offload_params" in name:
        return ""  # the weights alone on the host is no layout of ours
    return "all" if stage == "3" else "optimizer"


def _to_host(value: object) -> bool:
    return isinstance(value, Mapping) and str(value.get("device", "none")) != "none"
