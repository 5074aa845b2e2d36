"""Log runs to MLflow and manage the versions in its model registry."""
