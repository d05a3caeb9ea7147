"""Snippets that cost nothing: a stem in which the pid of the process that made it stands."""

import os


def render(name, folder, **_):
    (folder / name).mkdir(parents=True)
    (folder / name / "vocals.wav").write_text(str(os.getpid()))
