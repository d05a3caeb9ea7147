"""Separate one item and draw it: python -m scripts.visualize -p best_model/config.yml"""

import logging
import re
from pathlib import Path

from scripts.common import run

log = logging.getLogger("visualize")


def main(config):
    import numpy as np

    import audio
    import experiment
    from files import write_files
    from report import draw_separation

    experiment.check(config)
    settings = config.visualize
    separator = experiment.build_separator(config, settings.device)
    data = experiment.build_dataset(config, settings.split)
    if settings.item is not None:
        index = data.index_of(settings.item)
    else:
        index = int(np.random.default_rng(settings.seed).integers(len(data)))
    item = data[index]
    name, mix = item["metadata"]["name"], item["mix"]
    algorithm = experiment.named(name, separator, mix)
    estimates = experiment.named(name, algorithm)

    number = name if re.fullmatch(r"\d{8}", name) else f"{index:08d}"
    folder = Path(settings.output_folder) / settings.split / number
    masks = np.stack([mask.mask.mean(axis=-1) for mask in algorithm.result_masks])
    embedding = getattr(algorithm, "features", None)
    loud = None
    if embedding is not None:  # channels as one: (f, t, c, d) -> (f, t, d)
        embedding, loud = embedding.mean(axis=2), algorithm.tf_point_over_cutoff.any(axis=-1)
    title = f"{config.info.name}: {settings.split} {name}"
    files = {folder / "mixture.wav": audio.encode(mix.audio_data, mix.sample_rate)}
    for i, estimate in enumerate(estimates):
        files[folder / f"source{i}.wav"] = audio.encode(estimate.audio_data, estimate.sample_rate)
    files[folder / "viz.png"] = draw_separation(title, mix, estimates, masks, embedding, loud)
    write_files(files)
    for file in files:
        log.info("%s", file)


if __name__ == "__main__":
    run(main, __doc__, needs=("algorithm", "visualize", "datasets"))
