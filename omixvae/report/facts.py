"""What the results say, and what not to trust, in numbers."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from omixvae.data.columns import find_column
from omixvae.errors import InputError
from omixvae.evaluation import Agreement, agreement
from omixvae.pl.clusters import MOST_LABELS
from omixvae.pl.colours import Categories, colour_by
from omixvae.pl.sets import set_name
from omixvae.results.read import Results

__all__ = ["Course", "Facts"]

SURE = 0.9
"""Probability of the cluster from which on an observation is said to be sure of it."""


@dataclass(frozen=True)
class Course:
    """How the training went.

    Parameters
    ----------
    epochs, most
        Epochs done, and how many there could be.
    kept
        The epoch whose weights were kept, from 1; None if no observations were held out.
    late_gain, gain
        By how much the best held-out bound rose in the last tenth of the epochs, and in all since the prior of the
        model began; nats per observation, NaN if none were held out.
    held_out
        Part of the observations that was.
    """

    epochs: int
    most: int
    kept: int | None
    late_gain: float
    gain: float
    held_out: float

    @property
    def unfinished(self) -> bool:
        """Whether the last epoch came before the training had nothing more to gain."""
        return self.epochs >= self.most and self.late_gain > max(0.5, 0.05 * self.gain)


@dataclass(frozen=True, eq=False)
class Facts:
    """The results, and numbers that several parts of the page need.

    Parameters
    ----------
    found
        The results.
    columns
        Columns and features that the user asked for.
    """

    found: Results
    columns: tuple[str, ...]

    def presence_table(self) -> pd.Series:
        """Count the combinations of modalities, the most frequent first."""
        present = self.found.presence
        names = pd.Series([set_name(row, list(present)) for row in present.to_numpy()], dtype=object)
        return names.value_counts()

    def colours(self) -> list[str]:
        """List what the map is coloured by, each once."""
        clusters, keys = self.found.cluster_column, self.found.keys  # "cluster" might be a column of the user's
        names = [*([clusters] if clusters else []), *self.label_columns(), *self.columns, "presence"]
        return list(dict.fromkeys([*names, *([keys.cluster_entropy] if clusters else [])]))

    def label_columns(self) -> list[str]:
        """List the columns of batch and labels that the training knew."""
        data = self.found.record.config.data
        asked = [name for name in (data.batch_key, data.labels_key) if name]
        return [name for name in asked if find_column(self.found.mdata, name) is not None]

    def groupings(self) -> list[str]:
        """List the columns with labels that clusters can be compared with."""
        chosen = []
        for name in dict.fromkeys([*self.label_columns(), *self.columns]):
            column = find_column(self.found.mdata, name)
            if column is not None and isinstance(colour_by(self.found, name), Categories):
                chosen += [name] if 1 < column.nunique() <= MOST_LABELS else []
        return chosen

    def column(self, name: str) -> pd.Series:
        """Return a column of obs that is known to be there."""
        column = find_column(self.found.mdata, name)
        assert column is not None, "asked for only where there is one"
        return column

    def agreement(self, labels: pd.Series) -> Agreement:
        """Compare the clusters with labels, where there are any."""
        return agreement(self.found.clusters, labels)

    def clusters_table(self) -> pd.DataFrame:
        """Tabulate the clusters: ``n``, ``share``, mean ``entropy`` (nats) and mean ``probability`` of the cluster."""
        obs = pd.DataFrame(
            {
                "entropy": self.found.mdata.obs[self.found.keys.cluster_entropy].to_numpy(float),
                "probability": self.found.cluster_probabilities.max(axis=1).astype(float),
            }
        )
        groups = obs.groupby(self.found.clusters.to_numpy(), observed=True)
        table = groups.mean()
        table.insert(0, "n", groups.size())
        table.insert(1, "share", table["n"] / len(obs))
        order = sorted(table.index, key=lambda name: (0, int(name), "") if str(name).isdigit() else (1, 0, str(name)))
        return table.loc[order]

    def sure(self) -> float:
        """Return the part of the observations whose cluster has a probability of at least `SURE`."""
        return float((self.found.cluster_probabilities.max(axis=1) >= SURE).mean())

    def course(self) -> Course:
        """Return how the training went."""
        history, plan = self.found.history, self.found.record.plan
        judged = history["held_out_bound"].iloc[plan.prior_epoch :].dropna()
        most, held_out = plan.max_epochs, plan.held_out
        if judged.empty:
            return Course(len(history), most, None, np.nan, np.nan, held_out)
        best = judged.cummax()
        before = best.iloc[-1 - max(1, len(history) // 10)] if len(best) > max(1, len(history) // 10) else best.iloc[0]
        late, whole = best.iloc[-1] - before, best.iloc[-1] - judged.iloc[0]
        return Course(len(history), most, int(judged.idxmax()) + 1, float(late), float(whole), held_out)

    def told(self) -> pd.DataFrame:
        """Return what each modality tells alone: ``rate`` (nats), ``part`` of what all tell, and ``n`` observations.

        `part` is NaN where no observation has all modalities.
        """
        table = self.found.information
        names = [column.removeprefix("adds_") for column in table if column.startswith("adds_")]
        single = table.loc[table.index.isin(names), ["rate", "n"]].copy()
        whole = table[table.index.str.len() == len("+".join(names))]  # the set of all, in whichever order
        most = float(whole["rate"].iloc[0]) if len(whole) and whole["n"].iloc[0] else np.nan
        single["part"] = single["rate"] / most
        single["all"] = most
        return single.sort_values("rate", ascending=False)

    def skills(self) -> dict[str, pd.DataFrame | str]:
        """Return the table of held-out skill of each modality, or the reason why there is none."""
        skills: dict[str, pd.DataFrame | str] = {}
        for mod in self.found.modalities:
            try:
                skills[mod] = self.found.skill(mod)
            except InputError as error:
                skills[mod] = error.problem
        return skills
