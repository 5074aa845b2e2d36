"""The services of one machine: Airflow, the MLflow server and the metadata store, without root, Docker or an account."""
