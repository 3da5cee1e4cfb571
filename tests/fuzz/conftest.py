"""``python -m pytest tests/fuzz --hypothesis-profile fuzz`` tries a hundred times as much."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# Examples share a folder whose files each writes anew; how long one takes hangs on the machine.
COMMON = {"deadline": None, "suppress_health_check": list(HealthCheck)}
settings.register_profile("brief", max_examples=60, **COMMON)
settings.register_profile("fuzz", max_examples=6000, **COMMON)
settings.load_profile("brief")
