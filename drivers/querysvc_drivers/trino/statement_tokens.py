"""The tokens of a statement that the wire reads itself."""

from __future__ import annotations

import re
from typing import Final

from querysvc.sql.lexer import Kind, tokenize
from querysvc.sql.token_stream import TokenStream

_BEFORE: Final = re.compile(r"(?:[ \r\n\t]+|--[^\r\n]*\r?\n?|/\*(?s:.*?)\*/)*")
_WORD: Final = re.compile(r"[A-Za-z_]+")


def first_word(sql: str) -> str:
    """The statement's first word in upper case, comments skipped; empty when it is none."""
    before = _BEFORE.match(sql)
    word = _WORD.match(sql, before.end() if before else 0)
    return word[0].upper() if word else ""


class StatementTokens(TokenStream):
    """A cursor over one statement's tokens, without trailing semicolons."""

    def __init__(self, sql: str) -> None:
        tokens = tokenize(sql)
        while len(tokens) > 1 and tokens[-2].key == ";":
            del tokens[-2]
        super().__init__(sql, tokens)

    def string(self) -> str:
        """A string literal's value."""
        token = self.token
        if token.kind is not Kind.STRING:
            self.mismatched("<string>")
        self.advance()
        return token.text[1:-1].replace("''", "'")

    def expressions(self) -> tuple[str, ...]:
        """The texts of expressions separated by commas, up to the end of the statement."""
        texts: list[str] = []
        depth, start = 0, self.token.start
        while True:
            is_end = self.token.kind is Kind.END
            if is_end or (self.token.key == "," and depth == 0):
                text = self._sql[start : self.token.start].strip().rstrip(";").strip()
                if not text:
                    raise self.mismatch("<expression>")
                texts.append(text)
                start = self.token.end
            if is_end:
                return tuple(texts)
            depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(self.advance().key, 0)
