"""Sites and agents: who they are, and who may ask for what."""
