"""A checkpoint: where a stopped training stands, as a folder of JSON and safetensors that is never unpickled."""

import dataclasses
import hashlib
import importlib.metadata
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from omixvae.config import OPTIONS, Config, affecting
from omixvae.data import MaskedModalities, Schema
from omixvae.errors import InputError, raise_together
from omixvae.files import CHECKPOINT_FILES, check_folder, whole_folder
from omixvae.plan import Plan
from omixvae.training.schedule import Epoch
from omixvae.training.state import Snapshot

__all__ = ["Checkpoint", "Setting"]

WHAT = "checkpoint"

SAME_MOMENTS = 1e-6
"""Relative difference of means and variances of the same values, added up in another order or on another machine."""


@dataclass(frozen=True, eq=False)
class Setting:
    """What a training must find again so that it ends as if it had not been stopped.

    Parameters
    ----------
    config, plan, schema
        What was asked for, what is done, and what the data look like.
    observations
        Digests of their names, and of what they have and their covariates.
    moments
        Per modality the mean and variance of each feature, shape (2, g).
    circumstances
        Number of observations and of processes, kind of device, whether values are on disk, version of omixvae.
    """

    config: Config
    plan: Plan
    schema: Schema
    observations: dict[str, str]
    moments: dict[str, Tensor]
    circumstances: dict[str, Any]

    @classmethod
    def of(
        cls, config: Config, plan: Plan, data: MaskedModalities, device: torch.device, n_processes: int
    ) -> "Setting":
        """Describe a training.

        Parameters
        ----------
        config, plan, data
            Of it.
        device
            Where it computes.
        n_processes
            How many share it.

        Returns
        -------
        Setting
            Small: no value of the data is held.
        """
        names = "\n".join(map(str, data.obs_names)).encode()
        shown = data.presence.tobytes() + np.ascontiguousarray(data.covariates).tobytes()
        moments = [(table.name, table.moments) for table in data.tables]
        return cls(
            config,
            plan,
            data.schema,
            {"names": hashlib.sha256(names).hexdigest(), "presence": hashlib.sha256(shown).hexdigest()},
            {name: torch.from_numpy(np.stack([m.mean, m.variance]).astype(np.float64)) for name, m in moments},
            {
                "n_obs": data.n_obs,
                "n_processes": n_processes,
                "device": device.type,
                "on_disk": data.layout is not None,
                "version": importlib.metadata.version("omixvae"),
            },
        )


class Checkpoint:
    """A folder that holds where a training stands, once it was stopped.

    Parameters
    ----------
    path
        The folder; it need not be there.
    setting
        Of the training that may go on from it, or may leave it.

    Raises
    ------
    InputError
        If the folder cannot be written, or holds anything else.
    """

    def __init__(self, path: Path, setting: Setting) -> None:
        check_folder(path, CHECKPOINT_FILES, WHAT)
        self.path, self.setting = path, setting

    def read(self) -> Snapshot | None:
        """Return where the training stands.

        Returns
        -------
        Snapshot or None
            None where it has not been stopped yet.

        Raises
        ------
        InputError
            If the checkpoint is damaged, or is of another training; names the differences.
        """
        if not self.path.exists() or not any(self.path.iterdir()):
            return None
        try:
            texts = {name: (self.path / name).read_text() for name in CHECKPOINT_FILES[:4]}
            stored = json.loads(texts["training.json"])
            raise_together(_circumstances(stored["circumstances"], self.setting.circumstances, self.path))
            tensors = load_file(self.path / "training.safetensors")
            moments = {name: tensors.pop(f"moments.{name}") for name in stored["moments"]}
            before = Setting(
                Config.from_options(**json.loads(texts["config.json"])),
                Plan.from_json(texts["plan.json"]),
                Schema.from_json(texts["schema.json"]),
                stored["observations"],
                moments,
                stored["circumstances"],
            )
            history = tuple(Epoch(**row) for row in stored.pop("epochs"))
            snapshot = Snapshot(
                history, stored["step"], stored["seconds"], stored["order"], tuple(stored["trained"]), tensors
            )
        except InputError:
            raise
        except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
            raise InputError(
                f"The checkpoint in {self.path} cannot be read: {str(error).splitlines()[0]}.",
                f"checkpoint {self.path}",
                "A part of it is damaged or missing: copy it again, or remove it and train from the start.",
            ) from error
        self._check_same(before)
        return snapshot

    def write(self, snapshot: Snapshot) -> None:
        """Leave where the training stands, whole or not at all.

        Parameters
        ----------
        snapshot
            Where it stands.

        Raises
        ------
        InputError
            If the folder cannot be written.
        """
        setting = self.setting
        moments = {f"moments.{name}": values for name, values in setting.moments.items()}
        stored = {
            "circumstances": setting.circumstances,
            "observations": setting.observations,
            "moments": list(setting.moments),
            "step": snapshot.step,
            "seconds": snapshot.seconds,
            "order": snapshot.order,
            "trained": snapshot.trained,
            "epochs": [dataclasses.asdict(row) for row in snapshot.history],
        }
        try:
            with whole_folder(self.path, CHECKPOINT_FILES, WHAT) as folder:
                (folder / "config.json").write_text(setting.config.to_json())
                (folder / "plan.json").write_text(setting.plan.to_json())
                (folder / "schema.json").write_text(setting.schema.to_json())
                (folder / "training.json").write_text(json.dumps(stored))
                save_file(snapshot.tensors | moments, folder / "training.safetensors")
        except (OSError, SafetensorError) as error:
            raise InputError(
                f"The training was stopped, and no checkpoint could be written: {str(error).splitlines()[0]}.",
                f"checkpoint {self.path}",
                "Make room on the disk, or choose another folder, and train again.",
            ) from error

    def remove(self) -> None:
        """Remove the folder, if it is there: the training is done."""
        if self.path.exists():
            shutil.rmtree(self.path)

    def _check_same(self, before: Setting) -> None:
        """Find everything in which this training differs from the one that was stopped."""
        now = self.setting
        old, new = before.config.to_options(), now.config.to_options()
        errors = [
            InputError(
                f"Option {name} is {new[name]!r}, but the training was begun with {old[name]!r}.",
                f"option {name} ({OPTIONS[name].flag}) and checkpoint {self.path}",
                "Leave it as it was, or train from the start.",
            )
            for name in new
            if name not in affecting("screen") and new[name] != old[name]
        ]
        raise_together(errors or list(_data(before, now, self.path)))
        if dataclasses.replace(before.plan, reasons={}) != dataclasses.replace(now.plan, reasons={}):
            raise _refusal("The data, or networks of your own, are others than the training was begun with.", self.path)


def _refusal(problem: str, path: Path, fix: str = "Give the same data, or train from the start.") -> InputError:
    return InputError(problem, f"checkpoint {path}", fix)


def _circumstances(before: dict[str, Any], now: dict[str, Any], path: Path) -> Iterator[InputError]:
    """Find what is different besides options and data."""
    compared: dict[str, tuple[Callable[[Any], str], str]] = {
        "n_obs": ("{:,} observations".format, "Give the same data, or train from the start."),
        "n_processes": ("{} process(es)".format, "Start as many as then."),
        "device": ("device {}".format, "Go on where there is the same kind of device, or train from the start."),
        "on_disk": (
            lambda on_disk: f"values {'on disk' if on_disk else 'in memory'}",
            "Open the data as then (--from-disk, or backed).",
        ),
        "version": ("omixvae {}".format, "Go on with that version, or train from the start."),
    }
    for name, (words, fix) in compared.items():
        if before[name] != now[name]:
            problem = f"The training was begun with {words(before[name])}, and there is now {words(now[name])}."
            yield _refusal(problem.replace("is now values", "are now values"), path, fix)


def _data(before: Setting, now: Setting, path: Path) -> Iterator[InputError]:
    """Find how the data differ."""
    old, new = before.schema, now.schema
    if old.modalities != new.modalities:
        yield _refusal(f"The training was begun with the modalities {_listed(old)}; now they are {_listed(new)}.", path)
        return
    for name in new.modalities:
        if old.features[name] != new.features[name]:
            n, m = len(old.features[name]), len(new.features[name])
            others = f"with {n:,} features, now it has {m:,}" if n != m else "with other features, or in another order"
            yield _refusal(f"The training was begun on modality {name!r} {others}.", path)
        elif not torch.allclose(before.moments[name], now.moments[name], SAME_MOMENTS, SAME_MOMENTS, equal_nan=True):
            yield _refusal(f"Modality {name!r} holds other values than the training was begun with.", path)
    if before.observations["names"] != now.observations["names"]:
        yield _refusal("The observations have other names than those that the training was begun with.", path)
    elif (old.covariates, before.observations) != (new.covariates, now.observations):
        yield _refusal("The observations have other modalities or covariates than at the start of the training.", path)


def _listed(schema: Schema) -> str:
    return ", ".join(repr(name) for name in schema.modalities)
