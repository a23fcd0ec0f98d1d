"""What Cell Ranger and tools like it write."""

from pathlib import Path

import h5py
import numpy as np
import pytest

import omixvae
from tests.sources.files import counted, write_10x_h5, write_10x_h5_of_version_2, write_mtx
from tests.sources.test_read import SINGLE, assert_same, notes, own_folder, refused

__all__ = ["notes", "own_folder"]


def some(*names):
    return {name: part for name, part in counted().items() if name in names}


@pytest.mark.parametrize("names", [("rna",), ("rna", "protein"), ("rna", "atac"), ("rna", "protein", "atac")])
@pytest.mark.parametrize("form", ["h5", "folder"])
def test_features_are_split_by_kind(form, names, notes):
    parts = some(*names)
    if form == "h5":
        write_10x_h5(parts, Path("filtered_feature_bc_matrix.h5"))
        source = "filtered_feature_bc_matrix.h5"
    else:
        source = "filtered_feature_bc_matrix"
        write_mtx(parts, Path(source))
    mdata = omixvae.read(source)
    assert_same(mdata, parts)
    assert list(mdata["rna"].var["gene_ids"])[:2] == ["ID-rna0", "ID-rna1"]
    split = f"Its features were split by their kind into {', '.join(map(repr, names))}: file {source}."
    assert notes() == ([SINGLE] if names == ("rna",) else [split])


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("genes", [True, False])
@pytest.mark.parametrize("before", ["", "GSM1_"])
@pytest.mark.filterwarnings("ignore:There is a single modality", "ignore:Its features were split")
def test_folders_of_other_versions_and_tools(zipped, genes, before):
    parts = some("rna") if genes else some("rna", "protein")
    write_mtx(parts, Path("matrix"), zipped=zipped, genes=genes, before=before)
    assert_same(omixvae.read(Path("matrix")), parts)


@pytest.mark.filterwarnings("ignore:There is a single modality")
def test_an_h5_file_of_version_2():
    parts = some("rna")
    write_10x_h5_of_version_2(parts["rna"], Path("genes.h5"))
    assert_same(omixvae.read("genes.h5"), parts)


def test_a_name_takes_one_kind():
    parts = some("rna", "protein")
    write_10x_h5(parts, Path("first.h5"))
    write_mtx(some("atac"), Path("second"))
    assert_same(omixvae.read("rna=first.h5", "regions=second"), {"rna": parts["rna"], "regions": counted()["atac"]})


@pytest.mark.filterwarnings("ignore:Its features were split")
def test_symbols_that_occur_twice_are_told_apart_within_their_kind():
    parts = some("rna", "protein")
    parts["rna"].var_names = ["CD4", "CD4", *parts["rna"].var_names[2:]]
    parts["protein"].var_names = ["CD4", *parts["protein"].var_names[1:]]
    write_10x_h5(parts, Path("cells.h5"))
    with pytest.warns(
        UserWarning, match="^1 features of 'rna' had the name of another, the first is 'CD4': they became"
    ):
        mdata = omixvae.read("cells.h5")
    assert [list(adata.var_names[:2]) for adata in mdata.mod.values()] == [["CD4", "CD4-1"], ["CD4", "protein1"]]


def test_an_h5_file_without_a_matrix():
    with h5py.File("molecule_info.h5", "w") as file:
        file["barcodes"] = np.arange(3)
    assert refused("molecule_info.h5") == (
        "'molecule_info.h5' is an HDF5 file, and holds neither a MuData, nor an AnnData, nor a matrix of 10x.\n"
        "Where: file molecule_info.h5\n"
        "Fix: Give an h5mu or h5ad file, a zarr folder, an h5 file or an mtx folder of 10x, or tables (.csv, .tsv, "
        ".txt, with or without .gz, .parquet)."
    )


def test_an_h5_file_that_lacks_a_part():
    write_10x_h5(some("rna"), Path("cells.h5"))
    with h5py.File("cells.h5", "a") as file:
        del file["matrix/features"]
    message = refused("cells.h5")
    assert message.startswith("'cells.h5' cannot be read: ")
    assert message.endswith("The file is damaged or incomplete: copy or write it again.")


def test_a_folder_that_lacks_a_file():
    write_mtx(some("rna"), Path("matrix"))
    Path("matrix/features.tsv.gz").unlink()
    assert refused("matrix") == (
        "The folder holds a matrix and no features.tsv or genes.tsv.\n"
        "Where: folder matrix\n"
        "Fix: Copy all three files of the matrix into it: matrix, barcodes and features, gzipped or not."
    )


def test_a_folder_with_files_of_two_runs():
    write_mtx(some("rna"), Path("matrix"), zipped=False)
    barcodes = Path("matrix/barcodes.tsv")
    barcodes.write_text(barcodes.read_text().partition("\n")[2])
    assert refused("matrix") == (
        "The matrix has 12 features and 40 barcodes, and there are names of 12 and 39.\n"
        "Where: folder matrix\n"
        "Fix: The files are of different runs, or one was cut off: copy all three again."
    )


def test_a_folder_with_two_matrices():
    write_mtx(some("rna"), Path("matrix"), zipped=False)
    Path("matrix/raw_matrix.mtx").write_text("")
    assert refused("matrix") == (
        "The folder holds 2 matrices, the first are 'matrix.mtx' and 'raw_matrix.mtx'.\n"
        "Where: folder matrix\n"
        "Fix: Put the files of each into a folder of its own."
    )


def test_a_matrix_given_without_its_folder():
    write_mtx(some("rna"), Path("cells"), zipped=False)
    assert refused("cells/matrix.mtx") == (
        "'matrix.mtx' cannot be read from here.\n"
        "Where: file cells/matrix.mtx\n"
        "Fix: Give the folder that holds the matrix, its barcodes and its features."
    )
