"""The pages of the operations team: a FastAPI app that Airflow's API server mounts."""
