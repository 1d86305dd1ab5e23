"""``python -m dijkwacht_agent`` is ``dijkwacht-agent``."""

import sys

from dijkwacht_agent.cli import main

sys.exit(main())
