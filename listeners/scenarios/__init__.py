"""Invented streams for the demonstration and for drills, of our own writing."""

from listeners.scenarios.engine import DEFAULT_SEED, PLATFORM, Draft, Scenario, names, scenario

__all__ = ["DEFAULT_SEED", "PLATFORM", "Draft", "Scenario", "names", "scenario"]
