"""Manage pipeline runs: worktrees, stages, commits, dataset versions."""
