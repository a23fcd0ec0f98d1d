"""Does the page say what the results hold, and does it need nothing but itself?"""

import json
import re
import shlex

import mudata
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from matplotlib import pyplot as plt
from reading import NASTY, Reader
from scipy import stats

import omixvae
from omixvae import InputError
from omixvae.cli import main
from omixvae.cli.options import read_config
from omixvae.config import OPTIONS, Config
from omixvae.evaluation import Agreement
from omixvae.report import write_report
from omixvae.report.command import command_line
from omixvae.report.facts import Course, Facts
from omixvae.report.findings import distrusted, findings
from omixvae.report.markers import find_markers
from omixvae.results.read import Results

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def read(page):
    return Reader(page[1].read_text(encoding="utf-8"))


def points(found):
    return {point.about: point.text for point in found.points}


def test_every_element_is_closed_and_every_anchor_is_there(read):
    assert read.misplaced == []
    anchors = [a["href"].removeprefix("#") for a in read.all("a")]
    identifiers = [attributes["id"] for _, attributes in read.elements if "id" in attributes]
    assert set(anchors) <= set(identifiers)
    assert len(identifiers) == len(set(identifiers))
    assert [attributes["lang"] for attributes in read.all("html")] == ["en"]


def test_nothing_is_loaded_from_elsewhere(page, read):
    for _, attributes in read.elements:
        assert "srcset" not in attributes
        assert attributes.get("src", "data:image/").startswith("data:image/")
        assert attributes.get("href", "#").startswith("#")
    assert {"script", "link", "iframe", "object"}.isdisjoint(tag for tag, _ in read.elements)
    style = re.search(r"<style>(.*?)</style>", page[1].read_text(), re.DOTALL).group(1)
    assert "url(" not in style
    assert "@import" not in style


def test_every_picture_says_what_it_shows(read):
    images = read.all("img")
    assert len(images) >= 10
    assert all(len(image["alt"]) > 20 and int(image["width"]) > 100 for image in images)
    assert len({image["alt"] for image in images}) == len(images)


def test_names_are_text_and_never_markup(page, read):
    assert "<b>" not in page[1].read_text()
    assert f"omixvae report: {NASTY}" in read.text
    assert [row["modality"] for row in read.table("modality")] == ["rna", NASTY]
    assert NASTY in {row["feature"] for table in read.tables if table[0][0] == "feature" for row in _rows(table)}


def _rows(table):
    return [dict(zip(table[0], row, strict=True)) for row in table[1:]]


def test_numbers_are_those_of_the_results(fitted, read):
    mdata, _ = fitted
    clusters = {row["cluster"]: row for row in read.table("cluster")}
    for name, group in mdata.obs.groupby("omixvae_cluster", observed=True):
        assert clusters[name]["observations"] == f"{len(group):,}"
        assert float(clusters[name]["mean entropy"]) == pytest.approx(
            group["omixvae_cluster_entropy"].mean(), abs=0.006
        )
    information = pd.DataFrame(mdata.uns["omixvae"]["information"]).set_index("given")
    told = {row["set"]: row for row in read.table("set")}
    assert set(told) == set(information.index)
    for name, row in information.iterrows():
        assert float(told[name]["tells (nats)"]) == pytest.approx(row["rate"], abs=0.006)
        assert told[name]["n"] == f"{row['n']:,.0f}"
    combinations = {row["combination"]: int(row["observations"]) for row in read.table("combination")}
    n_both = mdata[NASTY].n_obs
    assert combinations == {f"rna+{NASTY}": n_both, "rna": 150 - n_both}
    for mod in ("rna", NASTY):
        var = mdata[mod].var
        skill = next(row for t in read.tables if "median R²" in t[0] for row in _rows(t) if row["modality"] == mod)
        assert skill["imputable"] == str(var["omixvae_imputable"].sum())
        assert float(skill["median R²"]) == pytest.approx(var["omixvae_imputation_r2"].median(), abs=0.006)


def test_composition_of_clusters_adds_up(fitted, read):
    mdata, _ = fitted
    parts = pd.crosstab(mdata.obs["batch"], mdata.obs["omixvae_cluster"], normalize="columns")
    for row in read.table("cluster"):
        for name, part in parts[row["cluster"]].items():
            assert f"{name} {part:.0%}" in row["batch"] or part < 0.005


def test_the_data_are_not_changed_but_for_the_umap(fitted, tmp_path):
    mdata = fitted[0].copy()
    before = {name: adata.to_df().copy() for name, adata in mdata.mod.items()}
    keys = set(mdata.uns), set(mdata.obs), set(mdata.obsm)
    figures = plt.get_fignums()
    settings = dict(plt.rcParams)
    write_report(mdata, tmp_path / "report.html")
    for name, values in before.items():
        pd.testing.assert_frame_equal(mdata[name].to_df(), values)
        assert list(mdata[name].uns) == list(fitted[0][name].uns)
    new = {"X_omixvae_umap"}
    assert (set(mdata.uns), set(mdata.obs), set(mdata.obsm) | new) == (*keys[:2], keys[2] | new)
    assert plt.get_fignums() == figures
    assert dict(plt.rcParams) == settings
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_markers_are_those_of_the_rank_sum_test(fitted):
    found = Results(fitted[0], "omixvae")
    table = find_markers(found, "rna").table
    counts = fitted[0]["rna"].to_df()
    total = counts.sum(axis=1)
    logged = np.log1p(counts.div(total, axis=0) * total.median())
    clusters = found.clusters.reindex(counts.index)
    assert len(table)
    for row in table.groupby("cluster").head(3).itertuples():
        inside = clusters == row.cluster
        one, other = logged.loc[inside, row.feature], logged.loc[~inside, row.feature]
        assert row.inside == pytest.approx(one.mean(), rel=1e-3)
        assert row.outside == pytest.approx(other.mean(), rel=1e-3)
        p = stats.mannwhitneyu(one, other, use_continuity=False, method="asymptotic").pvalue
        assert abs(row.score) == pytest.approx(stats.norm.isf(p / 2), rel=0.01)


def test_entries_that_were_not_measured_are_no_difference(fitted):
    mdata = fitted[0].copy()
    protein = mdata[NASTY]
    clusters = mdata.obs["omixvae_cluster"].reindex(protein.obs_names)
    largest = clusters.value_counts().index[0]
    rng = np.random.default_rng(0)
    protein.X[:, 2] = rng.standard_normal(protein.n_obs)
    protein.X[np.flatnonzero((clusters == largest).to_numpy())[2:], 2] = np.nan
    markers = find_markers(Results(mdata, "omixvae"), NASTY)
    assert protein.var_names[2] not in set(markers.table["feature"])
    assert "median" in markers.how


def test_the_command_gives_the_same_options(fitted):
    options = Results(fitted[0]).record.config.to_options()
    words = shlex.split(command_line(options))
    given = main.commands["train"].make_context("train", words[2:]).params
    again = read_config(None, {name: given[name] for name in OPTIONS}).to_options()
    assert again | {"progress": False} == fitted[1].config.to_options()


@pytest.mark.parametrize(
    "options",
    [
        {"likelihoods": {"rna": "poisson", "a b": "gaussian"}, "modalities": ["rna", "a b"]},
        {"early_stopping": False, "encode_covariates": True, "n_private": {"rna": 3}, "beta": 0.5},
        {"impute": ["protein"], "covariate_keys": ["age", "sex"], "noise": {"protein": 0.25}, "seed": 7},
    ],
)
def test_options_of_every_kind_come_back_from_the_command(options):
    config = Config.from_options(**options)
    words = shlex.split(command_line(config.to_options()))
    given = main.commands["train"].make_context("train", words[2:]).params
    assert read_config(None, {name: given[name] for name in OPTIONS}) == config


def test_what_is_to_be_distrusted_is_said(fitted):
    mdata = fitted[0].copy()
    mdata.obs["batch"] = pd.Categorical("batch " + mdata.obs["omixvae_cluster"].astype(str))
    probabilities = np.full_like(mdata.obsm["omixvae_cluster_probs"], 1 / 3)
    mdata.obsm["omixvae_cluster_probs"] = probabilities
    mdata[NASTY].var["omixvae_imputable"] = False
    record = mdata.uns["omixvae"]
    given = np.asarray(record["information"]["given"])
    record["information"]["rate"] = np.where(given == NASTY, 0.01, 10.0)
    said = points(distrusted(Facts(Results(mdata, "omixvae"), ())))
    assert "1.00" in said["Clusters follow the batch"]
    assert "100% of the observations" in said["Observations between clusters"]
    assert said["Unsure clusters"].startswith("In cluster")
    assert f"20 of 20 features of {NASTY}" in said["Imputed values"]
    assert "0% of what all" in said[f"{NASTY} tells next to nothing"]


def test_a_training_that_was_cut_short_is_told_from_one_that_was_done():
    assert Course(10, 10, 10, late_gain=20.0, gain=100.0, held_out=0.1).unfinished
    assert not Course(10, 10, 10, late_gain=0.2, gain=100.0, held_out=0.1).unfinished
    assert not Course(8, 10, 5, late_gain=20.0, gain=100.0, held_out=0.1).unfinished
    assert not Course(10, 10, None, late_gain=np.nan, gain=np.nan, held_out=0.0).unfinished


def test_clusters_that_are_the_labels_agree_with_them(fitted):
    facts = Facts(Results(fitted[0], "omixvae"), ("omixvae_cluster",))
    labels = fitted[0].obs["omixvae_cluster"]
    assert facts.agreement(labels) == Agreement(1.0, 1.0, 150)
    assert "Adjusted Rand index 1.00" in points(findings(facts))["Clusters and omixvae_cluster"]


def test_what_is_not_there_is_left_out_with_a_reason(tmp_path):
    mdata = omixvae.simulate(n_obs=60)
    options = {"prior": "standard_normal", "decoder": "mlp", "early_stopping": False, "key_added": "other"}
    omixvae.fit(mdata, n_latent=2, n_private=1, max_epochs=2, progress=False, **options)
    mdata.write_h5mu(tmp_path / "results.h5mu")
    page = write_report(mudata.read_h5mu(tmp_path / "results.h5mu"), tmp_path / "report.html", key="other")
    text = Reader((tmp_path / "report.html").read_text()).text
    assert "There are no clusters: the prior standard_normal has none." in text
    assert "There are no loadings: the decoder is mlp" in text
    assert "Nothing is known of how well 'rna' can be predicted" in text
    assert "No observations were held out" in points(page.distrust)["Training"]
    assert "--prior standard_normal" in text
    assert "--no-early-stopping" in text
    assert "clusters" not in dict(map(reversed, page.numbers))


def test_other_input_is_refused_in_words(fitted, tmp_path):
    mdata, _ = fitted
    with pytest.raises(InputError, match=r"hold no results of omixvae(?s:.*)omixvae train"):
        write_report(omixvae.simulate(n_obs=20), tmp_path / "report.html")
    with pytest.raises(InputError, match="'nothing'"):
        write_report(mdata, tmp_path / "report.html", key="nothing")
    with pytest.raises(InputError, match="'stagee'"):
        write_report(mdata, tmp_path / "report.html", color="stagee")
    other = omixvae.OmixVAE(max_epochs=2, progress=False).fit(omixvae.simulate(n_obs=60))
    with pytest.raises(InputError, match="not the one that made these results"):
        write_report(mdata, tmp_path / "report.html", model=other)
    assert list(tmp_path.iterdir()) == []


def test_the_command_writes_the_page(fitted, tmp_path):
    mdata, model = fitted
    mdata.write_h5mu(tmp_path / "results.h5mu")
    model.save(tmp_path / "model")
    arguments = ["report", f"{tmp_path}/results.h5mu", "-o", f"{tmp_path}/report.html", "--color", "batch"]
    done = CliRunner().invoke(main, [*arguments, "--json"])
    assert done.exit_code == 0, done.output
    said = json.loads(done.output)
    assert said["bytes"] == (tmp_path / "report.html").stat().st_size
    assert said["found"][0]["about"] == "Data"
    assert Reader((tmp_path / "report.html").read_text()).misplaced == []
    refused = CliRunner().invoke(main, ["report", f"{tmp_path}/results.h5mu", "-o", f"{tmp_path}/report.pdf"])
    assert refused.exit_code == 2
    assert "End the name in .html" in refused.output
