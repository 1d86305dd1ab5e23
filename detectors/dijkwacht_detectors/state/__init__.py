"""What detectors remember with: slots of entities, decay, novelty, and a mixture as flat arrays."""
