"""Sweeps: which trials there are, that none is lost or run twice, and what is said in the end."""

import contextlib
import csv
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import types
from pathlib import Path

import pytest
import yaml
from others import wait_until
from quick_steps import experiment
from quick_sweeps import QuickTraining, go, study_of, sweep_in, write

import config
import scripts.common
from config import ConfigError
from errors import Interrupted, UserError
from experiment import check_goal
from orchestration import results, worker
from orchestration.sweep import Sweep
from scripts import sweep as script
from training import TRAINERS, Trainer

PROJECT = Path(__file__).parents[1]
RATE = "train.optimizer.args.lr"
RATES = [0.001, 0.01, 0.03]


def table(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_every_combination_and_seed_of_lists_is_trained_once(tmp_path):
    vary = {RATE: RATES, "train.batch_size": [4, 8]}
    launcher = QuickTraining()
    sweep, study, lines = go(
        write(tmp_path, vary=vary, seeds=2, workers=3), launcher, pictures=True
    )
    assert sorted(launcher.started) == [("train", f"{i:04d}", i % 2) for i in range(12)]
    rows = table(tmp_path / "sweep" / "table.csv")
    assert [float(row[RATE]) for row in rows] == [0.01, 0.01, 0.001, 0.001, 0.03, 0.03]
    # values 0 and 0.5, by hand: 0.25 +- 12.706 * 0.3536 / 1.4142
    assert float(rows[0]["mean"]) == pytest.approx(0.25)
    assert float(rows[0]["low"]) == pytest.approx(0.25 - 12.7062 * 0.25, abs=1e-4)
    best = config.load(tmp_path / "sweep" / "best.yml")
    assert best.train.optimizer.args == {"lr": 0.01}
    assert best.info.output_folder == str(tmp_path / "sweep" / "best")
    assert lines[0].splitlines()[1].split()[:4] == ["4", "0.01", "2", "0.25"]
    assert f"| {RATE} |" in (tmp_path / "sweep" / "table.md").read_text()
    pictures = {path.stem for path in (tmp_path / "sweep").glob("*.png")}
    assert pictures == {"history", "parallel_coordinates", "importances"}
    # again: nothing to do
    again = QuickTraining()
    go(write(tmp_path, vary=vary, seeds=2), again)
    assert again.started == []


def test_a_trial_is_a_folder_with_a_whole_config_of_its_own(tmp_path, recwarn):
    go(write(tmp_path, vary={RATE: [0.5]}, seeds=2), pictures=True)
    assert [one for one in recwarn if "visualization" in one.filename] == []
    for seed in (0, 1):
        folder = tmp_path / "sweep" / "trials" / f"000{seed}"
        one = config.load(folder / "trial.yml", needs=("train", "model"))
        assert (one.info.seed, one.train.optimizer.args["lr"]) == (seed, 0.5)
        assert one.info.output_folder == str(folder) and (folder / "history.csv").exists()


def test_the_rate_of_the_default_optimizer_is_varied(tmp_path):
    experiment(tmp_path)
    go(write(tmp_path, vary={RATE: [0.5]}))
    one = config.load(tmp_path / "sweep" / "trials" / "0000" / "trial.yml").train.optimizer
    assert (one.class_name, one.args) == ("Adam", {"lr": 0.5})


def test_tied_keys_change_together(tmp_path):
    vary = {f"{RATE}, train.batch_size": [[0.001, 2], [0.01, 3]], "train.gradient_clip": [None]}
    vary["train.loss"] = [{"dc": {"class": "DeepClusteringLoss"}}]
    go(write(tmp_path, vary=vary), pictures=True)
    files = [tmp_path / "sweep" / "trials" / f"000{i}" / "trial.yml" for i in (0, 1)]
    found = [config.load(file).train for file in files]
    assert [(one.optimizer.args["lr"], one.batch_size) for one in found] == [(0.001, 2), (0.01, 3)]


def test_values_that_are_no_numbers_are_written_as_in_a_file(tmp_path):
    vary = {"train.gradient_clip": [None, {"max_norm": 1.0}], "info.notes": ["a, b: c"]}
    _, _, lines = go(write(tmp_path, vary=vary))
    clips = {row["train.gradient_clip"] for row in table(tmp_path / "sweep" / "table.csv")}
    assert clips == {"null", '{"max_norm": 1.0}'}
    assert "not drawn" not in lines[0] and "json:" not in lines[0]
    best = config.load(tmp_path / "sweep" / "best.yml")
    assert best.train.gradient_clip is None and best.info.notes == "a, b: c"


def test_distributions_are_sampled_as_often_as_asked_and_seeds_are_averaged(tmp_path):
    vary = {RATE: {"log_uniform": [1e-3, 1e-1]}, "train.batch_size": {"int": [2, 9]}}
    path = write(tmp_path, vary=vary, trials=5, seeds=2, sampler={"class": "RandomSampler"})
    sweep, study, _ = go(path, pictures=True)
    trials = study.trials()
    assert len(trials) == 5 and len({trial.params[RATE] for trial in trials}) == 5
    for trial in trials:
        assert 1e-3 <= trial.params[RATE] <= 1e-1 and 2 <= trial.params["train.batch_size"] <= 9
        expected = abs(trial.params[RATE] - 0.01) * 100 + 0.25
        assert trial.value == pytest.approx(expected)
        assert set(trial.user_attrs["values"]) == {"0", "1"}
    # more of them later
    _, study, _ = go(
        write(tmp_path, vary=vary, trials=7, seeds=2, sampler={"class": "RandomSampler"})
    )
    assert [trial.user_attrs["slot"] for trial in study.trials()] == [*range(7)]


@pytest.mark.parametrize(
    "sampler",
    [
        None,
        {"class": "RandomSampler"},
        {"class": "RandomSampler", "args": {"seed": 1}},
        {"class": "TPESampler", "args": {"seed": 2**32 - 1}},
        {"class": "QMCSampler", "args": {"seed": 1, "scramble": True}},
    ],
)
def test_trials_that_start_at_the_same_time_draw_other_values(tmp_path, sampler):
    vary = {RATE: {"log_uniform": [1e-3, 1e-1]}}
    study = study_of(sweep_in(write(tmp_path, vary=vary, trials=4, sampler=sampler, heartbeat=100)))
    claimed = [study.claim() for _ in range(4)]
    assert len({one.values[RATE] for one in claimed}) == 4
    assert study.claim() is None


def test_a_sampler_without_a_seed_has_that_of_the_sweep(tmp_path):
    vary, drawn = {RATE: {"uniform": [1e-3, 1e-1]}}, []
    for name in ("one", "again"):
        path = write(tmp_path, name, vary=vary, trials=1, sampler={"class": "TPESampler"})
        drawn.append(study_of(sweep_in(path)).claim().values)
    assert drawn[0] == drawn[1]


def test_a_score_of_evaluate_is_the_greater_the_better(tmp_path):
    launcher = QuickTraining()
    go(write(tmp_path, vary={RATE: RATES}, goal="si_sdr"), launcher, pictures=True)
    assert [one[0] for one in launcher.started] == ["train", "evaluate"] * 3
    rows = table(tmp_path / "sweep" / "table.csv")
    assert [float(row["mean"]) for row in rows] == pytest.approx([0, -0.9, -2])
    pictures = {path.stem for path in (tmp_path / "sweep").glob("*.png")}
    assert pictures == {"history", "curve"}


def test_a_failed_trial_is_kept_with_its_message_and_the_others_go_on(tmp_path):
    path = write(tmp_path, vary={"train.batch_size": [4, 13, 8]})
    _, study, lines = go(path, pictures=True)
    assert [trial.state.name for trial in study.trials()] == ["COMPLETE", "FAIL", "COMPLETE"]
    message = "scripts.train (exit status 1): error: the loss is NaN"
    assert f"trial 1 failed: {message}" in lines
    assert table(tmp_path / "sweep" / "trials.csv")[1]["message"] == message
    again = QuickTraining()
    go(path, again)
    assert again.started == []


def test_a_trial_without_a_score_has_failed_and_the_others_go_on(tmp_path):
    path = write(tmp_path, vary={"train.batch_size": [14, 4]}, goal="si_sdr")
    _, study, lines = go(path)
    assert [trial.state.name for trial in study.trials()] == ["FAIL", "COMPLETE"]
    message = "sweep.goal: no epoch or item has a finite value of si_sdr; choose another"
    assert f"trial 0 failed: {message}" in lines


def test_a_trial_whose_loss_is_not_finite_has_failed_and_the_others_go_on(tmp_path):
    path = write(tmp_path, vary={"train.batch_size": [15, 4]})
    _, study, lines = go(path)
    assert [trial.state.name for trial in study.trials()] == ["FAIL", "COMPLETE"]
    message = "sweep.goal: no epoch or item has a finite value of val_loss; found nan; choose"
    assert f"trial 0 failed: {message} another" in lines


def test_an_output_folder_that_cannot_be_written_is_one_message(tmp_path):
    (tmp_path / "sweep").write_text("a file")
    with pytest.raises(UserError, match="sweep: cannot be written .*; choose another info.output"):
        go(write(tmp_path, vary={"train.batch_size": [4]}))


def test_trials_that_are_worse_than_the_median_are_ended_early(tmp_path):
    pruner = {"class": "MedianPruner", "args": {"n_startup_trials": 2, "n_warmup_steps": 0}}
    vary = {RATE: [0.01, 0.011, 0.5, 0.0101]}
    path = write(tmp_path, vary=vary, pruner=pruner)
    _, study, _ = go(path, QuickTraining(lingers=0.5), pictures=True)
    states = [trial.state.name for trial in study.trials()]
    assert states == ["COMPLETE", "COMPLETE", "PRUNED", "COMPLETE"]
    rows = table(tmp_path / "sweep" / "trials.csv")
    assert [row["state"] for row in rows] == ["done", "done", "ended early", "done"]
    assert float(rows[2]["val_loss"]) == pytest.approx(51)  # of its first epoch


def test_another_sweep_in_the_same_folder_is_refused(tmp_path):
    go(write(tmp_path, vary={RATE: [0.1]}))
    with pytest.raises(UserError) as caught:
        go(write(tmp_path, vary={RATE: [0.1, 0.2]}))
    assert "holds a sweep that was started with other settings" in str(caught.value)
    assert f"sweep.vary.{RATE}[1] was null, is now 0.2" in str(caught.value)


def test_sigterm_queues_again_what_was_running(tmp_path):
    path = write(tmp_path, vary={RATE: RATES}, workers=2)
    launcher = QuickTraining(seconds=60)
    killer = threading.Thread(
        target=lambda: (
            wait_until(lambda: len(launcher.started) == 2),
            os.kill(os.getpid(), signal.SIGTERM),
        )
    )
    killer.start()
    with pytest.raises(Interrupted):
        go(path, launcher)
    killer.join()
    _, study, _ = go(path)
    assert [trial.value for trial in study.trials()] == pytest.approx([0.9, 0, 2])


def killed(path, storage=None):
    """Run a sweep in two processes, kill one of them in the middle: the other ends it."""
    program = (
        "import sys; sys.path[:0] = ['.', 'tests']; from quick_sweeps import *\n"
        "go(sys.argv[1], QuickTraining(seconds=float(sys.argv[2])))"
    )

    def worker(seconds):
        return subprocess.Popen([sys.executable, "-c", program, path, str(seconds)], cwd=PROJECT)

    folder = path.parent / "sweep" / "trials"
    victim = worker(600)
    wait_until((folder / "0000" / "starts.txt").exists)
    other = worker(0.2)
    wait_until((folder / "0002" / "starts.txt").exists)
    victim.kill()
    victim.wait()
    assert other.wait(600) == 0


def check_twelve(tmp_path):
    """All 12 trials are there; only the one of the killed worker was started twice."""
    starts = [
        (tmp_path / "sweep" / "trials" / f"{i:04d}" / "starts.txt").read_text().count("train")
        for i in range(12)
    ]
    assert starts == [2] + [1] * 11
    whole, _, _ = go(write(tmp_path, "whole", vary=TWELVE, seeds=2))
    for name in ("table.csv", "trials.csv"):
        assert (whole.folder / name).read_text() == (tmp_path / "sweep" / name).read_text()


TWELVE = {RATE: [0.001, 0.005, 0.01, 0.02, 0.03, 0.1]}


@pytest.mark.slow
def test_a_killed_workers_trial_is_run_again_and_none_twice(tmp_path):
    path = write(tmp_path, vary=TWELVE, seeds=2)
    killed(path)
    check_twelve(tmp_path)


@pytest.fixture
def postgres(tmp_path):
    """The URL of a PostgreSQL that this test starts and stops."""
    found = [shutil.which("pg_ctl"), *Path("/usr/lib/postgresql").glob("*/bin/pg_ctl")]
    folder = next((Path(one).resolve().parent for one in found if one), None)
    if folder is None or not (folder / "initdb").exists():
        pytest.skip("no PostgreSQL here (apt-get install postgresql)")
    pytest.importorskip("psycopg")
    as_user = {}
    if os.getuid() == 0:  # which PostgreSQL refuses
        pwd = pytest.importorskip("pwd")
        try:
            entry = pwd.getpwnam("postgres")
        except KeyError:
            pytest.skip("PostgreSQL does not run as root, and there is no user postgres")
        as_user = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    with tempfile.TemporaryDirectory(prefix="pg") as place:
        os.chmod(place, 0o777)
        data, port = f"{place}/data", 20000 + os.getpid() % 20000

        def run(*command):
            subprocess.run(command, check=True, cwd=place, stdout=subprocess.DEVNULL, **as_user)

        run(folder / "initdb", "-D", data, "-A", "trust", "-U", "sweeper", "--no-sync")
        options = f"-p {port} -k {place} -c listen_addresses=127.0.0.1 -c fsync=off"
        run(folder / "pg_ctl", "-D", data, "-w", "-o", options, "-l", f"{place}/log", "start")
        try:
            yield f"postgresql+psycopg://sweeper@127.0.0.1:{port}/postgres"
        finally:
            run(folder / "pg_ctl", "-D", data, "-m", "immediate", "stop")


@pytest.mark.slow
def test_the_same_on_postgresql(tmp_path, postgres):
    path = write(tmp_path, vary=TWELVE, seeds=2, storage=postgres)
    killed(path)
    check_twelve(tmp_path)


WRONG = {
    "vary: {train.batch: [1]}": ": train.batch: there is no such key here; did you mean 'batch_s",
    "vary: {train.batch_size: [4, 0]}": ": train.batch_size: must be at least 1, found the numb",
    "vary: {train.batch_size: [4, x]}": ": train.batch_size: must be a whole number, found the ",
    "vary: {train.batch_size: {uniform: [2, 8]}}\ntrials: 3": ": train.batch_size: must be a whol",
    "vary: {train.epochs.x: [1]}": ":8: train.epochs: must be a whole number, found the mapping",
    "vary: {train.loss.new.weight: [1]}": ":8: train.loss.new.class: is missing; add it",
    "base: experiments/dmeo.yml": "sweep.base: there is no file experiments/dmeo.yml; did you mean",
    "sampler: {class: TPE}\ntrials: 3": "sweep.sampler.class: there is no 'TPE'; did you mean 'TP",
    "pruner: {class: MedianPruner, args: {warmup: 3}}": "sweep.pruner.args.warmup: MedianPruner",
    "pruner: {class: MedianPruner}\ngoal: si_sdr": "sweep.pruner: compares epochs, which si_sdr",
}


@pytest.mark.parametrize("lines", WRONG)
def test_what_is_wrong_is_one_message_before_anything_starts(tmp_path, lines):
    settings = {"vary": {RATE: [0.1]}} | yaml.safe_load(lines)
    path = write(tmp_path, **settings)
    with pytest.raises(ConfigError) as caught:
        sweep_in(path)
    (problem,) = caught.value.problems
    assert str(problem).startswith(f"{path}:") and WRONG[lines] in str(problem)
    assert not (tmp_path / "sweep").exists()


def test_a_value_that_does_not_fit_the_base_is_named_with_the_line_of_the_base(tmp_path):
    base = experiment(tmp_path)
    base.write_text(base.read_text().replace("hidden_size: 8", "num_features: 257"))
    path = write(tmp_path, vary={"signal.window_length": [256, 512], "train.batch_size": [4, 8]})
    with pytest.raises(ConfigError) as caught:
        sweep_in(path)
    (problem,) = caught.value.problems
    assert (problem.file, problem.key) == (str(base), "model.args.num_features")
    assert f" (with signal.window_length 256 of {path}:" in problem.message


def test_the_score_of_a_trial_is_that_of_its_own_split_and_algorithm(tmp_path):
    vary = {"algorithm.class": ["DeepMaskEstimation"], "evaluate.split": ["val"]}
    launcher = QuickTraining()
    _, study, _ = go(write(tmp_path, vary=vary, goal="si_sdr"), launcher)
    assert [trial.value for trial in study.trials()] == pytest.approx([-0.9])


GOALS = {  # what is said of a goal that the experiment of `write` does not have
    "val_los": "there is no column or score val_los; did you mean 'val_loss'?",
    "train_dcc": "there is no column or score train_dcc; did you mean 'train_dc'?",
    "pesq": "pesq is not scored; add pesq to evaluate.metrics of {}/small.yml",
    "cdsr": "there is no column or score cdsr; did you mean 'csdr'?",
    "xyz": "there is no column or score xyz; history.csv has train_loss, train_dc, train_gradient",
}


@pytest.mark.parametrize("goal", GOALS)
def test_a_goal_that_no_trial_will_have_is_refused_with_its_line(tmp_path, goal):
    path = write(tmp_path, vary={RATE: [0.1]}, goal=goal)
    sweep = sweep_in(path)
    with pytest.raises(ConfigError) as caught:
        check_goal(sweep.config, sweep.examples())
    (problem,) = caught.value.problems
    line = path.read_text().splitlines().index(f"  goal: {goal}") + 1
    text = GOALS[goal].format(tmp_path)
    assert str(problem).startswith(f"{path}:{line}: sweep.goal: {text}")


@pytest.mark.parametrize("goal", ["val_loss", "val_dc", "val_sdr", "train_gradient_norm", "snr"])
def test_a_goal_that_every_trial_will_have_is_taken(tmp_path, goal):
    path = write(tmp_path, vary={"train.best_by": [{"score": "sdr"}]}, goal=goal)
    sweep = sweep_in(path)
    check_goal(sweep.config, sweep.examples())


def test_a_trainer_of_ones_own_may_have_any_column(tmp_path, monkeypatch):
    monkeypatch.setitem(TRAINERS, "Mine", type("Mine", (Trainer,), {}))
    sweep = sweep_in(write(tmp_path, vary={"train.class": ["Mine"]}, goal="val_noise"))
    check_goal(sweep.config, sweep.examples())


@pytest.mark.parametrize("sizes", [[13], [13, 4]])
def test_the_status_is_1_if_no_trial_has_succeeded(tmp_path, monkeypatch, caplog, sizes):
    monkeypatch.setattr(worker, "Local", lambda workers: QuickTraining())
    monkeypatch.setattr(results, "pictures", lambda *_: {})
    monkeypatch.setattr(script, "check_all", lambda *_: None)
    path, ends = write(tmp_path, vary={"train.batch_size": sizes}), contextlib.nullcontext()
    if sizes == [13]:
        ends = pytest.raises(SystemExit, match="sweep: no trial was trained to its end; see tria")
    with ends, caplog.at_level("INFO"):
        scripts.common.run(script.main, "", script.NEEDS, ["-p", str(path)])
    assert "trial 0 failed: scripts.train (exit status 1): error: the loss is NaN" in caplog.text


def test_a_database_that_does_not_answer_is_one_message(tmp_path):
    url = "postgresql+psycopg://nobody@127.0.0.1:1/nothing"
    with pytest.raises(UserError, match="sweep.storage: .* cannot be opened"):
        go(write(tmp_path, vary={RATE: [0.1]}, storage=url))


def test_the_interval_is_students():
    low, high = results.interval([1.0, 2.0, 3.0])  # 2 +- 4.302653 / sqrt(3)
    assert (low, high) == pytest.approx((2 - 2.484138, 2 + 2.484138), abs=1e-5)
    assert results.interval([1.0]) == (None, None)


SHIPPED = {"learning_rate": 20, "number_of_songs": 12}


@pytest.mark.parametrize("name", SHIPPED)
def test_the_shipped_sweeps_are_complete(name):
    sweep = sweep_in(PROJECT / "sweeps" / f"{name}.yml")
    assert len(sweep.points()) == SHIPPED[name]


@pytest.mark.parametrize(
    ("direction", "order"), [("maximize", [3, 2, 1, 4]), ("minimize", [1, 2, 3, 4])]
)
def test_scores_below_zero_are_sorted_too_and_what_failed_comes_last(direction, order):
    sweep = types.SimpleNamespace(
        settings=types.SimpleNamespace(goal="si_sdr", vary={"size": [4, 3, 2, 1]}),
        direction=direction,
    )
    runs = [(4, None, "failed"), (1, -5.0, "done"), (3, 2.0, "done"), (2, -1.5, "done")]
    rows = [{"size": size, "si_sdr": score, "state": state} for size, score, state in runs]
    table = results.table_of(sweep, rows)
    assert [row["size"] for row in table] == order
    assert table[-1]["mean"] is None and table[-1]["not done"] == 1


@pytest.mark.parametrize(("direction", "best"), [("minimize", 1.5), ("maximize", 3.0)])
def test_the_value_of_a_run_is_that_of_its_best_epoch(direction, best):
    values = [(1, 3.0), (2, 1.5), (3, float("nan")), (4, 2.0), (5, None)]
    sweep = types.SimpleNamespace(direction=direction)
    assert Sweep.best_of(sweep, values) == best
