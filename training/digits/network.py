"""The network: four convolutions and one dense layer, 28 x 28 x 1 in, ten probabilities out."""

import keras

layers = keras.layers


def network(seed: int) -> keras.Model:
    """A new one, with logits as its output."""
    keras.utils.set_random_seed(seed)
    inputs = x = keras.Input((28, 28, 1), name="ink")
    x = layers.Conv2D(16, 3, activation="relu")(x)
    x = layers.MaxPool2D()(layers.Conv2D(32, 3)(x))  # before what follows, which then has a quarter to do
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(48, 3)(x)))
    x = layers.MaxPool2D()(layers.Conv2D(64, 3)(x))
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.Dense(128, use_bias=False)(layers.Flatten()(x))
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.Dropout(0.3, seed=seed)(x)
    return keras.Model(inputs, layers.Dense(10)(x), name="digits")


def served(model: keras.Model, temperature: float) -> keras.Model:
    """What is shipped: probabilities, calibrated by one temperature."""
    inputs = keras.Input((28, 28, 1), name="ink", batch_size=1)
    logits = layers.Rescaling(1 / temperature)(model(inputs, training=False))
    return keras.Model(inputs, layers.Softmax()(logits), name="digits")
