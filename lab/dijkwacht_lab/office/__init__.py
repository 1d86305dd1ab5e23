"""A small office in Linux network namespaces, attacked with real tools, recorded on the wire.

``python -m dijkwacht_lab.office --plan demo --to FOLDER`` builds the office of a plan, lets its
people work, runs the plan's attacks at their moments, and writes ``traffic.pcap`` beside
``truth.json``, whose times are the driver's clock and not the packets'. It needs root, iproute2,
tcpdump and the attack tools of Debian. Everything stays inside namespaces that the run makes and
deletes, which have no link to the machine's own network; addresses are private or set aside for
documentation, and a target outside the plan's own networks is refused before any tool starts.

    switch (bridge, tcpdump) ── client … client, server, printer, gateway ── internet
"""
