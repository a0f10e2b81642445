"""The one exception of this package."""


class DatasetError(OSError):
    """A data set is not at hand, cannot be downloaded, or its file is not what it should be."""
