"""The trials of a sweep, as a study of Optuna in a database that all workers share.

All trials are queued at the beginning, so that there are never more than asked for. A worker claims
a trial under a lock and sends heartbeats while it runs it. If these stop, the trial is queued
again, with the same values, seeds and folder.
"""

import inspect
import json
import logging
import time
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback, fail_stale_trials
from optuna.trial import Trial, TrialState
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

import config as configuration
from errors import UserError, in_one_line

from .locking import Lock

optuna.logging.set_verbosity(optuna.logging.ERROR)
warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
log = logging.getLogger("sweep")

MISSED = 3  # missed heartbeats after which a trial is queued again
LISTED = 5  # differences that are named


@dataclass
class Claimed:
    """A trial that this worker runs."""

    trial: Trial
    slot: int  # its number in the sweep; Optuna numbers each attempt at it anew
    seeds: list
    values: dict  # {key of `sweep.vary`: value}
    beat: float = field(default_factory=time.monotonic)  # the time of the last heartbeat
    reported: list = field(default_factory=list)  # [(epoch, value)] that the pruner knows


class Study:
    """The trials of a sweep.

    Args:
        folder: of the sweep; every worker must see the same.
        settings: the section `sweep`.
        seed: of the sampler.
        points: [(values, seeds)], one a trial; values: {key of `vary`: value}, {} to sample them.
        definition: plain data that must be the same for all workers of a study.
        direction: "minimize" or "maximize".

    Raises:
        UserError: the database cannot be opened, or holds a sweep with another definition.
    """

    def __init__(self, folder, settings, seed, points, definition, direction):
        self.folder, self.settings, self.seed = Path(folder), settings, seed
        self.url = settings.storage or f"sqlite:///{self.folder.absolute() / 'study.db'}"
        self.retry = RetryHeartbeatStaleTrialCallback()
        with self.lock():
            try:
                self.storage = self._open()
                pruner = build(optuna.pruners, settings.pruner) or optuna.pruners.NopPruner()
                self.study = optuna.create_study(
                    storage=self.storage,
                    study_name=str(self.folder.absolute()),
                    direction=direction,
                    load_if_exists=True,
                    sampler=optuna.samplers.RandomSampler(seed),
                    pruner=pruner,
                )
            except (SQLAlchemyError, ArgumentError, NoSuchModuleError, ImportError) as error:
                reason = in_one_line(error)
                raise UserError(
                    f"sweep.storage: {settings.storage or self.url} cannot be opened ({reason}); "
                    "write postgresql+psycopg://user@host/name, or leave it out"
                ) from error
            self._check_definition(json.loads(json.dumps(definition)))
            self._queue(points)

    def _open(self):
        waiting = {"timeout": 120} if self.url.startswith("sqlite") else {}
        beat = max(round(self.settings.heartbeat), 1)
        return RDBStorage(
            self.url,
            engine_kwargs={"connect_args": waiting},
            heartbeat_interval=beat,
            grace_period=MISSED * beat,
            heartbeat_stale_trial_callback=self.retry,
        )

    def lock(self):
        """A lock for what only one worker may do at a time, such as claiming a trial."""
        return Lock(self.folder / "study.lock", 300, "another worker still holds the study's lock")

    def _check_definition(self, definition):
        """Store the definition in a new study; raise a UserError if that of the study differs."""
        before = self.study.user_attrs.get("definition")
        if before is None:
            self.study.set_user_attr("definition", definition)
        elif before != definition:
            was, here = configuration.flat(before), configuration.flat(definition)
            keys = [key for key in sorted({*was, *here}) if was.get(key) != here.get(key)]
            keys = [key for key in keys if not isinstance(here.get(key), dict)][:LISTED]
            show = configuration.show
            lines = [f"{k} was {show(was.get(k))}, is now {show(here.get(k))}" for k in keys]
            raise UserError(
                f"{self.folder}: holds a sweep that was started with other settings:\n  "
                + "\n  ".join(lines)
                + "\nchoose another info.output_folder, or move the old one away"
            )

    def _queue(self, points):
        """Queue the trials that are not in the study yet."""
        queued = {trial.user_attrs["slot"] for trial in self.trials()}
        for slot, (values, seeds) in enumerate(points):
            if slot not in queued:
                coded = {name: coded_value(value) for name, value in values.items()}
                self.study.enqueue_trial(coded, user_attrs={"slot": slot, "seeds": seeds})

    # ---- claiming and finishing trials ------------------------------------------------------

    def claim(self):
        """A trial to run: `Claimed`; None if none is waiting."""
        with self.lock():
            fail_stale_trials(self.study)
            # trials that were marked as failed, but not queued again before the worker was killed
            for trial in self.trials():
                if trial.state == TrialState.FAIL and "message" not in trial.user_attrs:
                    self.retry(self.study, trial)
            for waiting in self.study.get_trials(states=(TrialState.WAITING,)):
                trial_id = waiting._trial_id
                # before it runs: a running trial without any heartbeat would never become stale
                self.storage.record_heartbeat(trial_id)
                if self.storage.set_trial_state_values(trial_id, TrialState.RUNNING):
                    return self._claimed(trial_id)
        return None

    def _claimed(self, trial_id):
        about = self.storage.get_trial(trial_id).user_attrs
        slot = about["slot"]
        self.study.sampler = self._sampler(slot)
        trial = Trial(self.study, trial_id)
        values = {
            name: decoded_value(suggested(trial, name, choice))
            for name, choice in self.settings.vary.items()
        }
        return Claimed(trial, slot, about["seeds"], values)

    def _sampler(self, slot):
        """A sampler for one trial: with the seed of `sampler.args` or of the sweep, plus the number
        of the trial, as all trials would draw the same values from one seed."""
        component = self.settings.sampler
        given = component.args.get("seed") if component else None
        seed = ((self.seed if given is None else given) + slot) % 2**32
        sampler = build(optuna.samplers, component, seed=seed)
        return sampler or optuna.samplers.TPESampler(seed=seed)

    def is_ours(self, claimed):
        """Does this worker still own a trial? Sends a heartbeat when one is due."""
        if time.monotonic() - claimed.beat < self.settings.heartbeat:
            return True
        claimed.beat = time.monotonic()
        if not self._is_running(claimed):
            return False
        self.storage.record_heartbeat(claimed.trial._trial_id)
        return True

    def _is_running(self, claimed):
        return self.storage.get_trial(claimed.trial._trial_id).state == TrialState.RUNNING

    def give_back(self, claimed):
        """Queue a trial again that this worker has not finished."""
        trial_id = claimed.trial._trial_id
        with self.lock():
            if self._is_running(claimed):
                self.storage.set_trial_state_values(trial_id, TrialState.FAIL)
                self.retry(self.study, self.storage.get_trial(trial_id))

    def finish(self, claimed, value=None, pruned=False, message=None, **about):
        """Store the result of a trial.

        Args:
            value: of the goal, if it is complete.
            pruned: it was ended early; Optuna then takes the last value that was reported.
            message: why it failed.
            about: plain data to store with it.
        """
        trial = claimed.trial
        with self.lock():
            if not self._is_running(claimed):
                log.warning("trial %d was given to another worker", claimed.slot)
                return
            for name, content in {"message": message, **about}.items():
                if content is not None:
                    trial.set_user_attr(name, content)
            if message is not None:
                self.study.tell(trial.number, state=TrialState.FAIL)
            elif pruned:
                self.study.tell(trial.number, state=TrialState.PRUNED)
            else:
                self.study.tell(trial.number, value, TrialState.COMPLETE)

    # ---- reading ----------------------------------------------------------------------------

    def trials(self):
        """The last attempt at each trial, in the order of their slots."""
        last = {}
        for trial in self.study.get_trials(deepcopy=False):
            last[trial.user_attrs["slot"]] = trial
        return [last[slot] for slot in sorted(last)]

    def is_over(self):
        """Has every trial ended?"""
        return all(trial.state.is_finished() for trial in self.trials())


def distribution_of(choice):
    """Optuna's distribution of a value in `sweep.vary`."""
    if isinstance(choice, list):
        return CategoricalDistribution([coded_value(value) for value in choice])
    ((kind, bounds),) = choice.items()
    if kind == "choice":
        return distribution_of(bounds)
    kind_of = IntDistribution if kind in ("int", "log_int") else FloatDistribution
    return kind_of(*bounds, log=kind.startswith("log_"))


def suggested(trial, name, choice):
    """The value of a trial for a key: of the queued ones, or drawn by the sampler."""
    distribution = distribution_of(choice)
    if isinstance(distribution, CategoricalDistribution):
        return trial.suggest_categorical(name, distribution.choices)
    is_int = isinstance(distribution, IntDistribution)
    suggest = trial.suggest_int if is_int else trial.suggest_float
    return suggest(name, distribution.low, distribution.high, log=distribution.log)


def coded_value(value):
    """A value as a category of Optuna, which knows no lists and mappings: those become text."""
    return f"json:{json.dumps(value)}" if isinstance(value, list | dict) else value


def decoded_value(value):
    """The inverse of `coded_value`."""
    is_coded = isinstance(value, str) and value.startswith("json:")
    return json.loads(value.removeprefix("json:")) if is_coded else value


def build(module, component, **overrides):
    """A sampler or pruner of Optuna.

    Args:
        module: `optuna.samplers` or `optuna.pruners`.
        component: the section with `class` and `args`; None: returns None.
        overrides: arguments in place of those in the file, if the class takes them.

    Raises:
        UserError: the class does not accept the arguments.
    """
    if component is None:
        return None
    cls = getattr(module, component.class_name)
    takes = inspect.signature(cls).parameters
    overrides = {name: value for name, value in overrides.items() if name in takes}
    try:
        return cls(**{**component.args, **overrides})
    except (TypeError, ValueError) as error:
        raise UserError(f"{component.class_name}: refused, {error}") from error


def classes(module, base):
    """{name: class} of the samplers or pruners that a file may name."""
    return {
        name: cls
        for name, cls in vars(module).items()
        if isinstance(cls, type) and issubclass(cls, base) and cls is not base
    }
