"""Text tables as people have them, and the table of the samples."""

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import omixvae
from tests.sources.files import clinic, cohort
from tests.sources.test_read import SINGLE, assert_same, notes, own_folder, refused

__all__ = ["notes", "own_folder"]

TURNED = (
    "Samples are in the columns of {}: the names there stand elsewhere, too. If that is wrong: samples='rows' "
    "(--samples rows)."
)


def write(frames, *, turned=(), end="csv", **options):
    """Write a file for each assay, some of them with the samples in the columns."""
    for name, frame in frames.items():
        (frame.T if name in turned else frame).to_csv(f"{name}.{end}", **options)
    return [f"{name}.{end}" for name in frames]


@pytest.mark.parametrize("turned", [(), ("rna",), ("protein",), ("rna", "protein")])
@pytest.mark.parametrize("known", [True, False])
def test_tables_in_both_orientations(turned, known, notes):
    frames = cohort()
    sources = write(frames, turned=turned)
    clinic(frames).to_csv("clinic.csv")
    mdata = omixvae.read(*sources, obs="clinic.csv" if known else None)
    assert_same(mdata, frames)
    assert notes() == ([TURNED.format(" and ".join(map(repr, turned)))] if turned else [])
    if known:
        assert list(mdata.obs["age"]) == list(clinic(frames)["age"])
        assert mdata.obs["stage"].dtype == "category"


@pytest.mark.parametrize(
    ("end", "options"),
    [
        ("csv", {"sep": ";"}),
        ("tsv", {"sep": "\t"}),
        ("txt", {"sep": " "}),
        ("csv.gz", {}),
        ("tsv.gz", {"sep": "\t"}),
        ("csv", {"encoding": "utf-8-sig"}),
        ("csv", {"quoting": 2}),
        ("csv", {"lineterminator": "\r\n"}),
    ],
)
def test_kinds_of_text(end, options, notes):
    frames = cohort()
    sources = write(frames, end=end, **options)
    assert_same(omixvae.read(sources, sep="space" if end == "txt" else None), frames)
    assert notes() == []


def test_a_table_written_by_r_has_one_name_less_in_its_header():
    frames = cohort()
    write(frames, sep="\t", end="tsv")
    for name in frames:
        path = Path(f"{name}.tsv")
        path.write_text(path.read_text().removeprefix("\t"))
    assert_same(omixvae.read("rna.tsv", "protein.tsv"), frames)


def test_what_a_spreadsheet_leaves_beside_and_below_a_table():
    frames = cohort()
    for name, frame in frames.items():
        lines = [line + ",," for line in frame.to_csv().splitlines()]
        Path(f"{name}.csv").write_text("\n".join([*lines, "," * lines[0].count(","), ""]))
    assert_same(omixvae.read("rna.csv", "protein.csv"), frames)


def test_names_are_text_as_they_are_written():
    frames = cohort()
    frames = {
        name: frame.rename(index=lambda name: name.replace("P0", "0").replace("010", "NA"))
        for name, frame in frames.items()
    }
    write(frames)
    mdata = omixvae.read("rna.csv", "protein.csv")
    assert_same(mdata, frames)
    assert {"000", "NA"} <= set(mdata.obs_names)


@pytest.mark.filterwarnings("ignore:There is a single", "ignore:The 2 rows")
@pytest.mark.parametrize("na", [(-999, "?"), ("-999", "?"), ["-999.0", "?"]])
def test_values_that_stand_for_missing(na):
    Path("rna.csv").write_text("id,a,b,c\ns1,-999,?,1\ns2,2,,NA\n")
    values = omixvae.read("rna.csv", na=na)["rna"].X
    np.testing.assert_array_equal(values, np.array([[np.nan, np.nan, 1], [2, np.nan, np.nan]]))


def test_a_table_alone(notes):
    frame = cohort()["rna"]
    frame.to_csv("rna.csv")
    assert_same(omixvae.read("rna.csv"), {"rna": frame})
    assert notes() == [
        "The 30 rows of 'rna' were taken as samples, its 9 columns as features. If it is the other way round: "
        "samples='columns' (--samples columns).",
        SINGLE,
    ]


@pytest.mark.filterwarnings("ignore:There is a single", "ignore:Samples are in the columns")
def test_the_table_of_samples_says_which_side_they_are_on():
    frame = cohort()["rna"]
    frame.T.to_csv("rna.csv")
    assert_same(omixvae.read("rna.csv", obs=clinic(cohort())), {"rna": frame})


def test_samples_are_named_in_any_column(notes):
    frames = cohort()
    table = clinic(frames).iloc[:-2].reset_index(names="patient")
    table.insert(0, "row", range(len(table)))
    table["centre"] = ["001", "002"] * 14
    table.to_csv("clinic.csv", index=False)
    mdata = omixvae.read(*write(frames), obs="clinic.csv", na="II")
    assert notes() == ["28 of 30 samples are in file clinic.csv, which names them in column 'patient'."]
    assert list(mdata.obs) == ["row", "stage", "age", "centre"]
    assert mdata.obs["age"].isna().sum() == 2
    assert list(mdata.obs["stage"].cat.categories) == ["I"]


def test_a_table_of_samples_that_names_none():
    frames = cohort()
    sources = write(frames)
    pd.DataFrame({"patient": ["X1", "X2"], "age": [1, 2]}).to_csv("clinic.csv", index=False)
    assert refused(*sources, obs="clinic.csv", samples="rows") == (
        "No column of the table of samples holds a name of the samples, such as 'P000'.\n"
        "Where: file clinic.csv\n"
        "Fix: Give it a column with the names that the samples have in the data."
    )
    assert refused(*sources, obs="klinik.csv") == (
        "There is no file 'klinik.csv'.\nWhere: option obs (--obs)\nFix: Check the path."
    )


def test_a_table_of_samples_that_names_one_twice():
    frames = cohort()
    pd.concat([clinic(frames), clinic(frames).iloc[:1]]).to_csv("clinic.csv")
    assert refused(*write(frames), obs="clinic.csv") == (
        "Sample 'P000' stands 2 times in column 'sample' of the table of samples.\n"
        "Where: file clinic.csv\n"
        "Fix: Keep one row for each sample."
    )


def test_tables_that_share_no_sample():
    frames = cohort()
    frames["protein"].index = [f"{name}-01" for name in frames["protein"].index]
    message = (
        "The table of 'protein' shares no sample with the other tables, neither in rows nor in columns: its first row "
        "is 'P005-01' and its first column is 'protein0'.\n"
        "Where: file protein.csv\n"
        "Fix: Give the samples the same names in all of them. Where names differ in a suffix or the like, say where "
        "the samples are, as samples='rows' (--samples rows), and omixvae inspect shows how."
    )
    sources = write(frames)
    assert refused(*sources) == message
    assert refused(*sources, obs=clinic(cohort())) == message.replace(
        "the other tables", "the samples that are known from elsewhere"
    )
    assert omixvae.read(*sources, samples="rows").n_obs == 55


@pytest.mark.filterwarnings("ignore:var_names are not unique")  # of what is compared with
def test_tables_that_share_names_on_both_sides():
    frames = cohort()
    frames["protein"].columns = frames["rna"].columns[:6]
    sources = write(frames)
    say = "Fix: Say where the samples are: samples='rows' or samples='columns' (--samples rows, --samples columns)."
    assert refused(*sources) == (
        "The tables of 'rna', 'protein' share names both in their rows and in their columns: either could be the "
        f"samples.\nWhere: file rna.csv\n{say}"
    )
    assert_same(omixvae.read(*sources, samples="rows"), frames)
    assert_same(omixvae.read(*sources, obs=clinic(frames)), frames)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "'rna.csv' is empty.\nWhere: file rna.csv\nFix: Write or copy it again.", id="empty"),
        pytest.param("\n \n", "'rna.csv' is empty.\nWhere: file rna.csv\nFix: Write or copy it again.", id="blank"),
        pytest.param(
            "id,a,b\n",
            "The table holds no values: 0 rows by 2 columns beside the names.\n"
            "Where: file rna.csv\n"
            "Fix: Give a table with names in its first row and its first column, and numbers in all others; if fields "
            "are separated by something unusual, say by what (sep=';', --sep ';').",
            id="header alone",
        ),
        pytest.param(
            "id|a|b\ns1|1|2\n",
            "The table holds no values: 1 rows by 0 columns beside the names.\n"
            "Where: file rna.csv\n"
            "Fix: Give a table with names in its first row and its first column, and numbers in all others; if fields "
            "are separated by something unusual, say by what (sep=';', --sep ';').",
            id="unusual separator",
        ),
        pytest.param(
            "id,a,b\ns1,1,2\ns2,3\n",
            "Line 3 of 'rna.csv' has 2 fields, the lines before it have 3.\n"
            "Where: file rna.csv, line 3\n"
            "Fix: Write as many fields in each line as in the header, empty ones for what is missing; if something "
            "else than was found separates them, say what (sep=';', --sep ';').",
            id="short line",
        ),
        pytest.param(
            "id,a,b\ns1,1,2\ns2,3,4,5\n",
            "Line 3 of 'rna.csv' has 4 fields, the lines before it have 3.\n"
            "Where: file rna.csv, line 3\n"
            "Fix: Write as many fields in each line as in the header, empty ones for what is missing; if something "
            "else than was found separates them, say what (sep=';', --sep ';').",
            id="long line",
        ),
        pytest.param(
            "id,a,b\ns1\ns2,3,4\n",
            "Line 2 of 'rna.csv' has 1 field, the lines before it have 3.\n"
            "Where: file rna.csv, line 2\n"
            "Fix: Write as many fields in each line as in the header, empty ones for what is missing; if something "
            "else than was found separates them, say what (sep=';', --sep ';').",
            id="short first line",
        ),
        pytest.param(
            "id,a,b,a\ns1,1,2,3\ns2,1,2,3\n",
            "1 name of columns stands there more than once, the first is 'a'.\n"
            "Where: file rna.csv\n"
            "Fix: Give each column a name of its own, or keep one of those that have the same.",
            id="repeated column",
        ),
        pytest.param(
            "id,a,b\ns1,1,2\ns1,1,2\ns2,1,3\ns2,1,3\n",
            "2 names of rows stand there more than once, the first is 's1'.\n"
            "Where: file rna.csv\n"
            "Fix: Give each row a name of its own, or keep one of those that have the same.",
            id="repeated rows",
        ),
        pytest.param(
            "id,a,\ns1,1,2\n,1,2\n",
            "The input has 2 problems.\n"
            "Where: listed below\n"
            "Fix: Do what is said of each, then run the same again.\n"
            "  1. 1 row has values and no name, the first is row 2.\n"
            "     Where: file rna.csv\n"
            "     Fix: Give it a name, or remove it.\n"
            "  2. 1 column has values and no name, the first is column 2.\n"
            "     Where: file rna.csv\n"
            "     Fix: Give it a name, or remove it.",
            id="no names",
        ),
        pytest.param(
            "id,a,stage\ns1,1,III\ns2,2,\ns3,2,IV\n",
            "Column 'stage' holds text where a number should be: 'III' in row 's1' and in 1 more.\n"
            "Where: file rna.csv\n"
            "Fix: Write numbers with a decimal point. Leave a field empty that has no value, or name what stands "
            "there for missing (na='-', --na -). Columns that describe samples belong into a table of their own (obs, "
            "--obs); those that describe features are to be removed.",
            id="text",
        ),
        pytest.param(
            "id;a;b\ns1;1,5;2\n",
            "Column 'a' holds text where a number should be: '1,5' in row 's1'.\n"
            "Where: file rna.csv\n"
            "Fix: Write numbers with a decimal point. Leave a field empty that has no value, or name what stands "
            "there for missing (na='-', --na -). Columns that describe samples belong into a table of their own (obs, "
            "--obs); those that describe features are to be removed.",
            id="decimal comma",
        ),
    ],
)
def test_tables_that_cannot_be_used(text, message):
    Path("rna.csv").write_text(text)
    assert refused("rna.csv", samples="rows") == message
    if text:
        Path("rna.csv.gz").write_bytes(gzip.compress(text.encode()))
        assert refused("rna.csv.gz", samples="rows") == message.replace("rna.csv", "rna.csv.gz")


def test_text_in_a_data_frame():
    frames = cohort()
    frames["rna"].insert(2, "stage", "III")
    assert refused(frames).startswith(
        "Column 'stage' holds text where a number should be: 'III' in row 'P000' and in 29 more.\n"
        "Where: the data frame 'rna'\n"
        "Fix: "
    )


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_text_in_another_encoding(encoding):
    Path("rna.csv").write_bytes("id,ä\ns1,1\n".encode(encoding))
    assert refused("rna.csv") == (
        "'rna.csv' is not text in UTF-8.\n"
        "Where: file rna.csv\n"
        "Fix: Save it again as CSV UTF-8; if it is a spreadsheet or another kind of file, save the table as CSV first."
    )


def test_a_file_that_is_not_zipped_and_one_that_was_cut_off():
    Path("rna.csv.gz").write_text("id,a\ns1,1\n")
    assert refused("rna.csv.gz").startswith("'rna.csv.gz' cannot be read as a table: Not a gzipped file")
    whole = gzip.compress(np.random.default_rng(0).bytes(4000).hex().encode())
    Path("rna.csv.gz").write_bytes(whole[: len(whole) // 2])
    assert refused("rna.csv.gz") == (
        "'rna.csv.gz' cannot be read as a table: Compressed file ended before the end-of-stream marker was reached.\n"
        "Where: file rna.csv.gz\n"
        "Fix: The file is damaged or no table: copy or write it again."
    )


def test_parquet():
    frames = cohort()
    Path("rna.parquet").write_bytes(b"PAR1")
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        assert refused("rna.parquet") == (
            "'rna.parquet' is a parquet file, which pandas reads only with the package pyarrow.\n"
            "Where: file rna.parquet\n"
            "Fix: Install it (pip install pyarrow), or write the table as CSV."
        )
    else:
        assert refused("rna.parquet").startswith("'rna.parquet' cannot be read: ")
        for name, frame in frames.items():
            frame.to_parquet(f"{name}.parquet")
        assert_same(omixvae.read("rna.parquet", "protein.parquet"), frames)


@pytest.mark.parametrize(
    ("name", "problem", "fix"),
    [
        (
            "cells.rds",
            "'cells.rds' cannot be read from here.",
            'In R: object <- readRDS("cells.rds"); MuDataSeurat::WriteH5MU(object, "cells.h5mu") writes a Seurat '
            'object, MuData::writeH5MU(object, "cells.h5mu") a MultiAssayExperiment. Then read "cells.h5mu".',
        ),
        (
            "cells.RData",
            "'cells.RData' cannot be read from here.",
            'In R: load("cells.RData"), then MuDataSeurat::WriteH5MU(object, "cells.h5mu") for a Seurat object, or '
            'MuData::writeH5MU(object, "cells.h5mu") for a MultiAssayExperiment. Then read "cells.h5mu".',
        ),
        (
            "cells.loom",
            "'cells.loom' cannot be read from here.",
            'In Python, with the package loompy: anndata.io.read_loom("cells.loom").write_h5ad("cells.h5ad"). '
            'Then read "cells.h5ad".',
        ),
        (
            "cells.h5seurat",
            "'cells.h5seurat' cannot be read from here.",
            'In R: object <- SeuratDisk::LoadH5Seurat("cells.h5seurat"); MuDataSeurat::WriteH5MU(object, '
            '"cells.h5mu"). Then read "cells.h5mu".',
        ),
        ("cells.xlsx", "'cells.xlsx' cannot be read from here.", "Save each sheet as CSV UTF-8, and read these."),
        ("cells.h5ad.gz", "'cells.h5ad.gz' is compressed.", "Unpack it first: gunzip cells.h5ad.gz"),
    ],
)
def test_files_of_other_programs(name, problem, fix):
    Path(name).write_bytes(b"not empty")
    assert refused(name) == f"{problem}\nWhere: file {name}\nFix: {fix}"
