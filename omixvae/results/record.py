"""The record of a run, in ``mdata.uns``: what was asked for, what was done, and how it went."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import pandas as pd

from omixvae.config import Config
from omixvae.errors import InputError
from omixvae.plan import ModalityPlan, Plan
from omixvae.training.schedule import Epoch, History

__all__ = ["FORMAT", "Record", "is_record"]

FORMAT = 1
"""Of the record. Format 0, before the first release, had neither this number nor the plans of the modalities."""


@dataclass(frozen=True, eq=False)
class Record:
    """What is known of a run.

    Parameters
    ----------
    config, plan, history
        What was asked for, what was done with the reasons, and how it went. Numbers of features are 0 in records of
        format 0.
    information
        What each set of modalities tells, as `omixvae.inference.information` returns it.
    features
        Names of the columns of the imputed values, for each modality that was imputed.
    versions
        Package to version.
    """

    config: Config
    plan: Plan
    history: History
    information: pd.DataFrame
    features: Mapping[str, np.ndarray]
    versions: Mapping[str, str]

    def to_uns(self) -> dict[str, object]:
        """Write the record in types that an h5mu file holds.

        Returns
        -------
        dict
            For ``mdata.uns``, and for `from_uns`.
        """
        rows = [asdict(row) for row in self.history]
        table = self.information.reset_index()
        return {
            "format": FORMAT,
            "config": _plain(self.config.to_options()),
            "plan": _plain({name: value for name, value in asdict(self.plan).items() if name != "reasons"}),
            "likelihoods": {m.name: m.likelihood for m in self.plan.modalities},
            "n_private": {m.name: m.n_private for m in self.plan.modalities},
            "reasons": dict(self.plan.reasons),
            "history": {name: np.array([row[name] for row in rows]) for name in rows[0]},
            "information": {c: table[c].to_numpy(str if c == "given" else np.float64) for c in table.columns},
            "features": dict(self.features),
            "versions": dict(self.versions),
            "seed": self.plan.seed,
        }

    @classmethod
    def from_uns(cls, stored: Mapping[str, Any]) -> "Record":
        """Read the record back, also of earlier formats.

        Parameters
        ----------
        stored
            What `to_uns` wrote, as it is or as it was read from a file.

        Returns
        -------
        Record
            Options that this version does not know are left out.

        Raises
        ------
        InputError
            If a later version wrote it in another format.
        """
        if stored.get("format", 0) > FORMAT:
            raise InputError(
                f"The results are of omixvae {stored['versions']['omixvae']}, which writes them in a newer way.",
                "the record in mdata.uns",
                "Update omixvae, or write them again with model.annotate(mdata) of this version.",
            )
        known = Config().to_options()
        asked = {name: value for name, value in _read(stored["config"]).items() if name in known}
        done = _read(stored["plan"])
        modalities = done.pop("modalities", None) or _modalities(stored)
        history = pd.DataFrame({name: np.asarray(values) for name, values in stored["history"].items()})
        return cls(
            Config.from_options(**asked),
            Plan(
                modalities=tuple(ModalityPlan(**m) for m in modalities),
                reasons={str(name): str(reason) for name, reason in stored["reasons"].items()},
                **{field.name: done[field.name] for field in fields(Plan) if field.name in done},
            ),
            tuple(Epoch(**row) for row in history.to_dict("records")),
            pd.DataFrame({name: np.asarray(values) for name, values in stored["information"].items()}).set_index(
                "given"
            ),
            {str(name): np.asarray(names, object) for name, names in stored.get("features", {}).items()},
            {str(name): str(version) for name, version in stored["versions"].items()},
        )


def is_record(stored: object) -> bool:
    """Check whether an entry of uns is the record of a run.

    Parameters
    ----------
    stored
        The entry, or a group of a file.

    Returns
    -------
    bool
        True for what `Record.to_uns` wrote, in any format.
    """
    return hasattr(stored, "keys") and {"plan", "config"} <= set(stored.keys())


def _plain(values: Mapping[str, object]) -> dict[str, object]:
    """Keep only what an h5mu can hold: None is left out, collections become JSON."""
    kept = {k: v for k, v in values.items() if v is not None}
    return {k: v if isinstance(v, (str, int, float, bool)) else json.dumps(v) for k, v in kept.items()}


def _read(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Undo `_plain`, and what HDF5 makes of numbers."""
    values = {str(k): v.item() if isinstance(v, np.generic) else v for k, v in stored.items()}
    return {k: json.loads(v) if isinstance(v, str) and v[:1] in ("[", "{") else v for k, v in values.items()}


def _modalities(stored: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Put together what format 0 holds about each modality."""
    return [
        {
            "name": name,
            "n_features": 0,
            "likelihood": str(likelihood),
            "n_private": int(stored["n_private"][name]),
            "by_total": "= total" in str(stored["reasons"].get(f"size factor of {name}", "")),
        }
        for name, likelihood in stored["likelihoods"].items()
    ]
