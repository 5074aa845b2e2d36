"""Start Airflow, MLflow and the metadata store on one machine, and check the set-up."""
