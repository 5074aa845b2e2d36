"""Figures of merit, their intervals, and the tests that compare them: numbers in, numbers out."""
