"""The console's words for the closed sets of the contract: severities, classes, states.

Message ids are English; `gettext` catalogues give the rest. ``N_`` only marks a text for them.
"""

from __future__ import annotations

from typing import Final, Literal

from dijkwacht_collector.console.data import Fault
from dijkwacht_collector.incidents import Status

AgentState = Literal["up", "late", "offline", "waited", "revoked", "removed"]
Given = Literal["", "normal", "attack"]
"""What is answered at present."""


def N_(text: str) -> str:  # noqa: N802  # gettext's own name for it, known to every extractor
    """Mark ``text`` for translation and leave it as it is."""
    return text


SEVERITY: Final = {
    2: N_("Low"),
    3: N_("Medium"),
    4: N_("High"),
    5: N_("Critical"),
}

SEVERITY_STYLE: Final = {2: "low", 3: "medium", 4: "high", 5: "critical"}

KIND: Final = {
    "scan": N_("Scan"),
    "bruteforce": N_("Password guessing"),
    "c2": N_("Remote control"),
    "dns": N_("Misuse of DNS"),
    "dos": N_("Flood"),
    "exfil": N_("Data leaving"),
    "iot": N_("Device taken over"),
    "arp": N_("False identity"),
    "dhcp": N_("False address server"),
    "lateral": N_("Spreading inside"),
    "host": N_("Machine in trouble"),
    "new-device": N_("New device"),
    "policy": N_("Against the rules"),
    "other": N_("Unusual"),
}

AGENT_STATE: Final[dict[AgentState, str]] = {
    "up": N_("Up"),
    "late": N_("Late"),
    "offline": N_("Offline"),
    "waited": N_("Not started yet"),
    "revoked": N_("No access any more"),
    "removed": N_("Removed"),
}

TROUBLE: Final[dict[Fault, str]] = {
    "disk full": N_(
        "The collector's disk is full: it takes in nothing new and sees nothing. Agents keep what they"
        " have; make room and they will send it."
    ),
    "too many open files": N_(
        "The collector has too many files open: it takes in nothing new. Agents keep what they have"
        " until that is over."
    ),
    "failed": N_(
        "The collector's disk has failed: it takes in nothing new and is about to stop. Agents keep what"
        " they have until it runs again."
    ),
    "not judged": N_(
        "The collector has stopped judging: what comes in is kept, but nobody is called for it. Start it"
        " again; its log says what stopped it."
    ),
}

STATE_OF: Final[dict[str, AgentState]] = {
    "never_heard": "waited",
    "revoked": "revoked",
    "removed": "removed",
}
"""How an agent stands that nobody waits for → its state."""

STATUS: Final = {
    "new": N_("Open"),
    "closed": N_("Over"),
    "normal": N_("Answered: this is normal"),
    "confirmed": N_("Answered: this was an attack"),
}

GIVEN: Final[dict[Status, Given]] = {
    "new": "",
    "closed": "",
    "normal": "normal",
    "confirmed": "attack",
}

TOGETHER: Final = N_(
    "By itself each of these would be too little to call you; together they are not."
)
"""Why a story called of which no finding was rare enough."""
TOGETHER_TOO: Final = N_(
    "By itself this was too little to call you; with what else stood out it was not."
)
"""Why it called so once, and once for a finding that was rare enough."""

ERROR: Final = {
    401: N_("You have to sign in"),
    403: N_("This is not allowed"),
    404: N_("There is no such page"),
    405: N_("This is not allowed"),
    421: N_("The console does not answer to this name"),
    503: N_("Too busy at the moment"),
}
"""Titles of error pages, by HTTP status."""
ERROR_OF_ANY_OTHER_STATUS: Final = N_("This cannot be done")
NO_SUCH_INCIDENT: Final = N_("There is no such incident")
NO_SUCH_STORY: Final = N_("There is no such story")
NO_SUCH_SITE: Final = N_("There is no such site")

METRIC: Final = {
    "cpu_ratio": N_("Processor"),
    "memory_used_ratio": N_("Memory"),
    "swap_used_ratio": N_("Swap memory"),
    "disk_used_ratio": N_("Disk space in use"),
    "load_ratio": N_("Load"),
    "processes_total": N_("Number of programs"),
    "file_handles_total": N_("Number of open files"),
    "disk_read_bytes": N_("Reading from disk"),
    "disk_write_bytes": N_("Writing to disk"),
    "net_in_bytes": N_("Traffic in"),
    "net_out_bytes": N_("Traffic out"),
}
"""The agent's names for what it measures of its own machine (``system.py`` there)."""

FACT: Final = {
    "about": N_("kind of question"),
    "absent_before": N_("was not there before"),
    "accounts": N_("accounts"),
    "addresses": N_("addresses requested"),
    "addresses_claimed": N_("addresses claimed"),
    "after_s": N_("seconds after it asked for its own address"),
    "alike": N_("similarity"),
    "alike_names": N_("names of like length and ending"),
    "an_hour": N_("refusals per hour"),
    "anonymous": N_("SMB without an account"),
    "answered_as_well": N_("requests that the known server answered too"),
    "answered_before": N_("requests without it before"),
    "answers": N_("unsolicited responses"),
    "asked_bytes": N_("bytes of the request"),
    "asked_itself": N_("asked for its own address"),
    "asleep": N_("while nobody was at work"),
    "at_once": N_("share of connections made at once"),
    "attempts": N_("unanswered attempts"),
    "broken": N_("weight of the sessions broken off"),
    "by_account": N_("share at ports for accounts"),
    "by_bot": N_("to a bot of a messenger"),
    "by_ftp": N_("by FTP"),
    "by_shape": N_("told by how long sessions last"),
    "bytes": N_("bytes"),
    "bytes_each": N_("bytes per connection"),
    "calls": N_("connections"),
    "came_true": N_("a generated name exists"),
    "came_in": N_("the one called had just come in"),
    "celsius": N_("degrees Celsius"),
    "changed_hands": N_("changes of MAC address"),
    "clients_taken": N_("clients of the known server taken over"),
    "copies": N_("copies of the directory"),
    "dark_addresses": N_("addresses that no device has"),
    "dark_hours": N_("hours since the first of them"),
    "cpu_share": N_("share of the processors in use"),
    "days": N_("earlier days"),
    "days_watched": N_("days watched"),
    "destinations": N_("servers called without a name"),
    "disk": N_("disk, times the usual spread"),
    "distance": N_("distance from the usual"),
    "drivers": N_("printer drivers loaded"),
    "empty": N_("connections without data"),
    "evidence": N_("weight of the evidence"),
    "exchanges": N_("short exchanges"),
    "failed_share": N_("failed share"),
    "failed_targets": N_("refused or unanswered ports"),
    "fetched_before": N_("fetches from there before"),
    "fetched_kb": N_("kilobytes fetched"),
    "files": N_("files rewritten"),
    "folders": N_("use of system folders"),
    "forced": N_("logins elsewhere forced"),
    "forged": N_("in another's name"),
    "from_outside": N_("from the internet"),
    "guesses": N_("login attempts"),
    "habit_mb": N_("MB sent usually"),
    "heard_again": N_("the owner was heard afterwards"),
    "hellos": N_("encrypted connections"),
    "host_domains": N_("domains of hosts asked there"),
    "host_share": N_("share at one host"),
    "hours": N_("hours with connections"),
    "hours_tried": N_("hours since the first attempt"),
    "inside": N_("inside the network"),
    "interval_s": N_("interval in seconds"),
    "known_before": N_("the server was known already"),
    "known_days": N_("days since the name was first seen"),
    "led": N_("reached from another machine just before"),
    "length": N_("name length"),
    "let_in": N_("logins accepted afterwards"),
    "let_in_before": N_("logins accepted before"),
    "line": N_("weight of the line that opened after"),
    "line_port": N_("port of that line"),
    "machines": N_("machines logged in at"),
    "mail_servers": N_("mail servers called"),
    "memory": N_("memory, times the usual spread"),
    "messages": N_("messages"),
    "methods": N_("remote commands"),
    "memory_share": N_("share of the memory in use"),
    "minutes": N_("minutes"),
    "misplaced": N_("connections in the clear at port 443"),
    "missing_domains": N_("domains that do not exist (NXDOMAIN)"),
    "name_askers": N_("machines that ask below the domain"),
    "nameless": N_("no server name"),
    "names": N_("names"),
    "names_answered": N_("names answered for"),
    "network": N_("network, times the usual spread"),
    "new_clients": N_("new clients"),
    "new_hours": N_("hours with calls to new networks"),
    "new_maker": N_("maker new to the site"),
    "new_options": N_("DHCP options new to the site"),
    "nobodys_names": N_("names that nobody answered for before"),
    "objects": N_("programs run by remote control"),
    "odd_names": N_("unusual names"),
    "odd_port": N_("unusual port"),
    "odd_questions": N_("weight of the odd questions"),
    "oddness": N_("oddness"),
    "one_source": N_("responses from one source"),
    "other_sources": N_("flows from other sources"),
    "own_resolvers": N_("servers asked past the resolvers"),
    "outranks": N_("ranks above the others"),
    "packets_per_s": N_("packets per second"),
    "per_minute": N_("attempts per minute"),
    "pings": N_("pings"),
    "plain": N_("not encrypted"),
    "poll": N_("likeness to polling"),
    "pool_pages": N_("questions for a mining pool's website"),
    "pool_servers": N_("questions for a mining pool's servers"),
    "port_share": N_("share at one port"),
    "posted": N_("posts without an answer"),
    "proxy_asked": N_("answered for the web proxy (WPAD)"),
    "processor": N_("processor, times the usual spread"),
    "programs": N_("running programs, times the usual spread"),
    "questions": N_("questions about the network"),
    "random_names": N_("weight of the generated names"),
    "reads": N_("reads"),
    "refused": N_("refused"),
    "renames_deletes": N_("files renamed or deleted"),
    "reports": N_("results reported"),
    "resolver_users": N_("machines that ask this server"),
    "rule": N_("number of the rule"),
    "rules": N_("rules broken this week"),
    "resolvers_given": N_("announced DNS servers"),
    "router_alive": N_("a known router is at work"),
    "said": N_("bytes said to each"),
    "secrets": N_("stored passwords read"),
    "self_signed": N_("certificate vouches for itself"),
    "senders": N_("spoofed sources"),
    "sent": N_("weight of the data pushed in"),
    "sent_mb": N_("MB sent"),
    "sent_share": N_("share that was sent"),
    "servers": N_("servers tried"),
    "serves": N_("machines that it serves"),
    "service": N_("kind of login"),
    "services": N_("programs started remotely"),
    "settings": N_("settings changed"),
    "silent": N_("weight of the unanswered connections"),
    "since_days": N_("days since it was first seen"),
    "since_visit_s": N_("seconds since somebody came in"),
    "site_days": N_("days since the site was first seen"),
    "sizes": N_("different sizes"),
    "spoken": N_("connections with data and no answer"),
    "spread": N_("spread of the interval"),
    "surprise": N_("bits per pair of letters"),
    "sweeps_before": N_("sweeps before"),
    "tasks": N_("tasks planned"),
    "tickets": N_("login tickets requested"),
    "times_asked": N_("times it asked for its own address"),
    "times_spread": N_("times the usual spread"),
    "tool_share": N_("share that looks written by a tool"),
    "traces": N_("logs erased"),
    "trust": N_("attempts to pass for a computer of the network"),
    "unanswered": N_("no answer"),
    "unanswered_flows": N_("unanswered flows"),
    "unasked": N_("unsolicited messages"),
    "unlike": N_("altered replies"),
    "unnamed": N_("not looked up by name"),
    "uses": N_("times seen since it was last reported"),
    "usual": N_("usual value"),
    "usual_celsius": N_("degrees Celsius usually"),
    "usual_cpu_share": N_("share of the processors in use usually"),
    "usual_memory_share": N_("share of the memory in use usually"),
    "value": N_("value now"),
    "weight_of_names": N_("weight of the data in names"),
    "work": N_("pieces of work handed out"),
    "writes": N_("writes"),
}
"""What the shipped detectors' facts are called; a fact of another detector keeps its own name."""
