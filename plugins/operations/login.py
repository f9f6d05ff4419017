"""Who signs in to Airflow, and what their roles let them do: FAB's users, with sign-offs apart from the rest.

FAB lets only those answer a sign-off who may edit its DAG, and so pause it, and act on the staff's pages. Here the
right to edit ``HITL Detail`` is enough for whoever may read the DAG. Who alone may answer is said by user name, in the
firm's file (``logins``); FAB would compare numbers that it gives by itself.
"""

from __future__ import annotations

from airflow.api_fastapi.auth.managers.base_auth_manager import ResourceMethod
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.providers.fab.auth_manager.fab_auth_manager import FabAuthManager
from airflow.providers.fab.auth_manager.models import User


class StaffLogin(FabAuthManager):
    """Airflow's auth manager of a production installation: ``[core] auth_manager`` names it."""

    def is_authorized_dag(
        self,
        *,
        method: ResourceMethod,
        user: User,
        access_entity: DagAccessEntity | None = None,
        details: DagDetails | None = None,
    ) -> bool:
        """Say whether the user may do this with a DAG, or with what belongs to it."""
        if access_entity is DagAccessEntity.HITL_DETAIL and method == "PUT":
            may_answer = super().is_authorized_dag(method=method, user=user, access_entity=access_entity)
            return may_answer and super().is_authorized_dag(method="GET", user=user, details=details)
        return super().is_authorized_dag(method=method, user=user, access_entity=access_entity, details=details)

    def is_authorized_hitl_task(self, *, assigned_users: set[str], user: User) -> bool:
        """Say whether the user is one of those who alone may answer a sign-off."""
        return user.get_name() in assigned_users
