"""My projects, and opening one."""

from evalapp.accounts.models import Project
from evalapp.api.accounts import ProjectBody, ProjectSerializer
from evalapp.api.operations import ApiView, operation, route
from evalapp.decisions.services import open_project


@route("projects/", "api_projects")
class ProjectList(ApiView):
    @operation("List my projects", result=ProjectSerializer, paged=True)
    def get(self) -> object:
        return self.page(Project.objects.filter(memberships__user=self.person))

    @operation("Create a project", body=ProjectBody, result=ProjectSerializer, status=201)
    def post(self) -> object:
        """You become its owner. The project starts with a rubric from the template."""
        return open_project(by=self.person, **self.body())
