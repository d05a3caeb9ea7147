"""Stems that another program has separated, so that they can be scored like any algorithm's."""

from pathlib import Path

import audio
from compat import nussl
from errors import UserError, WrongArgument, amount


class NoItem(UserError):
    """There are no stems for any mixture: it is no item of a dataset, or the folder is missing."""

    general = True


class External(nussl.separation.base.SeparationBase):
    """Read the stems of an item from files that another program has written for the mixtures of the
    dataset.

    By default the stems of an item are in a folder of its name, as most programs write them::

        folder/
          one/  vocals.wav  no_vocals.wav
          two/  vocals.wav  no_vocals.wav

    They must have the mixture's rate (`signal.sample_rate`), channels and length: resampling,
    cutting or padding them here would change their scores.

    Args:
        input_audio_signal: the mixture, an item of a dataset.
        folder: where the files are.
        sources: {label of the dataset: what it is called in the names of the files}.
        files: the path of a stem in `folder`, without its ending; <item> and <source> stand for the
            name of the item and for the value in `sources`.

    Raises:
        UserError: with all mistakes in the stems of the item: files that are missing or broken,
            longer or shorter than the mixture, or of another rate or number of channels.
    """

    #: the argument that names the sources in their order
    labels_in = "sources"
    #: the argument that names the folder it reads
    files_in = "folder"

    def __init__(
        self, input_audio_signal, folder: str, sources: dict, files: str = "<item>/<source>"
    ):
        self.folder, self.sources, self.files = Path(folder), sources, files
        self._check_names()
        self.item = input_audio_signal.path_to_input_file
        self.estimates: list = []
        super().__init__(input_audio_signal)

    def _check_names(self):
        """Check that each source of each item has a file of its own."""
        missing = [part for part in ("<item>", "<source>") if part not in self.files]
        if missing:
            raise WrongArgument(
                f"algorithm.args.files: {self.files!r} has no {' and no '.join(missing)}, so that "
                "one file would be read for all of them; write both, such as <item>/<source>"
            )
        names = [str(name) for name in self.sources.values()]
        for name in names:
            if names.count(name) > 1:
                labels = [label for label, value in self.sources.items() if str(value) == name]
                raise WrongArgument(
                    f"algorithm.args.sources: {name!r} is the file of {' and of '.join(labels)}; "
                    "name one for each"
                )

    @property
    def source_labels(self):
        return list(self.sources)

    def run(self):
        if not self.item:
            raise NoItem(
                "External reads stems of the items of a dataset; it cannot separate recordings"
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
        stem = self.folder / self.files.replace("<item>", self.item).replace("<source>", name)
        paths = [stem.with_name(stem.name + suffix) for suffix in audio.SUFFIXES]
        files = [path for path in paths if path.is_file()]
        if len(files) != 1:
            what = f"there are {', '.join(p.name for p in files)}" if files else "is missing"
            raise UserError(f"{stem}.wav (or another ending): {what}; one file is expected")
        return files[0]

    def _read(self, path):
        """float32 (channels, samples), like the mixture.

        Raises:
            UserError: with all that is different.
        """
        rate, channels, samples = audio.info(path)
        mix = self.audio_signal
        mix_channels, mix_samples = mix.audio_data.shape
        different = []
        if rate != mix.sample_rate:
            different.append(f"has {rate} Hz, the mixture {mix.sample_rate}")
        elif samples != mix_samples:
            more = "longer" if samples > mix_samples else "shorter"
            count = amount(abs(samples - mix_samples), "sample")
            different.append(f"is {count} {more} than the mixture ({mix_samples})")
        if channels != mix_channels:
            different.append(f"has {amount(channels, 'channel')}, the mixture {mix_channels}")
        if different:
            raise UserError(f"{path}: {' and '.join(different)}")
        return audio.read(path)
