"""The caches of libraries, all in one folder: CACHE_DIRECTORY.

Called before numba, matplotlib and torch are imported, which read their variables once. Without it
numba writes beside its own files and matplotlib and torch into the home folder, and where neither
may be written to, numba's error ends the import of librosa.
"""

import os
import tempfile
from pathlib import Path

DEFAULT = Path(__file__).parent / "cache"  # as setup/environment/ml_config.sh has it
FOLDERS = {
    "NUMBA_CACHE_DIR": "numba",
    "MPLCONFIGDIR": "matplotlib",
    "TORCH_HOME": "torch",
    "TORCHINDUCTOR_CACHE_DIR": "inductor",
    "TRITON_CACHE_DIR": "triton",
    "LIBROSA_DATA_DIR": "librosa",
}


def settle():
    """Give each library a folder below CACHE_DIRECTORY (by default `cache/` of the project), or
    below a temporary folder where that cannot be written. A variable that is set keeps its value.

    Returns:
        the folder.
    """
    chosen = Path(os.environ.get("CACHE_DIRECTORY") or DEFAULT).absolute()
    folder = chosen if _is_writable(chosen) else _temporary()
    for variable, name in FOLDERS.items():
        os.environ.setdefault(variable, str(folder / name))
    return folder


def _temporary():
    """A folder that this user's next run finds again; nobody else's, for code is loaded from it."""
    if hasattr(os, "getuid"):
        folder = Path(tempfile.gettempdir()) / f"cache-{os.getuid()}"
        if _is_writable(folder, mode=0o700) and folder.stat().st_uid == os.getuid():
            return folder
    return Path(tempfile.mkdtemp(prefix="cache-"))


def _is_writable(folder, mode=0o777):
    try:
        folder.mkdir(mode, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False
