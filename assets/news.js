/** What is new between two looks at a thread's rows: messages of others, replies that begin and that end. */

const LIVE = new Set(["pending", "streaming"]);

/**
 * `rows` are the page's, `[message, author, at, status, …]`, with the author of a reply minus who asked for it.
 *
 * `look(rows, me)` returns `[{ kind, message, author, status, isMine }]` of what came since the last one, nothing at
 * first; `kind` is "message", "begun" or "ended", and `isMine` says of a reply that `me` asked for it. Older rows that
 * join are no news.
 */
export function createNews() {
  let statuses = null;
  let newest = 0;
  return {
    look(rows, me) {
      const before = statuses;
      const known = newest;
      statuses = new Map(rows.map((row) => [row[0], row[3]]));
      newest = Math.max(known, ...statuses.keys(), 0);
      if (before === null) return [];
      return rows.flatMap(([message, author, , status]) => {
        const was = before.get(message);
        if (was === undefined && message <= known) return [];
        const news = (kind) => [{ kind, message, author: Math.abs(author), status, isMine: author === -me }];
        if (status === "") return was === undefined && author !== me ? news("message") : [];
        if (LIVE.has(status)) return LIVE.has(was) ? [] : news("begun");
        return was === undefined || LIVE.has(was) ? news("ended") : [];
      });
    },
  };
}
