"""A whole collector as `build_app` wires it, with two sites and an agent of one."""

import asyncio

import pytest
from aiohttp.test_utils import TestClient, TestServer

from dijkwacht_collector.app import build_app
from dijkwacht_collector.settings import CollectorSettings
from dijkwacht_collector.sites import Sites

NOW = 1_790_000_000_000_000


@pytest.fixture
def site_token(tmp_path):
    sites = Sites(tmp_path / "sites.db")
    sites.open()
    sites.add("bakery", NOW)
    sites.add("clinic", NOW)
    token = sites.make_token("bakery", "desk", NOW)
    sites.close()
    return token


@pytest.fixture
def settings(tmp_path, monkeypatch):
    monkeypatch.setattr("dijkwacht_collector.maintenance._ROUND_S", 0.01)
    return CollectorSettings(state=tmp_path, training=False, joins_per_minute=3)


@pytest.fixture
async def client(settings, site_token):
    app = await asyncio.to_thread(build_app, settings, clock=lambda: NOW)
    async with TestClient(TestServer(app)) as client:
        client.session.headers["Authorization"] = f"Bearer {site_token}"
        yield client
