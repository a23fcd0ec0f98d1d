"""What a user did wrong, in three parts: the problem, where it is, how to mend it."""

import difflib
from collections.abc import Iterable, Sequence

__all__ = ["InputError", "nearest", "raise_together"]


class InputError(ValueError):
    """The data or an option cannot be used as given.

    Parameters
    ----------
    problem
        One sentence: what is wrong, with the names and numbers at hand.
    where
        One phrase: the modality, feature, observation, file or option.
    fix
        One sentence: what the user can do about it.

    Examples
    --------
    >>> print(InputError("The file is empty.", "cohort.h5mu", "Write it again."))
    The file is empty. Where: cohort.h5mu. How to mend it: Write it again.
    """

    def __init__(self, problem: str, where: str, fix: str) -> None:
        self.problem, self.where, self.fix = problem, where, fix
        super().__init__(f"{problem} Where: {where.rstrip('.')}. How to mend it: {fix}")


def raise_together(errors: Sequence[InputError]) -> None:
    """Raise all problems of one input at once, so that the user mends them in one go.

    Parameters
    ----------
    errors
        The problems found. None at all is fine: nothing is raised.

    Raises
    ------
    InputError
        The single problem, or one that numbers them all.

    Examples
    --------
    >>> raise_together([])
    """
    if not errors:
        return
    if len(errors) == 1:
        raise errors[0]
    listed = "\n".join(f"  {i}. {error}" for i, error in enumerate(errors, start=1))
    raise InputError(
        f"The input has {len(errors)} problems.\n{listed}\n", "in each line above", "Mend them and run the same again."
    )


def nearest(word: str, words: Iterable[str]) -> str:
    """Say which words are allowed, and which one was probably meant.

    Parameters
    ----------
    word
        What the user wrote.
    words
        What is allowed.

    Returns
    -------
    str
        A sentence for the `fix` part of an `InputError`.

    Examples
    --------
    >>> nearest("protien", ["rna", "protein"])
    "Did you mean 'protein'? Known: 'rna', 'protein'."
    """
    words = list(words)
    known = f"Known: {', '.join(repr(w) for w in words[:12])}{' …' if len(words) > 12 else ''}."
    match = difflib.get_close_matches(word, words, n=1, cutoff=0.6)
    return f"Did you mean {match[0]!r}? {known}" if match else known
