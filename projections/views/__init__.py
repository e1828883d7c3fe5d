"""The views, a file each: pure folds from events to documents. No store is known here."""
