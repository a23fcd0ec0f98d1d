"""Private latents: each modality's own, whatever the order of the modalities."""

import pytest
import torch

from omixvae.encoders.attention import AttentivePrivateEncoder
from omixvae.encoders.private import OwnPrivateEncoder, PooledPrivateEncoder

N, M, E, D = 8, 4, 6, 3


@pytest.fixture
def case(generator, float64):
    """Give random features, presence and shared latents; the first row has nothing at all."""
    present = torch.rand(N, M, generator=generator) < 0.6
    present[0] = False
    h = torch.randn(N, M, E, generator=generator, dtype=float64)
    z = torch.randn(N, D, generator=generator, dtype=float64)
    return h, present, z


class Whole(torch.nn.Module):
    """An encoder that starts from the features themselves."""

    def __init__(self, n_private, encoder_class):
        super().__init__()
        self.parts = encoder_class(E, D, n_private, 8)

    def forward(self, h, present, z):
        return self.parts(self.parts.embed(h), present, z)


def encoder(n_private, dtype, encoder_class=PooledPrivateEncoder):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Whole(n_private, encoder_class).to(dtype)


every_encoder = pytest.mark.parametrize(
    "encoder_class", [OwnPrivateEncoder, PooledPrivateEncoder, AttentivePrivateEncoder]
)


def test_permuting_the_modalities_permutes_the_beliefs(case, generator, float64):
    h, present, z = case
    private = encoder([2] * M, float64)
    q = private(h, present, z)
    order = torch.tensor([2, 0, 3, 1])
    permuted = private(h[:, order], present[:, order], z)
    torch.testing.assert_close(permuted.loc, q.loc[:, order], rtol=0, atol=1e-12)
    torch.testing.assert_close(permuted.scale, q.scale[:, order], rtol=0, atol=1e-12)
    assert (q.loc[1:, 0] - q.loc[1:, 1]).abs().max() > 1e-2, "and they differ between modalities"


@every_encoder
def test_an_absent_modality_has_the_prior(case, float64, encoder_class):
    h, present, z = case
    q = encoder([2] * M, float64, encoder_class)(h, present, z)
    assert (q.loc[~present] == 0).all()
    assert (q.scale[~present] == 1).all()
    assert (q.loc[present] != 0).all()


@every_encoder
def test_unused_dimensions_have_the_prior(case, float64, encoder_class):
    h, present, z = case
    q = encoder([3, 0, 1, 2], float64, encoder_class)(h, present, z)
    for s, p in enumerate([3, 0, 1, 2]):
        assert (q.loc[:, s, p:] == 0).all()
        assert (q.scale[:, s, p:] == 1).all()
        assert (q.loc[:, s, :p][present[:, s]] != 0).all()


@every_encoder
def test_what_stands_for_an_absent_modality_leaves_no_trace(case, float64, encoder_class):
    h, present, z = case
    private = encoder([2] * M, float64, encoder_class)
    results = []
    for filling in (0.0, 1.0, -1e6):
        features = torch.where(present.unsqueeze(-1), h, filling).requires_grad_()
        q = private(features, present, z)
        inputs = (features, *private.parameters())
        slopes = torch.autograd.grad(q.loc.sum() + q.scale.log().sum(), inputs)
        results.append((q.loc, q.scale, *slopes))
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            torch.testing.assert_close(a, b, rtol=0, atol=0)


def test_the_belief_depends_on_z_and_on_every_present_modality(case, float64):
    h, present, z = case
    present = torch.ones_like(present)
    h, z = h.requires_grad_(), z.requires_grad_()
    q = encoder([2] * M, float64)(h, present, z)
    in_h, in_z = torch.autograd.grad(q.loc[:, 0].sum(), (h, z))
    assert (in_h != 0).any(-1).all()
    assert (in_z != 0).any(-1).all()


def test_attention_makes_a_belief_depend_on_z_and_on_every_present_modality(case, float64):
    h, present, z = case
    h, z = h.requires_grad_(), z.requires_grad_()
    q = encoder([2] * M, float64, AttentivePrivateEncoder)(h, torch.ones_like(present), z)
    in_h, in_z = torch.autograd.grad(q.loc[:, 0].sum(), (h, z))
    assert (in_h != 0).any(-1).all()
    assert (in_z != 0).any(-1).all()


def test_an_own_encoder_looks_at_its_modality_alone(case, float64):
    h, present, z = case
    h = h.requires_grad_()
    q = encoder([2] * M, float64, OwnPrivateEncoder)(h, torch.ones_like(present), z)
    (in_h,) = torch.autograd.grad(q.loc[:, 0].sum(), h)
    assert (in_h[:, 0] != 0).all()
    assert (in_h[:, 1:] == 0).all()
