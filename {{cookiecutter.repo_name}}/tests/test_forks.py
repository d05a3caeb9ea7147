"""What the tests start as forks behaves as what they would spawn."""

import signal
import sys

import pytest
from forks import Fork, Spawned, start

KINDS = [Spawned, pytest.param(Fork, marks=pytest.mark.skipif(sys.platform != "linux", reason=""))]


@pytest.mark.parametrize("kind", KINDS)
def test_status_output_and_arguments_are_those_of_a_process_of_its_own(kind, monkeypatch, tmp_path):
    monkeypatch.setattr("forks.Fork", kind)
    monkeypatch.setattr("forks.Spawned", kind)
    done = start("shows_itself", "a b", "ü", "3", MINE="yes")
    output, errors = done.communicate(timeout=60)
    assert output.splitlines() == ["__main__ ['a b', 'ü', '3'] yes True True"]
    assert (errors, done.returncode, done.poll()) == ("to errors\n", 3, 3)
    done.kill()  # which has ended


@pytest.mark.parametrize("kind", KINDS)
def test_a_signal_ends_it_and_only_it(kind, monkeypatch):
    monkeypatch.setattr("forks.Fork", kind)
    monkeypatch.setattr("forks.Spawned", kind)
    one, other = start("shows_itself", "wait"), start("shows_itself", "wait")
    assert one.poll() is None
    one.send_signal(signal.SIGTERM)
    assert one.wait(60) == -signal.SIGTERM
    assert other.poll() is None
    other.kill()
    assert other.wait(60) == -signal.SIGKILL
