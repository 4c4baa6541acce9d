"""What the demo model says: sums by rule, a few texts by heart, and for all else that it does not know.

The reply depends only on the last question and on who asks it, so an unfinished reply can be composed again and
continued. Of what people write, only plain words and sums come back: a reply holds no markup but its own.
"""

import ast
import operator
import re
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Protocol


class ChatMessage(Protocol):
    """A message as a model gets it: its role by OpenAI's names, its text, and its author's name, or ""."""

    @property
    def role(self) -> str: ...

    @property
    def text(self) -> str: ...

    @property
    def name(self) -> str: ...


def compose_reply(turns: Sequence[ChatMessage], mention: re.Pattern[str]) -> str:
    """Return the reply to the last turn; it is never empty. `mention` finds the AI's name in a text.

    Where a user asks to continue, the reply is the missing rest of the assistant's turn before that.
    """
    is_continuing = bool(turns) and _CONTINUE.search(_question(turns[-1].text, mention))
    return _rest(turns[:-1], mention) if is_continuing else _answer(turns, mention)


def _rest(turns: Sequence[ChatMessage], mention: re.Pattern[str]) -> str:
    written = turns[-1].text if turns and turns[-1].role == "assistant" else ""
    whole = _answer(turns, mention)
    rest = whole.removeprefix(written)
    return rest if rest not in ("", whole) else NOTHING_LEFT


def _answer(turns: Sequence[ChatMessage], mention: re.Pattern[str]) -> str:
    text, name = next(((turn.text, turn.name) for turn in reversed(turns) if turn.role == "user"), ("", ""))
    question, asker = _question(text, mention), _plain(name)
    known = (text for pattern, text in BY_HEART if re.search(pattern, question, re.IGNORECASE))
    reply = _sum(question) or next(known, "") or _unknown(question)
    return reply.replace("{name}", f", {asker}" if asker else "")


def _question(text: str, mention: re.Pattern[str]) -> str:
    """Return what stands after the last mention, or before it if nothing does; at most 300 characters."""
    parts = ["", *re.split(f"(?:{mention.pattern})[,:]?", text, flags=mention.flags)]
    return (parts[-1] if re.search(r"\w", parts[-1]) else parts[-2]).strip()[:300]


def _plain(text: str) -> str:
    """Return the words of a text, at most 60 characters: nothing that Markdown, HTML or a link is made of."""
    return " ".join(re.findall(r"[^\W_]+(?:['’-][^\W_]+)*", text))[:60].strip()


def _unknown(question: str) -> str:
    found = _TOPIC.search(question)
    topic = _plain(found["topic"]) if found else ""
    return UNKNOWN.replace("{gap}", f"know nothing about **{topic}**" if topic else "cannot answer that")


_CONTINUE = re.compile(
    r"^\W*(?:please )?(?:continue|go on|carry on|keep going)\b(?:\W*$|.*\b(?:broke|left|stopped)\b)", re.IGNORECASE
)
_TOPIC = re.compile(
    r"^\W*(?:(?:please|can you|could you) )*"
    r"(?:explain|describe|define|tell (?:me|us) about|(?:what|who)(?: is| are| was| were|['’]s))\s+"
    r"(?!(?:your?|my|it|this|that|he|she|they)\b)(?P<topic>.+?)(?:,? please)?(?:[.?!;:](?=\s|$)|$)",
    re.IGNORECASE | re.MULTILINE,
)

# --- sums -------------------------------------------------------------------------------------------------------------
MOST_BITS = 1_000  # of a power: about 300 digits
_AS_OPERATORS = (
    (r"(?<=\d),(?=\d{3}(?!\d))", ""),
    (r"×|\btimes\b|\bmultiplied by\b|(?<=\d)\s*x\s*(?=\d)", "*"),
    (r"÷|\bdivided by\b", "/"),
    (r"\bminus\b", "-"),
    (r"\bplus\b", "+"),
    (r"\^", "**"),
    (r"(\d)\s*(?:%|percent) of\b\s*", r"\1/100*"),
)
_SUM = re.compile(
    r"(?:^|\b(?:is|are|calculate|compute|evaluate|solve|what['’]s)\s)\s*"
    r"(?P<sum>[-(\d][-\d\s.()+*/%]*[\d)])\s*(?:[=?.!,;]|please\b|$)",
    re.IGNORECASE,
)


def _sum(question: str) -> str:
    for pattern, sign in _AS_OPERATORS:
        question = re.sub(pattern, sign, question, flags=re.IGNORECASE)
    found = _SUM.search(question)
    return _worked_out(" ".join(found["sum"].split())) if found else ""


def _worked_out(expression: str) -> str:
    """Return the reply to a sum, or "" where the expression is none."""
    try:
        tree = ast.parse(expression, mode="eval").body
        return f"`{expression}` {_shown(_value(tree))}" if isinstance(tree, ast.BinOp) else ""
    except ArithmeticError:
        return f"I cannot work out `{expression}`: its value is too large, not a fraction, or none at all."
    except (SyntaxError, ValueError):
        return ""


def _shown(value: Fraction) -> str:
    """Return the exact value, or 12 digits of it after "≈"."""
    digits = str(value.numerator) if value.denominator == 1 else f"{float(value):.12g}"
    return f"{'=' if Fraction(digits) == value else '≈'} **{digits}**"


def _value(node: ast.expr) -> Fraction:
    """Evaluate exactly: 0.1 is a tenth. Raises ArithmeticError, and ValueError for what is not a sum."""
    match node:
        case ast.Constant(value=int() | float() as number):
            return Fraction(str(number))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATIONS:
            return _OPERATIONS[type(op)](_value(left), _value(right))
        case _:
            raise ValueError("not a sum")


def _power(base: Fraction, exponent: Fraction) -> Fraction:
    bits = abs(exponent) * max(base.numerator.bit_length(), base.denominator.bit_length())
    if exponent.denominator != 1 or bits > MOST_BITS:
        raise ArithmeticError
    return Fraction(base**exponent.numerator)


_OPERATIONS: dict[type[ast.operator], Callable[[Fraction, Fraction], Fraction]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Mod: operator.mod,
    ast.Pow: _power,
}

# --- texts; {name} is "" or ", Mira" ----------------------------------------------------------------------------------
UNKNOWN = """\
Sorry{name}: I am only Tributary's built-in demo model, and I {gap}. I can do sums, a table, a piece of Python code, \
a haiku and an essay; for a real model, set `OPENAI_API_KEY` or `OPENAI_BASE_URL` in `.env` and start again."""

NOTHING_LEFT = "There is nothing to continue. Ask for an essay, stop it halfway, and press *Continue* below it."

HELLO = """\
Hello{name}! I am Tributary's built-in demo model. Ask me for a sum, a table, a piece of Python code or an essay, \
and reload the page while I write."""

HELP = """\
I am the **demo model** built into Tributary. I work offline and by rules, and I know a few texts by heart. Try these:

- `what is 17*23+4?`
- `compare SQLite and PostgreSQL in a table`
- `write a Python function that counts words`
- `write an essay on rivers`
- `what happens when I refresh?`

For a real model, set `OPENAI_API_KEY` or `OPENAI_BASE_URL` in `.env` and start again."""

TRIBUTARY = """\
Three things make a reply here different. You can try each of them while I write.

1. **A reply belongs to the server.** Your tab only shows it. Reload the tab, close it, or come back on another \
device: the server writes the reply to its end without you, and its text is there.
2. **It has two speeds.** The tab that asked gets it almost word by word. Everyone else reads whole sentences from the \
database, and fifty readers cost the database what one costs.
3. **It is stored while it grows**, sentence by sentence. If something breaks halfway, the first half stays, and \
*Continue* goes on from there.

> Many streams, one river."""

TAB_OR_SERVER = """\
| When… | a reply of a **tab** | a reply of the **server** |
|---|---|---|
| you reload | is cut off, or starts again | goes on where it was |
| you close the browser | ends with it | is written to its end |
| others are in the thread | reaches them late, or not at all | reaches them sentence by sentence |
| somebody's line is slow | may keep others waiting | waits for nobody |
| the server restarts | is gone | keeps its text, and can be continued |

Here every reply belongs to the server. Reload while the next one grows, and see."""

DATABASES = """\
| | **SQLite** | **PostgreSQL** |
|---|---|---|
| Runs | inside the program | as a server of its own |
| Keeps its data in | one file | a directory that the server manages |
| Writers at once | one | many |
| Setup | none | install it, start it, add a user |
| Fits | one process on one machine | several processes on several machines |"""

HAIKU = "> Small streams find the slope,  \n> one by one they lose their names:  \n> the river goes on."

ONLY_TWO = "I know only two Python functions by heart: one counts words, and one reverses a text."

COUNT_WORDS = """\
```python
from collections import Counter


def count_words(text: str) -> Counter[str]:
    return Counter(text.lower().split())
```

`count_words("to be or not to be")["be"]` is 2."""

BACKWARDS = """\
```python
def backwards(text: str) -> str:
    return text[::-1]
```

`backwards("stream")` is `"maerts"`."""

ONLY_ONE = "I know only one essay by heart, and it is about rivers."

ESSAY = """\
# How a river finds the sea
A river does not look for the sea. Its water moves downhill, and the sea is where downhill ends.

## The source
Rain and melted snow sink into the ground and come out again lower down, as springs. Springs feed small streams, and \
small streams meet in larger ones. So a river has many sources; the one on the map is often the spring farthest from \
the mouth. All the land whose water ends in one river is the river's *basin*, and the line around it is the *divide*. \
Two drops of rain that fall one step apart, on either side of a divide, may end in two different seas.

## The flow
How much water passes a place in a second is the *discharge*: the area of the river's cross-section times the mean \
speed of the water.

$$Q = A \\cdot v$$

A river 50 m wide and 2 m deep that moves at 1 m/s carries 100 cubic metres a second. Where its bed gets narrower, the \
same water has to move faster or to stand higher. That is one reason for rapids in narrow valleys.

## The bends
In a plain, a river does not stay straight. On the outside of a bend the water is faster and takes the bank away; on \
the inside it is slower and drops sand. Each bend grows until it is a loop, a *meander*. In the end, often in a flood, \
the river breaks through the neck of the loop. The old loop stays behind as a curved lake.

## The tributaries
A stream that joins a larger one is a *tributary*. At Koblenz, for example, the Moselle joins the Rhine. Below that \
place there is one river with the water of both, and nobody can tell any more which drop came from where.

## The mouth
Near the sea the land is almost flat, so the water slows down and drops the sand and mud that it still carries. Where \
waves and tides do not take these away, new land grows, and the river splits into several arms: a *delta*. Strong \
tides keep the mouth wide and open instead: an *estuary*, like that of the Thames.

The sun lifts water out of the sea, the wind carries it over the land, and it falls on the mountains as rain. There \
the next river begins."""

BY_HEART = (
    (r"^\W*$|^\W*(?:hi|hey|hello|good (?:morning|afternoon|evening))(?:\W+(?:there|all|everyone|gpt))*\W*$", HELLO),
    (r"^.{0,20}\b(?:thanks|thank you|bye|goodbye)\b.{0,20}$", "You are welcome{name}. It all stays in the thread."),
    (r"^\W*help\W*$|\bwhat (?:else )?(?:can|do) you (?:do|know)\b|\bwhat (?:can|should) I ask\b", HELP),
    (r"\b(?:who|what) are you\b|\bare you (?:a|an|the|real|human)\b|\byour name\b|\breal model\b|\bAPI key\b", HELP),
    (r"\b(?:haiku|poem)\b", f"I know only one haiku by heart:\n\n{HAIKU}"),
    (r"\btab\b.*\bserver\b|\bserver\b.*\btab\b", TAB_OR_SERVER),
    (r"\bSQLite\b.*\bPostgres|\bPostgres.*\bSQLite\b", DATABASES),
    (r"\btables?\b|\bcompare\b|\bvs\b", f"I know only two tables by heart. This one is on databases.\n\n{DATABASES}"),
    (r"\bcount\w* (?:the )?words\b", COUNT_WORDS),
    (r"\b(?:code|function|script|program|python)\b.*\brevers", BACKWARDS),
    (r"\b(?:code|function|script|program|snippet|python|javascript|SQL)\b", f"{ONLY_TWO}\n\n{COUNT_WORDS}"),
    (r"\brefresh|\breload|\bclose (?:the|my) (?:tab|browser|page)\b", TRIBUTARY),
    (r"\bother chats\b|\bTributary\b|\bwhat is this\b|\bhow (?:does|do) (?:this|it|you) work\b", TRIBUTARY),
    (r"\b(?:essay on|about|explain|how do)\b.*\brivers\b", ESSAY),
    (r"\b(?:essay|article|story|long (?:text|reply|answer)|something long)\b", f"{ONLY_ONE}\n\n{ESSAY}"),
)
