"""The learning rate from step to step."""

from torch.optim import lr_scheduler


class Schedule:
    """A warm-up over the first steps, and one of torch's schedulers.

    Args:
        optimizer: whose rate it is.
        scheduler: a scheduler of torch.optim.lr_scheduler on it, or None.
        every: "epoch" or "step": when the scheduler moves on.
        warmup_steps: the rate rises in equal parts to its full value, or None.
    """

    def __init__(self, optimizer, scheduler=None, every="epoch", warmup_steps=None):
        self.optimizer, self.scheduler, self.every = optimizer, scheduler, every
        self.warmup = None
        if warmup_steps:
            self.warmup = lr_scheduler.LinearLR(
                optimizer, start_factor=1 / (warmup_steps + 1), total_iters=warmup_steps
            )

    def after_step(self):
        if self.warmup is not None and self.warmup.last_epoch < self.warmup.total_iters:
            self.warmup.step()
        if self.scheduler is not None and self.every == "step":
            self.scheduler.step()

    def after_epoch(self, loss):
        """loss: what was validated, or None in an epoch that was not."""
        if self.scheduler is None or self.every == "step":
            return
        if not isinstance(self.scheduler, lr_scheduler.ReduceLROnPlateau):
            self.scheduler.step()
        elif loss is not None:
            self.scheduler.step(loss)

    @property
    def rate(self):
        """The learning rate of the first group of parameters."""
        return self.optimizer.param_groups[0]["lr"]

    def state_dict(self):
        parts = {"scheduler": self.scheduler, "warmup": self.warmup}
        return {name: part.state_dict() for name, part in parts.items() if part is not None}

    def load_state_dict(self, state):
        for name, part in state.items():
            if getattr(self, name) is not None:
                getattr(self, name).load_state_dict(part)
