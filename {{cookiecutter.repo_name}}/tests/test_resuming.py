"""What happens to a training run whose settings, data or files change before it is resumed."""

import contextlib
import logging
import os
import shutil
import signal
import subprocess
import sys
import types

import forks
import pytest
import torch
import yaml
from trainings import fit, plain_config, same, trainer_of, weights, write

import checkpoints
import provenance
from errors import UserError
from files import write_files
from training import resuming
from training.checkpointing import Checkpoints
from training.history import History
from training.levels import Levels
from training.locking import Lock

torch.set_num_threads(1)

REFUSED = {
    "train.optimizer": {"class": "Adam", "args": {"lr": 1.0}},
    "train.scheduler": {"class": "ReduceLROnPlateau", "args": {"patience": 7}},
    "train.loss": {"deep_clustering": {"class": "DeepClusteringLoss", "weight": 2.0}},
    "train.batch_size": 5,
    "train.segment": 0.152,
    "train.excerpts_per_epoch": 20,
    "train.target": "magnitude",
    "train.warmup_steps": 3,
    "train.ema_decay": 0.9,
    "model.args": {"num_layers": 2, "hidden_size": 6},
    "signal": {"window_type": "hann"},
    "info.seed": 9,
}
TAKES_EFFECT = {
    "train.epochs": 4,
    "train.gradient_clip": {"max_norm": 1e-9},
    "train.keep_best": 2,
    "train.early_stopping": 1,
    "train.num_workers": 1,
}


def changed(path, key, value):
    """The config at `path`, with the value at a dotted key changed."""
    plain = yaml.safe_load(path.read_text())
    *sections, last = key.split(".")
    place = plain
    for section in sections:
        place = place.setdefault(section, {})
    place[last] = value
    return write(path, plain)


@pytest.fixture(scope="module")
def two_epochs(tmp_path_factory, sample_folder):
    """The folder of a training run of two epochs that has ended."""
    folder = tmp_path_factory.mktemp("two")
    return fit(write(folder / "a.yml", plain_config(folder, sample_folder, epochs=2))).folder


@pytest.fixture
def begun(write_config, two_epochs, tmp_path):
    """The config of a training run of two epochs that has ended."""
    shutil.copytree(two_epochs, tmp_path / "small")
    return write_config(epochs=2)


@pytest.mark.parametrize("key", REFUSED)
def test_a_setting_that_would_make_another_training_is_refused_by_its_key(begun, key):
    changed(begun, key, REFUSED[key])
    latest = begun.parent / "small" / "checkpoints" / "latest.pth"
    before = latest.read_bytes()
    with pytest.raises(UserError) as refusal:
        fit(begun)
    _, *lines, advice = str(refusal.value).splitlines()
    assert lines and all(line.startswith(f"  {key}") and " is now " in line for line in lines)
    assert advice.startswith("choose another info.output_folder")
    assert latest.read_bytes() == before


@pytest.mark.parametrize("key", TAKES_EFFECT)
def test_every_other_setting_takes_effect_and_is_logged(begun, key, caplog):
    changed(begun, "train.epochs", 3)
    changed(begun, key, TAKES_EFFECT[key])
    before = weights(trainer_of(begun))
    with caplog.at_level("INFO"):
        trainer = fit(begun)
    assert f"{key}" in caplog.text and "resuming at step 4" in caplog.text
    if key == "train.epochs":
        assert len(trainer.history.rows) == 4
    if key == "train.gradient_clip":  # a step of Adam is as long with tiny gradients as with others
        assert not same(before, weights(trainer)) and trainer.clipping.settings.max_norm == 1e-9
    if key == "train.keep_best":
        assert len(list(trainer.best.parent.glob("epoch*.model.pth"))) >= 1


def test_a_changed_learning_rate_is_not_written_into_the_config_of_the_run(begun):
    assert forks.run("scripts.train", "-p", begun).returncode == 0
    resolved = begun.parent / "small" / "config.yml"
    before = resolved.read_bytes()
    changed(begun, "train.optimizer", REFUSED["train.optimizer"])
    done = forks.run("scripts.train", "-p", begun)
    assert done.returncode == 1
    assert "train.optimizer.args.lr was 0.001, is now 1.0\nchoose another" in done.stderr
    assert resolved.read_bytes() == before


@pytest.mark.parametrize("name", ["config.yml", "history.csv"])
def test_a_file_that_no_run_has_written_is_not_overwritten(write_config, name):
    path = write_config(epochs=1)
    own = path.parent / "small" / name
    own.parent.mkdir()
    own.write_text("# mine\n")
    done = forks.run("scripts.train", "-p", path)
    assert done.returncode == 1
    assert f"{own}: exists, was written by no training run" in done.stderr
    assert [p.name for p in own.parent.iterdir()] == [name] and own.read_text() == "# mine\n"


def test_a_config_in_the_output_folder_may_be_included(write_config):
    path = write_config(epochs=1)
    own = path.parent / "small" / "config.yml"
    own.parent.mkdir()
    own.write_bytes(path.read_bytes() + b"# mine\n")
    before = own.read_bytes()
    longer = own.with_name("longer.yml")
    longer.write_text("include: config.yml\ntrain: {epochs: 2}\n")
    for file in (own, longer):
        assert forks.run("scripts.train", "-p", file).returncode == 0
        assert own.read_bytes() == before
    assert yaml.safe_load(own.with_name("config.resolved.yml").read_text())["train"]["epochs"] == 2


def test_fewer_epochs_than_are_done_is_nothing_to_do(begun, caplog):
    changed(begun, "train.epochs", 1)
    with caplog.at_level("INFO"):
        fit(begun)
    assert "nothing to do: 2 epochs trained, train.epochs is 1" in caplog.text


def test_data_that_grew_or_were_renamed_are_refused(begun):
    changed(begun, "train.epochs", 3)
    trainer = trainer_of(begun)
    data = trainer.train_data
    data.tracks[0] = type(data.tracks[0])("another name", data.tracks[0].stems, 16000, 64000)
    with pytest.raises(UserError, match="datasets.train has tracks of other names or lengths now"):
        trainer.fit()
    trainer = trainer_of(begun)
    trainer.val_data.tracks.append(trainer.val_data.tracks[0])
    trainer.val_data.items.append(10)
    with pytest.raises(UserError, match="datasets.val had 10 tracks, has 11 now"):
        trainer.fit()


def test_the_best_model_is_written_again_or_its_absence_is_refused(begun, caplog):
    trainer = trainer_of(begun)
    trainer.restore()
    trainer.lock.release()
    (epoch,) = trainer.history.best_epochs(1)
    trainer.best.unlink()
    if epoch == 2:
        fit(begun)
        assert trainer.best.exists() and "is written again" in caplog.text
    state = torch.load(trainer.latest, weights_only=True)
    state["history"]["rows"][0]["val_loss"] = -1.0  # the first epoch was the best one
    torch.save(state, trainer.latest)
    trainer.best.unlink(missing_ok=True)
    with pytest.raises(UserError, match="best.model.pth: is missing, .* of epoch 1, "):
        fit(begun)


def test_the_history_is_written_again_where_it_is_missing_or_behind(begun):
    history = trainer_of(begun).folder / "history.csv"
    before = history.read_text()
    history.unlink()
    fit(begun)
    assert history.read_text() == before
    history.write_text("".join(before.splitlines(keepends=True)[:-1]))  # killed before it wrote it
    fit(begun)
    assert history.read_text() == before


def test_two_trainings_in_one_folder_the_second_names_the_first(write_config):
    path = write_config()
    first = trainer_of(path)
    first.restore()
    done = forks.run("scripts.train", "-p", path)
    assert done.returncode == 1
    assert f"another training run is active here (process {os.getpid()} on" in done.stderr
    first.fit()
    assert not first.lock.path.exists()
    fit(path)  # nothing to do, and nobody in the way


def test_a_run_whose_folder_is_moved_stops_and_leaves_no_part_of_it_behind(write_config):
    path = write_config(epochs=3)
    trainer = trainer_of(path)
    read, moved = trainer.val_data.excerpt, trainer.folder.with_name("moved")

    def excerpt(*args):
        if (trainer.folder / "history.csv").exists():  # after the first epoch
            trainer.folder.rename(moved)
        return read(*args)

    trainer.val_data.excerpt = excerpt
    with (
        pytest.raises(UserError, match="small: was moved or removed while this training run"),
        provenance.recorded(trainer.folder, "train"),
    ):
        trainer.fit()
    assert not trainer.folder.exists()
    moved.rename(trainer.folder)
    trainer, whole = fit(path), fit(write_config("whole", epochs=3))
    assert same(weights(trainer), weights(whole))


def test_a_loss_that_is_no_number_before_the_first_checkpoint_names_none(write_config):
    trainer = trainer_of(write_config(builder="tasnet"))
    with torch.no_grad():
        next(trainer.model.parameters()).fill_(float("nan"))
    with pytest.raises(UserError, match="at step 1 with .*; no state was saved yet. A smaller"):
        trainer.fit()


def test_a_lock_does_not_outlive_a_killed_process(tmp_path):
    assert forks.run("killed_with_lock", tmp_path / "run").returncode == -signal.SIGKILL
    lock = Lock(tmp_path / "run")
    assert lock.path.exists()
    lock.acquire()
    lock.release()
    assert not lock.path.parent.exists()  # there was nothing else in it


@pytest.mark.slow
def test_a_training_leaves_a_log_with_what_it_ran_on(write_config):
    path = write_config(epochs=1)
    command = [sys.executable, "-m", "scripts.train", "-p", str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    log = (path.parent / "small" / "train.log").read_text()
    assert f"-m scripts.train -p {path}" in log.splitlines()[0]
    for line in done.stdout.splitlines():
        assert line in log
    assert forks.run("scripts.train", "-p", path).returncode == 0
    assert (path.parent / "small" / "train.log").read_text().startswith(log)  # appended
    assert logging.getLogger("train").handlers == []


@pytest.mark.parametrize(("before", "after"), [("float32", "float16"), ("float16", "bfloat16")])
def test_a_run_is_resumed_in_another_precision(write_config, monkeypatch, before, after):
    # as on a device that computes in each of them
    monkeypatch.setattr("training.precision.choose", lambda trainer, name: name)
    monkeypatch.setattr("training.precision.autocast", lambda *_: contextlib.nullcontext())
    trainer_of(write_config(epochs=2, precision=before)).fit(steps=1)
    resumed = trainer_of(write_config(epochs=2, precision=after))
    resumed.fit()
    assert resumed.scaler.is_enabled() == (after == "float16")
    assert resumed.history.rows[-1]["step"] == 4


@pytest.mark.parametrize(
    ("names", "lengths", "message"),
    [
        ("ab", (10, 21), "has tracks of other names or lengths now"),
        ("ac", (10, 20), "has tracks of other names or lengths now"),
        ("abc", (10, 20, 30), "had 2 tracks, has 3 now"),
    ],
)
def test_other_data_are_refused_by_the_names_and_lengths_of_their_tracks(names, lengths, message):
    def facts(names, lengths):
        tracks = [types.SimpleNamespace(name=name) for name in names]
        data = types.SimpleNamespace(tracks=tracks, length_of=lengths.__getitem__)
        return {"settings": {}, "data": dict(train=resuming.tracks_of(data))}

    before = facts("ab", (10, 20))
    assert resuming.compare("latest.pth", before, facts("ab", (10, 20))) == []
    with pytest.raises(UserError, match=f"datasets.train {message}"):
        resuming.compare("latest.pth", before, facts(names, lengths))


def test_the_best_of_several_kept_models_stays_the_best(tmp_path, monkeypatch):
    """Epochs with the losses 3, 1, 2 and 5: the third is kept, and the second remains the best."""

    def save_model(path, model, metadata):
        write_files({path: model})

    monkeypatch.setattr(checkpoints, "save_model", save_model)
    kept = Checkpoints(tmp_path, {}, {})
    trainer = types.SimpleNamespace(
        settings=types.SimpleNamespace(keep_best=2, epochs=4),
        plan=types.SimpleNamespace(steps_per_epoch=1),
        history=History(validated=True),
        levels=Levels(),
    )
    for epoch, loss in enumerate((3.0, 1.0, 2.0, 5.0), 1):
        trainer.eval_model = f"weights of epoch {epoch}"
        trainer.history.add({"epoch": epoch, "train_loss": 0.0, "val_loss": loss})
        kept.keep_best(trainer)
    found = {path.name: path.read_text() for path in kept.best.parent.iterdir()}
    assert found == {
        "best.model.pth": "weights of epoch 2",
        "epoch0002.model.pth": "weights of epoch 2",
        "epoch0003.model.pth": "weights of epoch 3",
    }
