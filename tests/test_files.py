"""Files that are written whole or not at all."""

import os
from pathlib import Path

import h5py
import pytest
from anndata.io import write_elem

import omixvae
from omixvae.files import whole_file, whole_folder, writing


@pytest.mark.skipif(os.name != "posix", reason="permissions are those of POSIX")
def test_colleagues_may_read_every_file_of_a_model(tmp_path):
    before = os.umask(0o022)
    try:
        with whole_folder(tmp_path / "model") as folder:
            (folder / "weights.safetensors").touch(0o600)
    finally:
        os.umask(before)
    assert [oct(path.stat().st_mode)[-3:] for path in tmp_path.rglob("*")] == ["755", "644"]


def test_what_a_writer_refuses_is_said_in_words_and_leaves_no_file(tmp_path):
    output = tmp_path / "out.h5mu"
    with pytest.raises(omixvae.InputError) as caught, writing(output, Exception), whole_file(output) as temporary:
        with h5py.File(temporary, "w") as file:
            write_elem(file, "uns", {"fit": object()})
    assert caught.value.problem == (
        "'out.h5mu' could not be written: No method registered for writing <class 'object'> into <class "
        "'h5py._hl.group.Group'>; Error raised while writing key 'fit' of <class 'h5py._hl.group.Group'> to /uns."
    )
    assert caught.value.where == f"output {output}"
    assert caught.value.fix.startswith("Rename or take out of the input what the message names")
    assert list(tmp_path.iterdir()) == []


def test_what_the_system_refuses_is_said_in_words():
    with pytest.raises(omixvae.InputError) as caught, writing(Path("out.zarr")):
        Path("/dev/full").write_bytes(b"results")
    assert str(caught.value) == (
        "'out.zarr' could not be written: [Errno 28] No space left on device.\n"
        "Where: output out.zarr\n"
        "Fix: Make room on the disk, or choose another folder."
    )


def test_a_mistake_of_ours_beside_the_writing_stays_one():
    with pytest.raises(ZeroDivisionError), writing(Path("out.html")):
        1 / 0  # noqa: B018 (an error is what is wanted)
