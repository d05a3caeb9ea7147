"""Lossy coding of audio in memory: encodes and decodes MP3."""

import io

import numpy as np
import soundfile

from errors import UserError

from .mp3 import RATES

# {version in a frame's header: (lowest, highest) kbit/s} of MPEG-1, MPEG-2 and MPEG-2.5
KILOBITS = {3: (32, 320), 2: (8, 160), 0: (8, 64)}
LOWEST_RATE = 0.9999  # the compression level of the lowest bit rate: LAME refuses 1
DELAY = 1105  # samples: LAME's and the decoder's delay if the file does not state it


def mp3_kilobits(sample_rate):
    """(lowest, highest) bit rate of MP3, in kbit/s, at a sample rate.

    Raises:
        UserError: MP3 does not have this sample rate.
    """
    for version, rates in RATES.items():
        if sample_rate in rates:
            return KILOBITS[version]
    known = ", ".join(str(rate) for rate in sorted(sum(RATES.values(), ())))
    raise UserError(f"MP3 has no sample rate of {sample_rate} Hz; it has {known}")


def mp3_round_trip(sound, sample_rate, kilobits):
    """Encode audio as MP3 (LAME, constant bit rate) and decode it again.

    The coding delay is removed, and the level that fits the input best is restored.

    Args:
        sound: float32 (channels, samples); more than two channels are coded one by one.
        sample_rate: in Hz.
        kilobits: bit rate in kbit/s; the encoder uses the nearest one that MP3 has.

    Returns:
        float32 (channels, samples), of the same shape.

    Raises:
        UserError: MP3 does not have this sample rate; libsndfile is older than 1.1.
    """
    least, most = mp3_kilobits(sample_rate)
    if "MP3" not in soundfile.available_formats():
        raise UserError(
            f"libsndfile {soundfile.__libsndfile_version__} writes no MP3; version 1.1 does, which "
            "the wheels of the package soundfile contain"
        )
    if len(sound) > 2:
        coded = [mp3_round_trip(channel[None], sample_rate, kilobits) for channel in sound]
        return np.concatenate(coded)
    # libsndfile maps the level 0 to the highest bit rate, and 1 to the lowest
    level = float(np.clip((most - kilobits) / (most - least), 0, LOWEST_RATE))
    file = io.BytesIO()
    options = {"bitrate_mode": "CONSTANT", "compression_level": level}
    soundfile.write(file, sound.T, sample_rate, format="MP3", **options)
    file.seek(0)
    coded = soundfile.read(file, dtype="float32", always_2d=True)[0].T
    length = sound.shape[1]
    delay = DELAY if coded.shape[1] > length else 0
    coded = coded[:, delay:][:, :length]
    coded = np.pad(coded, ((0, 0), (0, length - coded.shape[1])))
    # LAME attenuates most sounds by 0.45 dB
    power = float(np.square(coded, dtype=np.float64).sum())
    gain = float(np.vdot(coded.astype(np.float64), sound)) / power if power > 0 else 1.0
    return coded * np.float32(gain)
