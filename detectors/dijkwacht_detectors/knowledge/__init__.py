"""What is known before any traffic is seen: kinds of addresses, domains that carry data by design."""
