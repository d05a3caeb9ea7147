"""Pipelines: what runs, in which order, why, and what happens when something goes wrong."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import forks
import pytest
import yaml
from others import wait_until
from quick_steps import Quick, experiment, go, read, write

import provenance
import scripts.common
from config import Config, ConfigError
from errors import Interrupted, UserError
from orchestration import pipeline, records, traces
from orchestration.launchers import error_of
from scripts import pipeline as script

PROJECT = Path(__file__).parents[1]


@pytest.fixture
def three(tmp_path):
    """The file of a pipeline: train, evaluate, analyze."""
    file = str(experiment(tmp_path))
    comparison = {"info.output_folder": str(tmp_path / "comparison")}
    steps = {
        "analyze": {"script": "analyze", "config": file, "needs": ["evaluate"], "with": comparison},
        "train": {"script": "train", "config": file},
        "evaluate": {"script": "evaluate", "config": file, "needs": ["train"]},
    }
    return write(tmp_path, steps)


def edit(path, key, value):
    """Change a file's value at a dotted key."""
    plain = yaml.safe_load(path.read_text())
    *parents, last = key.split(".")
    inner = plain
    for parent in parents:
        inner = inner.setdefault(parent, {})
    inner[last] = value
    path.write_text(yaml.safe_dump(plain))


def reasons(path):
    return pipeline.Pipeline(*read(path)).plan()


def test_steps_run_in_the_order_of_their_needs_and_then_nothing_is_left_to_do(three, tmp_path):
    assert go(three) == ["train", "evaluate", "analyze"]
    assert (tmp_path / "small" / "logs" / "train.log").read_text() == "this is train\n"
    assert set(reasons(three).values()) == {""}
    assert go(three) == []


def test_a_key_that_only_one_step_reads_runs_it_and_what_depends_on_it(three, tmp_path):
    go(three)
    edit(tmp_path / "small.yml", "evaluate.num_items", 3)
    plan = reasons(three)
    assert plan == {
        "train": "",
        "evaluate": "evaluate.num_items was 2, is now 3",
        "analyze": "after evaluate",
    }
    # what it writes is the same as before, so that nothing changes for the comparison
    assert go(three) == ["evaluate"]
    edit(tmp_path / "small.yml", "info.notes", "that no result depends on")
    assert go(three) == []


def test_an_output_that_is_gone_or_another_is_made_again(three, tmp_path):
    go(three)
    best = tmp_path / "small" / "checkpoints" / "best.model.pth"
    best.unlink()
    assert reasons(three)["train"] == f"{best}, which it wrote, is missing now"
    assert go(three) == ["train"]
    table = tmp_path / "small" / "evaluation" / "test" / "table.md"
    table.write_text("by hand")
    assert reasons(three)["evaluate"] == f"{table}, which it wrote, is another file now"
    assert go(three) == ["evaluate"] and table.read_text() == "evaluate"
    assert not (tmp_path / "pipeline" / "replaced").exists()


@pytest.mark.parametrize("name", ["checkpoints/best.model.pth", "history.csv"])
def test_a_training_run_with_another_file_in_its_place_is_moved_away_and_trained_anew(
    three, tmp_path, name
):
    go(three)
    (tmp_path / "small" / name).write_text("foreign")
    assert go(three) == ["train", "evaluate"]
    moved = tmp_path / "pipeline" / "replaced" / "train_1"
    assert (moved / name).read_text() == "foreign"
    assert (tmp_path / "small" / name).read_text() == "train"
    assert go(three) == []


def test_the_job_of_a_step_that_is_done_is_not_taken_for_one_that_runs(three, tmp_path):
    class Jobs(Quick):
        def start(self, command, log, locks=()):
            process = super().start(command, log, locks)
            process.job = {"id": log.stem}
            return process

        def attach(self, job):
            attached.append(job)
            return None

    attached = []
    go(three, Jobs())
    (tmp_path / "small" / "evaluation" / "test" / "table.md").unlink()
    assert go(three, Jobs()) == ["evaluate"] and attached == []


def test_code_and_versions_of_packages_count(three, monkeypatch):
    go(three)
    code = provenance.digest_of
    changed = lambda parts: "other" if parts == ["evaluation"] else code(parts)  # noqa: E731
    monkeypatch.setattr(provenance, "digest_of", changed)
    assert reasons(three) == {
        "train": "",
        "evaluate": "the code in evaluation is different",
        "analyze": "the code in evaluation is different",
    }
    monkeypatch.setattr(provenance, "digest_of", code)
    versions = pipeline.records.versions()
    monkeypatch.setattr(pipeline.records, "versions", lambda: {**versions, "torch": "0.1"})
    assert reasons(three)["train"] == f"torch was {versions['torch']}, is now 0.1"


def test_a_file_that_a_config_names_is_followed_by_its_content(tmp_path):
    file = experiment(tmp_path)
    data = tmp_path / "data"
    data.mkdir()
    (data / "manifest.json").write_text("{}")
    path = write(tmp_path, {"train": {"script": "train", "config": str(file)}})
    assert go(path) == ["train"]
    (data / "manifest.json").write_text("{}")  # only its time is another
    assert go(path) == []
    (data / "manifest.json").write_text('{"a": 1}')
    assert reasons(path)["train"] == f"{data / 'manifest.json'} is another file now"
    assert go(path) == ["train"]
    assert (tmp_path / "pipeline" / "replaced" / "train_1").is_dir()  # not resumed with other data
    (data / "manifest.json").write_text('{"a": 2}')  # of the same size
    assert go(path) == ["train"]


def test_another_training_leaves_the_earlier_one_beside_it(three, tmp_path):
    go(three)
    (tmp_path / "small" / "evaluation" / "mine.txt").write_text("kept")
    edit(tmp_path / "small.yml", "train.epochs", 5)  # with which a training run is resumed
    assert go(three)[0] == "train" and not (tmp_path / "pipeline" / "replaced").exists()
    edit(tmp_path / "small.yml", "train.batch_size", 3)
    assert go(three) == ["train", "evaluate"]
    moved = tmp_path / "pipeline" / "replaced" / "train_1"
    assert (moved / "evaluation" / "mine.txt").read_text() == "kept"
    assert (moved / "checkpoints" / "best.model.pth").exists()


def test_a_failed_step_stops_only_what_needs_it(tmp_path):
    a, b = str(experiment(tmp_path, "a")), str(experiment(tmp_path, "b"))
    path = write(
        tmp_path,
        {
            "a": {"script": "train", "config": a},
            "score a": {"script": "evaluate", "config": a, "needs": ["a"]},
            "b": {"script": "train", "config": b},
            "score b": {"script": "evaluate", "config": b, "needs": ["b"]},
        },
    )
    launcher = Quick(status={"a": 1})
    with pytest.raises(UserError, match="1 of 4 steps failed: a; not run, .* need it: score a$"):
        go(path, launcher)
    assert sorted(launcher.started) == ["a", "b", "score b"]
    assert reasons(path)["a"] == "it failed (exit status 1)"
    assert go(path) == ["a", "score a"]


def test_a_training_that_was_stopped_is_resumed_by_the_next_run(three):
    with pytest.raises(Interrupted, match="the same command resumes") as caught:
        go(three, Quick(status={"train": 75}))
    assert caught.value.status == 75
    assert reasons(three)["train"] == "it was stopped before it was done"
    assert go(three) == ["train", "evaluate", "analyze"]


def test_independent_steps_run_side_by_side(tmp_path):
    files = [str(experiment(tmp_path, name)) for name in "abc"]
    steps = {name: {"script": "train", "config": f} for name, f in zip("abc", files, strict=True)}

    class Watching(Quick):
        """Its steps wait until as many have been started as may run side by side."""

        def start(self, command, log, locks=()):
            process = super().start(command, log, locks)
            together.append(process)
            running.append(sum(one.poll() is None for one in together))
            if len(together) >= most:
                enough.touch()
            return process

    for most in (1, 2, 3):
        shutil.rmtree(tmp_path / "pipeline", ignore_errors=True)
        together, running, enough = [], [], tmp_path / f"enough{most}"
        launcher = Watching(seconds=dict.fromkeys("abc", 0.1), until=enough)
        go(write(tmp_path, steps, parallel=most), launcher)
        assert max(running) == most and len(running) == 3


def test_sigterm_stops_the_running_step_and_the_next_run_goes_on(three):
    launcher = Quick(seconds={"evaluate": 60})
    killer = threading.Thread(
        target=lambda: (
            wait_until(lambda: "evaluate" in launcher.started),
            os.kill(os.getpid(), signal.SIGTERM),
        )
    )
    killer.start()
    with pytest.raises(Interrupted, match="stopped by SIGTERM"):
        go(three, launcher)
    killer.join()
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    assert reasons(three)["train"] == ""
    assert go(three) == ["evaluate", "analyze"]


@pytest.mark.slow
def test_killed_at_ten_moments_the_end_is_the_same(three, tmp_path):
    """In a process of its own, whose steps are quick; its step outlives it for a moment."""
    for moment in range(10):
        process = forks.start("quick_steps", three)
        time.sleep(0.08 * (moment + 1))
        process.kill()
        process.communicate()
    go(three)
    assert set(reasons(three).values()) == {""}
    for name in ("checkpoints/best.model.pth", "evaluation/test/scores.csv"):
        assert (tmp_path / "small" / name).exists()


def test_two_runs_of_a_pipeline_do_not_mix(three):
    class Again(Quick):
        def start(self, command, log, locks=()):
            with pytest.raises(UserError, match="another run of this pipeline is active"):
                go(three)
            return super().start(command, log, locks)

    go(three, Again())


def test_what_differs_from_a_file_is_in_a_file_of_its_own(tmp_path):
    file = str(experiment(tmp_path))
    changes = {"train.epochs": 7, "info.output_folder": str(tmp_path / "other")}
    steps = {"train": {"script": "train", "config": file, "with": changes}}
    path = write(tmp_path, steps)
    go(path)
    written = yaml.safe_load((tmp_path / "pipeline" / "configs" / "train.yml").read_text())
    assert written["train"]["epochs"] == 7 and written["info"]["name"] == "small"
    assert (tmp_path / "other" / "history.csv").exists()


WRONG = {
    "script: trian": ".steps.a.script: there is no scripts/trian.py; did you mean 'train'?",
    "config: nothing.yml": ".steps.a.config: there is no file nothing.yml; a path starts at",
    "needs: [c]": ".steps.a.needs[0]: there is no step 'c'; the steps are a, b",
    "needs: [b]": ".steps.a.needs: a needs b needs a: a cycle; remove one of these",
    "with: {train.epoch: 3}": ": train.epoch: there is no such key here; did you mean 'epochs'?",
    "with: {train.epochs: x}": ": train.epochs: must be a whole number, found the text 'x'",
    "script: separate": ": separate: is missing, scripts.separate needs it",
}


@pytest.mark.parametrize("line", WRONG)
def test_what_is_wrong_is_one_message_before_anything_runs(tmp_path, line):
    file = str(experiment(tmp_path))
    other = {"info.output_folder": str(tmp_path / "b")}
    step = {"script": "train", "config": file, **yaml.safe_load(line)}
    steps = {"a": step, "b": {"script": "train", "config": file, "needs": ["a"], "with": other}}
    path = write(tmp_path, steps)
    with pytest.raises(ConfigError) as caught:
        read(path)
    (problem,) = caught.value.problems
    assert WRONG[line] in str(problem)
    where = file if "is missing" in str(problem) else path
    assert str(problem).startswith(f"{where}:")


def test_steps_that_write_the_same_files_are_refused(tmp_path):
    file = str(experiment(tmp_path))
    step = {"script": "train", "config": file}
    with pytest.raises(ConfigError, match=r"steps.b: writes .*best.model.pth, as 'a' does"):
        read(write(tmp_path, {"a": step, "b": step}))
    path = write(tmp_path, {"a": step})
    edit(path, "info.output_folder", str(tmp_path / "small" / "inside"))
    with pytest.raises(ConfigError, match="is the folder of the step 'a', which is moved"):
        read(path)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_pipeline_that_runs_itself_is_refused_before_anything_runs(tmp_path, count):
    folders = [tmp_path / str(number) for number in range(count)]
    for number, folder in enumerate(folders):
        folder.mkdir()
        after = folders[(number + 1) % count] / "pipeline.yml"
        write(folder, {"again": {"script": "pipeline", "config": str(after)}})
    files = [str(folder / "pipeline.yml") for folder in [*folders, folders[0]]]
    with pytest.raises(ConfigError) as caught:
        read(Path(files[0]))
    (problem,) = caught.value.problems
    assert problem.key == "pipeline.steps.again.config"
    assert problem.message == f"{' runs '.join(files)}: a cycle; remove one of these"


def test_the_script_only_says_what_it_would_do_if_it_is_asked_for_a_plan(three, caplog):
    edit(three, "pipeline.plan", True)
    with caplog.at_level("INFO"):
        scripts.common.run(script.main, "", script.NEEDS, ["-p", str(three)])
    assert "train     to run: it was not run here yet" in caplog.text
    assert not (three.parent / "pipeline").exists()


def test_a_wrong_argument_of_a_late_step_is_found_before_the_first_runs(three, tmp_path, capsys):
    edit(three, "pipeline.steps.evaluate.with", {"algorithm.args.num_source": 2})
    with pytest.raises(SystemExit) as leaving:
        scripts.common.run(script.main, "", script.NEEDS, ["-p", str(three)])
    assert "algorithm.args.num_source: DeepClustering has no argument" in str(leaving.value)
    assert not (tmp_path / "small").exists()


SHIPPED = ["compare_models", "musdb18", "sample"]


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_pipeline_runs_in_order(name, tmp_path, monkeypatch):
    monkeypatch.setenv("ARTIFACTS_DIRECTORY", str(tmp_path / "artifacts"))
    monkeypatch.setenv("DATA_DIRECTORY", str(tmp_path / "data"))
    monkeypatch.setenv("CACHE_DIRECTORY", str(tmp_path / "cache"))
    path = PROJECT / "pipelines" / f"{name}.yml"
    started, (_, steps) = go(path), read(path)
    assert sorted(started) == sorted(steps)
    for step in steps.values():
        assert all(started.index(need) < started.index(step.name) for need in step.needs)
    assert go(path) == []


@pytest.mark.slow
def test_a_real_pipeline_killed_in_its_training_ends_as_if_it_had_not_been(tmp_path, sample_folder):
    """Train and evaluate for real; the second run finds all done, without importing torch."""
    (tmp_path / "data").symlink_to(sample_folder)  # what other tests have rendered
    file = experiment(tmp_path, epochs=3, excerpts_per_epoch=40, batch_size=4, segment=0.3)
    edit(file, "train.checkpoint_every", 1)
    edit(file, "evaluate.baselines", [])
    edit(file, "evaluate.page_items", 0)
    steps = {
        "train": {"script": "train", "config": str(file)},
        "evaluate": {"script": "evaluate", "config": str(file), "needs": ["train"]},
    }
    path = write(tmp_path, steps)
    command = [sys.executable, "-m", "scripts.pipeline", "-p", str(path)]
    process = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.DEVNULL)
    wait_until((tmp_path / "small" / "checkpoints" / "latest.pth").exists)
    process.kill()
    process.wait()
    done = subprocess.run(command, cwd=PROJECT, text=True, capture_output=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "evaluate: done" in done.stdout
    assert (tmp_path / "small" / "evaluation" / "test" / "table.md").exists()
    program = (
        "import runpy, sys; sys.argv = ['pipeline', '-p', sys.argv[1]]\n"
        "runpy.run_module('scripts.pipeline', run_name='__main__')\n"
        "print('imported', *({'torch', 'nussl', 'librosa'} & {*sys.modules}))"
    )
    again = subprocess.run(
        [sys.executable, "-c", program, path], cwd=PROJECT, text=True, capture_output=True
    )
    assert again.stdout.count("up to date") == 2 and again.stdout.endswith("imported\n")


@pytest.mark.parametrize(
    "said, words",
    [
        ("a\nb\nerror: the loss is nan\n", "error: the loss is nan"),
        ("error: of a file\na\nerror: 2 of 3:\n  x\n  y\n  z\n", "error: 2 of 3:\n  x\n  y\n  z"),
        ("a\nb\n\nc\n", "b\nc"),
        ("", ""),
    ],
)
def test_of_a_script_that_failed_its_whole_error_is_shown(tmp_path, said, words):
    (tmp_path / "log").write_text(said)
    assert error_of(tmp_path / "log", 2) == words


@pytest.mark.parametrize(
    ("part", "key", "is_another"),
    [
        ("settings", "train.epochs", False),
        ("settings", "train.batch_size", True),
        ("inputs", "a.wav", True),
        ("code", "training", True),
        ("versions", "torch", True),
    ],
)
def test_a_training_is_resumed_if_nothing_but_its_length_and_the_like_has_changed(
    part, key, is_another
):
    before = {name: {key: "one"} for name in ("settings", "inputs", "code", "versions")}
    before["settings"] = {key if part == "settings" else "train.epochs": "one"}
    now = before | {part: dict.fromkeys([key], "another")}
    assert not records.another_training(before, before)
    assert records.another_training(before, now) == is_another
    assert len(records.differences(before, now)) == 1


def test_a_training_depends_on_its_seed_and_not_on_what_only_others_read():
    sample = {"class": "Sample", "args": dict(folder="sample")}
    plain = {
        "info": {"name": "a", "seed": 5, "output_folder": "a"},
        "datasets": {"train": sample, "val": sample, "test": sample},
        "model": {"builder": "deep_clustering"},
        "train": {"loss": dict(a={"class": "L1Loss"})},
        "evaluate": {"split": "test"},
    }
    found = traces.settings_of("train", Config.model_validate(plain))
    assert found["info.seed"] == 5 and found["train.loss.a.class"] == "L1Loss"
    assert {key.split(".")[0] for key in found} == {"info", "signal", "datasets", "model", "train"}
    assert not [key for key in found if key.startswith("datasets.test")]
