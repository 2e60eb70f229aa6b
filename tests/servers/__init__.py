"""Real servers on loopback, and the tests that talk to them."""
