"""Simulates random rooms by the image-source method with pyroomacoustics."""

import functools

import numpy as np

from errors import UserError

ROOMS = 200  # rooms of a split; they are cached, because computing one is slow
MARGIN = 0.5  # metres between a wall and a speaker or the microphone
BEFORE = 0.002  # seconds that are kept before the direct sound


def import_pyroomacoustics():
    """The module pyroomacoustics, which is optional.

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
def room_responses(seed, count, sample_rate, rt60):
    """The impulse responses of a random room from `count` positions to one microphone.

    The room is a shoebox of 3 to 8 by 3 to 8 by 2.5 to 3.5 metres. Method: Allen and Berkley,
    "Image method for efficiently simulating small-room acoustics", JASA 1979. Library: Scheibler,
    Bezzam and Dokmanic, "Pyroomacoustics", ICASSP 2018.

    Args:
        seed: a tuple of numbers; the same numbers give the same room.
        sample_rate: in Hz.
        rt60: (min, max) reverberation time in seconds, drawn uniformly. A room that is too large
            for the drawn time has the shortest time that is possible.

    Returns:
        [float32 (samples,)], without the delay of the direct sound.
    """
    acoustics = import_pyroomacoustics()
    rng = np.random.default_rng(seed)
    size = rng.uniform([3.0, 3.0, 2.5], [8.0, 8.0, 3.5])
    volume = size.prod()
    surface = 2 * (size[0] * size[1] + size[1] * size[2] + size[0] * size[2])
    # reverberation time by Sabine's formula if the walls absorb nearly all sound
    shortest = 1.05 * 24 * np.log(10) * volume / (surface * 343.0)
    absorption, order = acoustics.inverse_sabine(max(rng.uniform(*rt60), shortest), size)
    room = acoustics.ShoeBox(
        size, fs=sample_rate, materials=acoustics.Material(absorption), max_order=min(order, 25)
    )
    room.add_microphone(rng.uniform(MARGIN, size - MARGIN))
    for _ in range(count):
        room.add_source(rng.uniform(MARGIN, size - MARGIN))
    room.compute_rir()
    responses = []
    for response in room.rir[0]:
        direct = int(np.argmax(np.abs(response)))
        start = max(0, direct - int(BEFORE * sample_rate))
        responses.append(response[start:].astype(np.float32))
    return responses
