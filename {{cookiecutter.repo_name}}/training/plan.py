"""Which excerpts a training run reads: those of an epoch, and those it validates on."""

import logging

import audio
from errors import UserError, amount, duration

from .levels import Levels
from .loading import Excerpts, load
from .sampling import (
    Curriculum,
    SameBatches,
    ShuffledBatches,
    Spread,
    batches_in_order,
    covering,
)

log = logging.getLogger("train")

MUCH_SILENCE = 0.2  # of the training excerpts: more is worth a warning
# keys of the augmentation that exchange or alter a source without the rest of a mixture file
OF_ONE_SOURCE = (
    "incoherent",
    "gain_db",
    "snr_db",
    "source_gain_db",
    "equalizer_db",
    "swap_channels",
    "flip_polarity",
    "reverb",
)


class Plan:
    """The batches of a training run.

    Attributes:
        excerpts, batches: the training excerpts and the keys that each step reads of them.
        val_excerpts, val_batches: the same for validation; no batches without `val_data`.

    Args:
        settings: the section `train` of a config.
        front_end: whose hop a segment is a multiple of.
        train_data, val_data: datasets of ours; val_data may be None.
        seed: of the order, the excerpts and their augmentation.
        shard: (rank, world size), so that each process reads its own part.
        augment: `datasets.train.augment` of the config, or None.

    Raises:
        UserError: the batch size cannot be divided among processes and `train.accumulate`, or
            the augmentation names a source that the data does not have.
    """

    def __init__(self, settings, front_end, train_data, val_data, seed, shard=(0, 1), augment=None):
        self.settings, self.train_data, self.shard = settings, train_data, shard
        rate = train_data.sample_rate
        length = front_end.segment_length(settings.segment, rate)
        _check_augment(augment, train_data)
        stages = [
            (s.epochs, front_end.segment_length(s.segment, rate)) for s in settings.curriculum
        ]
        lasts = sum(stage.epochs for stage in settings.curriculum)
        if lasts > settings.epochs:
            log.warning(
                "train.curriculum lasts %s, longer than the run (train.epochs: %d)",
                amount(lasts, "epoch"),
                settings.epochs,
            )
        lengths = _lengths(train_data)
        _warn_of_silence(train_data, lengths, length)
        count = settings.excerpts_per_epoch or covering(lengths, length)
        size = self._batch_size(count)
        self.excerpts = Excerpts(train_data, Curriculum(stages, length), seed, augment)
        # overfitting is seen on the training excerpts themselves
        held_out = train_data if settings.overfit and val_data else val_data
        same = augment if settings.overfit else None
        self.val_excerpts = Excerpts(held_out, length, seed, same)
        if settings.overfit:
            self.batches = SameBatches(lengths, size, settings.overfit, shard)
            validation = self.batches.spread
        else:
            self.batches = ShuffledBatches(Spread(lengths, count), size, seed, 0, shard)
            lengths = _lengths(val_data or ())
            validation = Spread(lengths, settings.validation_excerpts or covering(lengths, length))
        self.val_batches = batches_in_order(validation, size, shard) if val_data else []
        steps = settings.epochs * self.steps_per_epoch
        if (settings.warmup_steps or 0) > steps:
            log.warning(
                "train.warmup_steps is %d, longer than the run of %s: the learning rate stays "
                "below that of train.optimizer",
                settings.warmup_steps,
                amount(steps, "step"),
            )

    @property
    def steps_per_epoch(self):
        return self.batches.steps_per_epoch

    def training_batches(self, first_step=0, pin_memory=False):
        """A generator of this process's part of the batches, without end, from a step on; `close`
        ends its workers."""
        self.batches.first_step = first_step
        return load(self.excerpts, self.batches, self.settings.num_workers, pin_memory)

    def validation_batches(self):
        """This process's part of the validation batches, the same each time."""
        levels = Levels()
        for batch in load(self.val_excerpts, self.val_batches, 0):
            levels.add(batch["mix"])
            yield batch
        levels.warn_if_silent("validation")

    def describe(self):
        """Tracks, audio and steps, in a line."""
        rate, batch, steps = (
            self.train_data.sample_rate,
            self.batches.batch_size,
            self.steps_per_epoch,
        )
        parts = self.shard[1] * self.settings.accumulate
        epochs, length = self.settings.epochs, self.excerpts.length
        second = rate / (batch * steps)  # samples of an excerpt in an epoch of one second
        divided = f" (in {parts} parts of {batch // parts})" if parts > 1 else ""
        total = sum(_lengths(self.train_data)) / rate
        return (
            f"{amount(len(self.train_data), 'track')}, {duration(total)} of audio; an epoch has "
            f"{amount(len(self.batches.spread), 'excerpt')}, {amount(steps, 'step')} with batches "
            f"of {batch}{divided}, {duration(length(epochs - 1) / second)}; "
            f"{amount(epochs, 'epoch')}: {amount(epochs * steps, 'step')}, "
            f"{duration(length.total(epochs) / second)}"
        )

    def _batch_size(self, count):
        parts = self.shard[1] * self.settings.accumulate
        size = min(self.settings.batch_size, count)
        if size < parts or self.settings.batch_size % parts:
            raise UserError(
                f"train.batch_size is {self.settings.batch_size}, of {count} excerpts; it has to "
                f"be a multiple of {parts}, train.accumulate ({self.settings.accumulate}) times "
                f"the number of processes ({self.shard[1]})"
            )
        return size


def _check_augment(augment, data):
    """Refuse gains of sources that are not there, changes of sources that a mixture file holds in
    another form, and bit rates that MP3 does not have."""
    key = "datasets.train.augment"
    altering = [name for name in OF_ONE_SOURCE if augment is not None and getattr(augment, name)]
    if altering and data.mixture == "file" and not data.mixture_holds_sources:
        raise UserError(
            f"{key}: {', '.join(altering)} cannot be used, because the mixture files of "
            f"{type(data).__name__} do not hold the sources as they are (one is in a room, the "
            "other not): leave it out, or write mixture: sum in the args of the dataset"
        )
    gains = (augment and augment.source_gain_db) or {}
    unknown = [name for name in gains if name not in data.labels]
    if unknown:
        raise UserError(
            f"{key}.source_gain_db: there is no source {unknown[0]!r} in the training data; "
            f"its sources are {', '.join(data.labels)}; write null to remove an included key"
        )
    if augment is not None and augment.mp3 is not None:
        try:
            least, most = audio.mp3_kilobits(data.sample_rate)
        except UserError as error:
            raise UserError(f"{key}.mp3: {error}") from error
        low, high = augment.mp3.kilobits
        if low < least or high > most:
            raise UserError(
                f"{key}.mp3.kilobits: found [{low:g}, {high:g}], but MP3 at {data.sample_rate} Hz "
                f"has {least} to {most} kbit/s"
            )


def _lengths(data):
    return [data.length_of(index) for index in range(len(data))]


def _warn_of_silence(data, lengths, length):
    """Tracks shorter than an excerpt are padded with silence: say so if there is much of it."""
    silence = 1 - sum(min(track, length) for track in lengths) / (len(lengths) * length)
    if silence > MUCH_SILENCE:
        rate = data.sample_rate
        short = [number for number, track in enumerate(lengths) if track < length]
        names = [f"{data.tracks[n].name} ({lengths[n] / rate:.3g} s)" for n in short[:3]]
        log.warning(
            "an excerpt has %.3g s, and %d of %d tracks are shorter, %s%s: %.0f %% of the training "
            "data is padding; lower train.segment, or leave these tracks out",
            length / rate,
            len(short),
            len(lengths),
            ", ".join(names),
            ", ..." if short[3:] else "",
            100 * silence,
        )
