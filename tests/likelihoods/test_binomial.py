"""Counts out of a coverage: the density, how they are read, and a model of methylated reads."""

import anndata
import mudata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from builders import all_rows, build_mdata
from scipy import stats

import omixvae
from omixvae import InputError, OmixVAE
from omixvae.config import DataConfig
from omixvae.data import from_mudata
from omixvae.likelihoods.fractions import BernoulliTrials, Binomial, BinomialCounts
from omixvae.summary import summarise_results

READS = {"coverage_layers": {"cpg": "reads"}}


def build_methylation(n=300, *, storage=np.asarray, seed=0):
    """Draw RNA of all samples and methylated reads of two thirds of them; a quarter of the sites is not covered.

    Returns
    -------
    tuple
        The MuData, and the true fraction of methylated reads, shape (n, 30).
    """
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((n, 2))
    fraction = 1 / (1 + np.exp(-(1.5 * z @ rng.standard_normal((2, 30)) + rng.standard_normal(30))))
    rna = z @ rng.standard_normal((2, 20)) + 0.3 * rng.standard_normal((n, 20))
    reads = rng.poisson(rng.gamma(2.0, 4.0, (n, 30))) * (rng.random((n, 30)) < 0.75)
    reads[0] += 1  # each site is covered somewhere
    names = np.array([f"sample{i:03d}" for i in range(n)])
    rows = np.append(0, 1 + rng.permutation(n - 1)[: 2 * n // 3])
    cpg = anndata.AnnData(
        storage(rng.binomial(reads, fraction)[rows].astype(np.float32)),
        obs=pd.DataFrame(index=names[rows]),
        var=pd.DataFrame(index=[f"site{j}" for j in range(30)]),
        layers={"reads": storage(reads[rows].astype(np.float32))},
    )
    first = anndata.AnnData(rna.astype(np.float32), obs=pd.DataFrame(index=names))
    first.var_names = [f"gene{j}" for j in range(20)]
    mdata = mudata.MuData({"rna": first, "cpg": cpg})
    return mdata, pd.DataFrame(fraction, names, cpg.var_names).loc[mdata.obs_names]


def test_it_equals_scipy(generator, float64):
    trials = torch.tensor([0.0, 1.0, 7.0, 130.0, 4000.0], dtype=float64).expand(6, 5)
    logits = 2 * torch.randn(6, 5, generator=generator, dtype=float64)
    x = (trials * torch.linspace(0, 1, 6, dtype=float64).unsqueeze(-1)).round()
    p, expected = BinomialCounts(trials, logits), stats.binom(trials.numpy(), 1 / (1 + np.exp(-logits.numpy())))
    np.testing.assert_allclose(p.log_prob(x), expected.logpmf(x.numpy()), rtol=1e-9, atol=1e-8)
    np.testing.assert_allclose(p.mean, expected.mean())
    np.testing.assert_allclose(p.variance, expected.var())
    assert (p.log_prob(trials + 1) == -torch.inf).all()
    in_float32 = BinomialCounts(trials.float(), logits.float()).log_prob(x.float())
    np.testing.assert_allclose(in_float32, expected.logpmf(x.numpy()), rtol=1e-5, atol=2e-3)


def test_with_one_read_it_is_bernoulli(generator, float64):
    logits = torch.randn(4, 3, generator=generator, dtype=float64)
    x = torch.bernoulli(torch.full((4, 3), 0.5, dtype=float64), generator=generator)
    one = BinomialCounts(torch.ones(4, 3, dtype=float64), logits)
    np.testing.assert_allclose(one.log_prob(x), BernoulliTrials(logits).log_prob(x), atol=1e-12)


def test_it_starts_at_the_fraction_of_all_reads_and_at_the_median_coverage():
    mdata, _ = build_methylation()
    counts, reads = mdata["cpg"].X.astype(np.float64), mdata["cpg"].layers["reads"].astype(np.float64)
    data = from_mudata(mdata, DataConfig(coverage_layers={"cpg": "reads"}))
    batch = all_rows(data).modalities[1]
    likelihood = Binomial(30).double()
    start = likelihood.initialise(data.table("cpg").moments, batch)
    np.testing.assert_allclose(torch.sigmoid(start), (counts.sum(0) + 0.5) / (reads.sum(0) + 1), rtol=1e-6)
    median = np.nanquantile(np.where(reads > 0, reads, np.nan), 0.5, axis=0, method="lower")
    np.testing.assert_array_equal(likelihood.typical_coverage, median)
    p = likelihood(start.expand(300, -1), batch.exposure)
    absent = ~batch.present
    np.testing.assert_allclose(p.mean[absent][0], median * torch.sigmoid(start).numpy())


@pytest.mark.parametrize("storage", [np.asarray, sp.csr_matrix])
def test_what_nothing_covers_is_missing(storage):
    mdata, _ = build_methylation(storage=storage)
    mdata["cpg"].layers["reads"] = mdata["cpg"].layers["reads"].astype(np.float64)
    plain, _ = build_methylation()
    data = from_mudata(mdata, DataConfig(coverage_layers={"cpg": "reads"}))
    batch = all_rows(data).modalities[1]
    rows = mdata["cpg"].obs_names.get_indexer(mdata.obs_names)
    reads = np.where(rows[:, None] >= 0, plain["cpg"].layers["reads"][rows], 0)
    np.testing.assert_array_equal(batch.mask, reads > 0)
    np.testing.assert_array_equal(batch.exposure, reads)
    backwards = mudata.MuData({"cpg": mdata["cpg"][:, ::-1].copy()})
    turned = from_mudata(backwards, DataConfig(coverage_layers={"cpg": "reads"}), data.schema)
    found = all_rows(turned).modalities[1]
    here = mdata.obs_names.get_indexer(backwards.obs_names)
    assert torch.equal(found.exposure, batch.exposure[here])
    assert torch.equal(found.filled, batch.filled[here])


def spoiled(change):
    mdata, _ = build_methylation()
    change(mdata["cpg"])
    return mdata


def set_reads(value, column=3):
    def change(adata):
        adata.layers["reads"][:, column] = value

    return change


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        pytest.param(
            lambda adata: adata.X.__setitem__((0, 2), 99.0),
            READS,
            "1 count of modality 'cpg' is above its coverage, the first is 99 of {reads:.0f}.\n"
            "Where: option coverage_layers, mdata['cpg'], 1 of 30 features, first: 'site2'\n"
            "Fix: Give the methylated reads as values, and as coverage all reads, the methylated ones among them.",
            id="more than all",
        ),
        pytest.param(
            set_reads(0.5),
            READS,
            "The coverage of modality 'cpg' holds values such as 0.5, and is to be whole numbers, zero or more.\n"
            "Where: option coverage_layers, mdata['cpg'], 1 of 30 features, first: 'site3'\n"
            "Fix: Point to the number of all reads over each site, with zero or NaN where there is none.",
            id="half a read",
        ),
        pytest.param(
            lambda adata: (set_reads(np.nan)(adata), adata.X.__setitem__((slice(None), 3), 0.0)),
            READS,
            "1 feature of modality 'cpg' is covered in no observation.\n"
            "Where: option coverage_layers, mdata['cpg'], 1 of 30 features, first: 'site3'\n"
            "Fix: Drop these features before training.",
            id="covered nowhere",
        ),
        pytest.param(
            lambda adata: None,
            {"coverage_layers": {"cpg": "depth"}},
            "Modality 'cpg' has no layer 'depth'.\n"
            "Where: option coverage_layers, mdata['cpg'].layers\n"
            "Fix: Choose from 'reads'.",
            id="no such layer",
        ),
        pytest.param(
            lambda adata: None,
            {"coverage_layers": {"gpc": "reads"}},
            "There is no modality 'gpc'.\nWhere: option coverage_layers\nFix: Choose from 'rna', 'cpg'.",
            id="no such modality",
        ),
        pytest.param(
            lambda adata: None,
            {"likelihoods": {"cpg": "binomial"}},
            "The likelihood binomial of modality 'cpg' needs to know what each count is out of.\n"
            "Where: option coverage_layers\n"
            "Fix: Name the layer with all reads over each site: coverage_layers={{'cpg': ...}}.",
            id="no coverage",
        ),
        pytest.param(
            lambda adata: None,
            {"likelihoods": {"cpg": "negative_binomial"}} | READS,
            "A coverage is given for modality 'cpg', but its likelihood negative_binomial has no use for it.\n"
            "Where: option coverage_layers\n"
            "Fix: Leave it out, or choose the likelihood binomial, with counts as values, for this modality.",
            id="no use for it",
        ),
    ],
)
def test_what_does_not_fit_is_refused(change, options, message):
    mdata = spoiled(change)
    with pytest.raises(InputError) as refusal:
        OmixVAE(max_epochs=1, progress=False, **options).fit(mdata)
    assert str(refusal.value) == message.format(reads=mdata["cpg"].layers["reads"][0, 2])


@pytest.mark.slow
def test_fractions_of_samples_without_methylation_are_predicted_from_rna(tmp_path):
    mdata, truth = build_methylation()
    model = omixvae.fit(mdata, **READS, max_epochs=60, progress=False)
    record = mdata.uns["omixvae"]
    assert record["likelihoods"]["cpg"] == "binomial"
    assert record["reasons"]["likelihood of cpg"].endswith("coverage_layers says what each count is out of")
    typical = mdata["cpg"].var["omixvae_coverage"]
    reads = pd.DataFrame(mdata["cpg"].layers["reads"], mdata["cpg"].obs_names, mdata["cpg"].var_names)
    imputed, sd = omixvae.imputed(mdata, "cpg"), omixvae.imputed(mdata, "cpg", sd=True)
    covered = (reads > 0).reindex(mdata.obs_names, fill_value=False)
    counts = pd.DataFrame(mdata["cpg"].X, reads.index, reads.columns).reindex(mdata.obs_names)
    np.testing.assert_array_equal(imputed[covered], counts[covered])
    assert (sd[covered].fillna(0) == 0).all(axis=None)
    overall = counts.sum() / reads.sum()
    fraction = imputed / typical
    present = mdata.obs_names.isin(reads.index)
    for which, least in ((~present, 0.8), (present, 0.85)):
        rows = ~covered & which[:, None]
        error, baseline = (((guess - truth)[rows] ** 2).stack().mean() for guess in (fraction, truth * 0 + overall))
        assert 1 - error / baseline > least, which.sum()
    model.save(tmp_path / "model")
    again = omixvae.load(tmp_path / "model")
    new = mudata.MuData({"rna": mdata["rna"].copy()})
    np.testing.assert_array_equal(again.impute(new, "cpg")[0], model.impute(new, "cpg")[0])
    assert (model.impute(new, "cpg")[0] <= typical).all(axis=None)
    low, high = model.impute_interval(mdata, "cpg", coverage=0.9)
    inside = ((counts >= low) & (counts <= high))[covered].stack().mean()
    assert inside > 0.85
    assert np.isfinite(model.log_likelihood(mdata, of=["cpg"], given=["rna"], n_samples=16)).all()
    assert model.variance_explained(mdata).loc["all", "cpg"] > 0.5
    omixvae.fit(mdata, modalities=["rna"], max_epochs=1, progress=False)
    assert "omixvae_coverage" not in mdata["cpg"].var


def test_the_file_with_results_can_be_written_and_read(tmp_path):
    mdata, _ = build_methylation(60)
    omixvae.fit(mdata, **READS, max_epochs=2, progress=False)
    mdata.write(tmp_path / "out.h5mu")
    read = mudata.read_h5mu(tmp_path / "out.h5mu")
    np.testing.assert_array_equal(read["cpg"].var["omixvae_coverage"], mdata["cpg"].var["omixvae_coverage"])
    reads = read["cpg"].to_df("reads").reindex(read.obs_names)
    fractions = omixvae.imputed(read, "cpg") / reads.where(reads > 0, read["cpg"].var["omixvae_coverage"], axis=1)
    assert ((fractions >= 0) & (fractions <= 1)).all(axis=None)
    assert '["cpg"].var["omixvae_coverage"]' in summarise_results(mdata, "omixvae")["keys"]


def test_coverage_is_in_the_way_of_no_other_modality():
    batch = all_rows(from_mudata(build_mdata())).modalities[0]
    assert batch.coverage is None
    assert torch.equal(batch.exposure, batch.library.unsqueeze(-1))
