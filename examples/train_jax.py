"""A plain JAX loop, measured: python train_jax.py

JAX runs ahead of Python: wait for a step's result before it is counted, or count every few steps.
"""

from __future__ import annotations

import sys

import jax
import jax.numpy as jnp

import costcalc

RUN = {
    "model": {"forward_flops": "0.34 MFLOP"},  # 2 × (784 × 200 + 200 × 64 + 64 × 10)
    "training": {"steps": 200, "global_batch": 32},
    "site": {"region": "FI"},
}


def loss(weights: list[jax.Array], images: jax.Array, labels: jax.Array) -> jax.Array:
    hidden = images
    for weight in weights[:-1]:
        hidden = jax.nn.relu(hidden @ weight)
    scores = jax.nn.log_softmax(hidden @ weights[-1])
    return -jnp.mean(jnp.take_along_axis(scores, labels[:, None], axis=1))


@jax.jit
def update(
    weights: list[jax.Array], images: jax.Array, labels: jax.Array
) -> tuple[list[jax.Array], jax.Array]:
    value, slopes = jax.value_and_grad(loss)(weights, images, labels)
    return [w - 0.01 * s for w, s in zip(weights, slopes, strict=True)], value


def main(output: str = "costs.yaml") -> None:
    keys = jax.random.split(jax.random.key(0), 5)
    sizes = (784, 200, 64, 10)
    weights = [
        0.05 * jax.random.normal(keys[layer], sizes[layer : layer + 2]) for layer in range(3)
    ]
    images = jax.random.normal(keys[3], (32, 784))
    labels = jax.random.randint(keys[4], (32,), 0, 10)
    with costcalc.track(RUN, output=output, interval=1.0) as tracker:
        for _ in range(200):
            weights, value = update(weights, images, labels)
            value.block_until_ready()
            tracker.step(samples=32)


if __name__ == "__main__":
    main(*sys.argv[1:2])
