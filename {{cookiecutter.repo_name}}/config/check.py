"""Rules that concern several keys.

They work on plain data, so that they are also checked in a file that violates the schema; values
that violate it are skipped here.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

from .check_orchestration import check_pipeline, check_sweep
from .errors import closest, found, listed, show
from .schema import Signal

EXAMPLES = {  # {section: example of it}, for messages about missing sections
    "signal": "signal: {sample_rate: 16000}",
    "datasets": "datasets: {train: {class: Sample, args: {...}}, val: ..., test: ...}",
    "datasets.train": "datasets: {train: {class: Sample, args: {...}}}",
    "datasets.val": "datasets: {val: {class: Sample, args: {...}}}",
    "datasets.test": "datasets: {test: {class: Sample, args: {...}}}",
    "model": "model: {builder: deep_clustering, args: {...}}",
    "train": "train: {loss: {deep_clustering: {class: DeepClusteringLoss}}}",
    "algorithm": "algorithm: {class: DeepClustering, args: {model_path: ..., num_sources: 2}}",
    "evaluate": "evaluate: {split: test}",
    "visualize": "visualize: {split: test}",
    "separate": "separate: {files: [song.wav]}",
    "export": "export: {license: MIT}",
    "prepare": "prepare: {license: ..., source: ..., folder: ..., steps: [...]}",
    "audit": "audit: {}",
    "analyze": "analyze: {runs: [best_model]}",
    "pipeline": "pipeline: {steps: {train: {script: train, config: experiments/demo.yml}}}",
    "sweep": "sweep: {base: experiments/demo.yml, vary: {train.batch_size: [4, 8]}}",
}
GRAPH_KEYS = ("name", "modules", "connections", "output")
SPLITS = ("train", "val", "test")

Values = dict[str, Any]  # {dotted key: plain value}
Messages = Iterator[tuple[str, str]]  # (dotted key, message) of each problem


def _signal_length(values: Values, name: str) -> int | None:
    """A positive integer of the section `signal`, or its default; None if it is something else."""
    value = values.get(f"signal.{name}", Signal.model_fields[name].default)
    return value if type(value) is int and value > 0 else None


def _signal(values: Values) -> Messages:
    window, hop = (_signal_length(values, name) for name in ("window_length", "hop_length"))
    if window and hop and hop > window:
        written = "hop_length" if "signal.hop_length" in values else "window_length"
        yield (
            f"signal.{written}",
            f"hop_length {hop} is longer than window_length {window}, frames would miss samples; "
            f"write hop_length: {max(window // 4, 1)}",
        )
    key = "model.args.num_features"
    features = values.get(key)
    if window and window > 1 and type(features) is int and features != window // 2 + 1:
        yield (
            key,
            f"num_features is {features} but window_length {window} gives {window // 2 + 1}; "
            f"write that, or window_length: {max(2 * features - 2, 2)}",
        )


def _model(values: Values) -> Messages:
    model = values.get("model")
    if not isinstance(model, dict):
        return
    given = {key for key, value in model.items() if value is not None}
    graph = [key for key in GRAPH_KEYS if key in given]
    if "module" in given and "output" in graph:
        graph.remove("output")  # there it names the axes of the module's output
    named = [key for key in ("builder", "module") if key in given]
    if "input" in given and "module" not in given:
        yield "model.input", "is only valid with 'module': the axes of what it reads"
    if "target" in given and "module" not in given:
        yield "model.target", "is only valid with 'module': the argument that takes the sources"
    if len(named) == 2:
        yield "model", "has both a 'builder' and a 'module'; keep one"
        return
    if named:
        if graph:
            yield "model", f"has both a '{named[0]}' and a graph ({listed(graph)}); keep one"
        if "module" in given and not isinstance(model.get("output", ""), str):
            yield (
                "model.output",
                f"must name the axes of a module's output, {found(model['output'])}",
            )
        return
    if not graph:
        yield (
            "model",
            f"has no 'builder', no 'module' and no graph ({listed(GRAPH_KEYS)}); write one of them",
        )
        return
    if not isinstance(model.get("output", []), list):
        yield "model.output", f"must be a list of modules in a graph, {found(model['output'])}"
    for key in GRAPH_KEYS:
        if key not in graph:
            yield f"model.{key}", f"is missing; a graph needs {listed(GRAPH_KEYS)}"
    if model.get("args") is not None:
        yield (
            "model.args",
            "is only valid with 'builder' or 'module'; in a graph each module has args of its own",
        )
    if isinstance(model.get("modules"), dict) and isinstance(model.get("connections"), list):
        yield from _graph(model)


def _graph(model: dict[str, Any]) -> Messages:
    """Does each connection read only what inputs and earlier connections provide, and is each
    output computed by a connection?"""
    modules = {
        name: spec if isinstance(spec, dict) else {} for name, spec in model["modules"].items()
    }
    layers = [name for name, spec in modules.items() if spec.get("class")]
    available = [name for name in modules if name not in layers]  # first the inputs
    for name in available:
        if "args" in modules[name]:
            yield f"model.modules.{name}", "has args but no class; add one, or {} for an input"
    for index, connection in enumerate(model["connections"]):
        key = f"model.connections[{index}]"
        if not isinstance(connection, list):
            continue
        name, *inputs = connection or [None]
        inputs = inputs or [[]]
        if not isinstance(name, str) or len(inputs) != 1 or not isinstance(inputs[0], list):
            yield key, f"must be [module, [its inputs]], found {show(connection)}"
            continue
        if name not in layers:
            choices = _did_you_mean(name, layers, "the modules with a class are")
            yield key, f"computes '{name}', which is not a module with a class; {choices}"
        for item in inputs[0]:
            if isinstance(item, str):
                names = [item]
            elif isinstance(item, dict):  # {argument: a module's name, or a plain value}
                names = [value for value in item.values() if value in layers]
            else:
                yield key, "an input is a module's name or {argument: name}, " + found(item)
                continue
            for source in names:
                if source.split(":")[0] in available:
                    continue
                if source.split(":")[0] in layers:
                    advice = "which no connection above it produces; put that one first"
                else:
                    choices = _did_you_mean(source, modules, "known are")
                    advice = f"which is neither an input nor a module; {choices}"
                yield key, f"takes '{source}', {advice}"
        if name not in available:
            available.append(name)
    produced = [name for name in available if name in layers]
    for index, name in enumerate(model["output"] if isinstance(model.get("output"), list) else ()):
        if isinstance(name, str) and name and name.split(":")[0] not in produced:
            choices = _did_you_mean(name, produced, "they produce")
            yield f"model.output[{index}]", f"no connection produces '{name}'; {choices}"


def _did_you_mean(name: str, choices: Any, otherwise: str) -> str:
    guess = closest(name, choices)
    return f"did you mean '{guess}'?" if guess else f"{otherwise} {listed(choices) or 'none'}"


def _train(values: Values) -> Messages:
    clip = values.get("train.gradient_clip")
    if isinstance(clip, dict) and not set(clip) - {"percentile", "max_norm"}:
        given = [key for key in clip if clip[key] is not None]
        if len(given) != 1:
            state = "has both 'percentile' and 'max_norm'" if given else "is empty"
            yield "train.gradient_clip", state + "; write {percentile: 10} or {max_norm: 5.0}"
    if isinstance(values.get("train.best_by"), dict):
        yield from _best_by(values)
    plateau = values.get("train.scheduler.class") == "ReduceLROnPlateau"
    if plateau and values.get("train.scheduler_every") == "step":
        yield (
            "train.scheduler_every",
            "is step, but ReduceLROnPlateau follows the validation of an epoch; write epoch",
        )
    if isinstance(values.get("train"), dict) and "datasets.train" not in values:
        example = EXAMPLES["datasets.train"]
        yield "datasets.train", f"is missing, the section 'train' needs it; write {example}"


def _best_by(values: Values) -> Messages:
    key = "train.best_by"
    missing = [name for name in ("algorithm", "datasets.val") if name not in values]
    if missing:
        examples = " and ".join(EXAMPLES[name] for name in missing)
        yield key, f"separates validation items and needs {' and '.join(missing)}; write {examples}"
    if values.get("train.overfit") is not None:
        yield (
            key,
            "cannot be combined with train.overfit, which validates on training excerpts; "
            "remove one",
        )
    args = "train.scheduler.args.mode"
    if values.get("train.scheduler.class") == "ReduceLROnPlateau" and values.get(args) == "min":
        yield args, "is min, but the scheduler follows the score of train.best_by; remove the key"


def _algorithm(values: Values) -> Messages:
    key = "algorithm.args.num_sources"
    count = values.get(key)
    if count is not None and (type(count) is not int or count < 2):
        yield key, f"must be a whole number of at least 2, {found(count)}"
    key = "algorithm.args.model_path"
    if key in values and values[key] in (None, ""):
        yield key, "is empty; write the path of a trained model (.pth)"


def _splits(values: Values) -> Messages:
    if not isinstance(values.get("datasets", {}), dict):
        return
    given = [name for name in SPLITS if f"datasets.{name}" in values]
    for section in ("evaluate", "visualize"):
        if not isinstance(values.get(section), dict):
            continue
        split = values.get(f"{section}.split", "test")
        if split in SPLITS and split not in given:
            default = "" if f"{section}.split" in values else " by default"
            have = f"'datasets' has only {listed(given)}" if given else "there are no datasets"
            other = f", or write split: {given[-1]}" if given else ""
            yield (
                f"{section}.split",
                f"is '{split}'{default}, but {have}; add datasets.{split}{other}",
            )
    if values.get("visualize.seed") is not None and values.get("visualize.item") is not None:
        yield "visualize", "has both 'seed' and 'item', and each of them chooses the item; keep one"


def _augment(values: Values) -> Messages:
    key = "datasets.train.augment"
    if values.get(f"{key}.gain_db") is not None and values.get(f"{key}.snr_db") is not None:
        yield key, "has both 'gain_db' and 'snr_db', which both set the sources' levels; keep one"


def _prepare(values: Values) -> Messages:
    if values.get("prepare.steps") and values.get("prepare.source") is None:
        yield (
            "prepare.source",
            "is missing, but the steps read from it; write the folder of the copy",
        )
    elif values.get("prepare.steps") and values["prepare.source"] == values.get("prepare.folder"):
        yield (
            "prepare.source",
            "is the same folder as prepare.folder; choose another for one of them",
        )

    seen: set[str] = set()
    downloads = values.get("prepare.downloads")
    for number in range(len(downloads) if isinstance(downloads, list) else 0):
        key = f"prepare.downloads[{number}].file"
        name = values.get(key)
        if not isinstance(name, str):
            continue
        if name != os.path.basename(name) or name in (".", ".."):
            yield key, f"{found(name)}; write a name alone, of a file in the folder 'archives'"
        elif name in seen:
            yield key, f"{show(name)} is the name of another download; write one for each"
        seen.add(name)


def _audit(values: Values) -> Messages:
    chosen = values.get("audit.splits")
    for number, split in enumerate(chosen if isinstance(chosen, list) else ()):
        if split in SPLITS and f"datasets.{split}" not in values:
            yield f"audit.splits[{number}]", f"there is no datasets.{split}; add it, or remove this"


def _repeated(values: Values) -> Messages:
    lists: dict[str, Callable[[str], str]] = {
        "analyze.runs": os.path.realpath,
        "analyze.scores": str,
        "evaluate.baselines": str,
        "evaluate.metrics": str,
    }
    for key, same in lists.items():
        written = values.get(key)
        seen: set[str] = set()
        for number, entry in enumerate(written if isinstance(written, list) else ()):
            if not isinstance(entry, str):
                continue
            if same(entry) in seen:
                yield f"{key}[{number}]", f"{show(entry)} is in this list already; keep one"
            seen.add(same(entry))
    baselines, algorithm = values.get("evaluate.baselines"), values.get("algorithm.class")
    if isinstance(baselines, list) and algorithm in baselines:
        key = f"evaluate.baselines[{baselines.index(algorithm)}]"
        yield key, f"{show(algorithm)} is the algorithm itself, which is scored anyway; remove it"


CHECKS = (
    _signal,
    _model,
    _train,
    _algorithm,
    _splits,
    _augment,
    _prepare,
    _audit,
    _repeated,
    check_pipeline,
    check_sweep,
)
