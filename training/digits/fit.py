"""The training loop: fixed seeds, one thread, and a checkpoint after every epoch, from which a stopped training continues."""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from training.digits.network import network
from training.digits.pictures.data import Digits, Labels, Split
from training.digits.pictures.distort import distorted
from training.digits.pictures.drawn import drawn

Batch = tuple[NDArray[np.float32], Labels]


@dataclass(frozen=True)
class Plan:
    """Parameters that decide the result, together with the data, the digits and the versions of libraries."""

    epochs: int
    seed: int = 5
    batch: int = 192
    drawn: int = 16
    """Number of drawn pictures added to each batch."""
    rate: float = 2e-3
    settling: float = 0.5
    """Share of the epochs, at the end, in which the rate falls to zero."""

    def rate_at(self, epoch: float) -> float:
        """Return the learning rate at a point of the training, in epochs."""
        warm = min(1.0, (epoch + 0.02) / 0.3)
        left = min(1.0, (self.epochs - epoch) / (self.settling * self.epochs))
        return self.rate * warm * max(left, 1e-3)


@dataclass(frozen=True)
class Epoch:
    """The result of one pass over the data."""

    epoch: int
    loss: float
    validation: float
    """Accuracy on the validation set, 0 to 1."""
    seconds: float


@dataclass(frozen=True)
class Kept:
    """Checkpoints of a training: its variables, and its course so far."""

    folder: Path
    plan: Plan

    def write(self, variables: list[keras.Variable], done: list[Epoch]) -> None:
        """Write both atomically, the course last, so that it never lists an epoch whose variables are missing."""
        self.folder.mkdir(parents=True, exist_ok=True)
        state = self._state(len(done))
        part = state.with_suffix(".part.npz")
        np.savez(part, *[np.asarray(variable) for variable in variables])
        part.replace(state)
        text = json.dumps({"plan": asdict(self.plan), "epochs": [asdict(epoch) for epoch in done]}, indent=1)
        fresh = self._course.with_suffix(".part")
        fresh.write_text(text)
        fresh.replace(self._course)
        self._state(len(done) - 1).unlink(missing_ok=True)

    def read(self, variables: list[keras.Variable]) -> list[Epoch]:
        """Restore the variables and return the course so far; empty if there is no checkpoint of this plan."""
        try:
            kept = json.loads(self._course.read_text())
        except FileNotFoundError:
            return []
        if kept["plan"] != asdict(self.plan):
            return []
        with np.load(self._state(len(kept["epochs"]))) as arrays:
            for variable, name in zip(variables, arrays.files, strict=True):
                variable.assign(arrays[name])
        return [Epoch(**epoch) for epoch in kept["epochs"]]

    @property
    def _course(self) -> Path:
        return self.folder / "course.json"

    def _state(self, epoch: int) -> Path:
        return self.folder / f"state{epoch}.npz"


def fit(
    split: Split, digits: tuple[int, ...], plan: Plan, folder: Path, say: Callable[[Epoch], None]
) -> tuple[keras.Model, list[Epoch]]:
    """Train a network of these digits, in this order, and return it with its course. Checkpoints in `folder` are of one plan."""
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.experimental.enable_op_determinism()
    model = network(plan.seed, len(digits), plan.epochs * (len(split.train) // plan.batch or 1))
    optimizer = keras.optimizers.AdamW(plan.rate, weight_decay=1e-3)
    optimizer.build(model.trainable_variables)
    loss_of = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.05)

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]  # TensorFlow is not here when types are checked
    def step(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = loss_of(tf.one_hot(y, len(digits)), model(x, training=True))
        optimizer.apply(tape.gradient(loss, model.trainable_variables))
        return loss

    kept, variables = Kept(folder, plan), [*model.variables, *optimizer.variables]
    done = kept.read(variables)
    for epoch in range(len(done), plan.epochs):
        began, losses = monotonic(), []
        batches = list(_places(len(split.train), plan, epoch))
        for index, places in enumerate(batches):
            optimizer.learning_rate.assign(plan.rate_at(epoch + index / len(batches)))
            losses.append(float(step(*_batch(split.train.at(places), digits, plan, (plan.seed, epoch, index)))))
        right = logits(model, split.validation).argmax(axis=1) == positions(split.validation.labels, digits)
        done.append(Epoch(epoch + 1, float(np.mean(losses)), float(right.mean()), round(monotonic() - began, 1)))
        kept.write(variables, done)
        say(done[-1])
    return model, done


def logits(model: keras.Model, digits: Digits) -> NDArray[np.float32]:
    """Return the network's logits for unvaried pictures."""
    x = (digits.pictures[..., None] / 255).astype(np.float32)
    return np.concatenate([np.asarray(model(x[at : at + 500], training=False)) for at in range(0, len(x), 500)])


def positions(labels: Labels, digits: tuple[int, ...]) -> Labels:
    """Return the output of each label; every label must be one of the digits, which are sorted."""
    return np.searchsorted(digits, labels).astype(np.int64)


def _places(count: int, plan: Plan, epoch: int) -> Iterator[NDArray[np.int64]]:
    order = np.random.default_rng((plan.seed, epoch)).permutation(count)
    batch = min(plan.batch, count)
    for at in range(0, count - batch + 1, batch):
        yield order[at : at + batch]


def _batch(some: Digits, digits: tuple[int, ...], plan: Plan, seed: tuple[int, ...]) -> Batch:
    random = np.random.default_rng(seed)
    more = drawn(plan.drawn, random, digits)
    pictures = distorted(np.concatenate([some.pictures, more.pictures]), random)
    return pictures[..., None], positions(np.concatenate([some.labels, more.labels]), digits)
