"""Computes costcalc/data/efficiency.yaml from the shipped measurements.

    python scripts/efficiency_cells.py [MEASUREMENTS.csv] [-o FILE]

Every measured row becomes a model FLOP utilisation: FLOPs of a datum (no recompute, attention
causal for decoders) × data a second and device / dense peak of the precision.  Rows of one
configuration (model, accelerator, devices, precision, sequence) count once, by their median.  A
cell's value is the median over its configurations, its range their 5th and 95th percentile; a cell
of fewer than MINIMUM configurations is left to the coarser ones.
"""

from __future__ import annotations

import argparse
import csv
import statistics
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np

from costcalc.catalog.accelerator import find
from costcalc.throughput.efficiency import SCALES, chain, precision_class, scale_class

ROOT = Path(__file__).resolve().parents[1]
MEASUREMENTS = ROOT / "costcalc/data/measurements/throughput.csv"
OUT = ROOT / "costcalc/data/efficiency.yaml"
MINIMUM = 6

# Names of the measurements that are no alias of a profile.
PROFILES = {
    "A100-80GB-SXM": "a100-sxm4-80", "A100-40GB-SXM": "a100-sxm4-40",
    "A100-80GB-PCIe": "a100-pcie-80", "A100-40GB-PCIe": "a100-pcie-40",
    "H100-80GB-SXM": "h100-sxm5-80", "H100-PCIe": "h100-pcie-80", "H200": "h200-sxm-141",
    "V100-16GB-SXM2": "v100-sxm2-16", "V100-32GB-SXM2": "v100-sxm2-32",
    "V100-32GB-SXM3": "v100-sxm3-32", "B200": "b200-sxm-180", "B300": "b300-sxm",
    "GB200": "gb200", "GB300": "gb300", "RTX-3090": "rtx-3090", "RTX-4090": "rtx-4090",
    "RTX-A6000": "rtx-a6000", "L40S": "l40s", "L4": "l4", "A10": "a10", "A30": "a30",
    "TPU-v4": "tpu-v4", "TPU-v5e": "tpu-v5e", "TPU-v5p": "tpu-v5p", "TPU-v6e": "tpu-v6e",
    "MI250X": "mi250x", "MI300X": "mi300x", "MI355X": "mi355x", "Gaudi2": "gaudi2",
    "H100-96GB-SXM(500W HBM2e)": "h100-sxm5-96", "H100-96GB-SXM": "h100-sxm5-96",
}

# Multiply-adds of one sample forward, 10⁹ ("GFLOPS" of the table of classification weights,
# torchvision documentation 0.20, https://pytorch.org/vision/0.20/models.html); Swin-L by its paper
# (arXiv:2103.14030, table 1), ResNeXt-101 32x4d by its own (arXiv:1611.05431, table 3), the U-Net
# of Stable Diffusion at 64×64 latents by BK-SDM (arXiv:2305.15798, table 1).
IMAGE_GMACS = {
    "resnet50": 4.09, "resnet-50": 4.09, "resnet50v1.5": 4.09, "rn50v1.5": 4.09,
    "resnet50 keras sgd": 4.09, "resnet50 keras lars": 4.09,
    "resnext50_32x4d": 4.23, "resnext101_32x8d": 16.41, "resnext101-32x4d": 8.0,
    "wide_resnet50_2": 11.4, "densenet121": 2.83, "vgg16": 15.47, "mobilenetv2_100": 0.3,
    "mobilenetv3_large_100": 0.22, "efficientnet_b0": 0.39, "efficientnet-b0": 0.39,
    "efficientnet-b4": 4.39, "convnext_tiny": 4.46, "convnext_small": 8.68,
    "convnext_base": 15.36, "convnext_large": 34.36, "inception_v3": 5.71,
    "vit_large_patch16_224": 61.55, "vit_large_patch32_224": 15.38,
    "swin_tiny_patch4_window7_224": 4.49, "swin_small_patch4_window7_224": 8.74,
    "swin_large_patch4_window7_224": 34.5, "deit_small_patch16_224": 4.6,
    "beit_base_patch16_224": 17.56, "beit_large_patch16_224": 61.55,
    "stablediffusion-v2": 339.0, "stablediffusion-2.0-base unet": 339.0,
}
# (layers, hidden, ffn): Devlin et al. 2019 (arXiv:1810.04805, section 3).
BERT = {"bert-base": (12, 768, 3072), "bert/biobert": (12, 768, 3072),
        "bert-large": (24, 1024, 4096)}
SQUAD_LENGTH = 384  # of the fine-tuning scripts of NVIDIA DeepLearningExamples, which Lambda runs

# Benchmarks that log no precision and run in 16 bits by their reference implementation.
MIXED_BY_RULE = ("ResNet-50", "StableDiffusion-v2", "StableDiffusion-2.0-base UNet")
SKIPPED = ("LoRA", "SFT", "PROXY")  # other FLOPs a token than a whole model's pretraining


def main() -> None:
    """Reads the measurements, writes the cells."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("measurements", nargs="?", type=Path, default=MEASUREMENTS)
    parser.add_argument("-o", "--output", type=Path, default=OUT)
    given = parser.parse_args()
    with given.measurements.open(encoding="utf-8", newline="") as file:
        points = list(configurations(csv.DictReader(line for line in file if line[:1] != "#")))
    rows = list(cells(points))
    given.output.write_text(render(rows), encoding="utf-8")
    print(f"{len(points)} configurations, {len(rows)} cells -> {given.output}")


Key = tuple[str, str, str, str]


def configurations(rows: Iterable[Mapping[str, str]]) -> Iterator[tuple[Key, float, str]]:
    """(cell, MFU, source) of every configuration that can be counted."""
    found: dict[tuple[str, ...], list[float]] = defaultdict(list)
    where: dict[tuple[str, ...], tuple[Key, str]] = {}
    for row in rows:
        counted = utilization(row)
        if counted is None or not 0.005 < counted[0] < 0.95:
            continue
        mfu, key = counted
        name = (row["model"].lower(), row["accelerator"], row["n_accelerators"], key[1],
                row["seq_len"], publisher(row["source"]))
        found[name].append(mfu)
        where[name] = key, publisher(row["source"])
    for name, values in found.items():
        key, source = where[name]
        yield key, statistics.median(values), source


def publisher(source: str) -> str:
    """Who measured: the repository, without commit and path; MLPerf submitters apart."""
    head = source.partition("@")[0]
    if head.startswith("mlcommons"):
        return "/".join([head, source.partition(":")[2].split("/")[0]])
    return head.removeprefix("https://").split("/docs")[0]


def utilization(row: Mapping[str, str]) -> tuple[float, Key] | None:
    """MFU of a row and its cell; None where FLOPs, rate or peak are not known."""
    profile_name = PROFILES.get(row["accelerator"])
    precision = row["precision"] or ("fp16" if row["model"] in MIXED_BY_RULE else "")
    if profile_name is None or not precision or any(word in row["model"] for word in SKIPPED):
        return None
    profile = find(profile_name)
    rates = profile.peak.rates()
    peak = rates.get({"mxfp8": "fp8", "nvfp4": "fp4"}.get(precision, precision))
    devices = number(row, "n_accelerators")
    achieved = achieved_rate(row, peak or 0.0)
    if not peak or not devices or not achieved:
        return None
    kind = "t5" if "T5" in row["model"] else row["workload"]
    key = (profile.generation, precision_class(precision), kind, scale_class(devices))
    return (achieved / peak, key) if kind != "other" else None


def number(row: Mapping[str, str], name: str) -> float:
    """A column as a number; 0 where it is empty."""
    return float(row[name]) if row.get(name) else 0.0


def achieved_rate(row: Mapping[str, str], peak: float) -> float:
    """Model FLOP/s a device, without recompute, causal; 0 where it cannot be had."""
    devices = number(row, "n_accelerators")
    samples = number(row, "samples_per_s_total") / max(devices, 1)
    if row["workload"] in ("cnn", "vit", "diffusion"):
        return samples * 3 * 2e9 * IMAGE_GMACS.get(row["model"].lower(), 0.0) * image_scale(row)
    if row["workload"] == "bert":
        return samples * bert_flops(row)
    if row["workload"] != "llm":
        return 0.0
    rate = number(row, "tokens_per_s_per_device")
    per_token = decoder_flops(row)
    if rate and per_token:
        return rate * per_token
    share = causal_share(row)
    return number(row, "tflops_per_device") * 1e12 * share or number(row, "mfu") * peak * share


def causal_share(row: Mapping[str, str]) -> float:
    """What turns the source's model FLOPs into those of causal attention; 0 if they are no such.

    (6N + 6·L·h·s) / (6N + 12·L·h·s); where no shape is given, h = 128·L and N = 12·L·h².
    """
    said = row["flops_convention"]
    if "6N_active + causal" in said:
        return 1.0
    parameters = number(row, "params_active") or number(row, "params")
    length = number(row, "seq_len") or 2048.0  # MaxText's default; 3 % of the FLOPs at 16B
    full = "NOT causal-halved" in said or "App.A" in said or "MaxText model FLOPs" in said
    if not full or not parameters:
        return 0.0
    hidden = number(row, "hidden") or (128 * parameters / 12) ** (1 / 3)
    layers = number(row, "layers") or hidden / 128
    core = 6 * layers * hidden * length
    return (6 * parameters + core) / (6 * parameters + 2 * core)


def image_scale(row: Mapping[str, str]) -> float:
    """0 for the images of another size than the table's."""
    return 0.0 if "@256x256" in row["notes"] else 1.0


def bert_flops(row: Mapping[str, str]) -> float:
    """FLOPs of one padded sequence, forward and backward: 3·s·L·(2(4h² + 2hf) + 4sh)."""
    shape = BERT.get(row["model"].lower())
    if shape is None or row["source"].startswith("mlcommons"):  # MLPerf packs sequences
        return 0.0
    layers, hidden, ffn = shape
    length = number(row, "seq_len") or SQUAD_LENGTH
    weights = 4 * hidden**2 + 2 * hidden * ffn
    return 3 * length * layers * (2 * weights + 4 * length * hidden)


def decoder_flops(row: Mapping[str, str]) -> float:
    """Training FLOPs a token of a decoder: 6·(matrix parameters) + 6·L·h·s (causal)."""
    active = number(row, "params_active") or number(row, "params")
    layers, hidden = number(row, "layers"), number(row, "hidden")
    length, vocabulary = number(row, "seq_len"), number(row, "vocab")
    if not active:
        return 0.0
    if not (layers and hidden and length):
        return 6 * active
    untied = row["model"][:3].lower() not in ("mpt", "gpt")  # its input embedding is no product
    return 6 * (active - untied * vocabulary * hidden) + 6 * layers * hidden * length


def cells(points: list[tuple[Key, float, str]]) -> Iterator[list[object]]:
    """Every cell, `*` standing for all, that holds enough configurations."""
    groups: dict[Key, list[tuple[float, str]]] = defaultdict(list)
    for key, mfu, source in points:
        for cell, _ in chain(key):
            groups[cell].append((mfu, source))
    scales = ("*", *SCALES)
    for cell in sorted(groups, key=lambda c: (*c[:3], scales.index(c[3]))):
        values = np.array([mfu for mfu, _ in groups[cell]])
        if len(values) >= MINIMUM:
            low, middle, high = (float(f"{q:.3g}") for q in np.percentile(values, [5, 50, 95]))
            yield [*cell, middle, low, high, len(values), len({s for _, s in groups[cell]})]


HEADER = """\
# yaml-language-server: $schema=./schemas/efficiency.schema.json
# Written by scripts/efficiency_cells.py; do not edit.
# A row: accelerator generation, precision class, kind of workload, devices, then the model FLOP
# utilisation (median, 5th and 95th percentile; no recompute, attention causal for decoders, over
# the dense peak of the precision), the number of configurations, and that of their publishers.
sources:
  measurements:
    title: Measured training throughput (costcalc/data/measurements/throughput.csv, a source a row)
    publisher: costcalc
    url: null
    date: 2026-11
source: measurements
unit: "1"
columns: [generation, precision, workload, devices, value, low, high, n, publishers]
cells:
"""


def render(rows: list[list[object]]) -> str:
    """The YAML text."""
    lines = []
    for row in rows:
        words = [f'"{part}"' for part in row[:4]]
        lines.append(f"  - [{', '.join([*words, *(str(part) for part in row[4:])])}]\n")
    return HEADER + "".join(lines)


if __name__ == "__main__":
    main()
