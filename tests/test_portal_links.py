"""Links to the portal: who can make them, who can read them, what they tell."""

from __future__ import annotations

import base64

import pytest
from itsdangerous import URLSafeTimedSerializer

from include.portal_links import DAYS, BadLink, ExpiredLink, Link, link_for, person_of, read_link
from include.settings import load_settings

NEW, OLD = "n" * 40, "o" * 40
ADDRESS = "Ketoan@Banmesom.example"
URL = "https://hoso.example/khach"


def token(*, keys: tuple[str, ...] = (NEW,), key: str = "quote-2", version: int = 1) -> str:
    link = link_for("KHV-2026-0042", key, ADDRESS, version, public_url=URL, keys=keys)
    return link.removeprefix(f"{URL}/r/")


def test_a_link_opens_one_request_of_one_engagement_for_one_person() -> None:
    assert read_link(token(version=3), keys=[NEW]) == Link("KHV-2026-0042", "quote-2", person_of(ADDRESS), 3)


def test_a_person_is_the_same_however_their_address_is_written() -> None:
    assert person_of(" KETOAN@banmesom.example ") == person_of(ADDRESS)
    assert person_of("ketoan2@banmesom.example") != person_of(ADDRESS)


def test_no_address_of_a_person_stands_in_a_link() -> None:
    payload = token().split(".")[0]
    shown = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)).decode()
    assert "KHV-2026-0042" in shown
    assert "banmesom" not in shown.casefold()


def test_a_link_is_under_the_address_that_the_portal_is_reached_at() -> None:
    slashed = link_for("KHV-2026-0042", "quote", ADDRESS, 1, public_url=f"{URL}/", keys=[NEW])
    assert slashed.startswith(f"{URL}/r/")


def test_old_links_work_while_keys_are_changed() -> None:
    before = token(keys=(OLD,))
    assert read_link(before, keys=[NEW, OLD]).request_key == "quote-2"


def test_the_newest_key_signs() -> None:
    after = token(keys=(NEW, OLD))
    assert read_link(after, keys=[NEW]).request_key == "quote-2"
    with pytest.raises(BadLink):
        read_link(after, keys=[OLD])


def test_a_link_of_a_key_that_is_gone_is_refused() -> None:
    with pytest.raises(BadLink):
        read_link(token(keys=(OLD,)), keys=[NEW])


@pytest.mark.parametrize("place", range(0, len(token()) - 1, 7))  # the last letter holds bits that say nothing
def test_a_link_that_was_changed_anywhere_is_refused(place: int) -> None:
    good = token()
    changed = good[:place] + ("A" if good[place] != "A" else "B") + good[place + 1 :]
    with pytest.raises(BadLink) as caught:
        read_link(changed, keys=[NEW])
    assert not isinstance(caught.value, ExpiredLink)


@pytest.mark.parametrize("junk", ["", ".", "a.b.c", "ế" * 50, "\ud800", "x" * 100_000, "../../etc/passwd", "%00"])
def test_junk_is_refused_without_a_trace_of_it(junk: str) -> None:
    with pytest.raises(BadLink) as caught:
        read_link(junk, keys=[NEW])
    assert not junk.strip(".") or junk not in str(caught.value)


def test_an_old_link_says_what_it_opened() -> None:
    old = token(version=2)
    with pytest.raises(ExpiredLink) as caught:
        read_link(old, keys=[NEW], days=-1)
    assert caught.value.link == Link("KHV-2026-0042", "quote-2", person_of(ADDRESS), 2)


def test_an_old_link_that_was_changed_says_nothing() -> None:
    old = token()
    with pytest.raises(BadLink) as caught:
        read_link(old[:-1] + ("A" if old[-1] != "A" else "B"), keys=[OLD], days=-1)
    assert not isinstance(caught.value, ExpiredLink)


def test_a_link_lives_for_sixty_days(monkeypatch: pytest.MonkeyPatch) -> None:
    made = token()
    for days, good in ((DAYS - 1, True), (DAYS + 1, False)):
        with monkeypatch.context() as patch:
            patch.setattr("itsdangerous.TimestampSigner.get_timestamp", lambda _, days=days: _later(days))
            if good:
                assert read_link(made, keys=[NEW]).request_key == "quote-2"
            else:
                with pytest.raises(ExpiredLink):
                    read_link(made, keys=[NEW])


def _later(days: int) -> int:
    import time

    return int(time.time()) + days * 86_400


@pytest.mark.parametrize("content", [["a", "b", "c"], ["a", "b", "c", True], ["a", "b", "c", "1"], {"a": 1}, "a", None])
def test_what_was_signed_for_something_else_is_no_link(content: object) -> None:
    signed = URLSafeTimedSerializer([NEW], salt="engagement-portal-link").dumps(content)
    with pytest.raises(BadLink):
        read_link(signed, keys=[NEW])


def test_a_signature_made_for_another_purpose_is_no_link() -> None:
    signed = URLSafeTimedSerializer([NEW], salt="a form's nonce").dumps(["KHV-2026-0042", "quote", "x", 1])
    with pytest.raises(BadLink):
        read_link(signed, keys=[NEW])


@pytest.mark.parametrize("keys", [(), ("",), (NEW, "")])
def test_nothing_is_signed_or_read_without_a_key(keys: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="ENGAGEMENT_PORTAL_KEYS"):
        link_for("KHV-2026-0042", "quote", ADDRESS, 1, public_url=URL, keys=keys)
    with pytest.raises(ValueError, match="ENGAGEMENT_PORTAL_KEYS"):
        read_link(token(), keys=keys)


# --- settings -------------------------------------------------------------------------------------------


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("ENGAGEMENT_REGISTER_URL", "postgresql+psycopg2:///register")
    monkeypatch.setenv("ENGAGEMENT_STORAGE_URL", "file:///storage")
    for name in ("ENGAGEMENT_PORTAL_PUBLIC_URL", "ENGAGEMENT_PORTAL_KEYS"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_an_installation_may_go_without_a_portal(installed: pytest.MonkeyPatch) -> None:
    settings = load_settings()
    assert (settings.portal_url, settings.portal_keys) == (None, ())


def test_the_portals_address_and_keys_are_read_newest_key_first(installed: pytest.MonkeyPatch) -> None:
    installed.setenv("ENGAGEMENT_PORTAL_PUBLIC_URL", f"{URL}/")
    installed.setenv("ENGAGEMENT_PORTAL_KEYS", f" {NEW}, {OLD} ,")
    settings = load_settings()
    assert (settings.portal_url, settings.portal_keys) == (URL, (NEW, OLD))


def test_keys_do_not_show_when_settings_are_printed(installed: pytest.MonkeyPatch) -> None:
    installed.setenv("ENGAGEMENT_PORTAL_KEYS", NEW)
    assert NEW not in repr(load_settings())


@pytest.mark.parametrize(
    ("url", "keys", "told"),
    [
        (URL, "", "ENGAGEMENT_PORTAL_KEYS is not"),
        (URL, "short", "fewer than 32"),
        ("hoso.example", NEW, "http"),
        ("ftp://hoso.example", NEW, "http"),
        (f"{URL}?a=b", NEW, "http"),
    ],
)
def test_a_portal_set_up_by_half_is_refused_in_clear_words(
    installed: pytest.MonkeyPatch, url: str, keys: str, told: str
) -> None:
    installed.setenv("ENGAGEMENT_PORTAL_PUBLIC_URL", url)
    installed.setenv("ENGAGEMENT_PORTAL_KEYS", keys)
    with pytest.raises(ValueError, match=told):
        load_settings()
