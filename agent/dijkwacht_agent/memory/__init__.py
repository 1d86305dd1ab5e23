"""What the meter keeps of the last minutes to tell one flow by others. Bounded, and nothing of it leaves."""
