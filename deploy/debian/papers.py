"""What the package says of itself: control, changelog, copyright, bill of materials."""

from __future__ import annotations

import datetime as dt
import email.utils
import gzip
import re
import tomllib
import uuid
from collections.abc import Iterable
from itertools import groupby

from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import DisjunctiveLicense
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from wheels import LOCK, PYTHONS, ROOT, Wheel

FORMAT_FILE = ROOT / "agent/dijkwacht_agent/state_format.py"
_DEBIAN = "debian.org"  # in the name of a format; nothing is fetched from there
DESCRIPTION = """\
 Meters one network, as facts: who talked with whom, which names were asked,
 never what was said. Addresses inside become pseudonyms, by a key that stays
 on this machine, before anything leaves for the collector of the lab that
 watches along. Join a site with: dijkwacht-agent join CODE
 .
 It runs without root, with raw capture as its only right, which it gives up
 as soon as it listens.
"""


def own_version() -> str:
    """The project's, as pyproject.toml has it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    version: str = project["version"]
    return version


def state_format() -> str:
    """Which format of the state folder this version writes."""
    [found] = re.findall(r"^FORMAT: Final = (\d+)$", FORMAT_FILE.read_text("utf-8"), re.MULTILINE)
    return str(found)


def control(version: str, machine: str, maintainer: str, kibibytes: int) -> str:
    """The control file."""
    newest = f"3.{int(PYTHONS[-1].split('.')[1]) + 1}"
    return f"""\
Package: dijkwacht-agent
Version: {version}
Architecture: {machine}
Maintainer: {maintainer}
Installed-Size: {kibibytes}
Depends: python3 (>= {PYTHONS[0]}), python3 (<< {newest}~), libc6 (>= 2.28), libgcc-s1, debconf (>= 0.5) | debconf-2.0
Recommends: ca-certificates, unattended-upgrades
Section: net
Priority: optional
Description: watches a small network for a lab, without reading along
{DESCRIPTION}"""


def changelog(version: str, maintainer: str, epoch: int) -> bytes:
    """Debian's, compressed; what changed is told in the project's own."""
    when = email.utils.formatdate(epoch)
    text = f"dijkwacht-agent ({version}) stable; urgency=medium\n\n"
    text += f"  * Release {version}; CHANGELOG.md of the project says what changed.\n\n"
    text += f" -- {maintainer}  {when}\n"
    return gzip.compress(text.encode(), 9, mtime=0)


def copyright_(wheels: Iterable[Wheel]) -> str:
    """Whose work is in it, and under which terms, in full."""
    texts = [
        f"Format: https://www.{_DEBIAN}/doc/packaging-manuals/copyright-format/1.0/\n"
        "Upstream-Name: dijkwacht\n\n"
        "Files: *\nCopyright: the contributors of Dijkwacht\nLicense: EUPL-1.2\n"
        + _folded((ROOT / "LICENCE").read_text("utf-8"))
    ]
    for name, group in groupby(wheels, key=lambda wheel: wheel.name):
        wheel = next(group)
        whole = "\n\n".join(map(_in_short, wheel.licences))
        holders = re.findall(r"^ *(Copyright .*\d{4}.*)$", whole, re.MULTILINE) or [
            f"the authors of {name}"
        ]
        texts.append(
            f"Files: usr/lib/dijkwacht-agent/*/{name}*\n"
            f"Comment: version {wheel.version}, unchanged, from its authors' wheel\n"
            f"Copyright: {'; '.join(dict.fromkeys(each.strip() for each in holders))}\n"
            f"License: {name}-terms\n These are: {wheel.licence}\n .\n{_folded(whole)}"
        )
    return "\n".join(texts)


def _in_short(text: str) -> str:
    """Debian has the Apache licence once for all packages."""
    if "Apache License" in text and "END OF TERMS AND CONDITIONS" in text:
        return "The Apache License, version 2.0: see /usr/share/common-licenses/Apache-2.0"
    return text


def _folded(text: str) -> str:
    return "".join(f" {line.rstrip()}\n" if line.strip() else " .\n" for line in text.splitlines())


def bill_of_materials(version: str, machine: str, wheels: Iterable[Wheel], epoch: int) -> str:
    """CycloneDX 1.6 in JSON: every wheel file that something of is in the package, with its hash."""
    bom = Bom()
    # Two builds of the same are the same: nothing of it is drawn.
    bom.serial_number = uuid.uuid5(
        uuid.NAMESPACE_URL, f"{version} {machine} {LOCK.read_text('utf-8')}"
    )
    when = dt.datetime.fromtimestamp(epoch, dt.UTC)
    whole = Component(
        name="dijkwacht-agent",
        version=version,
        type=ComponentType.APPLICATION,
        bom_ref="dijkwacht-agent",
        licenses=[DisjunctiveLicense(id="EUPL-1.2")],
        purl=PackageURL("deb", "dijkwacht", "dijkwacht-agent", version, {"arch": machine}),
    )
    bom.metadata = BomMetaData(component=whole, timestamp=when)
    parts = []
    for wheel in wheels:
        name = wheel.path.name
        purl = PackageURL("pypi", None, wheel.name, wheel.version, {"file_name": name})
        part = Component(
            name=wheel.name,
            version=wheel.version,
            type=ComponentType.LIBRARY,
            bom_ref=name,
            purl=purl,
            hashes=[HashType(alg=HashAlgorithm.SHA_256, content=wheel.sha256)],
            licenses=[DisjunctiveLicense(name=wheel.licence)],
            properties=[Property(name="dijkwacht:folder", value=wheel.folder)],
        )
        bom.components.add(part)
        parts.append(part)
    bom.register_dependency(whole, parts)
    return JsonV1Dot6(bom).output_as_string(indent=2) + "\n"
