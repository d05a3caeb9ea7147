"""What cookiecutter makes of the template."""

import datetime
import re
import time
import tomllib

import pytest
from conftest import FOLDER, REPOSITORY, files_of
from cookiecutter.exceptions import FailedHookException

RENDERED = {"CITATION.cff", "LICENSE", "README.md", "pyproject.toml"}
FIRST_WORDS = {
    "MIT": "MIT License",
    "BSD-3-Clause": "BSD 3-Clause License",
    "Apache-2.0": "Apache License",
}


def all_files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_project_has_exactly_the_files_that_git_lists_in_the_template_folder(project):
    assert all_files(project) == files_of(REPOSITORY / FOLDER)


def test_all_but_four_files_are_copied_byte_by_byte_with_their_mode(project):
    differ = {
        file
        for file in all_files(project)
        if (project / file).read_bytes() != (REPOSITORY / FOLDER / file).read_bytes()
    }
    assert differ == RENDERED
    for file in all_files(project):
        assert (project / file).stat().st_mode == (REPOSITORY / FOLDER / file).stat().st_mode, file


def test_no_jinja_is_left_in_a_project(project):
    for file in all_files(project):
        content = (project / file).read_bytes()
        if b"\0" in content:  # weights and pictures: any two bytes stand together somewhere
            assert file.endswith((".pth", ".png"))
            continue
        assert not re.search(rb"\{\{\s*cookiecutter|\{%", content), file
        if file in RENDERED:
            assert b"{{" not in content, file


@pytest.mark.parametrize("license", FIRST_WORDS)
def test_the_chosen_license_is_written_with_year_and_author(bake, license):
    project = bake(license=license, author_name="Ada Lovelace")
    text = (project / "LICENSE").read_text()
    assert text.split("\n\n")[0].strip().startswith(FIRST_WORDS[license])
    year = datetime.datetime.now(datetime.UTC).year
    assert re.search(rf"Copyright (\(c\) )?{year},? Ada Lovelace", text)
    assert sum(words in text for words in FIRST_WORDS.values()) == 1
    assert tomllib.loads((project / "pyproject.toml").read_text())["project"]["license"] == license


def test_without_a_license_there_is_no_license_file(bake):
    project = bake(license="No license")
    assert not (project / "LICENSE").exists()
    told = tomllib.loads((project / "pyproject.toml").read_text())["project"]["license"]
    assert told == "LicenseRef-Proprietary"


def test_answers_reach_the_project_as_they_were_given(bake):
    answers = {
        "project_name": "Müller & Søn's <mix> #1 100%",
        "repo_name": "mix_1-b",
        "author_name": "D'Arcy O'Neil, 山田 太郎 🎻",
        "description": "Voices {apart}: it's $HOME, `really`",
    }
    project = bake(**answers)
    assert project.name == "mix_1-b"
    table = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert table["description"] == answers["description"]
    assert table["authors"] == [{"name": answers["author_name"]}]
    readme = (project / "README.md").read_text(encoding="utf-8")
    assert readme.startswith(f"# {answers['project_name']}\n")
    assert answers["description"] in readme


@pytest.mark.parametrize(
    "key, answer, complaint",
    [
        ("repo_name", "my project", "repo_name 'my project' cannot name the folder"),
        ("repo_name", "-project", "with a letter or a digit first"),
        ("repo_name", "a/b", "repo_name 'a/b' cannot name the folder"),
        ("repo_name", "musikanlage-für-alle", "use letters, digits, - and _ only"),
        ("repo_name", "a" * 101, "100 at most"),
        ("author_name", 'The "Band"', "author_name 'The \"Band\"' would break pyproject.toml"),
        ("author_name", " ", "author_name is empty"),
        ("description", "one\ntwo", "description 'one\\ntwo' would break pyproject.toml"),
        ("description", "C:\\audio", "leave out double quotes, backslashes and line breaks"),
        ("project_name", '"""', 'project_name \'"""\' would break pyproject.toml'),
    ],
)
def test_a_bad_answer_is_refused_by_name_and_nothing_is_written(
    bake, capfd, tmp_path, key, answer, complaint
):
    with pytest.raises(FailedHookException):
        bake(**{"repo_name": "fine", key: answer})
    assert complaint in capfd.readouterr().err
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_all_bad_answers_are_refused_in_one_message(bake, capfd):
    with pytest.raises(FailedHookException):
        bake(repo_name="a b", author_name="", description='"')
    message = capfd.readouterr().err.split("\n")
    assert message[0] == "No project was written:"
    assert [line.split()[1] for line in message[1:4]] == ["repo_name", "author_name", "description"]


def test_cookiecutter_of_the_clone_works_without_a_question_and_shows_the_next_steps(
    template, tmp_path, run
):
    code, said = run("python", "-m", "cookiecutter", template, "--no-input", cwd=tmp_path)
    assert code == 0, said
    project = tmp_path / "source-separation"
    assert f"Source Separation is in {project}" in said
    for step in (f"cd {project}", "make install", "scripts.visualize", "make test"):
        assert step in said


def test_litter_of_the_template_folder_does_not_get_into_a_new_project(bake, template, tmp_path):
    clean = all_files(bake(repo_name="clean"))
    folder = template / FOLDER
    litter = [
        "model/__pycache__/a.pyc",
        ".venv/bin/python",
        "data/sample/mix.wav",
        "artifacts/run/model.pth",
        "output/viz/viz.png",
        ".ruff_cache/0.1/123",
        "cache/numba/core/a.nbi",
    ]
    for name in litter:
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_bytes(b"\x9a{{ no template" if "cache" in name else b"litter")
    try:
        assert all_files(bake(repo_name="littered")) == clean
    finally:
        for name in litter:
            (folder / name).unlink()
            for parent in (folder / name).parents:
                if parent == folder or any(parent.iterdir()):
                    break
                parent.rmdir()


def test_a_project_that_is_written_over_keeps_its_data_and_results(bake):
    project = bake(repo_name="again")
    kept = [project / "data/song.wav", project / "artifacts/model.pth", project / "model/mine.py"]
    for path in kept:
        path.parent.mkdir(exist_ok=True)
        path.write_text("mine")
    bake(repo_name="again", again=True)
    assert [path.read_text() for path in kept] == ["mine"] * 3


def test_the_project_and_the_template_have_a_clean_style(project, run):
    for folder in (project, REPOSITORY):
        code, said = run(
            "python",
            "-m",
            "ruff",
            "check",
            "--no-cache",
            "--quiet",
            "--output-format",
            "concise",
            ".",
            cwd=folder,
        )
        assert code == 0, said


def test_a_project_passes_its_own_tests(project_tests, capfd):
    """Their output is shown as they run: it is the larger part of what `make test` tests."""
    process, output = project_tests
    with capfd.disabled(), open(output) as printed:
        print("\n\nThe tests of a new project, which have run from the start:\n", flush=True)
        running = True
        while running:
            running = process.poll() is None  # asked first, so that nothing is left unread
            print(printed.read(), end="", flush=True)
            time.sleep(0.5 if running else 0)
    assert process.returncode == 0, "tests of the new project failed: see their output above"
