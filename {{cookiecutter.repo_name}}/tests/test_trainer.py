"""Training as a user meets it: a config in, files out, stopped and gone on with at any time."""

import csv
import multiprocessing
import os
import re
import signal
import time
import types

import forks
import numpy as np
import pytest
import torch
from others import wait_for_another
from trainings import fit, same, weights

import checkpoints
import config
import experiment
from compat import nussl
from errors import UserError
from training.levels import Levels
from training.loading import Excerpts
from training.sampling import ShuffledBatches, Spread, batches_in_order, covering
from training.stopping import Stopping

torch.set_num_threads(1)


def test_training_lowers_the_loss_and_writes_model_history_and_state(write_config):
    trainer = fit(write_config(epochs=6))
    with open(trainer.folder / "history.csv") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["epoch"]) for row in rows] == [1, 2, 3, 4, 5, 6]
    assert [int(row["step"]) for row in rows] == [2, 4, 6, 8, 10, 12]
    assert float(rows[-1]["train_loss"]) < float(rows[0]["train_loss"])
    assert trainer.history.best_value == min(float(row["val_loss"]) for row in rows)
    model, metadata = checkpoints.load_model(trainer.best)
    assert metadata["sample_rate"] == 16000
    assert metadata["stft_params"] == nussl.STFTParams(512, 128, "sqrt_hann")


def test_the_checkpoint_says_how_loud_the_mixtures_were(write_config):
    trainer = experiment.build_trainer(config.load(write_config(epochs=2)))
    levels, step = [], trainer.train_step

    def train_step(batch):
        power = np.square(batch["mix"].numpy()).mean(axis=(1, 2))
        levels.extend(10 * np.log10(power))
        return step(batch)

    trainer.train_step = train_step
    trainer.fit()
    found = checkpoints.load_model(trainer.best)[1]["level_db"]
    (best,) = trainer.history.best_epochs(1)
    seen = levels[: len(levels) * best // 2]  # when it was written
    assert found["mean"] == pytest.approx(np.mean(seen), abs=0.01)
    assert found["std"] == pytest.approx(np.std(seen), abs=0.01)


def test_silent_mixtures_do_not_count_as_soft_ones():
    levels, mix = Levels(), torch.full((3, 2, 100), 0.1)
    mix[1] = 0
    levels.add(mix)
    again = Levels()
    assert again.summary() is None
    again.load_state_dict(levels.state_dict())
    assert again.summary() == {"mean": -20.0, "std": 0.0}


def test_time_in_which_a_run_is_paused_is_no_training_time(monkeypatch):
    now = [0.0]
    clock = types.SimpleNamespace(monotonic=lambda: now[0])
    monkeypatch.setattr("training.stopping.time", clock)
    stopping = Stopping(types.SimpleNamespace(max_minutes=1), None)
    with stopping.watching():
        for seconds, paused, expected in ((30, 0, 30), (20, 100, 50), (10, 5, 60)):
            assert stopping.reason is None
            with stopping.paused():
                now[0] += paused
            now[0] += seconds
            stopping.after_step(1)
            assert stopping.seconds == expected
    assert stopping.reason == "train.max_minutes of 1 is used up"


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(write_config):
    first, second = fit(write_config("first")), fit(write_config("second"))
    assert same(weights(first), weights(second))
    path = write_config("third")
    path.write_text(path.read_text().replace("seed: 3", "seed: 4"))
    assert not same(weights(first), weights(fit(path)))


def test_a_training_stopped_anywhere_resumes_to_the_same_weights(write_config):
    whole = fit(write_config("whole", epochs=3))
    for steps in (1, 2, 3, 5):  # within an epoch, at its end, ...
        path = write_config(f"stopped{steps}", epochs=3, checkpoint_every=1)
        trainer = experiment.build_trainer(config.load(path))

        def stop(engine, steps=steps):
            if engine.state.iteration == steps:
                raise InterruptedError

        from ignite.engine import Events

        trainer.engine.add_event_handler(Events.ITERATION_STARTED, stop)
        if steps > 0:
            with pytest.raises(InterruptedError):
                trainer.fit()
        finished = fit(path)
        assert same(weights(whole), weights(finished)), f"stopped at step {steps}"
        assert [r["train_loss"] for r in finished.history.rows] == [
            r["train_loss"] for r in whole.history.rows
        ]
        assert finished.history.best_value == whole.history.best_value


@pytest.mark.slow
def test_a_killed_training_goes_on_and_leaves_no_half_written_file(write_config):
    """kill -9, for real, again and again at moments nobody chose."""
    path = write_config("killed", epochs=8, checkpoint_every=1)
    reference = fit(write_config("reference", epochs=8))
    moments = np.random.default_rng(0).uniform(0.0, 0.4, 2)
    latest = path.parent / "killed" / "checkpoints" / "latest.pth"
    for moment in moments:
        process = forks.start("scripts.train", "-p", path)
        wait_for_another(latest, writer=process)
        time.sleep(moment)
        process.send_signal(signal.SIGKILL)
        process.wait()
        checkpoints.load(latest)  # whole
    last = forks.run("scripts.train", "-p", path)
    assert last.returncode == 0, last.stderr
    resumed = last.stdout.count("resuming at step")
    assert resumed == 1 or "nothing to do" in last.stdout
    state = checkpoints.load(latest)
    assert state["iteration"] == 16
    assert same(state["model"], weights(reference))


def test_a_finished_training_has_nothing_to_do(write_config, caplog):
    path = write_config()
    before = fit(path).latest.read_bytes()
    with caplog.at_level("INFO"):
        after = fit(path)
    assert "nothing to do: 3 epochs trained" in caplog.text
    assert after.latest.read_bytes() == before


def test_more_epochs_resume_where_it_ended(write_config):
    path = write_config(epochs=2)
    fit(path)
    path.write_text(path.read_text().replace("epochs: 2", "epochs: 3"))
    assert same(weights(fit(path)), weights(fit(write_config("whole", epochs=3))))


def test_a_folder_that_holds_another_training_is_refused_and_left_as_it_is(write_config):
    path = write_config()
    assert forks.run("scripts.train", "-p", path).returncode == 0
    folder = path.parent / "small"
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    assert folder / "config.yml" in before
    path.write_text(path.read_text().replace("hidden_size: 8", "hidden_size: 6"))
    done = forks.run("scripts.train", "-p", path)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert re.search(r"model.args.hidden_size was 8, is now 6\nchoose another", done.stderr)
    assert {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()} == before


@pytest.mark.parametrize("function", ["save", "save_model"])
@pytest.mark.parametrize("call", [0, 1])
def test_stopped_where_it_writes_it_is_resumed(write_config, monkeypatch, function, call):
    """As by `kill -9` or a full disk, at the state and the models of the first epochs."""
    whole = fit(write_config(name="whole", keep_best=2))
    write, calls = getattr(checkpoints, function), []

    def stop(*args):
        calls.append(args)
        if len(calls) > call:
            raise KeyboardInterrupt
        write(*args)

    path = write_config(keep_best=2)
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(checkpoints, function, stop)
        fit(path)
    trainer = fit(path)
    assert same(weights(trainer), weights(whole))
    models = [{p.name for p in one.best.parent.iterdir()} for one in (trainer, whole)]
    assert models[0] == models[1]
    kept, expected = (torch.load(one.best)["state_dict"] for one in (trainer, whole))
    assert same(kept, expected)


def test_a_model_without_the_state_of_its_training_is_not_overwritten(write_config):
    path = write_config()
    trainer = fit(path)
    trainer.latest.unlink()
    before = trainer.best.read_bytes()
    with pytest.raises(UserError, match="best.model.pth: exists without latest.pth"):
        fit(path)
    assert trainer.best.read_bytes() == before


def test_training_stops_when_its_minutes_are_over(write_config, caplog):
    with caplog.at_level("INFO"):
        trainer = fit(write_config(epochs=100_000, max_minutes=0.01))
    assert "train.max_minutes of 0.01 is used up" in caplog.text
    assert trainer.best.exists() and len(trainer.history.rows) >= 1
    assert trainer.history.rows[-1]["step"] == trainer.engine.state.iteration


def test_training_stops_when_it_no_longer_improves(write_config):
    trainer = fit(
        write_config(epochs=50, early_stopping=2, optimizer={"class": "SGD", "args": {"lr": 0.0}})
    )
    losses = [row["val_loss"] for row in trainer.history.rows]
    assert len(losses) == int(np.argmin(losses)) + 1 + 2 < 50


def test_a_loss_that_is_nan_stops_and_names_the_items(write_config, monkeypatch):
    trainer = experiment.build_trainer(config.load(write_config()))
    monkeypatch.setattr(
        trainer,
        "compute_losses",
        lambda outputs, batch: (
            outputs["embedding"].sum() * float("nan"),
            {"deep_clustering": torch.zeros(())},
        ),
    )
    with pytest.raises(UserError, match=r"the loss is nan.* at step 1 with 1\d{7}, 1\d{7}"):
        trainer.fit()
    assert not trainer.latest.exists()


def nan_in_eval_mode(path, until):
    """A trainer whose network gives NaN in eval mode, up to this epoch."""
    trainer = experiment.build_trainer(config.load(path))

    def spoil(module, inputs, outputs):
        wrong = not module.training and len(trainer.history.rows) < until
        return {key: value * float("nan" if wrong else 1) for key, value in outputs.items()}

    trainer.model.register_forward_hook(spoil)
    return trainer


def test_no_epoch_is_the_best_by_a_validation_loss_that_is_nan(write_config, caplog):
    caplog.set_level("INFO", logger="train")
    trainer = nan_in_eval_mode(write_config(epochs=2), until=1)
    assert trainer.fit().exists()
    first, second = (text for text in caplog.messages if text.startswith("epoch "))
    assert "val nan" in first and "best so far" not in first and "best so far" in second
    path = write_config("never", epochs=2)
    for _ in range(2):  # the same command again has nothing to do, and says so again
        trainer = nan_in_eval_mode(path, until=2)
        with pytest.raises(UserError, match="the validation loss is NaN or infinite in every"):
            trainer.fit()
    assert trainer.latest.exists() and not trainer.best.exists()


def test_a_full_disk_leaves_the_last_checkpoint_whole(write_config, monkeypatch):
    path = write_config(epochs=1)
    before = fit(path).latest.read_bytes()
    path.write_text(path.read_text().replace("epochs: 1", "epochs: 2"))

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match="No space left on device"):
        fit(path)
    latest = path.parent / "small" / "checkpoints" / "latest.pth"
    assert latest.read_bytes() == before
    assert sorted(p.name for p in latest.parent.iterdir()) == ["best.model.pth", "latest.pth"]


def test_a_trainer_of_your_own_is_found_by_its_name(write_config, monkeypatch):
    from training import TRAINERS, Trainer

    class Slower(Trainer):
        def build_optimizer(self):
            return torch.optim.SGD(self.model.parameters(), lr=1e-9)

    monkeypatch.setitem(TRAINERS, "Slower", Slower)
    path = write_config()
    path.write_text(path.read_text().replace("class: Trainer", "class: Slower"))
    trainer = fit(path)
    assert isinstance(trainer, Slower) and isinstance(trainer.optimizer, torch.optim.SGD)


def test_autoclip_limits_the_gradient_to_the_percentile_of_those_seen(write_config):
    trainer = experiment.build_trainer(config.load(write_config(gradient_clip={"percentile": 50})))
    parameters = list(trainer.model.parameters())
    for size, expected in ((1.0, 1.0), (3.0, 2.0), (2.0, 2.0), (100.0, 2.5)):
        for p in parameters:
            p.grad = torch.zeros_like(p)
        parameters[0].grad.flatten()[0] = size
        trainer.clip_gradient(parameters[0].grad.norm())
        assert parameters[0].grad.norm().item() == pytest.approx(expected, rel=1e-4)


def test_every_epoch_sees_each_item_once_in_another_order():
    batches = iter(ShuffledBatches(Spread([7] * 12, 12), 4, seed=0))
    epochs = [[key for _ in range(3) for key in next(batches)] for _ in range(3)]
    for number, keys in enumerate(epochs):
        assert {epoch for epoch, _, _ in keys} == {number}
        assert sorted(index for _, index, _ in keys) == list(range(12))
    assert [i for _, i, _ in epochs[0]] != [i for _, i, _ in epochs[1]]


@pytest.mark.parametrize("first_step", [1, 2, 3, 7])
def test_batches_from_any_step_are_those_of_an_uninterrupted_run(first_step):
    spread = Spread([100, 300, 50], 10)
    whole, later = (iter(ShuffledBatches(spread, 3, 1, step)) for step in (0, first_step))
    for _ in range(first_step):
        next(whole)
    assert [next(whole) for _ in range(8)] == [next(later) for _ in range(8)]


def test_validation_sees_every_item_at_the_same_place():
    assert batches_in_order(Spread([9] * 5, 5), 2) == [
        [(0, 0, 0), (0, 1, 0)],
        [(0, 2, 0), (0, 3, 0)],
        [(0, 4, 0)],
    ]


def test_an_epoch_covers_the_audio_of_tracks_of_any_length():
    lengths, samples = [1000, 100, 4000, 1900], 100
    count = covering(lengths, samples)
    assert count == 70
    for offset in (0.0, 0.5, 1.0):
        excerpts = Spread(lengths, count)(offset)
        assert len(set(excerpts)) == 70
        tracks = [index for index, _ in excerpts]
        assert all(abs(tracks.count(i) - n // samples) <= 1 for i, n in enumerate(lengths))
    assert covering([10, 10, 10], samples) == 3  # each short track once


def test_tracks_that_an_epoch_has_no_room_for_are_seen_in_others():
    spread = Spread([5] * 100, 10)
    batches = iter(ShuffledBatches(spread, 10, seed=0))
    seen = [sorted(index for _, index, _ in next(batches)) for _ in range(100)]
    assert all(len(set(indices)) == 10 for indices in seen)
    assert set(sum(seen, [])) == set(range(100))


def test_excerpts_of_one_track_in_one_epoch_differ(write_config):
    data = experiment.build_dataset(config.load(write_config()), "train")
    excerpts = Excerpts(data, 5000, seed=0)
    first, second = excerpts[(0, 3, 0)], excerpts[(0, 3, 1)]
    assert first["name"] == second["name"]
    assert not torch.equal(first["sources"], second["sources"])


def test_the_first_lines_of_a_training_say_how_much_it_is(write_config, caplog):
    """10 snippets of 4 s; 29 hops of 128 samples are 0.232 s."""
    with caplog.at_level("INFO"):
        fit(write_config(excerpts_per_epoch=None, validation_excerpts=None, epochs=2))
    assert (
        "10 tracks, 40 s of audio; an epoch has 173 excerpts, 43 steps with batches of 4, "
        "39.9 s; 2 epochs: 86 steps, 79.8 s" in caplog.text
    )


def test_an_excerpt_is_a_part_of_its_track_and_another_in_each_epoch(write_config):
    data = experiment.build_dataset(config.load(write_config()), "train")
    excerpts = Excerpts(data, 5000, seed=0)
    first, again, later = excerpts[(0, 3)], excerpts[(0, 3)], excerpts[(1, 3)]
    assert torch.equal(first["sources"], again["sources"])
    assert not torch.equal(first["sources"], later["sources"])
    assert torch.equal(first["mix"], first["sources"].sum(dim=0))
    whole = torch.from_numpy(data.excerpt(3))
    windows = whole.unfold(-1, 5000, 1)
    assert (windows == first["sources"][:, :, None]).all(dim=-1).all(dim=0).any()


def test_the_order_of_data_does_not_depend_on_the_number_of_workers(write_config):
    before = set(multiprocessing.active_children())
    alone, helped = fit(write_config("alone")), fit(write_config("helped", num_workers=2))
    assert same(weights(alone), weights(helped))
    assert set(multiprocessing.active_children()) <= before  # the workers end with the run


def test_training_on_silence_is_warned_of(write_config, caplog):
    trainer = experiment.build_trainer(config.load(write_config(epochs=1)))
    read = trainer.train_data.excerpt
    trainer.train_data.excerpt = lambda *args: 0 * read(*args)
    trainer.fit()
    assert "all training excerpts so far are silent or nearly so" in caplog.text
    assert "all validation excerpts" not in caplog.text
    caplog.clear()
    trainer = experiment.build_trainer(config.load(write_config("other", epochs=1)))
    heard = trainer.val_data.excerpt
    trainer.val_data.excerpt = lambda *args: 0 * heard(*args)
    trainer.fit()
    assert "all validation excerpts so far are silent" in caplog.text
    assert "all training excerpts" not in caplog.text
