"""Names that pass by on the wire: DNS, TLS, DHCP. One module reads one kind of message."""
