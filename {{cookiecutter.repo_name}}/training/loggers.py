"""Experiment loggers: what `class` under `train.loggers` in a YAML file may name.

Each wraps the logger of that name in pytorch-ignite. It records what `train_step` returns and the
learning rate after every step, and the row of history.csv after every epoch.
"""

import contextlib
import functools
import importlib
import logging
from typing import NamedTuple

import numpy as np
from ignite import handlers
from ignite.engine import Events

import distributed
from errors import UserError, in_one_line

log = logging.getLogger("train")


class Demonstration(NamedTuple):
    """An item of the validation data, separated.

    sounds: {name: (channels, samples)}; sample_rate: in Hz; picture: (height, width, 4).
    """

    sounds: dict
    sample_rate: int
    picture: np.ndarray


class Logger:
    """A logger of ignite, which `build` makes when training begins, in the main process only.

    Args:
        folder: the output folder of the experiment.
        name: of the experiment.
        config: plain data, the whole experiment.
    """

    def __init__(self, folder, name, config):
        self.folder, self.name, self.config = folder, name, config
        self.logger = None

    def build(self):
        """ignite's logger."""
        raise NotImplementedError

    def attach(self, engine):
        self.logger = self.build()
        self.logger.attach_output_handler(
            engine,
            event_name=Events.ITERATION_COMPLETED,
            tag="step",
            output_transform=lambda output: output,
        )
        self.logger.attach_output_handler(
            engine, event_name=Events.EPOCH_COMPLETED, tag="epoch", metric_names="all"
        )

    def show(self, step, demonstrate):
        """Called after an epoch that was the best so far.

        demonstrate: function() -> Demonstration, by the best model.
        """

    def close(self):
        if self.logger is not None:
            self.logger.close()


class TensorBoard(Logger):
    """Curves, and after each best epoch the first item of the validation data, separated: its sound
    and its picture. `tensorboard --logdir artifacts` shows them.

    Args:
        demonstrations: false: no sound and no pictures.
    """

    def __init__(self, folder, name, config, demonstrations: bool = True):
        super().__init__(folder, name, config)
        self.demonstrations = demonstrations

    def build(self):
        folder = self.folder / "tensorboard"
        with _starting("TensorBoard", f"make {folder} a folder that can be written"):
            return handlers.TensorboardLogger(log_dir=str(folder))

    def show(self, step, demonstrate):
        if self.logger is None or not self.demonstrations:
            return
        try:
            shown = demonstrate()
        except UserError as error:  # training does not depend on it
            log.warning("TensorBoard gets no separation to show: %s", error)
            return
        writer = self.logger.writer
        for title, sound in shown.sounds.items():
            writer.add_audio(title, sound.mean(axis=0), step, sample_rate=shown.sample_rate)
        writer.add_image("separation", shown.picture, step, dataformats="HWC")


class WandB(Logger):
    """Weights & Biases. Needs the package wandb, which is not installed with this project.

    Args:
        project: as `wandb.init` takes it.
        mode: "online", or "offline" to write into the output folder only.
    """

    def __init__(self, folder, name, config, project: str, mode: str = "online"):
        super().__init__(folder, name, config)
        self.project, self.mode = project, mode
        _require("wandb", "WandB")

    def build(self):
        with _starting("WandB", 'log in, or write args: {mode: "offline"}'):
            return handlers.WandBLogger(
                project=self.project,
                mode=self.mode,
                name=self.name,
                config=self.config,
                dir=str(self.folder),
            )


class MLflow(Logger):
    """MLflow. Needs the package mlflow, which is not installed with this project.

    Args:
        tracking_uri: of the server; null: MLflow's default, a database in the project's folder.
    """

    def __init__(self, folder, name, config, tracking_uri: str | None = None):
        super().__init__(folder, name, config)
        self.tracking_uri = tracking_uri
        _require("mlflow", "MLflow")

    def build(self):
        import mlflow

        uri = self.tracking_uri or mlflow.get_tracking_uri()
        log.info("MLflow: connecting to %s, which may take some minutes", uri)
        with _starting("MLflow", "check tracking_uri"):
            logger = handlers.MLflowLogger(tracking_uri=self.tracking_uri)
            mlflow.set_tag("mlflow.runName", self.name)
        return logger


@contextlib.contextmanager
def loggers_attached(trainer):
    """A context with a progress bar and a trainer's loggers, both in the main process only; the
    loggers are closed at its end."""
    try:
        if distributed.is_main_process():
            bar = handlers.ProgressBar(persist=False, disable=None)
            bar.attach(trainer.engine, output_transform=lambda scalars: scalars)
            for logger in trainer.loggers:
                logger.attach(trainer.engine)
        yield
    finally:
        for logger in trainer.loggers:
            logger.close()


def show_separation(trainer):
    """Let each logger show a separation by the best model, which is computed once, when the first
    logger asks for it; the time does not count towards `train.max_minutes`."""
    demonstration = functools.cache(lambda: trainer.demonstrate(trainer))
    with trainer.stopping.paused():
        for logger in trainer.loggers:
            logger.show(trainer.engine.state.iteration, demonstration)


@contextlib.contextmanager
def _starting(logger, advice):
    """A context in which a logger starts, each with exceptions of its own.

    Raises:
        UserError: it cannot start: nobody is logged in, no server answers, its folder is a file.
    """
    try:
        yield
    except Exception as error:
        reason = in_one_line(error, 200)
        raise UserError(
            f"train.loggers: {logger} cannot start ({reason}); {advice}, or remove the logger"
        ) from error


def _require(package, logger):
    try:
        importlib.import_module(package)
    except ImportError as error:
        raise UserError(
            f"train.loggers: {logger} needs the package {package} ({error}); "
            f"install it (python -m pip install {package}) or remove the logger"
        ) from error


LOGGERS = {"MLflow": MLflow, "TensorBoard": TensorBoard, "WandB": WandB}
