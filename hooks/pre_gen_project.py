"""Refuses answers that would write a broken project, all of them in one message."""

import json
import re
import sys
from pathlib import Path

# tojson writes quotes, < and > as escapes, so that no answer can break this literal.
ANSWERS = json.loads(r"""{{ cookiecutter | tojson }}""")

# The texts land inside quoted strings of pyproject.toml.
SPOILS_A_STRING = re.compile(r'["\\\x00-\x1f\x7f\u0085\u2028\u2029]')


def complaints(answers):
    """Yields a line for each answer that cannot be used."""
    repo_name = answers["repo_name"]
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}", repo_name):
        yield (
            f"repo_name {repo_name!r} cannot name the folder: use letters, digits, - and _ only, "
            "with a letter or a digit first, 100 at most (separation-experiments)"
        )
    for key in ("project_name", "author_name", "description"):
        answer = answers[key]
        if not answer.strip():
            yield f"{key} is empty"
        elif SPOILS_A_STRING.search(answer):
            yield (
                f"{key} {answer!r} would break pyproject.toml: "
                "leave out double quotes, backslashes and line breaks"
            )
        elif any("{" + sign in answer for sign in "#%{"):
            yield f"{key} {answer!r} looks like a template: leave out the braces"


def main():
    found = list(complaints(ANSWERS))
    if found:
        sys.exit("\n".join(["No project was written:", *(f"  - {line}" for line in found)]))
    if not any(Path.cwd().iterdir()):
        # post_gen_project.py tidies up new folders only: in a project that is written over, data
        # and results are the user's.
        Path(".new-project").touch()


main()
