"""Ogg files that follow each other, and damaged ones: every reader goes by what decodes."""

import io

import numpy as np
import pytest
import soundfile
from audio_files import ogg, pieces, save
from mp3_surgery import RATE, song

import audio
from errors import UserError


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_ogg_files_that_follow_each_other_are_one(tmp_path, subtype):
    rate = 48000 if subtype == "OPUS" else RATE
    contents = [ogg(song(2.0, seed), rate, subtype) for seed in (0, 1)]
    path = save(tmp_path, b"".join(contents), "a.ogg")
    parts = [soundfile.read(io.BytesIO(content), dtype="float32")[0].T for content in contents]
    assert np.array_equal(audio.read(path), np.hstack(parts))
    assert np.array_equal(pieces(path)[0], np.hstack(parts))
    assert audio.info(path)[2] == sum(part.shape[1] for part in parts)


def test_a_tag_behind_the_end_of_an_ogg_file_is_no_damage(tmp_path):
    path = save(tmp_path, ogg(song(2.0)) + b"TAG" + bytes(125), "a.ogg")
    assert audio.info(path) == (RATE, 2, 2 * RATE)
    path.write_bytes(ogg(song(2.0)) + ogg(song(2.0)[::2], RATE // 2))
    with pytest.raises(UserError, match="a.ogg: changes its rate or channels"):
        audio.info(path)


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
@pytest.mark.parametrize("damage", ["cut", "a byte", "a hole"])
def test_an_ogg_file_is_separated_up_to_its_damage(tmp_path, subtype, damage):
    content = ogg(rate=48000 if subtype == "OPUS" else RATE, subtype=subtype)
    known = soundfile.read(io.BytesIO(content), dtype="float32")[0].T
    half = len(content) // 2
    wrong = {
        "cut": content[:half],
        "a byte": content[:half] + bytes([content[half] ^ 1]) + content[half + 1 :],
        "a hole": content[:half] + content[half + 7000 :],
    }[damage]
    path = save(tmp_path, wrong, "a.ogg")
    with pytest.raises(UserError, match=r"(cut short|damaged) at byte .* decodes to .*copy it"):
        audio.read(path)
    sound, flaw = pieces(path)
    assert 0.2 < sound.shape[1] / known.shape[1] < 0.8
    same = sound.shape[1] - 2000
    assert np.array_equal(sound[:, :same], known[:, :same])
