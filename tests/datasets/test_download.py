"""Public data sets come whole, checked and only once, whatever the network does on the way."""

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pooch
import pytest
import yaml
from click.testing import CliRunner

import omixvae
from omixvae.cli import main
from omixvae.datasets.cache import put_into_cache, read_cached
from omixvae.datasets.registry import Dataset, read_dataset
from omixvae.errors import InputError
from tests.datasets.file_server import FileServer, serving

N_DIGITS = 30
VIEWS = {"fou": 3, "fac": 4, "kar": 2000, "pix": 5, "zer": 3, "mor": 2}
COMMIT = "0123456789abcdef0123456789abcdef01234567"
FOLDER = f"/owner/views/raw/{COMMIT}/data"
LARGE = f"{FOLDER}/mfeat-kar.csv"  # some hundred kilobytes, the others are tiny


def tables() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    digits = np.arange(N_DIGITS) % 10
    return {
        view: np.column_stack([rng.normal(size=(N_DIGITS, n)).round(6), digits]).astype(np.float64)
        for view, n in VIEWS.items()
    }


@pytest.fixture(autouse=True)
def straight_to_loopback(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def server() -> Iterator[FileServer]:
    files = {}
    for view, table in tables().items():
        lines = [",".join(map(str, [*range(table.shape[1] - 1), 0])), *(",".join(map(str, row)) for row in table)]
        files[f"{FOLDER}/mfeat-{view}.csv"] = "\n".join(lines).encode()
    with serving(files) as it:
        yield it


@pytest.fixture
def dataset(server, tmp_path) -> Dataset:
    entry = {
        **{"name": "few_digits", "title": "Digits", "description": "A few.", "kind": "views", "n_obs": N_DIGITS},
        "modalities": {view: {"n_obs": N_DIGITS, "n_vars": n, "values": "numbers"} for view, n in VIEWS.items()},
        **{"labels": {"digit": "0 to 9"}, "repository": "https://example.org", "licence": "MIT", "citation": "None."},
        **{"notes": "None.", "recipe": "uci_multiple_features"},
        "files": [
            {"url": server.address + path, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            for path, content in server.files.items()
        ],
    }
    path = tmp_path / "few_digits.yaml"
    path.write_text(yaml.safe_dump(entry))
    return read_dataset(path)


@pytest.fixture
def cache(tmp_path) -> Path:
    return tmp_path / "cache"


def fetch(dataset: Dataset, cache: Path) -> Path:
    return put_into_cache(dataset, cache, progress=False)


def upstream(cache: Path, view: str = "kar") -> Path:
    return cache / "upstream" / f"owner__views__mfeat-{view}.csv"


def content_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def assert_whole(dataset: Dataset, cache: Path, server: FileServer) -> None:
    """The cache must hold the upstream files and the MuData that they say, and nothing else."""
    expected = {f"upstream/owner__views__{path.rsplit('/', 1)[1]}": what for path, what in server.files.items()}
    found = content_of(cache)
    assert set(found) == {*expected, "few_digits.h5mu"}
    assert expected.items() <= found.items()
    mdata = read_cached(cache / "few_digits.h5mu")
    for view, table in tables().items():
        np.testing.assert_array_equal(mdata[view].X, table[:, :-1].astype(np.float32))
    assert list(mdata.obs["digit"]) == [str(number % 10) for number in range(N_DIGITS)]


def refused(dataset: Dataset, cache: Path) -> InputError:
    with pytest.raises(InputError) as caught:
        fetch(dataset, cache)
    assert not (cache / "few_digits.h5mu").exists()
    return caught.value


def test_everything_is_asked_for_once(dataset, cache, server):
    for _ in range(2):
        assert fetch(dataset, cache) == cache / "few_digits.h5mu"
    assert sorted(server.asked) == sorted(server.files)
    assert_whole(dataset, cache, server)


def test_the_file_says_where_it_comes_from(dataset, cache):
    provenance = read_cached(fetch(dataset, cache)).uns["provenance"]
    assert provenance["licence"] == "MIT"
    assert list(provenance["urls"]) == [file.url for file in dataset.files]
    assert list(provenance["sha256"]) == [file.sha256 for file in dataset.files]


def test_wrong_content_is_refused_and_removed(dataset, cache, server):
    server.files[LARGE] = b"<html>Please log in</html>"
    file = next(file for file in dataset.files if file.name == "mfeat-kar.csv")
    assert str(refused(dataset, cache)) == (
        f"What came from {server.address}{LARGE} is not the file that was expected, of {file.n_bytes:,} bytes with "
        f"sha256 {file.sha256}.\n"
        f"Where: download to {upstream(cache)}\n"
        "Fix: It was removed, so run the same again; if that does not help, open the address in a browser, since a "
        "proxy or a login page may have answered in its place."
    )
    assert not [name for name in content_of(cache) if "kar" in name]


def test_a_broken_connection_leaves_nothing_and_the_next_call_goes_on_with_the_other_files(dataset, cache, server):
    server.cuts = {LARGE}
    assert "it could not be reached (ChunkedEncodingError)" in refused(dataset, cache).problem
    assert not [name for name in content_of(cache) if "kar" in name]
    server.cuts = set()
    asked = len(server.asked)
    fetch(dataset, cache)
    assert f"{FOLDER}/mfeat-fou.csv" not in server.asked[asked:]
    assert_whole(dataset, cache, server)


def test_content_that_does_not_end_is_refused(dataset, cache, server):
    server.files[LARGE] += b"0" * 10**6
    assert "is not the file that was expected" in refused(dataset, cache).problem
    assert not [name for name in content_of(cache) if "kar" in name]


def test_what_is_not_there_is_said_with_the_remedy(dataset, cache, server):
    del server.files[LARGE]
    url = server.address + LARGE
    fou, fac = (upstream(cache, view) for view in ("fou", "fac"))
    error = refused(dataset, cache)
    assert error.problem == (
        f"The data set 'few_digits' is not in the cache and cannot be downloaded: {url}: "
        "the server answered 404 (Not Found)."
    )
    assert error.where == f"the cache {cache}"
    lacking = "".join(
        f"\n  {server.address}{FOLDER}/mfeat-{view}.csv\n    to {upstream(cache, view)}"
        for view in ("kar", "pix", "zer", "mor")
    )
    assert error.fix == (
        "Run the same again where there is a network, or set OMIXVAE_DATA_DIR to a folder that has few_digits.h5mu, "
        f"or download by hand:{lacking}"
    )
    assert fou.exists()
    assert fac.exists()


def test_without_a_network_it_is_said_what_was_wanted(dataset, cache, server):
    server.shutdown()
    server.server_close()
    error = refused(dataset, cache)
    assert error.problem == (
        "The data set 'few_digits' is not in the cache and cannot be downloaded: "
        f"{server.address}{FOLDER}/mfeat-fou.csv: it could not be reached (ConnectionError)."
    )
    assert f"{server.address}{LARGE}\n    to {upstream(cache)}" in error.fix
    assert content_of(cache) == {}


def test_without_a_network_the_cache_is_enough(dataset, cache, server):
    fetch(dataset, cache)
    server.shutdown()
    server.server_close()
    assert fetch(dataset, cache) == cache / "few_digits.h5mu"
    (cache / "few_digits.h5mu").unlink()
    fetch(dataset, cache)  # made anew of the upstream files
    assert_whole(dataset, cache, server)


def test_upstream_files_put_there_by_hand_are_taken(dataset, cache, server):
    upstream(cache).parent.mkdir(parents=True)
    upstream(cache, "fou").write_bytes(server.files[f"{FOLDER}/mfeat-fou.csv"])
    upstream(cache).write_bytes(b"not what it should be")
    fetch(dataset, cache)
    assert sorted(server.asked) == sorted({*server.files} - {f"{FOLDER}/mfeat-fou.csv"})
    assert_whole(dataset, cache, server)


def test_a_file_put_there_by_hand_is_taken_as_it_is(tmp_path, monkeypatch):
    omixvae.simulate(n_obs=20).write_h5mu(tmp_path / "nutrimouse.h5mu")
    monkeypatch.setenv("OMIXVAE_DATA_DIR", str(tmp_path))
    before = content_of(tmp_path)
    tmp_path.chmod(0o555)
    assert omixvae.datasets.load("nutrimouse").n_obs == 20
    assert omixvae.datasets.path("nutrimouse") == omixvae.datasets.fetch("nutrimouse") == tmp_path / "nutrimouse.h5mu"
    assert omixvae.datasets.list().set_index("name")["cached"].to_dict()["nutrimouse"]
    assert omixvae.datasets.list()["cached"].sum() == 1
    tmp_path.chmod(0o755)
    assert content_of(tmp_path) == before


def test_a_broken_file_in_the_cache_is_named(tmp_path):
    (tmp_path / "nutrimouse.h5mu").write_bytes(b"broken")
    with pytest.raises(
        InputError, match=r"nutrimouse\.h5mu is in the cache, but cannot be read: (?s:.*)Remove it and run"
    ):
        omixvae.datasets.load("nutrimouse", folder=tmp_path)


def test_a_cache_that_cannot_be_written_is_said_before_anything_is_asked(dataset, tmp_path, server):
    (tmp_path / "file").touch()
    assert str(refused(dataset, tmp_path / "file" / "cache")) == (
        f"The folder '{tmp_path}/file/cache' cannot be written to.\n"
        "Where: the cache of public data sets\n"
        "Fix: Set the environment variable OMIXVAE_DATA_DIR to a folder of your own."
    )
    assert server.asked == []


def test_progress_is_a_line_for_each_file_in_a_log(dataset, cache, caplog, capsys, monkeypatch):
    monkeypatch.setattr(pooch.get_logger(), "handlers", [caplog.handler])
    put_into_cache(dataset, cache, progress=True)
    assert capsys.readouterr().out == ""
    assert [line.split("'")[1] for line in caplog.messages if line.startswith("Downloading")] == [
        file.url for file in dataset.files
    ]
    caplog.clear()
    for path in cache.rglob("*.csv"):
        path.unlink()
    (cache / "few_digits.h5mu").unlink()
    put_into_cache(dataset, cache, progress=False)
    assert caplog.messages == []


def test_a_package_that_is_not_installed_is_named(monkeypatch):
    for name in [name for name in sys.modules if name.startswith("omixvae.datasets")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr(omixvae, "datasets", raising=False)
    monkeypatch.setitem(sys.modules, "pooch", None)
    result = CliRunner().invoke(main, ["data", "list"])
    assert (result.exit_code, result.stderr) == (
        2,
        "Error: Public data sets need the package 'pooch', which is not installed.\n"
        "Where: omixvae.datasets\n"
        "Fix: Install what they need: pip install 'omixvae[datasets]'.\n",
    )
