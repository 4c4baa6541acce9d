"""The documents of the settings: they are what `make docs` makes, and leave nothing out."""

from chat_app.settings import GivenSettings, Settings
from scripts import settings_doc


def test_the_documents_are_what_make_docs_makes() -> None:
    assert settings_doc.PAGE.read_text() == settings_doc.page(), "run: make docs"
    assert settings_doc.EXAMPLE.read_text() == settings_doc.example(), "run: make docs"


def test_every_setting_has_a_description_and_a_section() -> None:
    sections = settings_doc.sections()
    in_sections = [name for section in sections.values() for name in section.model_fields]

    assert sorted([*in_sections, *GivenSettings.model_fields]) == sorted(Settings.model_fields)
    assert all(sections), "a section's docstring begins with its heading"
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []
