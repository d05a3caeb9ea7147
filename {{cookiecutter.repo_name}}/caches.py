"""Puts the caches of all libraries below one folder, CACHE_DIRECTORY.

Call `set_cache_folders` before numba, matplotlib and torch are imported: they read these
environment variables once. By default numba writes beside its own source files, and matplotlib and
torch write to the home folder. Where neither is writable, importing librosa fails in numba.
"""

import os
import tempfile
from pathlib import Path

DEFAULT = Path(__file__).parent / "cache"  # the same default as setup/environment/ml_config.sh
FOLDERS = {
    "NUMBA_CACHE_DIR": "numba",
    "MPLCONFIGDIR": "matplotlib",
    "TORCH_HOME": "torch",
    "TORCHINDUCTOR_CACHE_DIR": "inductor",
    "TRITON_CACHE_DIR": "triton",
    "LIBROSA_DATA_DIR": "librosa",
}


def set_cache_folders():
    """Set each library's cache variable to a folder below CACHE_DIRECTORY (default: `cache/` of the
    project), or below a temporary folder if CACHE_DIRECTORY is not writable.

    Variables that are already set keep their values.

    Returns:
        the folder that contains the caches.
    """
    chosen = Path(os.environ.get("CACHE_DIRECTORY") or DEFAULT).absolute()
    folder = chosen if _is_writable(chosen) else _temporary_folder()
    for variable, name in FOLDERS.items():
        os.environ.setdefault(variable, str(folder / name))
    return folder


def _temporary_folder():
    """A folder that this user's next run finds again. It must belong to this user alone, because
    compiled code is loaded from it."""
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
