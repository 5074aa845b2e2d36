"""A pipeline run is a commit: worktrees, stages, versions."""
