"""Check the classes and arguments that a config names before any data is read."""

import inspect

import torch

import devices
from algorithms import ALGORITHMS, baselines
from compat import nussl
from config import check_args, check_class
from dataset import DATASETS
from features import FrontEnd
from model import BUILDERS, class_at
from model.graphs import refuse_activations
from preparation import STEPS
from training import LOGGERS, LOSSES, OPTIMIZERS, SCHEDULERS, TRAINERS
from training.optimizers import try_optimizer, try_scheduler

from .data import SPLITS
from .starting import check_start
from .training import MODEL_GIVEN, build_graph, gives_order

# arguments that the program supplies: always, or where the file does not
DATASET_GIVEN = ("sample_rate", "num_channels", "stft_params")
DATASET_OPTIONAL = ("split",)
ALGORITHM_GIVEN = ("input_audio_signal", "device")
ALGORITHM_OPTIONAL = ("model_path",)
LOGGER_GIVEN = ("folder", "name", "config")
BAD_VALUE = (  # exceptions of torch for values of arguments that it does not accept
    ValueError,
    TypeError,
    RuntimeError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
)
RESERVED = ("loss", "gradient_norm")  # other columns of history.csv: no names for loss terms


def check(config, training=True):
    """Raise ConfigError with every unknown class and argument in the file.

    Args:
        training: also build the optimizer, scheduler and losses, which may not accept a value.
            False is some seconds faster: torch's optimizers import its compiler.
    """
    problems = []
    for section, names_of in SECTIONS.items():
        if getattr(config, section) is not None:
            problems += names_of(config)
    if not problems:  # what follows builds what was named
        problems = _check_model(config) + (_check_training(config) if training else [])
    config.require(problems)


def _dataset_names(config):
    problems = []
    for split in SPLITS:
        if getattr(config.datasets, split) is not None:
            key = f"datasets.{split}"
            problems += _check(config, key, DATASETS, DATASET_GIVEN, DATASET_OPTIONAL)
            problems += _check_split(config, split)
    return problems


def _model_names(config):
    model, problems = config.model, []
    if model.builder is not None:
        problems += check_class(config, "model.builder", BUILDERS) or check_args(
            config, "model", BUILDERS[model.builder], MODEL_GIVEN
        )
    if model.module is not None:
        problems += _check_external(config)
    for name, module in (model.modules or {}).items():
        key = f"model.modules.{name}"
        if module.class_name is not None:
            problems += _check(config, key, _modules(module.class_name))
        if module.class_name == "Embedding":
            problems += _check_activation(config, f"{key}.args.activation")
    return problems


def _training_names(config):
    train = config.train
    problems = check_class(config, "train", TRAINERS) or check_args(
        config, "train", TRAINERS[train.class_name], ("setup",)
    )
    problems += _check(config, "train.optimizer", OPTIMIZERS, ("params",))
    if train.scheduler is not None:
        problems += _check(config, "train.scheduler", SCHEDULERS, ("optimizer",))
    for name in train.loss:
        if name in RESERVED:
            text = f"cannot be called {name}, which is another column of history.csv; rename it"
            problems.append(config.problem(f"train.loss.{name}", text))
        problems += _check(config, f"train.loss.{name}", LOSSES)
    for number in range(len(train.loggers)):
        problems += _check(config, f"train.loggers[{number}]", LOGGERS, LOGGER_GIVEN)
    return problems


def _algorithm_names(config):
    return _check(config, "algorithm", ALGORITHMS, ALGORITHM_GIVEN, ALGORITHM_OPTIONAL)


def _preparation_names(config):
    steps = range(len(config.prepare.steps))
    return [
        problem for number in steps for problem in _check(config, f"prepare.steps[{number}]", STEPS)
    ]


def _evaluation_names(config):
    return [
        problem
        for number in range(len(config.evaluate.baselines))
        for problem in check_class(config, f"evaluate.baselines[{number}]", baselines())
    ]


#: the sections of a file that name classes: function(config) -> [problem]
SECTIONS = {
    "datasets": _dataset_names,
    "model": _model_names,
    "train": _training_names,
    "algorithm": _algorithm_names,
    "prepare": _preparation_names,
    "evaluate": _evaluation_names,
}


def _check(config, key, choices, given=(), optional=()):
    wrong = check_class(config, key, choices)
    return wrong or check_args(config, key, choices[config.get(key + ".class")], given, optional)


def _modules(name):
    """{name: class} of the modules that a graph may have: those of nussl and of model/extras/, and
    `name` if it is a module of torch.nn."""
    modules = {
        key: item
        for key, item in vars(nussl.ml.networks.modules).items()
        if isinstance(item, type) and issubclass(item, torch.nn.Module)
    }
    if name not in modules and hasattr(torch.nn, name):
        modules[name] = getattr(torch.nn, name)
    return modules


def _check_external(config):
    """Check the class of another package at `model.module`, its arguments and its target."""
    try:
        kind = class_at(config.model.module)
    except ValueError as error:
        return [config.problem("model.module", f"cannot be used: {error}")]
    takes, target = inspect.signature(kind.forward).parameters, config.model.target
    if target is not None and target not in takes:
        text = f"is {target!r}, no argument of {kind.__name__}.forward ({', '.join(takes)})"
        return [config.problem("model.target", text)]
    return check_args(config, "model", kind)


def _check_own_loss(config):
    """Check that a ModelLoss has a `model.target` and is the only loss: a network that gets the
    sources returns its own loss and no audio for other losses."""
    losses = config.train.loss
    own = [name for name, term in losses.items() if term.class_name == "ModelLoss"]
    if not own or (config.model.target is not None and len(losses) == 1):
        return []
    text = "a ModelLoss needs a model.target, and is the only loss: such a network returns no audio"
    return [config.problem(f"train.loss.{own[0]}", text)]


def _check_activation(config, key):
    """Check the activations of an Embedding: nussl silently ignores those that it does not know."""
    chosen = config.get(key, [])
    try:
        refuse_activations("it", chosen if isinstance(chosen, list) else [chosen])
    except ValueError as error:
        return [config.problem(key, f"cannot be used: {error}")]
    return []


def _check_split(config, split):
    """Check that `args.split` of a dataset, if it is given, is the key of the dataset."""
    written = getattr(config.datasets, split).args.get("split", split)
    if written == split:
        return []
    return [
        config.problem(
            f"datasets.{split}.args.split",
            f"is {written!r}, but datasets.{split} is the {split} split; remove "
            f"it, or move the dataset to datasets.{written}",
        )
    ]


def _check_model(config):
    """Check that the graph can be built, and that model and front end provide what each loss
    reads."""
    if config.model is None:
        return []
    try:
        graph = build_graph(config)
        with devices.shapes_only():
            model = nussl.ml.SeparationModel(graph)
        has_parameters = any(True for part in _initialised(model) for _ in part.parameters())
    except (ValueError, TypeError, AttributeError, RuntimeError, AssertionError) as error:
        return [config.problem("model", f"cannot be built: {str(error) or type(error).__name__}")]
    inputs = ", ".join(FrontEnd.of_mixture)
    problems = [
        config.problem("model.modules", f"reads '{key}'; of a mixture the front end gives {inputs}")
        for key in model.input
        if key not in FrontEnd.of_mixture
    ]
    if config.train is None:
        return problems
    if not has_parameters:
        problems.append(config.problem("model", "has no parameters; there is nothing to train"))
    for name in config.train.loss:
        problems += [
            config.problem(f"train.loss.{name}{place}", text)
            for place, text in _wrong_keys(config.train.loss[name], graph["output"])
        ]
    problems += _check_own_loss(config) + _check_output(config, graph["output"])
    return problems + check_start(config, model)


def _check_output(config, outputs):
    """Check that the model that is trained here has the output on which the algorithm works."""
    if config.algorithm is None or "model_path" in config.algorithm.args:
        return []
    kind = ALGORITHMS[config.algorithm.class_name]
    if not hasattr(kind, "refusal") or kind.output_key in outputs:
        return []
    return [config.problem("algorithm.class", kind.refusal(outputs))]


def _initialised(module):
    """A torch module and all modules in it: [module].

    Raises:
        TypeError: the `__init__` of one of them does not call `super().__init__()`.
    """
    if not isinstance(module, torch.nn.Module):  # reported by `_wrong_keys`
        return [module]
    if "_modules" not in vars(module):
        raise TypeError(f"{type(module).__name__}.__init__ has to call super().__init__() first")
    parts = filter(None, module._modules.values())
    return [module, *(one for part in parts for one in _initialised(part))]


def _wrong_keys(component, outputs):
    """Mistakes in the `keys` of a loss, given the outputs of the model: [(suffix of the key of the
    loss in the file, text)]."""
    kind, loss = component.class_name, LOSSES[component.class_name]
    if not issubclass(loss, torch.nn.Module):
        return [("", f"{kind} is not a torch.nn.Module, as a loss has to be")]
    own = getattr(loss, "DEFAULT_KEYS", {})
    keys = component.keys or own
    if not keys:
        text = (
            f"{kind} has no DEFAULT_KEYS; say what it reads: "
            "keys: {output or feature: its argument}"
        )
        return [("", text)]
    wrong, gives = [], ", ".join(outputs)
    if missing := sorted({*own.values()} - {*keys.values()}):
        wrong.append((".keys", f"names nothing for {', '.join(missing)} of {kind}"))
    for key in keys:
        if key not in {*FrontEnd.features, *outputs}:
            text = (
                f"{kind} reads '{key}', which nothing provides; the model gives {gives}, the front "
                f"end {', '.join(FrontEnd.features)}"
            )
            wrong.append(("", text))
    takes = inspect.signature(loss.forward).parameters
    if not any(p.kind is p.VAR_KEYWORD for p in takes.values()):
        known = [argument for argument in takes if argument != "self"]
        for argument in keys.values():
            if argument not in known:
                text = f"{kind} takes no '{argument}'; it takes {', '.join(known)}"
                wrong.append(("", text))
    if not {*keys} & {*outputs}:
        wrong.append(("", f"reads nothing that the model gives ({gives})"))
    return wrong


def _check_training(config):
    """Check that optimizer, scheduler and losses accept the values of their arguments."""
    if config.train is None:
        return []
    problems = []

    def attempt(key, make):
        try:
            return make()
        except BAD_VALUE as error:
            text = f"refused: {str(error) or type(error).__name__}"
            problems.append(config.problem(f"{key}.args", text))
            return None

    chosen = config.train.optimizer
    # the trial is on the CPU, where `capturable` raises an error even if the run is on a GPU
    ignored = () if _trains_on_cpu(config) else ("capturable",)
    args = {name: value for name, value in chosen.args.items() if name not in ignored}
    optimizer = attempt(
        "train.optimizer", lambda: try_optimizer(OPTIMIZERS[chosen.class_name], args)
    )
    plan = config.train.scheduler
    if plan is not None and optimizer is not None:
        kind = SCHEDULERS[plan.class_name]
        attempt("train.scheduler", lambda: try_scheduler(kind, optimizer, plan.args))
    losses = [
        attempt(
            f"train.loss.{name}",
            lambda loss=loss: _initialised(LOSSES[loss.class_name](**loss.args))[0],
        )
        for name, loss in config.train.loss.items()
    ]
    return problems or _check_use_of_masks(config, losses)


def _check_use_of_masks(config, losses):
    """Check that a DeepClustering with mask_weight or absent_db has masks with an order, without
    which they cannot be assigned to clusters.

    losses: modules.
    """
    algorithm = config.algorithm
    if algorithm is None or algorithm.class_name != "DeepClustering":
        return []
    if "model_path" in algorithm.args or gives_order(losses):
        return []
    text = (
        "is {}, and train.loss trains no masks with an order; write {}, or "
        "permutation_invariant: false in the args of the loss of the masks"
    )
    return [
        config.problem(f"algorithm.args.{key}", text.format(algorithm.args[key], none))
        for key, none in (("mask_weight", 0), ("absent_db", "null"))
        if algorithm.args.get(key) not in (None, 0)
    ]


def _trains_on_cpu(config):
    name = config.train.device
    return name == "cpu" or (name == "auto" and devices.available() == ["cpu"])
