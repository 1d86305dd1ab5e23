"""What the collector shows Prometheus."""
