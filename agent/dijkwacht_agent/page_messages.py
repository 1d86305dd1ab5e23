"""Texts of the owner's page and its PIN: English, and plain Dutch."""

from __future__ import annotations

from typing import Final

PAGE_MESSAGES: Final[dict[str, tuple[str, str]]] = {
    "pin_asked": ("A new PIN (six digits or more): ", "Een nieuwe pincode (zes cijfers of meer): "),
    "pin_again": ("The same once more: ", "Nog een keer dezelfde: "),
    "pin_differs": ("the two are not the same", "de twee zijn niet gelijk"),
    "pin_short": (
        "a PIN has {least} digits or letters at least, and not all the same",
        "een pincode heeft minstens {least} cijfers of letters, en niet steeds dezelfde",
    ),
    "pin_set": (
        "The PIN is set. The page: dijkwacht-agent page",
        "De pincode is ingesteld. De pagina: dijkwacht-agent page",
    ),
    "pin_none": (
        "there is no PIN yet: dijkwacht-agent pin",
        "er is nog geen pincode: dijkwacht-agent pin",
    ),
    "page_runs": (
        "The page is at {url} (Ctrl-C ends it)",
        "De pagina staat op {url} (Ctrl-C stopt hem)",
    ),
    "page_certificate": (
        "Your browser will warn once that it does not know this machine. Compare what it shows: SHA-256 {print}",
        "Uw browser waarschuwt een keer dat hij deze computer niet kent. Vergelijk wat hij laat zien: SHA-256 {print}",
    ),
    "page_listen": (
        "'{text}' is no address to listen on; expected one of this machine, such as 127.0.0.1:8471 or 192.168.1.5:8471",
        "'{text}' is geen adres om op te luisteren; verwacht: een van deze computer, zoals 127.0.0.1:8471 of 192.168.1.5:8471",
    ),
    "page_everywhere": (
        "'{text}' would show the page on every network; name one address of this machine",
        "'{text}' zou de pagina op elk netwerk tonen; noem één adres van deze computer",
    ),
    "page_taken": (
        "{text}: this cannot be listened on: {why}",
        "{text}: hierop kan niet worden geluisterd: {why}",
    ),
    "page_no_certificate": (
        "no certificate could be made: {why}",
        "er kon geen certificaat worden gemaakt: {why}",
    ),
    # On the page itself.
    "page_title": ("Who is it?", "Wie is het?"),
    "page_pin": ("PIN", "Pincode"),
    "page_enter": ("Open", "Openen"),
    "page_leave": ("Lock", "Vergrendelen"),
    "page_wrong": ("That PIN is not right.", "Die pincode klopt niet."),
    "page_locked": (
        "Too many wrong PINs. Try again in {seconds} s.",
        "Te vaak een verkeerde pincode. Probeer het over {seconds} s nog eens.",
    ),
    "page_intro": (
        "What leaves this network has pseudonyms (~) instead of your devices. They are opened here, on your own machine, and nowhere else.",
        "Wat dit netwerk verlaat heeft schuilnamen (~) in plaats van uw apparaten. Hier, op uw eigen computer, gaan ze open, en nergens anders.",
    ),
    "page_ask": (
        "Paste a pseudonym, or the whole message",
        "Plak een schuilnaam, of het hele bericht",
    ),
    "page_who": ("Who is it?", "Wie is dit?"),
    "page_nobody": ("There is no pseudonym in this.", "Hier staat geen schuilnaam in."),
    "page_devices": ("Your devices", "Uw apparaten"),
    "page_no_devices": (
        "This agent has not met a device yet.",
        "Deze agent is nog geen apparaat tegengekomen.",
    ),
    "page_device": ("Device", "Apparaat"),
    "page_address": ("Address", "Adres"),
    "page_mac": ("Hardware address", "Hardware-adres"),
    "page_maker": ("Maker", "Fabrikant"),
    "page_chance": (
        "not known (the device uses a random address)",
        "onbekend (het apparaat gebruikt een toevallig adres)",
    ),
    "page_seen": ("Last seen", "Laatst gezien"),
    "page_outside": ("Outside it is called", "Buiten heet het"),
    "page_call": ("You call it", "U noemt het"),
    "page_save": ("Keep", "Bewaren"),
    "page_more": ("and {count} more", "en nog {count}"),
    "page_or": ("or", "of"),
    "page_sure": (
        "If the pseudonym is of another site, this means nothing: the key of this site opens only its own.",
        "Is de schuilnaam van een andere locatie, dan zegt dit niets: deze sleutel opent alleen die van deze locatie.",
    ),
    "page_private": (
        "The names that you give stay on this machine. What is opened is noted; to read it: sudo dijkwacht-agent who --log",
        "De namen die u geeft blijven op deze computer. Wat er wordt geopend, wordt genoteerd; nalezen: sudo dijkwacht-agent who --log",
    ),
}
