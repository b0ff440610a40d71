"""Architectures and machines for the tests of this room, built from published shapes."""

from costcalc.throughput.coefficients import Coefficients
from costcalc.throughput.layout import Machine, Recipe
from costcalc.workload.architecture import Architecture
from costcalc.workload.generic import Given, from_shape
from costcalc.workload.stage import WorkloadInput, workload
from costcalc.workload.work import Work

GIB = 2.0**30
# Constants of a time model, of about the size that is measured: what a test says beside is another.
CONSTANTS = {
    "attention": 0.6,
    "softmax": 80.0,
    "tile": 256.0,
    "traffic": 0.5,
    "bandwidth": 0.8,
    "elementwise": 1.0,
    "cast": 1.0,
    "kernel": 5e-06,
    "launch": 1.5e-05,
    "module": 3.4e-05,
    "call": 5e-05,
    "hook": 0.002,
    "plain_traffic": 2.5,
    "unpack": 1.0,
    "adapter": 1.0,
    "expert_launch": 5e-06,
    "expert_kernels": 6.0,
    "matmul_start": 5e-06,
    "scale_up": 0.75,
    "scale_host": 0.25,
    "scale_out": 0.7,
    "tensor_exposed": 0.9,
    "context_exposed": 0.5,
    "pipeline_exposed": 0.7,
    "expert_exposed": 0.8,
    "data_exposed": 0.4,
    "hooked_exposed": 0.7,
    "shard_exposed": 0.15,
    "imbalance": 1.1,
    "expert_matmul": 0.85,
    "jitter": 0.005,
    "fixed": 0.005,
    "meet": 0.002,
}


def coefficients(**more: float) -> Coefficients:
    """What a machine achieves: ``CONSTANTS``, 0.7 of the peak, and what a test says."""
    return Coefficients(**{"matmul": 0.7, "matmul_base": 0.7, **CONSTANTS, **more})


def decoder(**sizes) -> Architecture:
    return from_shape(Given(**sizes))


# arXiv:2005.14165, table 2.1: two matrices in the feed-forward, tied embedding
GPT3 = decoder(
    layers=96, hidden=12288, heads=96, ffn=49152, vocabulary=51200, gated=False, tied=True
)
# arXiv:2407.21783, table 3
LLAMA8 = decoder(layers=32, hidden=4096, heads=32, kv_heads=8, ffn=14336, vocabulary=128256)
LLAMA70 = decoder(layers=80, hidden=8192, heads=64, kv_heads=8, ffn=28672, vocabulary=128256)
# arXiv:2302.13971, table 2
LLAMA65 = decoder(layers=80, hidden=8192, heads=64, ffn=22016, vocabulary=32000)
LLAMA33 = decoder(layers=60, hidden=6656, heads=52, ffn=17920, vocabulary=32000)
# arXiv:2401.04088, table 1
MIXTRAL = decoder(
    layers=32,
    hidden=4096,
    heads=32,
    kv_heads=8,
    ffn=14336,
    vocabulary=32000,
    experts=8,
    experts_per_token=2,
)


def work_of(model: Architecture, length: int = 2048, tokens: float = 1e9, **more) -> Work:
    return workload(
        WorkloadInput(architecture=model, tokens=tokens, sequence_length=length, **more)
    )


def machine(devices: int = 8, name: str = "h100", memory: float = 80 * GIB, **more) -> Machine:
    """An H100 SXM by its datasheet, unless said otherwise."""
    known = {
        "accelerator": name,
        "generation": "hopper",
        "kind": "gpu",
        "devices": devices,
        "per_node": min(8, devices),
        "peak": {"bf16": 989.4e12, "fp8": 1978.9e12, "fp32": 66.9e12},
        "memory": memory,
        "memory_bandwidth": 3.35e12,
        "scale_up": 450e9,
        "scale_up_domain": 8,
        "scale_out": 50e9,
    }
    return Machine(**(known | more))


def recipe(length: int = 2048, batch: float = 64, **more) -> Recipe:
    known = {"sequence_length": length, "global_batch": batch, "precision": "bf16"}
    return Recipe(**(known | more))
