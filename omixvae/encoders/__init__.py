"""What is seen → what is believed about the latents."""

from omixvae.encoders.aggregation import Aggregation, Head, PrivateEncoder, Variant
from omixvae.encoders.attention import SelfAttention
from omixvae.encoders.experts import MixtureOfExperts, MixtureOfProductsOfExperts, ProductOfExperts
from omixvae.encoders.features import FeatureEncoder
from omixvae.encoders.pooling import SumPooling
from omixvae.encoders.private import OwnPrivateEncoder, PooledPrivateEncoder

__all__ = [
    "AGGREGATIONS",
    "Aggregation",
    "FeatureEncoder",
    "Head",
    "OwnPrivateEncoder",
    "PooledPrivateEncoder",
    "PrivateEncoder",
]

AGGREGATIONS: dict[str, Variant] = {
    "sum_pooling": Variant(SumPooling),
    "self_attention": Variant(SelfAttention),
    "sum_pooling_mixture": Variant(SumPooling, {"mixture": True}),
    "self_attention_mixture": Variant(SelfAttention, {"mixture": True}),
    "poe": Variant(ProductOfExperts),
    "poe_plus": Variant(ProductOfExperts, {"deep": True}),
    "moe": Variant(MixtureOfExperts),
    "moe_plus": Variant(MixtureOfExperts, {"deep": True}),
    "mopoe": Variant(MixtureOfProductsOfExperts),
}
