"""What every request goes through before it reaches a page or the API."""
