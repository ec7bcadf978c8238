"""A real SMTP server on loopback that accepts every message."""

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import Message
from email.policy import default
from typing import NamedTuple


class Mail(NamedTuple):
    """``recipients``: of the envelope, which the message need not name."""

    sender: str
    recipients: list[str]
    message: Message


class MailSink:
    def __init__(self) -> None:
        self.mails: list[Mail] = []
        sink = self

        class Conversation(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                sender, recipients = "", []
                self.say("220 sink")
                while line := self.rfile.readline().decode().strip():
                    match line.partition(":")[0].upper().split()[0]:
                        case "MAIL":
                            sender = line.partition("<")[2].partition(">")[0]
                        case "RCPT":
                            recipients.append(line.partition("<")[2].partition(">")[0])
                        case "DATA":
                            self.say("354 go on")
                            sink.mails.append(Mail(sender, recipients, self.message()))
                        case "QUIT":
                            self.say("221 bye")
                            return
                    self.say("250 sink")

            def say(self, words: str) -> None:
                self.wfile.write(f"{words}\r\n".encode())

            def message(self) -> Message:
                lines = []
                while (line := self.rfile.readline()) != b".\r\n":
                    lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
                return message_from_bytes(b"".join(lines), policy=default)

        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Conversation)
        self.server.daemon_threads = True
        self.port: int = self.server.server_address[1]


@contextmanager
def taking_mail() -> Iterator[MailSink]:
    sink = MailSink()
    thread = threading.Thread(target=sink.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield sink
    finally:
        sink.server.shutdown()
        sink.server.server_close()
        thread.join()
