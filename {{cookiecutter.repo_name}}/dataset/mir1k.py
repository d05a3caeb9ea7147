"""MIR-1K: a thousand karaoke clips, with the accompaniment left and the voice right."""

from errors import UserError

from .base import StemDataset
from .folders import audio_files, suggestion
from .tracks import Channel, Track

TRAINING_SINGERS = ("abjones", "amy")


class MIR1K(StemDataset):
    """MIR-1K as it is unpacked; the sources are accompaniment (left) and vocals (right)::

        folder/
          Wavfile/
            abjones_1_01.wav          singer abjones, song 1, clip 01
            ...
          UndividedWavfile/  PitchLabel/  Lyrics/  vocal-nonvocalLabel/  ...

    Publisher: Hsu and Jang 2010, https://sites.google.com/site/unvoicedsoundseparation/mir-1k.
    License: for research; see that page. 16 kHz, 1,000 clips of 110 songs by 19 singers. The usual
    split is by singer: abjones and amy are for training (175 clips), the others for testing (825).
    There is no validation part: name its singers in `val_singers`, equally for all three splits.

    Args:
        folder: the folder with `Wavfile`.
        split: "train", "val" or "test".
        val_singers: the singers of the validation split, who are then in no other split.
        groups: as in every dataset.
    """

    channels = 2
    download = "mir1k/mir1k.yml"
    layout = "Wavfile/<singer>_<song>_<clip>.wav"

    def __init__(
        self,
        folder,
        split,
        sample_rate,
        num_channels,
        stft_params,
        val_singers: list[str] | None = None,
        groups: dict | None = None,
    ):
        self.val_singers = tuple(val_singers or ())
        if not self.val_singers:
            self.published = {"train": 175, "test": 825}
        if split == "val" and not self.val_singers:
            raise UserError(
                "MIR-1K has no validation part; name its singers, val_singers: [bug], in the args "
                "of train, val and test alike"
            )
        super().__init__(folder, split, sample_rate, num_channels, stft_params, groups)

    def recognises(self, folder):
        return (folder / "Wavfile").is_dir()

    def list_tracks(self, folder):
        clips = audio_files(folder / "Wavfile")
        singers = {name.split("_")[0] for name in clips}
        for singer in self.val_singers:
            if clips and singer not in singers:
                raise UserError(
                    f"val_singers: no singer {singer!r}; {suggestion(singer, singers)}"
                    f"there are {', '.join(sorted(singers))}"
                )
        return [
            Track(
                name,
                {"accompaniment": (Channel(path, 0),), "vocals": (Channel(path, 1),)},
                song=name.rpartition("_")[0],
            )
            for name, path in clips.items()
            if self._split_of(name.split("_")[0]) == self.split
        ]

    def _split_of(self, singer):
        if singer in self.val_singers:
            return "val"
        return "train" if singer in TRAINING_SINGERS else "test"
