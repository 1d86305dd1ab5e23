"""The lab: scoreboard, recordings, ground truth."""
