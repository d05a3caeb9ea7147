"""Runs beside each other: tests whose outcome is known, tables in every form, the notebook."""

import csv
import re
from pathlib import Path

import numpy as np
import pytest
import yaml

import scripts.common
from errors import UserError
from evaluation import comparison
from evaluation.results import Results
from report import comparison as report_comparison
from scripts import analyze

PROJECT = Path(__file__).parents[1]


def make_run(folder, name, gains, songs=None, hidden=300):
    """An output folder as scripts.evaluate leaves it: `gains` over a mixture of 0 dB."""
    place = folder / "evaluation" / "test"
    place.mkdir(parents=True)
    config = {
        "info": {"name": name, "output_folder": str(folder)},
        "model": {"builder": "deep_clustering", "args": {"hidden_size": hidden, "layers": [1, 2]}},
        "algorithm": {"class": "DeepClustering", "args": {"num_sources": 2}},
    }
    (place / "config.yml").write_text(yaml.safe_dump(config))
    with open(place / "scores.csv", "w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["item", "song", "method", "source", "si_sdr", "si_sdr_improvement"])
        for number, gain in enumerate(gains):
            song = number if songs is None else songs[number]
            for method, value in (("mixture", 0.0), ("DeepClustering", gain)):
                table.writerow([f"i{number}", f"s{song}", method, "vocals", value, value])
    rows = "epoch,train_loss,val_loss\n1,0.5,0.6\n2,0.4,\n3,0.3,0.5\n"
    (folder / "history.csv").write_text(rows)
    return str(folder)


@pytest.fixture
def runs(tmp_path):
    rng = np.random.default_rng(0)
    first = rng.normal(5, 2, 40)
    better = first + 0.5 + 0.1 * rng.standard_normal(40)
    other = first[rng.permutation(40)]
    return [
        make_run(tmp_path / "a", "first", first),
        make_run(tmp_path / "b", "better", better, hidden=600),
        make_run(tmp_path / "c", "first", other),
    ]


def test_a_difference_in_every_song_is_found_and_one_that_is_none_is_not(runs):
    first, better, other = comparison.read_runs(runs, "test")
    tests = comparison.paired_tests([first, better, other], "si_sdr")
    assert [test["songs"] for test in tests] == [40] * 3
    assert tests[0]["difference"] == pytest.approx(0.5, abs=0.06)
    assert tests[0]["p"] < 1e-6 and tests[1]["p"] > 0.05


def test_eight_songs_all_better_have_the_exact_p_of_wilcoxon(tmp_path):
    """2 of the 2^8 signs are as extreme."""
    a = make_run(tmp_path / "a", "a", range(8))
    b = make_run(tmp_path / "b", "b", [x + 1 + x / 100 for x in range(8)])
    (test,) = comparison.paired_tests(comparison.read_runs([a, b], "test"), "si_sdr")
    assert test["p"] == test["p_corrected"] == pytest.approx(2 / 2**8)


def test_runs_that_were_evaluated_on_other_audio_are_named(runs, tmp_path, capsys, caplog):
    """Items of the same names at another sample rate, for instance: the mixture tells."""
    assert "other audio" not in run_script(tmp_path, capsys, caplog, runs[:2])
    scores = Path(runs[1]) / "evaluation/test/scores.csv"
    lines = scores.read_text().splitlines()
    changed = [line.replace("0.0,0.0", "0.04,0.0") for line in lines if ",mixture," in line]
    others = [line for line in lines if ",mixture," not in line]
    scores.write_text("\n".join([*others, *changed[:3], *lines[-7::2]]) + "\n")
    said = run_script(tmp_path, capsys, caplog, runs[:2])
    assert "better was evaluated on other audio than first: the mixture of 3 items has" in said
    assert "(i0, vocals: 0.04 dB, not 0.00); with another sample rate, number of channels" in said


def test_p_values_are_corrected_by_holm(runs, monkeypatch):
    values = iter([0.01, 0.04, 0.03])

    class Result:
        def __init__(self):
            self.pvalue = next(values)

    monkeypatch.setattr(comparison, "wilcoxon", lambda difference: Result())
    tests = comparison.paired_tests(comparison.read_runs(runs, "test"), "si_sdr")
    assert [test["p_corrected"] for test in tests] == [0.03, 0.06, 0.06]


def test_items_of_a_song_count_once(tmp_path):
    songs = [0, 0, 0, 1, 1, 2]
    a = make_run(tmp_path / "a", "a", [0] * 6, songs)
    b = make_run(tmp_path / "b", "b", [3, 3, 3, 1, 1, -1], songs)
    (test,) = comparison.paired_tests(comparison.read_runs([a, b], "test"), "si_sdr")
    assert test["songs"] == 3 and test["difference"] == 1.0


def test_equal_runs_have_no_p(tmp_path):
    folders = [make_run(tmp_path / name, name, [1, 2, 3]) for name in "ab"]
    (test,) = comparison.paired_tests(comparison.read_runs(folders, "test"), "si_sdr")
    assert test["p"] is None and test["difference"] == 0


def test_the_frame_has_every_row_and_the_keys_that_differ(runs):
    data = comparison.frame(comparison.read_runs(runs, "test"))
    assert len(data) == 3 * 80 and data["si_sdr"].dtype == float
    assert set(data["run"]) == {f"first ({runs[0]})", "better", f"first ({runs[2]})"}
    assert set(data.loc[data["run"] == "better", "config.model.args.hidden_size"]) == {"600"}
    assert "config.algorithm.class" not in data and "config.info.name" in data


def run_script(tmp_path, capsys, caplog, folders, **more):
    path = tmp_path / "analyze.yml"
    path.write_text(
        yaml.safe_dump(
            {
                "info": {"name": "x", "output_folder": str(tmp_path / "out")},
                "analyze": {"runs": folders, **more},
            }
        )
    )
    try:
        with caplog.at_level("INFO"):
            scripts.common.run(analyze.main, analyze.__doc__, ("analyze",), ["-p", str(path)])
    except SystemExit as leaving:
        return str(leaving.code)
    return capsys.readouterr().out + caplog.text


def test_analyze_writes_tables_tests_and_pictures(runs, tmp_path, capsys, caplog):
    said = run_script(tmp_path, capsys, caplog, [str(tmp_path / "[abc]")])
    assert "better against first" in said and "corrected (Holm)" in said
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {
        "items.csv",
        "tests.csv",
        "si_sdr.csv",
        "si_sdr.md",
        "si_sdr.tex",
        "si_sdr_boxes.png",
        "si_sdr_against_input.png",
        "learning_curves.png",
    }
    text = (tmp_path / "out" / "si_sdr.tex").read_text()
    assert text.startswith("\\begin{tabular}{llrrrrr}\n\\toprule") and r"95 \% interval" in text
    rows = list(csv.DictReader((tmp_path / "out" / "si_sdr.csv").read_text().splitlines()))
    (mine,) = (r for r in rows if (r["run"], r["source"]) == ("better", "vocals"))
    expected = comparison.read_runs([runs[1]], "test")[0].rows
    gains = [row["si_sdr"] for row in expected if row["method"] == "DeepClustering"]
    assert float(mine["improvement_mean"]) == pytest.approx(np.mean(gains))


def test_a_folder_that_matches_a_pattern_is_not_compared_with_itself(
    runs, tmp_path, capsys, caplog
):
    again = str(tmp_path / "a" / ".." / "a")
    run_script(tmp_path, capsys, caplog, [again, str(tmp_path / "[ab]")])
    rows = csv.DictReader((tmp_path / "out" / "si_sdr.csv").read_text().splitlines())
    assert {row["run"] for row in rows} == {"first", "better", "mixture"}


def test_a_score_without_an_improvement_is_compared_by_itself(runs, tmp_path, capsys, caplog):
    for run in runs:
        path = Path(run) / "evaluation" / "test" / "scores.csv"
        text = path.read_text().replace("si_sdr,si_sdr_improvement", "si_sdr,si_sar")
        path.write_text(text)
    said = run_script(tmp_path, capsys, caplog, runs, scores=["si_sar"])
    assert "better against first" in said and "improvement" not in said
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert "si_sar_boxes.png" in names and "si_sar_against_input.png" not in names
    row = (tmp_path / "out" / "si_sar.md").read_text().splitlines()[2]
    assert row.count("|") == 7  # method, source, n, mean, median, interval


def test_the_shipped_file_compares_the_shipped_model(tmp_path, monkeypatch):
    monkeypatch.chdir(PROJECT)
    monkeypatch.setenv("ARTIFACTS_DIRECTORY", str(tmp_path))
    argv = ["-p", "experiments/analyze.yml"]
    with pytest.raises(SystemExit) as leaving:  # nothing else is there to compare with
        scripts.common.run(analyze.main, analyze.__doc__, ("analyze",), argv)
    assert "analyze.runs[1]" in str(leaving.value)
    make_run(tmp_path / "mine", "mine", range(3))
    rows = (PROJECT / "best_model/evaluation/test/scores.csv").read_text()
    (tmp_path / "mine/evaluation/test/scores.csv").write_text(rows)
    scripts.common.run(analyze.main, analyze.__doc__, ("analyze",), argv)
    assert (tmp_path / "comparison" / "si_sdr.md").exists()


def test_items_that_not_every_run_has_are_left_out_and_counted(tmp_path, capsys, caplog):
    folders = [make_run(tmp_path / "a", "a", range(10)), make_run(tmp_path / "b", "b", range(8))]
    said = run_script(tmp_path, capsys, caplog, folders)
    assert "8 items, scored in every run" in said
    assert "left out: 2 items of a that not every run has scored" in said


def test_a_training_run_without_scores_is_named(runs, tmp_path, capsys, caplog):
    checkpoint = tmp_path / "d" / "checkpoints" / "best.model.pth"
    checkpoint.parent.mkdir(parents=True)
    checkpoint.touch()
    said = run_script(tmp_path, capsys, caplog, [str(tmp_path / "[abd]")])
    assert f"{tmp_path / 'd'}: not compared, because it has no scores of test" in said


def test_runs_without_a_common_item_are_named_by_what_they_share(runs, tmp_path):
    read = comparison.read_runs(runs, "test")
    rows = [{**row, "item": f"other {row['item']}"} for row in read[1].rows]
    with pytest.raises(UserError) as caught:
        comparison.shared([read[0], read[1]._replace(rows=rows), read[2]])
    first, *lines = str(caught.value).splitlines()
    assert first.startswith("the runs have no item in common; name those of one line in")
    assert lines == [f"  {tmp_path / 'a'}, {tmp_path / 'c'}", f"  {tmp_path / 'b'}"]


def test_what_is_not_there_is_reported(tmp_path, capsys, caplog):
    folder = make_run(tmp_path / "a", "a", range(5))
    said = run_script(tmp_path, capsys, caplog, [folder, str(tmp_path / "none")])
    assert "analyze.runs[1]: " in said and "run python -m scripts.evaluate first" in said
    said = run_script(tmp_path, capsys, caplog, [folder], scores=["sdr"])
    assert "has no score 'sdr', only si_sdr; add it to evaluate.metrics" in said
    said = run_script(tmp_path, capsys, caplog, [folder], scores=["item"])
    assert "has no score 'item', only si_sdr" in said
    said = run_script(tmp_path, capsys, caplog, [folder], scores=["si_sdr_improvement"])
    assert "si_sdr_improvement is in the table of si_sdr; write si_sdr for it" in said


def test_the_static_mask_is_compared_with_the_runs(tmp_path):
    folder = make_run(tmp_path / "a", "a", range(4))
    path = Path(folder) / "evaluation/test/scores.csv"
    more = "".join(
        f"i{n},s{n},{method},vocals,1.0,1.0\n"
        for n in range(4)
        for method in ("static mask", "ideal ratio mask")
    )
    path.write_text(path.read_text() + more)
    rows, methods = comparison.table_rows(comparison.read_runs([folder], "test"))
    assert methods == ["mixture", "static mask", "a", "ideal ratio mask"]
    assert {row["method"] for row in rows} == {*methods}


def test_the_least_p_that_so_few_songs_allow_is_said(tmp_path, capsys, caplog):
    folders = [make_run(tmp_path / "a", "a", range(5)), make_run(tmp_path / "b", "b", range(1, 6))]
    said = run_script(tmp_path, capsys, caplog, folders)
    # all five better: Wilcoxon's exact p is 2 / 2^5
    assert "p = 0.062 (Wilcoxon)" in said and "with 5 songs no p below 0.062 is possible" in said
    folders = [
        make_run(tmp_path / f"{n}{len(folders)}", n, np.arange(40) + gain)
        for n, gain in (("c", 0), ("d", 1))
    ]
    said = run_script(tmp_path, capsys, caplog, folders)
    assert "is possible" not in said.split("d against c")[1]


@pytest.mark.parametrize(
    ("file", "spoil", "message"),
    [
        ("scores.csv", lambda t: t + "i9,s9\n", "has not as many cells as line 1"),
        ("scores.csv", lambda t: t + "i9,s9,mixture,vocals,x,1\n", "could not convert"),
        ("scores.csv", lambda t: t.replace("source", "sauce"), "has no source"),
        ("scores.csv", lambda t: "", "has no item, song, method, source"),
        ("scores.csv", lambda t: t + "i9,s9,mixture,vocals,1,1,1,1\n", "line 12"),
        ("summary.json", lambda t: "{", "summary.json: damaged"),
        ("summary.json", lambda t: "[1]", "no mapping in it"),
        ("summary.json", lambda t: "[" * 100_000, "summary.json: damaged"),
        ("../../history.csv", lambda t: "a,b\n1,2\n", "history.csv: is damaged .has no epoch"),
        ("../../history.csv", lambda t: t + "4,x,y\n", "history.csv: is damaged .line 5"),
        ("config.yml", lambda t: "[", "holds no evaluation of 'test', or a damaged one"),
        ("config.yml", lambda t: "info: 3", "holds no evaluation of 'test', or a damaged one"),
    ],
)
def test_files_damaged_by_hand_are_one_clear_message(
    tmp_path, capsys, caplog, file, spoil, message
):
    folder = make_run(tmp_path / "a", "a", range(5))
    path = Path(folder) / "evaluation/test" / file
    path.write_text(spoil(path.read_text() if path.exists() else ""))
    said = run_script(tmp_path, capsys, caplog, [folder])
    assert re.search(message, said) and "Traceback" not in said


def test_scores_that_were_cut_at_the_end_of_a_line_are_found_by_their_number(
    runs, tmp_path, capsys, caplog
):
    place = tmp_path / "a" / "evaluation" / "test"
    (place / "summary.json").write_text('{"items": 40}')
    assert "error" not in run_script(tmp_path, capsys, caplog, runs)
    lines = (place / "scores.csv").read_text().splitlines(keepends=True)
    (place / "scores.csv").write_text("".join(lines[:41]))
    said = run_script(tmp_path, capsys, caplog, runs)
    assert "scores.csv: has 20 items, but summary.json beside it says 40; copy both again" in said


def test_scores_that_a_spreadsheet_has_saved_are_read(runs, tmp_path, capsys, caplog):
    path = tmp_path / "a" / "evaluation" / "test" / "scores.csv"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())  # it begins with a byte order mark
    assert "error" not in run_script(tmp_path, capsys, caplog, runs)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"x",
        b"\xff\xfe",
        b"item,song,method,source,si_sdr\ni,s,DeepClustering,vocals,loud\n",
        b"item,method\ni,DeepClustering\n",
        b"item,song,method,source\na,b,DeepClustering,c,1,2,3\n",
        b'"' + b"x" * 200_000,
    ],
)
def test_damaged_scores_are_reported(runs, tmp_path, capsys, caplog, content):
    (tmp_path / "a" / "evaluation" / "test" / "scores.csv").write_bytes(content)
    said = run_script(tmp_path, capsys, caplog, runs)
    assert said.startswith(f"error: {tmp_path / 'a'}") and "evaluate" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("name", ["history.csv", "evaluation/test/summary.json"])
def test_other_damaged_files_of_a_run_are_reported(runs, tmp_path, capsys, caplog, name):
    (tmp_path / "a" / name).write_text("[1,")
    said = run_script(tmp_path, capsys, caplog, runs)
    assert name in said if "json" in name else said
    (tmp_path / "a" / name).write_text("epoch,train_loss\n1,loud\n")
    assert f"{tmp_path / 'a' / name}" in run_script(tmp_path, capsys, caplog, runs)


def test_damaged_parts_of_an_evaluation_are_scored_again(tmp_path):
    def begun():
        return Results(tmp_path, {"checkpoint": None}).begin()

    assert begun() == {}
    whole = {"name": "a", "rows": [{"si_sdr": 1.0}]}
    Results(tmp_path, {"checkpoint": None}).keep(3, whole)
    parts = {
        "00000004.json": '{"name": "b", "ro',
        "00000005.json": "[]",
        "00000006.json": "7",
        "00000007.json": '{"name": "c"}',
        "00000008.json": '{"name": "c", "rows": 3}',
        "00000009.json": '{"name": "c", "rows": [1]}',
        "1x.json": "{}",
    }
    for name, content in parts.items():
        (tmp_path / "unfinished" / name).write_text(content)
    assert begun() == {3: whole}
    for content in ("[", "3", '{"checkpoint": 3}', "null"):
        (tmp_path / "summary.json").write_text(content)
        if "checkpoint" in content:
            with pytest.raises(UserError, match="holds the results of another checkpoint"):
                begun()
        else:
            assert begun() == {3: whole}
    (tmp_path / "unfinished" / "identity.json").write_text("{")
    (tmp_path / "summary.json").unlink()
    assert begun() == {}


def test_special_characters_of_latex_are_escaped():
    text = comparison.latex([("a_b & 5 %", "c"), ("x{y}", "\\~^")], 1)
    assert r"a\_b \& 5 \% & c \\" in text
    assert r"x\{y\} & \textbackslash \textasciitilde \textasciicircum  \\" in text


def test_scores_are_drawn_against_those_of_the_mixture_and_gains_in_the_boxes(monkeypatch):
    about = {"song": "s", "source": "vocals"}
    rows = [
        {
            "item": item,
            **about,
            "method": method,
            "si_sdr": score,
            "si_sdr_improvement": score - mix,
        }
        for item, mix, own in (("i1", -3.0, 5.0), ("i2", 1.0, 0.5))
        for method, score in (("mixture", mix), ("net", own))
    ]
    drawn = {}
    for name in ("against_input", "boxes"):
        monkeypatch.setattr(
            report_comparison, name, lambda values, *_, name=name: drawn.update({name: values})
        )
    run = comparison.Run("a", Path("a"), "net", rows, {}, [], {})
    report_comparison.comparison_files([run], ["si_sdr"])
    assert drawn["against_input"]["a"] == {"vocals": [(-3.0, 5.0), (1.0, 0.5)]}
    assert drawn["boxes"]["a"] == {"vocals": [8.0, -0.5]}
