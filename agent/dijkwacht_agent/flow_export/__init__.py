"""What a router tells of its flows (NetFlow v5 and v9, IPFIX) → rows of ``flows``."""
