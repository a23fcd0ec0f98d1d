"""How we build and copy a MuData, whatever the user has set, and without warnings of mudata's plans for its options."""

import mudata

__all__ = ["without_pulling"]


def without_pulling() -> mudata.set_options:
    """Let columns of the modalities stay where they are while we build or copy a MuData.

    Returns
    -------
    context manager
        It gives the user's own setting back. What the user reads is read as the user has set it: columns such as
        ``rna:batch``, which mudata then makes, may be named in options.

    Examples
    --------
    >>> with without_pulling():
    ...     empty = mudata.MuData({})
    """
    return mudata.set_options(pull_on_update=False)
