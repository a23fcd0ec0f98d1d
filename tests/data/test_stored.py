"""Tables on disk give what tables in memory give, and read each block once."""

import subprocess
import sys

import anndata
import h5py
import mudata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from anndata.io import sparse_dataset, write_elem
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import omixvae
from omixvae.config import Config
from omixvae.data import (
    DataConfig,
    ModalityTable,
    StoredAnnData,
    StoredMatrix,
    from_mudata,
    masked,
    open_mudata,
    stored,
    stored_matrix,
)
from omixvae.data.matrices import split_missing
from omixvae.data.sampler import epoch_batches
from omixvae.data.stored import StoredRows, StoredTable
from omixvae.plan import make_plan
from omixvae.training.engine import train
from omixvae.training.initialise import initialise_network
from omixvae.vae import new_network
from tests.builders import build_mdata

CPU = torch.device("cpu")
N_OBS = 60


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Let a few observations fill many blocks, and the cache hold few of them."""
    for module in (stored, stored_matrix, masked):
        monkeypatch.setattr(module, "BLOCK_ROWS", 7)
    monkeypatch.setattr(stored, "CACHE_BYTES", 1000)
    monkeypatch.setattr(stored, "WINDOW_ROWS", 21)
    monkeypatch.setattr("omixvae.data.survey.MAX_BLOCK_VALUES", 64)


def build(*, sparse: bool) -> mudata.MuData:
    """Make data with NaN in each modality, a layer, and an observation of nothing but NaN."""
    mdata = build_mdata(N_OBS, seed=1, sparse=False)
    rng = np.random.default_rng(0)
    for name in ("rna", "protein"):
        x = mdata[name].X
        x[rng.random(x.shape) < 0.1] = np.nan
        x[0] = 1.0
    mdata["protein"].X[5] = np.nan
    if sparse:
        for adata in mdata.mod.values():
            adata.X = sp.csr_matrix(adata.X)
    mdata["rna"].layers["twice"] = 2 * mdata["rna"].X
    return mdata


def written(mdata: mudata.MuData, folder, kind: str) -> mudata.MuData:
    """Write data and open them again in one of the ways that leave values on disk."""
    whole, first, second = (folder / name for name in ("whole.h5mu", "first.h5mu", "second.zarr"))
    if kind == "two files":
        mdata[: N_OBS // 3].copy().write_h5mu(first)
        mdata[N_OBS // 3 :].copy().write_zarr(second)
        return open_mudata(first, second)
    if kind == "zarr":
        mdata.write_zarr(second)
        return open_mudata(second)
    mdata.write_h5mu(whole)
    return mudata.read_h5mu(whole, backed="r") if kind == "backed" else open_mudata(whole)


KINDS = pytest.mark.parametrize("kind", ["backed", "h5mu", "zarr", "two files"])
SPARSE = pytest.mark.parametrize("sparse", [True, False])


def assert_same_rows(data, on_disk, index) -> None:
    for some, other in zip(
        data.rows(index, CPU, torch.float32).modalities, on_disk.rows(index, CPU, torch.float32).modalities, strict=True
    ):
        assert torch.equal(some.values, other.values)
        assert torch.equal(some.present, other.present)
        assert torch.equal(some.library, other.library)
        assert some.complete == other.complete
        assert (some.observed is None) == (other.observed is None)
        assert some.observed is None or torch.equal(some.observed, other.observed)
        assert (some.stored is None) == (other.stored is None)
        if some.stored is not None:
            assert sorted(zip(*map(torch.Tensor.tolist, some.stored), strict=True)) == sorted(
                zip(*map(torch.Tensor.tolist, other.stored), strict=True)
            )  # writers may change the order within a row


@KINDS
@SPARSE
def test_rows_and_surveys_equal_those_in_memory(tmp_path, kind, sparse):
    mdata = build(sparse=sparse)
    data, on_disk = from_mudata(mdata), from_mudata(written(mdata, tmp_path, kind))
    assert all(isinstance(table, StoredTable) for table in on_disk.tables)
    assert on_disk.obs_names.tolist() == data.obs_names.tolist()
    rng = np.random.default_rng(0)
    for index in (np.arange(N_OBS), rng.permutation(N_OBS)[:25], np.array([8, 3, 3]), np.array([], np.int64)):
        assert_same_rows(data, on_disk, index)
        assert_same_rows(data.given(["protein"]), on_disk.given(["protein"]), index)
        assert_same_rows(data.take(index), on_disk.take(index), np.arange(len(index)))
    np.testing.assert_array_equal(data.presence, on_disk.presence)
    for table, other in zip(data.tables, on_disk.tables, strict=True):
        of_rows = (
            {"totals", "n_measured_in", "n_nonzero_in"} if kind == "two files" else set()
        )  # whose rows are in another order
        for found, same in ((table.survey, other.survey), (table.moments, other.moments)):
            for name in found.__dataclass_fields__.keys() - {"moments"} - of_rows:
                rtol = 1e-12 if kind == "two files" else 0
                np.testing.assert_allclose(getattr(found, name), getattr(same, name), rtol=rtol)


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2**32 - 1), st.integers(1, 90), st.integers(1, 3), st.booleans(), st.sampled_from([0.0, 0.3]))
def test_any_observations_of_any_parts_equal_those_in_memory(seed, n_rows, n_parts, sparse, nan):
    rng = np.random.default_rng(seed)
    x = (rng.poisson(1.0, (n_rows, 3)) * rng.choice([-0.5, 1.0], (n_rows, 3))).astype(np.float32)
    x[rng.random(x.shape) < nan] = np.nan
    matrix = sp.csr_matrix(x) if sparse else x
    cuts = np.sort(rng.integers(0, n_rows + 1, n_parts - 1))
    with h5py.File("parts", "w", driver="core", backing_store=False) as file:
        parts = []
        for p, (first, last) in enumerate(zip([0, *cuts], [*cuts, n_rows], strict=True)):
            write_elem(file, str(p), matrix[first:last])
            parts.append(sparse_dataset(file[str(p)]) if sparse else file[str(p)])
        columns = None if rng.random() < 0.5 else rng.permutation(3)
        features = ("a", "b", "c")
        row = np.where(rng.random(50) < 0.2, -1, rng.integers(0, n_rows, 50))
        library = rng.random(50).astype(np.float32)
        values, missing = split_missing(matrix if columns is None else matrix[:, columns])
        table = ModalityTable("x", features, values, row, missing, library)
        rows = StoredRows(StoredMatrix(parts, "x"), features, columns)
        on_disk = StoredTable("x", features, rows, row, library)
        for index in (rng.integers(0, 50, 1), rng.integers(0, 50, rng.integers(0, 12)), rng.permutation(50)):
            a, b = (t.at(index, CPU, torch.float32) for t in (table, on_disk))
            assert torch.equal(a.filled, b.filled)
            assert torch.equal(a.mask, b.mask)
            assert torch.equal(a.library, b.library)
            assert a.complete == b.complete


@KINDS
def test_layers_and_features_in_another_order_equal_those_in_memory(tmp_path, kind):
    mdata = build(sparse=True)
    if kind == "backed":
        pytest.skip("mudata reads layers into memory")
    config = DataConfig(layers={"rna": "twice"}, batch_key="batch", labels_key="group")
    schema = from_mudata(mdata, config).schema
    for name in ("rna", "protein"):
        mdata.mod[name] = mdata[name][:, ::-1].copy()
    mdata.update()
    data, on_disk = from_mudata(mdata, config, schema), from_mudata(written(mdata, tmp_path, kind), config, schema)
    assert isinstance(on_disk.table("rna"), StoredTable)
    assert_same_rows(data, on_disk, np.random.default_rng(0).permutation(N_OBS))


def test_an_entry_that_is_stored_in_two_parts_is_their_sum(tmp_path):
    obs, var = pd.DataFrame(index=list("abcd")), pd.DataFrame(index=["CD4", "CD8A"])
    matrix = sp.csr_matrix(([1.0, 2.0, 4.0, 8.0], [1, 1, 1, 0], [0, 2, 2, 4, 4]), shape=(4, 2))
    with h5py.File(tmp_path / "x.h5", "w") as file:
        write_elem(file, "X", matrix)
        mdata = mudata.MuData({"rna": anndata.AnnData(sparse_dataset(file["X"]), obs, var)})
        batch = from_mudata(mdata).rows(np.arange(4), CPU, torch.float32)
    assert batch.modalities[0].values.tolist() == [[0, 3], [0, 0], [8, 4], [0, 0]]


class Archive:
    """A store of one's own: a folder with a NumPy archive for every so many rows, sparse or dense."""

    def __init__(self, folder, matrix, rows_each, make):
        self.folder, self.rows_each, self.make, self.shape = folder, rows_each, make, matrix.shape
        folder.mkdir()
        for first in range(0, matrix.shape[0], rows_each):
            np.savez(folder / f"{first}.npz", x=matrix[first : first + rows_each].toarray())

    def read(self, first, last):
        parts = [np.zeros((0, self.shape[1]))]
        for start in range(first // self.rows_each * self.rows_each, last, self.rows_each):
            rows = np.load(self.folder / f"{start}.npz")["x"]
            parts.append(rows[max(first, start) - start : last - start])
        return self.make(np.concatenate(parts))


@pytest.mark.parametrize("make", [np.asarray, sp.csr_matrix])
def test_a_store_of_ones_own_is_trained_on_as_a_file_is(tmp_path, make, monkeypatch):
    monkeypatch.setattr(stored, "CACHE_BYTES", 10_000)  # the largest windows, also where row_bytes is not known exactly
    mdata = build_mdata(N_OBS)
    rna, protein = mdata["rna"], mdata["protein"]
    archive = Archive(tmp_path / "archive", rna.X, 11, make)
    of_archive = StoredAnnData(StoredMatrix([archive], "rna"), rna.obs, rna.var)
    rna.X = make(rna.X.toarray())
    on_disk = open_mudata(written_whole(mudata.MuData({"rna": rna, "protein": protein}), tmp_path / "in.h5mu"))
    of_archive = mudata.MuData({"rna": of_archive, "protein": on_disk["protein"]})
    assert of_archive.obs_names.equals(on_disk.obs_names)
    read = [from_mudata(m).table("rna") for m in (of_archive, on_disk)]
    assert all(isinstance(table, StoredTable) for table in read)
    assert read[0].rows.matrix.row_bytes == pytest.approx(read[1].rows.matrix.row_bytes, rel=0.5)
    options = {"max_epochs": 3, "progress": False, "n_latent": 3}
    latents = [omixvae.OmixVAE(**options).fit(m).latent(m)[0] for m in (of_archive, on_disk)]
    np.testing.assert_array_equal(*latents)
    omixvae.fit(of_archive, **options)
    np.testing.assert_array_equal(of_archive.obsm["X_omixvae"], latents[0])


def written_whole(mdata, path):
    mdata.write_h5mu(path)
    return path


class Counting(StoredMatrix):
    """Remembers what is read."""

    def __init__(self, parts, name):
        super().__init__(parts, name)
        self.reads, self.n_rows = [], 0

    def read(self, first, last):
        self.reads.append(first)
        self.n_rows += last - first
        return super().read(first, last)


def counting(folder) -> tuple[omixvae.data.MaskedModalities, Counting]:
    data = from_mudata(written(build_mdata(N_OBS, missing=0.0), folder, "h5mu"))
    rows = data.table("rna").rows
    rows.matrix = Counting(rows.matrix.parts, "rna")
    return data, rows.matrix


def test_going_through_the_rows_reads_each_block_once(tmp_path):
    data, matrix = counting(tmp_path)
    order = np.argsort(data.layout.place)
    for index in np.array_split(order, 20):
        data.rows(index, CPU, torch.float32)
    assert matrix.reads == list(range(0, N_OBS, 7))


def test_an_epoch_reads_each_block_once_where_two_windows_are_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(stored, "CACHE_BYTES", 4000)
    data, matrix = counting(tmp_path)
    data = omixvae.data.MaskedModalities(data.tables[:1], data.obs_names, data.covariates, data.schema)
    assert data.layout.window == 21
    for index in epoch_batches(np.arange(N_OBS), 8, np.random.default_rng(0), data.layout):
        data.rows(index, CPU, torch.float32)
    assert sorted(matrix.reads) == list(range(0, N_OBS, 7))
    assert matrix.reads != sorted(matrix.reads)


def test_rows_that_lie_far_apart_are_read_alone(tmp_path):
    data, matrix = counting(tmp_path)
    data.rows(np.arange(0, N_OBS, 5), CPU, torch.float32)
    assert matrix.n_rows == len(matrix.reads) == N_OBS // 5


def test_no_more_bytes_are_kept_than_allowed(tmp_path):
    data, _ = counting(tmp_path)
    rows = data.table("rna").rows
    data.rows(np.arange(N_OBS), CPU, torch.float32)
    assert 0 < sum(stored._bytes(block) for block in rows._kept.values()) == rows._kept_bytes <= 1000


@SPARSE
@pytest.mark.parametrize("prior", ["gaussian_mixture", "standard_normal"])
def test_training_from_disk_equals_training_in_memory_on_the_same_batches_bit_for_bit(tmp_path, sparse, prior):
    mdata = build(sparse=sparse)
    data, on_disk = from_mudata(mdata), from_mudata(written(mdata, tmp_path, "zarr"))
    data.__dict__["layout"] = on_disk.layout  # the order in which rows are read is all that is to differ
    weights = []
    for source in (data, on_disk):
        plan = make_plan(Config.from_options(max_epochs=3, prior=prior, batch_size=8), source)
        network = new_network(plan, CPU)
        initialise_network(network, source, np.random.default_rng(0))
        history = train(network, source, plan)
        weights.append({**network.state_dict(), "bound": torch.tensor([row.held_out_bound for row in history])})
    for name, value in weights[0].items():
        torch.testing.assert_close(value, weights[1][name], rtol=0, atol=0, equal_nan=True)


def test_every_question_has_the_same_answer_from_disk(tmp_path):
    mdata = build(sparse=True)
    model = omixvae.fit(mdata, max_epochs=2, progress=False)
    on_disk = written(mdata, tmp_path, "two files")
    for ask in (
        lambda m: model.latent(m)[0],
        lambda m: model.clusters(m)[1].to_numpy(),
        lambda m: model.impute(m, "protein", given=["rna"])[1].to_numpy(),
        lambda m: model.log_likelihood(m, n_samples=2).to_numpy(),
        lambda m: model.information(m).to_numpy(),
        lambda m: model.variance_explained(m).to_numpy(),
    ):
        np.testing.assert_array_equal(ask(mdata), ask(on_disk))


def refused(mdata, **options) -> str:
    with pytest.raises(omixvae.InputError) as caught:
        from_mudata(mdata, DataConfig(**options))
    return str(caught.value)


def test_columns_cannot_be_read_by_rows(tmp_path):
    mdata = build_mdata(12)
    mdata["rna"].X = mdata["rna"].X.tocsc()
    assert refused(written(mdata, tmp_path, "h5mu")) == (
        "Modality 'rna' is stored by columns (CSC), of which single rows cannot be read.\n"
        "Where: mdata['rna'].X\n"
        "Fix: Write the file again by rows (CSR): mdata = mudata.read_h5mu(path); mdata['rna'].X = "
        "mdata['rna'].X.tocsr(); mdata.write_h5mu(path)."
    )


def test_a_coverage_is_read_from_memory_only(tmp_path):
    assert refused(written(build(sparse=True), tmp_path, "zarr"), coverage_layers={"rna": "twice"}) == (
        "Modality 'rna' lies on disk, and counts out of a coverage are read from memory only.\n"
        "Where: mdata['rna'].layers['twice']\n"
        "Fix: Read the file whole: mudata.read_h5mu(path) without backed, or the command line without --from-disk."
    )


@KINDS
@pytest.mark.parametrize("sparse", [True, False])
def test_features_that_a_file_lacks_were_not_measured(tmp_path, kind, sparse):
    mdata = build(sparse=sparse)
    schema = from_mudata(mdata).schema
    some = mudata.MuData({n: a[:, a.var_names[::-1][: a.n_vars // 2]].copy() for n, a in mdata.mod.items()})
    with pytest.warns(UserWarning, match="they are taken as not measured"):
        here = from_mudata(some, DataConfig(), schema)
    stored_there = written(some, tmp_path, kind)
    with pytest.warns(UserWarning, match="they are taken as not measured"):
        there = from_mudata(stored_there, DataConfig(), schema)
    index = there.obs_names.argsort()[[3, 40, 17, 3]]
    expected = here.rows(pd.Index(here.obs_names).get_indexer(there.obs_names[index]), CPU, torch.float32)
    read = there.rows(index, CPU, torch.float32)
    for one, other in zip(expected.modalities, read.modalities, strict=True):
        assert torch.equal(one.filled, other.filled)
        assert torch.equal(one.mask, other.mask)
        torch.testing.assert_close(one.library, other.library, equal_nan=True)


def test_settings_are_compared_in_memory_only(tmp_path):
    mdata = written(build_mdata(30, missing=0.0), tmp_path, "backed")
    with pytest.raises(omixvae.InputError) as caught:
        omixvae.select(mdata, {"n_latent": [2, 3]}, modalities=["rna"])
    assert str(caught.value) == (
        "Modality 'rna' lies on disk, and settings are compared in memory only.\n"
        "Where: mdata['rna'].X\n"
        "Fix: Read the file whole, with mudata.read_h5mu(path), or a part of its observations."
    )


def test_what_is_wrong_with_values_is_said_alike_in_memory_and_on_disk(tmp_path):
    mdata = build(sparse=True)
    mdata["rna"].X.data[[3, 70]] = np.inf
    mdata["protein"].X = mdata["protein"].X.toarray()
    mdata["protein"].X[:, 2] = np.nan
    assert refused(mdata) == refused(written(mdata, tmp_path, "two files"))
    mdata = build(sparse=True)
    mdata["rna"].X.data[3:70:5] = -0.5
    messages = []
    for source in (from_mudata(mdata), from_mudata(written(mdata, tmp_path, "h5mu"))):
        with pytest.raises(omixvae.InputError) as caught:
            make_plan(Config.from_options(likelihoods={"rna": "poisson"}), source)
        messages.append(str(caught.value))
    assert messages[0] == messages[1]


MEASURED = """
import sys
import mudata, omixvae
mdata = mudata.read_h5mu(sys.argv[1], backed="r" if sys.argv[2] == "disk" else None)
options = dict(max_epochs=1, batch_size=512, hidden_size=8, n_latent=2, prior="standard_normal", early_stopping=False)
omixvae.OmixVAE(progress=False, device="cpu", **options).fit(mdata)
status = open("/proc/self/status").read()
print(int(status.split("VmHWM:")[1].split()[0]) / 1024)
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads the peak of memory from /proc")
def test_training_on_a_file_takes_less_memory_than_the_file(tmp_path):
    rng = np.random.default_rng(0)
    n, g = 20_000, 1500
    obs, var = pd.DataFrame(index=[f"cell{i}" for i in range(n)]), pd.DataFrame(index=[f"g{j}" for j in range(g)])
    x = sp.csr_matrix(rng.integers(1, 5, (n, g)).astype(np.float32))  # 240 MB
    mudata.MuData({"rna": anndata.AnnData(x, obs, var)}).write_h5mu(tmp_path / "big.h5mu")
    peaks = {}
    for where in ("disk", "memory"):
        command = [sys.executable, "-c", MEASURED, str(tmp_path / "big.h5mu"), where]
        run = subprocess.run(command, capture_output=True, text=True, check=True)
        peaks[where] = float(run.stdout)
    assert peaks["memory"] > peaks["disk"] + 150, peaks
