"""What a user did wrong, in three parts: the problem, where it is, how to fix it."""

import difflib
from collections.abc import Callable, Iterable, Sequence
from textwrap import indent

from omixvae.synonyms import synonym

__all__ = ["NO_OPTION", "InputError", "NotFittedError", "check_all", "likely", "nearest", "raise_together"]

NO_OPTION = "There is none to choose from; leave the option out."
"""What `nearest` says where an option names one of several things, and there is none."""


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
    parts
        The single problems, where the error stands for several.

    Examples
    --------
    >>> print(InputError("The file is empty.", "cohort.h5mu", "Write it again."))
    The file is empty.
    Where: cohort.h5mu
    Fix: Write it again.
    """

    def __init__(self, problem: str, where: str, fix: str, parts: "Sequence[InputError]" = ()) -> None:
        self.problem, self.where, self.fix = problem, where, fix
        self.parts = tuple(parts) or (self,)
        super().__init__(f"{problem}\nWhere: {where}\nFix: {fix}")

    def __reduce__(self) -> tuple[type, tuple[object, ...]]:
        """Return how to make it again in another process."""
        return type(self), (self.problem, self.where, self.fix, () if self.parts == (self,) else self.parts)


class NotFittedError(InputError, AttributeError):
    """A model was asked for something that only a training gives it.

    It is an `AttributeError` too, for `hasattr` and other tools that look what an object has.
    """


def raise_together(errors: Iterable[InputError]) -> None:
    """Raise all problems of one input at once, so that the user fixes them in one go.

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
    errors = list(errors)
    if not errors:
        return
    if len(errors) == 1:
        raise errors[0]
    parts = [part for error in errors for part in error.parts]
    listed = "".join(f"\n  {i}. {indent(str(part), ' ' * 5).lstrip()}" for i, part in enumerate(parts, start=1))
    raise InputError(
        f"The input has {len(parts)} problems.",
        "listed below",
        f"Do what is said of each, then run the same again.{listed}",
        parts,
    )


def check_all(checks: Iterable[Callable[[], None]]) -> None:
    """Run all checks, also after one has found a problem.

    Parameters
    ----------
    checks
        Each raises an `InputError` if it finds a problem.

    Raises
    ------
    InputError
        All problems together.

    Examples
    --------
    >>> check_all([lambda: None])
    """
    errors = []
    for check in checks:
        try:
            check()
        except InputError as error:
            errors.append(error)
    raise_together(errors)


def likely(word: object, words: Iterable[str]) -> str | None:
    """Find the word that was probably meant.

    Parameters
    ----------
    word
        What the user wrote.
    words
        What is allowed.

    Returns
    -------
    str or None
        The one that means the same elsewhere, or is spelled nearly so; None if there is none.

    Examples
    --------
    >>> likely("protien", ["rna", "protein"]), likely("epochs", ["batch_size", "max_epochs"])
    ('protein', 'max_epochs')
    """
    words, word = list(words), str(word)
    return synonym(word, words) or next(iter(difflib.get_close_matches(word, words, n=1, cutoff=0.6)), None)


def nearest(word: object, words: Iterable[str], without: str = "There is none to choose from.") -> str:
    """Return which words are allowed, and which one was probably meant.

    Parameters
    ----------
    word
        What the user wrote.
    words
        What is allowed.
    without
        The sentence for where nothing is.

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
    if not words:
        return without
    listed = ", ".join(repr(w) for w in words[:12]) + (f" … ({len(words):,} in all)" if len(words) > 12 else "")
    match = likely(word, words)
    return f"Did you mean {match!r}? Known: {listed}." if match else f"Choose from {listed}."
