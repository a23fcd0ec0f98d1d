"""The simulations of Hirt et al. 2024: what is drawn, trained and measured for each of their tables."""
