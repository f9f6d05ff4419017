# The pipeline on Airflow's own image. Not built yet by those who wrote it: they had no Docker engine.
FROM apache/airflow:3.3.2-python3.11

USER root
# A new named volume takes owner and mode from the folder that it is mounted over.
RUN install -d -o airflow -g root -m 0770 /var/lib/engagement /backups
COPY deploy/install-debian.sh /opt/engagement/deploy/install-debian.sh
RUN bash /opt/engagement/deploy/install-debian.sh \
 && rm -rf /var/lib/apt/lists/*
USER airflow

# Before the code, so that a change of code does not install again.
COPY --chown=airflow:0 requirements.txt /opt/engagement/requirements.txt
RUN pip install --no-cache-dir --require-hashes -r /opt/engagement/requirements.txt
# The locked packages replace some that Airflow's image came with; what broke over it stops the build here.
RUN python -c "import airflow.providers.fab.auth_manager.fab_auth_manager, airflow.providers.celery.executors.celery_executor"

COPY --chown=airflow:0 include /opt/engagement/include
COPY --chown=airflow:0 operators /opt/engagement/operators
COPY --chown=airflow:0 dags /opt/engagement/dags
COPY --chown=airflow:0 plugins /opt/engagement/plugins
COPY --chown=airflow:0 portal /opt/engagement/portal
COPY --chown=airflow:0 templates /opt/engagement/templates
COPY --chown=airflow:0 local /opt/engagement/local
RUN python -m compileall -q /opt/engagement

ENV PYTHONPATH=/opt/engagement \
    AIRFLOW__CORE__DAGS_FOLDER=/opt/engagement/dags \
    AIRFLOW__CORE__PLUGINS_FOLDER=/opt/engagement/plugins \
    AIRFLOW__CORE__LOAD_EXAMPLES=False
