"""The stems that another program has separated, to be scored beside our own."""

from pathlib import Path

import audio
from compat import nussl
from errors import UserError, amount


class NoItem(UserError):
    """The mixture is no item of a dataset, so that there are no stems of it."""

    general = True


class External(nussl.separation.base.SeparationBase):
    """Read the stems of an item from the files of another separator, which has separated the
    dataset's mixtures.

    By default the stems of an item lie in a folder of its name, as most programs write them::

        folder/
          one/  vocals.wav  no_vocals.wav
          two/  vocals.wav  no_vocals.wav

    They have to be of the mixture's rate (`signal.sample_rate`), channels and length: nothing is
    resampled, cut or padded, which would change their scores.

    Args:
        input_audio_signal: the mixture, an item of a dataset.
        folder: where the files are.
        sources: {label of the dataset: what it is called in the names of the files}.
        files: the path of a stem in `folder`, without its ending; <item> and <source> stand for the
            name of the item and for the value in `sources`.

    Raises:
        UserError: with everything that is wrong with the stems of the item: files that are missing,
            longer or shorter than the mixture, of another rate or number of channels, or broken.
    """

    #: the argument that names the sources in their order
    labels_in = "sources"
    #: the argument that names the folder it reads
    files_in = "folder"

    def __init__(
        self, input_audio_signal, folder: str, sources: dict, files: str = "<item>/<source>"
    ):
        self.folder, self.sources, self.files = Path(folder), sources, files
        self.item = input_audio_signal.path_to_input_file
        self.estimates: list = []
        super().__init__(input_audio_signal)

    @property
    def source_labels(self):
        return list(self.sources)

    def run(self):
        if not self.item:
            raise NoItem(
                "External reads what was separated of a dataset's items; it separates no recordings"
            )
        if not self.folder.is_dir():
            raise NoItem(f"{self.folder}: there is no such folder (algorithm.args.folder)")
        self.estimates, problems = [], []
        for name in self.sources.values():
            try:
                self.estimates.append(self._read(self._path(str(name))))
            except UserError as error:
                problems.append(str(error))
        if problems:
            raise UserError("; ".join(problems))
        return self.estimates

    def make_audio_signals(self):
        copy = self.audio_signal.make_copy_with_audio_data
        return [copy(data, verbose=False) for data in self.estimates]

    def _path(self, name):
        """The file of a source, whatever its ending."""
        place = self.folder / self.files.replace("<item>", self.item).replace("<source>", name)
        found = [
            path
            for suffix in audio.SUFFIXES
            if (path := place.with_name(place.name + suffix)).is_file()
        ]
        if len(found) != 1:
            what = f"there are {', '.join(p.name for p in found)}" if found else "is missing"
            raise UserError(f"{place}.wav (or another ending): {what}; one file is expected")
        return found[0]

    def _read(self, path):
        """float32 (channels, samples), like the mixture.

        Raises:
            UserError: with all that is different.
        """
        rate, channels, samples = audio.info(path)
        mix = self.audio_signal
        wanted = mix.audio_data.shape
        different = []
        if rate != mix.sample_rate:
            different.append(f"has {rate} Hz, the mixture {mix.sample_rate}")
        elif samples != wanted[1]:
            more = "longer" if samples > wanted[1] else "shorter"
            different.append(
                f"is {amount(abs(samples - wanted[1]), 'sample')} {more} than the mixture "
                f"({wanted[1]})"
            )
        if channels != wanted[0]:
            different.append(f"has {amount(channels, 'channel')}, the mixture {wanted[0]}")
        if different:
            raise UserError(f"{path}: {' and '.join(different)}")
        return audio.read(path)
