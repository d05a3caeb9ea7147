"""A process that says what it is, and waits or ends with the status of its last argument."""

import os
import sys
import time

if __name__ == "__main__":
    if sys.argv[1:] == ["wait"]:
        time.sleep(600)
    own = os.getsid(0) == os.getpid()
    print(__name__, sys.argv[1:], os.environ["MINE"], own, "shows_itself" in sys.argv[0])
    print("to errors", file=sys.stderr)
    sys.exit(int(sys.argv[-1]))
