"""The command line that all scripts share: one argument, one file, errors reported in one place."""

import argparse
import importlib
import logging
import os
import sys
from pathlib import Path

import caches
import config
import memory
import pool
import runs
from errors import UserError
from files import PROJECT
from scripts import STOPPED

OWN = Path(__file__)


def run(main, description, needs, argv=None):
    """Parse `-p file.yml`, check the file, and call `main(config)` in the project's folder.

    Mistakes in the file are reported before anything heavy is imported. If the reader of standard
    output ends (`| head`), the script goes on.

    Exit status: 0; 1 with one message per mistake on stderr; 130 after Ctrl-C; 75 if SIGTERM ended
    a training run that can be resumed.

    Args:
        main: function(config), what the script does.
        description: text for `--help`.
        needs: dotted keys of the sections that the file must have.
        argv: the arguments; None: those of the command line.
    """
    memory.keep_freed_memory()
    caches.set_cache_folders()
    pool.stop_at_end_of_input()
    command = f"python -m scripts.{Path(sys.argv[0]).stem}"
    parser = argparse.ArgumentParser(prog=command, description=description)
    parser.add_argument(
        "-p",
        "--path",
        required=True,
        metavar="FILE.yml",
        help="YAML file of the experiment, or folder of a training run",
    )
    path = _in_project(parser.parse_args(argv).path)
    if hasattr(sys.stdout, "reconfigure"):  # file names need not be valid UTF-8
        sys.stdout.reconfigure(errors="backslashreplace")
    terminal = _Terminal(sys.stdout)
    terminal.setFormatter(_Labelled())
    logging.basicConfig(level=logging.WARNING, handlers=[terminal])
    logging.getLogger("ignite").setLevel(logging.CRITICAL)  # errors are reported once, here
    scripts = ("train", "evaluate", "visualize", "separate", "export", "analyze")
    for name in (*scripts, "pipeline", "sweep", "dataset"):
        logging.getLogger(name).setLevel(logging.INFO)
    try:
        _report_errors(main, path, needs)
        system_exit = None
    except SystemExit as error:
        system_exit = error
    terminal.flush()
    if "distributed" in sys.modules:  # otherwise there is only this process
        sys.modules["distributed"].hard_exit(system_exit)
    if system_exit:
        raise system_exit


class _Terminal(logging.StreamHandler):
    """Standard output, discarded once its reader has ended (`| head`)."""

    def flush(self):
        try:
            super().flush()
        except BrokenPipeError:
            self._discard()

    def handleError(self, record):
        if isinstance(sys.exception(), BrokenPipeError):  # in a write that is not buffered
            self._discard()
        else:
            super().handleError(record)

    def _discard(self):
        os.dup2(os.open(os.devnull, os.O_WRONLY), self.stream.fileno())


class _Labelled(logging.Formatter):
    """The message alone, and "warning: " before warnings."""

    def format(self, record):
        text = super().format(record)
        return f"warning: {text}" if record.levelno == logging.WARNING else text


def names():
    """The names of all scripts, including those that a user has added."""
    return sorted(path.stem for path in Path(__file__).parent.glob("[a-z]*.py") if path != OWN)


def needs_of(script):
    """The sections that the file of a script must have."""
    return getattr(importlib.import_module(f"scripts.{script}"), "NEEDS", ())


def check_all(configs, sweep=None):
    """Check the classes and arguments in several files, in a process of its own, so that the memory
    of torch is freed afterwards.

    Args:
        configs: of the files. sweep: the config of the sweep whose trials they are, if any.

    Raises:
        ConfigError: with all mistakes in the first file that has some, or in the sweep's goal.
    """
    with pool.process_pool(1) as executor:
        executor.submit(_check, configs, sweep).result()


def _check(configs, sweep):
    with memory.gc_paused():
        import experiment

    for one in configs:
        experiment.check(one)
    if sweep is not None:
        experiment.check_goal(sweep, configs)


def _in_project(path):
    """The path of a file in the current folder or else in the project's folder. The latter becomes
    the current folder: relative paths in the file are relative to the project."""
    path = Path(path)
    if Path.cwd() != PROJECT:
        in_current = path.absolute()
        if in_current.exists() or not (PROJECT / path).exists():
            path = in_current
        os.chdir(PROJECT)
    return path


def _loaded(path, needs):
    """The config in a file. A folder stands for its config.yml; if it is that of a training run
    that was moved or copied, `info.output_folder` is where the folder is now."""
    is_folder = path.is_dir()
    given = config.load(path / "config.yml" if is_folder else path, needs=needs)
    relocated = runs.relocated(given)
    if relocated is given:
        return given
    advice = "the run in this folder is used" if is_folder else "-p {0} uses the run in {0}"
    logging.warning(
        "%s names another folder as info.output_folder, %s; %s",
        given.path,
        given.info.output_folder,
        advice.format(given.path.parent),
    )
    return relocated if is_folder else given


def _report_errors(main, path, needs):
    try:
        main(_loaded(path, needs))
    except config.ConfigError as error:
        sys.exit(str(error))
    except UserError as error:
        if error.status == 1:
            sys.exit(f"error: {error}")
        print(error, file=sys.stderr)
        sys.exit(error.status)
    except KeyboardInterrupt:
        print(STOPPED, file=sys.stderr)
        sys.exit(130)
    except (MemoryError, RuntimeError) as error:
        if not memory.is_out_of_memory(error):
            raise
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        sys.exit(
            f"error: out of memory ({reason[:200]}); a training run needs less with a lower "
            "train.batch_size, a higher train.accumulate or a smaller model (python -m "
            "scripts.dry_run says what a step takes), an evaluation with fewer num_workers"
        )
