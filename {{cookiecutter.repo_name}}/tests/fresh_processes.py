"""Code in a Python process of its own, and the files that it leaves."""

import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[1]


def in_a_fresh_process(code, *args, wait=True):
    """Run `code` beside the project's modules; its output, or the process itself."""
    process = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, args)],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return process.communicate()[0] if wait else process


def bytes_of(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
