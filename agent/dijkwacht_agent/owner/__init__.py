"""What only the owner sees: who is behind a pseudonym, opened with the site's key, on this machine."""
