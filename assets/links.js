/** Addresses in texts: which ones a link may lead to, and where one ends that stands in a sentence. */

const WEB = ["http:", "https:"];
const LONG_HOST = /^(?:https?:)?[/\\]*[^/\\?#]{500}/i; // none has over 253 characters, and reading a long one takes time
const ORIGIN = typeof window === "undefined" ? "http://localhost" : window.location.origin;

/** The address that a link may lead to, whole and on the web or for mail; else "". */
export function webAddress(address, protocols = [...WEB, "mailto:"]) {
  if (!address || typeof address !== "string" || LONG_HOST.test(address)) return "";
  try {
    const { protocol, href } = new URL(address, ORIGIN);
    return protocols.includes(protocol) ? href : "";
  } catch {
    return "";
  }
}

/** The address of something that is on the web, with its host; else "". */
export const onTheWeb = (address) => webAddress(address, WEB);

/** The host of an address. */
export const hostOf = (address) => new URL(address, ORIGIN).host;

// Punctuation of Chinese, Japanese and Korean never belongs to an address. Their letters may, in its path; behind the
// first letters or digits of another script they are the next word of the sentence.
const PUNCTUATION = /[\u3000-\u3003\u3008-\u3011\u3014-\u301f\u2018-\u201d\u2026\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65]/u;
const LETTER = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]/u;
const ASCII = /^[\x00-\x7f]*$/;
const BEFORE_THE_END = /[?!.,:;*_~'")\]]/;

/** Whether this UTF-16 unit ends an address wherever it stands. */
export const endsAddress = (unit) => PUNCTUATION.test(String.fromCharCode(unit));

/** How many UTF-16 units of this text, which begins with an address and has no space, are the address. */
export function autolinkEnd(text) {
  const punctuation = text.search(PUNCTUATION);
  let end = punctuation < 0 ? text.length : punctuation;
  const letter = text.slice(0, end).search(LETTER);
  if (letter > 0 && /[a-z0-9]/i.test(text[letter - 1]) && ASCII.test(text.slice(0, letter))) end = letter;
  let opened = 0;
  for (let at = 0; at < end; at += 1) opened += text[at] === "(" ? 1 : text[at] === ")" ? -1 : 0;
  while (end > 0 && BEFORE_THE_END.test(text[end - 1]) && !(text[end - 1] === ")" && opened >= 0)) {
    if (text[end - 1] === ")") opened += 1;
    end -= 1;
  }
  return end;
}
