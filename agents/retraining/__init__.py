"""What the services that train models share: the training itself runs in another environment, as a process of its own."""
