"""What an owner reads when he opens pseudonyms, and about the key that does it: English, and plain Dutch."""

from __future__ import annotations

from typing import Final

OWNER_MESSAGES: Final[dict[str, tuple[str, str]]] = {
    "who_no_key": (
        "there is no key in {path}: this agent has not joined, or its key is lost (dijkwacht-agent key restore FILE)",
        "er is geen sleutel in {path}: deze agent hoort nog nergens bij, of de sleutel is weg (dijkwacht-agent key restore BESTAND)",
    ),
    "who_no_pseudonym": (
        "'{text}' is no pseudonym; one begins with ~, as in ~192.168.23.254",
        "'{text}' is geen schuilnaam; die begint met ~, zoals ~192.168.23.254",
    ),
    "who_real": (
        "{text} is no pseudonym but a real address, outside the site",
        "{text} is geen schuilnaam maar een echt adres, buiten de locatie",
    ),
    "who_prefix": (
        "{text}: this agent has hidden no address like it; if it is of this site, ask on the agent that saw it",
        "{text}: zo'n adres heeft deze agent niet verborgen; als het van deze locatie is, vraag het bij de agent die het zag",
    ),
    "who_forgotten": (
        "{text}: this agent does not remember it; if it is of this site, it was too long ago, or another agent of the site saw it",
        "{text}: deze agent weet het niet meer; als het van deze locatie is, was het te lang geleden, of zag een andere agent van de locatie het",
    ),
    "who_none_given": (
        "which pseudonym? for example: dijkwacht-agent who ~192.168.23.254",
        "welke schuilnaam? bijvoorbeeld: dijkwacht-agent who ~192.168.23.254",
    ),
    "who_is": ("{pseudonym} is {real}", "achter {pseudonym} zit {real}"),
    "who_or": (
        "  or it is {others}: the key leaves that open",
        "  of het is {others}: de sleutel laat dat open",
    ),
    "who_called": ("  you call it: {text}", "  u noemt het: {text}"),
    "who_name": ("  calls itself: {text}", "  noemt zichzelf: {text}"),
    "who_mac": ("  hardware address: {text}", "  hardware-adres: {text}"),
    "who_maker": ("  maker: {text}", "  fabrikant: {text}"),
    "who_chance": (
        "  maker: not known (the device draws its hardware address by chance, as telephones do)",
        "  fabrikant: onbekend (het apparaat loot zijn hardware-adres, zoals telefoons doen)",
    ),
    "who_addresses": ("  addresses lately: {text}", "  adressen de laatste tijd: {text}"),
    "who_seen": ("  last seen: {text}", "  laatst gezien: {text}"),
    "who_never": (
        "  this agent has not met the device itself: if the pseudonym is of this site, the address is right",
        "  deze agent is het apparaat zelf niet tegengekomen: als de schuilnaam van deze locatie is, klopt het adres",
    ),
    "who_nothing": (
        "there is no pseudonym in this text",
        "in deze tekst staat geen schuilnaam",
    ),
    "who_unlogged": (
        "that this was opened could not be written down: {why}",
        "dat dit is opgezocht kon niet worden opgeschreven: {why}",
    ),
    "who_log_empty": ("Nothing was opened yet.", "Er is nog niets opgezocht."),
    "who_log_line": (
        "{time}  user {uid}, {way}: {what}",
        "{time}  gebruiker {uid}, {way}: {what}",
    ),
    "way_who": ("by command", "met het commando"),
    "way_sentence": ("in a text", "in een tekst"),
    "way_page": ("on the page, from {client}", "op de pagina, vanaf {client}"),
    "way_list": ("the list on the page, from {client}", "de lijst op de pagina, vanaf {client}"),
    # The key.
    "key_saved": (
        "A sealed copy of the key is in {path}. Write these eight words down, and keep them elsewhere than the file:",
        "Een verzegelde kopie van de sleutel staat in {path}. Schrijf deze acht woorden op, en bewaar ze ergens anders dan het bestand:",
    ),
    "key_saved_why": (
        "With the file and the words (dijkwacht-agent key restore {path}) the key can be put back; nobody can with one of the two. The words are not shown again.",
        "Met het bestand en de woorden (dijkwacht-agent key restore {path}) is de sleutel terug te zetten; met één van de twee kan niemand dat. De woorden worden niet nog eens getoond.",
    ),
    "key_same_disk": (
        "This copy is on this computer's own disk, and goes with it. Should it be on a stick? Then the stick is not ready yet: mount it, and save to another name.",
        "Deze kopie staat op de schijf van deze computer zelf, en gaat met hem stuk. Moest ze op een stick? Dan staat die nog niet klaar: doe dat (mount), en bewaar onder een andere naam.",
    ),
    "key_restored": (
        "The key of site {site} is back. Restart the agent: until then it uses the one it has.",
        "De sleutel van locatie {site} is terug. Start de agent opnieuw: tot dan gebruikt hij de sleutel die hij heeft.",
    ),
    "key_restored_former": (
        "The key that was there is kept in {path}.",
        "De sleutel die er stond is bewaard in {path}.",
    ),
    "key_there": (
        "{path} is there already; name another file",
        "{path} bestaat al; noem een ander bestand",
    ),
    "key_no_folder": (
        "there is no folder {path}; is the stick in, and named so?",
        "de map {path} is er niet; zit de stick erin, en heet hij zo?",
    ),
    "key_unreadable": (
        "{path} holds no copy of a key",
        "{path} is geen kopie van een sleutel",
    ),
    "key_other_site": (
        "{path} is the key of another site than {site}",
        "{path} is de sleutel van een andere locatie dan {site}",
    ),
    "key_wrong_words": (
        "these words do not open {path}",
        "deze woorden openen {path} niet",
    ),
    "key_same": (
        "this agent has this key already",
        "deze agent heeft deze sleutel al",
    ),
    "key_words_asked": (
        "The eight words: ",
        "De acht woorden: ",
    ),
    "key_without_copy": (
        "There is no copy of the key that opens your pseudonyms; if this machine breaks, nobody can tell any more who was meant. Make one: dijkwacht-agent key save FILE",
        "Er is geen kopie van de sleutel die uw schuilnamen opent; gaat dit apparaat stuk, dan weet niemand meer wie er bedoeld werd. Maak er een: dijkwacht-agent key save BESTAND",
    ),
}
