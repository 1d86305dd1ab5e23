import pytest
from hypothesis import given
from hypothesis import strategies as st

from dijkwacht_records.joincode import make_code, read_code

SECRET = bytes(range(16))
URLS = ["http://127.0.0.1:8470", "https://wacht.example", "http://[::1]:8470", "https://a.nl/lab"]


@pytest.mark.parametrize("url", URLS)
def test_a_code_brings_back_what_went_in(url):
    assert read_code(make_code(url, SECRET)) == (url, SECRET)


def test_case_spaces_and_lookalikes_do_not_matter():
    code = make_code(URLS[0], SECRET)
    typed = " " + code.lower().replace("-", " ").replace("0", "o").replace("1", "l") + "\n"
    assert read_code(typed) == (URLS[0], SECRET)


@given(st.data())
def test_every_single_wrong_letter_is_told(data):
    code = make_code(URLS[1], SECRET)
    place = data.draw(st.sampled_from([k for k, letter in enumerate(code) if letter != "-"]))
    letter = data.draw(st.sampled_from("0123456789ABCDEFGHJKMNPQRSTVWXYZ"))
    if letter != code[place]:
        with pytest.raises(ValueError, match="join code"):
            read_code(code[:place] + letter + code[place + 1 :])


def test_swapped_neighbours_are_told():
    code = make_code(URLS[1], SECRET).replace("-", "")
    for place in range(len(code) - 1):
        swapped = code[:place] + code[place + 1] + code[place] + code[place + 2 :]
        if swapped != code:
            with pytest.raises(ValueError, match="join code"):
                read_code(swapped)


def test_a_missing_part_is_told():
    code = make_code(URLS[0], SECRET)
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
    with pytest.raises(ValueError, match="16"):
        make_code(URLS[0], b"short")
