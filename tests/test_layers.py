"""The blocks that networks share: what is fast is what is plain."""

import torch

from omixvae.layers import LARGEST_SIZE, add_linear, limit_size


def test_limiting_size_has_the_value_and_gradient_of_its_formula(generator):
    x = (4 * torch.randn(3, 5, 7, generator=generator, dtype=torch.float64)).requires_grad_()
    plain = x / torch.sqrt(1 + x.square().mean(-1, keepdim=True) / LARGEST_SIZE**2)
    upstream = torch.randn(x.shape, generator=generator, dtype=torch.float64)
    torch.testing.assert_close(limit_size(x), plain, rtol=1e-12, atol=0)
    expected, found = (torch.autograd.grad(y, x, upstream)[0] for y in (plain, limit_size(x)))
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)
    assert torch.autograd.gradcheck(limit_size, x)


def test_a_linear_map_is_added_as_if_by_itself(generator):
    to, x, weight = (
        torch.randn(*shape, generator=generator, dtype=torch.float64).requires_grad_()
        for shape in ((2, 3, 4), (2, 3, 5), (4, 5))
    )
    plain = to + x @ weight.T
    torch.testing.assert_close(add_linear(to, x, weight), plain, rtol=1e-12, atol=1e-12)
    upstream = torch.randn(plain.shape, generator=generator, dtype=torch.float64)
    gradients = (torch.autograd.grad(y, (to, x, weight), upstream) for y in (plain, add_linear(to, x, weight)))
    for expected, found in zip(*gradients, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
