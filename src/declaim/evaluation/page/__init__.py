"""The page report.html: one file that needs no network, with tables, plots and clips that play."""

from declaim.evaluation.page.build import build_page

__all__ = ["build_page"]
