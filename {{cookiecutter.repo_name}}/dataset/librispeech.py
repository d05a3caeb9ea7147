"""LibriSpeech: a thousand hours of audiobooks, mixed as they are read."""

from typing import Literal

from errors import UserError, amount, raise_all

from .folders import describe_contents, folders, suggestion
from .speaker_folder import SpeakerFolder
from .tracks import log

PARTS = {"train": ["train-clean-100"], "val": ["dev-clean"], "test": ["test-clean"]}
PUBLISHED = (
    "train-clean-100",
    "train-clean-360",
    "train-other-500",
    "dev-clean",
    "dev-other",
    "test-clean",
    "test-other",
)


class LibriSpeech(SpeakerFolder):
    """LibriSpeech as it is unpacked, with mixtures made as they are read (see `SpeakerFolder`)::

        folder/                       LibriSpeech/
          SPEAKERS.TXT                the part of each speaker
          train-clean-100/            251 speakers, 100 hours
            103/                      speaker
              1240/                   chapter
                103-1240-0000.flac
                103-1240.trans.txt
          dev-clean/                  40 speakers
          test-clean/                 40 speakers

    Publisher: Panayotov, Chen, Povey, Khudanpur 2015, https://www.openslr.org/12. License: CC BY
    4.0. 16 kHz mono FLAC. No speaker is in two parts.

    Args:
        folder: the folder with SPEAKERS.TXT.
        split: "train", "val" or "test".
        parts: the folders of this split; None: train-clean-100, dev-clean or test-clean.
        num_speakers: this and the following arguments are as in `SpeakerFolder`.
    """

    download = "librispeech/clean.yml"
    layout = "SPEAKERS.TXT and train-clean-100/, dev-clean/, test-clean/ with <speaker>/<chapter>/"

    def __init__(
        self,
        folder,
        split,
        sample_rate,
        num_channels,
        stft_params,
        parts: list[str] | None = None,
        num_speakers: int = 2,
        num_mixtures: int | None = None,
        seconds: float | None = None,
        mode: Literal["min", "max"] = "min",
        level_db: list[float] | None = None,
        speed: list[float] | None = None,
        reverberant: float = 0.0,
        rt60: list[float] | None = None,
        unreadable: Literal["error", "skip"] = "error",
        seed: int = 0,
    ):
        self.parts = PARTS.get(split, []) if parts is None else parts
        raise_all(
            f"parts: there is no {part!r} in LibriSpeech; {suggestion(part, PUBLISHED)}it has "
            f"{', '.join(PUBLISHED)}"
            for part in self.parts
            if part not in PUBLISHED
        )
        super().__init__(
            folder,
            split,
            sample_rate,
            num_channels,
            stft_params,
            num_speakers=num_speakers,
            num_mixtures=num_mixtures,
            seconds=seconds,
            mode=mode,
            level_db=level_db,
            speed=speed,
            reverberant=reverberant,
            rt60=rt60,
            unreadable=unreadable,
            seed=seed,
        )

    def recognises(self, folder):
        return (folder / "SPEAKERS.TXT").is_file()

    def speakers_of(self, folder):
        if not self.recognises(folder):
            return {}
        part_of = _part_of_each_speaker(folder / "SPEAKERS.TXT")
        found = {}
        for part in self.parts:
            if not (folder / part).is_dir():
                raise UserError(
                    f"{folder}: has no {part}, which the {self.split} split reads; found "
                    f"{describe_contents(folder)}; unpack it there, or name other `parts`"
                )
            names = [place.name for place in folders(folder / part)]
            raise_all(
                f"{folder / part / name}: by SPEAKERS.TXT speaker {name} is in "
                f"{part_of.get(name, 'no part')}; move the folder there"
                for name in names
                if part_of.get(name) != part
            )
            num_listed = list(part_of.values()).count(part)
            if len(names) != num_listed:
                log.warning(
                    "%s: %s; SPEAKERS.TXT lists %d",
                    folder / part,
                    amount(len(names), "speaker"),
                    num_listed,
                )
            found |= self._by_speaker(folder / part)
        return {self.split: found}


def _part_of_each_speaker(path):
    """{speaker: part} from SPEAKERS.TXT, with lines such as
    `14 | F | train-clean-360 | 25.03 | Kristin LeMoine`."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    rows = [[cell.strip() for cell in line.split("|")] for line in lines if line[:1] != ";"]
    part_of = {row[0]: row[2] for row in rows if len(row) >= 3}
    if not part_of:
        raise UserError(
            f"{path}: lists no speakers; expected lines such as '14 | F | train-clean-360 | 25.03 "
            "| Kristin LeMoine'; get it again from https://www.openslr.org/12"
        )
    return part_of
