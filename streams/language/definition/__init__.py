"""What a pipeline file says, with the place of everything in it, before anything is resolved."""
