"""The page of an exported model: static files with which a browser separates, also from a disk.

Browsers let a page that was opened from a disk load scripts and nothing else; therefore the model
and the WebAssembly of onnxruntime-web are text in scripts (base64).
"""

import base64
import json
import shutil
import subprocess
import tempfile
from pathlib import Path

from errors import UserError

PACKAGE, VERSION = "onnxruntime-web", "1.30.0"
SCRIPT, LOADER = "ort.wasm.min.js", "ort-wasm-simd-threaded"
MINUTES = 5  # for npm


def check_npm():
    """Check that npm is there, before an export with a page begins.

    Raises:
        UserError: there is no npm.
    """
    if shutil.which("npm") is None:
        raise UserError(
            f"export.page needs npm, which fetches {PACKAGE}: install it (apt-get install npm), "
            "or write page: false"
        )


def write(folder, onnx, facts):
    """Write `index.html` and its scripts.

    Raises:
        UserError: npm does not fetch onnxruntime-web.
    """
    folder.mkdir()
    with tempfile.TemporaryDirectory() as place:
        fetched = _fetch(place)
        shutil.copy(fetched / SCRIPT, folder)
        runtime = {kind: _text(fetched / f"{LOADER}.{kind}") for kind in ("mjs", "wasm")}
    model = {"facts": facts, "onnx": base64.b64encode(onnx).decode()}
    (folder / "runtime.js").write_text(f"const RUNTIME = {json.dumps(runtime)};\n")
    (folder / "model.js").write_text(f"const MODEL = {json.dumps(model)};\n")
    shutil.copyfile(Path(__file__).with_name("page.html"), folder / "index.html")


def _fetch(place):
    """The folder of the package's scripts, installed below `place`."""
    command = ["npm", "install", "--prefix", place, "--ignore-scripts", "--no-audit"]
    command.append(f"{PACKAGE}@{VERSION}")
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=60 * MINUTES, stdin=subprocess.DEVNULL
        )
        reason = " ".join(done.stderr.split())[-300:] if done.returncode else None
    except (OSError, subprocess.TimeoutExpired) as error:
        reason = str(error)
    scripts = Path(place) / "node_modules" / PACKAGE / "dist"
    if reason is None and not (scripts / SCRIPT).is_file():
        reason = f"there is no {SCRIPT} in it"
    if reason is not None:
        raise UserError(
            f"export.page: npm cannot fetch {PACKAGE} ({reason}); try again with a network, or "
            "write page: false"
        )
    return scripts


def _text(path):
    return base64.b64encode(path.read_bytes()).decode()
