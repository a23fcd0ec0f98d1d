"""What a user holds: it says what it is, takes what is meant, and can be kept and copied."""

import copy
import inspect
import pickle

import mudata
import numpy as np
import pytest
import torch

import omixvae
import omixvae.accessor
from omixvae import InputError, OmixVAE
from omixvae.errors import NotFittedError
from omixvae.evaluation import evaluate
from omixvae.mudata_io import without_pulling
from omixvae.pl.colours import colour_by
from omixvae.results.read import Results
from tests.builders import build_mdata

QUICK = {"max_epochs": 2, "progress": False}
UNFITTED = "The model is not trained yet.\nWhere: this OmixVAE\nFix: Call fit(mdata) first, or read a model by load."
ABSENT = "mps" if torch.cuda.is_available() else "cuda"


@pytest.fixture(scope="module")
def mdata():
    mdata = build_mdata()
    mdata["rna"].var["gene_symbols"] = ["CD4", "CD8A", "twice", "twice", "NCAM1", "CD19", "CD3D", None]
    return mdata


@pytest.fixture(scope="module")
def model(mdata):
    return omixvae.fit(mdata, **QUICK)


ASKED = {
    name
    for name, member in vars(OmixVAE).items()
    if (callable(member) or isinstance(member, property)) and not name.startswith("_") and name not in ("fit", "read")
}


@pytest.mark.parametrize("name", sorted(ASKED))
def test_an_unfitted_model_says_so_whatever_it_is_asked(name, mdata, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = OmixVAE(**QUICK)
    ask = vars(OmixVAE)[name].fget if isinstance(vars(OmixVAE)[name], property) else vars(OmixVAE)[name]
    needed = [p.name for p in inspect.signature(ask).parameters.values() if p.default is p.empty and p.name != "self"]
    arguments = {"mdata": mdata, "mod": "rna", "path": "model"}
    with pytest.raises(NotFittedError) as refusal:
        ask(model, **{argument: arguments[argument] for argument in needed})
    assert str(refusal.value) == UNFITTED
    assert list(tmp_path.iterdir()) == []
    assert not hasattr(model, "network")


def test_the_table_of_questions_holds_those_that_there_are():
    assert {"plan", "network", "latent", "annotate", "impute", "save", "loadings", "information"} <= ASKED


def test_an_unfitted_model_is_not_evaluated(mdata):
    with pytest.raises(NotFittedError, match=r"^The model is not trained yet\."):
        evaluate(OmixVAE(**QUICK), mdata)


def test_a_training_that_fails_leaves_the_earlier_one(mdata):
    model = OmixVAE(**QUICK).fit(mdata)
    before = model.latent(mdata)[0]
    with pytest.raises(InputError):
        model.fit(mdata[:3].copy())
    np.testing.assert_array_equal(model.latent(mdata)[0], before)


@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))], ids=["copy", "pickle"]
)
class TestCopies:
    def test_a_fitted_model_answers_the_same(self, copied, model, mdata):
        again = copied(model)
        assert (again.config, again.plan, again.schema, again.history) == (
            model.config,
            model.plan,
            model.schema,
            model.history,
        )
        weights, others = model.network.state_dict(), again.network.state_dict()
        assert weights.keys() == others.keys()
        for name, values in weights.items():
            torch.testing.assert_close(others[name], values, rtol=0, atol=0, equal_nan=True)
        with torch.no_grad():
            next(again.network.parameters()).add_(1)
        assert not torch.equal(next(again.network.parameters()), next(model.network.parameters())), "it is shared"
        again = copied(model)
        for mine, theirs in zip(model.impute(mdata, "protein"), again.impute(mdata, "protein"), strict=True):
            np.testing.assert_array_equal(mine, theirs)

    def test_an_unfitted_model_is_trained_to_the_same(self, copied, model, mdata):
        again = copied(OmixVAE(**QUICK, likelihoods={"rna": "poisson"}, layers={}))
        assert again.config.model.likelihoods == {"rna": "poisson"}
        assert again.fit(mdata).plan.modalities[0].likelihood == "poisson"


def test_a_model_is_read_on_the_cpu_where_its_device_is_not(model, mdata):
    read = OmixVAE.__new__(OmixVAE)
    read.__setstate__(model.__getstate__() | {"_device_type": ABSENT})
    assert {p.device.type for p in read.network.parameters()} == {"cpu"}
    np.testing.assert_array_equal(read.latent(mdata)[0], model.latent(mdata)[0])


def test_results_are_copied_and_their_parts_pickled(model, mdata):
    """A whole MuData cannot be unpickled, with results or without: mudata's own reader of pickles fails."""
    assert mdata.omixvae.latent.shape[0] == mdata.n_obs  # the accessor is kept in the MuData
    with without_pulling():
        again = mdata.copy()
    np.testing.assert_array_equal(again.obsm["X_omixvae"], mdata.obsm["X_omixvae"])
    assert again.omixvae.clusters.equals(mdata.omixvae.clusters)
    parts = {**mdata.mod, "obs": mdata.obs, "obsm": dict(mdata.obsm), "uns": dict(mdata.uns)}
    read = pickle.loads(pickle.dumps(parts))
    np.testing.assert_array_equal(read["rna"].varm["omixvae_loadings"], mdata["rna"].varm["omixvae_loadings"])
    assert np.array_equal(read["obsm"]["omixvae_imputed_protein"], mdata.obsm["omixvae_imputed_protein"])
    assert read["uns"]["omixvae"]["reasons"] == mdata.uns["omixvae"]["reasons"]


class TestSave:
    def test_an_earlier_model_is_replaced_only_if_asked(self, model, mdata, tmp_path):
        folder = tmp_path / "model"
        model.save(folder)
        other = OmixVAE(**QUICK, seed=1).fit(mdata)
        with pytest.raises(InputError) as refusal:
            other.save(folder)
        assert str(refusal.value) == (
            f"{folder} holds a model already.\n"
            f"Where: output {folder}\n"
            "Fix: Choose another name, or save it with overwrite=True."
        )
        assert omixvae.load(folder).config.training.seed == 0
        other.save(folder, overwrite=True)
        assert omixvae.load(folder).config.training.seed == 1

    def test_anything_else_is_never_replaced(self, model, tmp_path):
        (tmp_path / "thesis.txt").write_text("years of work")
        with pytest.raises(InputError, match=r"holds 'thesis\.txt', which is not part of a saved model"):
            model.save(tmp_path, overwrite=True)
        assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


class TestOneName:
    def test_a_name_is_a_list_of_one(self, model, mdata):
        def same(one, several):
            np.testing.assert_array_equal(np.asarray(one, object), np.asarray(several, object))

        for ask in (model.latent, model.clusters, lambda m, given: model.private_latent(m, "rna", given)):
            for one, several in zip(ask(mdata, given="rna"), ask(mdata, given=["rna"]), strict=True):
                same(one, several)
        one = model.impute(mdata, "rna", given="protein", features="rna3")[0]
        same(one, model.impute(mdata, "rna", given=["protein"], features=["rna3"])[0])
        assert list(one.columns) == ["rna3"]
        draws = model.impute_draws(mdata, "rna", given="protein", features="rna3", n_samples=2)
        assert draws.shape == (2, mdata.n_obs, 1)
        low, _ = model.impute_interval(mdata, "rna", given="protein", features="rna3", n_samples=4)
        assert list(low.columns) == ["rna3"]
        scores = [model.log_likelihood(mdata, of=of, given=given, n_samples=2) for of, given in
                  (("protein", "rna"), (["protein"], ["rna"]))]  # fmt: skip
        same(*scores)

    def test_names_of_modalities_that_are_not_there(self, model, mdata):
        known = "Did you mean 'protein'? Known: 'rna', 'protein', 'mutation'."
        for ask in (
            lambda: model.latent(mdata, given="protien"),
            lambda: model.impute(mdata, "protien"),
            lambda: model.log_likelihood(mdata, of="protien"),
            lambda: model.loadings("ADT"),
        ):
            with pytest.raises(InputError) as refusal:
                ask()
            assert refusal.value.fix == known

    @pytest.mark.parametrize("mod", [None, 0, ["rna"]])
    def test_what_is_no_name_is_refused_with_those_that_there_are(self, mod, model, mdata):
        with pytest.raises(InputError, match="The model knows no modality") as refusal:
            model.impute(mdata, mod)
        assert refusal.value.fix.endswith("'rna', 'protein', 'mutation'.")

    def test_one_likelihood_noise_weight_and_size_of_all(self, mdata):
        mdata = mudata.MuData({name: mdata[name].copy() for name in ("rna", "protein")})
        plan = OmixVAE(**QUICK, likelihoods="gaussian", noise=0.5, weights=2, n_private=0).fit(mdata).plan
        facts = {(m.likelihood, m.noise, m.weight, m.n_private) for m in plan.modalities}
        assert facts == {("gaussian", 0.5, 2.0, 0)}
        plan = OmixVAE(**QUICK, size_factors="total").fit(mdata).plan
        assert [m.by_total for m in plan.modalities] == [True, False], "only counts have a size factor"

    def test_one_word_is_not_meant_for_labels(self, mdata):
        mdata = mudata.MuData({"protein": mdata["protein"].copy()})
        mdata.obs["label"] = np.tile(["a", "b"], mdata.n_obs)[: mdata.n_obs]
        plan = OmixVAE(**QUICK, likelihoods="laplace", labels_key="label").fit(mdata).plan
        assert [m.likelihood for m in plan.modalities] == ["laplace", "categorical"]

    def test_a_noise_of_all_goes_to_those_that_have_one(self, mdata):
        plan = OmixVAE(**QUICK, noise=0.5).fit(mdata).plan
        assert [m.noise for m in plan.modalities] == [None, 0.5, None]
        with pytest.raises(InputError) as refusal:
            OmixVAE(**QUICK, noise=0.5).fit(mudata.MuData({"rna": mdata["rna"].copy()}))
        assert str(refusal.value) == (
            "A noise is given, but no modality has a likelihood whose noise could be set.\n"
            "Where: option noise\n"
            "Fix: Leave it out, or choose one of gaussian, student_t, laplace, log_normal for a modality."
        )

    def test_one_layer_of_all(self, mdata):
        mdata = mudata.MuData({name: mdata[name].copy() for name in ("rna", "mutation")})
        for adata in mdata.mod.values():
            adata.layers["counts"] = adata.X.copy()
            adata.X = adata.X * 0.5
        model = omixvae.fit(mdata, **QUICK, layers="counts")
        assert [m.likelihood for m in model.plan.modalities] == ["negative_binomial", "bernoulli"]
        assert Results(mdata, "omixvae").layer("mutation") == "counts"
        del mdata["mutation"].layers["counts"]
        with pytest.raises(InputError, match=r"^Modality 'mutation' has no layer 'counts'\.\nWhere: option layers"):
            omixvae.fit(mdata, **QUICK, layers="counts")

    def test_a_misspelt_word_of_impute_is_known_for_what_it_is(self, mdata):
        with pytest.raises(InputError) as refusal:
            omixvae.fit(mdata, **QUICK, impute="mising")
        assert refusal.value.fix == (
            "Did you mean 'missing'? Known: 'rna', 'protein', 'mutation', 'missing', 'all', 'none'."
        )


class TestOtherNames:
    def test_a_feature_is_found_by_its_symbol(self, model, mdata):
        mean, _ = model.impute(mdata, "rna", features=["CD8A", "rna0"])
        assert list(mean.columns) == ["rna1", "rna0"]

    @pytest.mark.parametrize(
        ("feature", "problem", "fix"),
        [
            ("twice", "2 features of modality 'rna' are called 'twice'.", "Give one of 'rna2', 'rna3'."),
            ("NCAM", "Modality 'rna' has no feature 'NCAM'.", "Did you mean 'NCAM1'? Known: 'rna0', 'rna1', "),
            ("cd4", "Modality 'rna' has no feature 'cd4'.", "Did you mean 'CD4'? Known: 'rna0', 'rna1', "),
        ],
    )
    def test_others_are_refused(self, feature, problem, fix, model, mdata):
        with pytest.raises(InputError) as refusal:
            model.impute(mdata, "rna", features=feature)
        assert (refusal.value.problem, refusal.value.where) == (problem, "the argument features")
        assert refusal.value.fix.startswith(fix)

    def test_plots_find_them_too(self, model, mdata):
        by_name, by_symbol = (colour_by(Results(mdata, "omixvae"), color) for color in ("rna:rna1", "rna:CD8A"))
        np.testing.assert_array_equal(by_name.values, by_symbol.values)
        alone = colour_by(Results(mdata, "omixvae"), "CD8A")
        np.testing.assert_array_equal(by_name.values, alone.values)
        with pytest.raises(InputError, match="are called 'twice'"):
            colour_by(Results(mdata, "omixvae"), "rna:twice")


class TestCalls:
    def test_what_follows_the_data_needs_a_name(self, mdata):
        with pytest.raises(InputError) as refusal:
            omixvae.fit(mdata, 5)
        assert str(refusal.value) == (
            "Only the data are given without a name, but 5 follows them.\n"
            "Where: the call of fit\n"
            "Fix: Name the option that is meant: fit(mdata, n_latent=10)."
        )
        with pytest.raises(InputError) as refusal:
            OmixVAE(**QUICK).fit(mdata, 5)
        assert str(refusal.value) == (
            "The checkpoint cannot be 5.\n"
            "Where: the argument checkpoint of fit\n"
            "Fix: Give the name of a folder; options, such as max_epochs=5, are given to OmixVAE(...)."
        )

    def test_the_data_do_not_make_a_model(self, mdata):
        with pytest.raises(InputError) as refusal:
            OmixVAE(mdata, n_latent=3)
        assert str(refusal.value) == (
            "OmixVAE takes keyword arguments only.\n"
            "Where: the call of OmixVAE\n"
            "Fix: Write OmixVAE(n_latent=10).fit(mdata): the data go to fit."
        )


class TestWhatItSays:
    def test_before_the_training(self):
        assert repr(OmixVAE()) == "OmixVAE, not trained yet: fit(mdata) does it"
        assert repr(OmixVAE(n_latent=3, covariate_keys="age")) == (
            "OmixVAE, not trained yet: fit(mdata) does it\n  options: covariate_keys=['age'], n_latent=3"
        )

    def test_after_the_training(self, model, mdata, tmp_path):
        first, *lines = repr(model).splitlines()
        seconds, bound = model.history[-1].seconds, max(row.held_out_bound for row in model.history)
        assert first == (
            f"OmixVAE, trained on {mdata.n_obs} observations: 2 epochs in {seconds:.1f} s, "
            f"held-out bound {bound:,.1f} nats"
        )
        assert lines == [
            "  rna: 8 features, negative_binomial",
            "  protein: 5 features, gaussian",
            "  mutation: 4 features, bernoulli",
            "  options: max_epochs=2, progress=False",
        ]
        model.save(tmp_path / "model")
        assert repr(omixvae.load(tmp_path / "model")) == repr(model)

    def test_in_a_notebook_names_are_no_markup(self, mdata):
        mdata = mudata.MuData({"<b>&": mdata["protein"].copy()})
        html = OmixVAE(**QUICK, modalities="<b>&").fit(mdata)._repr_html_()
        assert "<td>&lt;b&gt;&amp;</td><td>5</td><td>gaussian</td>" in html
        assert html.count("<b>") == 1, "that of the heading"
        assert "&lt;b&gt;&amp;&#x27;]" in html, "in the options"


class TestSentences:
    def test_a_fit_ends_with_what_the_command_says(self, capsys):
        mdata = omixvae.simulate(n_obs=60)
        model = omixvae.fit(mdata, max_epochs=2, impute="none", n_clusters=1)
        said = capsys.readouterr()
        assert said.out == "", "results of a script are its own"
        lines = [line for line in said.err.splitlines() if line and not line.startswith("epoch ")]
        sizes = ", ".join(str(n) for n in mdata.obs["omixvae_cluster"].value_counts(sort=False))
        assert lines[:5] == [
            f"Trained on 60 observations of rna (negative_binomial), protein (negative_binomial) in "
            f"{round(model.history[-1].seconds, 1)} s, 2 epochs.",
            f"1 cluster of {sizes} observations.",
            "Wrote into the MuData",
            '  obsm["X_omixvae"]',
            '  obsm["X_omixvae_sd"]',
        ]
        assert lines[-1] == '  uns["omixvae"]'

    def test_it_is_quiet_without_progress(self, capsys):
        omixvae.fit(omixvae.simulate(n_obs=60), **QUICK)
        assert capsys.readouterr() == ("", "")
