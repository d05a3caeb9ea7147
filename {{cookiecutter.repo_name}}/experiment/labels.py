"""The names of the sources: are they the same in all splits, and does the algorithm fit them?"""

from algorithms import ALGORITHMS, count_sources, labels_of
from evaluation.table import ALL

FEWEST = 2  # sources that an algorithm finds at least if it estimates their number
UNSAFE = set('/\\:*?"<>|')  # not allowed in file names, on some system


def sentence(labels):
    """ "2 sources: accompaniment, vocals"."""
    return f"{len(labels)} source{'s' if len(labels) != 1 else ''}: {', '.join(labels)}"


def announcement(data):
    """The line that scripts print about a dataset: its sources, and the layout recognised."""
    return sentence(data.labels) + (f" ({data.found})" if data.found else "")


def problems(config, labels, model=None):
    """What is wrong with the labels of the splits: [Problem] of the config.

    Args:
        labels: {split: sorted labels}.
        model: what the algorithm's `load` returned, or None.
    """
    return (
        _reserved(config, labels)
        or _different_splits(config, labels)
        or _wrong_algorithm(config, labels, model)
    )


def _reserved(config, labels):
    """Splits with a source that is called as the mean over all sources is in tables of scores."""
    text = f"has a source {ALL!r}, as tables call the mean over all of them; give it another name"
    return [
        config.problem(f"datasets.{split}", f"{text}, or name the sources by `groups` in args")
        for split in labels
        if ALL in labels[split]
    ]


def _different_splits(config, labels):
    """Splits whose sources are not those of the first split."""
    first, *others = labels
    problems = []
    for split in others:
        if set(labels[split]) == set(labels[first]):
            continue
        text = f"has {sentence(labels[split])}; {first} has {sentence(labels[first])}"
        of_first = {label.casefold(): label for label in labels[first]}
        same_but_case = [
            f"{label} and {of_first[label.casefold()]}"
            for label in labels[split]
            if label not in labels[first] and label.casefold() in of_first
        ]
        if same_but_case:
            text += f"; {', '.join(same_but_case)} differ in capital letters only"
        text += "; all splits need the same: rename files, or name the sources by `groups` in args"
        problems.append(config.problem(f"datasets.{split}", text))
    return problems


def _wrong_algorithm(config, labels, model):
    """An algorithm that gives other sources than the data have, or too few."""
    if config.algorithm is None or not labels:
        return []
    algorithm, args = ALGORITHMS[config.algorithm.class_name], config.algorithm.args
    split, sources = next(iter(labels.items()))
    known = labels_of(algorithm, model, args)
    if known is not None and set(known) != set(sources):
        text = (
            f"{config.algorithm.class_name} gives {', '.join(known)}, and {split} has "
            f"{', '.join(sources)}; name the sources alike by `groups` in the args of the dataset"
        )
        return [config.problem("algorithm", text)]
    key = "algorithm.args.num_sources" if "num_sources" in args else "algorithm"
    count = count_sources(algorithm, args, model)
    if count is None and "num_sources" in args and len(sources) > FEWEST:
        text = (
            f"is null: {config.algorithm.class_name} estimates the number and may find {FEWEST}, "
            f"and {split} has {sentence(sources)}; write {len(sources)}"
        )
        return [config.problem(key, text)]
    if count is None or count >= len(sources):
        return []
    text = (
        f"{config.algorithm.class_name} gives {count} sources, and {split} has "
        f"{sentence(sources)}; ask for {len(sources)}, or sum sources by `groups` in the args of "
        "the dataset"
    )
    return [config.problem(key, text)]


def file_names(labels, count, taken=("mixture", "viz", "index", "separation")):
    """The names of the files of `count` sources, without ending: their labels if all of these are
    valid, different file names and none is in `taken`; otherwise source0, source1, ..."""
    different = {label.casefold() for label in labels or ()} - {*taken}
    if labels is not None and len(different) == count and all(map(_is_file_name, labels)):
        return list(labels)
    return [f"source{number}" for number in range(count)]


def _is_file_name(label):
    return (
        label.isprintable()
        and not UNSAFE & set(label)
        and not label.startswith(".")
        and label == label.strip()
        and 0 < len(label.encode("utf-8", "surrogateescape")) < 200
    )
