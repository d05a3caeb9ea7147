"""docs/configuration.md: what it shows works, and what it lists is all there is."""

import re
import typing
from pathlib import Path

import pytest

from config import Config, ConfigError, load
from config.tables import pages, table

PROJECT = Path(__file__).parents[2]
PAGE = (PROJECT / "docs" / "configuration.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.M | re.S)
WRONG = next(block for block in BLOCKS if "a first try" in block)


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_the_examples_are_accepted_and_the_wrong_one_is_refused_as_shown(
    number, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    for name in ("SCRATCH", "SEED", "RUN", "PATIENCE"):
        monkeypatch.delenv(name, raising=False)
    text = BLOCKS[number]
    included = PROJECT / "experiments" / "deep_clustering.yml"
    path = Path("first_try.yml")
    path.write_text(text.replace("include: deep_clustering.yml", f"include: {included}"))
    if text != WRONG:
        config = load(path)
        assert "include" not in text or config.train.loss["deep_clustering"]
        return
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert f"```text\n{caught.value}\n```\n" in PAGE


def test_an_included_experiment_is_changed_as_the_example_says(tmp_path):
    included = PROJECT / "experiments" / "deep_clustering.yml"
    text = next(block for block in BLOCKS if "a faster start" in block)
    (tmp_path / "a.yml").write_text(
        text.replace("include: deep", f"include: {included.parent}/deep")
    )
    changed, train = load(tmp_path / "a.yml"), load(included).train
    assert changed.train.optimizer.args == {"lr": 3e-3} != train.optimizer.args
    assert changed.train.early_stopping is None and train.early_stopping == 20
    assert changed.train.loss == train.loss and changed.info.name == "a faster start"


def test_the_tables_of_keys_are_those_that_the_schema_gives():
    texts = pages(PROJECT / "docs")
    assert len(texts) == 2
    wrong = [path.name for path, text in texts.items() if path.read_text("utf-8") != text]
    assert wrong == [], "run `python -m config --schema`"


@pytest.mark.parametrize("section", Config.model_fields)
def test_the_table_of_each_section_lists_its_keys(section):
    kind = Config.model_fields[section].annotation
    kind = next((part for part in typing.get_args(kind) if part is not type(None)), kind)
    keys = {field.alias or name for name, field in kind.model_fields.items()}
    part = re.search(rf"^### {section}$(.*?)^##", PAGE, re.M | re.S)[1]
    listed = re.findall(r"^\| `([\w.]+)` \|", part, re.M)
    assert {name for name in listed if "." not in name} == keys


def test_a_table_says_what_a_key_takes_and_what_its_parts_take():
    rows = dict(re.findall(r"^\| `(.*?)` \| (.*) \|$", table("Train"), re.M))
    assert rows["segment"].startswith("number > 0 | `4.0` | seconds in a training excerpt")
    assert rows["loss.NAME.weight"] == "number ≥ 0 | `1.0` | factor of this term in the sum"
    assert rows["curriculum[].epochs"].startswith("whole number ≥ 1 | required | ")
    assert rows["optimizer"].startswith("mapping | `{class: Adam, args: {lr: 0.001}}` | ")
    assert rows["scheduler"].startswith("`{class, args}` | `null` | a class of `torch.optim.lr")
