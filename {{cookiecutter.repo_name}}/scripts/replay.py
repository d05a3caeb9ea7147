"""Repeat a run and compare the results: python -m scripts.replay -p artifacts/my_run"""

import logging

import config as configuration
import memory
from scripts.common import run

log = logging.getLogger("replay")
log.setLevel(logging.INFO)


def main(config):
    with memory.gc_paused():
        import experiment
        from errors import UserError, amount
        from experiment import replay
        from scripts import evaluate, train

    original = config.path.parent
    session, folder = replay.recorded_run(original), replay.next_folder(original)
    replay.check_comparable(original)
    again = replay.replay_config(config, original, folder)
    experiment.check(again)
    changes = replay.differences(config, original, session)
    exact = replay.is_exact(session, changes)
    count = amount(len(changes), "difference")
    log.info("%s", "\n  ".join([f"{count} from {original}/run.json", *changes]))
    log.info("%s", replay.expectation(exact))
    train.train(again, session["result"]["steps"])
    for path in replay.evaluations(original):
        evaluate.evaluate(replay.replay_config(configuration.load(path), original, folder))
    compared, agrees = replay.compare(original, folder, exact)
    replay.write_report(folder, changes, compared, exact, agrees)
    log.info("%s", "\n".join(compared))
    if not agrees:
        raise UserError(f"{folder / replay.REPORT}: the result differs from that of {original}")
    log.info("%s is reproduced in %s", original, folder)


if __name__ == "__main__":
    run(main, __doc__, needs=("datasets.train", "model", "train"))
