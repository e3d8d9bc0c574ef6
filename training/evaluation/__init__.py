"""How models are compared and measured: the gate, shares with their intervals, probabilities, plots."""
