"""A fit by Keras 3, on any backend, measured: KERAS_BACKEND=torch python train_keras.py

Needs: pip install "costcalc[keras]" and a backend
"""

from __future__ import annotations

import sys

import keras
import numpy as np

from costcalc.integrations.keras import CostCallback

RUN = {
    "model": {"forward_flops": "0.34 MFLOP"},  # 2 × (784 × 200 + 200 × 64 + 64 × 10)
    "training": {"epochs": 2, "dataset_samples": 2048, "global_batch": 32},
    "site": {"region": "NO"},
}


def main(output: str = "costs.yaml") -> None:
    model = keras.Sequential(
        [
            keras.layers.Input((784,)),
            keras.layers.Dense(200, activation="relu"),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(10),
        ]
    )
    model.compile("adamw", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    images = np.random.default_rng(0).normal(size=(2048, 784)).astype("float32")
    labels = np.random.default_rng(1).integers(10, size=2048)
    model.fit(
        images,
        labels,
        batch_size=32,
        epochs=2,
        verbose=0,
        callbacks=[CostCallback(RUN, samples=32, output=output)],
    )


if __name__ == "__main__":
    main(*sys.argv[1:2])
