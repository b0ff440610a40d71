"""A loop by Flax and Optax, measured: python train_flax.py

Ten steps are compiled into one call, and counted by it.

Needs: pip install costcalc flax optax
"""

from __future__ import annotations

import sys

import jax
import jax.numpy as jnp
import optax
from flax import nnx

import costcalc

RUN = {
    "model": {"forward_flops": "0.34 MFLOP"},  # 2 × (784 × 200 + 200 × 64 + 64 × 10)
    "training": {"steps": 200, "global_batch": 32},
    "site": {"region": "IS"},
}
AT_ONCE = 10


class Classifier(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.first = nnx.Linear(784, 200, rngs=rngs)
        self.second = nnx.Linear(200, 64, rngs=rngs)
        self.last = nnx.Linear(64, 10, rngs=rngs)

    def __call__(self, images: jax.Array) -> jax.Array:
        return self.last(nnx.relu(self.second(nnx.relu(self.first(images)))))


def loss(model: Classifier, images: jax.Array, labels: jax.Array) -> jax.Array:
    scores = optax.softmax_cross_entropy_with_integer_labels(model(images), labels)
    return jnp.mean(scores)


@nnx.jit
def updates(
    model: Classifier, optimizer: nnx.Optimizer, images: jax.Array, labels: jax.Array
) -> jax.Array:
    for _ in range(AT_ONCE):
        value, slopes = nnx.value_and_grad(loss)(model, images, labels)
        optimizer.update(model, slopes)
    return value


def main(output: str = "costs.yaml") -> None:
    model = Classifier(nnx.Rngs(0))
    optimizer = nnx.Optimizer(model, optax.adamw(1e-3), wrt=nnx.Param)
    images = jax.random.normal(jax.random.key(1), (32, 784))
    labels = jax.random.randint(jax.random.key(2), (32,), 0, 10)
    with costcalc.track(RUN, output=output, interval=1.0) as tracker:
        for _ in range(200 // AT_ONCE):
            updates(model, optimizer, images, labels).block_until_ready()
            tracker.step(samples=32 * AT_ONCE, steps=AT_ONCE)


if __name__ == "__main__":
    main(*sys.argv[1:2])
