"""How rare a score is on a site, and what of its alert budget that may cost."""
