"""What a figure does with characters that no font of the machine has."""

from zoo.tasks import figures


def test_characters_without_a_glyph_are_named_in_one_line(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(figures, "_broad", list)
    private = "\ue123\ue124\ue125\ue126"  # no font has these
    figure, axes = figures.subplots(size=(2, 1))
    axes.set_title(f"a {private}")
    figures.keep(figure, tmp_path, "title.png")
    figure, _ = figures.page([(0, 0, private[0], None), (1, 0, "abc", (0.2, 0.2, 0.9))], 20)
    figures.keep(figure, tmp_path, "page.png")
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("note: plots/title.png: no font of this machine has ")
    assert first.count("\\ue12") == 3 and ", …; boxes stand there" in first
    assert second.startswith("note: plots/page.png: ") and "…" not in second
    assert all((tmp_path / "plots" / f"{n}.png").stat().st_size for n in ("title", "page"))
