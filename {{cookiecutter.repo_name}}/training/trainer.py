"""The Trainer: a model, its optimizer, and the loop that trains it."""

import contextlib
import logging
from pathlib import Path

import torch
from ignite.engine import Engine, Events

import distributed
from errors import Interrupted, UserError, amount
from files import write_files

from . import precision, random_state, weights
from .backward import accumulate_gradients
from .checkpointing import Checkpoints, refuse_wrong_part
from .cuda_graphs import with_graphs
from .gradients import Clipping
from .history import History, Means
from .levels import Levels
from .locking import Lock
from .loggers import loggers_attached, show_separation
from .losses.model import inputs_of
from .optimizers import OPTIMIZERS, SCHEDULERS, scheduler_args
from .parameters import Frozen, parameter_groups
from .plan import Plan
from .scalars import check_finite, scalar, to_numbers, warn_of_not_finite
from .schedule import Schedule
from .shapes import check_shapes
from .stopping import SIGTERM, Stopping
from .trunk import trunk_and_heads

log = logging.getLogger("train")


class Trainer:
    """Train a model on excerpts, keep the best, stop and resume at any step.

    To change it, override a method from `build_optimizer` to `validation_step` in a subclass, and
    add that to `TRAINERS` in `training/__init__.py`: `train.class` in a YAML file then picks it.
    Its arguments come from `train.args`; `register` makes more state part of the checkpoint::

        class Distilled(Trainer):
            def __init__(self, setup, decay: float = 0.99):
                super().__init__(setup)
                self.teacher = self.register("teacher", copy.deepcopy(self.model))

    A step is `train_step`; what it returns is logged. The loop around it is `fit`.

    Attributes:
        model, losses, front_end, settings, train_data, val_data, seed, device: as in `Setup`.
        network: what `train_step` calls: the model, or a wrapper of it (torch.compile, CUDA graphs,
            DistributedDataParallel). `prepare` makes it, `precision` and `scaler`.
        eval_model: the model that is validated and saved: `model`, or the average of its weights.
        optimizer, schedule, clipping: what changes the weights in a step.
        average: the moving average of the weights; None without `train.ema_decay`.
        frozen: the parameters that are not trained. levels: of the mixtures, for the checkpoint.
        state: {name: object with `state_dict` and `load_state_dict`}, all that latest.pth holds.
        plan: which excerpts are read. history: a row per epoch. stopping: when the run ends.
        engine: the ignite Engine that runs the steps; its `state.iteration` counts them.
        folder, latest, best: paths of the output folder, the checkpoint and the best model.
    """

    def __init__(self, setup):
        self.settings, self.model, self.losses = setup.settings, setup.model, setup.losses
        self.train_data, self.val_data, self.seed = setup.train_data, setup.val_data, setup.seed
        self.folder, self.loggers = Path(setup.output_folder), list(setup.loggers)
        self.demonstrate, self.score = setup.demonstrate, setup.score
        self.started_from = setup.started_from
        self.device = next(self.model.parameters()).device
        self.front_end = setup.front_end.to(self.device)
        self.shard = (distributed.rank(), distributed.world_size())
        data = (self.train_data, self.val_data)
        settings = self.settings
        self.plan = Plan(settings, self.front_end, *data, self.seed, self.shard, setup.augment)
        self.state = {}
        self.register("model", self.model)
        self.frozen = Frozen(self.model, settings.freeze)
        self.average = weights.averaged(self.model, settings.ema_decay)
        if self.average is not None:
            self.register("average", self.average)
        self.optimizer = self.register("optimizer", self.build_optimizer())
        schedule = Schedule(
            self.optimizer, self.build_scheduler(), settings.scheduler_every, settings.warmup_steps
        )
        self.schedule = self.register("schedule", schedule)
        self.clipping = self.register("clipping", Clipping(settings.gradient_clip))
        self.means = self.register("means", Means())  # of this epoch so far
        self.levels = self.register("levels", Levels())
        score = setup.score.name if setup.score else None
        self.history = self.register("history", History(self.val_data is not None, score))
        self.stopping = self.register("stopping", Stopping(settings, self.history))
        self.checkpoints = Checkpoints(self.folder, setup.metadata, setup.identity)
        self.latest, self.best = self.checkpoints.latest, self.checkpoints.best
        self.lock, self._restored = Lock(self.folder), None  # None: `restore` was not called
        self.engine = self._build_engine()

    def prepare(self):
        """Check that model, losses and data fit, and set up the network for this device; called
        once, after the `__init__` of a subclass.

        Raises:
            UserError: shapes that do not agree, a precision that the device does not support, a
                scheduler that ends before the run.
        """
        self.schedule.check_length(self.settings.epochs, self.plan.steps_per_epoch)
        unused = check_shapes(self)
        if unused:
            log.warning("no loss reaches %s, which will not be trained", ", ".join(unused))
        self.precision = precision.choose(self, self.settings.precision)
        self.scaler = self.register("scaler", precision.scaler(self.device, self.precision))
        if self.settings.checkpointing:
            weights.checkpoint_activations(self.model)
        network = weights.compiled(with_graphs(self, unused), self.settings.compile)
        self.network = weights.data_parallel(network, unused)
        self.trunk_and_heads = trunk_and_heads(self)

    # ---- what a subclass may override ---------------------------------------------------------

    def build_optimizer(self):
        component = self.settings.optimizer
        parameters = parameter_groups(self.model, component.groups)
        return OPTIMIZERS[component.class_name](parameters, **component.args)

    def build_scheduler(self):
        """A scheduler of torch on `self.optimizer`, or None."""
        component = self.settings.scheduler
        if component is None:
            return None
        args = scheduler_args(component, self.settings.best_by)
        return SCHEDULERS[component.class_name](self.optimizer, **args)

    def forward(self, features, network):
        """The outputs of `network` as float32, computed in `self.precision`."""
        inputs = inputs_of(getattr(network, "input", self.model.input), features, self.losses)
        with precision.autocast(self.device, self.precision):
            outputs = network(inputs)
        return {key: value.float() for key, value in outputs.items()}

    def compute_losses(self, outputs, features):
        """The loss and its terms, scalar tensors: (weighted sum, {name: term})."""
        known = {**features, **outputs}
        terms = {
            name: scalar(name, term.loss(**{arg: known[key] for key, arg in term.keys.items()}))
            for name, term in self.losses.items()
        }
        return sum(self.losses[name].weight * value for name, value in terms.items()), terms

    def clip_gradient(self, norm):
        """Limit the gradient of `self.model`, whose norm is `norm`: `train.gradient_clip`."""
        self.clipping(self.model.parameters(), norm)

    def train_step(self, batch):
        """One step of the optimizer.

        Args:
            batch: {"mix": (batch, channels, samples), "sources": (batch, sources, channels,
                samples), "name": [str]}, on the device.

        Returns:
            {name: number}: the loss, its terms and the norm of the gradient. All of them go to the
            loggers and the progress bar, and their means over the epoch to history.csv.
        """
        self.frozen.train_mode(self.model)
        self.optimizer.zero_grad(set_to_none=True)
        losses = accumulate_gradients(self, batch)
        self.scaler.unscale_(self.optimizer)
        gradients = [p.grad for p in self.model.parameters() if p.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients)
        scalars = to_numbers({**losses, "gradient_norm": norm})
        check_finite(
            scalars, batch, self.engine.state.iteration, self.latest, self.scaler.is_enabled()
        )
        self.clip_gradient(norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        if self.average is not None:
            self.average.update_parameters(self.model)
        return scalars

    @torch.no_grad()
    def validation_step(self, batch):
        """The losses of a batch, {name: number}; their means over all items go to history.csv."""
        features = self.front_end(batch)
        total, terms = self.compute_losses(self.forward(features, self.eval_model.eval()), features)
        return to_numbers({"loss": total, **terms})

    # ---- the loop -----------------------------------------------------------------------------

    def register(self, name, part):
        """Make `part` a part of the checkpoint: saved with it and restored from it.

        Args:
            name: its key in `self.state` and in latest.pth.
            part: anything with `state_dict` and `load_state_dict`.

        Returns:
            `part`.
        """
        refuse_wrong_part(self, name, part)
        self.state[name] = part
        return part

    @property
    def eval_model(self):
        return self.model if self.average is None else self.average.module

    def to_device(self, batch):
        """A batch of the loader with its tensors on the device."""
        return {
            key: value.to(self.device, non_blocking=True) if torch.is_tensor(value) else value
            for key, value in batch.items()
        }

    def describe(self):
        """What is trained on what, and what it starts from, in a few lines."""
        others = f" and {self.shard[1] - 1} more" if self.shard[1] > 1 else ""
        parameters = self.frozen.describe(self.model)
        where = f"{parameters}, on {self.device}{others}, in {self.precision}"
        return "\n".join([self.plan.describe(), where, *self.started_from])

    def fit(self, steps=None):
        """Train until `train.epochs`, `max_minutes`, `early_stopping` or `steps` ends the run, and
        resume it from latest.pth if there is one.

        Args:
            steps: number of steps, including those before the run was resumed; None: no limit.

        Returns:
            the path of the best model.

        Raises:
            UserError: as `restore`; the loss is NaN or infinite, in a step or in all validations;
                the disk is full.
            Interrupted: SIGTERM was received; the state is saved.
        """
        self.restore()
        self.stopping.steps = steps
        try:
            if self._restored:
                log.info("%s", "\n  ".join(self._restored))
            if not self._epoch_end_is_pending and self._is_over():
                log.info("nothing to do: %s", self.stopping.reason)
                self.history.check_best()
                return self.best
            with loggers_attached(self):
                if self._epoch_end_is_pending:
                    self.engine.fire_event(Events.EPOCH_COMPLETED)
                if not self._is_over():
                    log.info("%s", self.describe())
                    self._run()
        finally:
            self.lock.release()
        self.history.check_best()
        log.info(
            "done: %s; %s; %s",
            self.stopping.reason or amount(self.settings.epochs, "epoch"),
            self.history.describe_best(),
            self.best,
        )
        return self.best

    @property
    def _epoch_end_is_pending(self):
        """Was the run interrupted between the last step of an epoch and its validation?"""
        return self.within_epoch and self.engine.state.iteration % self.plan.steps_per_epoch == 0

    def _is_over(self):
        return self.stopping.before(self.engine.state.epoch, self.engine.state.iteration)

    def _run(self):
        with (
            self.stopping.watching(),
            contextlib.closing(self.training_batches()) as batches,  # and their workers
        ):
            self.engine.run(
                batches, max_epochs=self.settings.epochs, epoch_length=self.plan.steps_per_epoch
            )
            if self.stopping.reason == SIGTERM:
                self.checkpoints.save(self)
                raise Interrupted(
                    f"stopped by SIGTERM at step {self.engine.state.iteration}; the state is in "
                    f"{self.latest}, and the same command resumes it"
                )
            if self.within_epoch:  # ignite leaves the end of the last epoch to us
                self.engine.fire_event(Events.EPOCH_COMPLETED)

    def training_batches(self):
        """A generator of batches without end, from the step that comes next."""
        return self.plan.training_batches(self.engine.state.iteration, self.device.type == "cuda")

    def _build_engine(self):
        engine = Engine(lambda engine, batch: self._iteration(batch))
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._end_epoch)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._stop_if_due)
        if every := self.settings.checkpoint_every:
            engine.add_event_handler(Events.ITERATION_COMPLETED(every=every), self._save_step)
        return engine

    def _iteration(self, batch):
        batch = self.to_device(batch)
        returned = self.train_step(batch)
        scalars = to_numbers(returned, f"{type(self).__name__}.train_step")
        self.means.add(scalars)
        self.levels.add(batch["mix"])
        rate = self.schedule.rate
        self.schedule.after_step()
        return {**scalars, "learning_rate": rate}

    def _stop_if_due(self):
        self.stopping.after_step(self.engine.state.iteration)
        if self.stopping.reason:
            self.engine.terminate()

    @property
    def within_epoch(self):
        """Were steps taken since the last epoch ended?"""
        return bool(self.means)

    def _end_epoch(self):
        """Validate, keep the best model, write a row of the history and a checkpoint."""
        epoch = len(self.history.rows) + 1
        row = {
            "epoch": epoch,
            "step": self.engine.state.iteration,
            "minutes": round(self.stopping.seconds / 60, 2),
            "learning_rate": self.schedule.rate,
        }
        row |= {f"train_{name}": value for name, value in self.means.compute().items()}
        if self.val_data is not None:
            last = self.stopping.reason or epoch == self.settings.epochs
            if last or epoch % self.settings.validate_every == 0:
                row |= self.validate()
            else:
                row |= {"val_loss": None, self.history.key: None}
        self.levels.warn_if_silent("training")
        self.history.add(row)
        self.schedule.after_epoch(row[self.history.key])
        self.means.clear()
        self.checkpoints.save(self)  # first: if killed in between, `resume` writes the best model
        if distributed.is_main_process():
            self.checkpoints.keep_best(self)
        self._log(row)
        self.stopping.after_epoch()
        if self.stopping.reason:
            self.engine.terminate()

    def validate(self):
        """{"val_loss": the total loss, "val_<name>": each term and the score of `train.best_by`},
        means over all validation items."""
        weights.share_buffers(self.eval_model)
        means = Means(finite_only=False)
        for batch in self.plan.validation_batches():
            returned = self.validation_step(self.to_device(batch))
            scalars = to_numbers(returned, f"{type(self).__name__}.validation_step")
            warn_of_not_finite(scalars, batch)
            means.add(scalars, count=len(batch["name"]))
        scores = self.score(self) if self.score else {}
        return {f"val_{name}": value for name, value in {**means.compute(), **scores}.items()}

    def _log(self, row):
        """Write the row of an epoch to the log, history.csv and the loggers."""
        best = self.history.best_epochs(1) == [row["epoch"]]
        if distributed.is_main_process():
            write_files({self.folder / "history.csv": self.history.csv()})
        self.engine.state.metrics = {k: v for k, v in row.items() if v is not None}
        if best and self.demonstrate is not None:
            show_separation(self)
        log.info("%s", self.history.describe_last())

    # ---- saving and resuming ------------------------------------------------------------------

    def restore(self):
        """Restore the state of the run in the output folder, if there is one.

        `fit` calls it; calling it again does nothing.

        Raises:
            UserError: the folder holds a run with other settings or data, or only one of
                latest.pth and the best model; another process is training in it.
        """
        if self._restored is not None:
            return
        random_state.seed(self.seed, *self.shard)
        if distributed.is_main_process():
            self.lock.acquire()
        try:
            if self.latest.exists():
                self._restored = self.checkpoints.resume(self)
            else:
                self.checkpoints.refuse_model_without_state()
                self._restored = []
        except UserError:
            self.lock.release()
            raise

    def _save_step(self):
        """`train.checkpoint_every`; after the last step of an epoch `_end_epoch` saves."""
        if self.engine.state.iteration % self.plan.steps_per_epoch:
            self.checkpoints.save(self)
