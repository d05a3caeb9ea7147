"""Creates the project's environment and installs the packages of requirements.lock or poetry.lock.

`make install`, `make poetry` and `make lock` run it. It needs only the standard library, and each
failure is one line that says what to do.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]

# If there is no Poetry on PATH, this one is installed into .venv-poetry. The plugin makes it use
# the package index of pip's configuration, which Poetry does not read.
POETRY = ("poetry==2.5.1", "poetry-plugin-pypi-mirror==0.6.5")
OLDEST_POETRY = (2, 3)  # older versions hash differently, and consider our poetry.lock outdated

NO_NETWORK = re.compile(
    r"NewConnectionError|NameResolutionError|ConnectTimeout|ReadTimeout|Network is unreachable"
    r"|Temporary failure in name resolution|Name or service not known|Connection refused"
    r"|Max retries exceeded|All attempts to connect|dns error|failed to lookup address"
)


def fail(message):
    sys.exit(f"make install: {message}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--into", type=Path, default=Path(".venv"), help="the environment")
    parser.add_argument("--installer", default="pip", help="pip, uv or poetry")
    parser.add_argument("--torch-index", default="", help="one more index, for another torch")
    parser.add_argument("--requirements", type=Path, default=PROJECT / "requirements.lock")
    parser.add_argument("--poetry", nargs=argparse.REMAINDER, help="run Poetry, and nothing else")
    args = parser.parse_args()
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        fail(
            f"{sys.executable} is Python {sys.version.split()[0]}, and 3.11, 3.12 or 3.13 is "
            "needed: name another one (make install PYTHON=/path/to/python)"
        )
    if args.poetry is not None:
        command = [*poetry(args.into), *args.poetry]
        settings = environ(POETRY_VIRTUALENVS_CREATE="false")  # `poetry lock` needs none
        sys.exit(subprocess.run(command, cwd=PROJECT, env=settings).returncode)
    if args.installer not in ("pip", "uv", "poetry"):
        fail(f"INSTALLER={args.installer} is not known: pip, uv or poetry")
    if args.torch_index and args.installer == "poetry":
        fail("Poetry installs the torch of poetry.lock: TORCH_INDEX goes with pip or uv")
    install(args)


def install(args):
    """Creates the environment unless it exists, and installs the packages. The installer's output
    is written to a file."""
    into = args.into.resolve()
    make_environment(into, needs="sys" if args.installer == "uv" else "pip")
    log, requirements = into / "install.log", args.requirements.resolve()
    lock = PROJECT / "poetry.lock" if args.installer == "poetry" else requirements
    print(f"Installing {lock} into {into} by {args.installer}. That takes minutes.")
    print(f"To follow it: tail -f {log}")
    sys.stdout.flush()
    command = {"pip": pip_command, "uv": uv_command, "poetry": poetry_command}[args.installer]
    run(
        command(into, args),
        log,
        f"{args.installer} could not install what {lock.name} lists",
        cwd=lock.parent,  # paths in it are relative to its folder
        env=environ(VIRTUAL_ENV=str(into)),
    )
    make_importable(into)
    print(f"Installed. To use it: source {into}/bin/activate")


def pip_command(into, args):
    command = [str(into / "bin/python"), "-m", "pip", "install", "--progress-bar", "off"]
    command += ["--disable-pip-version-check", "-r", args.requirements.name]
    return command + (["--extra-index-url", args.torch_index] if args.torch_index else [])


def uv_command(into, args):
    uv = shutil.which("uv")
    if not uv:
        fail("there is no uv on PATH: install it (pip install uv), or use pip (make install)")
    command = [uv, "pip", "install", "--python", str(into / "bin/python"), "--compile-bytecode"]
    command += ["-r", args.requirements.name]
    if args.torch_index:
        # by default uv uses only the first index that has a package
        command += ["--extra-index-url", args.torch_index, "--index-strategy", "unsafe-best-match"]
    return command


def poetry_command(into, args):
    return [*poetry(into), "install", "--no-interaction", "--no-ansi", "--compile"]


def make_importable(into):
    """Makes the project importable from any folder in this environment, for `python -m
    scripts.train` and notebooks. If two projects share an environment, the one installed last."""
    ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
    found = subprocess.run([into / "bin/python", "-c", ask], capture_output=True, text=True)
    Path(found.stdout.strip(), "separation-experiments.pth").write_text(f"{PROJECT}\n")


def make_environment(into, needs="pip"):
    """Creates a virtual environment, unless it exists with a supported Python and `needs`."""
    python = into / "bin/python"
    if python.exists():
        check = f"import sys, {needs}; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))"
        if subprocess.run([python, "-c", check], capture_output=True).returncode == 0:
            return
    for variable in ("VIRTUAL_ENV", "CONDA_PREFIX"):  # an active environment is never replaced
        if os.environ.get(variable) and into == Path(os.environ[variable]).resolve():
            fail(
                f"{into} is active, but has no Python 3.11, 3.12 or 3.13 with pip: install them "
                "there (conda install python=3.11 pip), or deactivate it"
            )
    ways = [
        [[sys.executable, "-m", "venv", "--clear", into]],
        [[sys.executable, "-m", "virtualenv", "--quiet", "--clear", into]],
        # Debian's Python without python3-venv has no ensurepip, but may have pip
        [
            [sys.executable, "-m", "venv", "--clear", "--without-pip", into],
            [sys.executable, "-m", "pip", "--python", python, "install", "pip"],
        ],
    ]
    said = []
    for commands in ways:
        for command in commands:
            done = subprocess.run(command, capture_output=True, text=True)
            said += (done.stdout + done.stderr).strip().splitlines()[-1:]
            if done.returncode:
                break
        else:
            return
    shutil.rmtree(into, ignore_errors=True)
    fail(
        f"{sys.executable} cannot make a virtual environment (on Debian and Ubuntu: apt install "
        f"python3-venv). It says: {' / '.join(said)}"
    )


def poetry(into):
    """The command that runs Poetry: the one on PATH, or one that is installed in .venv-poetry."""
    found = shutil.which("poetry")
    if found:
        done = subprocess.run([found, "--version"], capture_output=True, text=True)
        version = re.search(r"version (\d+)\.(\d+)", done.stdout)
        if version and tuple(map(int, version.groups())) >= OLDEST_POETRY:
            return [found]
    into = into.resolve()
    own = (into.parent if into.name == ".venv" else PROJECT) / ".venv-poetry"
    command = [str(own / "bin/python"), "-m", "poetry"]
    stamp = own / ".installed"
    if not stamp.exists() or stamp.read_text() != " ".join(POETRY):
        print(f"There is no Poetry {'.'.join(map(str, OLDEST_POETRY))} or later on PATH.")
        print(f"Installing {POETRY[0]} into {own.name}")
        sys.stdout.flush()
        make_environment(own)
        pip = [str(own / "bin/python"), "-m", "pip", "install", "--disable-pip-version-check"]
        run([*pip, *POETRY], own / "install.log", f"pip could not install {POETRY[0]}")
        stamp.write_text(" ".join(POETRY))
    ask = (
        "from pip._internal.commands import create_command as c;"
        "print(c('install').parser.get_default_values().index_url)"
    )
    index = subprocess.run([command[0], "-c", ask], capture_output=True, text=True, check=True)
    os.environ.setdefault("POETRY_PYPI_MIRROR_URL", index.stdout.strip().rstrip("/") + "/")
    return command


def environ(**changes):
    """The environment variables with `changes`, without those of conda, by which Poetry would
    choose another environment."""
    return {key: value for key, value in os.environ.items() if key[:6] != "CONDA_"} | changes


def run(command, log, trouble, **options):
    """Runs a command with its output in the file `log`; exits with one line if it fails."""
    with log.open("w", encoding="utf-8") as file:
        code = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, **options).returncode
    if code == 0:
        return
    text = log.read_text(encoding="utf-8", errors="replace")
    if NO_NETWORK.search(text):
        fail(f"{trouble}: no package index could be reached; is there a network? (See {log})")
    errors = [line for line in text.splitlines() if "error" in line.lower()] or text.splitlines()
    fail(f"{trouble}: {errors[-1].strip() if errors else f'exit status {code}'} (See {log})")


if __name__ == "__main__":
    main()
