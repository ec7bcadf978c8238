from tests.kept_cast import FIXTURES

cast, owner, manager, engineer, reviewer, other_reviewer, project, empty_project = FIXTURES
