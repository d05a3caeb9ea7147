"""Stores objects on disk by index, in place of the zarr array of nussl's Cache."""

import pickle
from pathlib import Path

from errors import amount
from files import write_files


class Items:
    """The items of a dataset, each pickled to its own file atomically.

    Args:
        location: the folder.
        writes: may items be written? Writing the first one removes all earlier items, but no other
            files.
    """

    def __init__(self, location, writes):
        self.folder, self.writes, self.stale = Path(location), writes, writes

    def __setitem__(self, index, item):
        if not self.writes:
            raise ValueError(f"{self.folder}: the cache is open for reading only")
        if self.stale:
            for path in self.folder.glob("*.item"):
                path.unlink()
            self.stale = False
        write_files({self._path(index): pickle.dumps(item)})

    def __getitem__(self, index):
        """The item; None if it was not written."""
        path = self._path(index)
        return pickle.loads(path.read_bytes()) if path.exists() else None

    @property
    def info(self):
        return f"{amount(len(list(self.folder.glob('*.item'))), 'item')} in {self.folder}"

    def _path(self, index):
        return self.folder / f"{index:08d}.item"
