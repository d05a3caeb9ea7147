"""When a training run stops: epochs, minutes, patience, and SIGTERM, which clusters send."""

import contextlib
import signal
import threading
import time

import distributed
from errors import amount

SIGTERM = "SIGTERM was received"


class Stopping:
    """Decides when a training run stops, and measures how long it has trained.

    Attributes:
        reason: why it stops now, as text; None if it does not.
        seconds: spent training, in all sessions.
        steps: it stops after this step; None: no step limit.

    Args:
        settings: the section `train` of a config.
        history: of the run.
    """

    def __init__(self, settings, history):
        self.settings, self.history = settings, history
        self.reason, self.seconds, self.steps = None, 0.0, None
        self._sigterm = False
        self._clock = time.monotonic()

    @contextlib.contextmanager
    def watching(self):
        """Measure time, and catch SIGTERM instead of letting it kill the process."""
        self._clock = time.monotonic()
        if threading.current_thread() is not threading.main_thread():
            yield  # only the main thread may set a signal handler
            return
        before = signal.signal(signal.SIGTERM, self._catch)
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, before)

    @contextlib.contextmanager
    def paused(self):
        """What is done in this context does not count towards train.max_minutes."""
        start = time.monotonic()
        yield
        self._clock += time.monotonic() - start

    def after_step(self, step):
        """Set `reason` if this step was the last. All processes must give the same answer."""
        now = time.monotonic()
        self.seconds, self._clock = self.seconds + now - self._clock, now
        if distributed.any_process(self._sigterm):
            self.reason = SIGTERM
        elif distributed.any_process(self._out_of_time()):
            self.reason = self.reason or self._time_is_used_up()
        elif self._out_of_steps(step):
            self.reason = self.reason or self._steps_taken()

    def after_epoch(self):
        """Set `reason` if the patience of `train.early_stopping` is used up."""
        self.reason = self.reason or self._out_of_patience()

    def before(self, epochs_done, step):
        """Is a training run over before its first step, as one that is resumed may be? Sets
        `reason` if so."""
        if epochs_done >= self.settings.epochs:
            done = amount(len(self.history.rows), "epoch")
            self.reason = f"{done} trained, train.epochs is {self.settings.epochs}"
        elif self._out_of_time():
            self.reason = self._time_is_used_up()
        elif self._out_of_steps(step):
            self.reason = self._steps_taken()
        else:
            self.reason = self._out_of_patience()
        return self.reason is not None

    def state_dict(self):
        return {"seconds": self.seconds}

    def load_state_dict(self, state):
        self.seconds = state["seconds"]

    def _catch(self, *_):
        self._sigterm = True

    def _out_of_time(self):
        return self.settings.max_minutes and self.seconds >= 60 * self.settings.max_minutes

    def _out_of_steps(self, step):
        return self.steps is not None and step >= self.steps

    def _time_is_used_up(self):
        return f"train.max_minutes of {self.settings.max_minutes:g} is used up"

    def _steps_taken(self):
        return f"{amount(self.steps, 'step')} taken"

    def _out_of_patience(self):
        patience = self.settings.early_stopping
        if patience and self.history.without_improvement() >= patience:
            return f"no improvement in {amount(patience, 'validation')} (train.early_stopping)"
        return None
