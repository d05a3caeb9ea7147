"""The loop around a step: epochs, validation, what is kept, when to stop and how to go on."""

import contextlib
import logging
import time
from pathlib import Path

import torch
from ignite.engine import Engine, Events
from ignite.handlers import ProgressBar

import checkpoints
import distributed
from errors import UserError
from files import write_files

from . import interruption, random_state, resuming
from .history import History
from .loading import load
from .locking import Lock

log = logging.getLogger("train")


class Loop:
    """What every training does around its steps; `Trainer` says what a step is.

    It calls `self._step(batch)` and `self.validation_step(batch)`, reads `self.batches`,
    `self.training_batches()`, `self.val_batches` and `self.val_excerpts`, and writes the state of
    `self._stateful()`.
    """

    def __init__(self, output_folder, metadata, identity, loggers=()):
        self.folder = Path(output_folder)
        self.metadata, self.identity, self.loggers = metadata, identity, list(loggers)
        self.latest = self.folder / "checkpoints" / "latest.pth"
        self.best = self.folder / checkpoints.BEST
        self.lock = Lock(self.folder)
        self.history = History(validated=self.val_data is not None)
        self.seconds = 0.0  # spent training, in all sessions
        self._sums = torch.zeros(1 + len(self.losses), dtype=torch.float64)  # of this epoch
        self._steps_summed = 0
        self._stop_reason = None
        self._restored, self._resumed = False, []  # and what is to be said of it
        self._interrupted = lambda: False
        self.engine = self._build_engine()

    def restore(self):
        """Take up the state of the training that `output_folder` holds, if it holds one.

        `fit` does it too, if it was not done before.

        Raises:
            UserError: the folder holds a training with other settings or data, a model without the
                state of its training, or a state without its best model; another process trains in
                it at this moment.
        """
        if self._restored:
            return
        random_state.seed(self.seed, *self.share)
        if distributed.is_main_process():
            self.lock.acquire()
        try:
            if self.latest.exists():
                self._resume()
            elif self.best.exists():
                raise UserError(
                    f"{self.best} is there but {self.latest.name}, from which its training "
                    "could be resumed, is not; it would be overwritten. Choose another "
                    "info.output_folder, or move it away"
                )
        except UserError:
            self.lock.release()
            raise
        self._restored = True

    def fit(self):
        """Train until the epochs, the minutes or the patience are used up; resume what had begun.

        Returns:
            the path of the best model.

        Raises:
            UserError: as `restore`; the loss is NaN or infinite; the disk is full.
            Interrupted: SIGTERM came; the state is saved.
        """
        self.restore()
        try:
            return self._fit()
        finally:
            self.lock.release()

    def _fit(self):
        if self._resumed:
            log.info("%s", "\n  ".join(self._resumed))
        self._clock = time.monotonic()
        if self._steps_summed and not self.engine.state.iteration % self.batches.steps_per_epoch:
            self._end_epoch()  # interrupted right after its last step
        self._stop_reason = self._used_up()
        if self._stop_reason:
            log.info("nothing to do: %s", self._stop_reason)
            return self.best
        log.info("%s", self.describe())
        with (
            interruption.noticed() as self._interrupted,
            contextlib.closing(self.training_batches()) as batches,  # and their workers
        ):
            self.engine.run(
                batches,
                max_epochs=self.settings.epochs,
                epoch_length=self.batches.steps_per_epoch,
            )
            if self._stop_reason == interruption.SIGTERM:
                self._save_latest()
                raise interruption.Interrupted(
                    f"stopped by SIGTERM at step {self.engine.state.iteration}; the state is in "
                    f"{self.latest}, and the same command resumes it"
                )
            if self._steps_summed:  # stopped within an epoch
                self._end_epoch()
        for logger in self.loggers:
            logger.close()
        log.info(
            "done: %s; best %s loss %.5f; %s",
            self._stop_reason or f"{self.settings.epochs} epochs",
            "validation" if self.val_data else "training",
            self.history.best_loss,
            self.best,
        )
        return self.best

    def _build_engine(self):
        engine = Engine(lambda engine, batch: self._step(batch))
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._end_epoch)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._watch)
        if self.settings.checkpoint_every:
            engine.add_event_handler(
                Events.ITERATION_COMPLETED(every=self.settings.checkpoint_every),
                self._save_within_epoch,
            )
        if distributed.is_main_process():
            ProgressBar(persist=False, disable=None).attach(
                engine, output_transform=lambda output: {"loss": output["loss"]}
            )
            for logger in self.loggers:
                logger.attach(engine)
        return engine

    def _watch(self):
        """Is it time to stop? All processes must give the same answer."""
        now = time.monotonic()
        self.seconds, self._clock = self.seconds + now - self._clock, now
        if distributed.any_process(self._interrupted()):
            self._stop_reason = interruption.SIGTERM
        elif distributed.any_process(self._out_of_time()):
            self._stop_reason = self._stop_reason or self._time_is_over()
        if self._stop_reason:
            self.engine.terminate()

    def _end_epoch(self):
        # `_watch` is called before: stopped by SIGTERM, the epoch is ended when it goes on
        losses = distributed.all_reduce(self._sums) / (self._steps_summed * self.share[1])
        epoch, names = len(self.history.rows) + 1, ["loss", *self.losses]
        row = {
            "epoch": epoch,
            "step": self.engine.state.iteration,
            "minutes": round(self.seconds / 60, 2),
            "learning_rate": self.schedule.rate,
        }
        row |= {f"train_{name}": loss for name, loss in zip(names, losses.tolist(), strict=True)}
        if self.val_data is not None:
            last = self._stop_reason or epoch == self.settings.epochs
            due = last or epoch % self.settings.validate_every == 0
            values = self._validate() if due else [None] * len(names)
            row |= {f"val_{name}": value for name, value in zip(names, values, strict=True)}
        self.history.add(row)
        self._keep_best(epoch)
        self.schedule.after_epoch(row[self.history.key])
        self._sums.zero_()
        self._steps_summed = 0
        self._save_latest()
        self._tell(row)
        self._stop_reason = self._stop_reason or self._out_of_patience()
        if self._stop_reason:
            self.engine.terminate()

    def _validate(self):
        """[total loss, each of its terms], the mean over all items."""
        sums = torch.zeros(1 + len(self._sums), dtype=torch.float64)
        for batch in load(self.val_excerpts, self.val_batches, 0):
            count = len(batch["name"])
            values = self.validation_step(self.to_device(batch))
            sums += count * torch.cat([torch.ones(1, dtype=torch.float64), values])
        sums = distributed.all_reduce(sums)
        return (sums[1:] / sums[0]).tolist()

    def _keep_best(self, epoch):
        """Write the model, if it is one of the best; remove the one that no longer is."""
        best = self.history.best_epochs(self.settings.keep_best)
        if epoch not in best or not distributed.is_main_process():
            return
        metadata = self._model_metadata()
        if epoch == best[0]:
            checkpoints.save_model(self.best, self.judged, metadata)
        if self.settings.keep_best > 1:
            name = "epoch{:04d}.model.pth".format
            checkpoints.save_model(self.best.with_name(name(epoch)), self.judged, metadata)
            for path in self.best.parent.glob("epoch*.model.pth"):
                if path.name not in map(name, best):
                    path.unlink()

    def _tell(self, row):
        """The row of an epoch, to the log, history.csv and the loggers."""
        best = self.history.best_epochs(1) == [row["epoch"]]
        if distributed.is_main_process():
            write_files({self.folder / "history.csv": self.history.csv()})
        self.engine.state.metrics = {k: v for k, v in row.items() if v is not None}
        began = time.monotonic()
        for logger in self.loggers if best else ():
            logger.show(self.engine.state.iteration)
        self._clock += time.monotonic() - began  # is not training: train.max_minutes stays whole
        validated = row.get("val_loss") is not None
        log.info(
            "epoch %d  step %d  %.1f min  train %.5f%s%s",
            row["epoch"],
            row["step"],
            row["minutes"],
            row["train_loss"],
            f"  val {row['val_loss']:.5f}" if validated else "",
            "  best so far" if best else "",
        )

    def _used_up(self):
        if self.engine.state.epoch >= self.settings.epochs:
            return (
                f"{len(self.history.rows)} epochs are trained, "
                f"train.epochs is {self.settings.epochs}"
            )
        if self._out_of_time():
            return self._time_is_over()
        return self._out_of_patience()

    def _out_of_time(self):
        return self.settings.max_minutes and self.seconds >= 60 * self.settings.max_minutes

    def _time_is_over(self):
        return f"train.max_minutes of {self.settings.max_minutes:g} are over"

    def _out_of_patience(self):
        patience = self.settings.early_stopping
        if patience and self.history.without_improvement() >= patience:
            return f"no improvement in {patience} validations (train.early_stopping)"
        return None

    # ---- checkpoints -----------------------------------------------------------------------

    def _save_within_epoch(self):
        if self.engine.state.iteration % self.batches.steps_per_epoch:
            self._save_latest()

    def _stateful(self):
        """{name: what has a state_dict} of all that a checkpoint holds beside plain data."""
        parts = {
            "model": self.model,
            "average": self.average,
            "optimizer": self.optimizer,
            "schedule": self.schedule,
            "scaler": self.scaler,
            "clipping": self.clipping,
        }
        return {name: part for name, part in parts.items() if part is not None}

    def _save_latest(self):
        state = {name: part.state_dict() for name, part in self._stateful().items()}
        state |= {
            "begun_with": self._begun_with(),
            "iteration": self.engine.state.iteration,
            "history": self.history.rows,
            "seconds": self.seconds,
            "sums": distributed.all_reduce(self._sums),
            "steps_summed": self._steps_summed * self.share[1],
            "random": distributed.all_gather(random_state.capture(self.device)),
        }
        if distributed.is_main_process():
            checkpoints.save(self.latest, state)

    def _resume(self):
        state = checkpoints.load(self.latest)
        if not isinstance(state, dict) or "begun_with" not in state:
            raise UserError(
                f"{self.latest}: is not the state of a training of this version; move it away, or "
                "choose another info.output_folder"
            )
        changed = resuming.compare(self.latest, state["begun_with"], self._begun_with())
        for name, part in self._stateful().items():
            if name in state:
                part.load_state_dict(state[name])
        self.history.rows = state["history"]
        self.seconds = state["seconds"]
        # this process's share, as far as numbers can tell, of what all of them had summed
        self._sums = state["sums"] / self.share[1]
        self._steps_summed = state["steps_summed"] / self.share[1]
        self.engine.load_state_dict(
            {
                "iteration": state["iteration"],
                # fewer than are done already: `fit` has nothing to do
                "max_epochs": max(self.settings.epochs, len(self.history.rows)),
                "epoch_length": self.batches.steps_per_epoch,
            }
        )
        number, count = self.share
        if len(state["random"]) == count:
            random_state.restore(state["random"][number], self.device)
        else:  # other processes than before: each draws its own numbers from here on
            random_state.seed(self.seed + state["iteration"], number, count)
        self._check_best()
        self._resumed = [f"resuming at step {state['iteration']} from {self.latest}", *changed]

    def _begun_with(self):
        """What must be the same when this training is resumed."""
        data = {"train": self.train_data, "val": self.val_data}
        tracks = {name: resuming.tracks_of(part) for name, part in data.items() if part is not None}
        return {"settings": self.identity, "data": tracks}

    def _check_best(self):
        """Is the best model so far there? That of the last epoch can be written again."""
        best = self.history.best_epochs(1)
        if not best or self.best.exists() or not distributed.is_main_process():
            return
        if best[0] != len(self.history.rows) or self._steps_summed:
            raise resuming.missing_model(self.best, self.latest, best[0])
        checkpoints.save_model(self.best, self.judged, self._model_metadata())
        log.warning("%s was not there and is written again", self.best)

    def _model_metadata(self):
        """What nussl expects of a trained model's file."""
        state = {
            "epoch": len(self.history.rows),
            "epoch_length": self.batches.steps_per_epoch,
            "max_epochs": self.settings.epochs,
            "metrics": {},
            "output": {},
            "seed": None,
        }
        return {
            **self.metadata,
            "trainer.state.epoch_history": self.history.for_nussl(),
            "trainer.state_dict": state,
        }
