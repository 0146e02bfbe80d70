"""``python -m socket_gateway``"""

import sys

from socket_gateway.boot import boot

if __name__ == "__main__":
    sys.exit(boot())
