"""How good is a model on observations that it never saw, and which options do they support?"""

from omixvae.evaluation.coverage import NOMINAL, covered
from omixvae.evaluation.evaluate import MOST_EVALUATED, SAMPLES, Agreement, Evaluation, agreement, evaluate
from omixvae.evaluation.grid import word
from omixvae.evaluation.select import Selection, select

__all__ = [
    "MOST_EVALUATED",
    "NOMINAL",
    "SAMPLES",
    "Agreement",
    "Evaluation",
    "Selection",
    "agreement",
    "covered",
    "evaluate",
    "select",
    "word",
]
