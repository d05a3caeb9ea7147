"""The configuration: what it reads, what it refuses and how it says so."""

import json
import os
import pickle
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Optional

import jsonschema
import pytest
import yaml

from config import (
    Config,
    ConfigError,
    Problem,
    check_args,
    check_class,
    json_schema,
    load,
    write_resolved,
)
from config.reader import expand
from config.write import SCHEMA_FILE, schema_text
from errors import UserError

PROJECT = Path(__file__).parents[1]
CORPUS = Path(__file__).parent / "wrong_configs"
WRONG = sorted(CORPUS.glob("*.yml"))

INFO = "info: {name: a name, output_folder: artifacts/x}\n"
GOOD = """\
info:
  name: deep clustering, sample
  output_folder: ${ARTIFACTS_FOR_TEST:-artifacts}/deep_clustering
datasets:
  train: {class: Sample, args: {folder: "${DATA_FOR_TEST:-data}/sample", split: train}}
  val: {class: Sample, args: {folder: "${DATA_FOR_TEST:-data}/sample", split: val}}
  test: {class: Sample, args: {folder: "${DATA_FOR_TEST:-data}/sample", split: test}}
model:
  builder: deep_clustering
  args: {num_layers: 4, hidden_size: 300, num_features: 257}
train:
  optimizer:
    class: Adam
    args:
      lr: 1e-3
      eps: 1e-8
  scheduler: {class: ReduceLROnPlateau, args: {factor: 0.5, patience: 5}}
  gradient_clip: {percentile: 10}
  loss:
    deep_clustering: {class: DeepClusteringLoss, weight: 1}
algorithm:
  class: DeepClustering
  args: {model_path: artifacts/best.model.pth, num_sources: 2}
evaluate: {}
visualize: {item: a song}
separate: {files: [song.wav]}
"""
GRAPH = """\
info: {name: a graph, output_folder: artifacts/x}
model:
  name: mask inference
  modules:
    mix_magnitude: {}
    log_spectrogram: {class: AmplitudeToDB}
    stack: {class: RecurrentStack, args: {num_features: 257, num_layers: 2}}
    mask: {class: Embedding}
    estimates: {class: Mask}
  connections:
    - [log_spectrogram, [mix_magnitude]]
    - [stack, [log_spectrogram]]
    - [mask, ["stack:0", {activation: softmax}]]
    - [estimates, [mask, {magnitude: mix_magnitude}]]
  output: [mask, estimates]
"""


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch):
    for name in ("ARTIFACTS_FOR_TEST", "DATA_FOR_TEST"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def read(tmp_path):
    """Load a text as experiment.yml; gives the Config, or raises."""

    def read_text(text: str, **options) -> Config:
        path = tmp_path / "experiment.yml"
        path.write_text(text, encoding="utf-8")
        return load(path, **options)

    return read_text


@pytest.fixture
def refused(read):
    """Load a text that is wrong; gives its problems."""

    def problems_of(text: str, **options) -> list[Problem]:
        with pytest.raises(ConfigError) as caught:
            read(text, **options)
        return caught.value.problems

    return problems_of


# --- the corpus of wrong configurations -------------------------------------------------------


@pytest.mark.parametrize("wrong", WRONG, ids=lambda path: path.stem)
def test_a_wrong_configuration_is_refused_in_these_words(wrong, monkeypatch):
    """A first line `# needs: a b` stands for load(..., needs=("a", "b"))."""
    monkeypatch.chdir(CORPUS)
    first = wrong.read_text().partition("\n")[0]
    needs = first.removeprefix("# needs: ").split() if first.startswith("# needs: ") else ()
    with pytest.raises(ConfigError) as caught:
        load(wrong.name, needs=needs)
    assert str(caught.value) == wrong.with_suffix(".txt").read_text().rstrip("\n")


def test_the_corpus_is_large_and_complete():
    assert len(WRONG) >= 40
    assert {path.stem for path in WRONG} == {path.stem for path in CORPUS.glob("*.txt")}


@pytest.mark.parametrize("wrong", WRONG, ids=lambda path: path.stem)
def test_every_message_is_a_line_with_its_place_and_without_jargon(wrong):
    for line in wrong.with_suffix(".txt").read_text().splitlines():
        assert re.match(rf"{wrong.name}(:\d+)?: \S", line)
        jargon = "pydantic|https?:|input_value|dict\\b|None|True|False|NoneType|valid integer"
        assert not re.search(jargon, line)


def test_the_problems_are_ordered_by_line():
    with pytest.raises(ConfigError) as caught:
        load(next(path for path in WRONG if "many_at_once" in path.name))
    lines = [problem.line for problem in caught.value.problems]
    assert len(lines) >= 9 and lines == sorted(lines)


# --- files that cannot be read at all ---------------------------------------------------------


def test_a_missing_file_is_one_clear_message():
    with pytest.raises(ConfigError) as caught:
        load("nowhere/at_all.yml")
    assert str(caught.value) == "nowhere/at_all.yml: there is no such file"


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="is a folder; give the path of a .yml file"):
        load(tmp_path)


def test_a_file_that_is_not_utf8_names_the_line(tmp_path):
    path = tmp_path / "latin.yml"
    path.write_bytes("info:\n  name: Café\n".encode("latin-1"))
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert str(caught.value) == f"{path}:2: is not UTF-8 text; save it in that encoding"


def test_a_control_character_names_the_line(refused):
    (problem,) = refused("info:\n  name: a\x00b\n")
    assert (problem.line, problem.message) == (2, r"holds the character '\x00'; remove it")


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm(tmp_path):
    path = tmp_path / "windows.yml"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    assert load(path).info.name == "deep clustering, sample"


def test_aliases_that_multiply_are_stopped(refused):
    rows = "".join(f"  - &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]\n" for n in range(1, 9))
    problems = refused(INFO + "algorithm:\n  class: X\nlots:\n  - &l0 [a, b]\n" + rows)
    assert "are aliases multiplying?" in problems[0].message


def test_merges_that_multiply_are_stopped(refused):
    rows = [f"l{n}: &l{n}\n  <<: [{', '.join([f'*l{n - 1}'] * 10)}]\n" for n in range(1, 12)]
    problems = refused(INFO + "l0: &l0 {a: 1}\n" + "".join(rows))
    assert "are aliases multiplying?" in problems[0].message
    many = "".join(f"  k{n}: 1\n" for n in range(2000))
    rows = "".join(f"l{n}:\n  <<: *l\n" for n in range(100))
    problems = refused(INFO + f"l: &l\n{many}" + rows)
    assert "are aliases multiplying?" in problems[0].message


def test_a_file_that_is_much_too_long_is_not_read(refused, tmp_path):
    (problem,) = refused(INFO + "# " + "x" * 2_000_000)
    assert problem.message == "holds more than 1,000,000 bytes; is it an experiment?"


def test_the_character_nul_is_refused_in_any_text_and_in_a_path(refused):
    (problem,) = refused('info: {name: "a\\0b", output_folder: "x"}\n')
    assert (problem.key, problem.message) == ("info.name", "holds the character NUL; remove it")
    with pytest.raises(ConfigError, match="cannot be read: embedded null byte"):
        load("a\0b.yml")


def test_a_file_nested_without_end_is_refused(refused):
    (problem,) = refused("info: " + "[" * 5000)
    assert problem.message == "is nested too deeply to be read"


# --- what is read -----------------------------------------------------------------------------


def test_sections_become_typed_attributes_with_defaults(read):
    config = read(GOOD)
    assert config.info.name == "deep clustering, sample" and config.info.seed == 0
    assert config.signal.window_length == 512 and config.signal.num_features == 257
    assert config.datasets.train.class_name == "Sample"
    assert config.datasets.train.args == {"folder": "data/sample", "split": "train"}
    assert config.train.class_name == "Trainer" and config.train.epochs == 100
    assert config.train.optimizer.args == {"lr": 0.001, "eps": 1e-8}
    assert config.train.gradient_clip.percentile == 10
    assert config.train.loss["deep_clustering"].weight == 1.0
    assert config.evaluate.split == "test" and config.separate.files == ["song.wav"]
    assert config.path.name == "experiment.yml"


def test_only_info_is_required(read):
    config = read(INFO)
    assert config.model is None and config.train is None and config.datasets is None
    assert config.signal.sample_rate == 16000


def test_the_optimizer_defaults_to_adam(read):
    text = INFO + "datasets: {train: {class: A}}\ntrain: {loss: {a: {class: B}}}\n"
    config = read(text)
    assert config.train.optimizer.class_name == "Adam"
    assert config.train.optimizer.args == {"lr": 1e-3}


def test_a_configuration_cannot_be_changed(read):
    with pytest.raises(ValueError, match="frozen"):
        read(GOOD).info.name = "another"


def test_a_configuration_can_be_pickled(read):
    config = read(GOOD)
    copy = pickle.loads(pickle.dumps(config))
    assert copy == config and copy.problem("train.epochs", "x") == config.problem(
        "train.epochs", "x"
    )


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("1e-3", 1e-3),
        ("1.0e-3", 1e-3),
        (".5", 0.5),
        ("5.", 5.0),
        ("1E5", 1e5),
        ("-1.5e+3", -1500.0),
        ("010", 10),
        ("-7", -7),
        ("+7", 7),
        (".inf", float("inf")),
        ("-.INF", -float("inf")),
        ("12:30:00", "12:30:00"),
        ("0x10", "0x10"),
        ("0o17", "0o17"),
        ("1_000", "1_000"),
        ("2024-01-01", "2024-01-01"),
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("off", "off"),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("'1e-3'", "1e-3"),
        ("!!str 8", "8"),
        ("!!float 8", 8.0),
        ("inf", "inf"),
        ("e5", "e5"),
        ("'<<'", "<<"),
    ],
)
def test_plain_values_are_what_they_look_like(read, written, value):
    args = read(INFO + f"algorithm:\n  class: X\n  args:\n    a: {written}\n").algorithm.args
    assert args == {"a": value} and type(args["a"]) is type(value)


def test_yes_and_on_may_be_keys(read):
    config = read(INFO + "algorithm: {class: X, args: {on: 1, no: 2}}\n")
    assert config.algorithm.args == {"on": 1, "no": 2}


def test_anchors_and_merge_keys_work(read):
    text = """\
info: {name: a name, output_folder: artifacts/x}
datasets:
  train: &sample
    class: Sample
    args: &args {folder: data, split: train}
  val: {<<: *sample, args: {<<: *args, split: val}}
  test: {args: {<<: [{split: test}, *args]}, <<: *sample}
"""
    config = read(text)
    assert config.datasets.train.args == {"folder": "data", "split": "train"}
    assert config.datasets.val.class_name == "Sample"
    assert config.datasets.val.args == {"folder": "data", "split": "val"}
    assert config.datasets.test.args == {"folder": "data", "split": "test"}


def test_a_mistake_behind_an_alias_is_told_where_it_is_written_and_once(refused):
    text = """\
info: {name: a name, output_folder: artifacts/x}
datasets:
  train: &sample
    class: Sample
    args:
      folder: ${NOT_SET_FOR_TEST}
  val: *sample
  test: {<<: *sample}
"""
    (problem,) = refused(text)
    assert problem.line == 6 and problem.key == "datasets.train.args.folder"


def test_a_graph_is_read_as_nussl_takes_it(read):
    graph = read(GRAPH).model.graph
    assert list(graph) == ["name", "modules", "connections", "output"]
    assert graph["modules"]["mix_magnitude"] == {}
    assert graph["modules"]["mask"] == {"class": "Embedding", "args": {}}
    assert graph["connections"][2] == ["mask", ["stack:0", {"activation": "softmax"}]]
    assert read(GOOD).model.graph is None


def test_best_model_may_train_into_its_own_folder(tmp_path):
    path = tmp_path / "config.yml"
    path.write_text(f"info:\n  name: x\n  output_folder: {tmp_path}\n")
    assert load(path).info.output_folder == str(tmp_path)


# --- variables --------------------------------------------------------------------------------


def test_variables_are_taken_from_the_environment_or_their_default(read, monkeypatch):
    assert read(GOOD).info.output_folder == "artifacts/deep_clustering"
    monkeypatch.setenv("ARTIFACTS_FOR_TEST", "/scratch")
    assert read(GOOD).info.output_folder == "/scratch/deep_clustering"
    monkeypatch.setenv("ARTIFACTS_FOR_TEST", "")
    assert read(GOOD).info.output_folder == "artifacts/deep_clustering"


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("${SET}/a", "here/a"),
        ("${UNSET:-}", ""),
        ("${UNSET:-a b}c", "a bc"),
        ("${UNSET:-${SET}/x}/y", "here/x/y"),
        ("${UNSET:-${UNSET:-z}}", "z"),
        ("$${SET}", "${SET}"),
        ("5 $ and $5", "5 $ and $5"),
        ("$$", "$"),
        ("${SET}${SET}", "herehere"),
    ],
)
def test_variables_expand_as_in_a_shell(monkeypatch, text, expanded):
    monkeypatch.setenv("SET", "here")
    monkeypatch.delenv("UNSET", raising=False)
    assert expand(text) == (expanded, [])


def test_what_a_variable_holds_is_not_expanded_again(monkeypatch):
    monkeypatch.setenv("SET", "${SET} $$ $x")
    assert expand("a ${SET}") == ("a ${SET} $$ $x", [])


def test_an_empty_variable_without_default_is_refused(refused, monkeypatch):
    monkeypatch.setenv("DATA_FOR_TEST", "")
    (problem,) = refused("info:\n  name: x\n  output_folder: ${DATA_FOR_TEST}/x\n")
    assert "DATA_FOR_TEST is empty; set it, or write ${DATA_FOR_TEST:-default}" in problem.message


# --- what later stages ask --------------------------------------------------------------------


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


def test_annotations_that_cannot_be_resolved_are_passed_over(read):
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


# --- files that are written -------------------------------------------------------------------


@pytest.mark.parametrize("text", [GOOD, GRAPH, INFO], ids=["all", "graph", "info"])
def test_the_resolved_configuration_reads_back_equal(read, tmp_path, text):
    config = read(text)
    path = write_resolved(config, tmp_path / "out" / "deep")
    assert path == tmp_path / "out" / "deep" / "config.yml"
    again = load(path)
    assert again == config and again.path == path
    assert write_resolved(again, tmp_path / "b.yml").read_text() == path.read_text()
    assert [file.name for file in path.parent.iterdir()] == ["config.yml"]


def test_the_resolved_configuration_keeps_awkward_texts(read, tmp_path):
    awkward = ["1e-3", "010", "yes", "true", "null", "~", "", "12:30:00", "0x10", "<<", "${A} $$ $"]
    awkward += [".5", "1_0", "2024-01-01", "a: b", "# a", "*a", "a\nb", "ü", "'", "- a", "=", " a "]
    numbers = [1e-10, 1e22, 0.1, 10**20, float("inf"), True, None, {"a": []}]
    text = INFO + "algorithm:\n  class: X\n  args: " + json.dumps({"a": awkward}).replace("$", "$$")
    config = read(text)
    assert config.algorithm.args == {"a": awkward}
    config.algorithm.args["n"] = numbers
    assert load(write_resolved(config, tmp_path / "a.yml")).algorithm.args == {
        "a": awkward,
        "n": numbers,
    }


def test_the_resolved_configuration_has_its_defaults_and_a_stable_order(read, tmp_path):
    path = write_resolved(read(GOOD), tmp_path)
    written = yaml.safe_load(path.read_text())
    sections = "info signal datasets model train algorithm evaluate visualize separate"
    assert list(written) == sections.split()
    assert list(written["train"])[:3] == ["class", "device", "epochs"]
    assert list(written["train"]["loss"]["deep_clustering"]) == ["class", "weight", "args", "keys"]
    assert written["signal"]["hop_length"] == 128 and written["train"]["early_stopping"] is None


def test_the_authors_own_file_is_never_replaced(tmp_path):
    own = tmp_path / "config.yml"
    own.write_text("# mine\n" + INFO)
    path = write_resolved(load(own), tmp_path)
    assert path.name == "config.resolved.yml" and own.read_text() == "# mine\n" + INFO
    assert load(path) == load(own)


def test_a_write_that_fails_leaves_the_old_file_whole(read, tmp_path, monkeypatch):
    path = write_resolved(read(INFO), tmp_path / "a.yml")
    before = path.read_text()

    def fail(*_):
        raise OSError("the disk is full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(UserError, match="the disk is full"):
        write_resolved(read(GOOD), path)
    assert path.read_text() == before and len(list(tmp_path.glob("*a.yml*"))) == 1


# --- the JSON Schema --------------------------------------------------------------------------


def plain(text: str) -> dict:
    return yaml.safe_load(text.replace("1e-3", "0.001").replace("1e-8", "0.00000001"))


@pytest.mark.parametrize("text", [GOOD, GRAPH, INFO], ids=["all", "graph", "info"])
def test_the_json_schema_takes_what_we_take(read, text):
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(plain(text), schema)
    jsonschema.validate(read(text).to_dict(), schema)


@pytest.mark.parametrize(
    "change",
    [
        ("split: train", "split: train}, arg: {"),
        ("weight: 1", "weight: '1'"),
        ("percentile: 10", "percentile: 10, max_norm: 1"),
        ("evaluate: {}", "evaluate: {split: dev}"),
        ("evaluate: {}", "evaluate:"),
        ("evaluate: {}", "evaluate: {device: gpu}"),
        ("builder: deep_clustering", "name: x"),
        ("files: [song.wav]", "files: []"),
    ],
)
def test_the_json_schema_refuses_what_we_refuse(refused, change):
    text = GOOD.replace(*change, 1)
    assert text != GOOD and refused(text)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(plain(text), json_schema())


def test_the_json_schema_lets_a_device_be_a_variable():
    text = GOOD.replace("evaluate: {}", "evaluate: {device: '${DEVICE:-auto}'}")
    jsonschema.validate(plain(text), json_schema())


def test_every_key_of_the_schema_has_a_description():
    schema = json_schema()
    for part in [schema, *schema["$defs"].values()]:
        for name, field in part["properties"].items():
            assert field.get("description"), name


def test_the_json_schema_of_the_experiments_is_current():
    assert SCHEMA_FILE == PROJECT / "experiments" / "config.schema.json"
    current = SCHEMA_FILE.read_text() == schema_text()
    assert current, "experiments/config.schema.json is old; run: python -m config --schema"


# --- the module on its own --------------------------------------------------------------------


def run(*command: str) -> subprocess.CompletedProcess:
    environment = {**os.environ, "PYTHONPATH": str(PROJECT), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, env=environment, check=False
    )


def test_a_mistake_is_told_before_anything_heavy_is_imported(tmp_path):
    path = tmp_path / "experiment.yml"
    path.write_text(GOOD)
    code = (
        f"import sys, config; config.load({str(path)!r}); "
        "print([n for n in ('torch', 'numpy', 'nussl', 'scipy') if n in sys.modules])"
    )
    done = run("-c", code)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_files_are_checked_from_the_command_line(tmp_path):
    good, wrong = tmp_path / "good.yml", tmp_path / "wrong.yml"
    good.write_text(GOOD)
    wrong.write_text("info: {nam: x, output_folder: y}\n")
    done = run("-m", "config", str(good))
    assert done.returncode == 0 and "good.yml: fine" in done.stdout
    done = run("-m", "config", str(good), str(wrong))
    assert done.returncode == 1
    assert f"{wrong}:1: info.nam: there is no such key here; did you mean 'name'?" in done.stdout
    assert run("-m", "config").returncode == 2
