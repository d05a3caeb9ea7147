"""Environment variables in a configuration."""

import pytest
from texts import GOOD

from config.reader import expand


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
