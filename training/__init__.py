"""Training of the models that the project ships; the only place with TensorFlow, in an environment of its own."""
