"""Texts about a router's flow export, in English and in plain Dutch."""

from __future__ import annotations

from typing import Final

EXPORT_MESSAGES: Final[dict[str, tuple[str, str]]] = {
    "export_arrives": (
        "The router tells of its connections: {records} records so far, from {exporters} device(s).",
        "De router meldt zijn verbindingen: {records} regels tot nu toe, van {exporters} apparaat/apparaten.",
    ),
    "export_none": (
        "Nothing arrives at {endpoint}. On the router, turn on flow export (NetFlow or IPFIX) to this machine and this port; a firewall must let it in. In a quiet network it may take a minute.",
        "Op {endpoint} komt niets binnen. Zet op de router flow export (NetFlow of IPFIX) aan, naar dit apparaat en deze poort; een firewall moet het doorlaten. In een stil netwerk kan het een minuut duren.",
    ),
    "export_unheard": (
        "What arrives comes from addresses that are not listened to ({strangers} times). If one is the router, name it in the setting flow_exporters.",
        "Wat binnenkomt, is van adressen waar niet naar geluisterd wordt ({strangers} keer). Is er een van de router, noem het dan in de instelling flow_exporters.",
    ),
    "export_unreadable": (
        "What arrives at {endpoint} cannot be read ({refused} times): it must be NetFlow 5, NetFlow 9 or IPFIX.",
        "Wat op {endpoint} binnenkomt is niet te lezen ({refused} keer): het moet NetFlow 5, NetFlow 9 of IPFIX zijn.",
    ),
    "export_templates": (
        "{unread} times the router sent records before it had said what is in them; these are lost. It should say so every minute: look for the template time-out or refresh rate on the router.",
        "De router stuurde {unread} keer regels voordat hij had gezegd wat erin staat; die zijn verloren. Dat hoort hij elke minuut te zeggen: zoek op de router naar 'template timeout' of 'refresh rate'.",
    ),
    "export_clock": (
        "The router's clock is {offset:.0f} s off; the time of arrival is used instead. Turn on time synchronisation (NTP) on the router.",
        "De klok van de router scheelt {offset:.0f} s; daarom telt nu de tijd van aankomst. Zet op de router het gelijkzetten van de tijd (NTP) aan.",
    ),
    "export_late": (
        "The router tells of connections {late:.0f} s after they end, later than is waited for ({hold:.0f} s). Set its idle (inactive) time-out to 15 s, or flow_export_hold_s to more.",
        "De router meldt verbindingen pas {late:.0f} s na het einde, later dan er gewacht wordt ({hold:.0f} s). Zet 'inactive timeout' op de router op 15 s, of flow_export_hold_s hoger.",
    ),
    "export_sampled": (
        "The router looks at one packet in {sampling} only: short connections, and so most scans, are not seen. Turn sampling off on the router.",
        "De router bekijkt maar één op de {sampling} pakketjes: korte verbindingen, en dus de meeste scans, worden niet gezien. Zet 'sampling' op de router uit.",
    ),
    "export_lost": (
        "{lost} messages of the router were lost on the way or came too fast.",
        "{lost} berichten van de router zijn onderweg verloren gegaan of kwamen te snel.",
    ),
    "export_fails": (
        "The agent cannot listen to the router: {why}.",
        "De agent kan niet naar de router luisteren: {why}.",
    ),
    "flow_export_library": (
        "flow export needs a library that is not here: pip install 'dijkwacht[flowexport]'",
        "voor flow export ontbreekt een bibliotheek; typ: pip install 'dijkwacht[flowexport]'",
    ),
    "export_port": (
        "{endpoint}: cannot listen there: {why}",
        "{endpoint}: luisteren lukt niet: {why}",
    ),
    "export_port_taken": (
        "{endpoint}: another program listens there already",
        "{endpoint}: daar luistert al een ander programma",
    ),
    "allowed_endpoint": (
        "an address and a port such as 0.0.0.0:2055",
        "een adres en een poort, zoals 0.0.0.0:2055",
    ),
}
