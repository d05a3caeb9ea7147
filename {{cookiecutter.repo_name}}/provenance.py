"""Where a result comes from: versions, host, command, and the state of the code."""

import contextlib
import datetime
import importlib.metadata
import logging
import platform
import shlex
import socket
import subprocess
import sys
from pathlib import Path

PACKAGES = ("nussl", "torch", "numpy", "scipy", "scikit-learn", "librosa", "soundfile", "soxr")


def versions():
    """{package: version} of what a result depends on."""
    return {package: importlib.metadata.version(package) for package in PACKAGES}


def code():
    """The commit of the repository that holds this project, and whether files differ from it; None
    where none does."""
    folder = Path(__file__).parent

    def git(*arguments):
        return subprocess.run(
            ["git", "-C", folder, *arguments], capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", Path(__file__).name)  # else another repository's
        commit = git("rev-parse", "HEAD")
        return commit + (", with changes" if git("status", "--porcelain", "--", ".") else "")
    except (OSError, subprocess.CalledProcessError):  # no git, or no repository
        return None


def about():
    """Lines that say what runs here, with what: for the beginning of a log."""
    packages = ", ".join(f"{name} {version}" for name, version in versions().items())
    return [
        f"{datetime.datetime.now().astimezone().isoformat(timespec='seconds')}  "
        f"{shlex.join([Path(sys.executable).name, *sys.orig_argv[1:]])}",
        f"on {socket.gethostname()}, {platform.platform()}, Python {platform.python_version()}",
        packages,
        f"code: {code() or 'not in a git repository'}",
    ]


@contextlib.contextmanager
def log_file(path, *names):
    """Append what the loggers called `names` say to a file, from `about()` on; an error that ends
    the work as well."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(path, encoding="utf-8", errors="backslashreplace")
    for line in about():
        handler.stream.write(line + "\n")
    handler.flush()
    loggers = [logging.getLogger(name) for name in names]
    for logger in loggers:
        logger.addHandler(handler)
    try:
        yield
    except BaseException as error:
        handler.stream.write(f"ended by {type(error).__name__}: {error}\n")
        raise
    finally:
        for logger in loggers:
            logger.removeHandler(handler)
        handler.close()
