from pathlib import Path

from evalapp.embedded.logs import last_lines, open_log, rotate


def test_a_full_log_is_moved_aside_while_its_writer_goes_on(tmp_path: Path):
    with open_log(tmp_path, "web") as log:
        log.write(b"first\n" * 100)
        assert rotate(tmp_path, limit=100) == [tmp_path / "web.log"]
        log.write(b"second\n")
    assert (tmp_path / "web.log").read_bytes() == b"second\n"
    assert (tmp_path / "web.log.1").read_bytes() == b"first\n" * 100


def test_only_so_many_old_logs_are_kept(tmp_path: Path):
    for number in range(5):
        with open_log(tmp_path, "web") as log:
            log.write(f"{number}\n".encode() * 10)
        rotate(tmp_path, limit=1, kept=3)
    kept = {path.name: path.read_text()[0] for path in tmp_path.glob("web.log.*")}
    assert kept == {"web.log.1": "4", "web.log.2": "3", "web.log.3": "2"}


def test_the_end_of_a_log_is_quoted_even_when_there_is_none(tmp_path: Path):
    (tmp_path / "web.log").write_text("one\ntwo\nthree\nfour\n")
    assert last_lines(tmp_path, "web", count=2) == "three\nfour"
    assert last_lines(tmp_path, "beat") == ""
