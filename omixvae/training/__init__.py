"""How a network learns: start values, schedule, and the loop."""
