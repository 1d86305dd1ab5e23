"""What an agent says of itself beside a batch, while it lasts: words of a closed set, in a header."""

from __future__ import annotations

from typing import Final

TROUBLE_HEADER: Final = "Dijkwacht-Trouble"
"""Header of ``POST /v1/batches``; its words are separated by commas. Absent where nothing is wrong."""
DISK_FULL: Final = "disk-full"
"""There is no room for what waits: what cannot be sent at once is lost."""
TROUBLES: Final = (DISK_FULL,)
"""All words; whoever reads the header passes over any other."""
