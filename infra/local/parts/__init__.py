"""The parts of the stack: what each needs, how it starts, how one sees that it is ready."""
