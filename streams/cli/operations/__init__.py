"""Commands of the operator: the stack, data, models and benchmarks."""
