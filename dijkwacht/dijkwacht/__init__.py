"""The command: it alone wires agent and collector into one process."""
