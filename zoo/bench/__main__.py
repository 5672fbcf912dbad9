import sys

from zoo import cli
from zoo.bench.command import main

if __name__ == "__main__":
    sys.exit(cli.run(main))
