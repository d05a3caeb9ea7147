"""Projects follow the template by cruft: create, check, update."""

import shutil

import pytest
from conftest import FOLDER, REPOSITORY, files_of


def test_a_project_follows_a_change_of_the_template_and_keeps_its_own(template, tmp_path, run):
    clone, work = tmp_path / "template", tmp_path / "work"
    shutil.copytree(template, clone)
    work.mkdir()

    def git(folder, *words):
        code, said = run("git", *words, cwd=folder)
        assert code == 0, said

    def cruft(*words, cwd, code=0):
        ended, said = run("python", "-m", "cruft", *words, cwd=cwd)
        assert ended == code, said

    def commit(folder, message):
        git(folder, "add", "--all")
        git(folder, "commit", "--quiet", "--message", message)

    git(clone, "init", "--quiet")
    commit(clone, "The template")
    cruft("create", clone, "--no-input", cwd=work)
    project = work / "source-separation"
    cruft("check", cwd=project)
    git(project, "init", "--quiet")
    commit(project, "The project")

    # the user's own change, and a new answer, a changed and a new file in the template
    config = project / "best_model" / "config.yml"
    config.write_text(config.read_text() + "# mine\n")
    commit(project, "My change")
    questions = clone / "cookiecutter.json"
    questions.write_text(questions.read_text().replace("{\n", '{\n    "place": "Evanston",\n', 1))
    readme = clone / FOLDER / "README.md"
    readme.write_text(readme.read_text() + "\nMade in {{ cookiecutter.place }}.\n")
    (clone / FOLDER / "model" / "newer.py").write_text('"""New."""\n')
    commit(clone, "A newer template")

    cruft("check", cwd=project, code=1)
    cruft("update", "--skip-apply-ask", cwd=project)
    cruft("check", cwd=project)
    assert (project / "README.md").read_text().endswith("\nMade in Evanston.\n")
    assert (project / "model" / "newer.py").read_text() == '"""New."""\n'
    assert config.read_text().endswith("# mine\n")


# where the project starts as long as the repository has no tag
EARLIER = "90578b2b18731fc5a19ab3751b065c1d2884f8c3"
OWN = {
    "experiments/mine.yml": "include: demo_quick.yml\n"
    "info: {name: mine, output_folder: artifacts/mine}\n"
    "datasets: {train: {args: {num_songs: 1}}}\n",
    "my_losses.py": '"""A loss of mine."""\n',
}


def test_a_project_of_the_last_release_is_updated_and_runs(template, tmp_path, run):
    clone, project = tmp_path / "template", tmp_path / "work" / "source-separation"
    project.parent.mkdir()

    def must(*command, cwd):
        code, said = run(*command, cwd=cwd)
        assert code == 0, said
        return said

    code, said = run("git", "describe", "--tags", "--abbrev=0", cwd=REPOSITORY)
    last = said.strip() if code == 0 else EARLIER
    if run("git", "cat-file", "-e", f"{last}^{{commit}}", cwd=REPOSITORY)[0]:
        pytest.skip(f"{last} is not in this clone")
    must("git", "clone", "--quiet", "--no-checkout", REPOSITORY, clone, cwd=tmp_path)
    must("git", "checkout", "--quiet", "-b", "releases", last, cwd=clone)
    must("python", "-m", "cruft", "create", clone, "--no-input", cwd=project.parent)

    for name, text in OWN.items():
        (project / name).write_text(text)
    with open(project / ".gitignore", "a") as ignored:
        ignored.write("/recordings/\n")
    must("git", "init", "--quiet", cwd=project)
    must("git", "add", "--all", cwd=project)
    must("git", "commit", "--quiet", "--message", "Mine", cwd=project)

    must("git", "rm", "--quiet", "-r", ".", cwd=clone)
    shutil.copytree(template, clone, dirs_exist_ok=True)
    must("git", "add", "--all", cwd=clone)
    must("git", "commit", "--quiet", "--message", "The next release", cwd=clone)
    must("python", "-m", "cruft", "update", "--skip-apply-ask", cwd=project)
    must("python", "-m", "cruft", "check", cwd=project)
    assert not [*project.rglob("*.rej"), *project.rglob("*.orig")]
    assert all((project / name).read_text() == text for name, text in OWN.items())
    assert "/recordings/\n" in (project / ".gitignore").read_text()

    # what is not the user's is what a new project has
    files = {path.relative_to(project).as_posix() for path in project.rglob("*") if path.is_file()}
    own = {*OWN, ".cruft.json"}
    assert {name for name in files if not name.startswith(".git/")} - own == {
        *files_of(REPOSITORY / FOLDER)
    }
    said = must("python", "-m", "scripts.dry_run", "-p", "experiments/mine.yml", cwd=project)
    assert "an epoch of" in said
