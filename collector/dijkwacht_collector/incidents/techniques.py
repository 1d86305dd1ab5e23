"""ATT&CK techniques that detectors name, with the tactic each serves."""

from __future__ import annotations

from typing import Final, NamedTuple

VERSION: Final = "18.1"


class Technique(NamedTuple):
    """A technique's name and one tactic, (uid, name), in which it is seen on a network."""

    name: str
    tactic_uid: str
    tactic: str


TECHNIQUES: Final[dict[str, Technique]] = {
    "T1008": Technique("Fallback Channels", "TA0011", "Command and Control"),
    "T1018": Technique("Remote System Discovery", "TA0007", "Discovery"),
    "T1021": Technique("Remote Services", "TA0008", "Lateral Movement"),
    "T1021.002": Technique("SMB/Windows Admin Shares", "TA0008", "Lateral Movement"),
    "T1030": Technique("Data Transfer Size Limits", "TA0010", "Exfiltration"),
    "T1040": Technique("Network Sniffing", "TA0006", "Credential Access"),
    "T1041": Technique("Exfiltration Over C2 Channel", "TA0010", "Exfiltration"),
    "T1046": Technique("Network Service Discovery", "TA0007", "Discovery"),
    "T1048": Technique("Exfiltration Over Alternative Protocol", "TA0010", "Exfiltration"),
    "T1071": Technique("Application Layer Protocol", "TA0011", "Command and Control"),
    "T1071.001": Technique("Web Protocols", "TA0011", "Command and Control"),
    "T1071.004": Technique("DNS", "TA0011", "Command and Control"),
    "T1095": Technique("Non-Application Layer Protocol", "TA0011", "Command and Control"),
    "T1110": Technique("Brute Force", "TA0006", "Credential Access"),
    "T1110.001": Technique("Password Guessing", "TA0006", "Credential Access"),
    "T1110.003": Technique("Password Spraying", "TA0006", "Credential Access"),
    "T1200": Technique("Hardware Additions", "TA0001", "Initial Access"),
    "T1210": Technique("Exploitation of Remote Services", "TA0008", "Lateral Movement"),
    "T1486": Technique("Data Encrypted for Impact", "TA0040", "Impact"),
    "T1496": Technique("Resource Hijacking", "TA0040", "Impact"),
    "T1498": Technique("Network Denial of Service", "TA0040", "Impact"),
    "T1498.001": Technique("Direct Network Flood", "TA0040", "Impact"),
    "T1498.002": Technique("Reflection Amplification", "TA0040", "Impact"),
    "T1499": Technique("Endpoint Denial of Service", "TA0040", "Impact"),
    "T1499.001": Technique("OS Exhaustion Flood", "TA0040", "Impact"),
    "T1499.002": Technique("Service Exhaustion Flood", "TA0040", "Impact"),
    "T1557": Technique("Adversary-in-the-Middle", "TA0006", "Credential Access"),
    "T1557.002": Technique("ARP Cache Poisoning", "TA0006", "Credential Access"),
    "T1557.003": Technique("DHCP Spoofing", "TA0006", "Credential Access"),
    "T1568": Technique("Dynamic Resolution", "TA0011", "Command and Control"),
    "T1571": Technique("Non-Standard Port", "TA0011", "Command and Control"),
    "T1572": Technique("Protocol Tunneling", "TA0011", "Command and Control"),
    "T1573": Technique("Encrypted Channel", "TA0011", "Command and Control"),
    "T1573.002": Technique("Asymmetric Cryptography", "TA0011", "Command and Control"),
    "T1590": Technique("Gather Victim Network Information", "TA0043", "Reconnaissance"),
    "T1595": Technique("Active Scanning", "TA0043", "Reconnaissance"),
    "T1595.001": Technique("Scanning IP Blocks", "TA0043", "Reconnaissance"),
}
