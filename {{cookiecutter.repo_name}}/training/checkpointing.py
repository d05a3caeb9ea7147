"""The files of a training run: the state from which it resumes, and its best models."""

import logging
from pathlib import Path

import checkpoints
import distributed
from errors import UserError
from files import write_files

from . import random_state, resuming

log = logging.getLogger("train")

KEYS = ("begun_with", "iteration", "random")  # of latest.pth, beside those of `Trainer.state`


def refuse_wrong_part(trainer, name, part):
    """Raise an error if `part` cannot be a part of the state of a trainer, under this name."""
    kind = type(trainer).__name__
    if not hasattr(trainer, "state"):
        raise UserError(
            f"train.class: {kind}.__init__ registers {name!r} before it calls "
            "super().__init__(setup); call that first"
        )
    if name in (*trainer.state, *KEYS):
        raise ValueError(f"the state of a Trainer has a {name!r} already; choose another name")
    if not (hasattr(part, "state_dict") and hasattr(part, "load_state_dict")):
        raise UserError(
            f"train.class: the {name!r} of {kind} is a {type(part).__name__}; what is registered "
            "has to have the methods state_dict and load_state_dict"
        )


class Checkpoints:
    """`checkpoints/` in the output folder of a training run.

    latest.pth holds everything that resuming needs, best.model.pth the best model (`History`),
    epoch0012.model.pth and so on the `train.keep_best` best ones, if that is more than one.

    Args:
        folder: the output folder.
        metadata: what goes into a model's file beside its weights.
        identity: the settings that are compared when the run is resumed (`resuming.settings_of`).
    """

    def __init__(self, folder, metadata, identity):
        self.latest = Path(folder) / checkpoints.LATEST
        self.best = Path(folder) / checkpoints.BEST
        self.metadata, self.identity = metadata, identity

    # ---- the state ----------------------------------------------------------------------------

    def save(self, trainer):
        """Write latest.pth; to be called in all processes."""
        state = {name: part.state_dict() for name, part in trainer.state.items()}
        state |= {
            "begun_with": self._begun_with(trainer),
            "iteration": trainer.engine.state.iteration,
            "random": distributed.all_gather(random_state.capture(trainer.device)),
        }
        if distributed.is_main_process():
            trainer.lock.check()
            checkpoints.save(self.latest, state)

    def resume(self, trainer):
        """Load latest.pth into a Trainer.

        Returns:
            lines that say what is resumed, and what is different from now on.

        Raises:
            UserError: it is broken, or belongs to another training run; its best model is missing.
        """
        state = checkpoints.load(self.latest)
        if not isinstance(state, dict) or not {*KEYS, "means"} <= set(state):
            raise UserError(
                f"{self.latest}: is not the state of a training run of this version; move it away, "
                "or choose another info.output_folder"
            )
        changed = resuming.compare(self.latest, state["begun_with"], self._begun_with(trainer))
        for name, part in trainer.state.items():
            if state.get(name):  # {} of a GradScaler that was off: this one may be on
                part.load_state_dict(state[name])
        trainer.engine.load_state_dict(
            {
                "iteration": state["iteration"],
                # ignite refuses fewer epochs than are done; `fit` then has nothing to do
                "max_epochs": max(trainer.settings.epochs, len(trainer.history.rows)),
                "epoch_length": trainer.plan.steps_per_epoch,
            }
        )
        rank, world_size = trainer.shard
        if len(state["random"]) == world_size:
            random_state.restore(state["random"][rank], trainer.device)
        else:  # resumed in another number of processes, which have no random states to restore
            random_state.seed(trainer.seed + state["iteration"], rank, world_size)
        if distributed.is_main_process():
            self._restore_best(trainer)
            if trainer.history.rows:  # the process may have been killed before it wrote the file
                write_files({trainer.folder / "history.csv": trainer.history.csv()})
        return [f"resuming at step {state['iteration']} from {self.latest}", *changed]

    def _begun_with(self, trainer):
        """What is compared when this training run is resumed (`resuming.compare`)."""
        data = {"train": trainer.train_data, "val": trainer.val_data}
        tracks = {name: resuming.tracks_of(part) for name, part in data.items() if part is not None}
        return {"settings": self.identity, "data": tracks}

    # ---- the models ---------------------------------------------------------------------------

    def keep_best(self, trainer, complete=False):
        """Write the model of the last epoch if it is one of the best, and remove those that are no
        longer. To be called in the main process.

        complete: do not write a file that holds the model of the last epoch already.
        """
        keep, epoch = trainer.settings.keep_best, len(trainer.history.rows)
        best = trainer.history.best_epochs(keep)
        if epoch not in best:
            return
        of_epochs = {number: self.best.with_name(f"epoch{number:04d}.model.pth") for number in best}
        paths = [of_epochs[epoch]] if keep > 1 else []
        paths += [self.best] if epoch == best[0] else []
        for path in paths:
            if not (complete and _epoch_in(path) == epoch):
                checkpoints.save_model(path, trainer.eval_model, self._model_metadata(trainer))
        if keep > 1:
            for path in self.best.parent.glob("epoch*.model.pth"):
                if path not in of_epochs.values():
                    path.unlink()

    def refuse_model_without_state(self):
        """Raise a UserError if there is a model that a new training run would overwrite."""
        if self.best.exists():
            raise UserError(
                f"{self.best}: exists without {self.latest.name}, from which its training could be "
                "resumed, and would be overwritten; choose another info.output_folder, or move it "
                "away"
            )

    def _restore_best(self, trainer):
        """Write the best model if the run was killed between latest.pth and its file: that is the
        case if the last epoch is the best, whose weights latest.pth holds.

        Raises:
            UserError: the file of an earlier epoch's best model is missing.
        """
        best, existed = trainer.history.best_epochs(1), self.best.exists()
        if not trainer.within_epoch:
            self.keep_best(trainer, complete=True)
        if best and not self.best.exists():
            raise UserError(
                f"{self.best}: is missing, and only this file held the weights of epoch "
                f"{best[0]}, the best of the run in {self.latest.name}; put it "
                f"back, or move {self.latest} away to train again"
            )
        if best and not existed:
            log.warning("%s was missing and is written again", self.best)

    def _model_metadata(self, trainer):
        """What nussl expects in the file of a trained model."""
        state = {
            "epoch": len(trainer.history.rows),
            "epoch_length": trainer.plan.steps_per_epoch,
            "max_epochs": trainer.settings.epochs,
            "metrics": {},
            "output": {},
            "seed": None,
        }
        return {
            **self.metadata,
            "level_db": trainer.levels.summary(),
            "trainer.state.epoch_history": trainer.history.for_nussl(),
            "trainer.state_dict": state,
        }


def _epoch_in(path):
    """The epoch after which the model in a file was written; None if it cannot be read."""
    try:
        return checkpoints.load(path)["metadata"]["trainer.state_dict"]["epoch"]
    except (UserError, KeyError, TypeError):
        return None
