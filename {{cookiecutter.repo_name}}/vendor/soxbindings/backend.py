"""Builds the wheel of this folder with the standard library alone: no download, and no build/ left
behind.
"""

import base64
import hashlib
import tomllib
import zipfile
from pathlib import Path

FOLDER = Path(__file__).parent


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    """PEP 517. Returns the name of the wheel written into wheel_directory."""
    project = tomllib.loads((FOLDER / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    name, version = project["name"], project["version"]
    info = f"{name}-{version}.dist-info"
    metadata = {
        "Metadata-Version": "2.1",
        "Name": name,
        "Version": version,
        "Summary": project["description"],
        "Requires-Python": project["requires-python"],
    }
    wheel = {
        "Wheel-Version": "1.0",
        "Generator": "backend",
        "Root-Is-Purelib": "true",
        "Tag": "py3-none-any",
    }
    files = {
        f"{name}.py": (FOLDER / f"{name}.py").read_bytes(),
        f"{info}/METADATA": _fields(metadata),
        f"{info}/WHEEL": _fields(wheel),
    }
    rows = [f"{path},{_hash(content)},{len(content)}" for path, content in files.items()]
    files[f"{info}/RECORD"] = "\n".join([*rows, f"{info}/RECORD,,", ""]).encode()

    filename = f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(Path(wheel_directory) / filename, "w") as archive:
        for path, content in files.items():
            entry = zipfile.ZipInfo(path)  # dated 1980: the same bytes every time
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content)
    return filename


def _fields(fields):
    return "".join(f"{key}: {value}\n" for key, value in fields.items()).encode()


def _hash(content):
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=")
    return f"sha256={digest.decode()}"
