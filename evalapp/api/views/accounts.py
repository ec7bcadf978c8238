from evalapp.accounts.models import Project
from evalapp.accounts.permissions import Permission
from evalapp.api.operations import ApiView, ProjectView, operation
from evalapp.api.serializers.accounts import MemberSerializer, MeSerializer, ProjectBody, ProjectSerializer
from evalapp.decisions.services import open_project


class Me(ApiView):
    @operation("Who am I", result=MeSerializer)
    def get(self) -> object:
        """The person whose token this is, and their projects."""
        memberships = self.person.memberships.select_related("project").order_by("project__name", "pk")
        self.person.projects_of_person = list(memberships)  # type: ignore[attr-defined]  # for the serializer
        return self.person


class ProjectList(ApiView):
    @operation("List my projects", result=ProjectSerializer, paged=True)
    def get(self) -> object:
        return self.page(Project.objects.filter(memberships__user=self.person))

    @operation("Open a project", body=ProjectBody, result=ProjectSerializer, status=201)
    def post(self) -> object:
        """You become its owner, and it starts with the rubric of the template."""
        return open_project(by=self.person, **self.body())


class ProjectDetail(ProjectView):
    required_permission = Permission.VIEW_HOME

    @operation("Read a project", result=ProjectSerializer)
    def get(self) -> object:
        return self.project


class MemberList(ProjectView):
    required_permission = Permission.MANAGE_MEMBERS

    @operation("List the members", result=MemberSerializer, paged=True)
    def get(self) -> object:
        return self.page(self.project.memberships.select_related("user"))
