"""What the project adds to Airflow's own pages."""
