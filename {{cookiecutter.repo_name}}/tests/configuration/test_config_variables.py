"""Environment variables in a configuration."""

import pytest
from texts import GOOD, INFO

from config import check_args
from config.variables import expand


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


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("${NUMBER}", 12),
        ("${UNSET:-0}", 0),
        ("${UNSET:-${NUMBER}}", 12),
        ("${UNSET:-1e-3}", 0.001),
        ("${UNSET:-true}", True),
        ("${UNSET:-null}", None),
        ("'${NUMBER}'", "12"),
        ('"${UNSET:-true}"', "true"),
        ("${NUMBER}${NUMBER}", "1212"),
        ("a ${NUMBER}", "a 12"),
        ("${UNSET:-yes}", "yes"),
        ("${UNSET:-[1, 2]}", "[1, 2]"),
        ("${UNSET:-}", ""),
        ("$${NUMBER}", "${NUMBER}"),
    ],
)
def test_a_variable_alone_and_without_quotes_is_what_its_value_would_be(
    read, monkeypatch, written, value
):
    monkeypatch.setenv("NUMBER", "12")
    monkeypatch.delenv("UNSET", raising=False)
    args = read(INFO + f"algorithm:\n  class: X\n  args:\n    a: {written}\n").algorithm.args
    assert args == {"a": value} and type(args["a"]) is type(value)


def test_a_variable_may_give_the_seed_and_switch_something_on(read, monkeypatch):
    text = "info:\n  name: x\n  output_folder: y\n  seed: ${SEED_FOR_TEST:-3}\n"
    text += "separate:\n  files: [a]\n  picture: ${PICTURE_FOR_TEST:-false}\n"
    assert read(text).info.seed == 3 and read(text).separate.picture is False
    monkeypatch.setenv("SEED_FOR_TEST", "5")
    monkeypatch.setenv("PICTURE_FOR_TEST", "true")
    assert read(text).info.seed == 5 and read(text).separate.picture is True


def test_an_argument_that_quotes_made_text_is_explained(read):
    config = read(INFO + "algorithm: {class: X, args: {count: '${UNSET_FOR_TEST:-4}'}}\n")

    def separate(count: int):
        pass

    (problem,) = check_args(config, "algorithm", separate)
    assert problem.message == (
        "must be a whole number, found the text '4' from '${UNSET_FOR_TEST:-4}'; "
        "a variable in quotes is text: write it without, on its own line"
    )
