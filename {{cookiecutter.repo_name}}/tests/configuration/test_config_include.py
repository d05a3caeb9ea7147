"""`include`: configurations that build on others."""

import os

import pytest
import yaml
from texts import INFO

from config import ConfigError, load, write_resolved

BASE = """\
info: {name: base, output_folder: artifacts/base}
signal:
  sample_rate: 8000
  hop_length: 64
datasets:
  train:
    class: Sample
    args: {folder: data, num_songs: 3}
    augment: {gain_db: [-3, 3]}
  test:
    class: Sample
    args: {folder: data}
model:
  builder: chimera
  args: {num_layers: 4, hidden_size: 300}
train:
  epochs: 7
  optimizer: {class: Adam, args: {lr: 1e-3, eps: 1e-8}}
  scheduler: {class: StepLR, args: {step_size: 5}}
  gradient_clip: {percentile: 10}
  loss:
    dc: {class: DeepClusteringLoss, weight: 0.1}
    mi: {class: L1Loss, weight: 0.9, args: {permutation_invariant: true}, keys: {mask: estimates}}
  loggers: [{class: TensorBoard}]
"""


@pytest.fixture
def including(tmp_path):
    """Load a text that includes BASE (or the other files given); gives the Config, or raises."""

    def load_text(text, **files):
        for name, content in {"base": BASE, **files}.items():
            path = tmp_path / f"{name.replace('__', '/')}.yml"
            path.parent.mkdir(exist_ok=True)
            path.write_text(content)
        (tmp_path / "experiment.yml").write_text(text)
        return load(tmp_path / "experiment.yml")

    return load_text


@pytest.fixture
def messages(including, tmp_path):
    """The problems of such a text, without the folder's name."""

    def messages_of(text, **files):
        with pytest.raises(ConfigError) as caught:
            including(text, **files)
        return str(caught.value).replace(f"{tmp_path}{os.sep}", "").splitlines()

    return messages_of


# --- what is merged ---------------------------------------------------------------------------


def test_mappings_merge_key_by_key_and_the_including_file_wins(including):
    config = including(
        "include: base.yml\n"
        "info: {name: mine}\n"
        "train: {epochs: 9, optimizer: {args: {lr: 0.5}}, loss: {new: {class: MSELoss}}}\n"
    )
    assert (config.info.name, config.info.output_folder) == ("mine", "artifacts/base")
    assert config.train.epochs == 9 and config.signal.sample_rate == 8000
    assert config.train.optimizer.args == {"lr": 0.5, "eps": 1e-8}
    assert list(config.train.loss) == ["dc", "mi", "new"]


def test_lists_are_replaced(including):
    config = including("include: base.yml\ntrain: {loggers: [{class: WandB}, {class: MLflow}]}\n")
    assert [logger.class_name for logger in config.train.loggers] == ["WandB", "MLflow"]
    assert including("include: base.yml\ntrain: {loggers: []}\n").train.loggers == []


def test_of_several_files_the_later_wins_and_each_may_include_others(including):
    config = including(
        "include: [base.yml, sub/one.yml, two.yml]\nsignal: {window_type: hann}\n",
        sub__one="include: ../three.yml\nsignal: {sample_rate: 1, hop_length: 2}\n",
        two="signal: {sample_rate: 3}\n",
        three="signal: {sample_rate: 4, window_length: 6}\ninfo: {notes: three}\n",
    )
    signal = config.signal
    assert (signal.sample_rate, signal.hop_length, signal.window_length) == (3, 2, 6)
    assert signal.window_type == "hann" and config.info.notes == "three"


def test_a_file_may_be_included_twice_but_not_by_itself(including, messages):
    one, two = "include: base.yml\nsignal: {hop_length: 2}\n", "include: base.yml\n"
    assert including("include: [one.yml, two.yml]\n", one=one, two=two).signal.hop_length == 64
    (line,) = messages("include: one.yml\n" + INFO, one="\ninclude: [base.yml, experiment.yml]\n")
    assert line.startswith("one.yml:2: include[1]: ")
    assert line.endswith(
        "experiment.yml includes one.yml includes experiment.yml: a cycle; remove one of these"
    )
    (line,) = messages("include: ./experiment.yml\n" + INFO)
    assert line.startswith("experiment.yml:1: include: experiment.yml includes experiment.yml:")


def test_many_files_that_include_each_other_twice_are_each_read_once(including):
    files = {f"f{n}": f"include: [f{n + 1}.yml, f{n + 1}.yml]\n" for n in range(40)}
    assert including("include: f0.yml\n", **files, f40="include: base.yml\n").info.name == "base"


# --- what null and another class do -----------------------------------------------------------


def test_null_replaces_a_value_and_removes_a_mapping(including):
    config = including(
        "include: base.yml\n"
        "datasets: {train: {augment: null}, test: null}\n"
        "model: {args: {hidden_size: null}}\n"
        "train: {scheduler: null, loss: {mi: null}}\n"
    )
    assert config.datasets.train.augment is None and config.datasets.test is None
    assert config.model.args == {"num_layers": 4, "hidden_size": None}
    assert config.train.scheduler is None and list(config.train.loss) == ["dc"]
    assert including("include: base.yml\ntrain: null\n").train is None


def test_another_class_does_not_get_the_arguments_of_the_included_one(including):
    config = including(
        "include: base.yml\n"
        "datasets: {train: {class: MUSDB18, args: {folder: musdb}}}\n"
        "model: {builder: conv_tasnet, args: {num_filters: 8}}\n"
        "train:\n"
        "  class: MyTrainer\n"
        "  optimizer: {class: SGD, args: {lr: 0.1}}\n"
        "  scheduler: {class: ExponentialLR}\n"
        "  loss: {mi: {class: MSELoss}, dc: {class: DeepClusteringLoss, args: {a: 1}}}\n"
    )
    assert config.datasets.train.args == {"folder": "musdb"}
    assert config.datasets.train.augment.gain_db == [-3, 3]
    assert config.datasets.test.class_name == "Sample"
    assert config.model.args == {"num_filters": 8}
    assert config.train.optimizer.args == {"lr": 0.1} and config.train.scheduler.args == {}
    assert config.train.loss["mi"].args == {} and config.train.loss["mi"].keys is None
    assert config.train.loss["mi"].weight == 0.9 and config.train.epochs == 7
    assert config.train.loss["dc"].args == {"a": 1}


def test_another_module_does_not_get_the_axes_of_the_included_one(including):
    one = (
        "info: {name: one, output_folder: out}\n"
        "model: {module: one.Net, args: {a: 1}, input: batch samples, output: sources samples}\n"
    )
    model = including("include: one.yml\nmodel: {module: two.Net}\n", one=one).model
    assert (model.module, model.args, model.input, model.output) == ("two.Net", {}, None, None)
    model = including("include: one.yml\nmodel: {args: {b: 2}}\n", one=one).model
    assert model.args == {"a": 1, "b": 2} and model.input == "batch samples"


def test_the_same_class_named_again_keeps_its_arguments(including):
    config = including("include: base.yml\ntrain: {optimizer: {class: Adam, args: {eps: 0.1}}}\n")
    assert config.train.optimizer.args == {"lr": 1e-3, "eps": 0.1}


def test_keys_that_exclude_each_other_replace_each_other(including):
    graph = """
include: base.yml
model:
  name: a graph
  modules: {mix_magnitude: {}, mask: {class: Mask}}
  connections: [[mask, [mix_magnitude]]]
  output: [mask]
train: {gradient_clip: {max_norm: 5}}
datasets: {train: {augment: {snr_db: [0, 5]}}}
"""
    config = including(graph)
    assert config.model.builder is None and config.model.args == {}
    assert (
        config.train.gradient_clip.max_norm == 5 and config.train.gradient_clip.percentile is None
    )
    assert config.datasets.train.augment.gain_db is None
    back = "include: graph.yml\nmodel: {builder: tasnet}\ntrain: {gradient_clip: {percentile: 9}}\n"
    config = including(back, graph=graph)
    assert config.model.builder == "tasnet" and config.model.graph is None
    assert config.train.gradient_clip.percentile == 9


# --- what is wrong, and where -----------------------------------------------------------------


def test_a_mistake_names_the_file_and_line_that_it_comes_from(messages):
    assert messages(
        "include: base.yml\ntrain:\n  epochs: many\n  loss: {dc: {wieght: 1}}\n",
        base=BASE.replace("hop_length: 64", "hop_length: 0").replace(
            "eps: 1e-8}}", "eps: }, a: 1}"
        ),
    ) == [
        "base.yml:4: signal.hop_length: must be greater than 0, found the number 0",
        "base.yml:18: train.optimizer.a: there is no such key here; "
        "an argument goes in args: {a: 1}",
        "experiment.yml:3: train.epochs: must be a whole number, found the text 'many'; "
        "the default is 100",
        "experiment.yml:4: train.loss.dc.wieght: there is no such key here; did you mean 'weight'?",
    ]


def test_a_mistake_found_by_a_later_stage_names_its_file_too(including, tmp_path):
    config = including("include: base.yml\ntrain:\n  optimizer: {args: {lr: 2}}\n")
    for key, place in [
        ("train.optimizer.args.lr", "experiment.yml:3"),
        ("train.optimizer.args.eps", "base.yml:18"),
        ("train.optimizer.args.x", "experiment.yml:3"),
        ("model.args", "base.yml:15"),
        ("evaluate", "experiment.yml:1"),
    ]:
        assert str(config.problem(key, "x")) == f"{tmp_path}{os.sep}{place}: {key}: x"


def test_a_wrong_value_is_no_problem_where_another_takes_its_place(including, messages):
    base = BASE.replace("folder: data,", 'folder: "${NOT_SET_FOR_TEST}",')
    (line,) = messages("include: base.yml\n", base=base)
    assert line.startswith("base.yml:8: datasets.train.args.folder: the environment variable NOT_")
    text = "include: base.yml\ndatasets: {train: {args: {folder: here}}}\n"
    assert including(text, base=base).datasets.train.args == {"folder": "here", "num_songs": 3}
    assert including("include: base.yml\ndatasets: {train: {class: A}}\n", base=base)


def test_a_mistake_in_a_file_that_is_included_twice_is_reported_once(messages):
    files = {"one": "include: base.yml\n", "two": "include: base.yml\n"}
    base = BASE.replace("epochs: 7", "epochs: ${NOT_SET_FOR_TEST}") + "info: {}\n"
    lines = messages("include: [one.yml, two.yml]\n", base=base, **files)
    assert [line.split(": ")[:2] for line in lines] == [
        ["base.yml:17", "train.epochs"],
        ["base.yml:25", "info"],
    ]


def test_files_that_are_not_there_are_named_with_the_line_that_includes_them(messages, tmp_path):
    (tmp_path / "sub").mkdir()
    assert messages("signal: {}\ninclude: [bse.yml, sub, sub/x.yml, base.yml]\n" + INFO) == [
        "experiment.yml:2: include[0]: there is no file bse.yml; did you mean 'base.yml'?",
        "experiment.yml:2: include[1]: sub is a folder; write the path of a .yml file",
        "experiment.yml:2: include[2]: there is no file sub/x.yml; "
        "a path starts at this file's folder",
    ]
    (line,) = messages("include: one.yml\n", one="signal: {}\ninclude: gone.yml\n")
    assert line.startswith("one.yml:2: include: there is no file gone.yml")


def test_what_is_included_has_to_be_yaml_and_a_mapping(messages):
    assert messages("include: one.yml\n", one="a: [1\n")[0].startswith("one.yml:2: the '[' of line")
    assert messages("include: one.yml\n", one="- a\n")[0].startswith("one.yml:1: must be a mapping")


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("3", "include: must be the path of a file, or a list of such, found the number 3"),
        ("", "include: must be the path of a file, or a list of such, found nothing"),
        ("[base.yml, []]", "include[1]: must be the path of a file, or a list of such, found the "),
        (
            "${NOT_SET_FOR_TEST}.yml",
            "include: the environment variable NOT_SET_FOR_TEST is not set",
        ),
    ],
)
def test_an_include_that_is_no_path_is_refused(messages, written, message):
    (line,) = messages(f"include: {written}\ninfo: 3\n")
    assert line.startswith(f"experiment.yml:1: {message}")


def test_include_further_in_and_misspelt_is_explained(messages):
    assert messages(INFO + "includes: base.yml\nsignal: {include: base.yml}\n") == [
        "experiment.yml:2: includes: there is no such section; did you mean 'include'?",
        "experiment.yml:3: signal.include: there is no such key here; 'include' stands at the top "
        "of a file, for all of it",
    ]


def test_variables_and_absolute_paths_lead_to_files(including, monkeypatch, tmp_path):
    monkeypatch.setenv("KIND_FOR_TEST", "base")
    assert including("include: ${KIND_FOR_TEST}.yml\n").info.name == "base"
    path = str(tmp_path / "${KIND_FOR_TEST}.yml")
    assert including(f"include: ['{path}']\n").info.name == "base"


def test_the_resolved_configuration_is_whole(including, tmp_path):
    config = including("include: base.yml\ninfo: {name: mine}\n")
    path = write_resolved(config, tmp_path / "out")
    written = yaml.safe_load(path.read_text())
    assert "include" not in written and written["model"]["builder"] == "chimera"
    assert load(path) == config and config.path == tmp_path / "experiment.yml"
