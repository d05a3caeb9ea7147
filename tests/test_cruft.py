"""Projects follow the template by cruft: create, check, update."""

import shutil

from conftest import FOLDER


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
