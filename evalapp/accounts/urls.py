"""Sign-in, people, members, settings and the audit.

Only those of allauth's pages that the product uses are here: sign-up is closed, and where no mail
server is, a forgotten password is fixed by a link that an owner or a manager copies.
"""

from allauth.account import views as allauth
from django.urls import path, re_path

from evalapp.accounts.views import audit, invitation, members, profile, project, sign_on
from evalapp.accounts.views.sign_in import forgotten_password, sign_in, sign_up_closed
from evalapp.accounts.views.sign_on import needs_passwords

urlpatterns = [
    path("accounts/login/", sign_in, name="account_login"),
    path("accounts/oidc/", sign_on.begin, name="oidc_begin"),
    path("accounts/oidc/callback/", sign_on.callback, name="oidc_callback"),
    path("accounts/emergency/<str:token>/", sign_on.emergency_sign_in, name="emergency_sign_in"),
    path("accounts/logout/", allauth.logout, name="account_logout"),
    path("accounts/signup/", sign_up_closed, name="account_signup"),
    path("accounts/inactive/", allauth.account_inactive, name="account_inactive"),
    path("accounts/reauthenticate/", needs_passwords(allauth.reauthenticate), name="account_reauthenticate"),
    path(
        "accounts/password/change/", needs_passwords(allauth.password_change), name="account_change_password"
    ),
    path("accounts/password/set/", needs_passwords(allauth.password_set), name="account_set_password"),
    path("accounts/password/reset/", needs_passwords(forgotten_password), name="account_reset_password"),
    path(
        "accounts/password/reset/key/done/",
        needs_passwords(allauth.password_reset_from_key_done),
        name="account_reset_password_from_key_done",
    ),
    re_path(
        r"^accounts/password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$",
        needs_passwords(allauth.password_reset_from_key),
        name="account_reset_password_from_key",
    ),
    path("invitations/<str:token>/", invitation.invitation_accept, name="invitation_accept"),
    path("profile/", profile.profile, name="profile"),
    path("profile/verify/", profile.email_verify, name="email_verify"),
    path("profile/unlink/", sign_on.identity_unlink, name="identity_unlink"),
    path("profile/delete/", profile.person_delete, name="person_delete"),
    path("profile/tokens/", profile.token_list, name="token_list"),
    path("profile/tokens/<int:pk>/revoke/", profile.token_revoke, name="token_revoke"),
    path("projects/<slug:slug>/settings/", project.project_settings, name="project_settings"),
    path("projects/<slug:slug>/settings/members/", members.member_list, name="member_list"),
    path("projects/<slug:slug>/settings/members/<int:pk>/role/", members.member_role, name="member_role"),
    path(
        "projects/<slug:slug>/settings/members/<int:pk>/remove/", members.member_remove, name="member_remove"
    ),
    path(
        "projects/<slug:slug>/settings/members/<int:pk>/reset-link/",
        members.member_reset_link,
        name="member_reset_link",
    ),
    path(
        "projects/<slug:slug>/settings/invitations/<int:pk>/revoke/",
        members.invitation_revoke,
        name="invitation_revoke",
    ),
    path("audit/", audit.installation_audit, name="installation_audit"),
    path("projects/<slug:slug>/settings/audit/", audit.audit_list, name="audit_list"),
]
