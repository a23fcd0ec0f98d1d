"""Networks' outputs are read as beliefs."""

import torch

from omixvae.encoders.aggregation import COMPONENT_SPREAD, SMALLEST_SCALE, Head, mixture_from

N, K, D = 4, 3, 2


def test_the_components_of_a_mixture_begin_near_their_mean(generator):
    outputs = torch.randn(N, Head(D, K).size, generator=generator)
    q = mixture_from(outputs, K)
    components = outputs[:, K:].reshape(N, K, 2 * D)
    for i in range(N):
        mean = components[i].mean(0)
        for k in range(K):
            loc, log_scale = (mean + 0.1 * (components[i, k] - mean)).chunk(2)
            torch.testing.assert_close(q.loc[i, k], loc)
            torch.testing.assert_close(q.scale[i, k], SMALLEST_SCALE + log_scale.exp())
    torch.testing.assert_close(q.log_weights.exp(), torch.softmax(outputs[:, :K], -1))


def test_any_mixture_can_be_said(generator):
    loc, log_scale = 5 * torch.randn(2, N, K, D, generator=generator)
    wanted = torch.cat([loc, log_scale], dim=-1)
    mean = wanted.mean(1, keepdim=True)
    outputs = torch.cat([torch.zeros(N, K), (mean + (wanted - mean) / COMPONENT_SPREAD).flatten(1)], dim=1)
    q = mixture_from(outputs, K)
    torch.testing.assert_close(q.loc, loc, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(q.scale, SMALLEST_SCALE + log_scale.clamp(max=5).exp(), atol=1e-4, rtol=1e-3)
