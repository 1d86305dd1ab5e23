"""What the settings about notices may hold, as patterns: nothing in them can become another header."""

from typing import Final

_MAIL: Final = r"[^\s@,;:<>()\"\\]+@[^\s@,;:<>()\"\\]+"

WEB_ADDRESS: Final = r"^https?://[^/?#@\s]+([/?][^#\s]*)?$"
MAIL_ADDRESSES: Final = rf"^{_MAIL}( *, *{_MAIL})*$"
MAIL_SERVER: Final = (
    r"^([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:([0-9]{1,4}|[1-5][0-9]{4}|6[0-4][0-9]{3}))?$"
)
