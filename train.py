"""``zoo train``, from a checkout that is not installed: python train.py --config=configs/NAME.py"""

if __name__ == "__main__":  # first of all: what is imported below takes seconds
    from zoo import interrupt

    interrupt.prepare()

import sys

from zoo import cli
from zoo.trainer import main

if __name__ == "__main__":
    sys.exit(cli.run(main))
