"""What is seen → what is believed about the latents."""

from omixvae.encoders.aggregation import Aggregation, PrivateEncoder
from omixvae.encoders.attention import SelfAttention, SelfAttentionMixture
from omixvae.encoders.experts import (
    MixtureOfExperts,
    MixtureOfExpertsPlus,
    MixtureOfProductsOfExperts,
    ProductOfExperts,
    ProductOfExpertsPlus,
)
from omixvae.encoders.features import FeatureEncoder
from omixvae.encoders.pooling import SumPooling, SumPoolingMixture

__all__ = ["AGGREGATIONS", "Aggregation", "FeatureEncoder", "PrivateEncoder"]

AGGREGATIONS: dict[str, type[Aggregation]] = {
    "sum_pooling": SumPooling,
    "self_attention": SelfAttention,
    "sum_pooling_mixture": SumPoolingMixture,
    "self_attention_mixture": SelfAttentionMixture,
    "poe": ProductOfExperts,
    "poe_plus": ProductOfExpertsPlus,
    "moe": MixtureOfExperts,
    "moe_plus": MixtureOfExpertsPlus,
    "mopoe": MixtureOfProductsOfExperts,
}
