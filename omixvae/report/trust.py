"""The parts of the page on what modalities tell, on predictions, and on how to repeat it all."""

import math
from functools import partial

import numpy as np
import pandas as pd

from omixvae import pl
from omixvae.config import Config, affecting
from omixvae.errors import InputError
from omixvae.model import OmixVAE
from omixvae.report.command import command_line
from omixvae.report.facts import Facts
from omixvae.report.findings import part_of
from omixvae.report.page import Block, Code, Picture, Pictures, Section, Table, Text
from omixvae.report.pictures import draw

__all__ = ["of_choices", "of_imputation", "of_information", "of_loadings"]

FEATURES_LISTED = 50

CALIBRATED = (
    " Right: of the measured values of this file, most of which the model was trained on, how many lie within the "
    "limits of predictions from the other modalities; dots on the dashed line are as they should be, above it limits "
    "are wider than they need be. Whole numbers that lie on a limit count in part."
)


def of_information(facts: Facts) -> Section:
    """Show what each set of modalities tells.

    Parameters
    ----------
    facts
        The results.

    Returns
    -------
    Section
        In plain words, as a plot and as a table.
    """
    found, told = facts.found, facts.told()
    table = found.information
    adds = [column for column in table if column.startswith("adds_")]
    drawn = draw(
        partial(pl.information, found.mdata, key=found.key),
        "For each set of modalities: how many nats it tells about the shared latents, and what each further modality "
        "would add.",
        "Rows are sets of modalities. Averages are over the observations that have the set, so rows with different n "
        "are not strictly comparable.",
    )
    numbers = ("n", "tells (nats)", *(f"{column.removeprefix('adds_')} would add" for column in adds))
    order = np.lexsort((-table["rate"].fillna(-np.inf), table.index.str.len()))
    rows = tuple(
        (str(given), f"{row['n']:,.0f}", *(_number(row[column]) for column in ("rate", *adds)))
        for given, row in table.iloc[order].iterrows()
    )
    numbered = Table(
        "Information in nats per observation, and the number n of observations that it was averaged over.",
        ("set", *numbers),
        rows,
        numbers,
        folded=f"All {len(rows)} sets in numbers",
    )
    words = [Text(_reading(str(mod), row)) for mod, row in told.iterrows() if row["n"]]
    return Section("information", "What modalities tell", (*words, Pictures((drawn,)), numbered))


def _reading(mod: str, row: pd.Series) -> str:
    if math.isnan(row["part"]):
        return f"{mod} alone tells {row['rate']:.1f} nats about the shared latents (n = {row['n']:,.0f})."
    return (
        f"{mod} alone gives {part_of(row['part'])} what all modalities tell "
        f"({row['rate']:.1f} of {row['all']:.1f} nats; n = {row['n']:,.0f})."
    )


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.2f}"


def of_imputation(facts: Facts, model: OmixVAE | None) -> Section:
    """Show how well modalities are predicted from one another.

    Parameters
    ----------
    facts
        The results.
    model
        Where it is given, it is also shown how many measured values lie within the limits of predictions.

    Returns
    -------
    Section
        For each modality that was judged; a sentence for each other one.
    """
    blocks: list[Block] = [
        Text(
            "Each modality of the held-out observations was predicted from their other modalities. R² is the part of a "
            "feature's variance that is predicted: 1 is perfect, 0 is what the mean of the training observations "
            "achieves, below 0 is worse than that mean. A feature counts as imputable if its R² is above 0 by more "
            "than two standard errors."
        )
    ]
    skills = facts.skills()
    judged = {mod: skill for mod, skill in skills.items() if not isinstance(skill, str)}
    if judged:
        blocks.append(_skill_table(facts, judged))
    for mod, skill in judged.items():
        blocks += [Pictures((_skill_picture(facts, mod, skill, model),)), _feature_table(mod, skill)]
    blocks += [Text(f"{mod}: {skill}", aside=True) for mod, skill in skills.items() if isinstance(skill, str)]
    if model is None and judged:
        words = "With the model (--model DIR) this page also shows whether limits of predictions hold what they say."
        blocks.append(Text(words, aside=True))
    return Section("imputation", "Predictions", tuple(blocks))


def _skill_table(facts: Facts, skills: dict[str, pd.DataFrame]) -> Table:
    rows = []
    for mod, skill in skills.items():
        r2 = skill["r2"].dropna()
        there = "yes" if facts.found.keys.imputed(mod) in facts.found.mdata.obsm else "no"
        counts = (f"{len(r2):,} of {len(skill):,}", f"{int(skill['imputable'].sum()):,}")
        quantiles = (f"{round(r2.quantile(q), 2) + 0.0:.2f}" if len(r2) else "–" for q in (0.1, 0.5, 0.9))
        rows.append((mod, there, *counts, *quantiles))
    numbers = ("features judged", "imputable", "R² of the worst tenth", "median R²", "R² of the best tenth")
    return Table(
        "Predictions of held-out observations; the mean of each feature, as the baseline, has R² = 0.",
        ("modality", "imputed values in the file", *numbers),
        tuple(rows),
        numbers,
    )


def _skill_picture(facts: Facts, mod: str, skill: pd.DataFrame, model: OmixVAE | None) -> Picture:
    calibrated = "" if model is None else CALIBRATED
    return draw(
        partial(pl.imputation, facts.found.mdata, mod, key=facts.found.key, model=model),
        f"R² of the features of {mod} in held-out observations, from the best to the worst; "
        f"{int(skill['imputable'].sum()):,} of {int(skill['r2'].notna().sum()):,} are imputable.",
        f"{mod}: R² of each feature.{calibrated}",
    )


def _feature_table(mod: str, skill: pd.DataFrame) -> Table:
    best = skill[skill["r2"].notna()].sort_values("r2", ascending=False, kind="stable").iloc[:FEATURES_LISTED]
    return Table(
        f"{mod}: R² in held-out observations.",
        ("feature", "imputable", "R²"),
        tuple((str(name), "yes" if row["imputable"] else "no", f"{row['r2']:.2f}") for name, row in best.iterrows()),
        ("R²",),
        folded=f"The {len(best)} best features of {mod}" if len(best) < len(skill) else f"All features of {mod}",
    )


def of_loadings(facts: Facts) -> Section:
    """Show which features each latent dimension moves.

    Parameters
    ----------
    facts
        The results.

    Returns
    -------
    Section
        Or one sentence, where the decoder was not linear.
    """
    blocks: list[Block] = []
    for mod in facts.found.modalities:
        try:
            drawn = draw(
                partial(pl.loadings, facts.found.mdata, mod, key=facts.found.key),
                f"The features of {mod} with the largest weights of the latent dimensions that weigh most in it.",
                points=True,
            )
        except InputError as error:
            blocks.append(Text(error.problem, aside=True))
            continue
        blocks.append(Pictures((drawn,)))
    if any(isinstance(block, Pictures) for block in blocks):
        words = "Features in one column move together; a sign has no meaning of its own, only relative to the others."
        return Section("loadings", "Latent dimensions", (Text(words), *blocks))
    decoder = facts.found.record.plan.decoder
    words = f"There are no loadings: the decoder is {decoder}, and only a linear one has weights that can be read."
    return Section("loadings", "Latent dimensions", (Text(words),))


def of_choices(facts: Facts) -> Section:
    """Return what was decided and why, and how to do it again.

    Parameters
    ----------
    facts
        The results.

    Returns
    -------
    Section
        Choices with reasons, changed options, versions and the command.
    """
    record = facts.found.record
    options = record.config.to_options()
    defaults = Config().to_options()
    changed = {
        name: value for name, value in options.items() if value != defaults[name] and name not in affecting("screen")
    }
    blocks: list[Block] = [
        Table(
            "Decisions, and why they were made.",
            ("decision", "reason"),
            tuple(_decision(reason) for reason in record.plan.reasons.values()),
        ),
        Table(
            "Options that differ from their defaults.",
            ("option", "value", "default"),
            tuple((name, _word(value), _word(defaults[name])) for name, value in changed.items()),
        )
        if changed
        else Text("All options are at their defaults."),
        Table(
            "Versions of the packages that trained.",
            ("package", "version"),
            tuple((name, str(version)) for name, version in record.versions.items()),
            folded=f"Versions of packages; the seed is {record.plan.seed}",
        ),
        Text("To train in the same way again (put in the names of your own files):"),
        Code(command_line(options)),
    ]
    own = sorted(
        [f"encoder of {m.name}" for m in record.plan.modalities if m.own_encoder]
        + [f"decoder of {m.name}" for m in record.plan.modalities if m.own_decoder]
        + [f"likelihood of {m.name}" for m in record.plan.modalities if m.likelihood == "own"]
    )
    if own:
        words = f"The command is not enough: the training had modules of the user's own ({', '.join(own)})."
        blocks.append(Text(words, aside=True))
    return Section("choices", "Choices", tuple(blocks))


def _decision(reason: str) -> tuple[str, str]:
    decision, _, why = reason.partition(": ")
    if "= {" in decision or not why:  # what was decided holds colons itself
        decision, _, why = reason.partition("}: ")
        decision += "}"
    return decision, why


def _word(value: object) -> str:
    if value is None or value in ([], {}):
        return "none"
    if isinstance(value, dict):
        return ", ".join(f"{name} = {of}" for name, of in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
