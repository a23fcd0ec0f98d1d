"""Wrong input through the real command line: one clear sentence, exit code 2, and nothing left behind."""

import bz2
import gzip
import importlib.util
import json
import lzma
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import anndata
import h5py
import mudata
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from safetensors import SafetensorError
from safetensors.torch import load_file

import omixvae
from omixvae.cli import main
from omixvae.errors import InputError
from tests.builders import build_mdata

Change = Callable[[dict[str, anndata.AnnData]], None]

TRAIN = ("train", "in.h5mu", "-o", "out.h5mu")
SEVERAL = "Where: listed below\nFix: Do what is said of each, then run the same again."
KNOWN = "Known: 'rna', 'protein', 'mutation'."
ABSENT_DEVICE, DEVICES = ("mps", "cpu or device=cuda") if torch.cuda.is_available() else ("cuda", "cpu")


def write_input(change: Change | None = None) -> None:
    """Write a good MuData to in.h5mu, its modalities changed first."""
    mdata = build_mdata(12)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # mudata on repeated names: they are what is tested
        if change is not None:
            modalities = {name: adata.copy() for name, adata in mdata.mod.items()}
            change(modalities)
            obs, mdata = mdata.obs, mudata.MuData(modalities)
            if mdata.obs_names.is_unique:
                mdata.obs = mdata.obs.join(obs)
        mdata.write_h5mu("in.h5mu")


def assert_refused(arguments: tuple[str, ...], message: str) -> None:
    """Run the command line in the current folder: it must say only this, and change no file."""
    before = {path: path.stat().st_mtime_ns for path in Path().rglob("*")}
    result = CliRunner().invoke(main, list(arguments), prog_name="omixvae")
    assert result.stderr == f"Error: {message}\n"
    assert result.stdout == ""
    assert result.exit_code == 2
    assert {path: path.stat().st_mtime_ns for path in Path().rglob("*")} == before


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def set_values(modality: str, rows: slice, columns: slice, value: float) -> Change:
    def change(modalities: dict[str, anndata.AnnData]) -> None:
        adata = modalities[modality]
        dense = adata.X.toarray() if not isinstance(adata.X, np.ndarray) else adata.X.copy()
        dense[rows, columns] = value
        adata.X = dense

    return change


def repeat_name(modality: str, axis: str) -> Change:
    def change(modalities: dict[str, anndata.AnnData]) -> None:
        names = list(getattr(modalities[modality], axis))
        names[1] = names[0]
        setattr(modalities[modality], axis, names)

    return change


def keep(modality: str, rows: slice, columns: slice) -> Change:
    def change(modalities: dict[str, anndata.AnnData]) -> None:
        modalities[modality] = modalities[modality][rows, columns].copy()

    return change


def log_counts(modalities: dict[str, anndata.AnnData]) -> None:
    modalities["rna"].X = modalities["rna"].X.log1p()


def add_suffix(modalities: dict[str, anndata.AnnData]) -> None:
    modalities["mutation"].obs_names = modalities["mutation"].obs_names + "-1"


def all_at_once(modalities: dict[str, anndata.AnnData]) -> None:
    set_values("protein", slice(0, 1), slice(0, 1), np.inf)(modalities)
    set_values("protein", slice(None), slice(1, 3), np.nan)(modalities)
    repeat_name("mutation", "var_names")(modalities)


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        pytest.param(
            keep("rna", slice(0), slice(None)),
            (),
            "Modality 'rna' is empty: 0 observations by 8 features.\n"
            "Where: mdata['rna']\n"
            "Fix: Leave it out with the option modalities, or write the file again with its values.",
            id="no observations",
        ),
        pytest.param(
            keep("rna", slice(None), slice(0)),
            (),
            "Modality 'rna' is empty: 9 observations by 0 features.\n"
            "Where: mdata['rna']\n"
            "Fix: Leave it out with the option modalities, or write the file again with its values.",
            id="no features",
        ),
        pytest.param(
            repeat_name("rna", "obs_names"),
            (),
            "1 name of modality 'rna' occurs more than once, the first is 'sample007'.\n"
            "Where: mdata['rna'].obs_names\n"
            "Fix: Make them unique first, e.g. by adding the sample to each barcode (adata.obs_names_make_unique()).",
            id="repeated observation",
        ),
        pytest.param(
            repeat_name("rna", "var_names"),
            (),
            "1 name of modality 'rna' occurs more than once, the first is 'rna0'.\n"
            "Where: mdata['rna'].var_names\n"
            "Fix: Make them unique first with adata.var_names_make_unique().",
            id="repeated feature",
        ),
        pytest.param(
            set_values("protein", slice(None), slice(1, 3), np.nan),
            (),
            "2 features of modality 'protein' have no value at all, only NaN.\n"
            "Where: mdata['protein'], 2 of 5 features, first: 'protein1'\n"
            "Fix: Drop these features before training.",
            id="features of NaN",
        ),
        pytest.param(
            set_values("rna", slice(None), slice(2, 4), -3),
            ("--likelihoods", "rna=negative_binomial"),
            "Modality 'rna' holds negative values (smallest -3), but its likelihood is negative_binomial, which needs "
            "counts: whole numbers, zero or more.\n"
            "Where: mdata['rna'], 2 of 8 features, first: 'rna2'\n"
            "Fix: Point to the raw counts with layers={'rna': 'counts'}, or choose likelihoods={'rna': 'gaussian'}.",
            id="negative counts",
        ),
        pytest.param(
            log_counts,
            ("--likelihoods", "rna=negative_binomial"),
            "Modality 'rna' holds values such as 2.565, but its likelihood is negative_binomial, which needs counts: "
            "whole numbers, zero or more.\n"
            "Where: mdata['rna'], 8 of 8 features, first: 'rna0'\n"
            "Fix: Point to the raw counts with layers={'rna': 'counts'}, or choose likelihoods={'rna': 'gaussian'}.",
            id="logged counts",
        ),
        pytest.param(
            set_values("protein", slice(0, 2), slice(0, 1), np.inf),
            (),
            "Modality 'protein' holds 2 infinite values.\n"
            "Where: mdata['protein'], 1 of 5 features, first: 'protein0'\n"
            "Fix: Replace them by NaN where nothing was measured; a log of zero is the usual cause.",
            id="infinities",
        ),
        pytest.param(
            add_suffix,
            (),
            "Modality 'mutation' shares no observation with 'rna', 'protein': none of the 12 names here (the first is "
            "'sample000-1') is among the 11 there (the first is 'sample007').\n"
            "Where: obs_names of 'mutation' and 'rna', 'protein'\n"
            "Fix: If these are the same samples, give them the same names (often only a prefix, or a suffix such as "
            "'-1', differs) and build the MuData again. If they are not, nothing tells how the latents of one belong "
            "to those of the other: choose what to train on with the option modalities.",
            id="names that do not match",
        ),
        pytest.param(
            all_at_once,
            ("--modalities", "rna,protein,mutation,metabolome", "--batch-key", "Batch"),
            f"The input has 5 problems.\n{SEVERAL}\n"
            "  1. There is no modality 'metabolome'.\n"
            "     Where: option modalities\n"
            "     Fix: Choose from 'rna', 'protein', 'mutation'.\n"
            "  2. There is no column 'Batch', neither in mdata.obs nor in that of a modality.\n"
            "     Where: option batch_key\n"
            "     Fix: Did you mean 'batch'? Known: 'batch', 'age', 'group'.\n"
            "  3. Modality 'protein' holds 1 infinite value.\n"
            "     Where: mdata['protein'], 1 of 5 features, first: 'protein0'\n"
            "     Fix: Replace them by NaN where nothing was measured; a log of zero is the usual cause.\n"
            "  4. 2 features of modality 'protein' have no value at all, only NaN.\n"
            "     Where: mdata['protein'], 2 of 5 features, first: 'protein1'\n"
            "     Fix: Drop these features before training.\n"
            "  5. 1 name of modality 'mutation' occurs more than once, the first is 'mutation0'.\n"
            "     Where: mdata['mutation'].var_names\n"
            "     Fix: Make them unique first with adata.var_names_make_unique().",
            id="several at once",
        ),
        pytest.param(
            keep("rna", slice(0, 3), slice(None)),
            ("--modalities", "rna"),
            "Only 3 observations have any value; nothing can be learned from so few.\n"
            "Where: the MuData\n"
            "Fix: Give at least 4.",
            id="three observations",
        ),
    ],
)
def test_wrong_values(change, options, message):
    write_input(change)
    assert_refused((*TRAIN, *options), message)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param(
            ("--modalities", "rna,protien"),
            f"There is no modality 'protien'.\nWhere: option modalities\nFix: Did you mean 'protein'? {KNOWN}",
            id="modalities",
        ),
        pytest.param(
            ("--layers", "rnaa=counts"),
            f"There is no modality 'rnaa'.\nWhere: option layers\nFix: Did you mean 'rna'? {KNOWN}",
            id="layers",
        ),
        pytest.param(
            ("--layers", "rna=counts"),
            "Modality 'rna' has no layer 'counts'.\n"
            "Where: option layers, mdata['rna'].layers\n"
            "Fix: There is none to choose from; leave the option out.",
            id="a layer",
        ),
        pytest.param(
            ("--likelihoods", "rnaa=gaussian", "--n-private", "protein=2,mutations=1", "--impute", "proteins"),
            f"The input has 3 problems.\n{SEVERAL}\n"
            "  1. There is no modality 'rnaa'.\n"
            "     Where: option likelihoods\n"
            f"     Fix: Did you mean 'rna'? {KNOWN}\n"
            "  2. There is no modality 'mutations'.\n"
            "     Where: option n_private\n"
            f"     Fix: Did you mean 'mutation'? {KNOWN}\n"
            "  3. There is no modality 'proteins'.\n"
            "     Where: option impute\n"
            f"     Fix: Did you mean 'protein'? {KNOWN[:-1]}, 'missing', 'all', 'none'.",
            id="likelihoods, n_private and impute",
        ),
        pytest.param(
            ("--batch-key", "donor"),
            "There is no column 'donor', neither in mdata.obs nor in that of a modality.\n"
            "Where: option batch_key\n"
            "Fix: Choose from 'batch', 'age', 'group'.",
            id="batch_key",
        ),
        pytest.param(
            ("--labels-key", "grupo"),
            "There is no column 'grupo', neither in mdata.obs nor in that of a modality.\n"
            "Where: option labels_key\n"
            "Fix: Did you mean 'group'? Known: 'batch', 'age', 'group'.",
            id="labels_key",
        ),
        pytest.param(
            ("--prior", "gausian_mixture"),
            "Option prior cannot be 'gausian_mixture'.\n"
            "Where: option prior (--prior)\n"
            "Fix: Did you mean 'gaussian_mixture'? Known: 'gaussian_mixture', 'standard_normal', 'vamp'.",
            id="prior",
        ),
        pytest.param(
            ("--n-latent", "0", "--seed", "x", "--likelihoods", "rna=negative_binomail", "--beta", "nan"),
            f"The input has 4 problems.\n{SEVERAL}\n"
            "  1. Option likelihoods cannot be {'rna': 'negative_binomail'}.\n"
            "     Where: option likelihoods (--likelihoods)\n"
            "     Fix: Did you mean 'negative_binomial'? Known: 'gaussian', 'student_t', 'laplace', 'log_normal', "
            "'poisson', 'negative_binomial', 'zero_inflated_negative_binomial', 'protein_mixture', 'bernoulli', "
            "'beta', 'binomial', 'categorical'.\n"
            "  2. Option n_latent cannot be 0.\n"
            "     Where: option n_latent (--n-latent)\n"
            "     Fix: Give a whole number from 1 to 512, or auto.\n"
            "  3. Option beta cannot be nan.\n"
            "     Where: option beta (--beta)\n"
            "     Fix: Give a number from 0 to 1000.\n"
            "  4. Option seed cannot be 'x'.\n"
            "     Where: option seed (--seed)\n"
            "     Fix: Give a whole number from 0 to 2,147,483,647.",
            id="values of options",
        ),
        pytest.param(
            ("--device", ABSENT_DEVICE),
            f"There is no device {ABSENT_DEVICE!r} on this machine.\n"
            "Where: option device (--device)\n"
            f"Fix: Use device=auto or device={DEVICES}.",
            id="device",
        ),
    ],
)
def test_wrong_options(options, message):
    write_input()
    assert_refused((*TRAIN, *options), message)


def test_command_line_words_that_click_refuses():
    write_input()
    result = CliRunner().invoke(main, [*TRAIN, "--n-latents", "3"], prog_name="omixvae")
    assert (result.exit_code, result.stderr.splitlines()[-1].startswith("Error: No such option '--n-latents'.")) == (
        2,
        True,
    )
    result = CliRunner().invoke(main, ["train", "in.h5mu"], prog_name="omixvae")
    assert (result.exit_code, result.stderr.splitlines()[-1]) == (2, "Error: Missing option '-o' / '--output'.")
    assert [path.name for path in Path().iterdir()] == ["in.h5mu"]


@pytest.mark.parametrize("kind", ["text", "empty", "truncated", "hdf5", "absent", "folder", "example"])
def test_input_that_cannot_be_read(kind):
    give = (
        "Give an h5mu or h5ad file, a zarr folder, an h5 file or an mtx folder of 10x, or tables (.csv, .tsv, .txt, "
        "with or without .gz, .parquet)."
    )
    where = "\nWhere: file in.h5mu\nFix:"
    file, source = Path("in.h5mu"), "in.h5mu"
    write_input()
    whole = file.read_bytes()
    if kind == "text":
        file.write_text("sample,CD3D\n1,5\n")
        message = f"'in.h5mu' is not a file of a kind that omixvae reads.{where} {give}"
    elif kind == "empty":
        file.write_bytes(b"")
        message = f"'in.h5mu' is empty.{where} Write or copy it again."
    elif kind == "hdf5":
        with h5py.File(file, "w") as other:
            other["matrix"] = [1.0]
        message = (
            f"'in.h5mu' is an HDF5 file, and holds neither a MuData, nor an AnnData, nor a matrix of 10x.{where} {give}"
        )
    elif kind == "truncated":
        file.write_bytes(whole[: len(whole) // 2])
        message = (
            f"'in.h5mu' was cut off: a part of the file is lacking.{where} The file is damaged or incomplete: "
            "copy or write it again."
        )
    elif kind == "absent":
        source = "cohort.h5mu"
        message = "There is no file 'cohort.h5mu'.\nWhere: the input\nFix: Check the path, or try 'example:cite'."
    elif kind == "folder":
        source = "."
        message = f"The folder '.' holds nothing that omixvae reads.\nWhere: folder .\nFix: {give}"
    else:
        source = "example:site"
        message = "There is no 'example:site'.\nWhere: the input\nFix: The only example is 'example:cite'."
    assert_refused(("train", source, "-o", "out.h5mu"), message)


@pytest.mark.parametrize(
    ("name", "pack", "command"),
    [
        ("in.h5mu.gz", gzip.compress, "gunzip in.h5mu.gz"),
        ("in.h5mu", gzip.compress, "gunzip < in.h5mu > in-unpacked.h5mu"),
        ("in.h5mu.bz2", bz2.compress, "bunzip2 in.h5mu.bz2"),
        ("cells", lzma.compress, "unxz < cells > cells-unpacked.h5mu"),
    ],
)
def test_compressed_input(name, pack, command):
    write_input()
    Path(name).write_bytes(pack(Path("in.h5mu").read_bytes()))
    assert_refused(("inspect", name), f"{name!r} is compressed.\nWhere: file {name}\nFix: Unpack it first: {command}")


@pytest.mark.parametrize(
    ("kind", "problem", "fix"),
    [
        (
            "awkward-array",
            "holds ragged (awkward) arrays, and the package that reads them is not installed",
            "Install it: pip install awkward. Or write the file again without them.",
        ),
        (
            "hologram",
            f"holds something of a kind (hologram) that anndata {version('anndata')} cannot read",
            "Install the newest anndata and mudata, or write the file again without it.",
        ),
    ],
)
def test_whole_files_of_which_a_part_cannot_be_read_are_not_called_damaged(kind, problem, fix):
    if kind == "awkward-array" and importlib.util.find_spec("awkward") is not None:
        pytest.skip("the package is installed")
    write_input()
    with h5py.File("in.h5mu", "r+") as file:
        part = file["mod"]["rna"].require_group("obsm").create_group("airr")
        part.attrs.update({"encoding-type": kind, "encoding-version": "0.1.0", "form": "{}", "length": 3})
    assert_refused(TRAIN, f"'in.h5mu' {problem}.\nWhere: file in.h5mu\nFix: {fix}")


def test_files_of_the_first_versions_of_mudata():
    write_input()
    with h5py.File("in.h5mu", "r+") as file:
        for group in file["mod"].values():
            group.attrs["encoding-type"] = "AnnData"
    if not hasattr(mudata, "settings"):
        assert CliRunner().invoke(main, ["inspect", "in.h5mu"]).exit_code == 0
        return
    assert_refused(
        TRAIN,
        f"'in.h5mu' was written by mudata 0.1.1 or older, which mudata {version('mudata')} cannot read.\n"
        "Where: file in.h5mu\n"
        "Fix: Write it again with an older mudata (on Python 3.11: pip install 'mudata<0.4'): "
        "mudata.read_h5mu('in.h5mu').write_h5mu('in.h5mu').",
    )


def test_output_that_cannot_be_written():
    write_input()
    Path("folder.h5mu").mkdir()
    Path("notes").mkdir()
    Path("notes", "config.json").write_text("{}")
    Path("notes", "thesis.txt").write_text("years of work")
    other = "Choose another name, or add --in-place."
    Path("link.h5mu").symlink_to("in.h5mu")
    for output in ("in.h5mu", "./notes/../in.h5mu", "link.h5mu", str(Path("in.h5mu").absolute())):
        assert_refused(
            ("train", "in.h5mu", "-o", output),
            f"The output would overwrite the input.\nWhere: output {Path(output)}\nFix: {other}",
        )
    assert_refused(
        ("train", "in.h5mu", "-o", "nowhere/out.h5mu", "--model", "in.h5mu"),
        f"The input has 2 problems.\n{SEVERAL}\n"
        "  1. The folder 'nowhere' does not exist.\n"
        "     Where: output nowhere/out.h5mu\n"
        "     Fix: Make the folder first, or choose another.\n"
        "  2. in.h5mu is there already and is a file, which is not part of a saved model.\n"
        "     Where: output in.h5mu\n"
        "     Fix: Choose another name, or remove it first.",
    )
    assert_refused(
        (*TRAIN, "--model", "notes"),
        "notes is there already and holds 'thesis.txt', which is not part of a saved model.\n"
        "Where: output notes\n"
        "Fix: Choose another name, or remove it first.",
    )
    assert_refused(
        (*TRAIN, "--model", "out.h5mu"),
        "The output and the model have the same name.\nWhere: output out.h5mu\nFix: Give the folder another name.",
    )
    assert_refused(
        ("train", "in.h5mu", "-o", "folder.h5mu"),
        "The output folder.h5mu is a folder.\nWhere: option --output\nFix: Give the name of a file.",
    )
    assert_refused(
        ("train", "in.h5mu", "-o", "out.csv"),
        "The output 'out.csv' is not named like an h5mu file.\nWhere: option --output\nFix: End the name in .h5mu.",
    )
    assert Path("notes", "thesis.txt").read_text() == "years of work"


def test_an_earlier_model_is_replaced_only_with_overwrite():
    write_input()
    quick = ("--max-epochs", "1", "--quiet")
    train = ("train", "in.h5mu", "-o", "out.h5mu", "--model", "my model", *quick)
    assert CliRunner().invoke(main, train).exit_code == 0
    assert_refused(
        (*train, "--seed", "1"),
        "my model holds a model already.\n"
        "Where: output my model\n"
        "Fix: Choose another name, or add --overwrite; `omixvae annotate --model 'my model'` applies it.",
    )
    assert CliRunner().invoke(main, [*train, "--seed", "1", "--overwrite"]).exit_code == 0
    assert omixvae.load("my model").config.training.seed == 1
    only_model = ("train", "in.h5mu", "--model", "my model", *quick, "--overwrite")
    assert CliRunner().invoke(main, only_model).exit_code == 0
    assert omixvae.load("my model").config.training.seed == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["fit", "in.h5mu"], "There is no command 'fit'. Did you mean 'train'? Known: 'inspect', "),
        (["predict"], "There is no command 'predict'. Did you mean 'annotate'? Known: 'inspect', "),
        (["summary"], "There is no command 'summary'. Did you mean 'inspect'? Known: 'inspect', "),
        (["data", "ls"], "There is no command 'ls'. Did you mean 'list'? Known: 'list', 'fetch', 'path'."),
        (["in.h5mu"], "There is no command 'in.h5mu'. Begin with: omixvae inspect in.h5mu\n"),
        ([*TRAIN, "--n-epochs", "3"], "No such option '--n-epochs'. Did you mean '--max-epochs'?\n"),
        ([*TRAIN, "--n_latent", "3"], "No such option '--n_latent'. Did you mean '--n-latent'?\n"),
        ([*TRAIN, "--use-gpu"], "No such option '--use-gpu'. Did you mean '--device'?\n"),
        ([*TRAIN, "--zzz"], "No such option '--zzz'. `omixvae train --help` lists those that there are.\n"),
    ],
    ids=lambda value: value[-1] if isinstance(value, list) else "",
)
def test_commands_and_options_of_other_tools(arguments, said):
    write_input()
    result = CliRunner().invoke(main, arguments, prog_name="omixvae")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.partition("Error: ")[2].startswith(said)
    assert [path.name for path in Path().iterdir()] == ["in.h5mu"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "There is no file 'options.yaml'.\nWhere: option --config\nFix: Check the path."),
        (
            "seed: 1\nlayers: [a\nb: c",
            "The options cannot be read: line 3 is not valid YAML.\n"
            "Where: file options.yaml\n"
            "Fix: Give a YAML file with one 'name: value' a line.",
        ),
        (
            "- n_latent\n- 5\n",
            "The file holds no options by name.\n"
            "Where: file options.yaml\n"
            "Fix: Give a YAML file with one 'name: value' a line.",
        ),
        (
            "beta: -1\nn_latent: many\n",
            f"The input has 2 problems.\n{SEVERAL}\n"
            "  1. Option n_latent cannot be 'many'.\n"
            "     Where: option n_latent (--n-latent)\n"
            "     Fix: Give a whole number from 1 to 512, or auto.\n"
            "  2. Option beta cannot be -1.\n"
            "     Where: option beta (--beta)\n"
            "     Fix: Give a number from 0 to 1000.",
        ),
    ],
    ids=["missing", "no YAML", "a list", "values"],
)
def test_options_file(text, message):
    write_input()
    if text is not None:
        Path("options.yaml").write_text(text)
    assert_refused((*TRAIN, "--config", "options.yaml"), message)


def test_options_file_with_an_unknown_option():
    with pytest.raises(omixvae.InputError) as caught:
        omixvae.Config.from_options(n_latnet=5)
    assert (caught.value.problem, caught.value.where) == ("There is no option 'n_latnet'.", "the options")
    assert caught.value.fix.startswith("Did you mean 'n_latent'? Known: 'modalities', 'layers', ")


@pytest.mark.parametrize("damage", ["absent", "text", "weights"])
def test_model_that_cannot_be_read(damage):
    write_input()
    model = Path("model")
    message = (
        "model holds no model: weights.safetensors is not there.\n"
        "Where: model model\n"
        "Fix: Give the folder that `--model` or `model.save` wrote."
    )
    omixvae.fit(mudata.read_h5mu("in.h5mu"), max_epochs=1, progress=False).save(model)
    if damage == "absent":
        (model / "weights.safetensors").unlink()
    elif damage == "text":
        (model / "plan.json").write_text("{")
        message = (
            "The model in model cannot be read: Expecting property name enclosed in double quotes: line 1 column 2 "
            "(char 1).\n"
            "Where: model model\n"
            "Fix: Its files are damaged, or of another version of omixvae; copy the folder again, or train again."
        )
    else:
        weights = model / "weights.safetensors"
        weights.write_bytes(weights.read_bytes()[:-10])
        with pytest.raises(SafetensorError) as damaged:
            load_file(weights)
        message = (
            f"The model in model cannot be read: {damaged.value}.\n"
            "Where: model model\n"
            "Fix: Its files are damaged, or of another version of omixvae; copy the folder again, or train again."
        )
    assert_refused(("annotate", "in.h5mu", "-o", "out.h5mu", "--model", "model"), message)


REFUSED_COUNTS = InputError(
    "Modality 'rna' holds values such as 2.565, but its likelihood is negative_binomial, which needs counts: whole "
    "numbers, zero or more.",
    "mdata['rna'], 8 of 8 features, first: 'rna0'",
    "Point to the raw counts with layers={'rna': 'counts'}, or choose likelihoods={'rna': 'gaussian'}.",
)


def run_with_counts_asked_for(*arguments):
    write_input(log_counts)
    return subprocess.run(
        [sys.executable, "-m", "omixvae", *arguments, "--likelihoods", "rna=negative_binomial"],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_an_error_in_a_process_of_its_own():
    run = run_with_counts_asked_for("train", "in.h5mu", "-o", "out.h5mu")
    assert run.stderr == f"Error: {REFUSED_COUNTS}\n"
    assert (run.returncode, run.stdout, [path.name for path in Path().iterdir()]) == (2, "", ["in.h5mu"])


@pytest.mark.slow
def test_inspect_shows_what_stops_training_beside_all_else():
    run = run_with_counts_asked_for("inspect", "in.h5mu", "--json")
    told = json.loads(run.stdout)
    assert (run.returncode, run.stderr) == (2, "")
    assert told["problems"] == [
        {"problem": REFUSED_COUNTS.problem, "where": REFUSED_COUNTS.where, "fix": REFUSED_COUNTS.fix}
    ]
    assert (told["choices"], [modality["name"] for modality in told["modalities"]]) == (
        {},
        ["rna", "protein", "mutation"],
    )
    screen = " ".join(run_with_counts_asked_for("inspect", "in.h5mu").stdout.split())
    assert f"Stops training 1. {REFUSED_COUNTS.problem} Where: {REFUSED_COUNTS.where} {REFUSED_COUNTS.fix}" in screen
    assert "Nothing stops training" not in screen


def test_debug_shows_the_traceback():
    result = CliRunner().invoke(main, ["--debug", "train", "absent.h5mu", "-o", "out.h5mu"])
    assert isinstance(result.exception, omixvae.InputError)


@pytest.fixture
def interruptible():
    """Let processes that a test starts be interrupted, also where the tests run in the background of a shell."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.slow
@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_run_leaves_nothing(number, code):
    write_input()
    select = ["select", "in.h5mu", "-o", "out.csv", "--grid", "n_latent=1,2", "--max-epochs", "100"]
    arguments = [sys.executable, "-m", "omixvae", *select]
    with subprocess.Popen(arguments, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as run:
        assert run.stderr.readline().startswith("fit 1/")
        run.send_signal(number)
        output, errors = run.communicate(timeout=60)
    assert (run.returncode, output) == (code, "")
    assert errors.splitlines()[-1] == "Stopped. Nothing was written."
    assert "Traceback" not in errors
    assert [path.name for path in Path().iterdir()] == ["in.h5mu"]
