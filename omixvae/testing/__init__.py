"""The laws that a likelihood, an aggregation or a prior must obey, as plain functions.

The tests of this package run them over every member of its tables; whoever writes a member runs the same ones. Each
returns nothing when all is well and raises `AssertionError` with one sentence that says which law is broken.
"""

from omixvae.testing.aggregations import check_aggregation
from omixvae.testing.likelihoods import check_likelihood
from omixvae.testing.priors import check_prior

__all__ = ["check_aggregation", "check_likelihood", "check_prior"]
