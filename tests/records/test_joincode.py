import pytest
from hypothesis import given
from hypothesis import strategies as st

from dijkwacht_records.joincode import HERE, make_code, read_code

SECRET = bytes(range(16))
SHORT = bytes(range(0xF0, 0xFA))
URLS = ["http://127.0.0.1:8470", "https://wacht.example", "http://[::1]:8470", "https://a.nl/lab"]


@pytest.mark.parametrize("secret", [SECRET, SHORT])
@pytest.mark.parametrize("url", URLS)
def test_a_code_brings_back_what_went_in(url, secret):
    assert read_code(make_code(url, secret)) == (url, secret)


@pytest.mark.parametrize("secret", [SECRET, SHORT])
def test_case_spaces_and_lookalikes_do_not_matter(secret):
    code = make_code(URLS[0], secret)
    typed = " " + code.lower().replace("-", " ").replace("0", "o").replace("1", "l") + "\n"
    assert read_code(typed) == (URLS[0], secret)


def test_a_code_is_twenty_letters_in_four_groups_and_a_host():
    letters = [[5, 5, 5, 5]]
    for url, place in [
        (HERE, ""),
        ("https://lab.example.nl", "lab.example.nl"),
        ("https://lab.example.nl:8470", "lab.example.nl:8470"),
        ("https://[2001:db8::1]:8470", "[2001:db8::1]:8470"),
        ("https://lab.example.nl/watch", "https://lab.example.nl/watch"),
        ("http://10.0.0.7:8470", "http://10.0.0.7:8470"),
    ]:
        code, _, found = make_code(url, SHORT).partition("@")
        letters.append([len(group) for group in code.split("-")])
        assert found == place
        assert read_code(f"{code} @ {place}" if place else code) == (url, SHORT)
    assert letters == [[5, 5, 5, 5]] * 7


@pytest.mark.parametrize(
    "place", ["", " ", "lab example", "ftp://lab", "u:p@lab", "lab?x", "lab:x", "["]
)
def test_a_place_that_is_none_is_told(place):
    code = make_code(HERE, SHORT)
    if place != "lab example":
        with pytest.raises(ValueError, match=r"collector|is no address"):
            read_code(f"{code}@{place}")
    else:  # a space is the typist's
        assert read_code(f"{code}@{place}")[0] == "https://labexample"


def test_a_code_of_a_later_form_is_known_for_one():
    letters = make_code(HERE, SHORT).replace("-", "")
    for first in "0123ABCDEF":
        with pytest.raises(ValueError, match="join code"):
            read_code(first + letters[1:])


@given(st.data(), st.sampled_from([SECRET, SHORT]))
def test_every_single_wrong_letter_is_told(data, secret):
    code = make_code(HERE, secret)
    place = data.draw(st.sampled_from([k for k, letter in enumerate(code) if letter != "-"]))
    letter = data.draw(st.sampled_from("0123456789ABCDEFGHJKMNPQRSTVWXYZ"))
    if letter != code[place]:
        with pytest.raises(ValueError, match="join code"):
            read_code(code[:place] + letter + code[place + 1 :])


@pytest.mark.parametrize("secret", [SECRET, SHORT])
def test_swapped_neighbours_are_told(secret):
    code = make_code(HERE, secret).replace("-", "")
    for place in range(len(code) - 1):
        swapped = code[:place] + code[place + 1] + code[place] + code[place + 2 :]
        if swapped != code:
            with pytest.raises(ValueError, match="join code"):
                read_code(swapped)


@pytest.mark.parametrize("secret", [SECRET, SHORT])
def test_a_missing_part_is_told(secret):
    code = make_code(URLS[0], secret)
    for end in range(len(code) - 1):
        if code[:end].replace("-", "") != code.replace("-", ""):
            with pytest.raises(ValueError, match="join code"):
                read_code(code[:end])


@given(st.text(max_size=120))
def test_any_text_is_read_or_refused(text):
    try:
        url, secret = read_code(text)
    except ValueError:
        return
    assert read_code(make_code(url, secret)) == (url, secret)


@pytest.mark.parametrize(
    "url", ["ftp://a", "a.nl", "http://", "http://u:p@a", "http://a?b", "http://a b"]
)
def test_what_is_no_collector_is_refused(url):
    with pytest.raises(ValueError, match="collector"):
        make_code(url, SECRET)


def test_a_secret_of_another_size_is_refused():
    with pytest.raises(ValueError, match="10 or 16"):
        make_code(URLS[0], b"short")
