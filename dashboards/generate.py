"""Write the generated files that stand beside this one: ``python dashboards/generate.py``."""

from __future__ import annotations

from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from overview import overview
from rules import alerts, recordings, write

HERE = Path(__file__).parent


def generated() -> dict[str, str]:
    """Path under this folder → its text."""
    return {
        "overview.json": JSONEncoder(sort_keys=True, indent=2).encode(overview()) + "\n",
        "rules/recordings.yml": write("dijkwacht recordings", recordings()),
        "rules/alerts.yml": write("dijkwacht alerts", alerts()),
    }


def main() -> None:
    """Write them all."""
    for path, text in generated().items():
        (HERE / path).write_text(text, encoding="utf-8")
        print(f"wrote {path}")


if __name__ == "__main__":
    main()
