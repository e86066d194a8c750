"""The program of the process that renders templates; `backend.apps.projects.services.templates` starts it by its path.

It stands alone: it imports Django's template engine and nothing of Repomill, so that it starts quickly and holds no
setting, key or connection. It reads lines of JSON and answers each with one:

    first line    the limits of TemplateLimits, answered with {"ready": true}
    every other   {"source", "context"}; context is JSON text, null for the same as before
                  answered with {"text"} or {"error", "line"}; an error is the last answer

Answers come together, and some of them never where the process is killed. How many templates it has begun stands in a
file in memory, whose descriptor is its argument.
"""

from __future__ import annotations

import json
import math
import mmap
import os
import re
import resource
import select
import signal
import sys
import time
from dataclasses import dataclass
from types import FrameType, ModuleType
from typing import IO, Any, ClassVar, NoReturn, cast

if __name__ == "__main__":
    # A third of what Django's engine imports is for reloading a development server's templates. Only in the child: who
    # imports this module for its limits has the real one.
    sys.modules["django.template.autoreload"] = ModuleType("django.template.autoreload")

from django.conf import settings
from django.template import Context, Engine, Library, Template, TemplateSyntaxError, defaultfilters, defaulttags
from django.template.base import FilterExpression, Lexer, Node, NodeList, Origin, Parser, Token, TokenType

# Left out: what reads files, settings or the database (debug, extends, include, load, url, ...), and what answers
# differently each time, since a generation that is repeated must give the same tree (now, lorem, random, timesince).
TAGS = frozenset(
    "autoescape comment cycle filter firstof for if ifchanged regroup resetcycle spaceless templatetag verbatim"  # noqa: SIM905  (a table is easier to check as words)
    " widthratio with".split()
)
BLOCKS = {tag: f"end{tag}" for tag in ("autoescape", "filter", "for", "if", "ifchanged", "spaceless", "with")}
INNER_TAGS = frozenset(["elif", "else", "empty", "endcomment", "endverbatim", *BLOCKS.values()])
FILTERS = frozenset(
    "add addslashes capfirst center cut default default_if_none dictsort dictsortreversed divisibleby escape escapejs"  # noqa: SIM905  (as above)
    " escapeseq filesizeformat first floatformat force_escape get_digit iriencode join json_script last length"
    " linebreaks linebreaksbr linenumbers ljust lower make_list phone2numeric pluralize pprint rjust safe safeseq"
    " slice slugify stringformat striptags title truncatechars truncatechars_html truncatewords truncatewords_html"
    " unordered_list upper urlencode urlize urlizetrunc wordcount wordwrap yesno".split()
)

SPARE_SECONDS = 600
"""How long a process that was started ahead waits for its batch."""
COUNT_BYTES = 8

# Looked up once: an enumeration's members are asked for too often here.
_TEXT, _VARIABLE, _BLOCK, _COMMENT = TokenType.TEXT, TokenType.VAR, TokenType.BLOCK, TokenType.COMMENT
_CLOSERS = {"%": "%}", "{": "}}", "#": "#}"}
_text_in_quotes = re.compile(r'"(?:[^"\\]|\\.)*"' r"|'(?:[^'\\]|\\.)*'")
_filter_name = re.compile(r"\|\s*(\w+)")


@dataclass(frozen=True, kw_only=True)
class TemplateLimits:
    """What rendering may cost. All but the last four are for one template."""

    source_bytes: int = 512 * 1024
    context_bytes: int = 4 * 1024 * 1024
    line_characters: int = 100_000
    tag_characters: int = 4_000
    tags: int = 20_000
    nesting: int = 50
    iterations: int = 100_000
    output_characters: int = 16 * 1024 * 1024
    cpu_seconds: float = 1.0
    batch_bytes: int = 64 * 1024 * 1024
    """Sources and contexts of one batch."""
    batch_output_bytes: int = 64 * 1024 * 1024
    """Output of one batch, in UTF-8. Whoever asked has all of it in memory, as bytes and as text."""
    batch_seconds: float = 60.0
    """Wall clock of one batch."""
    memory_bytes: int = 256 * 1024 * 1024
    """Address space of the process."""


class Refused(Exception):
    """A template is not allowed or costs too much."""

    def __init__(self, message: str, line: int | None = None) -> None:
        self.line = line
        super().__init__(message)


class OutOfTime(BaseException):
    """The template's processor time is used up. No exception of the ordinary kind: no filter may swallow it."""


class LinearLexer(Lexer):
    """Django's lexer without its regular expression, which takes quadratic time on tags that are never closed."""

    def tokenize(self) -> list[Token]:
        """Return the same tokens as Django's lexer."""
        source = self.template_string
        tokens: list[Token] = []
        line, done, line_end = 1, 0, 0
        never_closed: set[str] = set()
        start = source.find("{")
        while start >= 0:
            if start >= line_end:
                # Where there is no line break any more, -1 becomes the end of the source.
                line_end = source.find("\n", start) % (len(source) + 1)
                never_closed.clear()
            closer = _CLOSERS.get(source[start + 1 : start + 2], "")
            end = source.find(closer, start + 2, line_end) if closer and closer not in never_closed else -1
            if end < 0:
                never_closed.add(closer)
                start = source.find("{", start + 1)
                continue
            if done < start:
                text = source[done:start]
                tokens.append(Token(_TEXT, text, None, line))
                line += text.count("\n")
            done = end + 2
            tokens.append(self._tag(source[start:done], line))
            start = source.find("{", done)
        if done < len(source):
            tokens.append(Token(_TEXT, source[done:], None, line))
        return tokens

    def _tag(self, text: str, line: int) -> Token:
        if text[1] == "{" and not self.verbatim:
            # What most tags are; Django looks at this last.
            return Token(_VARIABLE, text[2:-2].strip(), None, line)
        return self.create_token(text, None, line, True)


class RememberingParser(Parser):
    """Compiles an expression once for all templates of the process; Django looks at a filter's signature each time.

    An expression knows nothing of its template, and here all templates have the same filters.
    """

    _compiled: ClassVar[dict[str, FilterExpression]] = {}

    def compile_filter(self, token: str) -> FilterExpression:
        """Return the compiled expression."""
        expression = self._compiled.get(token)
        if expression is None:
            if len(self._compiled) >= 4096:
                self._compiled.clear()
            expression = self._compiled[token] = super().compile_filter(token)
        return expression


class BareTemplate(Template):
    """A template whose tokens are checked before they are parsed."""

    def compile_nodelist(self) -> NodeList:
        """Check and parse the source."""
        limits = cast(BareEngine, self.engine).limits
        if len(self.source) > limits.line_characters:
            for number, line in enumerate(self.source.split("\n"), start=1):
                if len(line) > limits.line_characters:
                    raise Refused(f"The line is longer than {limits.line_characters:,} characters.", number)
        tokens = LinearLexer(self.source).tokenize()
        check_tokens(tokens, limits=limits)
        return RememberingParser(tokens, {}, self.engine.template_builtins, self.origin).parse()

    def get_exception_info(self, exception: Exception, token: Token) -> dict[str, Any]:  # noqa: ARG002  (Django's)
        """Return the line alone; Django's own collects the source around it."""
        return {"line": token.lineno}


class BareEngine(Engine):
    """Django's engine without loaders, directories, libraries or escaping."""

    default_builtins: ClassVar[list[str]] = []

    def __init__(self, limits: TemplateLimits) -> None:
        # `debug` only makes Django say on which line rendering failed.
        super().__init__(loaders=[], autoescape=False, debug=True)
        self.limits = limits
        self.template_builtins = [_allowed_library()]


class LimitedContext(Context):
    """A context that counts the loops that are run with it."""

    def __init__(self, values: dict[str, Any], *, iterations: int) -> None:
        self.iterations_left = iterations
        super().__init__(values, autoescape=False, use_l10n=False, use_tz=False)


class Tick(Node):
    """Put at the head of each loop's body: renders nothing and counts."""

    def render(self, context: Context) -> str:
        """Count one iteration. Raises Refused when there were too many."""
        assert isinstance(context, LimitedContext)  # noqa: S101  (tells the type checker; no other is ever made)
        context.iterations_left -= 1
        if context.iterations_left < 0:
            raise Refused("The loops run too often.", self.token.lineno if self.token else None)
        return ""


def _counted_for(parser: Parser, token: Token) -> Node:
    node = defaulttags.do_for(parser, token)
    tick = Tick()
    tick.token, tick.origin = token, cast(Origin, parser.origin)
    cast(list[Node], node.nodelist_loop).insert(0, tick)
    return node


def _allowed_library() -> Library:
    library = Library()
    library.tags = {name: defaulttags.register.tags[name] for name in TAGS} | {"for": _counted_for}
    library.filters = {name: defaultfilters.register.filters[name] for name in FILTERS}
    return library


def check_tokens(tokens: list[Token], *, limits: TemplateLimits) -> None:
    """Raise Refused for a tag or filter that is not allowed, and for too many, too long or too deeply nested ones."""
    in_comment, depth = False, 0
    tags = [token for token in tokens if token.token_type is not _TEXT]
    if len(tags) > limits.tags:
        raise Refused(f"The template has {len(tags):,} tags; at most {limits.tags:,} are allowed.")
    for token in tags:
        if token.token_type is _COMMENT:
            continue
        tag = (token.contents.split(None, 1) or [""])[0] if token.token_type is _BLOCK else ""
        if in_comment:
            in_comment = tag != "endcomment"
            continue
        in_comment = tag == "comment"
        if len(token.contents) > limits.tag_characters:
            raise Refused(f"The tag is longer than {limits.tag_characters:,} characters.", token.lineno)
        if tag:
            depth += (tag in BLOCKS) - (tag in BLOCKS.values())
            _check_tag(tag, depth, line=token.lineno, limits=limits)
        if tag == "filter" or ("|" in token.contents and not in_comment):
            _check_filters(token, tag)


def _check_tag(tag: str, depth: int, *, line: int | None, limits: TemplateLimits) -> None:
    if tag not in TAGS and tag not in INNER_TAGS:
        raise Refused(f"The tag {tag[:50]!r} is not allowed. Allowed are: {', '.join(sorted(TAGS))}.", line)
    if depth > limits.nesting:
        raise Refused(f"Blocks are nested more than {limits.nesting} deep.", line)


def _check_filters(token: Token, tag: str) -> None:
    expression = _text_in_quotes.sub('""', token.contents)
    if tag == "filter":
        expression = expression.replace("filter", "|", 1)
    for name in _filter_name.findall(expression):
        if name not in FILTERS:
            raise Refused(
                f"The filter {name[:50]!r} is not allowed. Allowed are: {', '.join(sorted(FILTERS))}.", token.lineno
            )


class Renderer:
    """Renders the templates of one batch, one after the other."""

    def __init__(self, limits: TemplateLimits) -> None:
        self._limits = limits
        self._engine = BareEngine(limits)
        self._compiled: dict[str, BareTemplate] = {}
        self._bytes_left = limits.batch_output_bytes

    def answer(self, source: str, context: str) -> dict[str, Any]:
        """Render one template, and say why if that cannot be done."""
        try:
            with _processor_time(self._limits.cpu_seconds):
                return {"text": self._render(source, context)}
        except Refused as refusal:
            return {"error": str(refusal), "line": refusal.line}
        except OutOfTime:
            return {"error": f"Rendering takes more than {self._limits.cpu_seconds:g} s of processor time."}
        except MemoryError:
            return {"error": "Rendering takes too much memory."}
        except RecursionError:
            return {"error": "The template is nested too deeply."}
        # Templates make Django fail in many ways (TypeError, ZeroDivisionError, InvalidOperation, ...); all are the
        # template's own errors.
        except Exception as error:  # noqa: BLE001
            said = str(error)[:500]
            shown = said if isinstance(error, TemplateSyntaxError) else f"{type(error).__name__}: {said}"
            return {"error": shown, "line": _line(error)}

    def _render(self, source: str, context: str) -> str:
        template = self._compiled.get(source)
        if template is None:
            if len(self._compiled) >= 16:
                self._compiled.clear()
            template = self._compiled[source] = BareTemplate(source, engine=self._engine)
        # A plain string: what the engine returns is one of its own.
        text = str(template.render(LimitedContext(json.loads(context), iterations=self._limits.iterations)))
        if len(text) > self._limits.output_characters:
            raise Refused(f"The result is longer than {self._limits.output_characters:,} characters.")
        self._bytes_left -= len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
        if self._bytes_left < 0:
            raise Refused(f"The results are larger than {self._limits.batch_output_bytes:,} bytes together.")
        return text


def _line(error: Exception) -> int | None:
    found = getattr(error, "template_debug", {}).get("line")
    token = getattr(error, "token", None)
    line = found if found is not None else getattr(token, "lineno", None)
    return line if isinstance(line, int) else None


class _processor_time:  # noqa: N801  (used as a context manager, reads as a word)
    """Raises OutOfTime inside after so many seconds of processor time.

    Where one call into C runs on, the signal waits for its end; then the kernel ends the process a second later.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __enter__(self) -> None:
        _, hard = resource.getrlimit(resource.RLIMIT_CPU)
        resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(time.process_time() + self._seconds + 1), hard))
        signal.setitimer(signal.ITIMER_PROF, self._seconds)

    def __exit__(self, *_: object) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _out_of_time(_number: int, _frame: FrameType | None) -> NoReturn:
    raise OutOfTime


def _confine(limits: TemplateLimits) -> None:
    signal.signal(signal.SIGPROF, _out_of_time)
    resource.setrlimit(resource.RLIMIT_AS, (limits.memory_bytes, limits.memory_bytes))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))


def serve(lines: IO[bytes], answers: IO[bytes], count: memoryview) -> None:
    """Answer every line until there are no more, or one could not be rendered. Ends when nothing comes at all.

    count: one number, how many templates have been begun.
    """
    asked = lines.readline()
    if not asked:
        return
    limits = TemplateLimits(**json.loads(asked))
    settings.configure(USE_I18N=False)
    renderer = Renderer(limits)
    _confine(limits)
    answers.write(json.dumps({"ready": True}).encode() + b"\n")
    answers.flush()
    context = "{}"
    for number, line in enumerate(lines, start=1):
        count[0] = number
        asked = json.loads(line)
        context = context if asked["context"] is None else asked["context"]
        answer = renderer.answer(asked["source"], context)
        # Not as ASCII, in which a character may take twelve bytes; half a pair of them is JSON too.
        answers.write(json.dumps(answer, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n")
        if "error" in answer:
            break
    answers.flush()


if __name__ == "__main__" and select.select([sys.stdin], [], [], SPARE_SECONDS)[0]:
    with memoryview(mmap.mmap(int(sys.argv[1]), COUNT_BYTES)) as shared:
        serve(sys.stdin.buffer, sys.stdout.buffer, shared.cast("q"))
        # To take all modules apart would cost as much as two hundred templates.
        os._exit(0)
