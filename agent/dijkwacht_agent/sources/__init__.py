"""Where frames come from: a live interface, or recordings."""
