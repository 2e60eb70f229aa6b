"""Responder stage: triage, tickets, service levels and replies."""
