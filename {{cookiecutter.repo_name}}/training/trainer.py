"""The trainer: what a step is, on what, with what. `loop.py` runs it, and goes on with it."""

import logging
from typing import Any, NamedTuple

import torch

import distributed
from errors import UserError

from . import precision, rehearsal, weights
from .gradients import Clipping
from .heads import Halves
from .loading import Excerpts, load
from .loop import Loop
from .optimizers import OPTIMIZERS, SCHEDULERS
from .sampling import (
    Curriculum,
    SameBatches,
    ShuffledBatches,
    Spread,
    batches_in_order,
    covering,
)
from .schedule import Schedule

log = logging.getLogger("train")

MUCH_SILENCE = 0.2  # of the excerpts, that follows tracks shorter than they are


class Term(NamedTuple):
    """One term of the loss: a module, its factor, {key of a feature or output: its argument}."""

    loss: Any
    weight: float
    keys: dict


def _number(name, value):
    """What the loss `name` returned, if it is a tensor with one number.

    Raises:
        UserError: it is something else.
    """
    if isinstance(value, torch.Tensor) and value.ndim == 0:
        return value
    kind = type(value).__name__
    found = f"a tensor {(*value.shape,)}" if isinstance(value, torch.Tensor) else f"a {kind}"
    raise UserError(
        f"train.loss.{name}: returns {found}; it has to return a tensor with one number, computed "
        "by torch alone, so that it has a gradient"
    )


class Trainer(Loop):
    """Train a model on excerpts, keep the best, stop and go on at any time.

    Subclass it, override what should differ (`train_step`, `forward`, `compute_losses`,
    `build_optimizer`, `build_scheduler`, `clip_gradient`, `validation_step`), and add the class to
    `TRAINERS` in `training/__init__.py`: `train.class` in the YAML file then picks it.

    Files, in `output_folder`: `checkpoints/latest.pth` (everything that going on needs),
    `checkpoints/best.model.pth` (the model with the least validation loss, as nussl reads it),
    `checkpoints/epoch0012.model.pth` and so on (the `keep_best` best ones, if that is more than
    one), `history.csv` (a line an epoch), and what the loggers write.

    Args:
        settings: the section `train` of a config.
        model: a nussl SeparationModel, on the device to train on.
        losses: {name: Term}.
        front_end: turns a batch of waveforms into features (`features.FrontEnd`).
        train_data, val_data: datasets of ours; without val_data the training loss decides.
        output_folder: where to write.
        seed: of the order of the data, the excerpts and dropout.
        metadata: what goes into the model's file beside its weights.
        identity: {dotted key: plain value} of what a resumed training must share with its
            beginning (`resuming.settings_of`).
        loggers: what else is told about the training (`training.loggers`).
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
        loggers=(),
    ):
        self.settings, self.model, self.losses, self.seed = settings, model, losses, seed
        self.device = next(model.parameters()).device
        self.front_end = front_end.to(self.device)
        self.train_data = train_data
        self.val_data = train_data if settings.overfit and val_data else val_data
        self.share = (distributed.rank(), distributed.world_size())
        self._choose_data()
        unreached = self._refuse_what_does_not_fit()
        self.precision = precision.choose(self, settings.precision)
        self.network = weights.data_parallel(weights.compiled(model, settings.compile), unreached)
        self.halves = self._halves()
        self.average = weights.averaged(model, settings.ema_decay)
        self.optimizer = self.build_optimizer()
        self.schedule = Schedule(
            self.optimizer,
            self.build_scheduler(),
            settings.scheduler_every,
            settings.warmup_steps,
        )
        self.clipping = Clipping(settings.gradient_clip)
        self.scaler = precision.scaler(self.device, self.precision)
        super().__init__(output_folder, metadata, identity, loggers)

    # ---- what a subclass may want to change ------------------------------------------------

    def build_optimizer(self):
        component = self.settings.optimizer
        return OPTIMIZERS[component.class_name](self.model.parameters(), **component.args)

    def build_scheduler(self):
        component = self.settings.scheduler
        if component is None:
            return None
        return SCHEDULERS[component.class_name](self.optimizer, **component.args)

    def forward(self, features, network):
        """The outputs of `network` as float32, computed in `self.precision`."""
        inputs = {key: features[key] for key in getattr(network, "input", self.model.input)}
        with precision.autocast(self.device, self.precision):
            outputs = network(inputs)
        return {key: value.float() for key, value in outputs.items()}

    def compute_losses(self, outputs, batch):
        """The weighted sum and each term of it: (scalar, {name: scalar})."""
        known = {**batch, **outputs}
        terms = {
            name: _number(name, term.loss(**{arg: known[key] for key, arg in term.keys.items()}))
            for name, term in self.losses.items()
        }
        return sum(self.losses[name].weight * value for name, value in terms.items()), terms

    def clip_gradient(self, norm):
        """Limit the gradient of `self.model`, whose norm is `norm`: `train.gradient_clip`."""
        self.clipping(self.model.parameters(), norm)

    def train_step(self, batch):
        """One step of the optimiser on a batch of waveforms.

        Returns:
            float64 on the CPU: the norm of the gradient, the total loss, and each of its terms.
        """
        self.model.train()
        self.optimizer.zero_grad(set_to_none=True)
        losses = 0.0
        parts = self._parts(batch)
        for number, part in enumerate(parts):
            share = len(part["name"]) / len(batch["name"])
            # many processes exchange their gradients once, after the last part
            with weights.without_exchange(self.network, number < len(parts) - 1):
                losses = losses + self._backward(self.front_end(part), share)
        self.scaler.unscale_(self.optimizer)
        norm = torch.nn.utils.get_total_norm(
            [p.grad for p in self.model.parameters() if p.grad is not None]
        )
        values = torch.cat([norm[None], losses]).double().cpu()  # all that leaves the device
        self._refuse_nan(values, batch)
        self.clip_gradient(norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        if self.average is not None:
            self.average.update_parameters(self.model)
        return values

    @torch.no_grad()
    def validation_step(self, batch):
        """Losses of a batch, float64 on the CPU: the total loss, and each of its terms."""
        features = self.front_end(batch)
        total, terms = self.compute_losses(self.forward(features, self.judged.eval()), features)
        return torch.stack([total, *terms.values()]).double().cpu()

    @property
    def judged(self):
        """The model that is validated and kept: the one trained, or the average of its weights."""
        return self.model if self.average is None else self.average.module

    # ---- the data, and the step as the loop takes it -----------------------------------------

    def describe(self):
        """What is trained on what, in a line or two."""
        batch, (_, count) = self.batches.batch_size, self.share
        parts = count * self.settings.accumulate
        divided = f" (in {parts} parts of {batch // parts})" if parts > 1 else ""
        steps = self.batches.steps_per_epoch
        hours = batch * steps * self.excerpts.length.samples / self.train_data.sample_rate / 3600
        total = sum(self._lengths(self.train_data)) / self.train_data.sample_rate / 3600
        return (
            f"{len(self.train_data)} tracks, {total:.3g} h of audio; an epoch has "
            f"{len(self.batches.spread)} excerpts, {steps} steps with batches of {batch}{divided}, "
            f"{hours:.3g} h; {self.settings.epochs} epochs: {self.settings.epochs * steps} steps, "
            f"{self.settings.epochs * hours:.3g} h\n"
            f"{sum(p.numel() for p in self.model.parameters())} parameters, on {self.device}"
            f"{f' and {count - 1} more' if count > 1 else ''}, in {self.precision}"
        )

    def training_batches(self):
        """This process's part of the batches, without end, from the step that comes next."""
        self.batches.first_step = self.engine.state.iteration
        workers = self.settings.num_workers
        return load(self.excerpts, self.batches, workers, self.device.type == "cuda")

    def _choose_data(self):
        """`batches` and `excerpts` to train on, `val_batches` and `val_excerpts` to validate."""
        settings = self.settings
        samples, rate = self.front_end.segment, self.train_data.sample_rate
        length = samples(settings.segment, rate)
        stages = [(s.epochs, samples(s.segment, rate)) for s in settings.curriculum]
        lengths = self._lengths(self.train_data)
        self._warn_of_silence(lengths, length)
        count = settings.excerpts_per_epoch or covering(lengths, length)
        parts = self.share[1] * settings.accumulate
        size = min(settings.batch_size, count)
        if size < parts or settings.batch_size % parts:
            raise UserError(
                f"train.batch_size is {settings.batch_size}, of {count} excerpts; it has to be a "
                f"multiple of {parts}, the {self.share[1]} processes times train.accumulate"
            )
        self.excerpts = Excerpts(self.train_data, Curriculum(stages, length), self.seed)
        self.val_excerpts = Excerpts(self.val_data, length, self.seed)
        if settings.overfit:
            self.batches = SameBatches(lengths, size, settings.overfit, self.share)
            validation = self.batches.spread
        else:
            self.batches = ShuffledBatches(Spread(lengths, count), size, self.seed, 0, self.share)
            lengths = self._lengths(self.val_data or ())
            validation = Spread(lengths, settings.validation_excerpts or covering(lengths, length))
        self.val_batches = batches_in_order(validation, size, self.share) if self.val_data else []

    def _warn_of_silence(self, lengths, length):
        """Tracks shorter than an excerpt are followed by silence: say so if there is much of it."""
        silence = 1 - sum(min(track, length) for track in lengths) / (len(lengths) * length)
        if silence > MUCH_SILENCE:
            rate, median = self.train_data.sample_rate, sorted(lengths)[len(lengths) // 2]
            log.warning(
                "an excerpt has %.3g s, but half of the tracks have at most %.3g s: %.0f %% of "
                "what is trained on is silence after them; lower train.segment",
                length / rate,
                median / rate,
                100 * silence,
            )

    @staticmethod
    def _lengths(data):
        return [data.length_of(index) for index in range(len(data))]

    def _refuse_what_does_not_fit(self):
        """A step on the meta device, where nothing is computed: do the shapes agree?

        Returns:
            the names of the parameters that no loss reaches.
        """
        try:
            unreached = rehearsal.step_without_numbers(self)
        except (ValueError, RuntimeError, KeyError, IndexError) as error:
            if "does not require grad" in str(error):
                raise UserError(
                    "train.loss: has no gradient; a loss has to be computed by torch alone, "
                    "without detach(), item() or numpy()"
                ) from error
            raise UserError(
                f"the model, the losses and the data do not fit ({str(error).splitlines()[0]}); "
                f"the data have {len(self.train_data.labels)} sources: "
                + ", ".join(self.train_data.labels)
            ) from error
        if unreached:
            log.warning("no loss reaches %s, which will not be trained", ", ".join(unreached))
        return unreached

    def _halves(self):
        """The network in two, if its heads are to be computed a few items at a time."""
        losses = [term.loss for term in self.losses.values()]
        possible = self.network is self.model and Halves.can_cut(self.model, losses)
        if self.settings.head_items is None:
            return Halves(self.model) if possible and self.device.type == "cpu" else None
        if not possible:
            raise UserError(
                "train.head_items needs a model that ends with heads and losses that are means "
                "over the items of a batch (mean_over_items = True), and goes neither with "
                "train.compile nor with many processes; write head_items: null"
            )
        return Halves(self.model)

    def _step(self, batch):
        values = self.train_step(self.to_device(batch))
        self._sums += values[1:]
        self._steps_summed += 1
        rate = self.schedule.rate
        self.schedule.after_step()
        return {
            "loss": values[1].item(),
            "gradient_norm": values[0].item(),
            "learning_rate": rate,
        }

    def _backward(self, features, share):
        """Add the gradients of a batch, `share` of the step's, to the weights: its losses."""

        def losses(outputs, features, of_batch=1.0):
            total, terms = self.compute_losses(outputs, features)
            self.scaler.scale(share * of_batch * total).backward()
            return share * of_batch * torch.stack([total, *terms.values()]).detach()

        if self.halves is None:
            return losses(self.forward(features, self.network), features)
        items = self.settings.head_items or 1
        return self.halves.backward(features, items, self.forward, losses)

    def _parts(self, batch):
        """The batch in `train.accumulate` parts, whose gradients are added up."""
        count = self.settings.accumulate
        if count == 1:
            return [batch]
        rows = torch.arange(len(batch["name"])).tensor_split(count)
        return [
            {key: value[part[0] : part[-1] + 1] for key, value in batch.items()}
            for part in rows
            if len(part)
        ]

    def to_device(self, batch):
        """A batch of the loader with its tensors where the network is."""
        return {
            key: value.to(self.device, non_blocking=True) if torch.is_tensor(value) else value
            for key, value in batch.items()
        }

    def _refuse_nan(self, values, batch):
        """values: the norm of the gradient, the total loss, its terms."""
        if torch.isfinite(values[1:]).all() and (
            torch.isfinite(values[0]) or self.scaler.is_enabled()
        ):
            return
        names = ["gradient's norm", "loss", *self.losses]
        wrong = {name: v for name, v in zip(names, values.tolist(), strict=True) if v - v != 0}
        spoilt = [
            name
            for name, mix in zip(batch["name"], batch["mix"], strict=True)
            if not torch.isfinite(mix).all()
        ]
        cause = (
            f"The audio of {', '.join(spoilt)} holds NaN or infinite samples: repair the files"
            if spoilt
            else "A smaller learning rate or gradient_clip may help"
        )
        raise UserError(
            f"{', '.join(f'the {name} is {value}' for name, value in wrong.items())} at step "
            f"{self.engine.state.iteration} with {', '.join(batch['name'])}; the last good state "
            f"is in {self.latest}. {cause}"
        )
