"""The learning rate from step to step."""

from torch.optim import lr_scheduler

from errors import UserError, amount


class Schedule:
    """A warm-up over the first steps, on top of any of torch's schedulers.

    Args:
        optimizer: whose learning rates are scheduled.
        scheduler: a scheduler of torch.optim.lr_scheduler on this optimizer, or None.
        every: "epoch" or "step": when the scheduler takes a step.
        warmup_steps: number of steps over which the scheduler's rate is multiplied by a factor
            that rises linearly to 1, or None.

    Attributes:
        rates: the learning rates of the scheduler, a number for each group of the optimizer, whose
            own rates are these times the factor of the warm-up.
    """

    def __init__(self, optimizer, scheduler=None, every="epoch", warmup_steps=None):
        if scheduler is not None and not hasattr(scheduler, "step"):
            raise UserError(
                f"train.class: build_scheduler returns a {type(scheduler).__name__}; it has to "
                "return a scheduler of torch, or None"
            )
        self.optimizer, self.scheduler, self.every = optimizer, scheduler, every
        self.warmup_steps, self.steps = warmup_steps or 0, 0
        self.rates = self._optimizer_rates
        self._warm_up()

    def check_length(self, epochs, steps_per_epoch):
        """Check that the scheduler does not end before the training run.

        Raises:
            UserError: it is a OneCycleLR of too few steps.
        """
        if not isinstance(self.scheduler, lr_scheduler.OneCycleLR):
            return
        lasts = self.scheduler.total_steps
        per_epoch = steps_per_epoch if self.every == "step" else 1
        needed, fewer = epochs * per_epoch, lasts // per_epoch
        if lasts < needed:
            lower = f", or lower train.epochs to {fewer}" if fewer else ""
            raise UserError(
                f"train.scheduler.args: OneCycleLR lasts {amount(lasts, 'step')} (total_steps, or "
                f"epochs times steps_per_epoch), and with scheduler_every: {self.every} it takes "
                f"{needed} in train.epochs: {epochs}; write total_steps: {needed}{lower} (a run "
                "that has begun keeps its total_steps)"
            )

    def after_step(self):
        if self.scheduler is not None and self.every == "step":
            self._scheduler_step()
        if self.warming_up:
            self.steps += 1
            self._warm_up()

    def after_epoch(self, metric):
        """metric: the loss or score that ReduceLROnPlateau follows; None: it was not validated."""
        if self.scheduler is None or self.every == "step":
            return
        if not isinstance(self.scheduler, lr_scheduler.ReduceLROnPlateau):
            self._scheduler_step()
        elif metric is not None:
            self._scheduler_step(metric)

    @property
    def warming_up(self):
        return self.steps < self.warmup_steps

    @property
    def rate(self):
        """The learning rate of the first group of parameters."""
        return self._optimizer_rates[0]

    @property
    def _optimizer_rates(self):
        return [group["lr"] for group in self.optimizer.param_groups]

    @_optimizer_rates.setter
    def _optimizer_rates(self, rates):
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            group["lr"] = rate

    def _scheduler_step(self, *metric):
        """A step of the scheduler, many of which compute a rate from the last one in the optimizer:
        during the warm-up they must find their own there, without its factor."""
        if not self.warming_up:
            self.scheduler.step(*metric)
            return
        self._optimizer_rates = self.rates
        self.scheduler.step(*metric)
        self.rates = self._optimizer_rates
        self._warm_up()

    def _warm_up(self):
        factor = (self.steps + 1) / (self.warmup_steps + 1)
        self._optimizer_rates = [factor * rate for rate in self.rates]

    def state_dict(self):
        scheduler = {} if self.scheduler is None else {"scheduler": self.scheduler.state_dict()}
        return {**scheduler, "steps": self.steps, "rates": self.rates}

    def load_state_dict(self, state):
        """To be called after the optimizer's. A state without "steps", of an earlier version,
        counts as warmed up."""
        if self.scheduler is not None and "scheduler" in state:
            self.scheduler.load_state_dict(state["scheduler"])
        self.steps = state.get("steps", self.warmup_steps)
        self.rates = state.get("rates", self._optimizer_rates)
