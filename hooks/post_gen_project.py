"""Removes what does not belong into a new project, and says what to do next."""

import json
import shutil
from pathlib import Path

ANSWERS = json.loads(r"""{{ cookiecutter | tojson }}""")


def remove_litter(project):
    """Removes what .gitignore names: whoever works in the template folder leaves caches, data and
    results there, and cookiecutter copies them all."""
    for line in (project / ".gitignore").read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        pattern = line.strip("/")
        found = project.glob(pattern) if line.startswith("/") else project.rglob(pattern)
        for path in list(found):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            elif path.is_symlink() or path.exists():  # else it went with its folder
                path.unlink()


def next_steps(project):
    return f"""
{ANSWERS["project_name"]} is in {project}

    cd {project.name}
    make install       # once: the environment, in .venv (make poetry: the same, by Poetry)
    .venv/bin/python -m scripts.visualize -p best_model/config.yml
    make test          # the project's own tests

README.md tells the rest."""


def main():
    project = Path.cwd()
    new = project / ".new-project"
    if new.exists():
        new.unlink()
        remove_litter(project)
    if ANSWERS["license"] == "No license":
        (project / "LICENSE").unlink()
    print(next_steps(project))


main()
