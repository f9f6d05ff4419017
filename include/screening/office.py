"""Word and Excel files of today's kind: their XML without declarations, no macros, no giant sheets.

The XML is read as it is unpacked, by expat, which keeps nothing; what a document type declares is refused before
it is declared, so there are no entities to expand or fetch.
"""

from __future__ import annotations

import re
from xml.parsers import expat

from include.screening.limits import Limits
from include.screening.refusal import Refused

_REFERENCE = re.compile(r"([A-Z]{1,3})([0-9]{1,7})")
_ELSEWHERE = re.compile(r"\s*(?:https?:|ftp:|mhtml:|ms-|\\\\|//|file:/{0,3}(?:\\\\|//)|file://[^/])", re.IGNORECASE)
_DDE = re.compile(r"\bDDE(?:AUTO)?\b", re.IGNORECASE)
_FIELDS_LENGTH = 100_000  # characters of field codes that are looked at
_XML_ENDINGS = (".xml", ".rels", ".svg")
_WORD = "wordprocessingml.document.main+xml"
_EXCEL = "spreadsheetml.sheet.main+xml"
_LOADED = ("/attachedtemplate", "/oleobject", "/frame", "/subdocument", "/externallinkpath/dde")


class Office:
    """What has been seen of one Office file, part by part."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.types: set[str] = set()

    def see_name(self, name: str) -> None:
        """Raise Refused where a part's name says that it runs."""
        plain = "/" + name.lower().replace("\\", "/")
        if "vbaproject" in plain or "/macrosheets/" in plain or "/vbadata" in plain or "/intlmacrosheets/" in plain:
            raise Refused("macros", f"a part named {name[:100]!r}")
        if "/activex/" in plain:
            raise Refused("active_content", "an ActiveX control")

    def see_type(self, content_type: str) -> None:
        """Raise Refused where a content type says that a part runs, whatever it is called."""
        plain = content_type.lower()
        if "macroenabled" in plain or "vbaproject" in plain or "macrosheet" in plain or "ms-word.vbadata" in plain:
            raise Refused("macros", f"content type {content_type[:100]!r}")
        if "activex" in plain:
            raise Refused("active_content", "an ActiveX control")
        self.types.add(plain)

    def kind(self) -> str:
        """Return ``docx``, ``xlsx`` or ``office``, by the type of the main part."""
        if any(each.endswith(_WORD) for each in self.types):
            return "docx"
        return "xlsx" if any(each.endswith(_EXCEL) for each in self.types) else "office"

    def see_placed(self, place: str, content_type: str) -> None:
        """Raise Refused where XML would be read under a name (or ending) by which it is not looked at here."""
        if content_type.lower().endswith(("+xml", "/xml")) and not place.lower().endswith(_XML_ENDINGS):
            raise Refused("not_what_it_says", f"XML in a part that ends in {place[-20:]!r}")

    def reader(self, name: str) -> Part | Drawing | None:
        """Return what reads a part of this name, None for parts that are no XML."""
        if name.lower().endswith(".svg"):
            return Drawing()
        return Part(self) if name.lower().endswith((".xml", ".rels")) else None


class Drawing:
    """An SVG drawing, read in pieces: nothing in it runs, nothing is declared."""

    def __init__(self) -> None:
        self._parser = expat.ParserCreate()
        self._parser.StartElementHandler = self._start
        self._parser.StartDoctypeDeclHandler = self._document_type
        self._parser.EntityDeclHandler = self._entity

    def see(self, chunk: bytes) -> None:
        """Take the next piece; raises Refused."""
        self._parse(chunk, False)

    def close(self) -> None:
        """Say that this was all; raises Refused for a drawing that breaks off."""
        self._parse(b"", True)

    def _parse(self, chunk: bytes, final: bool) -> None:
        try:
            self._parser.Parse(chunk, final)
        except expat.ExpatError as error:
            raise Refused("damaged", "a drawing that cannot be read") from error

    def _document_type(self, name: str, system: str | None, public: str | None, internal: int) -> None:
        # Drawing programs name the document type of SVG, which declares nothing by itself and is not fetched.
        if internal:
            raise Refused("xml_declarations", "a drawing with declarations of its own")

    def _entity(self, *_: object) -> None:
        raise Refused("xml_declarations", "a drawing with entities")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if name.rpartition(":")[2].lower() in ("script", "foreignobject", "iframe"):
            raise Refused("program", "a drawing with a script")
        for key, value in attributes.items():
            if key.lower().startswith("on") or "".join(value.split()).lower().startswith("javascript:"):
                raise Refused("program", "a drawing with a script")


class Part:
    """One XML part, read in pieces."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._cells = self._rows = self._columns = 0
        self._cell: tuple[int, int] | None = None
        self._row = 0
        self._sheet = self._field = False
        self._fields = ""
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.StartDoctypeDeclHandler = self._declared
        self._parser.EntityDeclHandler = self._declared

    def see(self, chunk: bytes) -> None:
        """Take the next piece; raises Refused."""
        try:
            self._parser.Parse(chunk, False)
        except expat.ExpatError as error:
            raise Refused("damaged", f"XML that cannot be read ({expat.errors.messages.get(error.code)})") from error

    def close(self) -> None:
        """Say that this was all; raises Refused for a part that breaks off."""
        try:
            self._parser.Parse(b"", True)
        except expat.ExpatError as error:
            raise Refused("damaged", f"XML that cannot be read ({expat.errors.messages.get(error.code)})") from error
        if _DDE.search(self._fields):
            raise Refused("active_content", "a field that starts a program")

    def _declared(self, *_: object) -> None:
        raise Refused("xml_declarations", "XML with a document type or entities")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        local = name.rpartition(":")[2]
        if self._sheet:
            self._measure(local, attributes)
        elif local == "worksheet":
            self._sheet = True
        elif local in ("Override", "Default"):
            kind = attributes.get("ContentType", "")
            self._office.see_type(kind)
            self._office.see_placed(attributes.get("PartName") or "." + attributes.get("Extension", ""), kind)
        elif local == "Relationship":
            self._refuse_loaded(attributes)
        elif local == "ddeLink":
            raise Refused("active_content", "a link that starts a program")
        elif local == "instrText":
            self._field = True
            self._parser.CharacterDataHandler = self._text
        elif local == "fldSimple":
            self._text(" " + next((v for k, v in attributes.items() if k.rpartition(":")[2] == "instr"), "") + " ")

    def _end(self, name: str) -> None:
        if self._field and name.rpartition(":")[2] == "instrText":
            self._field = False
            self._parser.CharacterDataHandler = None

    def _text(self, text: str) -> None:
        if len(self._fields) < _FIELDS_LENGTH:
            self._fields += text

    def _refuse_loaded(self, attributes: dict[str, str]) -> None:
        kind = attributes.get("Type", "").lower()
        if "vbaproject" in kind or "macrosheet" in kind:
            raise Refused("macros", f"a relation of type {kind[-60:]!r}")
        outside = attributes.get("TargetMode") == "External" and _ELSEWHERE.match(attributes.get("Target", ""))
        if outside and kind.endswith(_LOADED):
            raise Refused("active_content", "a part that is loaded from elsewhere")

    def _measure(self, local: str, attributes: dict[str, str]) -> None:
        if local == "c":
            self._cells += 1
            if self._cells > self._office.limits.cells:
                raise Refused("sheet_too_large", f"more than {self._office.limits.cells} cells in a sheet")
            reference = _REFERENCE.fullmatch(attributes.get("r", ""))
            self._cell = (self._row, 1) if reference is None else (int(reference[2]), _column(reference[1]))
        elif local == "row":
            number = attributes.get("r", "")
            self._row = int(number) if number.isascii() and number.isdigit() and len(number) < 10 else self._row + 1
        elif local in ("v", "is", "f") and self._cell:
            self._rows, self._columns = max(self._rows, self._cell[0]), max(self._columns, self._cell[1])
            if self._rows * self._columns > self._office.limits.area:
                raise Refused("sheet_too_large", f"a sheet of {self._rows} rows and {self._columns} columns")


def _column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number
