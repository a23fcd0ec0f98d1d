"""Each file of the registry is complete, and what is wrong with a new one is said all at once."""

import re
from pathlib import Path

import pytest
import yaml

import omixvae
from omixvae.datasets.recipes import RECIPES
from omixvae.datasets.registry import read_dataset, registered
from omixvae.errors import InputError

FOLDER = Path(__file__).parents[2] / "data_registry"
DATASETS = registered()
SEE = "Compare with the other files of data_registry/."
ADDRESS = "Give addresses like https://github.com/OWNER/REPOSITORY/raw/COMMIT/PATH, and " + SEE


@pytest.fixture
def entry():
    return yaml.safe_load((FOLDER / "nutrimouse.yaml").read_text())


def problems(entry: object, folder: Path, name: str = "nutrimouse") -> list[tuple[str, str, str]]:
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(entry))
    with pytest.raises(InputError) as caught:
        read_dataset(path)
    return [(part.problem, part.where.replace(f"{folder}/", ""), part.fix) for part in caught.value.parts]


@pytest.mark.parametrize("name", DATASETS)
def test_entries_say_everything(name):
    dataset = DATASETS[name]
    for text in (dataset.title, dataset.description, dataset.kind, dataset.licence, dataset.citation, dataset.notes):
        assert text.strip()
    assert len(dataset.title) <= 80
    assert all(file.url.startswith("https://github.com/") for file in dataset.files)
    assert all(file.n_bytes > 0 for file in dataset.files)
    assert dataset.files[0].url.startswith(f"{dataset.repository}/raw/")
    assert all(0 < modality.n_obs <= dataset.n_obs and modality.n_vars > 0 for modality in dataset.modalities.values())
    assert all(modality.values for modality in dataset.modalities.values())


def test_every_recipe_is_some_data_sets():
    assert {dataset.recipe for dataset in DATASETS.values()} == set(RECIPES)


def test_one_place_in_the_cache_means_one_file():
    files = {file for dataset in DATASETS.values() for file in dataset.files}
    assert len({file.cache_name for file in files}) == len(files)
    for dataset in DATASETS.values():
        assert len({file.name for file in dataset.files}) == len(dataset.files)


def test_the_list_says_what_the_registry_says(tmp_path):
    table = omixvae.datasets.list(folder=tmp_path)
    assert list(table) == ["name", "description", "observations", "modalities", "size_mb", "licence", "cached"]
    assert list(table["name"]) == sorted(DATASETS)
    assert not table["cached"].any()
    row = table.set_index("name").loc["pbmc_citeseq_10k_5k"]
    assert row["modalities"] == "rna 10,849 × 4,000, protein 6,855 × 14"
    assert row["size_mb"] == 7.1


def test_the_page_lists_what_the_registry_says():
    rows = [
        f"| `{d.name}` | {d.title} | {d.n_obs:,} | {', '.join(d.modalities)} | {d.licence} |" for d in DATASETS.values()
    ]
    page = (FOLDER.parent / "docs" / "datasets.md").read_text()
    assert [line for line in page.splitlines() if line.startswith("| `")] == rows


def test_a_wrong_name_gets_a_suggestion():
    with pytest.raises(InputError) as caught:
        omixvae.datasets.load("nutrimice")
    assert caught.value.problem == "There is no public data set 'nutrimice'."
    assert caught.value.where == "the name of the data set"
    assert caught.value.fix.startswith("Did you mean 'nutrimouse'? Known: 'a549_scicar', ")


def test_the_cache_is_where_the_user_says(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("OMIXVAE_DATA_DIR", raising=False)
    assert omixvae.datasets.path("nutrimouse").name == "nutrimouse.h5mu"
    assert omixvae.datasets.path("nutrimouse").parent.name == "omixvae"
    monkeypatch.setenv("OMIXVAE_DATA_DIR", str(tmp_path / "data"))
    assert omixvae.datasets.path("nutrimouse") == tmp_path / "data" / "nutrimouse.h5mu"
    assert omixvae.datasets.path("nutrimouse", folder=tmp_path) == tmp_path / "nutrimouse.h5mu"
    assert list(tmp_path.iterdir()) == []


def test_all_wrong_fields_are_said(entry, tmp_path):
    del entry["licence"]
    entry |= {"n_obs": "forty", "colour": "blue"}
    where = "file nutrimouse.yaml"
    assert problems(entry, tmp_path) == [
        ("The field 'colour' is not known.", where, SEE),
        ("The field 'n_obs' must be a number.", where, SEE),
        ("The field 'licence' is missing.", where, SEE),
    ]


def test_wrong_fields_inside_are_said(entry, tmp_path):
    del entry["modalities"]["lipid"]["values"]
    entry["files"][0]["bytes"] = "7 kB"
    assert problems(entry, tmp_path) == [
        ("The field 'values' is missing.", "nutrimouse.yaml, lipid", SEE),
        ("The field 'bytes' must be a number.", "nutrimouse.yaml, files[0]", SEE),
    ]


def test_wrong_addresses_and_checksums_are_said(entry, tmp_path):
    file = entry["files"][0]
    file["url"] = re.sub("[0-9a-f]{40}", "main", file["url"])
    file["sha256"] = "abc"
    where = "file mice.yaml"
    assert problems(entry, tmp_path, "mice") == [
        ("The name 'nutrimouse' is not that of the file.", where, ADDRESS),
        (f"{file['url']} is not the address of a file at a commit.", where, ADDRESS),
        ("'abc' is not a sha256.", where, ADDRESS),
    ]


@pytest.mark.parametrize("entry", [None, ["name"], 3])
def test_what_is_no_description_is_said(entry, tmp_path):
    assert problems(entry, tmp_path) == [("Here should be fields and their values.", "file nutrimouse.yaml", SEE)]


def test_what_is_no_yaml_is_said(tmp_path):
    (tmp_path / "a.yaml").write_text("name: [")
    with pytest.raises(InputError, match=r"^a\.yaml is not valid YAML: "):
        read_dataset(tmp_path / "a.yaml")
