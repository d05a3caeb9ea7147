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
    import separations
    from evaluation import score_item
    from files import write_files
    from scripts.pages import page_of_one

    experiment.check(config)
    settings = config.visualize
    separator = experiment.build_separator(config, settings.device)
    data = experiment.build_dataset(config, settings.split)
    if settings.item is not None:
        index = data.index_of(settings.item)
    else:
        index = int(np.random.default_rng(settings.seed).integers(len(data)))
    item = data[index]
    name = item["metadata"]["name"]
    title = f"{config.info.name}: {settings.split} {name}"
    shown = separations.separate_item(title, separator, item)

    number = name if re.fullmatch(r"\d{8}", name) else f"{index:08d}"
    folder = Path(settings.output_folder) / settings.split / number
    signals = {"mixture": shown.mix}
    signals |= {f"source{i}": estimate for i, estimate in enumerate(shown.estimates)}
    files = {
        folder / f"{name}.wav": audio.encode(signal.audio_data, signal.sample_rate)
        for name, signal in signals.items()
    }
    files[folder / "viz.png"] = shown.picture
    method = config.algorithm.class_name
    rows = separations.named(name, score_item, item, {method: lambda mix: shown.estimates})
    files[folder / "index.html"] = page_of_one(title, item, shown, method, rows)
    write_files(files)
    for file in files:
        log.info("%s", file)


if __name__ == "__main__":
    run(main, __doc__, needs=("algorithm", "visualize", "datasets"))
