"""Wrong configurations, and the words in which each is refused."""

import re
from pathlib import Path

import pytest

from config import ConfigError, load

CORPUS = Path(__file__).parents[1] / "wrong_configs"
WRONG = sorted(CORPUS.glob("*.yml"))


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
