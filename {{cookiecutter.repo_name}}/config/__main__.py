"""`python -m config FILE ...` checks experiments. With --show it also prints them, with the files
that they include merged and all defaults. `python -m config --schema` writes the JSON Schema for
editors and the tables of keys in docs/."""

import argparse
import os
import sys

from .errors import ConfigError
from .load import load
from .reader import to_yaml
from .write import write_schema


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m config", description=__doc__)
    parser.add_argument("files", nargs="*", metavar="FILE", help="experiments to check")
    parser.add_argument(
        "--show", action="store_true", help="print them with their includes merged and all defaults"
    )
    parser.add_argument(
        "--schema",
        action="store_true",
        help="write experiments/config.schema.json for editors and the tables of keys in docs/",
    )
    arguments = parser.parse_args()
    if not arguments.files and not arguments.schema:
        parser.error("give the files to check, or --schema")
    if arguments.schema:
        print(*write_schema(), sep="\n")
    wrong = 0
    for file in arguments.files:
        try:
            config = load(file)
        except ConfigError as error:
            wrong += 1
            print(error)
        else:
            if arguments.show:
                print(f"# {file}\n{to_yaml(config.to_dict())}")
            else:
                print(f"{file}: valid according to the schema")
    return 1 if wrong else 0


if __name__ == "__main__":
    try:
        status = main()
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, such as `| head`, has closed the pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 0
    sys.exit(status)
