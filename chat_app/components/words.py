"""The words on the page."""

BRAND = "Tributary"

NEW_THREAD = "New thread"
THREADS = "Threads"
UNTITLED = "New thread"
OPEN_SIDEBAR = "Show threads"
CLOSE_SIDEBAR = "Hide threads"
YOU_ARE = "You are"
TO_DARK = "Switch to dark"
TO_LIGHT = "Switch to light"

MESSAGES = "Messages"
LOADING = "Loading the messages"
NEW_BELOW = "New messages"
TO_END = "Go to the newest message"

AI_NAME = "GPT"
AI_BADGE = "AI"
YOU = "you"
UNKNOWN_PERSON = "Someone"
THINKING = "Thinking"
WRITING = "Writing"
STOP = "Stop"
STOP_LABEL = "Stop this reply"
RETRY = "Retry"
CONTINUE = "Continue"
DELETE_MESSAGE = "Delete this message"
DELETE_THREAD = "Delete this thread"
DELETE_THREAD_ASK = "Delete this thread and all its messages, for everybody?"
DELETE = "Delete"
CANCEL = "Cancel"
EARLIER_VERSION = "Earlier version"
LATER_VERSION = "Later version"
UNSAVED = "The database is away. What you see is not saved yet."

EMPTY_TITLE = "What are we talking about?"
EMPTY_TEXT_BEFORE = "Everyone with this page sees what you write. Put "
EMPTY_TEXT_AFTER = " in a message and the AI answers, live, for all of you."
EMPTY_TEXT_ALWAYS = "Everyone with this page sees what you write, and the AI answers each message, live, for all."
MENTION = "@gpt"
SUGGESTIONS = (
    "@gpt explain how rivers find their way to the sea",
    "@gpt write a Python function that counts words",
    "@gpt compare SQLite and PostgreSQL in a table",
)

COMPOSER_LABEL = "Message"
COMPOSER_PLACEHOLDER = "Message — @gpt asks the AI"
COMPOSER_PLACEHOLDER_ALWAYS = "Message — the AI answers each one"
COMPOSER_HINT = "Enter sends, Shift + Enter starts a new line"
SEND = "Send"

DEMO_NOTICE_BEFORE = "Demo model – answers are made up offline. Set "
DEMO_NOTICE_BETWEEN = " or "
DEMO_NOTICE_AFTER = " in .env to use a real one."

CONNECTION_GONE = "Connection lost. Trying again…"

NOT_FOUND_TITLE = "There is nothing here"
NOT_FOUND_TEXT = "This thread does not exist, or it is not open to you."
BROKEN_TITLE = "This page stumbled"
BROKEN_TEXT = "Something went wrong while showing it. What was written is safe on the server."
TO_START = "Go to the start"
RELOAD = "Load the page again"
