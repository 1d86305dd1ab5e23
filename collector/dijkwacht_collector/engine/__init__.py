"""The engine: journal entries in, incident events out, on threads that own partitions."""
