"""Backups, copies and synchronisation: to the NAS, to a cloud, to somebody's house."""

from __future__ import annotations

from typing import Final

from dijkwacht_lab.traffic.facts import Shown, Talk, calls, files, session, tree
from dijkwacht_lab.traffic.habit import between, switched_on, usually
from dijkwacht_lab.traffic.habits.premises import Pace, Premises
from dijkwacht_lab.traffic.programs import BACKUP, CLOUD, TELEPHONES
from dijkwacht_lab.traffic.site import DAY, HOUR, MINUTE, SECOND, Device
from dijkwacht_records.rpc_interfaces import RpcInterface
from dijkwacht_records.vocabulary import AuthMethod, ShareKind

_MB: Final = 1_000_000
_SRVSVC: Final = RpcInterface.SRVSVC


def night_backup(here: Premises) -> None:
    """PCs write their files to the office's server at night, each under its name once it is whole.

    What is read is what is compared; some programs compare next to nothing, and all say so by name or date.
    """
    dice, server = here.dice, here.server()
    share = dice.choice((ShareKind.OTHER, ShareKind.HIDDEN))
    parts = dice.count(5, 40)
    compares = dice.wide(0.0005, 0.2)
    settles = dice.wide(0.001, 1)  # files that are renamed, or whose old one goes
    for pc in here.pcs():
        volume = int(dice.wide(50, 40_000) * _MB)

        def save(at: int, pc: Device = pc, volume: int = volume) -> None:
            lasts = int(dice.wide(2, 180) * MINUTE)
            count = dice.count(10, 60_000)
            changes = int(count * settles) // 2
            told = [*session(9_000, AuthMethod.NTLM, pc.name), tree(20_000, share)]
            told += [  # counted with the part in which they happen
                files(lasts * number // (parts + 1), share, creates=5 * count // parts,
                      reads=(int(5 * count * compares) // parts + 1, int(volume * compares) // parts),
                      writes=(5 * count // parts, volume // parts),
                      changes=(5 * changes // parts, 5 * changes // parts))
                for number in range(1, parts + 1)
            ]  # fmt: skip
            here.call(
                at, pc, server, 445, (volume, volume // 40), lasts, Shown(counted=tuple(told))
            )

        here.every(save, DAY, 0.02, usually)


def drives_read(here: Premises) -> None:
    """A backup server reads every PC through its administrative drives, and lists what is there."""
    dice, server = here.dice, here.server()
    pcs = here.pcs()

    def collect(at: int) -> None:
        for pc in pcs:
            if dice.chance(0.2):
                here.silence(at, server, pc.address, 445)
                continue
            volume, lasts = int(dice.wide(5, 9_000) * _MB), int(dice.wide(1, 40) * MINUTE)
            count = volume // 60_000 + 4
            told = [*session(9_000, AuthMethod.KERBEROS, ""), tree(20_000, ShareKind.ADMIN),
                    tree(30_000, ShareKind.DRIVE, count=dice.count(1, 4)),
                    *calls(60_000, _SRVSVC, 15, 21),
                    files(lasts // 2, ShareKind.DRIVE, creates=count, reads=(count, volume), writes=(4, 9_000))]  # fmt: skip
            here.call(
                at, server, pc, 445, (volume // 50, volume), lasts, Shown(counted=tuple(told))
            )
            at += dice.count(1, 600) * SECOND

    here.every(collect, DAY, 0.03)


def cloud_backup(here: Premises) -> None:
    """Every night some and once a week all goes to a cloud, in many connections at once."""
    dice, server = here.dice, here.server()
    place = here.home(0.1)
    some, everything = int(dice.wide(20, 8_000) * _MB), int(dice.wide(2_000, 300_000) * _MB)
    lanes = dice.count(1, 12)

    def send(at: int, volume: int = some) -> None:
        lasts = int(dice.wide(4, 200) * MINUTE)
        for lane in range(lanes):
            size = dice.size(volume / lanes, 0.4)
            here.call(
                at + lane * 90000, server, place, 443, (size, size // 200), lasts, shown=BACKUP
            )

    here.every(send, DAY, 0.02)
    here.every(lambda at: send(at, everything), 7 * DAY, 0.01)


def house_backup(here: Premises) -> None:
    """A copy by SSH or rsync to a bare address: the owner's house, a port of his own choice."""
    dice, server = here.dice, here.server()
    house = here.bare()
    port = dice.choice((22, 22, 873, 2222, 6281, 5001, dice.randrange(1_025, 65_000)))
    volume = int(dice.wide(5, 60_000) * _MB)
    period = dice.choice((HOUR, 6 * HOUR, DAY, DAY, 7 * DAY))

    def copy(at: int) -> None:
        if dice.chance(0.1):
            for number in range(dice.count(1, 20)):
                here.silence(at + number * 30 * SECOND, server, house, port)
            return
        size = dice.size(volume * period / DAY, 0.8)
        here.call(at, server, house, port, (size, size // 60), int(dice.wide(1, 300) * MINUTE))

    here.every(copy, period, 0.01)


def cloud_folder(here: Premises) -> None:
    """A folder that is kept alike with a cloud: a question held open, and bursts when files change."""
    dice = here.dice
    for pc in here.pcs():
        place = here.place()
        held = dice.count(20, 300) * SECOND
        volume = dice.wide(0.1, 200) * _MB

        def wait(at: int, pc: Device = pc, place: int = place, held: int = held) -> None:
            here.keeps(at, pc, place, 443, Pace(held, held), (900, 700), shown=CLOUD)

        def change(at: int, pc: Device = pc, place: int = place, volume: float = volume) -> None:
            for number in range(dice.count(1, 30)):
                size = dice.size(volume / 6)
                here.call(
                    at + number * SECOND, pc, place, 443, (size, 3000), 9 * SECOND, shown=CLOUD
                )

        when = switched_on(0, at_night=dice.chance(0.2))
        here.every(wait, held * 1.01, 0.005, when)
        here.every(change, dice.wide(10, 300) * MINUTE / here.rate, 1, when)


def photos(here: Premises) -> None:
    """Telephones send their pictures to a cloud, all of them when they come into the wireless network."""
    dice = here.dice
    phones = here.phones()
    place = here.place()

    def send(at: int) -> None:
        phone = dice.choice(phones)
        volume = int(dice.wide(5, 15_000) * _MB)
        for _ in range(dice.count(1, 25)):
            size = dice.size(volume / 10, 0.7)
            at += dice.count(1, 60) * SECOND
            here.call(
                at, phone, place, 443, (size, size // 300), 1 + size // 3, shown=TELEPHONES[0]
            )

    here.every(send, dice.wide(6, 100) * HOUR, 1, between(7, 24))


def files_turned_over(here: Premises) -> None:
    """A program rewrites a whole folder on a share: unpacks, renames pictures, builds, deletes."""
    dice, server = here.dice, here.server()
    reads = dice.wide(
        0.02, 1
    )  # of what is written: a folder that is unpacked, or one whose pictures are touched up

    def turn_over(at: int) -> None:
        pc = here.pc()
        count, lasts = dice.count(50, 8_000), int(dice.wide(5, 600) * SECOND)
        size = count * dice.count(2_000, 900_000)
        renames = int(count * dice.choice((0, 0.5, 1)))
        deletes = int(count * dice.choice((0, 0, 1)))
        told = [*session(9_000, AuthMethod.KERBEROS, ""), tree(20_000, ShareKind.OTHER)]
        told += [
            files(lasts * number // 5, creates=count // 4, reads=(int(count * reads) // 4, int(size * reads) // 4),
                  writes=(count // 3, size // 4), changes=(renames // 4, deletes // 4))
            for number in range(1, 5)
        ]  # fmt: skip
        here.call(at, pc, server, 445, (size, size // 2), lasts, Shown(counted=tuple(told)))

    here.every(turn_over, dice.wide(3, 80) * HOUR, 1, between(8, 18, weekends=False))


def nas_twin(here: Premises) -> None:
    """Two storage machines keep alike: one connection for hours, in which blocks and pulses pass."""
    dice = here.dice
    first, second = here.adds("nas"), here.server()
    port = dice.choice((5000, 6690, 22000, 873, 2049, 3260))
    gap = int(dice.wide(1, 60) * SECOND)
    up, down = dice.count(60, 60_000), dice.count(40, 2_000)
    lasts = here.holds()

    def keep(at: int) -> None:
        talk = Talk(2 * lasts // gap, up, down, dice.randrange(30, 100), dice.randrange(1, 90))
        here.keeps(at, first, second, port, Pace(gap, lasts), (up, down), shown=Shown(talk))

    here.every(keep, lasts, 0)


def guest_folder(here: Premises) -> None:
    """Things too old for passwords put films, scans and logs into a folder that is open to anybody."""
    dice, nas = here.dice, here.server()
    middle = dice.wide(0.02, 400) * _MB
    listed = dice.chance(0.5)
    for thing in [here.adds("recorder") for _ in range(dice.count(1, 4))]:

        def put(at: int, thing: Device = thing) -> None:
            size = dice.size(middle, 0.8)
            told = [*session(9_000, AuthMethod.ANONYMOUS, "")]
            told += [tree(12_000, ShareKind.IPC), *calls(15_000, _SRVSVC, 15)] if listed else []
            told += [tree(20_000, ShareKind.OTHER),
                     files(25_000, creates=2, writes=(size // dice.count(4_000, 60_000) + 1, size))]  # fmt: skip
            here.call(at, thing, nas, 445, (size, 900 + size // 800), dice.count(1, 60) * SECOND,
                      Shown(counted=tuple(told)))  # fmt: skip

        here.every(put, dice.wide(2, 300) * MINUTE, dice.choice((0.02, 1)))


def storage_asleep(here: Premises) -> None:
    """Disks that start up: whoever asks for a folder is heard and not answered for some seconds, and asks again."""
    dice, nas = here.dice, here.adds("nas")
    sleeps = dice.uniform(0.1, 0.9)

    def open_folder(at: int) -> None:
        pc = here.pc()
        if dice.chance(sleeps):
            for _ in range(dice.count(1, 5)):
                here.call(at, pc, nas, 445, (dice.count(73, 250), 0), dice.count(2, 20) * SECOND)
                at += dice.count(1, 20) * SECOND
        size = dice.size(2 * _MB, 0.9)
        told = (*session(9_000, AuthMethod.NTLM, pc.name), tree(20_000, ShareKind.OTHER),
                files(SECOND, creates=9, reads=(size // 60_000 + 1, size)))  # fmt: skip
        here.call(at, pc, nas, 445, (9_000, size), dice.count(1, 90) * SECOND, Shown(counted=told))

    here.every(open_folder, dice.wide(5, 200) * MINUTE / here.rate, 1, between(7, 20))
