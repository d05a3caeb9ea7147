"""Separate audio files: python -m scripts.separate -p experiments/separate.yml"""

import logging

import memory
import recordings
from errors import UserError, amount
from scripts.common import run

log = logging.getLogger("separate")
NEEDS = ("algorithm", "separate")


def main(config):
    files = recordings.find_all(config)  # before the slow imports
    with memory.gc_paused():
        import experiment

    experiment.check(config, training=False)
    make = experiment.build_separator(config, config.separate.device)
    about = experiment.separation_record(config)
    failed, skipped = [], 0
    for path, folder in files:
        try:
            if experiment.is_separated(path, folder, about):
                skipped += 1
                continue
            with experiment.errors_named(path):
                record = experiment.separate_recording(path, folder, make, about)
            for line in experiment.separation_lines(folder, record):
                log.info("%s", line)
        except UserError as error:  # one bad file does not stop the others
            if len(files) == 1 or error.general:
                raise
            failed.append(str(path))
            log.error("error: %s", error)
    if skipped:
        log.info("%d of %s separated before", skipped, amount(len(files), "file"))
    if failed:
        count = f"{len(failed)} of {amount(len(files), 'file')} not separated (see above):"
        raise UserError("\n  ".join([count, *failed]))


if __name__ == "__main__":
    run(main, __doc__, needs=NEEDS)
