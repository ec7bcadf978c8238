"""A bad week, from its sample to a signed webhook at a real server, a mail at another, and the page of its
incident.
"""

import json
from collections.abc import Iterator

import pytest

from evalapp.accounts.models import Project, User
from evalapp.campaigns.services import close_campaign
from evalapp.monitoring.models import Alert
from evalapp.monitoring.tasks import evaluate_due
from evalapp.webhooks.services import register_endpoint
from evalapp.webhooks.signing import signature_of
from evalapp.webhooks.tasks import deliver_due
from tests.cast import client_of
from tests.factories import answers
from tests.mail_sink import MailSink, taking_mail
from tests.monitoring.making import campaign_of, make_stream, review_week, sampled_week
from tests.receiver import receiving

pytestmark = pytest.mark.django_db

SITE = "https://evalapp.example"


@pytest.fixture
def mail_server(settings) -> Iterator[MailSink]:  # type: ignore[no-untyped-def]
    with taking_mail() as sink:
        settings.SENDS_MAIL = True
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", sink.port
        settings.OUTGOING_ALLOWED = ("127.0.0.0/8",)
        yield sink


def test_a_bad_week_reaches_a_webhook_and_a_mailbox_and_opens_an_incident(
    project: Project, owner: User, manager: User, reviewer: User, mail_server: MailSink
) -> None:
    with receiving() as receiver:
        told = register_endpoint(
            project=project,
            url=receiver.url,
            events=["alert.raised"],
            includes_text=False,
            site=SITE,
            by=owner,
        )
        stream = make_stream(project, [reviewer], thresholds={"tone": 4.0}, outputs_per_week=30)
        week = sampled_week(stream, 40)
        review_week(week, [reviewer], answers=answers(tone=2))
        close_campaign(campaign=campaign_of(week), by=manager)
        # As the scheduler does it: the week is evaluated and mailed, then what waits is delivered; once each.
        for _ in range(2):
            evaluate_due()
            deliver_due()

        (call,) = receiver.calls
    timestamp = int(call.headers["Evalapp-Timestamp"])
    assert call.headers["Evalapp-Signature"] == signature_of(told.secret, timestamp, call.body)
    incident = stream.incidents.get()
    page = f"/projects/{project.slug}/monitor/{stream.pk}/incidents/{incident.pk}/"
    alert = json.loads(call.body)["alert"]
    assert (alert["criterion"], alert["kind"], alert["limit"]) == ("tone", "threshold", 4)
    assert alert["value"] == pytest.approx(2)
    assert alert["link"] == f"{SITE}{page}"

    (mail,) = mail_server.mails
    words = Alert.objects.get(stream=stream).message
    assert sorted(mail.recipients) == sorted([owner.email, manager.email])
    # Nobody sees who else is told.
    assert not [person for person in mail.recipients if person in mail.message.as_string()]
    assert mail.message["Subject"] == f"{project}: Tone of {stream} got worse"
    assert mail.message.get_content().splitlines()[0] == words  # type: ignore[attr-defined]
    assert f"{SITE}{page}" in mail.message.get_content()  # type: ignore[attr-defined]

    seen = client_of(manager).get(page).text
    assert words.partition(": ")[2].capitalize()[:20] in seen and "email sent" in seen
    # One bad week tells nobody whether the model or the reviewers changed.
    assert "Cannot tell" in seen and "Retrain on the corrections" not in seen
    assert f'href="{page}"' in client_of(manager).get(f"/projects/{project.slug}/monitor/{stream.pk}/").text
