"""What held-out observations say is kept beside the decoder, and read from where version 0.1.0 kept it."""

import numpy as np
import torch

from omixvae.calibration import EARLIER, Calibration
from omixvae.decoders import Decoder


def decoder():
    return Decoder("linear", n_latent=2, n_private=0, n_covariates=0, n_features=3, hidden_size=4)


def test_weights_of_the_first_version_are_read_and_nothing_else_is_forgiven():
    weights = decoder().state_dict()
    found = {"slope": torch.tensor(0.5), "spread": torch.tensor([0.3, 0.1]), "skill": torch.rand(2, 3)}
    assert set(found) == set(EARLIER)
    del weights["calibration.baseline"]
    for name, value in found.items():
        del weights[f"calibration.{name}"]
        weights[name] = value
    before, again = dict(weights), decoder()
    again.load_state_dict(weights)
    assert list(weights) == list(before)
    for name, value in found.items():
        torch.testing.assert_close(again.calibration.get_buffer(name), value)
    assert again.calibration.baseline.isnan().all()
    new = decoder().state_dict()
    del new["calibration.baseline"]
    assert again.load_state_dict(new, strict=False).missing_keys == ["calibration.baseline"]


def test_latents_are_shrunk_towards_the_prior_mean():
    calibration, z, center = Calibration(1, 1), torch.tensor([[3.0, -1.0]]), torch.tensor([1.0, 1.0])
    torch.testing.assert_close(calibration.shrink(z, center), z)
    calibration.slope.fill_(0.25)
    torch.testing.assert_close(calibration.shrink(z, center), torch.tensor([[1.5, 0.5]]))


def test_noise_is_a_scaled_student_t_of_its_own_width_where_the_modality_is_absent():
    calibration = Calibration(2, 2)
    calibration.spread.copy_(torch.tensor([1.0, 0.5]))
    absent = torch.arange(40_000) % 2 == 0
    noise = calibration.noise(absent, torch.Generator().manual_seed(0))
    # the quartiles of Student's t with 4 degrees of freedom are at ± 0.7407
    for rows, spread in ((absent, 1.0), (~absent, 0.5)):
        low, high = np.quantile(noise[rows].numpy(), [0.25, 0.75])
        np.testing.assert_allclose([low, high], [-0.7407 * spread, 0.7407 * spread], rtol=0.03)
