"""What is wrong with an input, in a biologist's words: the same findings for `fit` and for `omixvae inspect`."""

from collections.abc import Mapping, Sequence

import mudata
import numpy as np
from anndata import AnnData

from omixvae.config import DataConfig
from omixvae.data.masked import MaskedModalities
from omixvae.data.survey import Survey
from omixvae.errors import NO_OPTION, InputError, nearest

__all__ = [
    "check_container",
    "check_links",
    "check_names_and_layers",
    "check_options",
    "check_values",
    "features_phrase",
    "layer_names",
]


def check_container(mdata: mudata.MuData) -> list[InputError]:
    """Find what makes it pointless to look further: no MuData, the wrong axis, no modality.

    Parameters
    ----------
    mdata
        The input.

    Returns
    -------
    list of InputError
        The problem found; empty when all is well.

    Examples
    --------
    >>> print(check_container("cohort.h5mu")[0])
    A str was given, not a MuData.
    Where: the data
    Fix: Read it with omixvae.read, which takes files, AnnData and data frames.
    """
    if not isinstance(mdata, mudata.MuData):
        return [
            InputError(
                f"A {type(mdata).__name__} was given, not a MuData.",
                "the data",
                "Read it with omixvae.read, which takes files, AnnData and data frames.",
            )
        ]
    if getattr(mdata, "axis", 0) != 0:
        return [
            InputError(
                f"The modalities of this MuData share features, not observations (axis={mdata.axis}).",
                "the MuData's axis",
                "Build it with axis=0: one modality per assay, the same samples in each.",
            )
        ]
    if not len(mdata.mod):
        return [InputError("The MuData holds no modality.", "mdata.mod", "Put at least one AnnData into it.")]
    return []


def check_options(mdata: mudata.MuData, config: DataConfig) -> list[InputError]:
    """Find modalities that are asked for and not there.

    Parameters
    ----------
    mdata
        The input.
    config
        Which modalities and layers are asked for.

    Returns
    -------
    list of InputError
        Every problem found; empty when all is well.

    Examples
    --------
    >>> from omixvae.simulation import simulate
    >>> print(check_options(simulate(n_obs=50), DataConfig(modalities=("rna", "atac")))[0])
    There is no modality 'atac'.
    Where: option modalities
    Fix: Choose from 'rna', 'protein'.
    """
    asked = {
        "modalities": config.modalities or (),
        "layers": config.layers if isinstance(config.layers, Mapping) else (),
        "coverage_layers": config.coverage_layers if isinstance(config.coverage_layers, Mapping) else (),
    }
    return [
        InputError(f"There is no modality {name!r}.", f"option {option}", nearest(name, mdata.mod))
        for option, names in asked.items()
        for name in names
        if name not in mdata.mod
    ]


def check_names_and_layers(
    mdata: mudata.MuData, name: str, layer: str | None, coverage_layer: str | None = None, *, new: bool = False
) -> list[InputError]:
    """Find what is wrong with the names, the shape and the layers of one modality, before any value is read.

    Parameters
    ----------
    mdata
        The input.
    name
        The modality.
    layer
        The layer that is asked for; None for X.
    coverage_layer
        The layer with the number that each count is out of, if one is asked for.
    new
        Whether these are new data for a trained model: then it is the training that asked for the layers.

    Returns
    -------
    list of InputError
        Every problem found; empty when all is well.

    Examples
    --------
    >>> from omixvae.simulation import simulate
    >>> [e.problem for e in check_names_and_layers(simulate(n_obs=50), "rna", "counts")]
    ["Modality 'rna' has no layer 'counts'."]
    """
    errors = _check_names(mdata, name)
    if 0 in mdata.mod[name].shape:
        return errors  # where there is nothing, no layer can hold it
    if new:
        return errors + _check_trained_layers(mdata.mod[name], name, (layer, coverage_layer))
    return errors + _check_layers(mdata, name, {"layers": layer, "coverage_layers": coverage_layer})


def _check_names(mdata: mudata.MuData, name: str) -> list[InputError]:
    adata = mdata.mod[name]
    if 0 in adata.shape:
        return [
            InputError(
                f"Modality {name!r} is empty: {adata.n_obs:,} observations by {adata.n_vars:,} features.",
                f"mdata[{name!r}]",
                "Leave it out with the option modalities, or write the file again with its values.",
            )
        ]
    errors = []
    for axis, names, fix in (
        (
            "obs_names",
            adata.obs_names,
            "Make them unique first, e.g. by adding the sample to each barcode (adata.obs_names_make_unique()).",
        ),
        ("var_names", adata.var_names, "Make them unique first with adata.var_names_make_unique()."),
    ):
        twice = names[names.duplicated()]
        if len(twice):
            errors.append(
                InputError(
                    f"{len(twice):,} name{'s' if len(twice) > 1 else ''} of modality {name!r} "
                    f"occur{'' if len(twice) > 1 else 's'} more than once, the first is {twice[0]!r}.",
                    f"mdata[{name!r}].{axis}",
                    fix,
                )
            )
    if not errors and mdata.obs_names.is_unique:
        marked = np.asarray(mdata.obsm.get(name, [])).ravel().astype(bool)
        if marked.sum() != adata.n_obs or not np.array_equal(marked, mdata.obs_names.isin(adata.obs_names)):
            errors.append(
                InputError(
                    f"The MuData no longer fits its modality {name!r}, which was changed after it was put together.",
                    f"mdata.obsm[{name!r}]",
                    "Call mdata.update() and try again.",
                )
            )
    return errors


def _check_layers(mdata: mudata.MuData, name: str, asked: Mapping[str, str | None]) -> list[InputError]:
    """Find the layers that are asked for, by option, and not there."""
    adata, known = mdata.mod[name], layer_names(mdata.mod[name])
    errors = [
        InputError(
            f"Modality {name!r} has no layer {layer!r}.",
            f"option {option}, mdata[{name!r}].layers",
            nearest(layer, known, NO_OPTION),
        )
        for option, layer in asked.items()
        if layer is not None and layer not in known
    ]
    if asked["layers"] is None and adata.X is None and 0 not in adata.shape:  # what is empty is told by its names
        errors.append(
            InputError(
                f"Modality {name!r} has no X.",
                f"mdata[{name!r}].X",
                f"Say which layer holds its values: layers={{{name!r}: ...}}. {nearest('', known)}"
                if known
                else "Leave it out with the option modalities, or write the file again with its values.",
            )
        )
    return errors


def _check_trained_layers(adata: AnnData, name: str, asked: Sequence[str | None]) -> list[InputError]:
    """Find the layers, or the X, that the model was trained on and that new data lack."""
    known, where = layer_names(adata), f"mdata[{name!r}].layers"
    others = f" (there are {', '.join(map(repr, known))})" if known else ""
    errors = [
        InputError(
            f"The model was trained on the layer {layer!r} of {name!r}, which is not here.",
            where + others,
            f"Put such values there: mdata[{name!r}].layers[{layer!r}] = "
            + (f"mdata[{name!r}].X.copy(), if it is these that X holds." if adata.X is not None else "..."),
        )
        for layer in asked
        if layer is not None and layer not in known
    ]
    if asked[0] is None and adata.X is None:
        source = f"mdata[{name!r}].layers[{known[0]!r}]" if len(known) == 1 else "..."
        errors.append(
            InputError(
                f"The model was trained on the X of {name!r}, and here it is empty.",
                f"mdata[{name!r}].X" + others.replace("there are", "there are the layers"),
                f"Put such values there: mdata[{name!r}].X = {source}",
            )
        )
    return errors


def layer_names(adata: AnnData) -> list[str]:
    """List the layers of a modality.

    Parameters
    ----------
    adata
        The modality.

    Returns
    -------
    list of str
        Without X, which anndata keeps among them under the name None since version 0.13.

    Examples
    --------
    >>> layer_names(AnnData(np.ones((2, 1)), layers={"counts": np.ones((2, 1))}))
    ['counts']
    """
    return [layer for layer in adata.layers if layer is not None]


def check_values(name: str, survey: Survey, features: Sequence[str], *, may_be_empty: bool = False) -> list[InputError]:
    """Find what no likelihood can take: infinities, and features without a single value.

    Parameters
    ----------
    name
        The modality.
    survey
        What a look at all values told.
    features
        Names of the g features.
    may_be_empty
        Accept features without any value: new data for a trained model may lack some.

    Returns
    -------
    list of InputError
        Every problem found; empty when all is well.

    Examples
    --------
    >>> from omixvae.data.tables import ModalityTable
    >>> values = np.array([[1.0, np.inf]], np.float32)
    >>> table = ModalityTable("rna", ("CD4", "CD8A"), values, np.arange(1), None, np.ones(1))
    >>> print(check_values("rna", table.survey, table.features)[0].problem)
    Modality 'rna' holds 1 infinite value.
    """
    errors = []
    n = int(survey.n_infinite.sum())
    if n:
        errors.append(
            InputError(
                f"Modality {name!r} holds {n:,} infinite value{'s' if n > 1 else ''}.",
                f"mdata[{name!r}], {features_phrase(np.flatnonzero(survey.n_infinite), features)}",
                "Replace them by NaN where nothing was measured; a log of zero is the usual cause.",
            )
        )
    empty = np.flatnonzero(survey.n_measured == 0)
    if len(empty) and not may_be_empty:
        errors.append(
            InputError(
                f"{len(empty):,} feature{'s' if len(empty) > 1 else ''} of modality {name!r} "
                f"{'have' if len(empty) > 1 else 'has'} no value at all, only NaN.",
                f"mdata[{name!r}], {features_phrase(empty, features)}",
                "Drop these features before training.",
            )
        )
    return errors


def features_phrase(columns: np.ndarray, features: Sequence[str]) -> str:
    """Name how many features are meant, and the first.

    Parameters
    ----------
    columns
        Their positions, in any order, repeated or not.
    features
        Names of all features.

    Returns
    -------
    str
        A phrase for the `where` part of an `InputError`.

    Examples
    --------
    >>> features_phrase(np.array([1, 1]), ["CD4", "CD8A"])
    "1 of 2 features, first: 'CD8A'"
    """
    unique = np.unique(columns)
    return f"{len(unique):,} of {len(features):,} features, first: {features[unique[0]]!r}"


def check_links(data: MaskedModalities) -> list[InputError]:
    """Find modalities that no observation links to the others: the sign of names that do not match.

    Parameters
    ----------
    data
        All modalities, labels included.

    Returns
    -------
    list of InputError
        The problem found; empty when all is well.

    Examples
    --------
    >>> from omixvae.data.from_mudata import from_mudata
    >>> from omixvae.simulation import simulate
    >>> check_links(from_mudata(simulate(n_obs=50)))
    []
    """
    linked = np.zeros(len(data.tables), dtype=bool)
    linked[0] = True
    for _ in data.tables:  # each round reaches the modalities that share an observation with those reached before
        linked |= data.presence[data.presence[:, linked].any(axis=1)].any(axis=0)
    if linked.all():
        return []
    names = np.array([repr(name) for name in data.schema.modalities])
    apart, others = ", ".join(names[~linked]), ", ".join(names[linked])
    here = data.obs_names[data.presence[:, ~linked].any(axis=1)]
    there = data.obs_names[data.presence[:, linked].any(axis=1)]
    one = (~linked).sum() == 1
    return [
        InputError(
            f"{'Modality' if one else 'Modalities'} {apart} {'shares' if one else 'share'} no observation with "
            f"{others}: none of the {len(here):,} names here (the first is {here[0]!r}) is among the {len(there):,} "
            f"there (the first is {there[0]!r}).",
            f"obs_names of {apart} and {others}",
            "If these are the same samples, give them the same names (often only a prefix, or a suffix such as '-1', "
            "differs) and build the MuData again. If they are not, nothing tells how the latents of one belong to "
            "those of the other: choose what to train on with the option modalities.",
        )
    ]
