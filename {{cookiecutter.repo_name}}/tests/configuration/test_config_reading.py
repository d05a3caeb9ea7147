"""What is read from a file, and which files cannot be read at all."""

import pickle

import pytest
from texts import GOOD, GRAPH, INFO

from config import ConfigError, load

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


def test_a_mistake_behind_an_alias_is_reported_where_it_is_written_and_once(refused):
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


# --- files that cannot be read at all ---------------------------------------------------------


def test_a_missing_file_is_one_clear_message():
    with pytest.raises(ConfigError) as caught:
        load("nowhere/at_all.yml")
    assert str(caught.value) == "nowhere/at_all.yml: there is no such file"


def test_a_misspelt_file_is_corrected(tmp_path):
    path = tmp_path / "demo.yml"
    path.touch()
    with pytest.raises(ConfigError, match=f"did you mean '{path}'\\?"):
        load(tmp_path / "demos.yml")


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
    assert problem.message == (
        "holds more than 1,000,000 bytes, too many for an experiment; give a YAML file or the "
        "folder of a run"
    )


def test_the_character_nul_is_refused_in_any_text_and_in_a_path(refused):
    (problem,) = refused('info: {name: "a\\0b", output_folder: "x"}\n')
    assert (problem.key, problem.message) == ("info.name", "holds the character NUL; remove it")
    with pytest.raises(ConfigError, match="cannot be read: embedded null byte"):
        load("a\0b.yml")


def test_a_file_nested_without_end_is_refused(refused):
    (problem,) = refused("info: " + "[" * 5000)
    assert problem.message == "is nested too deeply to be read"


def test_a_key_of_several_lines_is_reported_on_one(tmp_path):
    path = tmp_path / "lines.yml"
    path.write_text('info: {name: x, output_folder: y}\n"a\\nb\\e[2J": 1\n')
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path}:2: a\\nb\\x1b[2J: ")
    assert len(str(caught.value).splitlines()) == 1
