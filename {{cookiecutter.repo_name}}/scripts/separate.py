"""Separate audio files: python -m scripts.separate -p experiments/separate.yml"""

import glob
import logging
from pathlib import Path

from files import UserError, write_files
from scripts.common import run

log = logging.getLogger("separate")


def main(config):
    settings = config.separate
    files = find_files(config)

    import audio
    import experiment
    from compat import nussl

    experiment.check(config)
    separator = experiment.build_separator(config, settings.device)
    failed = []
    for path, folder in files:
        try:
            rate, _, _ = audio.info(path)
            mix = nussl.AudioSignal(audio_data_array=audio.read(path), sample_rate=rate)
            estimates = experiment.named(path, experiment.named(path, separator, mix))
            sources = {
                folder / f"source{i}.wav": audio.encode(estimate.audio_data, rate)
                for i, estimate in enumerate(estimates)
            }
            write_files(sources)
            for source in sources:
                log.info("%s", source)
        except UserError as error:  # one bad file does not stop the others
            failed.append(str(error))
            log.error("error: %s", error)
    if failed:
        raise UserError(
            f"{len(failed)} of {len(files)} files were not separated:\n  " + "\n  ".join(failed)
        )


def find_files(config):
    """[(audio file, folder for its sources)] of the paths and patterns in the config."""
    files, problems = [], []
    for number, entry in enumerate(config.separate.files):
        pattern = any(sign in entry for sign in "*?[") and not Path(entry).exists()
        found = sorted(glob.glob(entry, recursive=True)) if pattern else [entry]
        if not pattern and not Path(entry).is_file():
            problems.append(
                config.problem(
                    f"separate.files[{number}]",
                    f"{entry!r} is no file; name one, or a pattern (*.wav)",
                )
            )
        files += [Path(path) for path in found if Path(path).is_file()]
    if not files and not problems:
        problems.append(
            config.problem(
                "separate.files",
                f"no file is like {', '.join(map(repr, config.separate.files))}; "
                "put audio there, or name other files",
            )
        )
    config.require(problems)
    files = list(dict.fromkeys(files))
    output = Path(config.separate.output_folder)
    stems = [path.stem for path in files]
    # song.wav and song.mp3 of one list must not share a folder
    return [
        (path, output / (path.stem if stems.count(path.stem) == 1 else path.name)) for path in files
    ]


if __name__ == "__main__":
    run(main, __doc__, needs=("algorithm", "separate"))
