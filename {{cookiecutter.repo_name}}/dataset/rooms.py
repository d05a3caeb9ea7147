"""Room responses by the image-source method, drawn and kept: pyroomacoustics."""

import functools

import numpy as np

from errors import UserError

ROOMS = 200  # different ones of a split; to compute one takes longer than to read an excerpt
MARGIN = 0.5  # metres between a wall and a speaker or the microphone
BEFORE = 0.002  # seconds kept before the direct sound


def library():
    """pyroomacoustics.

    Raises:
        UserError: it is not installed.
    """
    try:
        import pyroomacoustics
    except ImportError as error:
        raise UserError(
            "reverberant: rooms need pyroomacoustics, which is not installed "
            f"({error}); pip install pyroomacoustics, or write reverberant: 0"
        ) from error
    return pyroomacoustics


@functools.lru_cache(maxsize=ROOMS)
def responses(seed, count, sample_rate, rt60):
    """The responses of a room from `count` places to one microphone.

    A shoebox of 3 to 8 by 3 to 8 by 2.5 to 3.5 metres. Allen and Berkley, "Image method for
    efficiently simulating small-room acoustics", JASA 1979; the library: Scheibler, Bezzam and
    Dokmanic, "Pyroomacoustics", ICASSP 2018.

    Args:
        seed: a tuple of numbers: the same one is the same room.
        rt60: (min, max) reverberation time in seconds, drawn uniformly; a room that is too large
            for so short a time gets the shortest that it can have.

    Returns:
        [float32 (samples,)]: each begins with the direct sound, whose delay is left out.
    """
    acoustics = library()
    rng = np.random.default_rng(seed)
    size = rng.uniform([3.0, 3.0, 2.5], [8.0, 8.0, 3.5])
    volume = size.prod()
    surface = 2 * (size[0] * size[1] + size[1] * size[2] + size[0] * size[2])
    # Sabine's time with walls that absorb nearly all
    shortest = 1.05 * 24 * np.log(10) * volume / (surface * 343.0)
    absorption, order = acoustics.inverse_sabine(max(rng.uniform(*rt60), shortest), size)
    room = acoustics.ShoeBox(
        size, fs=sample_rate, materials=acoustics.Material(absorption), max_order=min(order, 25)
    )
    room.add_microphone(rng.uniform(MARGIN, size - MARGIN))
    for _ in range(count):
        room.add_source(rng.uniform(MARGIN, size - MARGIN))
    room.compute_rir()
    made = []
    for response in room.rir[0]:
        direct = int(np.argmax(np.abs(response)))
        made.append(response[max(0, direct - int(BEFORE * sample_rate)) :].astype(np.float32))
    return made
