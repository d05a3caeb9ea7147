"""The datasets of a config."""

import contextlib
import itertools
import logging
import multiprocessing

from algorithms import ALGORITHMS, count_sources
from compat import nussl
from dataset import DATASETS
from dataset.tracks import files_of
from errors import UserError, amount
from files import printable

from . import labels

log = logging.getLogger("experiment")

SPLITS = ("train", "val", "test")


def build_stft_params(config):
    signal = config.signal
    return nussl.STFTParams(signal.window_length, signal.hop_length, signal.window_type)


def build_dataset(config, split):
    """The dataset of `split`, at the experiment's rate, channels and STFT."""
    component = getattr(config.datasets, split)
    dataset = DATASETS[component.class_name](
        **{**component.args, "split": split},
        sample_rate=config.signal.sample_rate,
        num_channels=config.signal.num_channels,
        stft_params=build_stft_params(config),
    )
    if not hasattr(dataset, "labels"):
        raise UserError(
            f"datasets.{split}: {type(dataset).__name__}.__init__ has to call super().__init__"
        )
    return dataset


def build_datasets(config, splits, optional=(), if_there=(), model=None):
    """{split: dataset} of the splits that the config has.

    Args:
        splits: those that are built.
        optional: splits that are left out, with a warning, if their data cannot be found.
        if_there: splits that are not returned, but whose sources are compared if their data can be
            found.
        model: what `load_model_of` returned; None: it has not been trained yet.

    Raises:
        ConfigError: the splits do not have the same sources, or the algorithm gives fewer.
        UserError: the data of one of `splits` cannot be found.
    """
    of_config = [split for split in SPLITS if getattr(config.datasets, split) is not None]
    data = {}
    for split in of_config:
        try:
            if split in splits or split in optional:
                data[split] = build_dataset(config, split)
        except UserError as error:
            if split in splits:
                raise
            log.warning("datasets.%s is left out: %s", split, error)
    known = dict(data)
    for split in of_config:
        if split in if_there:
            with contextlib.suppress(UserError):  # reported by the script that needs it
                known[split] = build_dataset(config, split)
    of_splits = {split: one.labels for split, one in known.items()}
    config.require(labels.problems(config, of_splits, model))
    if multiprocessing.parent_process() is None:  # not once more in each worker
        for warning in _warnings(config, known, model):
            log.warning("%s", warning)
    return data


def _warnings(config, data, model):
    """Yields warnings about valid settings that make scores misleading."""
    files = {}
    if len(data) > 1:
        for split, one in data.items():
            files[split] = {path for track in one.tracks for path in files_of(track)}
    for one, other in itertools.combinations(data, 2):
        if shared := files[one] & files[other]:
            yield (
                f"datasets.{one} and datasets.{other} share {amount(len(shared), 'file')}, "
                f"{printable(min(shared))} for one: scores on {other} then say little about data "
                "that were not trained on; give each split files of its own, as "
                "in folders train, val and test"
            )
    kinds = {split: one.mixture for split, one in data.items()}
    if len({*kinds.values()}) > 1:
        text = ", ".join(f"{split} has mixture: {kind}" for split, kind in kinds.items())
        yield (
            f"datasets: {text}; if the files hold more than the sources, add them everywhere, or "
            "write the same `mixture` in the args of all"
        )
    if config.algorithm is not None and data:
        name, split = config.algorithm.class_name, next(iter(data))
        count = count_sources(ALGORITHMS[name], config.algorithm.args, model)
        sources = data[split].labels
        if count is not None and count > len(sources):
            yield (
                f"algorithm: {name} gives {count} sources, and {split} has "
                f"{labels.sentence(sources)}; only the {len(sources)} estimates that fit best are "
                "scored, which inflates its score"
            )
