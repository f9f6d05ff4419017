"""Alembic's entry: migrations run on the connection that ``include.register.session.migrate`` opened."""

from alembic import context

from include.register.models import Base

context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata)
with context.begin_transaction():
    context.run_migrations()
