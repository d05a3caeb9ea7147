"""A run once more: what differs from what it recorded, and whether the same numbers come out."""

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
# how far a replay may be off where machine, packages or threads differ: rounding then differs, and
# its effects grow over a training run
LOSS = 0.05  # of the number that decided which model was the best, as a share of it
SCORE = 0.5  # dB (or units) of the mean of a score
SAME_SCORE = 1e-6  # of the same weights: k-means in threads adds in any order
WITHOUT_EFFECT = ("train.loggers", "train.device")  # the device is in the session


def recorded_run(folder):
    """The session of `run.json` that ended a training run: a dict.

    Raises:
        UserError: there is none.
    """
    ended = [
        one
        for one in provenance.sessions(folder)
        if one["script"] == "train" and one.get("result", {}).get("best_model")
    ]
    if not ended:
        raise UserError(
            f"{folder}: has no run.json with a training run that ended; only what was trained by "
            "this version of the project to its end can be replayed"
        )
    return ended[-1]


def check_comparable(run):
    """Is there what a replay of a run is compared with, its best model and its history?

    Raises:
        UserError: one of them is gone or damaged.
    """
    best = Path(run) / checkpoints.BEST
    if not best.exists():
        raise UserError(
            f"{best}: is not there, and a replay is compared with it; put it back, or train again "
            "in another info.output_folder"
        )
    checkpoints.load_model(best)
    _history(run)


def replay_config(config, run, folder):
    """The experiment of a run, to be trained into another folder: Config.

    Args:
        config: the run's own, or that of one of its evaluations, as it was resolved.
        run: the folder of the run.
        folder: where to; the time is no limit there.
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
    """Where a replay goes: a folder of the run in which none has ended yet."""
    number = 1
    while True:
        folder = Path(run) / ("replay" if number == 1 else f"replay-{number}")
        if not (folder / REPORT).exists():
            return folder
        number += 1


def differences(config, run, session):
    """What is different now from what a run recorded: [line]; [] if nothing is.

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
    """What is different from a session, of what `now` says: [line]."""
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
    """Should a replay give the same bits? On a CPU in float32, where nothing differs that matters:
    a commit that leaves the code as it is does not.

    session: of `recorded_run`; lines: `differences`.
    """
    free = ("code.commit", "code.changed", "platform", "cores")
    same = all(line.startswith(free) for line in lines)
    return same and session["device"] == "cpu" and session["precision"] == "float32"


def expectation(exact):
    """What a replay is compared by, as a sentence."""
    if exact:
        return f"expected: the same weights and losses to the last bit, scores to {SAME_SCORE:g} dB"
    return (
        f"expected: the deciding loss within {LOSS:.0%}, mean scores within {SCORE:g} dB: what "
        "differs above, a GPU or a precision below float32 changes how numbers are rounded"
    )


def compare(run, replay, exact):
    """The models, histories and scores of a run and its replay.

    Returns:
        ([line that says what was found], do they agree within the bounds).
    """
    ours, theirs = (checkpoints.load_model(Path(f) / checkpoints.BEST)[0] for f in (run, replay))
    pairs = zip(ours.state_dict().values(), theirs.state_dict().values(), strict=True)
    furthest = max(float((a.double() - b.double()).abs().max()) for a, b in pairs if a.numel())
    lines = [f"weights of the best model: differ by {furthest:.3g} at most"]
    fine = not exact or furthest == 0
    was, now = recorded_run(run)["result"], recorded_run(replay)["result"]
    for key in ("epochs", "steps", "best_epoch"):
        if was[key] != now[key]:
            lines.append(f"{key}: {was[key]}, now {now[key]}")
            fine = fine and not exact
    if exact and (epoch := _first_difference(run, replay, was["best_by"])):
        lines.append(f"history.csv: differs from epoch {epoch} on")
        fine = False
    off, score = abs(now["best"] - was["best"]), not was["best_by"].endswith("_loss")
    within = SCORE if score else LOSS * abs(was["best"])
    bound = within if not exact else SAME_SCORE if score else 0.0
    fine = fine and off <= bound
    lines.append(f"{was['best_by']}: {was['best']:.6g}, now {now['best']:.6g} ({_bound(bound)})")
    for split, scores in _scores(run).items():
        others = _scores(replay).get(split)
        if others is None or (others and not scores):
            gone = "not there now" if others is None else f"none that can be read in {run}"
            lines.append(f"scores on {split}: {gone}")
            fine = False
            continue
        for (method, score), value in scores.items():
            other = others.get((method, score), math.nan)
            bound = SAME_SCORE if exact else SCORE
            good = abs(other - value) <= bound or (value != value and other != other)
            fine = fine and good
            if not good or score == "si_sdr":
                text = f"{split}, {method}, mean {score}: {value:.4f}, now {other:.4f}"
                lines.append(f"{text} ({_bound(bound)})")
    return lines, fine


def _history(folder):
    """The rows of history.csv: [{column: text}]."""
    path = Path(folder) / "history.csv"
    try:
        with open(path, newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    except (OSError, ValueError, csv.Error) as error:
        raise UserError(
            f"{path}: cannot be read ({error}), and replays are compared by it"
        ) from error


def _first_difference(run, replay, decides):
    """The first epoch whose losses are not the same to the last bit; None if all are."""
    left_out = {"minutes", *([] if decides.endswith("_loss") else [decides])}
    histories = [
        [{k: v for k, v in row.items() if k not in left_out} for row in _history(folder)]
        for folder in (run, replay)
    ]
    pairs = enumerate(itertools.zip_longest(*histories), 1)
    return next((epoch for epoch, (was, now) in pairs if was != now), None)


def _bound(bound):
    return f"at most {bound:.3g} apart" if bound else "must be identical"


def _scores(folder):
    """{split: {(method, score): mean}} of the evaluations in a folder."""
    found = {}
    for path in sorted(Path(folder).glob("evaluation/*/scores.csv")):
        values = {}
        with open(path, newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                for score, text in [*row.items()][len(ABOUT) :]:
                    if text not in ("", "nan"):
                        values.setdefault((row["method"], score), []).append(float(text))
        found[path.parent.name] = {key: sum(v) / len(v) for key, v in values.items()}
    return found


def evaluations(run):
    """The configs of the evaluations in a folder: [path]."""
    return sorted(Path(run).glob("evaluation/*/config.yml"))


def write_report(folder, lines, found, exact, fine):
    """Write what was found as replay.json."""
    report = {"differences": lines, "exact": exact, "compared": found, "agrees": fine}
    write_files({Path(folder) / REPORT: json.dumps(report, indent=1) + "\n"})
