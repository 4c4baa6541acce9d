"""What the demo model says: a reply in Markdown, composed by rules from the conversation, knowing nothing of the world.

`compose_reply` takes messages as the OpenAI protocol has them, tolerates anything in them, and gives the same reply for
the same messages (the time of day apart). What people wrote comes back only inside code, where Markdown and HTML mean
nothing, or reduced to words by `_plain`. The phrases are in `demo_phrases.toml`.
"""

from __future__ import annotations

import ast
import hashlib
import math
import re
import tomllib
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple, TypedDict, TypeVar, cast

T = TypeVar("T")

_BOOK: dict[str, Any] = tomllib.loads(Path(__file__).with_name("demo_phrases.toml").read_text(encoding="utf-8"))
_PHRASES: dict[str, list[str]] = _BOOK["phrases"]


class ChatMessage(TypedDict, total=False):
    """One message of a chat completion request; `content` is text, a list of content parts, or null."""

    role: str
    content: object
    name: str


def compose_reply(messages: Sequence[ChatMessage], now: datetime | None = None) -> str:
    """Return the reply to the last message of a person; never raises, never empty.

    `now` (aware, default the clock of this machine) is what questions for time and date are answered with. Where the
    last message is an unfinished reply, or asks to go on with one, the rest of that reply is returned.
    """
    turns = _turns(messages)
    now = now or datetime.now().astimezone()
    return _rest_of_unfinished_reply(turns, now) or _reply(_question(turns, now))


def _reply(question: _Question) -> str:
    for pattern, answer in _KINDS:
        found = pattern.search(question.head)
        if found is None:
            continue
        reply = _say(question, answer) if isinstance(answer, str) else answer(question, found)
        if reply:
            return reply
    return _think_aloud(question)


# --- reading the conversation -----------------------------------------------------------------------------------------

_HEAD = 2_000  # characters in which a request is looked for; the rest of a long message is material
_SHOWN = 2_000  # characters of somebody's text that a reply gives back at most
_MENTION = re.compile(r"(?<![\w@.])@gpt\b[,:]?", re.IGNORECASE)
_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
_WORD = re.compile(r"[^\W_]+(?:['’.-][^\W_]+)*")
_SENTENCE = re.compile(r"[^.!?。！？\n]+[.!?。！？]*")
_FOLLOW_UP = re.compile(
    r"^\W*(?:and |but |ok,? |please )*(?P<wish>"
    r"(?:tell me |say |some |a bit )?more(?: please| about (?:it|that)| details?)?|"
    r"go on|continue|carry on|keep going|what else|elaborate|expand|"
    r"(?:make it |a bit |much )?(?:longer|shorter|simpler|briefer)|in (?:one|a) sentence|in short|tl;?dr|"
    r"why(?: not| is that| so)?|how so|really|again|another(?: one)?)(?: please)?\W*$",
    re.IGNORECASE,
)
_GO_ON = re.compile(
    r"^\W*(?:please\s+)?(?:continue|go on|carry on|keep going)\b"
    r"(?:.{0,80}\b(?:left off|stopped|broke off|where|from)\b.*|\W*)$",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True)
class _Turn:
    role: str
    text: str
    name: str


@dataclass(frozen=True)
class _Question:
    """What is asked: the text after the last mention, or the whole message; `lead` is what stood before that."""

    text: str
    lead: str
    asker: str
    earlier: tuple[_Turn, ...]
    now: datetime
    seed: int

    @property
    def head(self) -> str:
        return self.text[:_HEAD]

    @property
    def topic(self) -> str:
        return _topic(self.head)

    @property
    def people(self) -> list[str]:
        names = [turn.name for turn in self.earlier if turn.role == "user"] + [self.asker]
        return [name for name in dict.fromkeys(names) if name]

    @property
    def last_reply(self) -> str:
        return next((turn.text for turn in reversed(self.earlier) if turn.role == "assistant"), "")

    @property
    def last_topic(self) -> str:
        """What the talk was about before a follow-up such as "more"."""
        said = (_MENTION.sub(" ", turn.text[:_HEAD]) for turn in reversed(self.earlier) if turn.role == "user")
        return next((_topic(text) for text in said if not _FOLLOW_UP.search(text)), "that")

    def pick(self, choices: Sequence[T], turn: int = 0) -> T:
        """Choose by the question, so that the same question always finds the same choice."""
        return choices[(self.seed + turn) % len(choices)]


def _turns(messages: Sequence[ChatMessage]) -> list[_Turn]:
    turns: list[_Turn] = []
    for message in messages:
        if not isinstance(message, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]  clients send anything
            continue
        fields = cast("Mapping[str, object]", message)
        role, name = fields.get("role"), fields.get("name")
        turns.append(
            _Turn(
                role if isinstance(role, str) else "",
                _clean(_content(fields.get("content"))),
                _plain(_clean(name[:200]))[:40].strip() if isinstance(name, str) else "",
            )
        )
    return turns


def _content(content: object) -> str:
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    parts = cast("list[object]", content)
    texts = [cast("Mapping[str, object]", part).get("text") if isinstance(part, Mapping) else part for part in parts]
    return "\n".join(text for text in texts if isinstance(text, str))


def _clean(text: str) -> str:
    """Join surrogate halves, replace lone ones, remove what is not seen: control and direction characters."""
    whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return _UNSEEN.sub("", whole.replace("\r\n", "\n"))


def _question(turns: Sequence[_Turn], now: datetime) -> _Question:
    at = next((index for index in reversed(range(len(turns))) if turns[index].role == "user"), None)
    asked = _Turn("user", "", "") if at is None else turns[at]
    *lead, text = _MENTION.split(asked.text)
    if len(_WORD.findall(text)) < 3:
        lead, text = [], " ".join([*lead, text])
    text = text.strip()
    seed = int.from_bytes(hashlib.sha256(text.lower().encode()).digest()[:4], "big")
    earlier = tuple(turn for turn in turns[: at or 0] if turn.role in ("user", "assistant") and turn.text.strip())
    return _Question(text, " ".join(lead).strip(), asked.name, earlier, now, seed)


def _rest_of_unfinished_reply(turns: Sequence[_Turn], now: datetime) -> str:
    last = len(turns) - 1
    if last > 0 and turns[last].role in ("user", "system", "developer") and _GO_ON.search(turns[last].text[:_HEAD]):
        last -= 1
    if last < 1 or turns[last].role != "assistant" or not turns[last].text:
        return ""
    whole, written = _reply(_question(turns[:last], now)), turns[last].text
    return whole[len(written) :] if whole.startswith(written) else ""


# --- giving back what people wrote ------------------------------------------------------------------------------------


def _plain(text: str) -> str:
    """Reduce to words: nothing is left that Markdown, HTML or a link could be made of."""
    words = re.sub(r"[^\w\s'’.,+-]|_", " ", text.replace("&", " and "))
    words = re.sub(r"\bwww\.|(?<!\w)[+.-]+(?!\w)", " ", words, flags=re.IGNORECASE)
    return re.sub(r" ([.,])", r"\1", " ".join(words.split())).strip(" .,-+'’")


def _shorten(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[:limit].rsplit(" ", 1)[0].rstrip(" ,.-") + "…"


def _ticks(text: str, least: int) -> str:
    return "`" * max([least, *(len(run) + 1 for run in re.findall(r"`+", text))])


def _quoted(text: str, limit: int = 120) -> str:
    """Show as an inline code span."""
    line = _shorten(" ".join(text[: 4 * limit].split()), limit)
    ticks = _ticks(line, 1)
    pad = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{ticks}{pad}{line}{pad}{ticks}" if line else "(nothing)"


def _block(text: str, language: str = "text") -> str:
    """Show as a fenced block."""
    shown = text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
    ticks = _ticks(shown, 3)
    return f"{ticks}{language}\n{shown}\n{ticks}"


_LEAD_IN = re.compile(rf"^(?:(?:{'|'.join(_BOOK['words']['lead_in'].split())})\b[\s,:]*)+", re.IGNORECASE)


def _topic(text: str) -> str:
    """The words that a request is about, plain and short; "that" where there are none."""
    first = next((part for part in re.split(r"[\n?!;。！？]|\.\s", text) if _WORD.search(part)), "")
    words = _plain(first)
    about = re.sub(r"[\s,]+(?:please|thanks|thank you)$", "", _LEAD_IN.sub("", words), flags=re.IGNORECASE)
    return _shorten(about or words, 60) or "that"


def _title(topic: str) -> str:
    return topic[:1].upper() + topic[1:]


_SMALL_WORDS = re.compile(
    r"^(?:(?:please|the|this|these|following|words?|characters?|letters?|lines?|are|text|sentence|phrase|in|of)\b[\s:]*)+",
    re.IGNORECASE,
)


def _material(question: _Question, request: str) -> str:
    """The text that a request such as "count the words in …" is about; what was said before, if it brings none."""
    text = question.text
    marked = re.search(r"```[^\n`]*\n(.*?)\n?```|`([^`]+)`|(?:^|\s)'(.+)'", text, re.DOTALL)
    if marked:
        return next(group for group in marked.groups() if group is not None)
    opening = re.search(r"[\"“«„]", text)
    closing = max(text.rfind(sign) for sign in '"”»“')
    if opening and closing > opening.end():
        return text[opening.end() : closing]
    after = re.search(rf"\b(?:{request})[^\n:]{{0,80}}?:\s*(.+)", text, re.IGNORECASE | re.DOTALL)
    after = after or re.search(rf"\b(?:{request})\s+(.+)", text, re.IGNORECASE | re.DOTALL)
    given = _SMALL_WORDS.sub("", after[1].strip()) if after else ""
    given = given if len(given) > _HEAD else given.removesuffix("?")  # the question's own mark
    refers_back = re.fullmatch(r"(?:it|that|above|last message)?\W*", given[:_HEAD], re.IGNORECASE)
    if not refers_back:
        return given
    return question.lead or next((turn.text for turn in reversed(question.earlier)), "")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _listed(items: Sequence[str]) -> str:
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def _say(question: _Question, key: str, **fields: str) -> str:
    """A phrase of the book, its places filled."""
    phrase = question.pick(_PHRASES[key]).lstrip("\n")
    return phrase.format_map(
        {
            "name": f", {question.asker}" if question.asker else "",
            "topic": question.topic,
            "Topic": _title(question.topic),
            "last_topic": question.last_topic,
            "real_model": _BOOK["real_model"].strip(),
            **fields,
        }
    )


def _opened(question: _Question, reply: str) -> str:
    """Address the asker by name, now and then."""
    if not question.asker or question.seed % 3:
        return reply
    opener = question.pick(cast("list[str]", _BOOK["openers"]), question.seed // 3)
    return f"{opener.format(asker=question.asker)}\n\n{reply}"


# --- people and small talk --------------------------------------------------------------------------------------------


def _answer_greeting(question: _Question, _: re.Match[str]) -> str:
    others = [name for name in question.people if name != question.asker]
    company = f" Good to see {_listed(others[:3])} here too." if others else ""
    who = f", {question.asker}" if question.asker else ""
    return f"Hello{who}!{company} {_say(question, 'hello')}"


def _answer_who_is_here(question: _Question, _: re.Match[str]) -> str:
    if not question.people:
        return "I see messages but no names on them, so I can only say: you, and me, the demo model."
    said = Counter([turn.name for turn in question.earlier if turn.role == "user"] + [question.asker])
    lines = "\n".join(f"- **{name}**, {_count(said[name], 'message')}" for name in question.people)
    return f"Going by the messages I was given, in this conversation are:\n\n{lines}\n\nAnd me, the demo model."


def _answer_what_did_say(question: _Question, found: re.Match[str]) -> str | None:
    wanted = found["who"].lower()
    person = next((name for name in question.people if wanted in (name.lower(), name.lower().split()[0])), "")
    said = [turn.text for turn in question.earlier if turn.role == "user" and turn.name == person]
    if not person or not said:
        return None
    lines = "\n".join(f"- {_quoted(text, 200)}" for text in said[-5:])
    return f"**{person}** wrote{', most recently' if len(said) > 5 else ''}:\n\n{lines}"


def _answer_tributary(question: _Question, _: re.Match[str]) -> str:
    wants_table = re.search(r"\btables?\b", question.head, re.IGNORECASE)
    return _opened(question, _say(question, "tributary_table" if wants_table else "tributary"))


# --- numbers and time -------------------------------------------------------------------------------------------------

_CUE = (
    r"(?:what(?:'s|’s| is| are| does)|whats|calculate|compute|evaluate|solve|how much (?:is|are)|result of|"
    r"work out|was (?:ist|ergibt|macht)|wie ?viel (?:ist|sind)|rechne|combien (?:font|fait)|calcule|"
    r"cu[aá]nto (?:es|son)|calcula|計算|请算)"
)
_NUMBER = r"\d+(?:\.\d+)?"
_EXPRESSION = rf"[-+(\s]*{_NUMBER}[\s)]*(?:(?:\*\*|//|[-+*/%])[-+\s(]*{_NUMBER}[\s)]*)+"
_AFTER_SUM = r"(?=$|[=?!.,;\n？。]|(?:and|please|exactly|equals?)\b|等于|是|は)"
_IS_SUM = re.compile(rf"(?:^[^\w(+-]*|{_CUE}[\s:,]*)(?P<sum>{_EXPRESSION}){_AFTER_SUM}", re.IGNORECASE)
_AS_OPERATORS = (
    (r"(?<=\d),(?=\d{3}(?!\d))", ""),
    (r"[×·⋅∙]|(?<=[\d)])\s?[x✕]\s?(?=[\d(])", "*"),
    (r"÷", "/"),
    (r"[−–]", "-"),
    (r"\^|\bto the power of\b", "**"),
    (r"\b(?:plus|und|más)\b", "+"),
    (r"\b(?:minus|moins|menos)\b", "-"),
    (r"\b(?:times|multiplied by|mal|fois|por)\b", "*"),
    (r"\b(?:divided by|geteilt durch|divisé par|entre)\b", "/"),
    (r"\bsquared\b", "**2"),
    (r"\bcubed\b", "**3"),
    (r"\b(\d+(?:\.\d+)?) ?(?:%|percent) of\b\s*", r"\1/100*"),
)
_MOST_BITS = 2_048


def _answer_sum(question: _Question, _: re.Match[str]) -> str | None:
    text = question.head[:400]
    for pattern, operator in _AS_OPERATORS:
        text = re.sub(pattern, operator, text, flags=re.IGNORECASE)
    found = _IS_SUM.search(text)
    if found is None:
        return None
    expression = " ".join(found["sum"].split())
    try:
        value = _number_text(_calculated(expression))
    except ZeroDivisionError:
        return f"`{expression}` divides by zero, and there even a rule-based model has to stop."
    except OverflowError:
        return f"`{expression}` has more digits than anyone would read. Try a smaller one."
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    language = _language(question.head)
    if language:
        return language.sum.format(expression=expression, value=value)
    return _opened(question, f"`{expression}` = **{value}**\n\n{_say(question, 'after_sum')}")


def _calculated(expression: str) -> Fraction:
    """Evaluate exactly. Raises SyntaxError, ValueError, ZeroDivisionError, or OverflowError beyond `_MOST_BITS`."""
    source = re.sub(r"(?<![\d.])0+(?=\d)", "", expression)
    if len(source) > 200:
        raise ValueError("too long")

    def value(node: ast.expr) -> Fraction:
        match node:
            case ast.Constant(value=int() | float()):
                # The digits as written: 0.1 is a tenth, not the float next to it.
                return Fraction(ast.get_source_segment(source, node) or "")
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -value(operand)
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return value(operand)
            case ast.BinOp(left=left, op=op, right=right):
                return _applied(op, value(left), value(right))
            case _:
                raise ValueError("not arithmetic")

    return value(ast.parse(source, mode="eval").body)


def _applied(op: ast.operator, left: Fraction, right: Fraction) -> Fraction:
    match op:
        case ast.Add():
            return left + right
        case ast.Sub():
            return left - right
        case ast.Mult():
            return left * right
        case ast.Div():
            return left / right
        case ast.FloorDiv():
            return Fraction(left // right)
        case ast.Mod():
            return left % right
        case ast.Pow() if right.denominator == 1:
            bits = max(left.numerator.bit_length(), left.denominator.bit_length())
            if abs(right) * bits > _MOST_BITS:
                raise OverflowError
            return Fraction(left**right.numerator)
        case _:
            raise ValueError("not exact arithmetic")


def _number_text(value: Fraction) -> str:
    """Exact where a decimal can be, else the fraction with its first digits."""
    rest, twos, fives = value.denominator, 0, 0
    while rest % 2 == 0:
        rest, twos = rest // 2, twos + 1
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    places = max(twos, fives)
    if value.denominator == 1:
        return str(value.numerator)
    if rest == 1 and places <= 40:
        digits = str(abs(value.numerator) * 10**places // value.denominator).rjust(places + 1, "0")
        return f"{'-' if value < 0 else ''}{digits[:-places]}.{digits[-places:]}"
    try:
        return f"{value} ≈ {float(value):.10g}"
    except OverflowError:
        return str(value)


def _answer_root(_: _Question, found: re.Match[str]) -> str:
    number = int(found["number"].replace(",", ""))
    root = math.isqrt(number)
    if root * root == number:
        return f"The square root of {number} is exactly **{root}**."
    return f"The square root of {number} lies between {root} and {root + 1}, near **{math.sqrt(number):.10g}**."


def _answer_count_to(_: _Question, found: re.Match[str]) -> str:
    wanted = int(found["last"])
    numbers = ", ".join(str(number) for number in range(1, min(wanted, 200) + 1)) or "Nothing to count"
    return f"{numbers}. {'And so on; I stop where it stops being fun.' if wanted > 200 else 'There.'}"


def _answer_now(question: _Question, _: re.Match[str]) -> str:
    now = question.now
    return (
        f"By this server's clock it is **{now:%H:%M}** on **{now:%A}, {now.day} {now:%B %Y}** "
        f"({now.tzname() or 'local time'}). Your own clock may see it differently."
    )


# --- working on a text ------------------------------------------------------------------------------------------------

_TEXT_WORK = re.compile(
    r"(?<!what )\b(?P<deed>count(?! on)|how many (?:words|characters|letters|lines)|reverse(?! engineer)|upper-?case|"
    r"capitali[sz]e|lower-?case|sort(?! of| out)|alphabeti[sz]e)\b|\bbackwards?\b",
    re.IGNORECASE,
)
_TEXT_REQUEST = r"count|how many|reverse|upper-?case|capitali[sz]e|lower-?case|sort|alphabeti[sz]e|say|spell"
_REWRITE_REQUEST = r"rewrite|rephrase|reword|polish|proofread|formal|polite|professional|friendlier|clean up"
_FILLERS = re.compile(r"\b(?:really|very|just|basically|actually|literally|totally|kind of|sort of)\s+", re.IGNORECASE)


def _answer_text_work(question: _Question, found: re.Match[str]) -> str | None:
    if _ASKS_CODE.search(question.head):
        return None
    text = _material(question, _TEXT_REQUEST)
    ending = re.search(
        r"\s(?:backwards?|(?:in)?to (?:upper|lower)-?case|alphabetically)\W*$", text[-40:], re.IGNORECASE
    )
    text = text[: -len(ending[0])] if ending else text
    deed = (found["deed"] or "reverse").lower()
    if not text:
        return cast("str", _BOOK["no_material"])
    if deed.startswith(("count", "how many")):
        lines, visible = text.count("\n") + 1, sum(not sign.isspace() for sign in text)
        return (
            f"I count **{_count(len(_WORD.findall(text)), 'word')}**, **{_count(len(text), 'character')}** "
            f"({visible:,} without spaces) and {_count(lines, 'line')} in {_quoted(text, 60)}."
        )
    if deed == "reverse":
        return f"Backwards, character by character:\n\n{_block(''.join(reversed(_characters(text[:_SHOWN]))))}"
    if deed.startswith("upper"):
        return _block(text.upper())
    if deed.startswith("lower"):
        return _block(text.lower())
    if deed.startswith("capital"):
        return _block(_with_capitals(text))
    between, joint = ("\n", "\n") if "\n" in text else (",", ", ") if "," in text else (None, " ")
    items = [item.strip() for item in text[: 10 * _SHOWN].split(between) if item.strip()]
    if all(re.fullmatch(r"-?[0-9]{1,30}(?:\.[0-9]{1,30})?", item) for item in items):
        return f"Sorted as numbers:\n\n{_block(joint.join(sorted(items, key=Fraction)))}"
    return f"Sorted:\n\n{_block(joint.join(sorted(items, key=str.casefold)))}"


def _with_capitals(text: str) -> str:
    return re.sub(r"(^|[.!?]\s+)(\w)", lambda found: found[1] + found[2].upper(), text)


def _characters(text: str) -> list[str]:
    """Split into what a reader takes for characters, well enough to reverse accents and emoji."""
    found: list[str] = []
    for sign in text:
        joins = unicodedata.combining(sign) or sign in "\u200d\ufe0e\ufe0f" or "\U0001f3fb" <= sign <= "\U0001f3ff"
        if found and (joins or found[-1].endswith("\u200d")):
            found[-1] += sign
        else:
            found.append(sign)
    return found


def _answer_rewrite(question: _Question, _: re.Match[str]) -> str:
    text = _material(question, _REWRITE_REQUEST)[:_SHOWN]
    if not text:
        return cast("str", _BOOK["no_material"])
    forms = cast("dict[str, str]", _BOOK["rewriting"])
    fuller = re.sub(r"[\w'’]+", lambda found: forms.get(found[0].lower().replace("’", "'"), found[0]), text)
    leaner = _FILLERS.sub("", fuller)
    tidy = re.sub(r"\bi\b", "I", _with_capitals(re.sub(r"[ \t]{2,}", " ", leaner).strip()))
    tidy += "" if re.search(r"[.!?:;…。！？\"”)]$", tidy) else "."
    changes = {"short forms written out": fuller != text, "filler words removed": leaner != fuller}
    changes["capitals and full stops put right"] = tidy != leaner
    made = [change for change, is_made in changes.items() if is_made]
    done = f"({_listed(made)})" if made else "(I found nothing to change)"
    return (
        f"Here it is, tidied {done}:\n\n{_block(tidy)}\n\n"
        "The ear for tone is yours: as the demo model I know rules, not style."
    )


def _answer_summary(question: _Question, _: re.Match[str]) -> str:
    given = re.search(
        r"(?:summari[sz]e|summary of|tl;?dr)[^\n:]{0,60}:\s*(\S.{80,})", question.text, re.IGNORECASE | re.DOTALL
    )
    if given:
        return _summary_of_text(given[1][:50_000])
    said = [turn for turn in question.earlier if turn.role == "user"]
    if not said:
        return "There is nothing before your message to summarise. Give me a text after a colon, or ask again later."
    replies = len(question.earlier) - len(said)
    lines: list[str] = []
    for name in list(dict.fromkeys(turn.name for turn in said))[:8]:
        texts = [turn.text for turn in said if turn.name == name]
        shown = "; ".join(_quoted(text, 90) for text in dict.fromkeys((texts[0], texts[-1])))
        lines.append(f"- **{name or 'Someone'}** ({_count(len(texts), 'message')}): {shown}")
    if replies:
        times = "once" if replies == 1 else f"{replies} times"
        lines.append(f"- **I** answered {times}, last about **{question.last_topic}**")
    asked = next((turn for turn in reversed(said) if "?" in turn.text[-200:]), None)
    still = f"\n\nThe last question on the table: {_quoted(asked.text)}" if asked else ""
    return f"The thread so far, {_count(len(question.earlier), 'message')}:\n\n" + "\n".join(lines) + still


def _summary_of_text(text: str) -> str:
    sentences = [sentence.strip() for sentence in _SENTENCE.findall(text) if len(sentence.strip()) > 15]
    weights = Counter(word.lower() for word in _WORD.findall(text) if len(word) > 4)

    def weight(index: int) -> float:
        words = _WORD.findall(sentences[index])
        return sum(weights[word.lower()] for word in words) / (len(words) + 3)

    best = sorted(sorted(range(len(sentences)), key=weight, reverse=True)[:3])
    lines = "\n".join(f"- {_quoted(sentences[index], 200)}" for index in best) or f"- {_quoted(text, 200)}"
    often = [_shorten(_plain(word), 30) for word, times in weights.most_common(4) if times > 1]
    about = f"\n\nThe words it returns to: {_listed(often)}." if often else ""
    return f"Its weightiest sentences, by a simple count of words:\n\n{lines}{about}"


# --- code -------------------------------------------------------------------------------------------------------------

_CODE_LANGUAGES = {
    "sql": re.compile(r"\b(?:sql|sqlite|postgres\w*|mysql|select statement)\b", re.IGNORECASE),
    "javascript": re.compile(r"\b(?:javascript|js|typescript|node(?:\.?js)?|react)\b", re.IGNORECASE),
    "bash": re.compile(r"\b(?:bash|shell|zsh|terminal|command[- ]line)\b", re.IGNORECASE),
    "python": re.compile(r"\b(?:python|py|django|pandas|reflex)\b", re.IGNORECASE),
}
_UNKNOWN_LANGUAGE = re.compile(
    r"\b(?:rust|golang|java|kotlin|swift|ruby|php|haskell|c\+\+|c#|perl|scala|elixir)(?!\w)", re.IGNORECASE
)
_ASKS_CODE = re.compile(
    r"\b(?:write|show|give|make|create|need|want|implement|generate|build|example|how (?:do|can|would|to))\b.{0,80}?"
    r"\b(?:code|function|script|snippet|program|query|one-liner|regex|python|javascript|js|typescript|sql|bash|shell)\b|"
    r"\b(?:python|javascript|js|typescript|sql|bash|shell)\s+"
    r"(?:code|function|script|snippet|program|query|example|one-liner|for|to|that)\b|"
    r"\b(?:code|function|script|snippet|program|query)\b.{0,40}\b(?:in|for|that|to|which)\b|\bfizz ?buzz\b",
    re.IGNORECASE | re.DOTALL,
)
_NOT_A_NAME = frozenset(cast("str", _BOOK["words"]["not_a_name"]).split())


def _answer_code(question: _Question, _: re.Match[str]) -> str:
    head = question.head
    default = "sql" if re.search(r"\bquery\b", head, re.IGNORECASE) else "python"
    language = next((name for name, pattern in _CODE_LANGUAGES.items() if pattern.search(head)), default)
    known = cast("list[dict[str, str]]", _BOOK["snippets"][language])
    snippet = next(snippet for snippet in known if re.search(snippet["about"], head, re.IGNORECASE))

    unknown = _UNKNOWN_LANGUAGE.search(head) if language == "python" else None
    no_names = _NOT_A_NAME | {unknown[0].lower() if unknown else ""}
    words = [word[:20] for word in re.findall(r"[a-z]+", _plain(head).lower()) if word not in no_names]
    name = "_".join(words[:3] if len(words) > 1 else [*words, "your", "work"][:2])
    if language == "javascript":
        name = re.sub(r"_(\w)", lambda found: found[1].upper(), name)
    if language == "sql":
        name = f"{max(words[:4], key=len, default='item')}_table"
    purpose = re.search(r"\b(?:that|to|which|for)\s+(.+)", head, re.IGNORECASE)
    asked = re.sub(r"[^ -~]", "", _plain(purpose[1] if purpose else " ".join(words))).strip()
    title = _title(_shorten(asked or "your task", 60)).rstrip("…")
    code = snippet["code"].replace("NAME", name).replace("TITLE", title)

    start = "Here you are" if snippet["about"] else "A sketch to start from"
    where = f", in Python, since {unknown[0]} is not among my four languages" if unknown else ""
    return _opened(question, f"{start}{where}:\n\n```{language}\n{code}\n```\n\n{_say(question, 'after_code')}")


# --- tables, plans, verse and prose -----------------------------------------------------------------------------------


def _answer_comparison(question: _Question, found: re.Match[str]) -> str | None:
    listed = found["listed"] or found["pair"] or found["either"]
    joints = (r"\s(?:versus|vs\.?|with|against)\s", r"\s*(?:,|&|\b(?:and|or)\b)\s*", r"\sto\s")
    joint = next((joint for joint in joints if re.search(joint, listed, re.IGNORECASE)), "$")
    ends = re.compile(r"\s(?:for|in|when|as|please|on|by|if)\b.*$|[?!;:\n].*$", re.IGNORECASE | re.DOTALL)
    parts = [ends.sub("", part.strip()) for part in re.split(joint, listed, flags=re.IGNORECASE)]
    names = [_title(_shorten(_plain(_LEAD_IN.sub("", part)), 40)) for part in parts]
    names = [name for name in dict.fromkeys(names) if name][:4]
    if len(names) < 2:
        return None
    rows = question.pick(cast("list[dict[str, str]]", _BOOK["comparisons"]))
    table = ["| | " + " | ".join(f"**{name}**" for name in names) + " |", "|---" * (len(names) + 1) + "|"]
    for label, cell in rows.items():
        table.append(f"| *{label}* | " + " | ".join(cell.format(thing=name) for name in names) + " |")
    return _opened(
        question,
        f"{_listed(names)}, side by side:\n\n" + "\n".join(table) + "\n\n"
        "Replace my cells with what you know, and the decision often makes itself. I am the demo model: the frame is "
        "mine, the facts must be yours.",
    )


def _answer_table(question: _Question, _: re.Match[str]) -> str:
    topic = question.topic if _LEAD_IN.sub("", question.topic) else question.last_topic
    if topic == "that":
        return _say(question, "table_of_what")
    return _opened(question, _say(question, "table", topic=topic))


def _answer_plan(question: _Question, _: re.Match[str]) -> str:
    topic = question.topic
    plans = cast("list[dict[str, Any]]", _BOOK["plans"])
    steps: list[str] = next(plan["steps"] for plan in plans if re.search(plan["about"], topic, re.IGNORECASE))
    wanted = re.search(r"\b([1-9]\d?)[- ](?:steps?|points?|things|ideas|ways|tips|items)", question.head, re.IGNORECASE)
    lines = [f"{number}. {step}" for number, step in enumerate(steps, 1)][: int(wanted[1]) if wanted else None]
    few = f"\n\nMore than {len(steps)} steps nobody keeps." if wanted and int(wanted[1]) > len(steps) else ""
    plan = f"## {_title(topic)}\n\n" + "\n".join(lines) + f"{few}\n\n{_say(question, 'after_plan')}"
    return _opened(question, plan)


def _answer_list(question: _Question, _: re.Match[str]) -> str:
    ideas = cast("list[str]", _BOOK["lists"]["ideas"])
    wanted = re.search(r"\b([1-9]\d?)\b", question.head)
    count = min(len(ideas), int(wanted[1])) if wanted else 5
    topic = re.sub(
        r"^\d+ (?:\w+ )?(?:ideas|tips|suggestions|options|names|ways|things)? ?(?:for|about|on)? ?", "", question.topic
    )
    chosen = "\n".join(f"- {question.pick(ideas, turn).format(topic=topic or 'that')}" for turn in range(count))
    closing = "They are prompts for your own knowledge; as the demo model I have none."
    return _opened(question, f"Some starting points:\n\n{chosen}\n\n{closing}")


def _answer_verse(question: _Question, found: re.Match[str]) -> str:
    kind = found["kind"].lower()
    about = re.search(r"\b(?:about|on|of|for)\s+(.+)", question.head, re.IGNORECASE)
    topic = _topic(about[1]) if about else question.topic
    if kind in ("story", "tale"):
        hero = question.asker or question.pick(("Mira", "Anton", "Yuki", "Sol"))
        return _say(question, "story", topic=topic, Topic=_title(topic), hero=hero)
    if kind == "haiku":
        return _say(question, kind, topic=topic, Topic=_title(topic))
    # Two spaces end a line of verse; without them Markdown would run the lines together.
    return re.sub(r"(?<=\S)\n(?=\S)", "  \n", _say(question, "poem", topic=topic, Topic=_title(topic)))


def _answer_essay(question: _Question, _: re.Match[str]) -> str:
    form = r"^(?:\w+ )?(?:words|paragraphs|pages|text|reply|answer|something) ?(?:about |on |of )?"
    topic = re.sub(form, "", question.topic, flags=re.IGNORECASE)
    return _essay(question, topic if topic not in ("", "that", "long") else question.last_topic)


def _essay(question: _Question, topic: str) -> str:
    topic = topic if topic != "that" else "rivers and streams"
    return _say(question, "essay", topic=topic, Topic=_title(topic))


def _answer_follow_up(question: _Question, found: re.Match[str]) -> str:
    wish = found["wish"].lower()
    if not question.last_reply:
        return _say(question, "more_of_what")
    if re.search(r"shorter|simpler|briefer|sentence|in short|tl;?dr", wish):
        return _shorter(question)
    if wish.startswith(("why", "how so", "really")):
        return _say(question, "why")
    if re.search(r"longer|elaborate|expand|detail", wish):
        return _essay(question, question.last_topic)
    so_far = sum(turn.role == "assistant" for turn in question.earlier)
    topic = question.last_topic
    return question.pick(_PHRASES["more"], so_far).lstrip("\n").format(last_topic=topic)


def _shorter(question: _Question) -> str:
    said = re.sub(r"```.*?(?:```|$)", " ", question.last_reply[:_HEAD], flags=re.DOTALL)
    said = re.sub(r"^[ \t]*[|#].*$", " ", said, flags=re.MULTILINE)
    sentences = (_plain(sentence) for sentence in _SENTENCE.findall(said))
    first = next((sentence for sentence in sentences if len(sentence) > 12), f"it was about {question.last_topic}")
    return f"In short: {_title(_shorten(first, 140))}."


# --- other languages --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Language:
    """How a language is recognised, by its script or its common words, and the few things said in it."""

    script: str
    words: frozenset[str]
    asks_identity: str
    thanking: str
    greeting: str
    identity: str
    thanks: str
    hello: str
    sum: str
    anything: str

    @classmethod
    def read(cls, entry: dict[str, str]) -> _Language:
        return cls(**{**entry, "words": frozenset(entry["words"].split())})  # pyright: ignore[reportArgumentType]  words is replaced


_LANGUAGES = [_Language.read(entry) for entry in cast("list[dict[str, str]]", _BOOK["languages"])]
_ENGLISH = frozenset(cast("str", _BOOK["words"]["english"]).split())


def _language(text: str) -> _Language | None:
    """The language other than English that a text is written in, if it is one of those spoken here."""
    letters = sum(sign.isalpha() for sign in text)
    for language in _LANGUAGES:
        if language.script and len(re.findall(language.script, text)) * 4 > letters > 0:
            return language
    words = {word.lower().replace("’", "'") for word in _WORD.findall(text[:400])}
    words |= {part for word in words for part in word.split("'")}
    best = max(_LANGUAGES, key=lambda language: len(words & language.words))
    known = len(words & best.words)
    is_courtesy = known > 0 and any(
        re.search(pattern, text, re.IGNORECASE) for pattern in (best.greeting, best.thanking)
    )
    return best if known > len(words & _ENGLISH) and (known > 1 or is_courtesy) else None


def _answer_language(question: _Question, _: re.Match[str]) -> str | None:
    language = _language(question.head)
    if language is None:
        return None
    name = "" if not question.asker else ("、" if language.script else ", ") + question.asker
    for pattern, answer in (
        (language.asks_identity, language.identity),
        (language.thanking, language.thanks),
        (language.greeting, language.hello),
    ):
        if re.search(pattern, question.head, re.IGNORECASE):
            return answer.strip().format(name=name)
    first = next((part for part in re.split(r"[\n?!¿¡。！？]", question.head) if _WORD.search(part)), "")
    return language.anything.strip().format(topic=_shorten(_plain(first), 60) or "…")


# --- everything else --------------------------------------------------------------------------------------------------

_SHAPES = {
    "how": re.compile(r"^\W*(?:\w+\W+){0,2}?how\b", re.IGNORECASE),
    "cause": re.compile(r"^\W*(?:\w+\W+){0,2}?why\b", re.IGNORECASE),
    "choice": re.compile(r"\b(?:should|shall|better|worth|choose|decide|recommend|best)\b", re.IGNORECASE),
    "fact": re.compile(
        r"^\W*(?:\w+\W+){0,2}?(?:who|when|where|which)\b|\b(?:capital|population|president|weather|price|news)\b",
        re.IGNORECASE,
    ),
    "anything": re.compile(r""),
}


def _think_aloud(question: _Question) -> str:
    shape = next(shape for shape, pattern in _SHAPES.items() if pattern.search(question.head))
    disclosure = question.pick(cast("list[str]", _BOOK["disclosures"]))
    return f"{_opened(question, _say(question, shape))}\n\n{disclosure}"


class _Kind(NamedTuple):
    """A kind of request, and what answers it: a phrase of the book, or a function that may decline by None."""

    pattern: re.Pattern[str]
    answer: str | Callable[[_Question, re.Match[str]], str | None]


def _kind(answer: str | Callable[[_Question, re.Match[str]], str | None], *patterns: str) -> _Kind:
    return _Kind(re.compile("|".join(patterns), re.IGNORECASE), answer)


# The order decides: the first kind that fits, and does not decline, answers.
_KINDS = (
    _kind("nothing", r"^\W*$"),
    _kind(_answer_sum, r"\d.*(?:\d|squared|cubed)"),
    _kind(_answer_root, r"\b(?:square )?root of (?P<number>\d[\d,]{0,15})\b"),
    _kind(_answer_count_to, r"\bcount (?:up )?(?:from (?:1|one) )?to (?P<last>\d{1,4})\b"),
    _kind(_answer_language, r""),
    _Kind(_FOLLOW_UP, _answer_follow_up),
    _kind("ping", r"^\W*(?:ping|test(?:ing)?(?: \d.*)?|are you (?:there|alive|online))\W*$"),
    _kind(
        _answer_greeting,
        r"^\W*(?:hi|hey|hello|good (?:morning|evening|afternoon|day)|greetings|howdy|yo)\b"
        r"(?:\W+(?:there|all|everyone|everybody|gpt|again|world))*\W*$",
    ),
    _kind("how_are_you", r"^\W*(?:(?:hi|hey|hello)\W+)?how (?:are|do) you(?: doing| do| today)?\W*$"),
    _kind("thanks", r"^.{0,30}\b(?:thanks|thank you|thx|cheers|much appreciated)\b.{0,40}$"),
    _kind("goodbye", r"^\W*(?:ok,? )?(?:bye|goodbye|good night|see you|see ya|farewell|cu|ciao)\b.{0,30}$"),
    _kind("acknowledged", r"^\W*(?:yes|no|yep|nope|ok|okay|sure|fine|great|nice|cool|wow|lol|haha+)\W*$"),
    _kind(
        "setup",
        r"\b(?:api[_ ]?key|openai_\w+)\b",
        r"\b(?:use|connect|switch to|set ?up|configure|plug in) (?:a |an |the |my |your )?"
        r"(?:real|own|other|different|openai|ollama|vllm)\b",
    ),
    _kind(
        "identity",
        r"\b(?:who|what) (?:exactly )?are you\b",
        r"\bare you (?:a |an |the )?"
        r"(?:real|human|bot|robot|ai|gpt|chatgpt|gpt-?\d|language model|llm|model|person|demo)\b",
        r"\b(?:which|what) model (?:are|is|do)\b",
        r"\byour name\b",
        r"\bintroduce yourself\b",
    ),
    _kind(
        "abilities",
        r"^\W*help\W*$",
        r"\bwhat (?:can|could) you do\b",
        r"\bwhat (?:can|should|could) i (?:ask|try)\b",
        r"\bhow (?:can|could) you help\b",
    ),
    _kind(
        _answer_who_is_here,
        r"\bwho(?:'s| is| are| else is)? (?:all )?"
        r"(?:here|in (?:this|the) (?:thread|conversation|chat|room)|talking|around|present)\b",
    ),
    _kind(
        _answer_what_did_say,
        r"\bwhat (?:did|has) (?P<who>[\w-]+(?: [\w-]+)?) (?:say|said|write|written|ask|asked|mean)\b",
    ),
    _kind(
        _answer_summary,
        r"\b(?:summari[sz]e|summary|recap|tl;?dr|catch me up|what did (?:i|we) miss)\b",
        r"\bwhat (?:have we|did we) (?:talk|discuss|say)",
    ),
    _kind(
        _answer_now,
        r"\bwhat(?:'s| is)? (?:the )?(?:current )?(?:time|date)(?: is it| is| today| now|\W*$)",
        r"\b(?:what|which) (?:day|year|month) is\b",
        r"\b(?:current (?:time|date)|today'?s date)\b",
    ),
    _kind(
        "tab_or_server",
        r"\b(?:tab|browser)\b.{1,40}\bserver\b(?=.{0,40}\btable\b|\W*$)",
        r"\bserver\b.{1,40}\b(?:tab|browser)\b(?=.{0,40}\btable\b|\W*$)",
    ),
    _kind(
        "difference",
        r"\b(?:different|difference|special|unlike|better)\b.{0,30}\b(?:here|other (?:ai )?(?:chats?|apps?)|chatgpt)\b",
        r"\b(?:repl(?:y|ies)|chat|app|thread) here\b.{0,20}\b(?:different|special|better)\b",
        r"\bwhat(?:'s| is) (?:so )?(?:different|special) (?:about|with) (?:this|it)\b",
    ),
    _kind("viewers", r"\b(?:driver|follower)s?\b.{1,40}\b(?:driver|follower)s?\b"),
    _kind(
        _answer_comparison,
        r"\b(?:compare|comparison (?:of|between)|differences? between|diff between)\s+(?P<listed>[^\n?!]{3,200})",
        r"(?P<pair>[^\n?!:,]{1,60}\s(?:vs\.?|versus)\s[^\n?!]{1,80})",
        r"\b(?:better|prefer)\b\W*(?P<either>[^\n?!]{1,60}\sor\s[^\n?!]{1,60})",
    ),
    _kind(
        "refresh",
        r"\b(?:refresh|reload|f5|disconnect|go(?:es)? offline|lose (?:the )?connection|switch(?:ing)? devices?)\b",
        r"\bclos(?:e|ing) (?:the |my |this )?(?:tab|browser|window|laptop|page)\b",
        r"\bserver (?:restarts?|crash\w*|dies)\b",
    ),
    _kind(
        "viewers",
        r"\b(?:followers?|viewers?|(?:other|another|second) (?:tab|people|person|browser|window|device)|others)\b"
        r".{0,60}\b(?:see|get|read|watch|look|show|follow|work|arrive)",
        r"\b(?:see|get|watch|what is|what's|who is)\b.{0,40}\b(?:followers?|viewers?|driver)\b",
    ),
    _kind(
        _answer_tributary,
        r"\btributary\b",
        r"\bhow (?:does|do) (?:this|it|the (?:app|chat|page|thing)|you) (?:app |chat |page |all )?work\b",
        r"\bwhat is this(?: (?:app|chat|page|place|site))?\W*$",
    ),
    _kind(
        "streaming",
        r"\bhow (?:does|do|is|are)\b.{0,40}\b(?:stream(?:ing|ed|s)?|deltas?|chunks?|tokens?)\b",
        r"\bword by word\b",
        r"\bwhat (?:is|are) (?:a )?(?:deltas?|chunks?|streams?|streaming)\b",
    ),
    _kind(
        _answer_rewrite,
        r"\b(?:rewrite|rephrase|reword|polish|proofread|clean up)\b",
        r"\bmake (?:this|it|that) (?:more |sound )*(?:formal|polite|professional|friendlier)\b",
    ),
    _Kind(_TEXT_WORK, _answer_text_work),
    _kind(_answer_verse, r"\b(?P<kind>haiku|poem|verse|limerick|rhyme|song|story|tale)\b"),
    _Kind(_ASKS_CODE, _answer_code),
    _kind(
        _answer_essay,
        r"\b(?:essay|article|blog post|report|in (?:great )?detail|at length|several paragraphs|something long)\b",
        r"\blong (?:text|reply|answer|read|one|explanation)\b",
        r"\b(?:[5-9]\d\d|\d{4,}) words\b",
        r"^\W*(?:write |give me |say )?(?:a |an |something )?long\b",
    ),
    _kind(_answer_table, r"\b(?:make|draw|show|put|give|as|in|into|create|want|need)\b.{0,40}\btable\b(?! tennis)"),
    _kind(
        _answer_plan,
        r"\b(?:plan|steps?|checklist|roadmap|itinerary|agenda|schedule|guide|how to|organi[sz]e|prepare)\b",
    ),
    _kind(
        _answer_list,
        r"\b(?:list|ideas?|suggestions?|tips|brainstorm|bullet points?|options|names for|examples)\b",
    ),
    _kind("joke", r"\bjoke\b", r"\bmake me laugh\b", r"\bsomething funny\b"),
    _kind("translate", r"\btranslat(?:e|ion)\b"),
)
