"""Make a virtual cable behave like a wire: ``python -m dijkwacht_lab.office.offload INTERFACE``.

Between namespaces the kernel hands over packets of up to 64 KiB with their checksums left for a
card that is not there. A recording should hold what a wire would carry, so these are switched off.
"""

from __future__ import annotations

import array
import fcntl
import socket
import struct
import sys

_SIOCETHTOOL = 0x8946
_OFF = {"checksum": 0x17, "scatter": 0x19, "tso": 0x1F, "gso": 0x24, "gro": 0x2C}
"""ethtool's commands that set one feature, from linux/ethtool.h."""


def switch_off(interface: str) -> None:
    """Switch every offload of ``interface`` off; what a card does not know stays as it is."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        for command in _OFF.values():
            value = array.array("B", struct.pack("II", command, 0))
            request = struct.pack("16sP", interface.encode(), value.buffer_info()[0])
            try:
                fcntl.ioctl(handle, _SIOCETHTOOL, request)
            except OSError as error:
                print(f"{interface}: {error}", file=sys.stderr)  # noqa: T201 - a program of its own


if __name__ == "__main__":
    switch_off(sys.argv[1])
