"""What is wrong with an input, in a biologist's words: the same findings for `fit` and for `omixvae inspect`."""

from collections.abc import Iterator, Mapping, Sequence

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

LEAVE_OUT = "Leave it out with the option modalities, or write the file again with its values."

UNIQUE = {
    "obs_names": "Make them unique first, e.g. by adding the sample to each barcode (adata.obs_names_make_unique()).",
    "var_names": "Make them unique first with adata.var_names_make_unique().",
}
"""Axis of a modality to how its names become unique."""


def check_container(mdata: mudata.MuData) -> Iterator[InputError]:
    """Find what makes it pointless to look further: no MuData, the wrong axis, no modality.

    Parameters
    ----------
    mdata
        The input.

    Yields
    ------
    InputError
        The problem found.

    Examples
    --------
    >>> print(*check_container("cohort.h5mu"))
    A str was given, not a MuData.
    Where: the data
    Fix: Read it with omixvae.read, which takes files, AnnData and data frames.
    """
    if not isinstance(mdata, mudata.MuData):
        yield InputError(
            f"A {type(mdata).__name__} was given, not a MuData.",
            "the data",
            "Read it with omixvae.read, which takes files, AnnData and data frames.",
        )
    elif getattr(mdata, "axis", 0) != 0:
        yield InputError(
            f"The modalities of this MuData share features, not observations (axis={mdata.axis}).",
            "the MuData's axis",
            "Build it with axis=0: one modality per assay, the same samples in each.",
        )
    elif not len(mdata.mod):
        yield InputError("The MuData holds no modality.", "mdata.mod", "Put at least one AnnData into it.")


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
) -> Iterator[InputError]:
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

    Yields
    ------
    InputError
        Every problem found.

    Examples
    --------
    >>> from omixvae.simulation import simulate
    >>> [e.problem for e in check_names_and_layers(simulate(n_obs=50), "rna", "counts")]
    ["Modality 'rna' has no layer 'counts'."]
    """
    adata = mdata.mod[name]
    if 0 in adata.shape:  # where there is nothing, no layer can hold it
        yield InputError(
            f"Modality {name!r} is empty: {adata.n_obs:,} observations by {adata.n_vars:,} features.",
            f"mdata[{name!r}]",
            LEAVE_OUT,
        )
        return
    yield from _check_names(mdata, name)
    if new:
        yield from _check_trained_layers(adata, name, (layer, coverage_layer))
    else:
        yield from _check_layers(adata, name, {"layers": layer, "coverage_layers": coverage_layer})


def _check_names(mdata: mudata.MuData, name: str) -> Iterator[InputError]:
    adata, are_unique = mdata.mod[name], True
    for axis, fix in UNIQUE.items():
        names = getattr(adata, axis)
        twice = names[names.duplicated()]
        if len(twice):
            are_unique = False
            yield InputError(
                f"{len(twice):,} name{'s' if len(twice) > 1 else ''} of modality {name!r} "
                f"occur{'' if len(twice) > 1 else 's'} more than once, the first is {twice[0]!r}.",
                f"mdata[{name!r}].{axis}",
                fix,
            )
    if are_unique and mdata.obs_names.is_unique:
        marked = np.asarray(mdata.obsm.get(name, [])).ravel().astype(bool)
        if marked.sum() != adata.n_obs or not np.array_equal(marked, mdata.obs_names.isin(adata.obs_names)):
            yield InputError(
                f"The MuData no longer fits its modality {name!r}, which was changed after it was put together.",
                f"mdata.obsm[{name!r}]",
                "Call mdata.update() and try again.",
            )


def _check_layers(adata: AnnData, name: str, asked: Mapping[str, str | None]) -> Iterator[InputError]:
    """Find the layers that are asked for, by option, and not there."""
    known = layer_names(adata)
    for option, layer in asked.items():
        if layer is not None and layer not in known:
            fix = nearest(layer, known, NO_OPTION)
            where = f"option {option}, mdata[{name!r}].layers"
            yield InputError(f"Modality {name!r} has no layer {layer!r}.", where, fix)
    if asked["layers"] is None and adata.X is None:
        fix = f"Say which layer holds its values: layers={{{name!r}: ...}}. {nearest('', known)}"
        yield InputError(f"Modality {name!r} has no X.", f"mdata[{name!r}].X", fix if known else LEAVE_OUT)


def _check_trained_layers(adata: AnnData, name: str, asked: Sequence[str | None]) -> Iterator[InputError]:
    """Find the layers, or the X, that the model was trained on and that new data lack."""
    known, where = layer_names(adata), f"mdata[{name!r}].layers"
    others = f" (there are {', '.join(map(repr, known))})" if known else ""
    for layer in asked:
        if layer is not None and layer not in known:
            source = f"mdata[{name!r}].X.copy(), if it is these that X holds." if adata.X is not None else "..."
            yield InputError(
                f"The model was trained on the layer {layer!r} of {name!r}, which is not here.",
                where + others,
                f"Put such values there: mdata[{name!r}].layers[{layer!r}] = {source}",
            )
    if asked[0] is None and adata.X is None:
        source = f"mdata[{name!r}].layers[{known[0]!r}]" if len(known) == 1 else "..."
        yield InputError(
            f"The model was trained on the X of {name!r}, and here it is empty.",
            f"mdata[{name!r}].X" + others.replace("there are", "there are the layers"),
            f"Put such values there: mdata[{name!r}].X = {source}",
        )


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


def check_values(
    name: str, survey: Survey, features: Sequence[str], *, may_be_empty: bool = False
) -> Iterator[InputError]:
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

    Yields
    ------
    InputError
        Every problem found.

    Examples
    --------
    >>> from omixvae.data.tables import ModalityTable
    >>> values = np.array([[1.0, np.inf]], np.float32)
    >>> table = ModalityTable("rna", ("CD4", "CD8A"), values, np.arange(1), None, np.ones(1))
    >>> [e.problem for e in check_values("rna", table.survey, table.features)]
    ["Modality 'rna' holds 1 infinite value."]
    """
    n = int(survey.n_infinite.sum())
    if n:
        yield InputError(
            f"Modality {name!r} holds {n:,} infinite value{'s' if n > 1 else ''}.",
            f"mdata[{name!r}], {features_phrase(np.flatnonzero(survey.n_infinite), features)}",
            "Replace them by NaN where nothing was measured; a log of zero is the usual cause.",
        )
    empty = np.flatnonzero(survey.n_measured == 0)
    if len(empty) and not may_be_empty:
        yield InputError(
            f"{len(empty):,} feature{'s' if len(empty) > 1 else ''} of modality {name!r} "
            f"{'have' if len(empty) > 1 else 'has'} no value at all, only NaN.",
            f"mdata[{name!r}], {features_phrase(empty, features)}",
            "Drop these features before training.",
        )


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


def check_links(data: MaskedModalities) -> Iterator[InputError]:
    """Find modalities that no observation links to the others: the sign of names that do not match.

    Parameters
    ----------
    data
        All modalities, labels included.

    Yields
    ------
    InputError
        The problem found.

    Examples
    --------
    >>> from omixvae.data.from_mudata import from_mudata
    >>> from omixvae.simulation import simulate
    >>> list(check_links(from_mudata(simulate(n_obs=50))))
    []
    """
    linked = np.zeros(len(data.tables), dtype=bool)
    linked[0] = True
    for _ in data.tables:  # each round reaches the modalities that share an observation with those reached before
        linked |= data.presence[data.presence[:, linked].any(axis=1)].any(axis=0)
    if linked.all():
        return
    names = np.array([repr(name) for name in data.schema.modalities])
    apart, others = ", ".join(names[~linked]), ", ".join(names[linked])
    here = data.obs_names[data.presence[:, ~linked].any(axis=1)]
    there = data.obs_names[data.presence[:, linked].any(axis=1)]
    one = (~linked).sum() == 1
    yield InputError(
        f"{'Modality' if one else 'Modalities'} {apart} {'shares' if one else 'share'} no observation with "
        f"{others}: none of the {len(here):,} names here (the first is {here[0]!r}) is among the {len(there):,} "
        f"there (the first is {there[0]!r}).",
        f"obs_names of {apart} and {others}",
        "If these are the same samples, give them the same names (often only a prefix, or a suffix such as '-1', "
        "differs) and build the MuData again. If they are not, nothing tells how the latents of one belong to "
        "those of the other: choose what to train on with the option modalities.",
    )
