"""What a MuData holds, what would be done with it, and what a careful colleague would point at before training."""

from omixvae.diagnosis.diagnose import Diagnosis, diagnose

__all__ = ["Diagnosis", "diagnose"]
