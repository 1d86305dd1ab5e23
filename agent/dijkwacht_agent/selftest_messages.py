"""Texts of ``check --selftest``: English, and plain Dutch."""

from __future__ import annotations

from typing import Final

SELFTEST_MESSAGES: Final[dict[str, tuple[str, str]]] = {
    "selftest_agent": (
        "Self-test: this agent saw {seen} of {all} things in a crafted recording: {what}.",
        "Zelftest: deze agent zag {seen} van de {all} dingen in een nagemaakte opname: {what}.",
    ),
    "selftest_collector": (
        "Self-test: the collector saw {seen} of {all} of them, and kept nothing: {what}.",
        "Zelftest: de verzamelaar zag er {seen} van de {all}, en bewaarde niets: {what}.",
    ),
    "selftest_lost": (
        "Not seen: {what}. Are agent and collector of about the same age? Upgrade the older of the two.",
        "Niet gezien: {what}. Zijn agent en verzamelaar ongeveer even nieuw? Werk de oudste van de twee bij.",
    ),
    "selftest_alone": (
        "This agent has not joined a site, so the collector was not asked.",
        "Deze agent hoort nog nergens bij, dus de verzamelaar is niet gevraagd.",
    ),
    "selftest_unanswered": (
        "The collector could not be asked: {why}. If the other lines are well, it is of an earlier version: ask its operator to upgrade it.",
        "De verzamelaar kon niet worden gevraagd: {why}. Kloppen de andere regels, dan is hij van een oudere versie: vraag de beheerder hem bij te werken.",
    ),
    "thing_dns_question": ("a DNS question", "een DNS-vraag"),
    "thing_name_on_the_link": ("a question on the local network", "een vraag op het eigen netwerk"),
    "thing_tls_name": ("the name of a website", "de naam van een website"),
    "thing_dhcp_lease": ("an address given to a device", "een apparaat dat een adres krijgt"),
    "thing_arp_claim": ("a device that says where it is", "een apparaat dat zegt waar het is"),
    "thing_ping": ("a ping", "een ping"),
    "thing_connection": ("a whole connection", "een hele verbinding"),
    "thing_scan": ("a port scan", "een poortscan"),
    "thing_none": ("nothing", "niets"),
    "thing_and": ("{first}, {then}", "{first}; {then}"),
}
