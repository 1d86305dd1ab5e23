"""Servers that do not belong on the link, by real tools: told within a minute.

The one that answers for names is a small program of ours: Responder, which people use for it, is not packaged.
"""

import subprocess
import sys

import pytest

TOLD_S = 60.0
NAMES = ("wpad", "oldserver", "printsrv", "intranet", "fileserver", "scanner", "backup")

MULTICAST = """
import socket, struct, sys
GROUP, PORT = "224.0.0.252", 5355
own = socket.inet_aton(sys.argv[1])
"""
ASK = (
    MULTICAST
    + """
for name in sys.argv[2:]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asks:
        asks.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, own)
        asks.settimeout(0.3)
        label = name.encode()
        for qtype in (1, 28):
            head = struct.pack(">HHHHHH", 7, 0, 1, 0, 0, 0)
            asks.sendto(head + bytes([len(label)]) + label + struct.pack(">BHH", 0, qtype, 1), (GROUP, PORT))
            try:
                asks.recv(512)
                print(name, flush=True)
            except TimeoutError:
                pass
"""
)
ANSWER = (
    MULTICAST
    + """
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as tells:
    tells.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    tells.bind(("", PORT))
    tells.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(GROUP) + own)
    print("ready", flush=True)
    while True:
        asked, who = tells.recvfrom(512)
        head = asked[:2] + struct.pack(">HHHHH", 0x8000, 1, 1, 0, 0)
        tells.sendto(head + asked[12:] + struct.pack(">HHHIH", 0xC00C, 1, 1, 30, 4) + own, who)
"""
)


@pytest.mark.live("dnsmasq", "dhclient")
@pytest.mark.timeout(400)
def test_a_second_dhcp_server_is_told_on_a_site_s_first_day(link):
    for name in ("router", "rogue"):
        link.machine(name)
    link.machine("desk")
    serve(link, "router", 100)
    for client in range(6):
        ask_for_an_address(link, client)
    serve(link, "rogue", 200)
    for client in (0, 6, 1, 7):
        ask_for_an_address(link, client)
    incident = link.told("T1557.003", TOLD_S)
    assert incident["finding_info"]["types"] == ["dhcp"]


def serve(link, where, first):
    words = ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--port=0", "--interface=eth0",
             "--no-ping", "--dhcp-authoritative", "--user=root", f"--dhcp-range=10.77.6.{first},10.77.6.{first + 40},1h",
             f"--dhcp-leasefile={link.folder / where}.leases", f"--pid-file={link.folder / where}.pid",
             "--log-facility=-"]  # fmt: skip
    server = link.spaces.start(where, words, subprocess.DEVNULL, subprocess.PIPE)
    for line in server.stderr:
        if b"DHCP, IP range" in line:
            return
    pytest.fail(f"dnsmasq in {where} did not start")


def ask_for_an_address(link, client):
    link.spaces.ip("desk", "link", "set", "eth0", "address", f"02:77:06:00:00:{client:02x}")
    lease = link.folder / f"client-{client}"
    lease.unlink(missing_ok=True)
    link.spaces.run(
        "desk",
        ["dhclient", "-1", "-sf", "/bin/true", "-lf", str(lease), "-pf", f"{lease}.pid", "eth0"],
    )
    assert "fixed-address" in lease.read_text()


@pytest.mark.live("ip")
@pytest.mark.timeout(400)
def test_who_answers_for_all_names_is_told(link):
    asker, liar = link.machine("asker"), link.machine("liar")
    ask = [sys.executable, "-c", ASK, asker, *NAMES]
    for _ in range(2):
        assert link.spaces.run("asker", ask) == "", "nobody has these names"
    poison = link.spaces.start("liar", [sys.executable, "-c", ANSWER, liar], subprocess.PIPE)
    assert poison.stdout.readline() == b"ready\n"
    assert set(link.spaces.run("asker", ask).split()) == set(NAMES)
    incident = link.told("T1557.001", TOLD_S)
    assert incident["finding_info"]["types"] == ["dns"]
