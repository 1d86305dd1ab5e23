"""Where incidents go: each sink takes the same events, in order, and may see some of them again."""
