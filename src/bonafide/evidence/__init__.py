"""Scores in, evidence out: figures with their intervals, by slice, on unseen generators, on degraded files; and reasons for distrust."""
