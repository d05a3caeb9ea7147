"""What TensorBoard and other loggers get of a training run."""

import io
import math
import sys
import types

import matplotlib.image
import pytest
import torch
import yaml
from trainings import fit, rows, trainer_of, write

import config
import experiment
from errors import UserError
from training import profiling

torch.set_num_threads(1)

TENSORBOARD = {"class": "TensorBoard"}


def test_tensorboard_gets_curves_sounds_and_pictures(write_config):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    path = write_config(builder="mask_inference", epochs=2, loggers=[TENSORBOARD])
    plain = yaml.safe_load(path.read_text())
    plain["algorithm"] = {"class": "DeepMaskEstimation", "args": {"model_path": "the best so far"}}
    trainer = fit(write(path, plain))
    events = EventAccumulator(str(trainer.folder / "tensorboard")).Reload()
    tags = events.Tags()
    assert {"step/loss", "step/gradient_norm", "step/learning_rate", "epoch/val_loss"} <= {
        *tags["scalars"]
    }
    kept = [scalar.value for scalar in events.Scalars("epoch/val_loss")]
    assert kept == pytest.approx([float(row["val_loss"]) for row in rows(trainer)], rel=1e-6)
    assert len(events.Scalars("step/loss")) == 4
    assert {*tags["audio"]} == {"mixture", "source 0", "source 1"}
    sound = events.Audio("mixture")[0]
    assert (sound.sample_rate, sound.length_frames) == (16000, 64000)
    png = events.Images("separation")[0].encoded_image_string
    assert matplotlib.image.imread(io.BytesIO(png)).shape[1] > 800


def test_a_validation_item_that_cannot_be_separated_does_not_end_the_training(write_config, caplog):
    def demonstrate(trainer):
        raise UserError("a track: is silent")

    trainer = trainer_of(write_config(epochs=1, loggers=[TENSORBOARD]))
    trainer.demonstrate = demonstrate
    trainer.fit()
    assert "no separation to show: a track: is silent" in caplog.text
    assert len(trainer.history.rows) == 1


@pytest.mark.parametrize("steps", [3, 4])  # within an epoch of two steps, and at its end
def test_the_last_row_of_a_run_that_is_cut_short_is_logged(write_config, steps):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    trainer = trainer_of(write_config(epochs=9, loggers=[TENSORBOARD]))
    trainer.fit(steps=steps)
    events = EventAccumulator(str(trainer.folder / "tensorboard")).Reload()
    kept = [scalar.value for scalar in events.Scalars("epoch/train_loss")]
    assert kept == pytest.approx([float(row["train_loss"]) for row in rows(trainer)], rel=1e-6)
    assert len(kept) == 2


def logger(attach=lambda engine: None, show=None, close=lambda: None):
    """A logger that does what is given."""
    return types.SimpleNamespace(attach=attach, show=show, close=close)


def test_a_logger_begins_when_training_does(write_config):
    path = write_config(epochs=1, loggers=[TENSORBOARD])
    trainer = trainer_of(path)
    profiling.summarize(trainer)  # scripts.dry_run
    assert not trainer.folder.exists()
    fit(path)
    with pytest.raises(UserError, match="optimizer.args.lr was 0.001, is now 0.1"):
        fit(write_config(epochs=1, optimizer={"args": {"lr": 0.1}}, loggers=[TENSORBOARD]))
    assert len([*trainer.folder.glob("tensorboard/*")]) == 1


def test_a_file_where_tensorboard_has_its_folder_is_one_message(write_config):
    trainer = trainer_of(write_config(epochs=1, loggers=[TENSORBOARD]))
    trainer.folder.mkdir(parents=True)
    (trainer.folder / "tensorboard").write_text("")
    with pytest.raises(UserError, match="train.loggers: TensorBoard cannot start .*; make .*tens"):
        trainer.fit()


def test_a_finished_training_begins_no_logger(write_config):
    path, begun = write_config(epochs=1), []
    fit(path)
    again = trainer_of(path)
    again.loggers = [logger(attach=begun.append)]
    assert again.fit().exists()
    assert begun == []


def test_an_epoch_whose_end_was_interrupted_is_logged_once(write_config, monkeypatch):
    path = write_config(epochs=1, checkpoint_every=1)
    first = trainer_of(path)

    def cut(trainer):
        monkeypatch.undo()
        first.checkpoints.save(trainer)
        raise KeyboardInterrupt

    monkeypatch.setattr(type(first), "_end_epoch", cut)
    with pytest.raises(KeyboardInterrupt):
        trainer_of(path).fit()
    again, begun = trainer_of(path), []
    again.loggers = [logger(attach=begun.append)]
    again.fit()
    assert begun == [again.engine] and len(again.history.rows) == 1


def test_loggers_are_closed_after_a_run_that_failed(write_config):
    trainer, closed = trainer_of(write_config()), []
    trainer.loggers = [logger(close=lambda: closed.append(True))]
    trainer.train_step = lambda batch: {"loss": "none"}
    with pytest.raises(UserError, match="has to be one number"):
        trainer.fit()
    assert closed == [True]


def test_what_loggers_show_does_not_count_against_the_minutes(write_config, monkeypatch):
    clock = types.SimpleNamespace(now=0.0)
    monkeypatch.setattr(
        "training.stopping.time", types.SimpleNamespace(monotonic=lambda: clock.now)
    )
    trainer = trainer_of(write_config(epochs=3, max_minutes=1.0))

    def show(step, demonstrate):
        clock.now += 1000.0

    trainer.loggers = [logger(show=show)]
    trainer.demonstrate = lambda trainer: None
    trainer.fit()
    assert clock.now >= 1000.0
    assert trainer.stopping.seconds == 0.0 and len(trainer.history.rows) == 3


def test_a_logger_whose_package_is_missing_says_what_to_install(write_config, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)  # as if it were not installed
    path = write_config(loggers=[{"class": "WandB", "args": {"project": "separation"}}])
    with pytest.raises(UserError, match="WandB needs the package wandb .* pip install wandb"):
        trainer_of(path)


def test_an_argument_that_a_logger_does_not_have_is_refused(write_config):
    path = write_config(loggers=[{"class": "TensorBoard", "args": {"demonstration": False}}])
    with pytest.raises(config.ConfigError, match="did you mean 'demonstrations'"):
        experiment.check(config.load(path))


def test_weights_and_biases_gets_the_config_and_every_step(write_config, monkeypatch, tmp_path):
    """A stand-in of the two calls that ignite makes: the package is not installed with this."""
    logged = []
    stand_in = types.ModuleType("wandb")
    stand_in.init = lambda **kwargs: logged.append(kwargs)
    stand_in.log = lambda values, step=None, sync=None: logged.append((step, values))
    stand_in.finish = lambda: logged.append("finished")
    monkeypatch.setitem(sys.modules, "wandb", stand_in)
    fit(
        write_config(
            loggers=[{"class": "WandB", "args": {"project": "separation", "mode": "offline"}}]
        )
    )
    assert logged[0]["project"] == "separation" and logged[0]["config"]["info"]["name"] == "small"
    steps = [values["step/loss"] for item in logged[1:-1] if "step/loss" in (values := item[1])]
    assert len(steps) == 6 and all(map(math.isfinite, steps))


def test_mlflow_says_where_it_tries_to_connect(write_config, monkeypatch, caplog):
    def refused(tracking_uri):
        raise ConnectionError("Max retries exceeded")

    stand_in = types.ModuleType("mlflow")
    stand_in.get_tracking_uri = lambda: "http://elsewhere:5000"
    monkeypatch.setitem(sys.modules, "mlflow", stand_in)
    monkeypatch.setattr("training.loggers.handlers.MLflowLogger", refused)
    path = write_config(loggers=[{"class": "MLflow"}])
    with caplog.at_level("INFO"), pytest.raises(UserError, match="MLflow cannot start"):
        fit(path)
    assert "MLflow: connecting to http://elsewhere:5000" in caplog.text


def test_a_service_that_does_not_begin_is_one_message(write_config, monkeypatch):
    def init(**_):
        raise LookupError("No API key configured.\nUse `wandb login`.")

    stand_in = types.ModuleType("wandb")
    stand_in.init, stand_in.log, stand_in.finish = init, None, lambda: None
    monkeypatch.setitem(sys.modules, "wandb", stand_in)
    path = write_config(loggers=[{"class": "WandB", "args": {"project": "separation"}}])
    with pytest.raises(UserError, match=r"WandB cannot start \(No API key .* login`.\); log in"):
        fit(path)
    del (plain := yaml.safe_load(path.read_text()))["train"]["loggers"]
    fit(write(path, plain))  # the folder is free
