"""Refuse answers that would make a broken project, all in one message."""

import json
import re
import sys
from pathlib import Path

# tojson escapes quotes, < and >, so that no answer can break this literal
ANSWERS = json.loads(r"""{{ cookiecutter | tojson }}""")

# answers become quoted strings in pyproject.toml, which these characters would break
UNQUOTABLE = re.compile(r'["\\\x00-\x1f\x7f\u0085\u2028\u2029]')


def problems(answers):
    """Yield a message for each answer that cannot be used."""
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
        elif UNQUOTABLE.search(answer):
            yield (
                f"{key} {answer!r} would break pyproject.toml: "
                "leave out double quotes, backslashes and line breaks"
            )
        elif any("{" + sign in answer for sign in "#%{"):  # Jinja would interpret it
            yield f"{key} {answer!r} looks like a template: leave out the braces"


def main():
    found = list(problems(ANSWERS))
    if found:
        sys.exit("\n".join(["No project was written:", *(f"  - {line}" for line in found)]))
    if not any(Path.cwd().iterdir()):
        # post_gen_project.py cleans new folders only: the files of an existing project are the
        # user's
        Path(".new-project").touch()


main()
