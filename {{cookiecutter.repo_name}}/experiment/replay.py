"""Replay a run: train it again, say what has changed since, and compare the results."""

import csv
import itertools
import json
import math
from pathlib import Path

import torch

import checkpoints
import devices
import provenance
from config import Config, leaves
from errors import UserError
from evaluation import ABOUT
from files import write_files
from training.resuming import settings_of

from .data import build_datasets
from .record import describe_data, digest_of

REPORT = "replay.json"
# tolerances where machine, packages or threads differ: so does rounding, and differences grow over
# a training run
LOSS = 0.05  # relative difference of the loss that decided which model was the best
SCORE = 0.5  # difference of a mean score, in dB (or in units of the score)
SAME_SCORE = 1e-6  # the same for the same weights: threads of k-means add in any order
WITHOUT_EFFECT = ("train.loggers", "train.device")  # the device is compared by the session


def recorded_run(folder):
    """The session in `run.json` in which a training run was completed: a dict.

    Raises:
        UserError: there is none.
    """
    completed = [
        session
        for session in provenance.sessions(folder)
        if session["script"] == "train" and session.get("result", {}).get("best_model")
    ]
    if not completed:
        raise UserError(
            f"{folder}: has no run.json with a completed training run; only a run that this "
            "version of the project has trained to its end can be replayed"
        )
    return completed[-1]


def check_comparable(run):
    """Check that a run still has its best model and its history, with which a replay is compared.

    Raises:
        UserError: one of them is missing or damaged.
    """
    best = Path(run) / checkpoints.BEST
    if not best.exists():
        raise UserError(
            f"{best}: is missing, and a replay is compared with it; put it back, or train again "
            "in another info.output_folder"
        )
    checkpoints.load_model(best)
    _history(run)


def replay_config(config, run, folder):
    """The Config to train a run again into another folder, without its time limit and loggers.

    Args:
        config: the run's own, or that of one of its evaluations, as it was resolved.
        run: the folder of the run.
        folder: the output folder of the replay.
    """
    plain = config.to_dict()
    plain["info"]["output_folder"] = str(folder)
    if "train" in plain:
        plain["train"] |= {"max_minutes": None, "loggers": []}
    args = plain.get("algorithm", {}).get("args", {})
    if "model_path" in args and _is_same(args["model_path"], Path(run) / checkpoints.BEST):
        del args["model_path"]  # its own best model, here that of the replay
    return Config.model_validate(plain)


def _is_same(path, other):
    return Path(path).resolve() == Path(other).resolve()


def next_folder(run):
    """The folder for a replay: the first of replay, replay-2, ... without a completed one."""
    number = 1
    while True:
        folder = Path(run) / ("replay" if number == 1 else f"replay-{number}")
        if not (folder / REPORT).exists():
            return folder
        number += 1


def differences(config, run, session):
    """What has changed since a run was recorded: [line].

    Args:
        config: the run's, as its config.yml says it now.
        run: its folder.
        session: of `recorded_run`.
    """
    device = devices.choose(config.train.device)
    data, initial = build_datasets(config, ("train", "val")), config.train.initial
    now = {
        **provenance.environment(),
        "code": provenance.code(),
        "seed": config.info.seed,
        "device": devices.describe(device),
        "threads": torch.get_num_threads(),
        "processes": 1,
        "data": {name: describe_data(one) for name, one in data.items()},
        "initial": digest_of(initial.checkpoint) if initial else None,
    }
    trainings = [one for one in provenance.sessions(run) if one["script"] == "train"]
    lines = dict.fromkeys(line for one in trainings for line in _since(one, now))
    best = Path(run) / checkpoints.BEST
    if checkpoints.digest(best) != session["result"]["best_model"]:
        lines[f"{best}: is not the model that this training run ended with"] = None
    was, here = _settings(run), settings_of(config)
    keys = [key for key in sorted({*was, *here}) if key not in WITHOUT_EFFECT]
    config_lines = [f"config {line}" for line in _changed(was, here, keys)]
    return [*lines, *config_lines]


def _since(session, now):
    """What has changed since a session, among the facts in `now`: [line]."""
    was, here = leaves({key: session[key] for key in now if key in session}), leaves(now)
    return _changed(was, here, [*{**was, **here}])


def _changed(was, here, keys):
    return [
        f"{key}: was {was.get(key)}, is {here.get(key)}"
        for key in keys
        if was.get(key) != here.get(key)
    ]


def _settings(run):
    """The settings that a run was trained with, as its checkpoints have them: `settings_of`."""
    latest, best = (Path(run) / path for path in (checkpoints.LATEST, checkpoints.BEST))
    if latest.exists():
        return checkpoints.load(latest)["begun_with"]["settings"]
    return settings_of(Config.model_validate(checkpoints.load_model(best)[1]["experiment"]))


def is_exact(session, lines):
    """Should a replay be bit-identical? On a CPU in float32, if nothing that matters has changed:
    another commit with the same code does not.

    session: of `recorded_run`; lines: `differences`.
    """
    irrelevant = ("code.commit", "code.changed", "platform", "cores")
    same = all(line.startswith(irrelevant) for line in lines)
    return same and session["device"] == "cpu" and session["precision"] == "float32"


def expectation(exact):
    """The tolerances of the comparison, as a sentence."""
    if exact:
        return f"expected: the same weights and losses to the last bit, scores to {SAME_SCORE:g} dB"
    return (
        f"expected: the deciding loss within {LOSS:.0%}, mean scores within {SCORE:g} dB: what "
        "differs above, a GPU or a precision below float32 changes how numbers are rounded"
    )


def compare(run, replay, exact):
    """Compare the best models, histories and scores of a run and its replay.

    Returns:
        ([line that says what was found], do all of them agree within the tolerances).
    """
    found = [
        *_compare_weights(run, replay, exact),
        *_compare_training(run, replay, exact),
        *_compare_scores(run, replay, exact),
    ]
    return [line for line, _ in found], all(agrees for _, agrees in found)


def _compare_weights(run, replay, exact):
    """Yields (line, does it agree)."""
    ours, theirs = (checkpoints.load_model(Path(f) / checkpoints.BEST)[0] for f in (run, replay))
    pairs = zip(ours.state_dict().values(), theirs.state_dict().values(), strict=True)
    largest = max(float((a.double() - b.double()).abs().max()) for a, b in pairs if a.numel())
    yield f"weights of the best model: differ by {largest:.3g} at most", not exact or largest == 0


def _compare_training(run, replay, exact):
    """Yields (line, does it agree) for the length of the training run, its history if it should be
    identical, and the number that decided which model was the best."""
    was, now = recorded_run(run)["result"], recorded_run(replay)["result"]
    for key in ("epochs", "steps", "best_epoch"):
        if was[key] != now[key]:
            yield f"{key}: {was[key]}, now {now[key]}", not exact
    if exact:
        epoch = _first_difference(run, replay, was["best_by"])
        if epoch is not None:
            yield f"history.csv: differs from epoch {epoch} on", False
    is_score = not was["best_by"].endswith("_loss")
    if exact:
        bound = SAME_SCORE if is_score else 0.0
    else:
        bound = SCORE if is_score else LOSS * abs(was["best"])
    line = f"{was['best_by']}: {was['best']:.6g}, now {now['best']:.6g} ({_bound(bound)})"
    yield line, abs(now["best"] - was["best"]) <= bound


def _compare_scores(run, replay, exact):
    """Yields (line, does it agree) for the mean SI-SDR of every method, and for other scores that
    do not agree."""
    bound, scores_of_replay = SAME_SCORE if exact else SCORE, _scores(replay)
    for split, scores in _scores(run).items():
        others = scores_of_replay.get(split)
        if others is None:
            yield f"scores on {split}: missing now", False
            continue
        if others and not scores:
            yield f"scores on {split}: none that can be read in {run}", False
            continue
        for (method, score), value in scores.items():
            other = others.get((method, score), math.nan)
            both_nan = math.isnan(value) and math.isnan(other)
            agrees = abs(other - value) <= bound or both_nan
            if not agrees or score == "si_sdr":
                text = f"{split}, {method}, mean {score}: {value:.4f}, now {other:.4f}"
                yield f"{text} ({_bound(bound)})", agrees


def _history(folder):
    """The rows of history.csv: [{column: text}]."""
    path = Path(folder) / "history.csv"
    try:
        with open(path, newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    except (OSError, ValueError, csv.Error) as error:
        raise UserError(
            f"{path}: cannot be read ({error}), and a replay is compared with it"
        ) from error


def _first_difference(run, replay, decides):
    """The first epoch with a number that is not identical, other than the time and the score that
    decides; None if there is none."""
    ignored = {"minutes"} if decides.endswith("_loss") else {"minutes", decides}
    rows = itertools.zip_longest(_history(run), _history(replay), fillvalue={})
    for epoch, (was, now) in enumerate(rows, 1):
        if any(was.get(key) != now.get(key) for key in {*was, *now} - ignored):
            return epoch
    return None


def _bound(bound):
    return f"at most {bound:.3g} apart" if bound else "must be identical"


def _scores(folder):
    """{split: {(method, score): mean}} of the evaluations in a folder."""
    means = {}
    for path in sorted(Path(folder).glob("evaluation/*/scores.csv")):
        values = {}
        with open(path, newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                for score, text in [*row.items()][len(ABOUT) :]:
                    if text not in ("", "nan"):
                        values.setdefault((row["method"], score), []).append(float(text))
        means[path.parent.name] = {key: sum(v) / len(v) for key, v in values.items()}
    return means


def evaluations(run):
    """The configs of the evaluations in a folder: [path]."""
    return sorted(Path(run).glob("evaluation/*/config.yml"))


def write_report(folder, changes, compared, exact, agrees):
    """Write replay.json: the lines of `differences` and of `compare`, and their verdicts."""
    report = {"differences": changes, "exact": exact, "compared": compared, "agrees": agrees}
    write_files({Path(folder) / REPORT: json.dumps(report, indent=1) + "\n"})
