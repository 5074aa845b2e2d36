"""Scripts that measure the numbers and make the pages and pictures of README.md and docs/."""
