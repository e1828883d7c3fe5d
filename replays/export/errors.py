"""What goes wrong with an export; the message is one line that says what to do."""

from __future__ import annotations


class ExportError(Exception):
    """The files cannot be written or read; what was exported before stays as it is."""


class NotAnExport(ExportError):  # noqa: N818
    """The folder has no export, or a damaged one, or other things."""


class AnotherExport(ExportError):  # noqa: N818
    """The folder has the export of another log, or of another history of this one."""


class AnalysisMissing(ExportError):  # noqa: N818
    """The libraries of the extra `analysis` are not installed."""

    def __init__(self, missing: ImportError) -> None:
        super().__init__(
            f"this needs the module {missing.name}, which comes with the extra `analysis`:"
            " pip install 'daybook[analysis]'"
        )
