"""The learning rate from step to step."""

from torch.optim import lr_scheduler

from errors import UserError, amount


class Schedule:
    """A warm-up over the first steps, on top of any of torch's schedulers.

    Args:
        optimizer: whose rates these are.
        scheduler: a scheduler of torch.optim.lr_scheduler on it, or None.
        every: "epoch" or "step": when the scheduler moves on.
        warmup_steps: over so many steps the scheduler's rate is multiplied by a factor that rises
            in equal parts to 1; or None.
    """

    def __init__(self, optimizer, scheduler=None, every="epoch", warmup_steps=None):
        self.optimizer, self.scheduler, self.every = optimizer, scheduler, every
        self.warmup_steps, self.steps = warmup_steps or 0, 0
        self.rates = self._rates  # the scheduler's, which the optimizer has after the warm-up
        self._warm_up()

    def check_length(self, epochs, steps_per_epoch):
        """Does the scheduler last as long as the training run?

        Raises:
            UserError: it is a OneCycleLR of fewer steps.
        """
        if not isinstance(self.scheduler, lr_scheduler.OneCycleLR):
            return
        lasts, in_epoch = self.scheduler.total_steps, steps_per_epoch if self.every == "step" else 1
        if lasts < epochs * in_epoch:
            raise UserError(
                f"train.scheduler.args: OneCycleLR lasts {amount(lasts, 'step')} (total_steps, or "
                f"epochs times steps_per_epoch), and with scheduler_every: {self.every} it takes "
                f"{epochs * in_epoch} in train.epochs: {epochs}; write total_steps: "
                f"{epochs * in_epoch}, or lower train.epochs to {lasts // in_epoch} (a run that "
                "has begun keeps its total_steps)"
            )

    def after_step(self):
        if self.scheduler is not None and self.every == "step":
            self._move_on()
        if self.warming_up:
            self.steps += 1
            self._warm_up()

    def after_epoch(self, loss):
        """loss: what was validated, or None in an epoch that was not."""
        if self.scheduler is None or self.every == "step":
            return
        if not isinstance(self.scheduler, lr_scheduler.ReduceLROnPlateau):
            self._move_on()
        elif loss is not None:
            self._move_on(loss)

    @property
    def warming_up(self):
        return self.steps < self.warmup_steps

    @property
    def rate(self):
        """The learning rate of the first group of parameters."""
        return self._rates[0]

    @property
    def _rates(self):
        return [group["lr"] for group in self.optimizer.param_groups]

    @_rates.setter
    def _rates(self, rates):
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            group["lr"] = rate

    def _move_on(self, *loss):
        """A step of the scheduler, which finds its own rates in the optimizer and not ours."""
        if not self.warming_up:
            self.scheduler.step(*loss)
            return
        self._rates = self.rates
        self.scheduler.step(*loss)
        self.rates = self._rates
        self._warm_up()

    def _warm_up(self):
        factor = (self.steps + 1) / (self.warmup_steps + 1)
        self._rates = [factor * rate for rate in self.rates]

    def state_dict(self):
        scheduler = {} if self.scheduler is None else {"scheduler": self.scheduler.state_dict()}
        return {**scheduler, "steps": self.steps, "rates": self.rates}

    def load_state_dict(self, state):
        """The optimizer has been restored. A state of an earlier version counts as warmed up."""
        if self.scheduler is not None and "scheduler" in state:
            self.scheduler.load_state_dict(state["scheduler"])
        self.steps = state.get("steps", self.warmup_steps)
        self.rates = state.get("rates", self._rates)
