"""Files that are written whole or not at all."""

import os

import pytest

from omixvae.files import whole_folder


@pytest.mark.skipif(os.name != "posix", reason="permissions are those of POSIX")
def test_colleagues_may_read_every_file_of_a_model(tmp_path):
    before = os.umask(0o022)
    try:
        with whole_folder(tmp_path / "model") as folder:
            (folder / "weights.safetensors").touch(0o600)
    finally:
        os.umask(before)
    assert [oct(path.stat().st_mode)[-3:] for path in tmp_path.rglob("*")] == ["755", "644"]
