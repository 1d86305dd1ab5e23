"""Names that are asked for, for kernels: their domain, what stands below it, and whether it could be data."""

from __future__ import annotations

from numba import njit

from dijkwacht_detectors.state.naming import njit_lean


@njit_lean
def holds_address(blob, begin, end):  # type: ignore[no-untyped-def]
    """Begins with four labels of digits, as a look-up of an address in a list does."""
    labels = 0
    for k in range(begin, end):
        if blob[k] == 46:
            labels += 1
            if labels == 4:
                return True
        elif not 48 <= blob[k] <= 57:
            return False
    return labels == 3


@njit_lean
def has_service(blob, begin, end):  # type: ignore[no-untyped-def]
    """Has a label that begins with an underscore: a service's, a policy's or a key's, and no data."""
    was = 46
    for k in range(begin, end):
        c = blob[k]
        if c == 95 and was == 46:
            return True
        was = c
    return False


@njit_lean
def dissect(blob, begin, end):  # type: ignore[no-untyped-def]
    """Where a name's domain begins, and what its last label is: 0 plausible, 1 data, 2 no name."""
    last, second, third, dots = begin, begin, begin, 0
    for k in range(end - 1, begin - 1, -1):
        if blob[k] == 46:
            dots += 1
            if dots == 1:
                last = k + 1
            elif dots == 2:
                second = k + 1
            elif dots == 3:
                third = k + 1
                break
    if dots == 0:
        return begin, 2
    letters, digits, other = 0, 0, 0
    for k in range(last, end):
        c = blob[k]
        if 97 <= c <= 122:
            letters += 1
        elif 48 <= c <= 57:
            digits += 1
        else:
            other += 1
    punycode = (
        end - last > 4 and blob[last] == 120 and blob[last + 1] == 110 and blob[last + 2] == 45
    )
    if letters == 0 and other == 0:
        return begin, 2  # digits: an address
    if not punycode and (digits or other or letters > 24):
        return begin, 1
    if dots == 1:
        return begin, 0
    base = second
    # co.uk and the like: a country's two letters under a short label
    if end - last == 2 and last - 1 - second <= 3 and dots > 2:
        base = third
    elif end - last == 2 and last - 1 - second <= 3 and dots == 2:
        base = begin
    return base, 0


@njit_lean
def payload(blob, begin, end):  # type: ignore[no-untyped-def]
    """Characters below the domain, those of no host name, and how mixed they are in 0–1."""
    chars, strange, changes, jumbled = 0, 0, 0, 0
    was, run = 0, 0
    for k in range(begin, end):
        c = blob[k]
        if c in (45, 46):  # hyphen, dot
            run = 0
            continue
        chars += 1
        if 48 <= c <= 57:
            kind = 1
            run = 0
        elif 97 <= c <= 122 or c == 95:
            kind = 2
            run = 0 if c in (97, 101, 105, 111, 117, 121, 95) else run + 1
            if run == 5:  # five consonants on end are in no word, and in most random letters
                jumbled += 5
            elif run > 5:
                jumbled += 1
        else:
            kind = 3
            strange += 1
        if was and kind != was:
            changes += 1
        was = kind
    mixed = (3.0 * changes + 6.0 * strange + 1.5 * jumbled) / max(chars, 1)
    return chars, strange, min(1.0, mixed)


@njit(cache=True, nogil=True, inline="always")
def is_local(blob, begin, end):  # type: ignore[no-untyped-def]
    """Names of the own network, which fail outside it: local, lan, home, internal, corp ..."""
    n = end - begin
    if n >= 5 and blob[end - 5] == 108 and blob[end - 4] == 111 and blob[end - 3] == 99:
        return True  # local
    if n >= 3 and blob[end - 3] == 108 and blob[end - 2] == 97 and blob[end - 1] == 110:
        return True  # lan
    if n >= 4 and blob[end - 4] == 104 and blob[end - 3] == 111 and blob[end - 2] == 109:
        return True  # home
    if n >= 4 and blob[end - 4] == 99 and blob[end - 3] == 111 and blob[end - 2] == 114:
        return True  # corp
    if n >= 8 and blob[end - 8] == 105 and blob[end - 7] == 110 and blob[end - 6] == 116:
        return True  # internal
    return n >= 4 and blob[end - 4] == 97 and blob[end - 3] == 114 and blob[end - 2] == 112  # arpa
