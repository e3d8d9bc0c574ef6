"""Training of the shipped models; the only package that uses TensorFlow, in a separate environment."""
