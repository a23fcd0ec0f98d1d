"""What is in memory, and files of MuData and AnnData, as one MuData."""

from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

import omixvae
from omixvae.mudata_io import write_mudata, writing_elements
from tests.sources.files import as_mudata, clinic, cohort, counted

SINGLE = "There is a single modality, 'rna': nothing can be learned of how several go together."


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def notes(recwarn):
    """Give what was said, and nothing that other packages say of themselves."""
    return lambda: [str(w.message) for w in recwarn if w.category is UserWarning]


def dense(adata):
    return np.asarray(adata.X.toarray() if hasattr(adata.X, "toarray") else adata.X)


def assert_same(mdata, parts):
    """Compare with what was read, made to a MuData by another way: names, their order, and values."""
    expected = as_mudata(parts)
    assert list(mdata.mod) == list(expected.mod)
    assert list(mdata.obs_names) == list(expected.obs_names)
    for name, adata in expected.mod.items():
        assert list(mdata[name].obs_names) == list(adata.obs_names)
        assert list(mdata[name].var_names) == list(adata.var_names)
        np.testing.assert_array_equal(dense(mdata[name]), dense(adata))


def write_h5ad(adata, path):
    with writing_elements():
        adata.write_zarr(path) if str(path).endswith(".zarr") else adata.write_h5ad(path)


def refused(*sources, **ways):
    with pytest.raises(omixvae.InputError) as caught:
        omixvae.read(*sources, **ways)
    return str(caught.value)


@pytest.mark.parametrize("form", ["mapping", "paths", "list", "zarr", "mixed"])
def test_an_anndata_for_each_assay(form, notes):
    parts = counted()
    for name, adata in parts.items():
        write_h5ad(adata, f"{name}.h5ad")
        write_h5ad(adata, f"{name}.zarr")
    mdata = {
        "mapping": lambda: omixvae.read(parts),
        "paths": lambda: omixvae.read(*(f"{name}.h5ad" for name in parts)),
        "list": lambda: omixvae.read([f"{name}={name}.h5ad" for name in parts]),
        "zarr": lambda: omixvae.read(*(Path(f"{name}.zarr") for name in parts)),
        "mixed": lambda: omixvae.read({"rna": parts["rna"], "protein": "protein.h5ad", "atac": Path("atac.zarr")}),
    }[form]()
    assert_same(mdata, parts)
    assert notes() == []


@pytest.mark.parametrize("end", [".h5ad", ".zarr", ""])
def test_proteins_in_obsm(end, notes):
    parts = counted()
    del parts["atac"]
    cells = parts["rna"].copy()
    cells.obsm["protein_expression"] = parts["protein"].to_df()
    cells.obs["donor"] = pd.Categorical(["a", "b"] * 20)
    if end:
        write_h5ad(cells, f"cells{end}")
    mdata = omixvae.read(f"cells{end}" if end else cells)
    assert_same(mdata, parts)
    assert list(mdata.obs["donor"]) == list(cells.obs["donor"])
    where = f"file cells{end}" if end else "the AnnData"
    assert notes() == [f"X was taken as 'rna'; another name is given as NAME=PATH or {{NAME: ...}}: {where}."]
    assert "protein_expression" in cells.obsm
    assert "protein_expression" not in mdata["rna"].obsm


def test_other_tables_in_obsm():
    parts = counted()
    cells = parts["rna"].copy()
    cells.obsm["adt"], cells.obsm["X_pca"] = dense(parts["protein"]), np.ones((40, 2))
    mdata = omixvae.read({"mrna": cells}, modality={"surface": "obsm:adt"})
    assert {name: list(adata.var_names)[:2] for name, adata in mdata.mod.items()} == {
        "mrna": ["rna0", "rna1"],
        "surface": ["surface0", "surface1"],
    }
    np.testing.assert_array_equal(mdata["surface"].X, dense(parts["protein"]))
    assert refused(cells, modality={"surface": "obsm:atd"}) == (
        "There is no table 'obsm:atd' for modality 'surface'.\n"
        "Where: option modality\n"
        "Fix: Did you mean 'obsm:adt'? Known: 'obsm:adt', 'obsm:X_pca'."
    )
    assert refused(cells, modality={"surface": "adt"}) == (
        "Modality 'surface' is to be read from 'adt', which names no table of obsm.\n"
        "Where: option modality\n"
        "Fix: Give the key of obsm behind 'obsm:', as in {'surface': 'obsm:protein_expression'} (--modality "
        "surface=obsm:protein_expression)."
    )


def test_names_of_proteins_from_where_totalvi_keeps_them():
    parts = counted()
    cells = parts["rna"].copy()
    cells.obsm["protein_expression"] = dense(parts["protein"])
    cells.uns["protein_names"] = np.array(parts["protein"].var_names)
    mdata = omixvae.read({"rna": cells})
    assert list(mdata["protein"].var_names) == list(parts["protein"].var_names)


def test_an_anndata_with_several_kinds_of_features():
    parts = counted()
    joined = anndata.concat(list(parts.values()), axis=1)
    joined.var["feature_types"] = np.repeat(["GEX", "ADT", "ATAC"], [part.n_vars for part in parts.values()])
    with pytest.warns(
        UserWarning, match="^Its features were split by their kind into 'rna', 'protein', 'atac': the AnnD"
    ):
        assert_same(omixvae.read(joined), parts)
    with pytest.warns(UserWarning, match="^There is a single modality"):
        assert_same(omixvae.read({"protein": joined}), {"protein": parts["protein"]})
    assert refused({"proteins": joined}) == (
        "There are 3 kinds of features and one name, 'proteins'.\n"
        "Where: the AnnData 'proteins'\n"
        "Fix: Did you mean 'protein'? Known: 'rna', 'protein', 'atac'. Or leave the name out to read all."
    )


@pytest.mark.filterwarnings("ignore:There is a single modality")
def test_what_is_given_is_not_changed():
    rna = counted()["rna"]
    rna.layers["counts"], rna.raw = rna.X, rna
    rna.var_names = ["twice", "twice", *rna.var_names[2:]]
    before = dense(rna).copy()
    with pytest.warns(
        UserWarning, match="^1 features of 'rna' had the name of another, the first is 'twice': they beca"
    ):
        mdata = omixvae.read({"rna": rna}, na=before.max())
    mdata["rna"].obs["new"], mdata["rna"].obsm["X_new"], mdata["rna"].uns["new"] = 1, np.ones((40, 1)), 1
    np.testing.assert_array_equal(dense(rna), before)
    assert (list(rna.var_names[:2]), list(rna.obs), list(rna.obsm), list(rna.uns)) == (["twice", "twice"], [], [], [])
    assert list(mdata["rna"].var_names[:3]) == ["twice", "twice-1", "rna2"]
    assert list(mdata["rna"].var["name"][:3]) == ["twice", "twice", "rna2"]
    assert np.isnan(dense(mdata["rna"])).sum() == (before == before.max()).sum()
    np.testing.assert_array_equal(mdata["rna"].raw.X.toarray(), before)
    assert np.isnan(mdata["rna"].layers["counts"].toarray()).any()


def test_a_gene_and_its_protein_may_have_one_name(notes):
    parts = counted()
    for part in parts.values():
        part.var_names = ["CD4", *part.var_names[1:]]
    mdata = omixvae.read(parts)
    assert [adata.var_names[0] for adata in mdata.mod.values()] == ["CD4"] * 3
    assert notes() == []


@pytest.mark.parametrize("kind", ["object", "h5mu", "zarr"])
def test_a_mudata_comes_back_as_it_is(kind):
    mdata = as_mudata(counted())
    mdata.uns["study"] = "cohort"
    if kind == "object":
        assert omixvae.read(mdata) is mdata
        return
    write_mudata(mdata, Path("in.h5mu"))
    if kind == "zarr":
        with writing_elements():
            mdata.write_zarr("in.zarr")
    read = omixvae.read(f"in.{kind}")
    assert_same(read, mdata.mod)
    assert read.uns["study"] == "cohort"


def test_a_mudata_and_a_table_of_its_samples():
    frames = cohort()
    mdata = as_mudata(frames)
    read = omixvae.read(mdata, obs=clinic(frames).iloc[::-1], na=(40, "I"))
    assert list(read.obs["age"]) == list(clinic(frames)["age"])
    assert list(read.obs["stage"].cat.categories) == ["I", "II"]
    assert list(mdata.obs) == []


def test_a_mudata_and_another_assay():
    parts = counted()
    atac = parts.pop("atac")
    mdata = as_mudata(parts)
    mdata.obs["donor"] = "a"
    both = omixvae.read(mdata, {"atac": atac})
    assert_same(both, parts | {"atac": atac})
    assert list(both.obs["donor"]) == ["a"] * 40


@pytest.mark.parametrize("named", ["rows", "columns"])
def test_data_frames_in_both_orientations(named, notes):
    frames = cohort()
    given = frames if named == "rows" else {name: frame.T for name, frame in frames.items()}
    assert_same(omixvae.read(given), frames)
    assert notes() == (
        []
        if named == "rows"
        else [
            "Samples are in the columns of 'rna' and 'protein': the names there stand elsewhere, too. If that is "
            "wrong: samples='rows' (--samples rows)."
        ]
    )


def test_a_data_frame_finds_its_cells_in_an_anndata(notes):
    parts = counted()
    frame = parts["protein"].to_df()[::-1].T
    mdata = omixvae.read({"rna": parts["rna"], "protein": frame})
    assert_same(mdata, {"rna": parts["rna"], "protein": parts["protein"][::-1]})
    assert notes() == [
        "Samples are in the columns of 'protein': the names there stand elsewhere, too. If that is wrong: "
        "samples='rows' (--samples rows)."
    ]


def test_a_data_frame_alone(notes):
    frame = cohort()["rna"]
    assert_same(omixvae.read({"rna": frame}), {"rna": frame})
    assert notes() == [
        "The 30 rows of 'rna' were taken as samples, its 9 columns as features. If it is the other way round: "
        "samples='columns' (--samples columns).",
        SINGLE,
    ]
    assert_same(omixvae.read({"rna": frame.T}, samples="columns"), {"rna": frame})
    assert notes()[2:] == [SINGLE]


def test_a_data_frame_whose_first_column_holds_the_names():
    frames = cohort()
    assert_same(omixvae.read({name: frame.reset_index() for name, frame in frames.items()}), frames)


def test_other_types_of_numbers():
    frames = cohort()
    given = {name: frame.astype("Float64") for name, frame in frames.items()}
    given["protein"] = frames["protein"].astype(object)
    assert_same(omixvae.read(given), frames)


@pytest.mark.filterwarnings("ignore:There is a single modality")
def test_a_table_that_is_mostly_zero_is_kept_sparse():
    values = np.zeros((6, 4), np.float32)
    values[0] = [1, np.nan, 2, 3]
    frame = pd.DataFrame(values, [f"c{i}" for i in range(6)], list("abcd"))
    x = omixvae.read({"rna": frame}, samples="rows")["rna"].X
    assert x.nnz == 4
    np.testing.assert_array_equal(x.toarray(), values)


def test_what_cannot_be_read():
    frame, adata = cohort()["rna"], counted()["rna"]
    assert refused() == (
        "Nothing is given to read.\nWhere: the data\nFix: Give a path, an AnnData, a data frame, or several."
    )
    assert refused(frame) == (
        "Nothing says which assay the data frame is of.\n"
        "Where: the data\n"
        "Fix: Give it a name: {'rna': rna} for the data frame rna."
    )
    assert refused([adata, adata]).startswith("The input has 2 problems.")
    assert refused({"rna": frame.to_numpy()}) == (
        "What was given is of type ndarray, which is not read here.\n"
        "Where: the data, 'rna'\n"
        "Fix: Give a MuData, an AnnData, a data frame, or a path. Give an h5mu or h5ad file, a zarr folder, an h5 "
        "file or an mtx folder of 10x, or tables (.csv, .tsv, .txt, with or without .gz, .parquet)."
    )
    assert refused("cohort.h5mu") == "There is no file 'cohort.h5mu'.\nWhere: the data\nFix: Check the path."
    nameless = {name: part.set_axis(range(len(part)), axis=0) for name, part in cohort().items()}
    assert refused({name: part.reset_index(drop=True) for name, part in cohort().items()}, samples="rows") == (
        "The samples of 'rna' have no names, only numbers that pandas made, so that nothing pairs them.\n"
        "Where: the data frame 'rna'\n"
        "Fix: Set the names as the index, as in df.index = names."
    )
    assert refused(nameless, samples="row") == (
        "Samples cannot be the 'row' of a table.\n"
        "Where: option samples\n"
        "Fix: Did you mean 'rows'? Known: 'rows', 'columns'."
    )
    assert refused({"rna": frame, "protein": frame}, sep="::") == (
        "Fields cannot be separated by '::'.\n"
        "Where: option sep\n"
        "Fix: Give one character, or one of the words tab, comma, semicolon, space."
    )


def test_cells_that_have_one_name():
    rna = counted()["rna"]
    rna.obs_names = ["cell", "cell", *rna.obs_names[2:]]
    assert refused({"rna": rna}) == (
        "1 name of samples stands there more than once, the first is 'cell'.\n"
        "Where: modality 'rna', obs_names\n"
        "Fix: Give each sample a name of its own, or keep one of those that have the same."
    )


@pytest.mark.filterwarnings("ignore:There is a single modality")
def test_an_anndata_on_disk_stays_there():
    rna = counted()["rna"]
    write_h5ad(rna, "rna.h5ad")
    backed = anndata.read_h5ad("rna.h5ad", backed="r")
    mdata = omixvae.read({"rna": backed})
    assert not isinstance(mdata["rna"].X, np.ndarray | sp.csr_matrix)
    whole = as_mudata({})
    whole.mod["rna"] = anndata.read_h5ad("rna.h5ad", backed="r")
    whole.update()
    latents = [omixvae.fit(data, max_epochs=2, progress=False).latent(data)[0] for data in (mdata, whole)]
    np.testing.assert_array_equal(*latents)
    removed = omixvae.read({"rna": backed}, na=4)
    assert np.isnan(dense(removed["rna"])).sum() == (dense(rna) == 4).sum()


def test_two_things_under_one_name():
    parts = counted()
    Path("other").mkdir()
    for path in ("rna.h5ad", "other/rna.h5ad"):
        write_h5ad(parts["rna"], path)
    assert refused("rna.h5ad", "other/rna.h5ad") == (
        "Two things have the name 'rna'.\n"
        "Where: file rna.h5ad and file other/rna.h5ad\n"
        "Fix: Give one another name: NAME=PATH in a path, or {'rna': ..., 'other': ...}."
    )


@pytest.mark.parametrize("source", ["mapping", "path"])
def test_fit_reads_trains_and_keeps_the_results(source, tmp_path):
    parts = counted()
    mdata = as_mudata(parts)
    write_mudata(mdata, Path("in.h5mu"))
    options = {"max_epochs": 2, "progress": False}
    expected = omixvae.fit(mdata, **options)
    assert expected.mdata is None
    model = omixvae.fit(parts if source == "mapping" else "in.h5mu", **options)
    np.testing.assert_array_equal(model.mdata.obsm["X_omixvae"], mdata.obsm["X_omixvae"])
    model.annotate(parts)
    np.testing.assert_array_equal(model.mdata.obsm["X_omixvae"], mdata.obsm["X_omixvae"])
    np.testing.assert_array_equal(model.latent(parts)[0], mdata.obsm["X_omixvae"])
    assert model.impute(parts, "protein", features="protein1")[0].shape == (40, 1)
    model.annotate(mdata)
    assert model.mdata is None


@pytest.mark.slow
def test_select_reads():
    parts = counted()
    options = {"n_folds": 2, "n_samples": 4, "max_epochs": 2, "progress": False}
    found, expected = (omixvae.select(data, {"n_latent": [2]}, **options) for data in (parts, as_mudata(parts)))
    assert list(found.table["log_likelihood"]) == list(expected.table["log_likelihood"])
