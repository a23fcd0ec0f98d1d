"""Parts that a user brings: trained, saved without code, refused with a sentence where they do not fit."""

import numpy as np
import pytest
import torch
from builders import build_mdata
from torch import nn

import omixvae
from omixvae import InputError, OmixVAE
from omixvae.distributions import GaussianMixture
from omixvae.encoders import Aggregation, Head, PooledPrivateEncoder
from omixvae.layers import MLP
from omixvae.likelihoods.continuous import Laplace
from omixvae.likelihoods.counts import NegativeBinomial, NegativeBinomialCounts
from omixvae.objectives import Bound
from omixvae.objectives.mixture import mixture_bound
from omixvae.priors import Prior
from omixvae.testing import check_aggregation, check_prior

QUICK = {"max_epochs": 3, "progress": False}


class Spectrum(nn.Module):
    """A small convolution over the features, as for a spectrum; the last layer finds its size by itself."""

    def __init__(self):
        super().__init__()
        self.convolution = nn.Conv1d(1, 2, 3, padding=1)
        self.drop = nn.Dropout(0.5)
        self.out = nn.LazyLinear(6)

    def forward(self, x):
        return self.out(self.drop(torch.relu(self.convolution(x.unsqueeze(1)))).flatten(1))


def decoder():
    return nn.Sequential(nn.LazyLinear(7), nn.Tanh(), nn.Linear(7, 5))


def trained(spectrum=None, bend=None, **options):
    mdata = build_mdata(n_features=(8, 5, 4))
    own = {"encoders": {"rna": spectrum or Spectrum()}, "decoders": {"protein": bend or decoder()}}
    return OmixVAE(**own, **QUICK, **options).fit(mdata), mdata


def test_they_are_trained_and_take_the_place_of_ours():
    spectrum, bend = Spectrum(), decoder()
    model, mdata = trained(spectrum, bend, n_private=1)
    network = model.network
    assert network.decoders[1].linear is None
    for after, start in (
        (network.encoders[0].network[0].convolution, spectrum.convolution),
        (network.decoders[1].bent[2], bend[2]),
    ):
        assert (after.weight != start.weight).any()
    mean, sd = model.impute(mdata, "protein")
    assert np.isfinite(mean.to_numpy()).all()
    assert (sd.to_numpy() > 0).all()
    with pytest.raises(InputError, match="Only a linear decoder has loadings"):
        model.loadings("protein")
    assert len(model.loadings("rna")) == 8


def test_training_leaves_the_users_own_as_it_was_and_starts_from_it_each_time():
    encoder = nn.Sequential(nn.Linear(8, 4), nn.ReLU())
    start = {name: value.clone() for name, value in encoder.state_dict().items()}
    mdata = build_mdata(n_features=(8, 5, 4))
    latents = [OmixVAE(encoders={"rna": encoder}, **QUICK).fit(mdata).latent(mdata)[0] for _ in range(2)]
    for name, value in encoder.state_dict().items():
        assert torch.equal(value, start[name])
    np.testing.assert_array_equal(*latents)
    other = OmixVAE(**QUICK).fit(mdata).latent(mdata)[0]
    assert np.abs(other - latents[0]).max() > 1e-3, "and it is used"


def test_dropout_is_off_when_questions_are_asked():
    model, mdata = trained()
    np.testing.assert_array_equal(model.latent(mdata)[0], model.latent(mdata)[0])


def test_saved_without_code_and_loaded_with_the_modules_again(tmp_path):
    model, mdata = trained()
    model.save(tmp_path / "model")
    with pytest.raises(InputError, match="encoders of your own for other modalities than are given: 'rna'"):
        omixvae.load(tmp_path / "model")
    with pytest.raises(InputError, match="decoders of your own for other modalities than are given: 'protein'"):
        omixvae.load(tmp_path / "model", encoders={"rna": Spectrum()})
    loaded = omixvae.load(tmp_path / "model", encoders={"rna": Spectrum()}, decoders={"protein": decoder()})
    np.testing.assert_array_equal(loaded.latent(mdata)[0], model.latent(mdata)[0])


@pytest.mark.parametrize(
    ("own", "sentence"),
    [
        ({"encoders": {"rnb": Spectrum()}}, "There is no modality 'rnb'.\nWhere: option encoders"),
        ({"encoders": {"rna": nn.Linear(3, 4)}}, "The module fails on values of shape (2, 8)"),
        ({"encoders": {"rna": nn.Unflatten(1, (2, 4))}}, "the module makes (2, 2, 4), not one row per observation."),
        ({"encoders": {"rna": torch.relu}}, "Something else is given than PyTorch modules by the names of modalities."),
        ({"encoders": nn.Linear(8, 4)}, "Something else is given than PyTorch modules by the names of modalities."),
        ({"decoders": {"protein": nn.LazyLinear(9)}}, "The module gives 9 values for 5 features."),
    ],
)
def test_what_does_not_fit_is_refused(own, sentence):
    with pytest.raises(InputError) as refusal:
        OmixVAE(**own, **QUICK).fit(build_mdata(n_features=(8, 5, 4)))
    assert sentence in str(refusal.value)


def test_a_known_noise_is_taken_as_it_is():
    mdata = build_mdata(n_features=(8, 5, 4))
    model = OmixVAE(noise={"protein": 0.25}, likelihoods={"protein": "laplace"}, **QUICK).fit(mdata)
    batch = model._read(mdata).rows(np.arange(4), torch.device("cpu"), torch.float32)
    p = model.network.decode(1, torch.zeros(4, model.plan.n_latent), torch.zeros(4, model.network.n_private), batch)
    np.testing.assert_allclose(p.variance.detach().numpy(), 0.25**2, rtol=1e-6)
    with pytest.raises(InputError, match="A noise is given for modality 'rna', but its likelihood negative_binomial"):
        OmixVAE(noise={"rna": 1.0}, **QUICK).fit(mdata)


class Poisson(NegativeBinomial):
    """A likelihood of one's own: counts that spread no more than chance makes them."""

    needs = "counts"

    def forward(self, decoded, exposure):
        log_mu = torch.log_softmax(decoded, -1) + exposure.log()
        return NegativeBinomialCounts(log_mu, torch.full_like(self.log_theta, 12.0))


def test_a_likelihood_of_ones_own(tmp_path):
    mdata = build_mdata(n_features=(8, 5, 4))
    model = omixvae.fit(mdata, likelihoods={"rna": Poisson, "protein": "laplace"}, **QUICK)
    assert isinstance(model.network.likelihoods[0], Poisson)
    assert mdata.uns["omixvae"]["likelihoods"] == {"rna": "own", "protein": "laplace", "mutation": "bernoulli"}
    assert mdata.uns["omixvae"]["reasons"]["likelihood of rna"] == "likelihood of rna = Poisson: your own"
    model.save(tmp_path / "model")
    with pytest.raises(InputError, match="likelihoods of your own for other modalities than are given: 'rna'"):
        omixvae.load(tmp_path / "model")
    loaded = omixvae.load(tmp_path / "model", likelihoods={"rna": Poisson})
    np.testing.assert_array_equal(loaded.latent(mdata)[0], model.latent(mdata)[0])
    with pytest.raises(InputError, match="but its likelihood is Poisson, which needs counts"):
        OmixVAE(likelihoods={"protein": Poisson}, **QUICK).fit(mdata)
    with pytest.raises(InputError, match="Linear for modality 'rna' is not a likelihood"):
        OmixVAE(likelihoods={"rna": nn.Linear}, **QUICK)


def test_too_many_modalities_for_the_mixture_of_products():
    mdata = build_mdata()
    many = {f"{name}{i}": mdata[name].copy() for i in range(2) for name in mdata.mod}
    for name, adata in many.items():
        adata.var_names = name + adata.var_names
    with pytest.raises(InputError, match="mopoe takes 5 modalities at most, but there are 6"):
        OmixVAE(aggregation="mopoe", **QUICK).fit(type(mdata)(many))


class Tied(nn.Module):
    """Two layers that share their weights."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(8, 8), nn.Linear(8, 8)
        self.second.weight = self.first.weight

    def forward(self, x):
        return self.second(torch.relu(self.first(x.float())))


def test_shared_weights_stay_shared_after_saving(tmp_path):
    mdata = build_mdata(n_features=(8, 5, 4))
    model = OmixVAE(encoders={"rna": Tied().double()}, **QUICK).fit(mdata)
    model.save(tmp_path / "model")
    loaded = omixvae.load(tmp_path / "model", encoders={"rna": Tied()})
    np.testing.assert_array_equal(loaded.latent(mdata)[0], model.latent(mdata)[0])
    with pytest.raises(InputError, match="The weights do not fit the parts that are given"):
        omixvae.load(tmp_path / "model", encoders={"rna": nn.Linear(8, 3)})


def test_the_record_says_which_networks_are_your_own():
    model, mdata = trained()
    model.annotate(mdata)
    reasons = mdata.uns["omixvae"]["reasons"]
    assert reasons["encoder of rna"] == "encoder of rna: your own"
    assert "encoder of protein" not in reasons


def test_a_network_that_gives_no_number_stops_the_training_with_a_sentence():
    class Logarithm(nn.Module):
        def forward(self, x):
            return torch.log(x - x.detach())

    for aggregation in ("sum_pooling", "sum_pooling_mixture", "moe"):
        with pytest.raises(InputError, match="became infinite or NaN"):
            OmixVAE(encoders={"rna": Logarithm()}, aggregation=aggregation, max_epochs=2, progress=False).fit(
                build_mdata()
            )


class Even(Prior):
    """A prior of one's own, with clusters, trained from the first step on."""

    about_n_clusters = "groups of the same size among {n}"

    def __init__(self, n_latent, n_clusters=1, aggregation=None, scale=1.0):
        super().__init__(n_latent, n_clusters, aggregation)
        self.loc = nn.Parameter(torch.randn(n_clusters, n_latent))
        self.scale, self.sizes = scale, None

    def forward(self):
        return GaussianMixture(self.loc.new_zeros(len(self.loc)), self.loc, torch.full_like(self.loc, self.scale))

    def clusters(self, p, z):
        return p.responsibilities(z)

    def finish(self, sizes):
        self.sizes = sizes


class Late(Even):
    """A prior of one's own that waits for latents, and is N(0, I) until then."""

    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.began = None
        self.requires_grad_(requires_grad=False)
        self.loc.zero_()

    @staticmethod
    def starts_after(*, cohort):
        return 0.5

    def start(self, beliefs, n_measured, *, choose, seed):
        means = torch.cat([q.mean for q in beliefs])
        self.began = (len(means), len(n_measured), choose)
        self.loc.copy_(means[: len(self.loc)])
        self.requires_grad_()


class Mean(Aggregation):
    """An aggregation of one's own."""

    private_encoder = PooledPrivateEncoder
    most_modalities = 3

    def __init__(self, n_features, n_latent, hidden_size, n_components=1):
        super().__init__(n_features, n_latent, hidden_size, n_components)
        self.head = Head(n_latent)
        self.chi, self.rho = MLP(n_features, [9], 9), MLP(9, [9], self.head.size)

    def embed(self, h):
        return self.chi(h)

    def combine(self, g, present):
        total = torch.where(present.unsqueeze(-1), g, 0.0).sum(1)
        return self.head(self.rho(total / present.sum(1, keepdim=True).clamp(min=1)))


def everything(network, batch, subset, generator, *, beta=1.0, kl="stl", private=None):
    """Explain everything from everything: a bound of one's own."""
    return mixture_bound(network, batch, batch.presence, generator, beta=beta, kl=kl)


@pytest.mark.parametrize(("check", "part"), [(check_prior, Even), (check_prior, Late), (check_aggregation, Mean)])
def test_they_obey_the_laws(check, part):
    check(part)


PARTS = {
    "prior": (Even, {"n_clusters": 4}),
    "prior, later": (Late, {"n_clusters": 4}),
    "prior made by the user": (Even(5, 4, scale=0.3), {}),
    "aggregation": (Mean, {}),
    "aggregation made by the user": (Mean(64, 5, 64), {}),
    "objective": (Bound(everything), {}),
}


@pytest.mark.parametrize("which", PARTS)
def test_each_part_is_trained_saved_and_loaded(which, tmp_path):
    part, further = PARTS[which]
    option = which.split()[0].rstrip(",")
    mdata = build_mdata(n_features=(8, 5, 4))
    options = {**QUICK, "n_latent": 5, **further}
    model = omixvae.fit(mdata, **{option: part}, **options)
    assert getattr(model.plan, option) == "own"
    name = type(part).__name__ if not isinstance(part, type) else part.__name__
    assert model.plan.reasons[option] == f"{option} = {name}: your own"
    latent = model.latent(mdata)[0]
    ours = OmixVAE(**options).fit(mdata)
    assert np.abs(latent - ours.latent(mdata)[0]).max() > 1e-3, "it is used"
    np.testing.assert_array_equal(OmixVAE(**{option: part}, **options).fit(mdata).latent(mdata)[0], latent)
    model.save(tmp_path / "model")
    with pytest.raises(InputError, match=f"trained with {option}=... of your own, which is not given"):
        omixvae.load(tmp_path / "model")
    loaded = omixvae.load(tmp_path / "model", **{option: part})
    np.testing.assert_array_equal(loaded.latent(mdata)[0], latent)
    ours.save(tmp_path / "ours")
    with pytest.raises(InputError, match="and one of your own is given"):
        omixvae.load(tmp_path / "ours", **{option: part})


def test_a_prior_of_ones_own_has_clusters_and_hears_of_the_training():
    mdata = build_mdata(60)
    model = omixvae.fit(mdata, prior=Late, n_clusters=4, max_epochs=6, progress=False)
    assert model.plan.prior_epoch == 3
    n_trained = model.network.prior.began[0]
    assert model.network.prior.began == (n_trained, n_trained, False)
    assert int(model.network.prior.sizes.sum()) == n_trained < 60
    assert mdata.obsm["omixvae_cluster_probs"].shape == (60, 4)
    assert model.plan.reasons["n_clusters"] == "n_clusters = 4: as asked"
    plan = OmixVAE(prior=Even, **QUICK).fit(mdata).plan
    assert plan.reasons["n_clusters"] == f"n_clusters = {plan.n_clusters}: groups of the same size among 60"


def test_an_instance_stays_as_it_was_and_each_fit_starts_from_it():
    prior = Even(5, 4)
    start = prior.loc.clone()
    OmixVAE(prior=prior, n_latent=5, **QUICK).fit(build_mdata())
    assert torch.equal(prior.loc, start)


def test_a_likelihood_made_by_the_user_keeps_its_settings(tmp_path):
    mdata = build_mdata(n_features=(8, 5, 4))
    own = {"rna": NegativeBinomial(8, by_total=True), "protein": Laplace(5, noise=0.5)}
    model = omixvae.fit(mdata, likelihoods=own, **QUICK)
    assert model.network.likelihoods[0].by_total, "a panel has none unless it is asked for"
    assert model.plan.modalities[0].by_total
    assert model.network.likelihoods[1].noise == 0.5
    assert torch.equal(own["rna"].center, torch.zeros(8)), "it is copied"
    model.save(tmp_path / "model")
    loaded = omixvae.load(tmp_path / "model", likelihoods=own)
    np.testing.assert_array_equal(loaded.latent(mdata)[0], model.latent(mdata)[0])


def test_a_likelihood_of_ones_own_listens_to_the_options_that_it_takes():
    class OwnCounts(NegativeBinomial):
        """Counts, as ours are."""

    mdata = build_mdata(n_features=(8, 5, 4))
    options = {"size_factors": {"rna": "total"}, "dispersion": "batch", "batch_key": "batch", **QUICK}
    fitted = [OmixVAE(likelihoods={"rna": of}, **options).fit(mdata) for of in (OwnCounts, "negative_binomial")]
    assert fitted[0].network.likelihoods[0].by_total
    assert fitted[0].network.likelihoods[0].by_batch
    np.testing.assert_array_equal(*(model.latent(mdata)[0] for model in fitted))


@pytest.mark.parametrize(
    ("own", "sentence"),
    [
        ({"prior": nn.Linear}, "Linear is not a prior.\nWhere: the argument prior"),
        ({"prior": Mean}, "Mean is not a prior.\nWhere: the argument prior"),
        ({"prior": Even(7, 2), "n_latent": 5}, "Even has n_latent = 7, and here it must be 5."),
        ({"prior": 3}, "Option prior cannot be 3."),
        ({"aggregation": Even}, "Even is not an aggregation.\nWhere: the argument aggregation"),
        ({"aggregation": Mean(64, 3, 64), "n_latent": 5}, "Mean has n_latent = 3, and here it must be 5."),
        ({"objective": everything}, "everything is not a bound.\nWhere: the argument objective"),
        (
            {"objective": Bound(everything, trains_prior=False), "prior": Even},
            "The bound everything has no term that trains the prior Even.",
        ),
        ({"likelihoods": {"rna": NegativeBinomial(3)}}, "NegativeBinomial has n_features = 3, and here it must be 8."),
    ],
)
def test_parts_that_do_not_fit_are_refused(own, sentence):
    with pytest.raises(InputError) as refusal:
        OmixVAE(**own, **QUICK).fit(build_mdata(n_features=(8, 5, 4)))
    assert sentence in str(refusal.value)
