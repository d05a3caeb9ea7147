"""Check that the experiments of a sweep will have the number that it compares them by."""

from config.errors import closest, listed
from evaluation import ABOUT, METRICS, columns
from training import TRAINERS, Trainer

from .validation import metric_of


def check_goal(sweep, examples):
    """Raise ConfigError if an experiment will not have the number that `sweep.goal` names.

    Args:
        sweep: the sweep's Config.
        examples: the experiments that it trains, Configs without mistakes.
    """
    goal = sweep.sweep.goal
    texts = dict.fromkeys(_missing(goal, one) for one in examples)
    sweep.require([sweep.problem("sweep.goal", text) for text in texts if text])


def _missing(goal, config):
    """Why an experiment will not have a number of this name; "" if it will."""
    history, scores = _history(config), _scores(config)
    own_trainer = TRAINERS[config.train.class_name] is not Trainer  # logs what it likes
    if goal in (*history, *scores) or own_trainer and goal.startswith(("train_", "val_")):
        return ""
    metric = metric_of(goal)
    if metric is not None and config.evaluate is not None:
        return f"{goal} is not scored; add {metric} to evaluate.metrics of {config.path}"
    guess = closest(goal, [*history, *scores, *columns(METRICS)[len(ABOUT) :]])
    if guess:
        return f"there is no column or score {goal}; did you mean '{guess}'?"
    known = f"history.csv has {listed(history)}"
    known += f", evaluate {listed(scores)}" if scores else ""
    return f"there is no column or score {goal}; {known}"


def _history(config):
    """The columns of history.csv with losses, scores and the norm of the gradient."""
    terms = list(config.train.loss)
    names = [f"train_{name}" for name in ("loss", *terms, "gradient_norm")]
    if config.datasets.val is not None:
        best_by = config.train.best_by
        scores = [best_by.score] if best_by is not None else []
        names += [f"val_{name}" for name in ("loss", *terms, *scores)]
    return names


def _scores(config):
    """The scores of scripts.evaluate; none without a section evaluate."""
    if config.evaluate is None:
        return []
    return columns(("scale_invariant", *config.evaluate.metrics))[len(ABOUT) :]
