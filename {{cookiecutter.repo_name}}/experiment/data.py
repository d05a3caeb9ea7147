"""The datasets of a config."""

import contextlib

import labels
from compat import nussl
from dataset import DATASETS
from files import UserError

SPLITS = ("train", "val", "test")


def build_stft_params(config):
    signal = config.signal
    return nussl.STFTParams(signal.window_length, signal.hop_length, signal.window_type)


def build_dataset(config, split):
    """The dataset of `split`, at the experiment's rate, channels and STFT."""
    component = getattr(config.datasets, split)
    data = DATASETS[component.class_name](
        **{**component.args, "split": split},
        sample_rate=config.signal.sample_rate,
        num_channels=config.signal.num_channels,
        stft_params=build_stft_params(config),
    )
    data.augment = getattr(component, "augment", None)
    return data


def build_datasets(config, splits, if_there=(), model=None):
    """{split: dataset} of the splits that the config has.

    Args:
        if_there: splits whose sources are compared too, if their data are there.
        model: what `load_model_of` returned; None: the algorithm's model is not there yet.

    Raises:
        ConfigError: the splits do not have the same sources, or the algorithm gives fewer.
    """
    of_config = [split for split in SPLITS if getattr(config.datasets, split) is not None]
    data = {split: build_dataset(config, split) for split in of_config if split in splits}
    of_splits = {split: one.labels for split, one in data.items()}
    for split in of_config:
        if split in if_there:
            with contextlib.suppress(UserError):  # whoever needs it will say so
                of_splits[split] = build_dataset(config, split).labels
    config.require(labels.problems(config, of_splits, model))
    return data
