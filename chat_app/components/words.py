"""The words on the page, including those that JavaScript shows.

The sentences of refusals are in `refusals.py`, because what is below the page raises them.
"""

from chat_app.people.names import AI_HANDLE

BRAND = "Tributary"
AI_NAME = "GPT"
MENTION = f"@{AI_HANDLE}"
PREVIEW_TITLE = "A thread on Tributary"
PREVIEW_TEXT = "Several people and an AI in one thread: everybody sees each reply as it is written."
PREVIEW_IMAGE = "Three streams that become one, and the name Tributary"

NEW_THREAD = "New thread"
THREADS = "Threads"
UNTITLED = "New thread"
OPEN_SIDEBAR = "Show threads"
CLOSE_SIDEBAR = "Hide threads"
THREAD_LIST = {
    "threads": THREADS,
    "untitled": UNTITLED,
    "search": "Search threads",
    "today": "Today",
    "yesterday": "Yesterday",
    "earlier": "Earlier",
    "found": "Found",
    "none": "No threads yet. Begin one above.",
    "noMatch": "No thread has a title like that.",
    "unread": "unread",
    "live": "A reply is under way",
}
YOUR_ACCOUNT = "Your account"
ACCOUNT_PAGE = f"{YOUR_ACCOUNT} · {BRAND}"
TO_DARK = "Switch to dark"
TO_LIGHT = "Switch to light"

MESSAGES = "Messages"
LOADING = "Loading the messages"
NEW_BELOW = "{count} new messages"
ONE_BELOW = "1 new message"
MORE_BELOW = "More below"
EARLIER = "Earlier messages"
EARLIER_BUSY = "Getting earlier messages…"
TODAY = "Today"
YESTERDAY = "Yesterday"
TO_END = "Go to the newest message"

AI_BADGE = "AI"
YOU = "you"
DETAILS = "Details of this reply"
DETAILS_TITLE = DETAILS
DETAILS_LOADING = "Looking it up…"
ATTEMPTS = {"first": "First attempt", "retry": "Another version", "continue": "Continuation"}
STATUSES = {
    "pending": "Waiting",
    "streaming": "Being written",
    "done": "Complete",
    "error": "Failed",
    "timeout": "Timed out",
    "stopped": "Stopped",
}
MODEL = "Model"
STATUS = "Status"
ASKED = "Asked"
FIRST_DELTA = "Time to the first word"
TOOK = "Time to the end"
RATE = "Speed"
CHARACTERS_A_SECOND = "characters a second"
LENGTH = "Length"
CHARACTERS = "characters"
TOKENS_IN = "Tokens read"
TOKENS_OUT = "Tokens written"
CHUNKS = "Pieces received → stored"
REPLAY = "Watch it being written again"
REPLAY_END = "End"
REPLAY_SPEED = "Speed"
UNREAD = "New since you were here"
MESSAGE_TOOLS = "This message"
COPY_MESSAGE = "Copy this message"
UNKNOWN_PERSON = "Someone"
THINKING = "Thinking"
WRITING = "Writing"
STOP = "Stop"
STOP_LABEL = "Stop this reply"
RETRY = "Retry"
CONTINUE = "Continue"
DELETE_MESSAGE = "Delete this message"
DELETE = "Delete"
CANCEL = "Cancel"
CLOSE = "Close"
COPY = "Copy"
DONE = "Done"
COPIED = "Copied"
MARKDOWN = {
    "imageFrom": "Show image from {host}",
    "copyCode": "Copy this code",
    "copied": COPIED,
    "plainCode": "Too slow to highlight",
    "tooMuch": "Too long or too deep to format: shown as written.",
}
EARLIER_VERSION = "Earlier version"
LATER_VERSION = "Later version"
NOT_STORED = "Your message could not be stored. Try again in a moment."
UNSAVED = "The database does not answer. What you see is not saved yet."

THREAD_MENU = "Thread menu"
RENAME = "Rename"
RENAME_MENU = "Rename…"
RENAME_TITLE = "Rename this thread"
RENAME_LABEL = "Title"
SHARE_MENU = "Share…"
MEMBERS_MENU = "Members…"
DOWNLOAD = "Download"
SETTINGS_MENU = "Settings…"
SETTINGS_TITLE = "Settings of this thread"
ANSWERS = "The AI answers"
WHEN_ASKED = "When asked"
WHEN_ASKED_TEXT = f"Only messages with {MENTION} in them."
ALWAYS = "Always"
ALWAYS_TEXT = "Every message."
MODEL_TEXT = "Which model answers here."
SERVERS_CHOICE = "Server default"
PIECES = "Others see a reply grow by"
PIECES_TEXT = "The person who asks sees every word as it comes. Bigger pieces are calmer, and cheaper to store."
PIECES_BY = {
    "": SERVERS_CHOICE,
    "delta": "Whatever the model sends",
    "word": "Words",
    "sentence": "Sentences",
    "line": "Lines",
    "paragraph": "Paragraphs",
}
FROM_NEXT_REPLY = "Changes apply from the next reply on."
DELETED_THREAD = "The thread is deleted."
DELETED_MESSAGE = "The message is deleted."
UNDO = "Undo"
CLEAR = "Clear all messages"
CLEAR_MENU = "Clear all messages…"
CLEAR_TITLE = "Clear all messages?"
CLEAR_TEXT = "This deletes every message for everybody. The thread and its members stay."
LEAVE = "Leave"
LEAVE_MENU = "Leave…"
LEAVE_TITLE = "Leave this thread?"
LEAVE_TEXT = "You will no longer be a member. To come back to a private thread you need an invite."
DELETE_MENU = "Delete…"
DELETE_THREAD_TITLE = "Delete this thread?"
DELETE_THREAD_TEXT = "This deletes the thread and all its messages for everybody."
READ_ONLY = "You can read this thread, but not write in it."

SHARE_TITLE = "Share this thread"
MEMBERS_TITLE = "Members of this thread"
WHO_FINDS_IT = "Who can open it"
OPEN = "Open"
OPEN_TEXT = "Everybody sees it in the list and can write."
BY_LINK = "By link"
BY_LINK_TEXT = "Everybody with the link can write. Only members see it in the list."
PRIVATE = "Private"
PRIVATE_TEXT = "Members only."
COPY_THREAD_LINK = "Copy link"
MEMBERS = "Members"
MEMBER_YOU = "you"
OWNER = "Owner"
MEMBER = "Member"
VIEWER = "Viewer"
MEMBER_TEXT = "Member: can write"
VIEWER_TEXT = "Viewer: can read"
ROLE_OF = "Role of"
REMOVE = "Remove"
HAND_OVER = "Hand over"
HAND_OVER_MENU = "Hand over…"
HAND_OVER_TITLE = "Hand this thread over?"
HAND_OVER_TEXT = "The new owner decides about everything here. You stay as a member, and cannot take it back."
HAND_OVER_LABEL = "To"
INVITE = "Invite"
INVITE_AS = "Role"
INVITE_LASTS = "Works for"
LASTS = {"hour": "1 hour", "day": "1 day", "week": "1 week", "month": "30 days"}
MAKE_LINK = "Make a link"
INVITE_LINK = "Link of the invite"
INVITE_ONCE = "Whoever opens this link joins. It is shown only now, so copy it."
OPEN_INVITES = "Open invites"
INVITE_UNTIL = "until"
WITHDRAW = "Withdraw"

JOINING = "Joining the thread"
NO_INVITE_TITLE = "This invite does not work any more"
NO_INVITE_TEXT = "It was withdrawn or has expired. Ask for a new one."

NAME = "Name"
NAME_TEXT = "Everybody sees you by this name and colour. Nobody else can have the name while you do."
COLOUR = "Colour"
SAVE = "Save"
TOKENS = "Tokens for scripts"
TOKENS_TEXT = "A script with one of these tokens acts as you. Treat a token like a password."
NO_TOKENS = "You have none."
TOKEN_USED = "last used"
TOKEN_NAME = "Name of the new token"
TOKEN_PLACEHOLDER = "What is it for?"
MAKE_TOKEN = "Make a token"
TOKEN = "The new token"
TOKEN_ONCE = "It is shown only now, so copy it."
REVOKE = "Revoke"
SIGN_OUT = "Sign out"
SIGN_OUT_OTHERS = "Sign out everywhere else"
SIGN_OUT_OTHERS_TEXT = "Signs out all your other browsers and ends all your tokens. This browser stays signed in."
SIGNED_OUT_OTHERS = "You are signed out everywhere else."
SIGN_OUT_ALL = "Sign out everywhere"
SIGN_OUT_ALL_MENU = "Sign out everywhere…"
SIGN_OUT_ALL_TEXT = (
    "Signs out this browser too. You are a guest without a password, so you cannot come back as yourself."
)
SIGN_OUT_ALL_TITLE = "Sign out for good?"
SIGN_OUT_ALL_ASK = (
    "There are no passwords here: this browser is all that knows you. Once it is signed out, nobody can be you again, "
    "not even you. Threads that you own stay, but nobody can manage them any more."
)
SIGNED_OUT_TITLE = "You were signed out"
SIGNED_OUT_TEXT = "Load the page again to come back as a new guest."

PEOPLE_HERE = "people here"
AND = "and"
MORE = "more"
IS_TYPING = "is typing…"
ARE_TYPING = "are typing…"
OTHERS_ARE_TYPING = "others are typing…"
ONE_VIEWER = "viewer"
VIEWERS = "viewers"

EMPTY_TITLE = "What are we talking about?"
EMPTY_TEXT_BEFORE = "Everybody who can open this thread sees what you write. Put "
EMPTY_TEXT_AFTER = " in a message and the AI answers, live, for everybody."
EMPTY_TEXT_ALWAYS = "Everybody who can open this thread sees what you write, and the AI answers each message, live."
EMPTY_READ_ONLY = "Nobody has written here yet."
SUGGESTIONS = (
    f"{MENTION} explain how rivers find their way to the sea",
    f"{MENTION} write a Python function that counts words",
    f"{MENTION} compare SQLite and PostgreSQL in a table",
)

COMPOSER = {
    "label": "Message",
    "placeholder": f"Message — {MENTION} asks the AI",
    "placeholderAlways": "Message — the AI answers each one",
    "send": "Send",
    "ask": f"Ask {AI_NAME}",
    "askTitle": f"Puts {MENTION} in the message, so that the AI answers it",
    "tooLong": "This is too long to be sent.",
    "choices": "Who to mention",
    "choiceAi": "asks the AI",
    "choicesHint": "Choose a name with the up and down keys; Enter inserts it.",
    "editing": "Editing your message",
    "editLabel": "Message, edited",
    "save": "Save",
    "cancel": "Cancel",
    "sending": "Sending…",
    "waiting": "Not sent yet. It will be sent as soon as the connection is back.",
    "takeBack": "Take back",
}
COMPOSER_HINT = "Enter sends, Shift + Enter starts a new line · "
EDIT_MESSAGE = "Edit this message"
EDITED = "edited"

DEMO_NOTICE = "Demo model – it knows a few replies by heart."
DEMO_NOTICE_BEFORE = " Set "
DEMO_NOTICE_BETWEEN = " or "
DEMO_NOTICE_AFTER = " in .env to use a real one."

CONNECTION = {"gone": "Connection lost. Trying again…", "back": "Connected again"}

NOTIFICATIONS = {
    "brand": BRAND,
    "someone": UNKNOWN_PERSON,
    "message": "New message from {name}.",
    "begun": f"{AI_NAME} is answering.",
    "ended": {
        "done": f"{AI_NAME} has answered.",
        "stopped": "The reply was stopped.",
        "timeout": f"{AI_NAME} did not answer in time.",
        "error": "The reply failed.",
    },
    "notifications": "Notify me when replies to me are done",
}

SKIP = "Skip the list of threads"
SHORTCUTS = "Keyboard shortcuts"
SHORTCUT_LIST = (
    ("Send", ("Enter",)),
    ("New line", ("Shift", "Enter")),
    ("Send and ask the AI", ("Ctrl", "Enter")),
    ("Mention somebody or the AI", ("@",)),
    ("Edit your last message, in an empty field", ("↑",)),
    ("Cancel an edit, close a list or dialog", ("Esc",)),
    ("Go to the message field", ("Shift", "Esc")),
    ("Find a thread", ("Ctrl", "K")),
    ("Next or previous thread", ("Alt", "↓ ↑")),
    ("New thread", ("Ctrl", "Shift", "O")),
    ("This list", ("?",)),
)
"""Actions and their keys; on a Mac, ⌘ takes the place of Ctrl."""

NOT_FOUND_PAGE = f"Not found · {BRAND}"
NOT_FOUND_TITLE = "There is nothing here"
NOT_FOUND_TEXT = "There is no such page or thread, or it is not open to you."
BROKEN_TITLE = "This page stumbled"
BROKEN_TEXT = "Something went wrong while showing it. What was written is safe on the server."
TO_START = "Go to the start"
RELOAD = "Load the page again"
