"""What whoever runs the service looks at: the log and the figures."""
