"""omixvae beside simple baselines and the packages that people use, on real data with values hidden."""
