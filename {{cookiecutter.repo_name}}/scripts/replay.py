"""Train and score a run once more, and compare: python -m scripts.replay -p artifacts/my_run"""

import logging

import config as configuration
import memory
from scripts.common import run

log = logging.getLogger("replay")
log.setLevel(logging.INFO)


def main(config):
    with memory.imports():
        import experiment
        from errors import UserError, amount
        from experiment import replay
        from scripts import evaluate, train

    before = config.path.parent
    session, folder = replay.recorded_run(before), replay.next_folder(before)
    replay.check_comparable(before)
    again = replay.replay_config(config, before, folder)
    experiment.check(again)
    lines = replay.differences(config, before, session)
    exact = replay.is_exact(session, lines)
    log.info(
        "%s", "\n  ".join([f"{amount(len(lines), 'difference')} from {before}/run.json", *lines])
    )
    log.info("%s", replay.expectation(exact))
    train.train(again, session["result"]["steps"])
    for path in replay.evaluations(before):
        evaluate.evaluate(replay.replay_config(configuration.load(path), before, folder))
    found, fine = replay.compare(before, folder, exact)
    replay.write_report(folder, lines, found, exact, fine)
    log.info("%s", "\n".join(found))
    if not fine:
        raise UserError(f"{folder / replay.REPORT}: another result than that of {before}")
    log.info("%s is reproduced in %s", before, folder)


if __name__ == "__main__":
    run(main, __doc__, needs=("datasets.train", "model", "train"))
