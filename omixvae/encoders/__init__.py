"""What is seen → what is believed about the latents."""

from omixvae.encoders.aggregation import Aggregation
from omixvae.encoders.attention import SelfAttention
from omixvae.encoders.experts import ProductOfExperts, ProductOfExpertsPlus
from omixvae.encoders.features import FeatureEncoder
from omixvae.encoders.pooling import SumPooling
from omixvae.encoders.private import PrivateEncoder

__all__ = ["AGGREGATIONS", "Aggregation", "FeatureEncoder", "PrivateEncoder"]

AGGREGATIONS: dict[str, type[Aggregation]] = {
    "sum_pooling": SumPooling,
    "self_attention": SelfAttention,
    "poe": ProductOfExperts,
    "poe_plus": ProductOfExpertsPlus,
}
