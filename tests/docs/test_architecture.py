"""The picture of the rooms is drawn from the imports, and the rooms have one door each."""

import ast
import importlib.util

import pytest

PACKAGE = "dijkwacht_collector"
DOORS = {
    "engine.workers": "threads and their metrics, which a replay need not load",
    "sites.authority": "needs x509, which `dijkwacht site` need not load",
    "sites.access": "needs a web server, which `dijkwacht site` need not load",
}
"""Modules that other rooms may import besides a room's ``__init__``, and why."""


@pytest.fixture(scope="module")
def rooms(root):
    spec = importlib.util.spec_from_file_location("draw_rooms", root / "docs/draw_rooms.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_picture_and_table_are_fresh(rooms):
    assert rooms.PICTURE.read_text("utf-8") == rooms.draw(), "run: make docs"
    assert rooms.PAGE.read_text("utf-8") == rooms.page(), "run: make docs"


def test_no_arrow_points_upward(rooms):
    order = {room: y for y, row in enumerate(rooms.layers()) for room in row}
    for room, others in rooms.arrows().items():
        for other in others:
            assert order[room] < order[other], f"{room} imports from {other}"


def test_an_arrow_that_points_upward_would_be_seen(rooms, monkeypatch):
    before = rooms.draw()
    monkeypatch.setattr(rooms, "arrows", lambda: {"journal": {"app": 1}})
    assert rooms.draw() != before
    assert "journal" in rooms.table().split("app (1)")[0].splitlines()[-1]


def test_rooms_are_entered_by_their_door(root, rooms):
    folder = root / "collector" / PACKAGE
    packages = {path.parent.name for path in folder.glob("*/__init__.py")}
    for path in folder.rglob("*.py"):
        room = path.relative_to(folder).parts[0].removesuffix(".py")
        if room == "app":
            continue  # it is every wire
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{PACKAGE}."):
                there, _, inside = node.module.removeprefix(f"{PACKAGE}.").partition(".")
                if there in packages and there != room and inside:
                    assert f"{there}.{inside}" in DOORS, f"{path.name}: {node.module}"
