"""The light agent: captures, meters, hides who is who, keeps a spool, sends."""
