"""What will be done: `Config` with every "auto" decided from the data, and the reason for each decision."""

from omixvae.plan.decide import make_plan
from omixvae.plan.plan import ModalityPlan, Plan

__all__ = ["ModalityPlan", "Plan", "make_plan"]
