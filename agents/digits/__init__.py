"""What digit-recognition is made of: finding the ink, centring it as MNIST does, and the network."""
