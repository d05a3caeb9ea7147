"""Benchmarks of the template: `python -m benchmarks.NAME` in the folder of the repository.

Each prints its results as they come, and writes them to a file with `--json FILE`. The exit status
is 1 if a goal is missed.
"""

import sys
from pathlib import Path

PROJECT = Path(__file__).parents[1] / "{{cookiecutter.repo_name}}"

sys.path.insert(0, str(PROJECT))  # so that benchmarks can import the project's modules
