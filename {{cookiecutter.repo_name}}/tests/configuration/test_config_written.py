"""What is written: the resolved configuration and the editor's schema; the command."""

import json
import os
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml
from texts import GOOD, GRAPH, INFO

from config import json_schema, load, write_resolved
from config.editor import schema_text
from config.write import SCHEMA_FILE
from errors import UserError

PROJECT = Path(__file__).parents[2]

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
    assert list(written["train"])[:3] == ["class", "args", "device"]
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


def test_the_json_schema_lets_numbers_and_choices_be_variables():
    text = """\
info: {name: x, output_folder: y, seed: "${SEED:-0}"}
datasets:
  train:
    class: Sample
    augment: {gain_db: ["${LOW:--3}", 3], incoherent: "${P:-0.5}"}
  test: {class: Sample}
train:
  epochs: "${EPOCHS}"
  early_stopping: "${PATIENCE:-null}"
  compile: "${COMPILE:-false}"
  target: "${TARGET:-magnitude}"
  loss: {a: {class: B, weight: "${WEIGHT:-1}"}}
"""
    jsonschema.validate(plain(text), json_schema())
    for number in ("${EPOCHS", "EPOCHS", "1${EPOCHS}", "${EPOCHS}0"):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(plain(text.replace("${EPOCHS}", number)), json_schema())


PART = "train: {epochs: 3, optimizer: {args: {lr: 0.1}}, loss: {a: {weight: 2}}}\n"


@pytest.mark.parametrize(
    "text",
    [
        "include: base.yml\n" + PART,
        "include: [a.yml, b.yml]\ninfo: {name: x}\nmodel: {args: {a: 1}}\n",
        PART,  # a base, without info
    ],
)
def test_the_json_schema_lets_a_file_that_includes_or_is_included_be_a_part(text):
    jsonschema.validate(plain(text), json_schema())
    wrong = text.replace("epochs: 3", "epochs: -1").replace("{name: x}", "{nam: x}")
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(plain(wrong), json_schema())


@pytest.mark.parametrize(
    "text",
    [
        INFO + PART,
        "info: {name: x}\n",
        INFO + "datasets: {train: {args: {a: 1}}}\n",
        INFO + "model: {args: {a: 1}}\n",
        INFO + "train: {loss: {a: {class: B}}, loggers: [{args: {a: 1}}]}\n",
        "include: 3\n",
        "include: [[a.yml]]\n",
    ],
)
def test_the_json_schema_requires_of_a_whole_experiment_what_we_require(refused, text):
    assert refused(text)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(plain(text), json_schema())


def test_every_key_of_the_schema_has_a_description():
    schema = json_schema()
    for part in [schema, *schema["$defs"].values()]:
        for name, field in part.get("properties", {}).items():
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


def test_a_mistake_is_reported_before_anything_heavy_is_imported(tmp_path):
    path = tmp_path / "experiment.yml"
    path.write_text(GOOD)
    code = (
        f"import sys, config; config.load({str(path)!r}); "
        "print([n for n in ('torch', 'numpy', 'nussl', 'scipy') if n in sys.modules])"
    )
    done = run("-c", code)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_a_reader_that_has_read_enough_is_no_error(tmp_path):
    path = tmp_path / "good.yml"
    path.write_text(GOOD)
    program = "import runpy, sys; sys.argv[1:] = ['--show', *200 * [sys.argv[1]]]\n"
    program += "sys.stdout.reconfigure(line_buffering=True)\n"
    program += "runpy.run_module('config', run_name='__main__')"
    command = f'{sys.executable} -c "{program}" {path} | head -1'
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    done = subprocess.run(
        ["sh", "-c", command], capture_output=True, text=True, env=environment, check=False
    )
    assert (done.stdout, done.stderr) == (f"# {path}\n", "")


def test_files_are_checked_from_the_command_line(tmp_path):
    good, wrong = tmp_path / "good.yml", tmp_path / "wrong.yml"
    good.write_text(GOOD)
    wrong.write_text("info: {nam: x, output_folder: y}\n")
    done = run("-m", "config", str(good))
    assert done.returncode == 0 and "good.yml: valid" in done.stdout
    done = run("-m", "config", str(good), str(wrong))
    assert done.returncode == 1
    assert f"{wrong}:1: info.nam: there is no such key here; did you mean 'name'?" in done.stdout
    assert run("-m", "config").returncode == 2
    including = tmp_path / "including.yml"
    including.write_text("include: good.yml\ninfo: {name: another}\n")
    done = run("-m", "config", "--show", str(including))
    whole = tmp_path / "whole.yml"
    whole.write_text(done.stdout)
    assert done.returncode == 0 and load(whole) == load(including)
