"""What every script does around its work: one argument, one file, errors in one place."""

import argparse
import logging
import sys

import config
from files import UserError


def run(main, description, needs, argv=None):
    """Parse `-p file.yml`, check the file, call `main(config)`.

    Leaves with 0, or with 1 and one message per mistake on stderr, or with 130 after Ctrl-C. What
    is wrong in the file is told before anything heavy is imported.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("-p", "--path", required=True, metavar="FILE.yml", help="the experiment")
    path = parser.parse_args(argv).path
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stdout)
    logging.getLogger("ignite").setLevel(logging.CRITICAL)  # an error is told once, by us
    for name in ("train", "evaluate", "visualize", "separate"):
        logging.getLogger(name).setLevel(logging.INFO)
    try:
        main(config.load(path, needs=needs))
    except (config.ConfigError, UserError) as error:
        sys.exit(f"error: {error}" if isinstance(error, UserError) else str(error))
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        sys.exit(130)
