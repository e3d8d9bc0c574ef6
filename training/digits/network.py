"""The network: four convolutions and one dense layer, 28 x 28 x 1 in, a probability of each digit out."""

import keras

layers = keras.layers


_LONG, _SHARE = 0.99, 10
"""Largest momentum of the normalisation's statistics, and the share of a short training that they average over."""


def network(seed: int, outputs: int, steps: int) -> keras.Model:
    """Build an untrained network with this many logits, for this many training steps."""
    momentum = min(_LONG, max(0.5, 1 - _SHARE / steps))
    keras.utils.set_random_seed(seed)
    inputs = x = keras.Input((28, 28, 1), name="ink")
    x = layers.Conv2D(16, 3, activation="relu")(x)
    x = layers.MaxPool2D()(layers.Conv2D(32, 3)(x))  # before what follows, which then has a quarter to do
    x = layers.ReLU()(layers.BatchNormalization(momentum=momentum)(x))
    x = layers.ReLU()(layers.BatchNormalization(momentum=momentum)(layers.Conv2D(48, 3)(x)))
    x = layers.MaxPool2D()(layers.Conv2D(64, 3)(x))
    x = layers.ReLU()(layers.BatchNormalization(momentum=momentum)(x))
    x = layers.Dense(128, use_bias=False)(layers.Flatten()(x))
    x = layers.ReLU()(layers.BatchNormalization(momentum=momentum)(x))
    x = layers.Dropout(0.3, seed=seed)(x)
    return keras.Model(inputs, layers.Dense(outputs)(x), name="digits")


def served(model: keras.Model, temperature: float) -> keras.Model:
    """Build the shipped network, whose output are probabilities calibrated by one temperature."""
    inputs = keras.Input((28, 28, 1), name="ink", batch_size=1)
    logits = layers.Rescaling(1 / temperature)(model(inputs, training=False))
    return keras.Model(inputs, layers.Softmax()(logits), name="digits")
