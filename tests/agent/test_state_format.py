import pytest

from dijkwacht_agent.cli import main
from dijkwacht_agent.state_format import FORMAT, FORMAT_FILE, claim
from dijkwacht_records.errors import SettingsError


def test_a_folder_says_its_format(tmp_path):
    claim(tmp_path)
    assert (tmp_path / FORMAT_FILE).read_text() == f"{FORMAT}\n"
    claim(tmp_path)


@pytest.mark.parametrize("text", ["", "?", "0\n"])
def test_what_is_no_newer_format_is_replaced(tmp_path, text):
    (tmp_path / FORMAT_FILE).write_text(text)
    claim(tmp_path)
    assert (tmp_path / FORMAT_FILE).read_text() == f"{FORMAT}\n"


def test_a_folder_that_is_not_there_is_not_made(tmp_path):
    claim(tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_an_older_agent_leaves_what_a_newer_one_wrote(tmp_path, capsys):
    (tmp_path / FORMAT_FILE).write_text(f"{FORMAT + 1}\n")
    with pytest.raises(SettingsError, match="newer version"):
        claim(tmp_path)
    assert main(["--state", str(tmp_path), "run"]) == 1
    assert "sudo apt install dijkwacht-agent" in capsys.readouterr().err
    assert (tmp_path / FORMAT_FILE).read_text() == f"{FORMAT + 1}\n"
