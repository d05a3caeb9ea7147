"""What libraries keep for the next run, all in one folder: CACHE_DIRECTORY.

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
    wanted = Path(os.environ.get("CACHE_DIRECTORY") or DEFAULT).absolute()
    user = os.getuid() if hasattr(os, "getuid") else os.getlogin()
    places = [wanted, Path(tempfile.gettempdir()) / f"cache-{user}"]
    folder = next(filter(_is_writable, places), None) or Path(tempfile.mkdtemp(prefix="cache-"))
    for variable, name in FOLDERS.items():
        os.environ.setdefault(variable, str(folder / name))
    return folder


def _is_writable(folder):
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False
