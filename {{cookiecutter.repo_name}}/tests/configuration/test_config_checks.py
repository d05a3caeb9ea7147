"""What later stages ask of a configuration: classes, arguments, places."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Optional

import pytest
from texts import GOOD, INFO

from config import ConfigError, Problem, check_args, check_class


def test_a_problem_finds_the_line_of_its_key_or_of_the_nearest_parent(read):
    config = read(GOOD)
    lines = GOOD.splitlines()
    for key, start in [
        ("train.optimizer.args.lr", "      lr:"),
        ("train.optimizer.args.weight_decay", "    args:"),
        ("train.loss.deep_clustering.args.x", "    deep_clustering:"),
        ("datasets.val.args.split", "  val:"),
        ("train.epochs", "train:"),
        ("separate.files[0]", "separate:"),
    ]:
        problem = config.problem(key, "message")
        assert lines[problem.line - 1].startswith(start)
        assert str(problem) == f"{config.path}:{problem.line}: {key}: message"
    assert config.problem("nothing.at.all", "message").line == 1


def test_require_raises_only_if_there_are_problems(read):
    config = read(GOOD)
    config.require([])
    with pytest.raises(ConfigError) as caught:
        config.require([config.problem("train", "second"), config.problem("info", "first")])
    assert [problem.message for problem in caught.value.problems] == ["first", "second"]


def test_a_needed_section_that_is_missing_is_named_with_what_to_write(refused):
    problems = refused(INFO, needs=("datasets.train", "model", "train"), script="scripts.train")
    assert [problem.key for problem in problems] == ["datasets.train", "model", "train"]
    assert problems[1].message == (
        "is missing, scripts.train needs it; write model: {builder: deep_clustering, args: {...}}"
    )


def test_values_are_found_by_their_yaml_key(read):
    config = read(GOOD)
    assert config.get("train.optimizer.class") == "Adam"
    assert config.get("train.optimizer.args") == {"lr": 0.001, "eps": 1e-8}
    assert config.get("separate.files[0]") == "song.wav"
    assert config.get("algorithm.args.mask_type", "soft") == "soft"


CHOICES = {"Sample": dict, "MUSDB18": dict, "Folder": dict}


def test_an_unknown_class_is_refused_and_the_right_one_suggested(read):
    config = read(GOOD.replace("train: {class: Sample", "train: {class: Sampel"))
    (problem,) = check_class(config, "datasets.train", CHOICES)
    assert (problem.line, problem.key) == (5, "datasets.train.class")
    assert problem.message == (
        "there is no 'Sampel'; did you mean 'Sample'? known are Folder, MUSDB18, Sample"
    )
    assert check_class(config, "datasets.val", CHOICES) == []


def test_an_unknown_builder_is_refused(read):
    (problem,) = check_class(read(GOOD), "model.builder", {"chimera": dict})
    assert problem.key == "model.builder" and problem.line == 9
    assert problem.message == "there is no 'deep_clustering'; known are chimera"


def test_a_section_that_is_not_there_has_no_class_to_check(read):
    assert check_class(read(INFO), "train.optimizer", CHOICES) == []


class Network:
    def __init__(
        self,
        sample_rate: int,
        num_layers: int,
        hidden_size: int = 300,
        dropout: float = 0.0,
        activation: str | list[str] = "sigmoid",
        bidirectional: bool = True,
        labels: Sequence[str] = (),
        maximum: Optional[float] = None,  # noqa: UP045 the older spelling counts as well
        kind: Literal["lstm", "gru"] = "lstm",
        betas: tuple[float, float] = (0.9, 0.999),
        folder: Path = Path("."),
        options: dict[str, int] | None = None,
        anything=None,
        unclear: "Unresolvable" = None,  # noqa: F821
    ):
        pass


def network(
    sample_rate: int,
    num_layers: int,
    hidden_size: int = 300,
    dropout: float = 0.0,
    activation: str | list[str] = "sigmoid",
    bidirectional: bool = True,
    labels: Sequence[str] = (),
    maximum: Optional[float] = None,  # noqa: UP045
    kind: Literal["lstm", "gru"] = "lstm",
    betas: tuple[float, float] = (0.9, 0.999),
    folder: Path = Path("."),
    options: dict[str, int] | None = None,
    anything=None,
):
    pass


def checked(read, args: str, callable_=network, given=("sample_rate",)) -> list[Problem]:
    text = INFO + "model:\n  builder: network\n  args: " + args + "\n"
    return check_args(read(text), "model", callable_, given)


def test_good_arguments_pass(read):
    args = """
    num_layers: 2
    dropout: 1
    activation: [sigmoid, unit_norm]
    bidirectional: false
    labels: [drums, bass]
    maximum: null
    kind: gru
    betas: [0.5, 1]
    folder: data
    options: {a: 1}
    anything: {a: [b]}"""
    assert checked(read, args) == []
    assert checked(read, "{num_layers: 2, hidden_size: 3}", Network) == []


def test_an_unknown_argument_is_refused_and_the_right_one_suggested(read):
    (problem,) = checked(read, "{num_layers: 2, hiden_size: 3}")
    assert (problem.line, problem.key) == (4, "model.args.hiden_size")
    assert problem.message.startswith(
        "network has no argument 'hiden_size'; did you mean 'hidden_size'? it takes num_layers, "
    )
    assert "sample_rate" not in problem.message


def test_a_missing_argument_is_named(read):
    (problem,) = checked(read, "{hidden_size: 3}")
    assert (problem.key, problem.message) == (
        "model.args",
        "network needs the argument 'num_layers' (a whole number); add it",
    )


def test_a_misspelt_argument_is_not_missing_besides(read):
    (problem,) = checked(read, "{num_layer: 3}")
    assert "did you mean 'num_layers'?" in problem.message


def test_the_hop_of_an_encoder_is_called_its_stride(read):
    def encoder(filter_length: int, stride: int | None = None):
        pass

    (problem,) = checked(read, "{filter_length: 16, hop_length: 8}", encoder, given=())
    assert problem.message == (
        "encoder has no argument 'hop_length'; did you mean 'stride'? "
        "it takes filter_length, stride"
    )


def test_an_argument_that_the_program_sets_is_refused(read):
    (problem,) = checked(read, "{num_layers: 2, sample_rate: 8000}")
    assert problem.message == "'sample_rate' of network is set by the program; remove it"


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("hidden_size: 300.0", "must be a whole number, found the number 300.0"),
        ("hidden_size: true", "must be a whole number, found true"),
        ("hidden_size: '300'", "must be a whole number, found the text '300'"),
        ("dropout: high", "must be a number, found the text 'high'"),
        ("dropout: false", "must be a number, found false"),
        ("dropout: null", "must be a number, found nothing"),
        ("activation: 3", "must be text or a list (text each), found the number 3"),
        ("activation: [a, 3]", "must be text or a list (text each), found the list ['a', 3]"),
        ("bidirectional: 1", "must be true or false, found the number 1"),
        ("labels: drums", "must be a list (text each), found the text 'drums'"),
        ("maximum: much", "must be a number or null, found the text 'much'"),
        ("kind: rnn", "must be one of lstm, gru, found the text 'rnn'"),
        ("betas: [0.9]", "must be a list of 2 (a number each), found the list [0.9]"),
        ("folder: 3", "must be text, found the number 3"),
        ("options: [a]", "must be a mapping or null, found the list ['a']"),
    ],
)
def test_an_argument_of_the_wrong_type_is_refused(read, argument, message):
    (problem,) = checked(read, "{num_layers: 2, " + argument + "}")
    assert problem.key == "model.args." + argument.partition(":")[0]
    assert problem.message == message


def test_a_callable_of_any_arguments_takes_any(read):
    assert checked(read, "{a: 1}", lambda **anything: None) == []


def test_annotations_that_cannot_be_resolved_are_ignored(read):
    (problem,) = checked(read, "{num_layers: two, hiden_size: 3}", Network)
    assert problem.key == "model.args.hiden_size"


def test_a_tensor_in_an_annotation_does_not_excuse_a_text(read):
    class Tensor:
        pass

    def optimizer(params, lr: float | Tensor = 1e-3):
        pass

    (problem,) = checked(read, "{lr: fast}", optimizer, given=("params",))
    assert problem.message == "must be a number, found the text 'fast'"


def test_defaults_are_checked_as_if_they_were_written(read):
    text = INFO + "datasets: {train: {class: A}}\ntrain: {loss: {a: {class: B}}}\n"
    (problem,) = check_args(read(text), "train.optimizer", lambda params: None, ("params",))
    assert (problem.key, problem.line) == ("train.optimizer.args.lr", 3)
