"""The best model by a score of separated validation items."""

import math
import types

import numpy as np
import pytest
import torch
import yaml
from trainings import fit, same, trainer_of, weights, write

import config
import experiment
from experiment.evaluation import build_scorer
from experiment.validation import ValidationScore
from training.history import History, Means
from training.levels import Levels
from training.optimizers import scheduler_args
from training.schedule import Schedule

torch.set_num_threads(1)
COLUMN = "val_si_sdr_improvement"


@pytest.fixture
def scored(write_config):
    """A function that writes a training run whose best model is chosen by a score."""

    def write_one(name="small", algorithm=None, best_by=None, **train):
        path = write_config(name, best_by=best_by or {"num_items": 2}, **train)
        plain = yaml.safe_load(path.read_text())
        plain["algorithm"] = algorithm or {"class": "DeepClustering", "args": {"num_sources": 2}}
        return write(path, plain)

    return write_one


def history(*scores):
    told = History(True, "si_sdr")
    for number, score in enumerate(scores, 1):
        told.add({"epoch": number, "val_loss": number, "val_si_sdr": score})
    return told


def test_the_highest_score_is_the_best_whatever_the_loss():
    told = history(1.0, None, 3.0, 3.0, -2.0)
    assert told.best_epochs(3) == [3, 4, 1] and told.best_value == 3.0
    assert told.without_improvement() == 2
    assert told.describe_best() == "best validation si_sdr 3.00000"
    assert history().best_value == -math.inf


def test_a_value_that_is_not_finite_is_never_the_best():
    told = history(math.nan, 1.0, math.inf, 2.0)
    assert told.best_epochs(4) == [4, 2] and told.best_value == 2.0
    means = Means(finite_only=False)
    means.add({"loss": 1.0, "term": 1.0})
    means.add({"loss": math.nan, "term": math.inf}, count=3)
    computed = means.compute()
    assert math.isnan(computed["loss"]) and math.isinf(computed["term"])


def test_a_validation_loss_that_is_not_finite_is_reported_and_its_model_not_kept(
    write_config, caplog
):
    trainer = trainer_of(write_config(epochs=3))
    losses = iter([5.0, math.nan, 4.0])
    trainer.validation_step = lambda batch: {"loss": next(losses)}
    trainer.plan.val_batches = trainer.plan.val_batches[:1]
    trainer.fit()
    assert ": loss is nan" in caplog.text
    assert trainer.history.best_epochs(3) == [3, 1] and trainer.history.best_value == 4.0


def test_a_plateau_of_the_score_lowers_the_rate_also_below_0_db():
    """Equal scores are no improvement; of a relative threshold, negative ones would be."""
    plateau = config.Config.model_validate(
        {
            "info": {"name": "a", "output_folder": "b"},
            "train": {
                "loss": {"a": {"class": "L1Loss"}},
                "scheduler": {"class": "ReduceLROnPlateau", "args": {"patience": 0}},
                "best_by": {},
            },
        }
    ).train
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    args = scheduler_args(plateau.scheduler, plateau.best_by)
    schedule = Schedule(optimizer, torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, **args))
    rates = []
    for score in (-5.0, -4.0, -4.0, -3.0, -6.0):
        schedule.after_epoch(score)
        rates.append(schedule.rate)
    assert rates == pytest.approx([1.0, 1.0, 0.1, 0.1, 0.01])


def test_the_score_is_that_of_an_evaluation_of_the_best_model(scored):
    """The weights in memory, averaged, and those on the disk are scored alike."""
    path = scored(epochs=2, ema_decay=0.5)
    experiment.check(config.load(path))
    trainer = fit(path)
    best = max(row[COLUMN] for row in trainer.history.rows)
    plain = yaml.safe_load(path.read_text())
    settings = config.load(write(path, {**plain, "evaluate": {"split": "val", "num_items": 2}}))
    scorer = build_scorer(settings)
    rows = [row for index in scorer.chosen for row in scorer.score(index)["rows"]]
    gains = [row["si_sdr_improvement"] for row in rows if row["method"] == "DeepClustering"]
    assert len(gains) == 4
    assert best == pytest.approx(np.mean(gains), abs=1e-6)


@pytest.mark.parametrize(
    "builder, algorithm",
    [
        ("mask_inference", {"class": "DeepMaskEstimation"}),
        ("conv_tasnet", {"class": "DeepAudioEstimation"}),
    ],
)
def test_every_kind_of_network_can_be_chosen_by_a_score(scored, builder, algorithm):
    best_by = {"score": "snr", "num_items": 1}
    trainer = fit(scored(builder=builder, algorithm=algorithm, best_by=best_by, epochs=2))
    header = (trainer.folder / "history.csv").read_text().splitlines()[0]
    assert "val_snr" in header.split(",") and "val_loss" in header.split(",")
    assert all(abs(row["val_snr"]) < 100 for row in trainer.history.rows)


def test_the_score_changes_neither_the_weights_nor_is_it_there_in_other_epochs(
    scored, write_config
):
    plain = fit(write_config("plain", scheduler=None, validate_every=2))
    trainer = fit(scored("scored", scheduler=None, validate_every=2))
    assert same(weights(plain), weights(trainer))
    assert [row[COLUMN] is None for row in trainer.history.rows] == [True, False, False]
    assert COLUMN in (trainer.folder / "history.csv").read_text()


def test_a_training_by_score_is_resumed_to_the_last_bit(scored):
    whole = fit(scored("whole", epochs=3))
    path = scored("parts", epochs=1)
    for epochs in (1, 2, 3):
        path.write_text(path.read_text().replace(f"epochs: {epochs - 1}\n", f"epochs: {epochs}\n"))
        parts = fit(path)
    assert same(weights(whole), weights(parts))
    scores = [[row[COLUMN] for row in one.history.rows] for one in (whole, parts)]
    assert scores[0] == scores[1] and None not in scores[0]


def test_early_stopping_and_the_kept_models_follow_the_score(scored, monkeypatch):
    scores = iter([1.0, 3.0, 2.0, 1.5, 9.0])
    monkeypatch.setattr(
        ValidationScore, "__call__", lambda self, trainer: {self.name: next(scores)}
    )
    trainer = fit(scored(epochs=5, early_stopping=2, keep_best=2))
    assert len(trainer.history.rows) == 4 and trainer.history.best_epochs(1) == [2]
    kept = sorted(path.name for path in trainer.best.parent.glob("epoch*"))
    assert kept == ["epoch0002.model.pth", "epoch0003.model.pth"]


def test_processes_share_the_items_and_agree(scored, monkeypatch):
    """The sums of two processes, each with its items, are those of one with all."""
    trainer = trainer_of(scored(best_by={"num_items": 3}))
    whole = trainer.score(trainer)
    import distributed

    parts = []
    monkeypatch.setattr(distributed, "world_size", lambda: 2)
    monkeypatch.setattr(distributed, "all_gather", lambda item: [item, [COLUMN[4:]]])
    monkeypatch.setattr(
        distributed, "all_reduce", lambda t: parts.append(t) or torch.stack(parts).sum(0)
    )
    for rank in (0, 1):
        monkeypatch.setattr(distributed, "rank", lambda rank=rank: rank)
        shared = trainer.score(trainer)
    assert shared == pytest.approx(whole, abs=2e-6)


@pytest.mark.parametrize(
    "train, algorithm, expected",
    [
        ({"best_by": {"score": "sisdr"}}, None, "best_by.score: there is no score 'sisdr'; known"),
        ({}, {"class": "HPSS"}, "best_by: needs an algorithm that runs the model in training, and"),
        ({"overfit": 1}, None, "train.best_by: cannot be combined with train.overfit"),
        (
            {"scheduler": {"class": "ReduceLROnPlateau", "args": {"mode": "min"}}},
            None,
            "scheduler.args.mode: is min, but the scheduler follows the score",
        ),
    ],
)
def test_what_cannot_be_is_refused_before_any_work(scored, train, algorithm, expected):
    with pytest.raises(config.ConfigError) as caught:
        experiment.check(config.load(scored(algorithm=algorithm, **train)))
    assert expected in str(caught.value) and "\n" not in str(caught.value)


def test_without_an_algorithm_or_validation_data_it_is_refused(write_config):
    path = write_config(best_by={"num_items": 2})
    plain = yaml.safe_load(path.read_text())
    del plain["datasets"]["val"]
    with pytest.raises(config.ConfigError) as caught:
        config.load(write(path, plain))
    assert "train.best_by: separates validation items and needs algorithm and" in str(caught.value)


def test_a_validation_score_is_the_mean_over_sources_at_the_levels_of_training():
    """Of two items with two sources each, of which one is silent."""
    score, read = object.__new__(ValidationScore), []
    score.name, score.chosen = "si_sdr", [0, 1]

    def scores_of(model, device, index):
        read.append(model.metadata)
        return [[1.0, math.nan], [4.0, 5.0]][index]

    score._scores = scores_of
    levels = Levels()
    levels.add(torch.full((1, 1, 100), 0.1))
    trainer = types.SimpleNamespace(
        device=torch.device("cpu"),
        levels=levels,
        checkpoints=types.SimpleNamespace(metadata={"sample_rate": 8000}),
        eval_model=torch.nn.Linear(1, 1),
    )
    assert score(trainer) == {"si_sdr": pytest.approx((1 + 4 + 5) / 3, abs=1e-6)}
    level = {"mean": -20.0, "std": 0.0}
    assert read == 2 * [{"sample_rate": 8000, "level_db": level}]
    assert not trainer.eval_model.training
