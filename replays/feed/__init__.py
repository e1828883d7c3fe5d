"""The log as CloudEvents over HTTP: pages and live streams. It folds nothing."""
