"""What the tests share: one folder of rendered snippets, made once a session."""

import pytest


@pytest.fixture(scope="session")
def sample_folder(tmp_path_factory):
    """A folder for `Sample(folder, ...)`: what one test renders, the next finds there."""
    return tmp_path_factory.mktemp("sample")
