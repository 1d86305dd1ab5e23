"""Sites and agents: who they are, and who may ask for what."""

from dijkwacht_collector.sites.agents import GONE
from dijkwacht_collector.sites.choices import (
    MOST_PER_WEEK,
    Choice,
    ChoiceTable,
    ChosenBudget,
    TakenBack,
    check_budget,
)
from dijkwacht_collector.sites.reached import Reached, read_reached, write_reached
from dijkwacht_collector.sites.signing import OrderKey
from dijkwacht_collector.sites.sites import Sites
from dijkwacht_collector.sites.speaker import Speaker

__all__ = [
    "GONE",
    "MOST_PER_WEEK",
    "Choice",
    "ChoiceTable",
    "ChosenBudget",
    "OrderKey",
    "Reached",
    "Sites",
    "Speaker",
    "TakenBack",
    "check_budget",
    "read_reached",
    "write_reached",
]
