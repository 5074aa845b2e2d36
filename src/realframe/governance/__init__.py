"""Decide which model version is champion: gate, ledger, decisions, history."""
