"""Logs: one JSON object a line on standard error. Never an address, a name or a token in them."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime
from typing import Final

import msgspec
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.log import server_logger

_PLAIN: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """Time, level, part and sentence, then what was given as ``extra``."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "part": record.name.rpartition(".")[2],
            "event": record.getMessage(),
        }
        line |= {key: value for key, value in vars(record).items() if key not in _PLAIN}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line, enc_hook=str).decode()


class NoStrangers(logging.Filter):
    """Of what the web server logs: no client's address, and nothing of what is no HTTP.

    Whoever sends garbage could fill the log with it; the answer says enough.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is logged; it is changed."""
        if record.exc_info and isinstance(record.exc_info[1], HttpProcessingError):
            return False
        record.msg, record.args = str(record.msg).removesuffix(" from %s"), ()
        return True


def log_to_stderr(level: int = logging.INFO) -> None:
    """Send this process's logs to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    server_logger.addFilter(NoStrangers())
    logging.basicConfig(level=level, handlers=[handler], force=True)
