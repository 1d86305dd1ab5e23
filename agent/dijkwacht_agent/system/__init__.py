"""How the agent's own machine is doing: numbers of the whole machine, never a name of what runs on it."""

from dijkwacht_agent.system.sampler import SystemSampler

__all__ = ["SystemSampler"]
