"""Sites and agents: who they are, and who may ask for what."""

from dijkwacht_collector.sites.agents import GONE
from dijkwacht_collector.sites.signing import OrderKey
from dijkwacht_collector.sites.sites import Sites
from dijkwacht_collector.sites.speaker import Speaker

__all__ = ["GONE", "OrderKey", "Sites", "Speaker"]
