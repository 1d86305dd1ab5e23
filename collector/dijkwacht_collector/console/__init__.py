"""The console: pages for whoever has no Grafana, drawn on the server, live by server-sent events."""

from dijkwacht_collector.console.data import ConsoleData, Fault, SiteView
from dijkwacht_collector.console.feed import Feed
from dijkwacht_collector.console.overview import Overview
from dijkwacht_collector.console.pages import add_console
from dijkwacht_collector.console.refusals import busy
from dijkwacht_collector.console.signer import signer

__all__ = ["ConsoleData", "Fault", "Feed", "Overview", "SiteView", "add_console", "busy", "signer"]
