"""What a look at a MuData points at, sentence by sentence, and that it is silent about data that are well."""

import anndata
import mudata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from omixvae.config import Config
from omixvae.diagnosis import diagnose
from omixvae.diagnosis.batches import modalities_by_batch
from omixvae.diagnosis.values import kind_of_values
from tests.builders import build_mdata

AS_THEY_ARE = "Counts are modelled best as they are"


def rebuilt(mdata, **changed):
    """Put the modalities together anew, some of them changed, with the columns of obs kept."""
    made = mudata.MuData({name: changed.get(name, adata) for name, adata in mdata.mod.items()})
    made.obs = mdata.obs.reindex(made.obs_names)
    return made


def cautions(mdata, **options):
    return [(c.problem, c.where, c.fix) for c in diagnose(mdata, Config.from_options(**options)).cautions]


def problems(mdata, **options):
    return [p.problem for p in diagnose(mdata, Config.from_options(**options)).problems]


@pytest.fixture
def mdata():
    return build_mdata(60)


def renamed(adata, change):
    adata = adata.copy()
    adata.obs_names = change(adata.obs_names)
    return adata


def test_data_that_are_well_are_left_in_peace(mdata):
    found = diagnose(mdata, Config.from_options(batch_key="batch"))
    assert (found.problems, found.cautions) == ((), ())
    assert found.plan is not None


@pytest.mark.filterwarnings("ignore:var_names are not unique", "ignore:Cannot join columns")
def test_all_that_stops_training_is_told_together(mdata):
    rna, protein = mdata["rna"].copy(), mdata["protein"].copy()
    rna.X[0, 0] = np.inf
    protein.var_names = ["same", "same", *protein.var_names[2:]]
    told = problems(rebuilt(mdata, rna=rna, protein=protein), batch_key="bath")
    assert told == [
        "There is no column 'bath', neither in mdata.obs nor in that of a modality.",
        "Modality 'rna' holds 1 infinite value.",
        "1 name of modality 'protein' occurs more than once, the first is 'same'.",
    ]


def test_what_is_worth_a_look_is_told_beside_what_stops_training(mdata):
    found = diagnose(mdata, Config.from_options(likelihoods={"protein": "poisson"}))
    assert [p.problem.split(", but")[1] for p in found.problems] == [
        " its likelihood is poisson, which needs counts: whole numbers, zero or more."
    ]
    assert found.plan is None
    assert found.data is not None
    assert [c.where for c in found.cautions] == ["mdata.obs['batch']"]


def test_something_else_than_a_mudata():
    assert problems("cohort.h5mu") == ["A str was given, not a MuData."]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda names: names + "-1", r'.str.replace(r"-\d+$", "", regex=True)'),
        (lambda names: names + "_rna", r'.str.replace(r"[-_.][A-Za-z]+$", "", regex=True)'),
        (lambda names: "rna#" + names, r'.str.replace(r"^[A-Za-z]+[-_.:#]", "", regex=True)'),
        (lambda names: names.str.upper(), ".str.upper()"),
        (lambda names: names + " ", ".str.strip()"),
    ],
)
def test_names_that_a_usual_change_would_make_equal(mdata, change, code):
    # One modality under other names beside two that agree: training would be refused, and says no more than that.
    made = rebuilt(mdata, rna=renamed(mdata["rna"], change))
    assert len(problems(made)) == 1
    told = [caution for caution in cautions(made, modalities=["rna", "protein"]) if "names of" in caution[0]]
    same = len(mdata["rna"].obs_names.intersection(mdata["protein"].obs_names))
    first, second = made["rna"].obs_names[0], mdata["protein"].obs_names[0]
    assert told == [
        (
            f"0 names of 'rna' and 'protein' are the same, but {same} would be without what is added to them "
            f"({first!r} here, {second!r} there).",
            "obs_names of 'rna' and 'protein'",
            f"If these are the same samples, set adata.obs_names = adata.obs_names{code} in each modality and build "
            "the MuData again.",
        )
    ]


def test_tumour_barcodes_are_cut_to_the_patient(mdata):
    def barcodes(suffix):
        return lambda names: pd.Index([f"TCGA-AB-{name[-3:]}x{suffix}" for name in names])

    made = rebuilt(
        mdata, rna=renamed(mdata["rna"], barcodes("-01A-11R")), protein=renamed(mdata["protein"], barcodes("-01A-22D"))
    )
    told = [fix for problem, _, fix in cautions(made, modalities=["rna", "protein"]) if "names of" in problem]
    assert ["adata.obs_names.str[:12] in each" in fix for fix in told] == [True]


def test_few_observations_with_several_modalities():
    rng = np.random.default_rng(0)
    counts = [anndata.AnnData(rng.poisson(3, (100, 5)).astype(np.float32)) for _ in range(2)]
    counts[0].obs_names = [f"cell{i}x" for i in range(100)]
    counts[1].obs_names = [f"cell{i}x" for i in range(94, 194)]
    for adata, name in zip(counts, ("rna", "protein"), strict=True):
        adata.var_names = [f"{name}{i}" for i in range(5)]
    assert cautions(mudata.MuData(dict(zip(("rna", "protein"), counts, strict=True)))) == [
        (
            "6 of 194 observations (3.1%) have more than one modality.",
            "obs_names of the modalities",
            "What the modalities share is learnt from these alone. If more of them are the same samples, give them the "
            "same names and build the MuData again.",
        )
    ]


def test_counts_in_a_layer_beside_logged_values(mdata):
    rna = mdata["rna"].copy()
    rna.layers["counts"] = rna.X.copy()
    rna.X = rna.X.log1p() * 1.1
    made = rebuilt(mdata, rna=rna)
    told = (
        "Modality 'rna' is read from values that are no counts, and its layer 'counts' holds counts.",
        "mdata['rna'].X",
        f"{AS_THEY_ARE}: add --layers rna=counts (layers={{'rna': 'counts'}}).",
    )
    assert told in cautions(made)
    assert told not in cautions(made, layers={"rna": "counts"})


def test_counts_in_raw(mdata):
    rna = mdata["rna"].copy()
    rna.raw = rna.copy()
    rna.X = rna.X.log1p() * 1.1
    assert cautions(rebuilt(mdata, rna=rna), batch_key="batch") == [
        (
            "Modality 'rna' is read from values that are no counts, and its raw holds counts.",
            "mdata['rna'].X",
            f"{AS_THEY_ARE}: set mdata['rna'].layers['counts'] = mdata['rna'].raw[:, mdata['rna'].var_names].X, then "
            "add --layers rna=counts.",
        )
    ]


def sparse_counts(mdata, factor=1.0):
    """Give counts of which most are zero, logged."""
    rna = mdata["rna"].copy()
    rng = np.random.default_rng(0)
    rna.X = sp.csr_matrix(factor * np.log1p(rng.poisson(0.7, rna.shape)).astype(np.float32))
    return rebuilt(mdata, rna=rna), rna.X


def test_logged_counts_that_can_be_taken_back(mdata):
    made, _ = sparse_counts(mdata)
    assert cautions(made, batch_key="batch") == [
        (
            "Modality 'rna' holds logarithms of counts: log(1 + count), nothing else was done to them.",
            "mdata['rna'].X",
            f"{AS_THEY_ARE}: mdata['rna'].X = numpy.rint(numpy.expm1(mdata['rna'].X)) gives them back.",
        )
    ]


def test_logged_counts_in_a_layer_are_taken_back_there(mdata):
    made, x = sparse_counts(mdata)
    made["rna"].layers["logged"], made["rna"].X = x, sp.csr_matrix(x.shape, dtype=np.float32)
    options = {"batch_key": "batch", "layers": {"rna": "logged"}}
    ((_, where, fix),) = cautions(made, **options)
    assert where == "mdata['rna'].layers['logged']"
    code = f"{where} = numpy.rint(numpy.expm1({where}))"
    assert fix == f"{AS_THEY_ARE}: {code} gives them back."
    exec(code, {"mdata": made, "numpy": np})
    assert cautions(made, **options) == []


def test_normalised_and_logged_counts(mdata):
    made, x = sparse_counts(mdata, factor=1.3)
    zeros = 1 - x.nnz / np.prod(x.shape)
    assert cautions(made, batch_key="batch") == [
        (
            f"Modality 'rna' seems to hold normalised and logged counts (0 to {x.max():.3g}, {zeros:.0%} of them 0).",
            "mdata['rna'].X",
            "If you have the counts, put them into a layer and name it: --layers rna=counts. If not, train on these as "
            "they are.",
        )
    ]


def test_rows_of_zeros_features_that_never_change_and_rows_of_little(mdata):
    rna, protein = mdata["rna"].copy(), mdata["protein"].copy()
    dense = rna.X.toarray()
    dense[3:5] = 0
    dense[:, 2] = 0
    rna.X = sp.csr_matrix(dense)
    names = [f"p{i}" for i in range(60)]
    values = np.random.default_rng(0).standard_normal((protein.n_obs, 60)).astype(np.float32)
    values[7, 1:] = np.nan
    wide = anndata.AnnData(values, protein.obs, pd.DataFrame(index=names))
    assert cautions(rebuilt(mdata, rna=rna, protein=wide), batch_key="batch") == [
        (
            f"2 of {rna.n_obs} observations of 'rna' hold nothing but zeros.",
            f"mdata['rna'].X, first: {min(rna.obs_names[3:5])!r}",
            "A zero is taken for a measurement. If the assay failed there, leave these rows out of the modality: "
            "adata[adata.X.sum(axis=1) > 0].",
        ),
        (
            "Features of 'rna' that never vary: 1 of 8.",
            "mdata['rna'].X, 1 of 8 features, first: 'rna2'",
            "They tell nothing and cost time: leave them out.",
        ),
        (
            f"1 of {protein.n_obs} observations of 'protein' have values for fewer than 2% of its features.",
            f"mdata['protein'].X, first: {protein.obs_names[7]!r}",
            "Their latents rest on next to nothing (see X_omixvae_sd); leave them out if the assay failed.",
        ),
    ]


def test_observations_without_any_value(mdata):
    protein = mdata["protein"].copy()
    alone = np.flatnonzero(
        ~protein.obs_names.isin(mdata["rna"].obs_names) & ~protein.obs_names.isin(mdata["mutation"].obs_names)
    )
    assert len(alone)
    protein.X[alone] = np.nan
    made = rebuilt(mdata, protein=protein)
    told = cautions(made, batch_key="batch")
    first = made.obs_names[made.obs_names.isin(protein.obs_names[alone])][0]
    assert told == [
        (
            f"{len(alone)} of 60 observations have no value in any modality.",
            f"mdata, first: {first!r}",
            "They are not trained on, and get the latent of an average observation; leave them out if that is not "
            "wanted.",
        )
    ]


def test_a_modality_that_a_batch_lacks(mdata):
    first = mdata.obs["batch"].unique()[0]
    inside = mdata.obs_names[mdata.obs["batch"] == first]
    made = rebuilt(mdata, protein=mdata["protein"][~mdata["protein"].obs_names.isin(inside)].copy())
    assert cautions(made, batch_key="batch") == [
        (
            f"Modality 'protein' was measured in 1 of 2 batches; it is missing in {first!r}.",
            "mdata['protein'], mdata.obs['batch']",
            "Nothing need be done: it is predicted there from the other modalities. What these batches would have done "
            "to protein itself cannot be known, so compare its predictions between groups, not between batches.",
        )
    ]
    counts = modalities_by_batch(made, Config.from_options(batch_key="batch").data)
    assert counts.loc[first].to_dict()["protein"] == 0
    assert counts["rna"].sum() == mdata["rna"].n_obs


def test_labels_that_batches_do_not_share(mdata):
    mdata.obs["kind"] = "of " + mdata.obs["batch"].astype(str)
    told = cautions(mdata, batch_key="batch", labels_key="kind")
    assert [problem for problem, _, _ in told] == ["Every label of 'kind' occurs in one batch of 'batch' only."]


def test_columns_that_look_like_batches(mdata):
    mdata.obs["donor_id"] = np.resize(["a", "b", "c"], 60)
    mdata.obs["sample"] = mdata.obs_names
    mdata.obs["library_of_each"] = mdata.obs_names
    mdata.obs["batches"] = 1
    assert [where for _, where, _ in cautions(mdata)] == ["mdata.obs['batch']", "mdata.obs['donor_id']"]
    assert [where for _, where, _ in cautions(mdata, covariate_keys=["donor_id"])] == ["mdata.obs['batch']"]
    mdata["protein"].obs["lane"] = np.resize(["1", "2"], mdata["protein"].n_obs)
    assert "mdata['protein'].obs['lane']" in [where for _, where, _ in cautions(mdata)]


def test_one_modality_of_few_observations(mdata):
    one = mudata.MuData({"rna": mdata["rna"][:20].copy()})
    assert [problem for problem, _, _ in cautions(one)] == [
        "There is one modality, 'rna': nothing to integrate.",
        "There are 20 observations.",
    ]


def test_a_modality_that_is_very_wide(mdata):
    rng = np.random.default_rng(0)
    names = mdata["rna"].obs_names
    wide = anndata.AnnData(sp.random(len(names), 20_001, 0.01, "csr", np.float32, rng), pd.DataFrame(index=names))
    told = [problem for problem, _, _ in cautions(rebuilt(mdata, rna=wide))]
    assert "Modality 'rna' has 20,001 features." in told


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([[0, 1], [1, 0]], "0 and 1"),
        ([[0, 7], [1, 0]], "counts"),
        ([[-2, 7], [1, 0]], "whole numbers"),
        ([[0.5, 0.7], [1, 0]], "fractions"),
        ([[0.5, 70], [1, 0]], "not negative"),
        ([[0.5, 0], [1.7, 0]], "logged counts?"),
        ([[-0.5, 0], [1.7, 0]], "continuous"),
    ],
)
def test_kinds_of_values(values, kind):
    from omixvae.data.tables import ModalityTable

    array = np.array(values, np.float32)
    for matrix in (array, sp.csr_matrix(array)):
        table = ModalityTable("rna", ("a", "b"), matrix, np.arange(2), None, np.ones(2))
        assert kind_of_values(table) == kind
        assert table.survey.n_zero == np.sum(array == 0)


REAL = {
    "a549_scicar": ["Modality 'atac' has 52,761 features."],
    "mesc_scmt": ["Modality 'rna' seems to hold normalised and logged counts (0 to 13.9, 40% of them 0)."],
    "nutrimouse": [],
    "pbmc_citeseq_10k_5k": ["Column 'batch' of obs has 2 values and may say what was measured together."],
    "tcga_acc_mini": ["Features of 'mutation' that never vary: 24 of 97."],
    "tcga_blca_mirna_rppa": [],
    "tcga_brca_diablo": [],
}


@pytest.mark.slow
@pytest.mark.parametrize("name", REAL)
def test_real_data_raise_no_false_alarm(name, data_folder):
    found = diagnose(mudata.read_h5mu(data_folder / f"{name}.h5mu"), Config())
    assert found.problems == ()
    assert [caution.problem for caution in found.cautions] == REAL[name]


REAL_COLUMNS = {
    ("pbmc_eccite_two_samples", "batch_key", "batch"): [],
    ("tcga_coread_cms", "batch_key", "gender"): [],
    ("mesc_scmt", "batch_key", "culture"): [
        "Modality 'rna' seems to hold normalised and logged counts (0 to 13.9, 40% of them 0)."
    ],
    ("colon_adenoma", "labels_key", "group"): [],
    ("infants_t1d_longitudinal", "batch_key", "subject"): [
        "3 of the 19 levels of column 'subject' have fewer than 3 observations, the first is 'T014292' (2)."
    ],
    ("tcga_acc_mini", "labels_key", "protein.cluster"): [
        "Column 'protein.cluster' has -2147483648 for 47 of 92 observations, taken for a label like any other.",
        "Features of 'mutation' that never vary: 24 of 97.",
    ],
}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "option", "column"), REAL_COLUMNS)
def test_columns_of_real_data_raise_no_false_alarm(name, option, column, data_folder):
    found = diagnose(mudata.read_h5mu(data_folder / f"{name}.h5mu"), Config.from_options(**{option: column}))
    assert found.problems == ()
    assert [caution.problem for caution in found.cautions] == REAL_COLUMNS[name, option, column]
