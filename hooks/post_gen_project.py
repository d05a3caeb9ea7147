"""Clean a new project of files that do not belong to it, and print the next steps."""

import json
import shlex
import shutil
from pathlib import Path

ANSWERS = json.loads(r"""{{ cookiecutter | tojson }}""")


def remove_ignored_files(project):
    """Remove what .gitignore names. Work in the template's folder leaves caches, data and results
    there, and cookiecutter copies all files."""
    for line in (project / ".gitignore").read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        pattern = line.strip("/")
        found = project.glob(pattern) if line.startswith("/") else project.rglob(pattern)
        for path in list(found):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            elif path.is_symlink() or path.exists():  # otherwise it was removed with its folder
                path.unlink()


def next_steps(project):
    """The text that is printed at the end."""
    return f"""
{ANSWERS["project_name"]} is in {project}

    cd {shlex.quote(str(project))}
    make install       # once: creates the environment in .venv (make poetry: with Poetry)
    .venv/bin/python -m scripts.visualize -p best_model/config.yml
    make test          # the project's own tests

For more, see README.md."""


def main():
    project = Path.cwd()
    new = project / ".new-project"
    if new.exists():
        new.unlink()
        remove_ignored_files(project)
    if ANSWERS["license"] == "No license":
        (project / "LICENSE").unlink()
    print(next_steps(project))


main()
