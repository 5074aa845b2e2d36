"""Is the champion shown something else than it was trained on?"""
