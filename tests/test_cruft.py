"""Projects follow the template by cruft: create, check, update."""

import shutil

from conftest import FOLDER, REPOSITORY, files_of

# where the project starts as long as there is no release before this commit
EARLIER = "90578b2b18731fc5a19ab3751b065c1d2884f8c3"
OWN = {
    "experiments/mine.yml": "include: demo_quick.yml\n"
    "info: {name: mine, output_folder: artifacts/mine}\n"
    "datasets: {train: {args: {num_songs: 1}}}\n",
    "my_losses.py": '"""A loss of mine."""\n',
}


def test_a_project_of_the_last_release_follows_the_next_and_keeps_its_own(template, tmp_path, run):
    clone, project = tmp_path / "template", tmp_path / "work" / "source-separation"
    project.parent.mkdir()

    def must(*command, cwd, code=0):
        ended, said = run(*command, cwd=cwd)
        assert ended == code, said
        return said

    def commit(folder, message):
        must("git", "add", "--all", cwd=folder)
        must("git", "commit", "--quiet", "--message", message, cwd=folder)

    releases = ("git", "log", "-1", "--format=%H", "--grep=^Release [0-9]", "HEAD^")
    code, said = run(*releases, cwd=REPOSITORY)
    last = said.strip() if code == 0 and said.strip() else EARLIER
    if run("git", "cat-file", "-e", f"{last}^{{commit}}", cwd=REPOSITORY)[0] == 0:
        must("git", "clone", "--quiet", "--no-checkout", REPOSITORY, clone, cwd=tmp_path)
        must("git", "checkout", "--quiet", "-b", "releases", last, cwd=clone)
    else:  # a shallow clone, or a copy without history
        shutil.copytree(template, clone)
        must("git", "init", "--quiet", cwd=clone)
        commit(clone, "The template")
    must("python", "-m", "cruft", "create", clone, "--no-input", cwd=project.parent)

    for name, text in OWN.items():
        (project / name).write_text(text)
    with open(project / ".gitignore", "a") as ignored:
        ignored.write("/recordings/\n")
    must("git", "init", "--quiet", cwd=project)
    commit(project, "My project")

    # the working tree as the next release, with a new answer, a changed and a new file
    must("git", "rm", "--quiet", "-r", ".", cwd=clone)
    shutil.copytree(template, clone, dirs_exist_ok=True)
    questions = clone / "cookiecutter.json"
    questions.write_text(questions.read_text().replace("{\n", '{\n    "place": "Evanston",\n', 1))
    readme = clone / FOLDER / "README.md"
    readme.write_text(readme.read_text() + "\nMade in {{ cookiecutter.place }}.\n")
    (clone / FOLDER / "model" / "newer.py").write_text('"""New."""\n')
    commit(clone, "The next release")

    must("python", "-m", "cruft", "check", cwd=project, code=1)
    must("python", "-m", "cruft", "update", "--skip-apply-ask", cwd=project)
    must("python", "-m", "cruft", "check", cwd=project)
    assert (project / "README.md").read_text().endswith("\nMade in Evanston.\n")
    assert all((project / name).read_text() == text for name, text in OWN.items())
    assert "/recordings/\n" in (project / ".gitignore").read_text()
    # what is not the user's is what a new project has, and no patch was left over
    paths = [path for path in project.rglob("*") if path.is_file()]
    files = {path.relative_to(project).as_posix() for path in paths}
    new = {*files_of(REPOSITORY / FOLDER), "model/newer.py", ".cruft.json"}
    assert {name for name in files if not name.startswith(".git/")} == new | {*OWN}
    said = must("python", "-m", "scripts.dry_run", "-p", "experiments/mine.yml", cwd=project)
    assert "an epoch of" in said
