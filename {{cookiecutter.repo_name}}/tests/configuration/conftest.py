"""A text as an experiment: read, or refused."""

import pytest

from config import Config, ConfigError, Problem, load


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
