"""What detectors remember with: slots of entities, decay, novelty, and forests as flat arrays."""
