from pathlib import Path

from evalapp.core.static_build import build_browser_bundle, bundle_sizes


def test_the_bundle_is_written_once_and_is_small(tmp_path: Path) -> None:
    path = build_browser_bundle(tmp_path / "build")
    text = path.read_text(encoding="utf-8")
    assert "vegaEmbed" in text and "expressionInterpreter" in text
    whole, sent = bundle_sizes(path)
    assert whole < 1_000_000 and sent < 350_000
    before = path.stat().st_mtime_ns
    assert build_browser_bundle(tmp_path / "build") == path
    assert path.stat().st_mtime_ns == before


def test_a_bundle_of_another_release_is_replaced_whole(tmp_path: Path) -> None:
    (tmp_path / "vega.js").write_text("/* an older one */", encoding="utf-8")
    assert len(build_browser_bundle(tmp_path).read_text(encoding="utf-8")) > 500_000
    assert [path.name for path in tmp_path.iterdir()] == ["vega.js"]
