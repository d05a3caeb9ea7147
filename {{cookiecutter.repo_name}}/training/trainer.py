"""The trainer: epochs over excerpts, with checkpoints from which it goes on as if never stopped."""

import logging
import time
from pathlib import Path

import numpy as np
import torch
from ignite.engine import Engine, Events
from ignite.handlers import ProgressBar

import checkpoints
from files import UserError, csv_text, write_files

from . import random_state
from .excerpts import Excerpts, ShuffledBatches, batches_in_order, loader

log = logging.getLogger("train")


class Trainer:
    """Train a model on excerpts, keep the best, stop and go on at any time.

    Subclass it, override what should differ (`train_step`, `compute_losses`, `build_optimizer`,
    `clip_gradient`, `validation_step`), and add the class to `TRAINERS` in `training/__init__.py`:
    `train.class` in the YAML file then picks it.

    Files, in `output_folder`: `checkpoints/latest.pth` (everything that going on needs),
    `checkpoints/best.model.pth` (the model with the least validation loss, as nussl reads it),
    `history.csv` (a line an epoch).

    Args:
        settings: the section `train` of a config.
        model: a nussl SeparationModel, on the device to train on.
        losses: {name: (loss module, weight)}.
        front_end: turns a batch of waveforms into features (`training.FrontEnd`).
        train_data, val_data: datasets of ours; without val_data the training loss decides.
        output_folder: where to write.
        seed: of the order of the data, the excerpts and dropout.
        metadata: what goes into the model's file beside its weights.
        identity: plain data that must be the same when going on (model, signal).
    """

    def __init__(
        self,
        settings,
        model,
        losses,
        front_end,
        train_data,
        val_data,
        output_folder,
        seed,
        metadata,
        identity,
    ):
        self.settings, self.model, self.losses, self.seed = settings, model, losses, seed
        self.device = next(model.parameters()).device
        self.front_end = front_end.to(self.device)
        self.train_data, self.val_data = train_data, val_data
        self.folder = Path(output_folder)
        self.metadata, self.identity = metadata, identity
        self.latest = self.folder / "checkpoints" / "latest.pth"
        self.best = self.folder / "checkpoints" / "best.model.pth"
        length = front_end.samples(settings.excerpt_frames)
        self.excerpts = Excerpts(train_data, length, seed)
        self.val_excerpts = Excerpts(val_data, length, seed) if val_data else None
        self.batches = ShuffledBatches(len(train_data), settings.batch_size, seed)
        self.optimizer = self.build_optimizer()
        self.scheduler = self.build_scheduler()
        self.history = []  # a dict an epoch
        self.gradient_norms = []  # of all steps: AutoClip's memory
        self.best_loss = float("inf")
        self.seconds = 0.0  # spent training, in all sessions
        self._sums = torch.zeros(1 + len(losses), dtype=torch.float64)  # of this epoch's losses
        self._steps_summed = 0
        self._stop_reason = None
        self._restored = False
        self.engine = self._build_engine()

    # ---- what a subclass may want to change ------------------------------------------------

    def build_optimizer(self):
        component = self.settings.optimizer
        return getattr(torch.optim, component.class_name)(self.model.parameters(), **component.args)

    def build_scheduler(self):
        component = self.settings.scheduler
        if component is None:
            return None
        return getattr(torch.optim.lr_scheduler, component.class_name)(
            self.optimizer, **component.args
        )

    def forward(self, features):
        """The model's outputs as float32, computed in `train.precision`."""
        low = self.settings.precision == "bfloat16"
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=low):
            outputs = self.model(dict(features))
        return {key: value.float() for key, value in outputs.items()}

    def compute_losses(self, outputs, batch):
        """The weighted sum and each term of it: (scalar, {name: scalar})."""
        known = {**batch, **outputs}
        terms = {}
        for name, (loss, _) in self.losses.items():
            arguments = {argument: known[key] for key, argument in loss.DEFAULT_KEYS.items()}
            terms[name] = loss(**arguments)
        return sum(weight * terms[name] for name, (_, weight) in self.losses.items()), terms

    def clip_gradient(self):
        """Limit the norm of the gradient; AutoClip (Seetharaman et al. 2020) limits it to a
        percentile of all norms seen so far."""
        clip = self.settings.gradient_clip
        if clip is None:
            return
        limit = clip.max_norm
        if clip.percentile is not None:
            gradients = [p.grad for p in self.model.parameters() if p.grad is not None]
            self.gradient_norms.append(torch.nn.utils.get_total_norm(gradients).item())
            limit = float(np.percentile(self.gradient_norms, clip.percentile))
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), limit)

    def train_step(self, batch):
        """One step of the optimiser on a batch of waveforms: (total loss, {name: loss})."""
        self.model.train()
        self.optimizer.zero_grad(set_to_none=True)
        features = self.front_end(batch)
        total, terms = self.compute_losses(self.forward(features), features)
        self._refuse_nan(total, batch)
        total.backward()
        self.clip_gradient()
        self.optimizer.step()
        return total.detach(), {name: term.detach() for name, term in terms.items()}

    @torch.no_grad()
    def validation_step(self, batch):
        """Losses of a batch: (total loss, {name: loss})."""
        self.model.eval()
        features = self.front_end(batch)
        return self.compute_losses(self.forward(features), features)

    # ---- the run ---------------------------------------------------------------------------

    def restore(self):
        """Take up the state of the training that `output_folder` holds, if it holds one.

        `fit` does it too, if it was not done before.

        Raises:
            UserError: the folder holds another training, or a model whose state is not there.
        """
        if self._restored:
            return
        torch.manual_seed(self.seed)
        if self.latest.exists():
            self._resume()
        elif self.best.exists():
            raise UserError(
                f"{self.best} is there but {self.latest.name}, from which its training "
                "could go on, is not; it would be overwritten. Choose another "
                "info.output_folder, or move it away"
            )
        self._restored = True

    def fit(self):
        """Train until the epochs, the minutes or the patience are used up; go on if it had begun.

        Returns:
            the path of the best model.

        Raises:
            UserError: as `restore`; the loss is NaN or infinite; the disk is full.
        """
        self.restore()
        steps = self.batches.steps_per_epoch
        self._stop_reason = self._used_up()
        if self._stop_reason:
            log.info("nothing to do: %s", self._stop_reason)
            return self.best
        self.batches.first_step = self.engine.state.iteration
        log.info(
            "%d excerpts, %d steps an epoch, %d parameters, on %s",
            len(self.train_data),
            steps,
            sum(p.numel() for p in self.model.parameters()),
            self.device,
        )
        data = loader(
            self.excerpts, self.batches, self.settings.num_workers, self.device.type == "cuda"
        )
        self._clock = time.monotonic()
        self.engine.run(data, max_epochs=self.settings.epochs, epoch_length=steps)
        if self._steps_summed:  # stopped within an epoch
            self._end_epoch()
        log.info(
            "done: %s; best validation loss %.5f; %s",
            self._stop_reason or f"{self.settings.epochs} epochs",
            self.best_loss,
            self.best,
        )
        return self.best

    def _build_engine(self):
        engine = Engine(lambda engine, batch: self._step(batch))
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._end_epoch)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._watch_clock)
        if self.settings.checkpoint_every:
            engine.add_event_handler(
                Events.ITERATION_COMPLETED(every=self.settings.checkpoint_every),
                self._save_within_epoch,
            )
        ProgressBar(persist=False, disable=None).attach(
            engine, output_transform=lambda output: {"loss": output}
        )
        return engine

    def _step(self, batch):
        total, terms = self.train_step(self._to_device(batch))
        self._sums += self._as_vector(total, terms)
        self._steps_summed += 1
        return total.item()

    @staticmethod
    def _as_vector(total, terms):
        """The total loss and its terms in one float64 tensor, which sums them over an epoch."""
        return torch.stack([total, *terms.values()]).double().cpu()

    def _to_device(self, batch):
        return {
            key: value.to(self.device, non_blocking=True) if torch.is_tensor(value) else value
            for key, value in batch.items()
        }

    def _watch_clock(self):
        now = time.monotonic()
        self.seconds, self._clock = self.seconds + now - self._clock, now
        self._stop_reason = self._stop_reason or self._out_of_time()
        if self._stop_reason:
            self.engine.terminate()

    def _end_epoch(self):
        train_losses = (self._sums / self._steps_summed).tolist()
        row = {
            "epoch": len(self.history) + 1,
            "step": self.engine.state.iteration,
            "minutes": round(self.seconds / 60, 2),
            "learning_rate": self.optimizer.param_groups[0]["lr"],
            "train_loss": train_losses[0],
        }
        row |= {
            f"train_{name}": value
            for name, value in zip(self.losses, train_losses[1:], strict=True)
        }
        if self.val_excerpts is not None:
            row |= self._validate()
        self.history.append(row)
        decisive = row.get("val_loss", row["train_loss"])
        is_best = decisive < self.best_loss
        if is_best:
            self.best_loss = decisive
            checkpoints.save_model(self.best, self.model, self._model_metadata())
        if isinstance(self.scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau):
            self.scheduler.step(decisive)
        elif self.scheduler is not None:
            self.scheduler.step()
        self._sums.zero_()
        self._steps_summed = 0
        self._save_latest()
        write_files({self.folder / "history.csv": csv_text(self.history)})
        log.info(
            "epoch %d  step %d  %.1f min  train %.5f%s%s",
            row["epoch"],
            row["step"],
            row["minutes"],
            row["train_loss"],
            f"  val {row['val_loss']:.5f}" if "val_loss" in row else "",
            "  best so far" if is_best else "",
        )
        self._stop_reason = self._stop_reason or self._out_of_patience()
        if self._stop_reason:
            self.engine.terminate()

    def _validate(self):
        batches = batches_in_order(len(self.val_data), self.settings.batch_size)
        sums, count = torch.zeros_like(self._sums), 0
        for batch in loader(self.val_excerpts, batches, 0):
            total, terms = self.validation_step(self._to_device(batch))
            sums += len(batch["name"]) * self._as_vector(total, terms)
            count += len(batch["name"])
        names = ["loss", *self.losses]
        return {
            f"val_{name}": value for name, value in zip(names, (sums / count).tolist(), strict=True)
        }

    def _used_up(self):
        if self.engine.state.epoch >= self.settings.epochs:
            return f"{len(self.history)} epochs are trained, train.epochs is {self.settings.epochs}"
        return self._out_of_time() or self._out_of_patience()

    def _out_of_time(self):
        limit = self.settings.max_minutes
        if limit and self.seconds >= 60 * limit:
            return f"train.max_minutes of {limit:g} are over"
        return None

    def _out_of_patience(self):
        patience = self.settings.early_stopping
        losses = [row.get("val_loss", row["train_loss"]) for row in self.history]
        if patience and len(losses) - 1 - int(np.argmin(losses or [0])) >= patience:
            return f"no improvement in {patience} epochs (train.early_stopping)"
        return None

    def _refuse_nan(self, total, batch):
        if not torch.isfinite(total):
            raise UserError(
                f"the loss is {total.item()} at step {self.engine.state.iteration} with "
                f"{', '.join(batch['name'])}; the last good state is in {self.latest}. "
                "A smaller learning rate or gradient_clip may help"
            )

    # ---- checkpoints -----------------------------------------------------------------------

    def _save_within_epoch(self):
        if self.engine.state.iteration % self.batches.steps_per_epoch:
            self._save_latest()

    def _save_latest(self):
        checkpoints.save(
            self.latest,
            {
                "identity": self.identity,
                "iteration": self.engine.state.iteration,
                "model": self.model.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "scheduler": self.scheduler.state_dict() if self.scheduler else None,
                "history": self.history,
                "best_loss": self.best_loss,
                "seconds": self.seconds,
                "gradient_norms": torch.tensor(self.gradient_norms, dtype=torch.float64),
                "sums": self._sums,
                "steps_summed": self._steps_summed,
                "random": random_state.capture(self.device),
            },
        )

    def _resume(self):
        state = checkpoints.load(self.latest)
        if not isinstance(state, dict) or "identity" not in state:
            raise UserError(f"{self.latest}: is not a checkpoint of a training; move it away")
        for key in sorted({*self.identity, *state["identity"]}):
            was, now = state["identity"].get(key), self.identity.get(key)
            if was != now:
                raise UserError(
                    f"{self.latest} holds a training with {key} = {was}, the config says "
                    f"{now}; choose another info.output_folder, or move the old one away"
                )
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.scheduler and state["scheduler"]:
            self.scheduler.load_state_dict(state["scheduler"])
        self.history, self.best_loss = state["history"], state["best_loss"]
        self.seconds, self.gradient_norms = state["seconds"], state["gradient_norms"].tolist()
        self._sums, self._steps_summed = state["sums"], state["steps_summed"]
        self.engine.load_state_dict(
            {
                "iteration": state["iteration"],
                "max_epochs": self.settings.epochs,
                "epoch_length": self.batches.steps_per_epoch,
            }
        )
        random_state.restore(state["random"])
        log.info("going on from step %d of %s", state["iteration"], self.latest)

    def _model_metadata(self):
        """What nussl expects of a trained model's file."""
        history = {
            key: [row[key] for row in self.history if key in row]
            for key in ("train_loss", "val_loss")
        }
        state = {
            "epoch": len(self.history),
            "epoch_length": self.batches.steps_per_epoch,
            "max_epochs": self.settings.epochs,
            "metrics": {},
            "output": {},
            "seed": None,
        }
        return {
            **self.metadata,
            "trainer.state.epoch_history": history,
            "trainer.state_dict": state,
        }
