/** What Python and JavaScript have to agree on. Written by `make shared`: change it in Python. */

/** Where the fields of a transcript's row are (`Row` in chat_app/state.py). */
export const ROW = { message: 0, author: 1, at: 2, status: 3, version: 4, reason: 5 };

/** Where the fields of a sidebar's row are (`SidebarRow` in chat_app/state.py). */
export const SIDEBAR_ROW = { thread: 0, title: 1, active: 2, unread: 3, live: 4 };

/** Where the fields of somebody on the thread are (`PersonHere` in chat_app/live/presence.py). */
export const PERSON_HERE = { id: 0, name: 1, hue: 2 };

/** Statuses of a reply that has not ended (tributary_streams/tables.py). */
export const LIVE_STATUSES = ["pending", "streaming"];

/** What the AI is called in a message, after an "@", and how it is found there (chat_app/threads/mentions.py). */
export const AI = "gpt";
export const MENTION = /(?<![\p{L}\p{N}_.@/+-])@gpt(?![\p{L}\p{N}_-]|[.@][\p{L}\p{N}_])/iu;

/** Characters (code points) that a message can have. */
export const MAX_TEXT = 16000;

/** Milliseconds after which the server takes it that somebody types no more. */
export const TYPING_LASTS_MS = 6000;
