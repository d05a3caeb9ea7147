"""A fixture for tests of algorithms: any script, on the built-in sample, with any of them."""

import pytest
from trainings import write

import scripts.common
from algorithms import ALGORITHMS, SeparationBase
from scripts import evaluate, separate, visualize

SCRIPTS = {"evaluate": evaluate, "visualize": visualize, "separate": separate}


class Halves(SeparationBase):
    """Each source is half of the mixture: no masks, no embedding."""

    def run(self):
        return []

    def make_audio_signals(self):
        data = self.audio_signal.audio_data
        return [
            self.audio_signal.make_copy_with_audio_data(0.5 * data, verbose=False) for _ in range(2)
        ]


class Backwards(Halves):
    """The same, its sources in an order that it states: the first louder."""

    source_labels = ["vocals", "accompaniment"]

    def make_audio_signals(self):
        first, second = super().make_audio_signals()
        first.audio_data, second.audio_data = first.audio_data * 1.5, second.audio_data * 0.5
        return [first, second]


@pytest.fixture
def run_algorithm(tmp_path, sample_folder, monkeypatch, caplog, capsys):
    """run_algorithm(script, class, ...) -> (exit status, what was printed), on the test split."""
    for one in (Halves, Backwards):
        monkeypatch.setitem(ALGORITHMS, one.__name__, one)

    def call(script, algorithm, args=None, path="out", **sections):
        args_of_data = {"folder": str(sample_folder), "split": "test", "num_songs": 1}
        plain = {
            "info": {"name": algorithm, "output_folder": str(tmp_path / path)},
            "datasets": {"test": {"class": "Sample", "args": args_of_data}},
            "algorithm": {"class": algorithm, "args": args or {}},
            script: {},
        }
        file = write(tmp_path / f"{script}.yml", {**plain, **sections})
        try:
            with caplog.at_level("INFO"):
                scripts.common.run(SCRIPTS[script].main, "", (script,), ["-p", str(file)])
            status = 0
        except SystemExit as leaving:
            status = leaving.code
        return status, capsys.readouterr().out + caplog.text

    return call
