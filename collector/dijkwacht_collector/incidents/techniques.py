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
    "T1003": Technique("OS Credential Dumping", "TA0006", "Credential Access"),
    "T1003.002": Technique("Security Account Manager", "TA0006", "Credential Access"),
    "T1003.006": Technique("DCSync", "TA0006", "Credential Access"),
    "T1007": Technique("System Service Discovery", "TA0007", "Discovery"),
    "T1008": Technique("Fallback Channels", "TA0011", "Command and Control"),
    "T1012": Technique("Query Registry", "TA0007", "Discovery"),
    "T1018": Technique("Remote System Discovery", "TA0007", "Discovery"),
    "T1021": Technique("Remote Services", "TA0008", "Lateral Movement"),
    "T1021.001": Technique("Remote Desktop Protocol", "TA0008", "Lateral Movement"),
    "T1021.002": Technique("SMB/Windows Admin Shares", "TA0008", "Lateral Movement"),
    "T1021.003": Technique("Distributed Component Object Model", "TA0008", "Lateral Movement"),
    "T1021.004": Technique("SSH", "TA0008", "Lateral Movement"),
    "T1021.005": Technique("VNC", "TA0008", "Lateral Movement"),
    "T1021.006": Technique("Windows Remote Management", "TA0008", "Lateral Movement"),
    "T1030": Technique("Data Transfer Size Limits", "TA0010", "Exfiltration"),
    "T1040": Technique("Network Sniffing", "TA0006", "Credential Access"),
    "T1041": Technique("Exfiltration Over C2 Channel", "TA0010", "Exfiltration"),
    "T1046": Technique("Network Service Discovery", "TA0007", "Discovery"),
    "T1047": Technique("Windows Management Instrumentation", "TA0002", "Execution"),
    "T1048": Technique("Exfiltration Over Alternative Protocol", "TA0010", "Exfiltration"),
    "T1049": Technique("System Network Connections Discovery", "TA0007", "Discovery"),
    "T1053": Technique("Scheduled Task/Job", "TA0002", "Execution"),
    "T1053.005": Technique("Scheduled Task", "TA0002", "Execution"),
    "T1069": Technique("Permission Groups Discovery", "TA0007", "Discovery"),
    "T1070": Technique("Indicator Removal", "TA0005", "Defense Evasion"),
    "T1070.001": Technique("Clear Windows Event Logs", "TA0005", "Defense Evasion"),
    "T1048.003": Technique(
        "Exfiltration Over Unencrypted Non-C2 Protocol", "TA0010", "Exfiltration"
    ),
    "T1071": Technique("Application Layer Protocol", "TA0011", "Command and Control"),
    "T1071.001": Technique("Web Protocols", "TA0011", "Command and Control"),
    "T1071.004": Technique("DNS", "TA0011", "Command and Control"),
    "T1087": Technique("Account Discovery", "TA0007", "Discovery"),
    "T1095": Technique("Non-Application Layer Protocol", "TA0011", "Command and Control"),
    "T1098": Technique("Account Manipulation", "TA0003", "Persistence"),
    "T1105": Technique("Ingress Tool Transfer", "TA0011", "Command and Control"),
    "T1110": Technique("Brute Force", "TA0006", "Credential Access"),
    "T1110.001": Technique("Password Guessing", "TA0006", "Credential Access"),
    "T1110.003": Technique("Password Spraying", "TA0006", "Credential Access"),
    "T1112": Technique("Modify Registry", "TA0005", "Defense Evasion"),
    "T1133": Technique("External Remote Services", "TA0001", "Initial Access"),
    "T1135": Technique("Network Share Discovery", "TA0007", "Discovery"),
    "T1187": Technique("Forced Authentication", "TA0006", "Credential Access"),
    "T1190": Technique("Exploit Public-Facing Application", "TA0001", "Initial Access"),
    "T1200": Technique("Hardware Additions", "TA0001", "Initial Access"),
    "T1210": Technique("Exploitation of Remote Services", "TA0008", "Lateral Movement"),
    "T1219": Technique("Remote Access Tools", "TA0011", "Command and Control"),
    "T1486": Technique("Data Encrypted for Impact", "TA0040", "Impact"),
    "T1496": Technique("Resource Hijacking", "TA0040", "Impact"),
    "T1498": Technique("Network Denial of Service", "TA0040", "Impact"),
    "T1498.001": Technique("Direct Network Flood", "TA0040", "Impact"),
    "T1498.002": Technique("Reflection Amplification", "TA0040", "Impact"),
    "T1499": Technique("Endpoint Denial of Service", "TA0040", "Impact"),
    "T1499.001": Technique("OS Exhaustion Flood", "TA0040", "Impact"),
    "T1499.002": Technique("Service Exhaustion Flood", "TA0040", "Impact"),
    "T1557": Technique("Adversary-in-the-Middle", "TA0006", "Credential Access"),
    "T1557.001": Technique("LLMNR/NBT-NS Poisoning and SMB Relay", "TA0006", "Credential Access"),
    "T1557.002": Technique("ARP Cache Poisoning", "TA0006", "Credential Access"),
    "T1557.003": Technique("DHCP Spoofing", "TA0006", "Credential Access"),
    "T1558": Technique("Steal or Forge Kerberos Tickets", "TA0006", "Credential Access"),
    "T1558.003": Technique("Kerberoasting", "TA0006", "Credential Access"),
    "T1568": Technique("Dynamic Resolution", "TA0011", "Command and Control"),
    "T1568.002": Technique("Domain Generation Algorithms", "TA0011", "Command and Control"),
    "T1569": Technique("System Services", "TA0002", "Execution"),
    "T1569.002": Technique("Service Execution", "TA0002", "Execution"),
    "T1571": Technique("Non-Standard Port", "TA0011", "Command and Control"),
    "T1572": Technique("Protocol Tunneling", "TA0011", "Command and Control"),
    "T1573": Technique("Encrypted Channel", "TA0011", "Command and Control"),
    "T1573.002": Technique("Asymmetric Cryptography", "TA0011", "Command and Control"),
    "T1590": Technique("Gather Victim Network Information", "TA0043", "Reconnaissance"),
    "T1595": Technique("Active Scanning", "TA0043", "Reconnaissance"),
    "T1595.001": Technique("Scanning IP Blocks", "TA0043", "Reconnaissance"),
}
