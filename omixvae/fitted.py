"""A fitted model, and the same as a folder of JSON and safetensors: nothing in it is ever unpickled."""

import dataclasses
import importlib.metadata
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from omixvae.config import Config
from omixvae.data import Schema
from omixvae.errors import InputError
from omixvae.files import MODEL_FILES, whole_folder, writing
from omixvae.own_modules import NO_OWN_MODULES, OwnModules
from omixvae.plan import Plan
from omixvae.training.schedule import Epoch, History
from omixvae.vae import MultimodalVAE, new_network

__all__ = ["Fitted", "read_model", "save_model", "versions"]


FORMAT = 1
"""Of the folder. Format 0, before the first release, had neither this number nor the observations held out."""


class Fitted(NamedTuple):
    """All that makes a fitted model.

    Parameters
    ----------
    config, plan, schema, history
        What was asked for, what was done, what the data look like, and how the training went.
    network
        The result.
    held_out
        Names of the observations that the network was not trained on, in the order in which it was judged by them; None
        in models of format 0.
    """

    config: Config
    plan: Plan
    schema: Schema
    history: History
    network: MultimodalVAE
    held_out: tuple[str, ...] | None = None


def save_model(path: Path, fitted: Fitted) -> None:
    """Write a model into a folder, whole or not at all.

    Parameters
    ----------
    path
        The folder; an earlier model there is replaced, anything else is not.
    fitted
        The model.

    Raises
    ------
    InputError
        If the folder cannot be written.
    """
    stored = {
        "format": FORMAT,
        "versions": versions(),
        "held_out": fitted.held_out,
        "epochs": [dataclasses.asdict(row) for row in fitted.history],
    }
    weights = {name: value.detach().cpu().contiguous().clone() for name, value in fitted.network.state_dict().items()}
    with writing(path), whole_folder(path) as folder:
        (folder / "config.json").write_text(fitted.config.to_json())
        (folder / "plan.json").write_text(fitted.plan.to_json())
        (folder / "schema.json").write_text(fitted.schema.to_json())
        (folder / "history.json").write_text(json.dumps(stored))
        try:
            save_file(weights, folder / "weights.safetensors")
        except SafetensorError as error:  # what it makes of a full disk
            raise OSError(str(error)) from error


def read_model(path: Path, device: torch.device, own: OwnModules = NO_OWN_MODULES) -> Fitted:
    """Read what `save_model` wrote.

    Parameters
    ----------
    path
        The folder.
    device
        Where to put the network.
    own
        The parts of their own that the user trained it with.

    Returns
    -------
    Fitted
        The model.

    Raises
    ------
    InputError
        If the folder does not hold a whole model, or it was trained with parts that are not given.
    """
    if missing := [name for name in MODEL_FILES if not (path / name).is_file()]:
        raise InputError(
            f"{path} holds no model: {', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not there.",
            f"model {path}",
            "Give the folder that `--model` or `model.save` wrote.",
        )
    try:
        config, plan, schema, history = ((path / name).read_text() for name in MODEL_FILES[:4])
        stored = json.loads(history)
        _check_format(path, stored)
        return Fitted(
            Config.from_options(**json.loads(config)),
            Plan.from_json(plan),
            Schema.from_json(schema),
            tuple(Epoch(**row) for row in stored["epochs"]),
            _network(Plan.from_json(plan), path / "weights.safetensors", device, own),
            tuple(stored["held_out"]) if stored.get("held_out") is not None else None,
        )
    except InputError:
        raise
    except (ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise InputError(
            f"The model in {path} cannot be read: {str(error).splitlines()[0]}.",
            f"model {path}",
            "Its files are damaged, or of another version of omixvae; copy the folder again, or train again.",
        ) from error


def _check_format(path: Path, stored: Mapping[str, Any]) -> None:
    """Refuse what a later version wrote in another format, and name that version."""
    if stored.get("format", 0) > FORMAT:
        raise InputError(
            f"The model in {path} is of omixvae {stored['versions']['omixvae']}, which writes models in a newer way.",
            f"model {path}",
            "Update omixvae, or train again with this version.",
        )


def _network(plan: Plan, weights: Path, device: torch.device, own: OwnModules) -> MultimodalVAE:
    for argument, needed, given in (
        ("encoders", {m.name for m in plan.modalities if m.own_encoder}, own.encoders),
        ("decoders", {m.name for m in plan.modalities if m.own_decoder}, own.decoders),
        ("likelihoods", {m.name for m in plan.modalities if m.likelihood == "own"}, own.likelihoods),
    ):
        if needed != set(given):
            names = ", ".join(repr(name) for name in sorted(needed)) or "none"
            raise InputError(
                f"The model was trained with {argument} of your own for other modalities than are given: {names}.",
                f"the argument {argument}",
                f"Give load(..., {argument}={{name: ...}}) the same as in training; code is never saved.",
            )
    for argument in ("prior", "aggregation", "objective"):
        word, is_given = getattr(plan, argument), getattr(own, argument) is not None
        if is_given != (word == "own"):
            raise InputError(
                f"The model was trained with {argument}={word!r}, and one of your own is given."
                if is_given
                else f"The model was trained with {argument}=... of your own, which is not given.",
                f"the argument {argument}",
                f"Give load(..., {argument}=...) the same as in training; code is never saved.",
            )
    network = new_network(plan, device, own)
    try:
        network.load_state_dict(load_file(weights))
    except RuntimeError as error:
        if own == NO_OWN_MODULES:
            raise
        raise InputError(
            f"The weights do not fit the parts that are given: {str(error).splitlines()[-1].strip()}",
            "the arguments with parts of your own",
            "Give parts with the same layers as in training.",
        ) from error
    network.eval()
    return network


def versions() -> dict[str, str]:
    """Return the versions of the packages that results depend on.

    Returns
    -------
    dict
        Package to version.
    """
    packages = ("omixvae", "torch", "numpy", "scipy", "scikit-learn", "anndata", "mudata")
    return {name: importlib.metadata.version(name) for name in packages}
