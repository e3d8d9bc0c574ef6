"""Where Millrace runs: the embedded local stack, images and cluster resources."""
