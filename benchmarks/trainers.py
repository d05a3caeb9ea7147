"""The Trainer of an experiment on other data: on noise, or on files that a benchmark has."""

import functools
import os

from benchmarks import PROJECT


@functools.cache
def register_noise():
    """Make the dataset `Noise` known to the configs of this process."""
    import numpy as np
    from dataset import DATASETS, StemDataset, Track

    class Noise(StemDataset):
        """Tracks of seeded white noise.

        Args:
            sources: names of the sources.
            tracks: number of tracks.
            samples: their length.
        """

        def __init__(
            self,
            folder,
            split,
            sample_rate,
            num_channels,
            stft_params,
            sources: list[str] = ("a", "b"),
            tracks: int = 8,
            samples: int = 64000,
        ):
            self.sources, self.num_tracks, self.samples = sources, tracks, samples
            super().__init__(folder, split, sample_rate, num_channels, stft_params)

        def list_tracks(self, folder):
            stems = {source: ("noise",) for source in self.sources}
            numbers = range(self.num_tracks)
            return [Track(str(n), stems, self.sample_rate, self.samples) for n in numbers]

        def excerpt(self, index, start=0, length=None):
            size = (len(self.sources), self.num_channels, length or self.samples)
            return 0.1 * np.random.default_rng(index).standard_normal(size).astype(np.float32)

    DATASETS["Noise"] = Noise


def trainer_on_noise(experiment_file, **train):
    """The trainer of `experiments/<experiment_file>`, on noise of the length of its segments.

    Args:
        train: settings that replace those of the section `train`.
    """
    os.chdir(PROJECT)  # to which paths in configs are relative
    register_noise()

    def noise(plain):
        samples = round(plain["train"]["segment"] * plain["signal"]["sample_rate"])
        args = {"folder": ".", "split": "train", "tracks": plain["train"]["batch_size"]}
        count = plain["model"].get("args", {}).get("num_sources", 2)
        args |= {"sources": [f"source {n}" for n in range(count)], "samples": samples}
        return {"train": {"class": "Noise", "args": args}}

    return trainer_on(experiment_file, noise, "output/benchmark", num_workers=0, **train)


def trainer_on(experiment_file, datasets, output_folder, **train):
    """The trainer of `experiments/<experiment_file>` on other data.

    Args:
        datasets: function(the config as plain data, with `train`) -> its section `datasets`.
        output_folder: where it writes.
        train: settings that replace those of the section `train`.
    """
    import config
    import experiment

    plain = config.load(PROJECT / "experiments" / experiment_file).to_dict()
    plain["train"] |= train
    plain["info"]["output_folder"] = str(output_folder)
    plain["datasets"] = datasets(plain)
    return experiment.build_trainer(config.Config.model_validate(plain))
