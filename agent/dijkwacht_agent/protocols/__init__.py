"""What passes by on the wire and may be read: one module reads one protocol."""
