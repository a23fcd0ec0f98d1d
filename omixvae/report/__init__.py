"""One page that says what was found, how far to trust it, and how to repeat it."""

from omixvae.report.write import write_report

__all__ = ["write_report"]
