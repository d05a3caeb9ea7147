"""What a result depends on: versions of packages, the code of this project, and the machine."""

import hashlib
import importlib.metadata
import os
import platform
import shlex
import socket
import subprocess
import sys
from pathlib import Path

from files import PROJECT

PACKAGES = ("nussl", "torch", "numpy", "scipy", "scikit-learn", "librosa", "soundfile", "soxr")
# the code that trains and scores, beside the modules in the project's own folder
CODE = (
    "algorithms",
    "audio",
    "compat",
    "config",
    "dataset",
    "evaluation",
    "experiment",
    "model",
    "training",
)
NO_CODE = {".venv", "cache", "tests"}  # folders without code that a result depends on


def versions():
    """{package: version} of what a result depends on."""
    return {package: importlib.metadata.version(package) for package in PACKAGES}


def digest_of(parts):
    """SHA-256 of the code in files and folders of the project, as far as they are there."""
    digest = hashlib.sha256()
    for part in parts:
        path = PROJECT / part
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            name = file.relative_to(PROJECT)
            if file.is_file() and not NO_CODE & {*name.parts}:
                digest.update(name.as_posix().encode() + file.read_bytes())
    return digest.hexdigest()


def code():
    """The state of the code.

    Returns:
        {"commit": of the repository that holds this project, None where none does; "changed": do
        files here differ from it; "digest": SHA-256 of what trains and scores}.
    """
    modules = sorted(path.name for path in PROJECT.glob("*.py"))
    found = {"commit": None, "changed": None, "digest": digest_of([*CODE, *modules])}

    def git(*arguments):
        return subprocess.run(
            ["git", "-C", PROJECT, *arguments], capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", "provenance/environment.py")  # else another repository's
        found["commit"] = git("rev-parse", "HEAD")
        found["changed"] = bool(git("status", "--porcelain", "--", "."))
    except (OSError, subprocess.CalledProcessError):
        return found  # no git, or no repository
    return found


def command():
    """The command line of this process."""
    return shlex.join([Path(sys.executable).name, *sys.orig_argv[1:]])


def environment():
    """Where this process runs and with what: plain data, equal for two runs whose numbers can be
    compared bit by bit."""
    return {
        "host": socket.gethostname(),
        "platform": platform.platform(),
        "processor": processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "versions": versions(),
    }


def processor():
    """The name of the processor, as far as the system says."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            names = (line.partition(":")[2].strip() for line in lines if "model name" in line)
            return next(names, platform.machine())
    except OSError:  # not Linux
        return platform.processor() or platform.machine()
