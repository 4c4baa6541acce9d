/** What has happened between two looks at a thread's rows: messages of others, replies that begin and that end. */

import { LIVE_STATUSES, ROW } from "$/public/shared.js";

const isLive = (status) => LIVE_STATUSES.includes(status);

/**
 * `look(rows, me)` returns `[{ kind, message, author, status, isMine }]` of what came since the last one, nothing at
 * first; `kind` is "message", "begun" or "ended", and `isMine` says of a reply that `me` asked for it. Earlier rows that
 * join are none of it.
 */
export function createRowEvents() {
  let statuses = null;
  let newest = 0;
  return {
    look(rows, me) {
      const before = statuses;
      const known = newest;
      statuses = new Map(rows.map((row) => [row[ROW.message], row[ROW.status]]));
      newest = Math.max(known, ...statuses.keys(), 0);
      if (before === null) return [];
      return rows.flatMap((row) => {
        const [message, author, status] = [row[ROW.message], row[ROW.author], row[ROW.status]];
        const was = before.get(message);
        if (was === undefined && message <= known) return [];
        const event = (kind) => [{ kind, message, author: Math.abs(author), status, isMine: author === -me }];
        if (status === "") return was === undefined && author !== me ? event("message") : [];
        if (isLive(status)) return isLive(was) ? [] : event("begun");
        return was === undefined || isLive(was) ? event("ended") : [];
      });
    },
  };
}
