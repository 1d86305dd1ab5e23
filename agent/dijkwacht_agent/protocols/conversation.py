"""What one flow says: the base of all conversations."""

from __future__ import annotations

from dijkwacht_agent.flow import Conversation

__all__ = ["Conversation"]
