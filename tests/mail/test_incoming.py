"""Mails as strangers write them: read without raising, and without believing them."""

from __future__ import annotations

import random

import pytest

from include.mail.incoming import content_digest, decision, own_words, read_mail

HEAD = b"From: Tran Duc Huu <Ketoan@BanMeSom.example>\r\nTo: hoso@kehoachviet.example\r\nMIME-Version: 1.0\r\n"


def multipart(*parts: bytes, kind: bytes = b"mixed", head: bytes = HEAD) -> bytes:
    body = b"".join(b"--b\r\n" + part + b"\r\n" for part in parts)
    return head + b'Content-Type: multipart/' + kind + b'; boundary="b"\r\n\r\n' + body + b"--b--\r\n"


TEXT = b"Content-Type: text/plain; charset=utf-8\r\n\r\nXin ch\xc3\xa0o"


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        (b'filename="a.pdf"', "a.pdf"),
        (b"filename*=UTF-8''B%C3%A1o%20c%C3%A1o.pdf", "Báo cáo.pdf"),
        (b"filename*0*=UTF-8''B%C3%A1o; filename*1*=%20c%C3%A1o.pdf", "Báo cáo.pdf"),
        (b'filename="=?UTF-8?B?QsOhbyBjw6FvLnBkZg==?="', "Báo cáo.pdf"),
        (b"filename*=x-unknown''%FF.pdf", None),
        (b"filename*=;;;", None),
    ],
)
def test_a_file_keeps_the_name_that_its_sender_gave(disposition: bytes, name: str | None) -> None:
    mail = read_mail(multipart(TEXT, b"Content-Type: application/pdf\r\nContent-Disposition: attachment; "
                               + disposition + b"\r\n\r\n%PDF"))  # fmt: skip
    assert mail.kind == "personal" and [file.data.strip() for file in mail.files] == [b"%PDF"]
    assert name is None or mail.files[0].name == name


def test_a_file_without_a_name_gets_one_by_its_kind() -> None:
    mail = read_mail(multipart(TEXT, b"Content-Type: application/pdf\r\n\r\n%PDF"))
    assert mail.files[0].name.endswith(".pdf")


def test_the_logo_of_a_signature_is_no_file_and_a_scanned_paper_is() -> None:
    html = b'Content-Type: text/html\r\n\r\n<p>Ch\xc3\xa0o</p><img src="cid:logo">'
    image = b"Content-Type: image/png\r\nContent-ID: <%s>\r\nContent-Disposition: inline; filename=%s.png\r\n\r\nPNG"
    mail = read_mail(multipart(html, image % (b"logo", b"logo"), image % (b"scan", b"scan"), kind=b"related"))
    assert [file.name for file in mail.files] == ["scan.png"]


def test_a_mail_within_the_mail_is_one_file_and_a_signature_none() -> None:
    inner = b"Content-Type: message/rfc822\r\n\r\nFrom: x@y.example\r\nContent-Type: text/plain\r\n\r\ninner words"
    signature = b"Content-Type: application/pkcs7-signature; name=smime.p7s\r\n\r\nabc"
    tnef = b"Content-Type: application/ms-tnef; name=winmail.dat\r\n\r\nabc"
    mail = read_mail(multipart(TEXT, inner, signature, tnef))
    assert [file.name for file in mail.files] == ["thu-dinh-kem.eml", "winmail.dat"]
    assert "inner" not in mail.text


@pytest.mark.parametrize("sender", [b"a@x.example, b@y.example", b"", b"nobody", b"=?utf-8?q?a=40b?="])
def test_a_sender_who_is_not_one_address_is_nobody(sender: bytes) -> None:
    assert read_mail(b"From: " + sender + b"\r\n\r\nx").sender == ""


def test_the_sender_is_the_address_and_not_the_name_before_it() -> None:
    assert read_mail(b'From: "ketoan@banmesom.example" <evil@x.example>\r\n\r\nx').sender == "evil@x.example"


@pytest.mark.parametrize(
    ("results", "forged"),
    [
        (b"mx.firm; spf=pass smtp.mailfrom=banmesom.example; dkim=none", False),
        (b"mx.firm; spf=fail smtp.mailfrom=banmesom.example; dkim=pass header.d=banmesom.example", False),
        (b"mx.firm; spf=fail smtp.mailfrom=banmesom.example; dkim=none", True),
        (b"mx.firm; spf=pass smtp.mailfrom=evil.example; dkim=fail header.d=banmesom.example", True),
        (b"mx.firm; dmarc=fail (p=none) header.from=banmesom.example; spf=pass smtp.mailfrom=banmesom.example", True),
        (b"mx.other; dmarc=fail", False),
    ],
)
def test_our_own_host_is_believed_about_the_sender(results: bytes, forged: bool) -> None:
    raw = b"Authentication-Results: " + results + b"\r\n" + HEAD + b"\r\nx"
    assert read_mail(raw, authserv_id="mx.firm").forged is forged
    assert read_mail(raw).forged is False


def test_results_that_came_with_the_mail_do_not_vouch_for_it() -> None:
    lines = b"Authentication-Results: mx.firm; dmarc=fail\r\nAuthentication-Results: mx.firm; dmarc=pass\r\n"
    assert read_mail(lines + HEAD + b"\r\nx", authserv_id="mx.firm").forged


@pytest.mark.parametrize(
    ("text", "own"),
    [
        ("Đồng ý.\n\nVào Th 3, 1 thg 12, 2026 lúc 09:00 Kế Hoạch Việt <hoso@x.example> đã viết:\n> Gửi", "Đồng ý."),
        ("Yes.\n\nOn Tue, Dec 1, 2026 at 9:00 AM Kế Hoạch Việt\n<hoso@x.example> wrote:\n\nDear", "Yes."),
        ("On Tue, 1 Dec 2026 A wrote:\n> question\n\nAnswer below.", "Answer below."),
        ("A\n-----Original Message-----\nB", "A"),
        ("A\n________________________________\nFrom: x\nSent: y", "A"),
        ("A\nTừ: Kế Hoạch Việt\nĐã gửi: thứ Ba\nB", "A"),
        ("A\n-- \nTrần Đức Hữu", "A"),
        ("Từ: năm 2027 chúng tôi mở rộng", "Từ: năm 2027 chúng tôi mở rộng"),
        ("> only a quote", ""),
    ],
)
def test_what_is_quoted_is_left_out_and_nothing_else(text: str, own: str) -> None:
    assert own_words(text) == own


def test_a_page_is_read_as_its_words() -> None:
    html = (b"Content-Type: text/html; charset=utf-8\r\n\r\n<style>p{}</style><script>x()</script>"
            b"<p>\xc4\x90\xe1\xbb\x93ng "
            b"\xc3\xbd</p><div>Tr\xc3\xa2n tr\xe1\xbb\x8dng</div><blockquote>quote</blockquote>")  # fmt: skip
    mail = read_mail(HEAD + html)
    assert mail.text.split() == ["Đồng", "ý", "Trân", "trọng"] and decision(mail.text) == "accept"


@pytest.mark.parametrize("text", ["", "đồng ý một phần", "tôi không nói đồng ý", "OK", "> đồng ý nhé", "đồng ý?!x"])
def test_only_the_few_words_that_are_offered_decide(text: str) -> None:
    assert decision(text) is None


def test_a_report_of_a_delivery_is_one_only_as_a_report() -> None:
    status = b"Content-Type: message/delivery-status\r\n\r\nReporting-MTA: x\r\n\r\nAction: failed\r\nStatus: 5.1.1\r\n"
    original = b"Content-Type: message/rfc822\r\n\r\nMessage-ID: <a@b.example>\r\n\r\nx"
    as_report = read_mail(multipart(TEXT, status, original, kind=b"report; report-type=delivery-status"))
    assert (as_report.kind, as_report.reported_ids) == ("report", ("<a@b.example>",))
    assert as_report.reports[0].action == "failed"
    assert read_mail(multipart(TEXT, status, original)).kind == "personal"


def test_two_copies_of_a_mail_have_one_digest_and_another_body_has_another() -> None:
    mail = HEAD + b"\r\nbody\r\n"
    assert content_digest(b"Received: a\r\n\tb\r\nDelivered-To: c\r\n" + mail) == content_digest(mail)
    assert content_digest(mail.replace(b"\r\n", b"\n")) == content_digest(mail)
    assert content_digest(mail + b"more") != content_digest(mail)


@pytest.mark.parametrize(
    "raw",
    [b"", b"\0", b"\xff" * 100, b"From:", b"Content-Type: multipart/mixed\r\n\r\n",
     HEAD + b"Content-Type: ;;=\r\n\r\nx",
     HEAD + b"Content-Type: text/plain; charset=no-such\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!",
     b"Subject: =?utf-8?b?////?= =?nope?q?=FF?=\r\nFrom: =?x?=\r\nIn-Reply-To: <<<>>>\r\n\r\nx"],
)  # fmt: skip
def test_malformed_mail_raises_nothing(raw: bytes) -> None:
    read_mail(raw, authserv_id="mx")


def test_mail_damaged_anywhere_raises_nothing() -> None:
    whole = multipart(TEXT, b"Content-Type: application/pdf; name*0*=utf-8''a\r\nContent-Disposition: attachment\r\n"
                      b"Content-Transfer-Encoding: base64\r\n\r\nJVBERg==")  # fmt: skip
    chance = random.Random(7)
    for _ in range(500):
        damaged = bytearray(whole)
        for _ in range(chance.randint(1, 8)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        content_digest(bytes(damaged))
        read_mail(bytes(damaged), authserv_id="mx")


def test_parts_without_end_are_for_a_person() -> None:
    deep = b"x"
    for number in range(300):
        mark = b"b%d" % number
        deep = b"Content-Type: multipart/mixed; boundary=" + mark + b"\r\n\r\n--" + mark + b"\r\n" + deep
    assert read_mail(HEAD + deep).kind == "unreadable"
    assert read_mail(multipart(*[TEXT] * 300)).kind == "unreadable"
