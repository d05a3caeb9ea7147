"""Writes requirements.lock from poetry.lock, so that pip and uv install the same versions.

python setup/environment/lock.py           (make lock runs it after `poetry lock`)
python setup/environment/lock.py --check   fails if the two files differ, and writes nothing
python setup/environment/lock.py FOLDER    for the files in another folder
"""

import argparse
import sys
import tomllib
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]

HEADER = """\
# Written by setup/environment/lock.py from what Poetry resolved: change pyproject.toml and run
# `make lock`. Paths are relative to this folder: install from here. There are no hashes: pip takes
# none for a folder, and the builds of torch (CPU, CUDA, ROCm) go by the same version. The CUDA
# packages are left out: pip adds them to the builds of torch that require them.
"""
CUDA = ("cuda-", "nvidia-", "triton")


def requirements(lock):
    """The text of requirements.lock; lock: the content of poetry.lock as a dict."""
    return HEADER + "".join(
        f"{requirement(package)}\n"
        for package in sorted(lock["package"], key=lambda package: package["name"])
        if not package["name"].startswith(CUDA)
    )


def requirement(package):
    """One line: "name==version" or a path, with the environment marker if there is one."""
    source = package.get("source", {})
    if source.get("type") == "directory":
        line = f"./{source['url']}"
    elif not source:
        line = f"{package['name']}=={package['version']}"
    else:
        raise SystemExit(f"lock.py: {package['name']} comes from {source}: how does pip get it?")
    marker = condition(package)
    return f"{line} ; {marker}" if marker else line


def condition(package):
    """The environment marker under which a package is installed; "" if it always is.

    Poetry writes one marker for all groups, or a table {group: marker} without the groups that have
    no marker.
    """
    markers = package.get("markers", "")
    if isinstance(markers, str):
        return markers
    if set(markers) != set(package["groups"]):
        return ""
    return " or ".join(f"({marker})" for marker in dict.fromkeys(markers.values()))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing, fail if it differs")
    parser.add_argument("folder", nargs="?", type=Path, default=PROJECT)
    args = parser.parse_args()
    with (args.folder / "poetry.lock").open("rb") as file:
        text = requirements(tomllib.load(file))
    path = args.folder / "requirements.lock"
    if not args.check:
        path.write_text(text, encoding="utf-8")
    elif path.read_text(encoding="utf-8") != text:
        sys.exit("requirements.lock does not follow from poetry.lock: run `make lock`")


if __name__ == "__main__":
    main()
