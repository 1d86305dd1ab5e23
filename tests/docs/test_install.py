"""The install pages: both say the same, their pictures are drawn, their commands are typed in a clean root."""

import importlib.util
import re

import pytest

from dijkwacht_agent.cli import main as dijkwacht_agent

LANGUAGES = ("en", "nl")


@pytest.fixture(scope="module", params=LANGUAGES)
def page(root, request):
    return (root / f"docs/install.{request.param}.md").read_text("utf-8")


def commands(text):
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


def test_both_pages_have_the_same_commands_and_pictures(root):
    pages = [(root / f"docs/install.{language}.md").read_text("utf-8") for language in LANGUAGES]
    assert commands(pages[0]) == commands(pages[1])
    assert len(commands(pages[0])) > 15
    pictures = [re.findall(r"images/(install-\w+)\.(\w\w)\.svg", text) for text in pages]
    assert [{language for _, language in found} for found in pictures] == [{"en"}, {"nl"}]
    english, dutch = ([name for name, _ in found] for found in pictures)
    assert english == dutch
    assert [text.count("\n## ") for text in pages] == [9, 9]
    assert [text.count("\n| ") for text in pages] == [pages[0].count("\n| ")] * 2


def test_the_clean_root_types_what_is_on_the_page(root):
    """It reads the page itself; what it must replace there is there to be replaced."""
    script = (root / "deploy/debian/try_in_clean_root.py").read_text("utf-8")
    assert 'PAGE = ROOT / "docs/install.en.md"' in script
    typed = commands((root / "docs/install.en.md").read_text("utf-8"))
    assert sum("https://lab.example.nl/dijkwacht" in line for line in typed) == 1
    assert (
        sum(bool(re.search(r"join (?:[0-9A-Z]{5}-){3}[0-9A-Z]{5}@\S+$", line)) for line in typed)
        == 1
    )
    assert sum("apt purge" in line for line in typed) == 1
    assert "make deb-test" in (root / ".ci/run").read_text("utf-8")


def test_every_command_of_the_agent_exists(page, capsys):
    for line in commands(page):
        words = line.split()
        if words[:2] == ["sudo", "dijkwacht-agent"]:
            with pytest.raises(SystemExit) as stopped:
                dijkwacht_agent([words[2], "--help"])
            assert stopped.value.code == 0, line
    assert "CODE" in capsys.readouterr().out


def test_every_picture_is_as_it_would_be_drawn(root):
    spec = importlib.util.spec_from_file_location("drawing", root / "docs/draw_vantage_points.py")
    drawing = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(drawing)
    drawn = drawing.pictures()
    assert len(drawn) == 8
    for path, text in drawn.items():
        assert path.read_text("utf-8") == text, f"{path.name}: make docs"


def test_a_page_for_owners_has_no_word_of_ours(page):
    # "Pseudonym" is one that he reads in answers, so the page says what it is.
    for word in ("spool", "journal ", "metadata", "intake", "daemon"):
        assert word not in page.lower(), word


def test_no_brand_is_named(page):
    named = re.findall(
        r"(?i)\b(netgear|tp-link|cisco|mikrotik|ubiquiti|raspberry|fritz|asus)\b", page
    )
    assert not named
