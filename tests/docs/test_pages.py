"""Pages are promises: commands exist, links lead somewhere, code runs and is what was run."""

import doctest
import re
import shlex
from pathlib import Path

import pytest

from dijkwacht.cli import main as dijkwacht
from dijkwacht_agent.cli import main as dijkwacht_agent
from dijkwacht_detectors.checks import check_detector
from dijkwacht_detectors.discover import load_detectors

PROGRAMS = {"dijkwacht": dijkwacht, "dijkwacht-agent": dijkwacht_agent}
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
QUOTED = re.compile(r"# from (\S+)\n")
NAMED = re.compile(r"`((?:[\w.-]+/)+[\w.-]*|[\w-]+\.pyx?)`")
LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")


def _pages(root):
    return [*root.glob("*.md"), *root.glob("docs/**/*.md"), *root.glob("tests/scenarios/**/*.md")]


def _commands(text):
    """The commands of a page's shell blocks, without comments and prompts."""
    for language, block in FENCE.findall(text):
        if language in {"sh", "bash", "console"}:
            for line in block.replace("\\\n", " ").splitlines():
                if words := shlex.split(line.removeprefix("$ "), comments=True):
                    yield words


def test_every_link_leads_somewhere(root):
    for page in _pages(root):
        for target in LINK.findall(page.read_text("utf-8")):
            if not re.match(r"[a-z]+:", target):
                assert (page.parent / target).exists(), f"{page.relative_to(root)}: {target}"


def test_every_file_that_a_decision_names_is_there(root, tracked):
    """By the end of its path; a folder that is none of the repository's is of somebody's state."""
    tops = {name.split("/")[0] for name in tracked}
    known = {f"/{part}" for name in tracked for part in (name, *map(str, Path(name).parents))}
    pages = [root / "CONTRIBUTING.md", root / "THREATS.md", *root.glob("docs/decisions/*.md")]
    seen = 0
    for page in pages:
        for name in NAMED.findall(page.read_text("utf-8")):
            if name.split("/")[0] in tops or name.endswith((".py", ".pyx")):
                seen += 1
                there = any(path.endswith(f"/{name.strip('/')}") for path in known)
                assert there or "NAME" in name, f"{page.relative_to(root)}: {name}"
    assert seen > 50


def test_every_command_on_a_page_exists(root, capsys):
    makefile = (root / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    seen = set()
    for page in _pages(root):
        for words in _commands(page.read_text("utf-8")):
            seen.add(words[0])
            if words[0] == "make":
                assert words[1] in targets, words
            elif words[0] in PROGRAMS:
                _check_command(words, capsys, page.relative_to(root))
    assert {"make", "dijkwacht", "dijkwacht-agent"} <= seen


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_command_is_on_a_page(root, capsys, program):
    with pytest.raises(SystemExit):
        PROGRAMS[program](["--help"])
    listed = re.findall(r"^ {2,4}([a-z][a-z-]+)(?:  +\S|$)", capsys.readouterr().out, re.MULTILINE)
    text = "".join(page.read_text("utf-8") for page in _pages(root))
    assert listed
    for command in listed:
        assert f"{program} {command}" in text, f"{program} {command}"


def _check_command(words, capsys, page):
    with pytest.raises(SystemExit) as stopped:
        PROGRAMS[words[0]]([words[1], "--help"])
    assert stopped.value.code == 0, f"{page}: {words}"
    said = capsys.readouterr().out
    for word in words[2:]:
        if word.startswith("--"):
            assert word.partition("=")[0] in said, f"{page}: {shlex.join(words)}"


def test_python_on_a_page_is_quoted_from_a_file(root):
    """A block begins ``# from FILE``, and FILE holds the rest of it, line by line."""
    for page in _pages(root):
        for language, block in FENCE.findall(page.read_text("utf-8")):
            quoted = QUOTED.match(block)
            if language in {"python", "py"} and (quoted or ">>>" not in block):
                assert quoted, f"{page.name}: says not where it is from:\n{block}"
                text = (root / quoted[1]).read_text("utf-8")
                assert block[quoted.end() :].strip("\n") in text, f"{page.name}: {quoted[1]}"


def test_quoted_detectors_keep_the_contract(root):
    for example in root.glob("docs/examples/*.py"):
        for detector in load_detectors(example):
            check_detector(detector)


def test_examples_on_pages_run(root, monkeypatch):
    """But for those in what is quoted from a file, which run there."""
    monkeypatch.chdir(root)  # their paths are those of the repository
    for page in _pages(root):
        text = page.read_text("utf-8")
        for language, block in FENCE.findall(text):
            if language in {"python", "py"} and QUOTED.match(block):
                text = text.replace(block, "")
        examples = doctest.DocTestParser().get_doctest(text, {}, page.name, str(page), 0)
        assert doctest.DocTestRunner().run(examples).failed == 0, page


def test_the_readme_is_short_and_begins_with_what_it_does(root):
    lines = (root / "README.md").read_text("utf-8").splitlines()
    assert len(lines) < 120
    commands = [words for words in _commands("\n".join(lines)) if words[0] == "make"]
    assert commands == [["make", "demo"], ["make", "test"]]


def test_files_named_in_the_contributing_page_exist(root):
    text = (root / "CONTRIBUTING.md").read_text("utf-8")
    for name in re.findall(r"`((?:[a-z_.]+/)+(?:[a-z_]+\.[a-z]+)?)`", text):
        assert (root / name).exists(), name


def test_every_page_of_the_docs_is_in_their_index(root):
    index = (root / "docs/README.md").read_text("utf-8")
    for page in root.glob("docs/*.md"):
        assert page.name in index or page.name == "README.md", page.name
    for page in root.glob("docs/decisions/0*.md"):
        assert page.name in (root / "docs/decisions/README.md").read_text("utf-8")
