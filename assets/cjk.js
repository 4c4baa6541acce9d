/** Bold, italic and struck text beside Chinese, Japanese and Korean punctuation, which CommonMark takes for no pair. */

import remarkCjkFriendly from "remark-cjk-friendly";
import remarkCjkFriendlyStrikethrough from "remark-cjk-friendly-gfm-strikethrough";

/** The plugins that belong before, and after, those of GitHub's Markdown. */
export const cjk = { before: [remarkCjkFriendly], after: [[remarkCjkFriendlyStrikethrough, { singleTilde: false }]] };
